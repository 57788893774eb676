"""`modelyard demo`: real clients take real models through registration, review and approval to an endpoint, and back."""
