"""What runs measured, in the files of other tools: event files, one tidy CSV, an RO-Crate."""
