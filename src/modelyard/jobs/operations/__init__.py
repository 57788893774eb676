"""The operations of jobs; importing this package declares them all."""

from modelyard.jobs.operations import transform_jobs

__all__ = ["transform_jobs"]
