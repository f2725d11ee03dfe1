"""The journal of one campaign: what happened, in order, on the disk before anything is sent.

Records are linked by a chain of digests; `state` is what they add up to, along the tables of
`states`; when it is over, the audit's seal closes it.
"""
