"""The runbook of `modelyard groups`: groups and roles of teams, from a configuration."""
