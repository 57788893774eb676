"""What every operation passes through: the table of operations, and the way of a request to one and back."""
