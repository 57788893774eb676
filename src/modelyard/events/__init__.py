"""What happened: the audit trail of calls, the outbox of events, and what resources were like at past times."""
