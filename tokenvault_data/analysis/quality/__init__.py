"""Whether a snapshot's figures can be trusted: checks of rows, of the whole, against another."""
