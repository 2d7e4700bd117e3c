"""What runs are worth before they are trained: which decide most in a budget."""
