"""Tables, diff and report, written in every format."""
