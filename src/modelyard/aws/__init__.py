"""AWS's service models and protocols: what comes in over HTTP, and what goes out."""
