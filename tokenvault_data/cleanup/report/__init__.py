"""The completion report: what was planned, what became of it, and what proves it."""
