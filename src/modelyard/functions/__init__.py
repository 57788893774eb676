"""Lambda: functions that really run, in sandboxes on this machine."""
