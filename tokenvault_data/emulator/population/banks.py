"""Which banks, networks and kinds of card the population is made of, and how often.

Weights are shares in no particular unit; they are invented, shaped after the Indian card market: a
few large banks, RuPay mostly on debit cards, American Express issuing for itself. The vault
hands a bank's name on as the card's issuer registered it, so one bank appears in several spellings.
"""

from __future__ import annotations

from typing import NamedTuple


class Bank(NamedTuple):
    """An issuer: its weight, the spellings of its name (commonest first), country and networks."""

    weight: int
    spellings: tuple[str, ...]
    country: str = "IN"
    networks: str = "india"


BANKS = (
    Bank(200, ("HDFC BANK", "HDFC Bank Limited", "HDFC BANK LTD", "HDFC Bank"), networks="diners"),
    Bank(150, ("STATE BANK OF INDIA", "SBI", "State Bank of India", "STATE BANK OF INDIA (SBI)")),
    Bank(140, ("ICICI BANK", "ICICI Bank Limited", "ICICI BANK LTD")),
    Bank(100, ("AXIS BANK", "Axis Bank Limited", "AXIS BANK LTD")),
    Bank(70, ("SBI CARDS AND PAYMENT SERVICES", "SBI Card", "SBI CARDS & PAYMENT SERVICES LTD")),
    Bank(60, ("KOTAK MAHINDRA BANK", "Kotak Mahindra Bank Limited", "KOTAK BANK")),
    Bank(40, ("PUNJAB NATIONAL BANK", "PNB", "Punjab National Bank")),
    Bank(35, ("BANK OF BARODA", "Bank Of Baroda", "BOB")),
    Bank(30, ("CANARA BANK", "Canara Bank")),
    Bank(25, ("UNION BANK OF INDIA", "Union Bank of India", "UBI")),
    Bank(20, ("INDUSIND BANK", "IndusInd Bank Limited", "INDUS IND BANK")),
    Bank(18, ("IDFC FIRST BANK", "IDFC First Bank Limited", "IDFC BANK")),
    Bank(16, ("YES BANK", "Yes Bank Limited", "YES BANK LTD.")),
    Bank(14, ("RBL BANK", "RBL Bank Limited", "RATNAKAR BANK")),
    Bank(12, ("THE FEDERAL BANK", "Federal Bank", "FEDERAL BANK LTD")),
    Bank(12, ("AU SMALL FINANCE BANK", "AU Small Finance Bank Limited")),
    Bank(10, ("INDIAN BANK", "Indian Bank")),
    Bank(9, ("BANK OF INDIA", "Bank Of India", "BOI")),
    Bank(
        8,
        ("AMERICAN EXPRESS BANKING CORP", "American Express", "AMEX BANKING CORP."),
        networks="amex",
    ),
    Bank(7, ("SOUTH INDIAN BANK", "South Indian Bank Ltd")),
    Bank(6, ("HSBC", "Hongkong & Shanghai Banking Corporation")),
    Bank(5, ("STANDARD CHARTERED BANK", "Standard Chartered")),
    Bank(5, ("PAYTM PAYMENTS BANK", "Paytm Payments Bank Limited"), networks="rupay"),
    Bank(4, ("CHASE BANK USA N.A.", "JPMORGAN CHASE BANK"), country="US", networks="abroad"),
    Bank(3, ("DBS BANK LTD", "DBS Bank"), country="SG", networks="abroad"),
    Bank(3, ("EMIRATES NBD BANK", "Emirates NBD"), country="AE", networks="abroad"),
    Bank(2, ("BARCLAYS BANK UK PLC", "Barclays"), country="GB", networks="abroad"),
)

NETWORK_WEIGHTS: dict[str, dict[str, int]] = {
    "india": {"visa": 48, "mastercard": 29, "rupay": 23},
    "diners": {"visa": 52, "mastercard": 28, "rupay": 12, "diners": 8},
    "amex": {"amex": 1},
    "rupay": {"rupay": 4, "visa": 1},
    "abroad": {"visa": 60, "mastercard": 40},
}

CARD_TYPE_WEIGHTS: dict[str, dict[str, int]] = {
    "visa": {"debit": 52, "credit": 44, "prepaid": 4},
    "mastercard": {"debit": 50, "credit": 46, "prepaid": 4},
    "rupay": {"debit": 84, "credit": 10, "prepaid": 6},
    "amex": {"credit": 98, "prepaid": 2},
    "diners": {"credit": 1},
}

CARD_SUB_TYPE_WEIGHTS: dict[str, dict[str, int]] = {
    "credit": {"R": 62, "P": 30, "C": 8},
    "debit": {"R": 90, "P": 8, "C": 2},
    "prepaid": {"R": 70, "C": 30},
}

# Customers by how many cards they have saved: many with none, most with one or two, a thin tail.
CARD_COUNT_WEIGHTS: dict[int, int] = {
    0: 220,
    1: 400,
    2: 210,
    3: 90,
    4: 40,
    5: 20,
    6: 10,
    7: 6,
    8: 4,
}
