"""CloudWatch Logs: what programs print, kept in order and searched."""
