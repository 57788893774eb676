"""The registry: model package groups, model packages, approval, group policies, search and model cards."""
