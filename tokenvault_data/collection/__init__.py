"""From customer ids to a snapshot: lists, fan-out, durable parts, resuming.

`collect` begins it: `customer_list` reads the ids and `customer_rows` drops what is none, `fan_out`
asks for them, `recorder` and `run` keep what came back, and `collect.publish` makes the snapshot.
"""
