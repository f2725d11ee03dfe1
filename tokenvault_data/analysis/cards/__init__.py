"""Cards as the analyses read them: from a snapshot or a table to rows with derived columns.

`source` opens what was given, `card_view` adds bank, expiry and what else is computed, `rows` gives
pages of the rows behind a figure, and `notes` says what every result says of its source.
"""
