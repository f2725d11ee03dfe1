"""`tokenvault cleanup`: campaigns that delete saved cards, from a rule to the proof."""
