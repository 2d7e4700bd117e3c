"""The reading wing: from run folders to frames, tables, figures, verdicts. Works where torch is not installed."""
