"""The `modelyard` command: where people start."""
