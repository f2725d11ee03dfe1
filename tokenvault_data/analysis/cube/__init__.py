"""Counts by every combination of the panels' columns, so that a click needs no second reading.

`building` makes the `cells` of a snapshot, which are kept beside it, and `crossfilter` answers
filters from them.
"""
