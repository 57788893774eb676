"""What runs in the process that makes a sandbox: Python's standard library alone, started with `-I -S`."""
