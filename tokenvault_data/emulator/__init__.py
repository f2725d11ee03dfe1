"""A stand-in for the vault: a real HTTP server on loopback, with a made-up population.

It shares no code with the rest of the toolkit, so that it cannot agree with the toolkit's mistakes.
"""
