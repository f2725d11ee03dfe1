"""Which cards a rule selects, which are left out and why, and what it would come to.

`rules` says what is meant, `sql` finds it in a snapshot, `holds` and `exclusions` keep cards out,
and `drift` tells whether a card is still what it was when it was selected.
"""
