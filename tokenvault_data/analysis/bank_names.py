"""Names of banks, where callers of the analyses look for them; they live beside the dataset."""

from tokenvault_data.dataset.bank_names import BankNames, canonical_banks, load_bank_names

__all__ = ["BankNames", "canonical_banks", "load_bank_names"]
