"""What the paper did: one module per table and figure, named as the paper names it."""
