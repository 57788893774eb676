"""Lineage: what was made from what, by what, and who decided on it; made by itself from events, and by whoever adds to it."""
