"""From customer ids to a snapshot: lists, fan-out, durable parts, resuming."""
