"""What knows HTTP and no tables: the client of the vault, its pacing, paging and retrying."""
