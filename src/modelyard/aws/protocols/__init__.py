"""AWS's wire formats."""
