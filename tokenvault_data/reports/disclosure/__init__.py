"""Which figures of a report may be shown, so that nobody can work out a small group."""
