"""The plan of a campaign: what is deleted, why, within which limits; sealed once, never changed.

`planning` makes it of a snapshot and a rule, `content` is what it says and refuses what cannot be
true, `plan` is the class people meet, `plan_file` its canonical form on the disk, and `guard_rails`
refuses one that goes too far.
"""
