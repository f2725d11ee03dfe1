"""The offline proof of a campaign, by a reader of its own: plan, approvals, journal, ledger, seal.

It imports neither `campaign` nor `engine`, so that one fault cannot be in both. `audit` begins it,
`replay` follows the records. Two write: `seal` closes a journal that is over, `countersign` vouches
for it.
"""
