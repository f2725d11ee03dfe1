"""The cleanup panel: from a rule to the proof, in seven steps."""
