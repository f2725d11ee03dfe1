"""How quickly requests leave: the account's limit, our share of it, and what refusals teach.

`pacer` hands out the slots; `governor` steers it by the `headers` of answers, and by `blind_search`
where no answer tells a limit; `account_shares` divides the share between processes.
"""
