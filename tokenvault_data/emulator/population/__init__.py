"""The made-up customers and cards, from a seed: births, ageing, the ledger of it."""
