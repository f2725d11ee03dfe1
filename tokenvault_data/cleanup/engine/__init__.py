"""What happens to one card, and to all of them at once: ask, decide, write down, send, look again.

`decisions` are pure functions of what was seen; `responses` says what an answer of the vault means;
`card_worker` takes the steps, `sender` lets requests out, `engine` runs them all.
"""
