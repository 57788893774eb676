"""STS and IAM: who callers are, and the users, roles and policies that decide what they may do."""
