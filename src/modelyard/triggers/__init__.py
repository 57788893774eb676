"""EventBridge: rules that match events, schedules, and the delivery of both to their targets."""
