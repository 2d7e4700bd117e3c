"""Our numbers against the paper's: statistics, verdicts, claims."""
