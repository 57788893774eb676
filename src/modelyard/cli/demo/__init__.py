"""`modelyard demo`: real clients take two real models through registration, review and approval."""
