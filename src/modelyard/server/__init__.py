"""The server: one port, the life of a request, and the composition root."""
