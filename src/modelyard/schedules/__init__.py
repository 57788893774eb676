"""When things are due: the `at()`, `rate()` and `cron()` that AWS's services have in common."""
