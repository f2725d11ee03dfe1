"""Which vault, as whom, by which road: profiles, credentials, hosts, proxies, their sources.

`loading` finds a `profile` by name or in the variables of the environment (`sources`);
`credentials` refuses what leads elsewhere, and `network` says which proxy and which authority.
"""
