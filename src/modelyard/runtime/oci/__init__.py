"""Workloads as containers of docker or podman."""
