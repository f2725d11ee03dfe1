"""Tables: from raw bodies to Arrow, from Arrow to published snapshots. Knows no HTTP."""
