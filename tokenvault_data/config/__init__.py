"""Which vault, as whom, by which road: profiles, credentials, hosts, proxies, their sources."""
