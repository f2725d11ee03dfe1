"""Filters as data: typed text to expressions, expressions to rows, SQL and sentences.

::

    text --parsing--> filters --expressions--> Arrow masks, SQL, one card
         <--parsing--

A comparison with a missing value is unknown, and unknown selects nothing.
"""
