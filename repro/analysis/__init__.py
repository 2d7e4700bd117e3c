"""The analysis wing: from run folders to frames, tables, figures and verdicts. Needs no torch."""
