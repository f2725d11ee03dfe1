"""What knows HTTP and no tables: the client of the vault.

`blocking` is its door for plain code. `client` makes a call of `calls` as often as `retries` says,
at the pace of `pacing`, through a `transport` over one of the `engines`; `paging` follows a list to
its end.
"""
