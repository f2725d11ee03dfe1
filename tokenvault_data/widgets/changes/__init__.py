"""The view of changes: what happened between two snapshots."""
