"""What a record says of the code and the machine that made a number."""
