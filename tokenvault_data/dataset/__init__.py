"""Tables: from raw bodies to Arrow, from Arrow to published snapshots. Knows no HTTP.

`flattening` turns bodies into the columns of `schema`; `snapshot_writer` publishes them with a
`manifest`; `snapshots` opens what was published, by the `readers`; `sql` asks it, and `frames` and
`tables` hand the rows to pandas and to people.
"""
