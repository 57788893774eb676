"""Running what others wrote: a workload in a sandbox, on this machine."""
