"""What leaves the toolkit: summaries and exports."""
