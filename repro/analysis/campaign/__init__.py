"""What runs are worth before they are trained: which decide the most claims and rows in a budget."""
