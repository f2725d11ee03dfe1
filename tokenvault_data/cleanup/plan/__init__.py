"""The plan of a campaign: what is deleted, why, within which limits; sealed once, never changed.

`planning` makes it of a snapshot and a rule, `plan` is its content, `plan_file` its canonical form
on the disk, `checks` refuses one that cannot be true, and `guard_rails` one that goes too far.
"""
