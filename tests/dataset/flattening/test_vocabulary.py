import pytest

from tokenvault_data.dataset.flattening import vocabulary as words


@pytest.mark.parametrize(
    ("reader", "text", "canonical"),
    [
        (words.read_network, "VISA", "visa"),
        (words.read_network, "MASTER CARD", "mastercard"),
        (words.read_network, "Master_Card", "mastercard"),
        (words.read_network, "american express", "amex"),
        (words.read_network, "DINERSCLUB", "diners"),
        (words.read_network, "RuPay", "rupay"),
        (words.read_network, "bitcoin", None),
        (words.read_card_type, "DEBIT_CARD", "debit"),
        (words.read_card_type, "debit", "debit"),
        (words.read_card_type, "prepaid card", "prepaid"),
        (words.read_card_type, "card", None),
        (words.read_sub_type, "R", "retail"),
        (words.read_sub_type, "p", "premium"),
        (words.read_sub_type, "Corporate", "corporate"),
        (words.read_sub_type, "Z", None),
        (words.read_status, "active", "ACTIVE"),
        (words.read_status, " FAILED ", "FAILED"),
        (words.read_status, "BLOCKED", None),
        (words.read_instrument_type, "CARD", "card"),
        (words.read_instrument_type, "upi", None),
        (words.read_country, "in", "IN"),
        (words.read_country, "India", "IN"),
        (words.read_country, "ZZ", None),
        (words.read_bank, "  HDFC \t BANK\n", "HDFC BANK"),
        (words.read_bank, " ", None),
        (words.read_month, "5", 5),
        (words.read_month, "05", 5),
        (words.read_month, "12", 12),
        (words.read_month, "0", None),
        (words.read_month, "13", None),
        (words.read_month, "005", None),
        (words.read_month, "٣", None),
        (words.read_month, "-1", None),
        (words.read_year, "23", 2023),
        (words.read_year, "00", 2000),
        (words.read_year, "2028", 2028),
        (words.read_year, "1999", None),
        (words.read_year, "2100", None),
        (words.read_year, "202", None),
        (words.read_year, "3", None),
    ],
)
def test_spellings(reader, text, canonical):
    """Every documented spelling has one canonical value; anything else has none."""
    assert reader(text) == canonical


def test_canonical_values_are_read_as_themselves():
    """Canonicalising twice changes nothing."""
    readers = {
        "instrument_type": words.read_instrument_type,
        "instrument_status": words.read_status,
        "card_network": words.read_network,
        "card_type": words.read_card_type,
        "card_sub_type": words.read_sub_type,
    }
    assert set(readers) == set(words.CLOSED)
    for name, values in words.CLOSED.items():
        assert [readers[name](value) for value in values] == list(values)


def test_all_countries_are_there():
    """ISO 3166-1 assigns 249 two-letter codes."""
    assert len(words.COUNTRIES) == 249
