"""Measurements against peers, each peer in turn in the same run; `python -m benchmarks`."""
