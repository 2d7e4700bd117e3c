"""What is trained and shown, as plain values: nets, recipes, runs, experiments."""
