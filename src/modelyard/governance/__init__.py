"""Who may, who did, and what was: the operations over the audit trail, the change feed, past states and decisions."""
