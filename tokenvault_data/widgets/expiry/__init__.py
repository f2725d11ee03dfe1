"""The expiry radar: what expires when, at which bank, and whom to write to."""
