"""The explorer: linked breakdowns of a snapshot."""
