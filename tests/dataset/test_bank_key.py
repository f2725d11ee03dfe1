"""Writing habits are taken from a bank's name, and nothing that could tell two banks apart."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.dataset.bank_key import bank_key

NAMES = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            ["the", "Bank", "of", "India", "LTD", "Limited", "N.A.", "plc", "(BOI)", "(UK)", "&"]
        )
        | st.sampled_from(
            ["[", ")", ".", "J.P.", "N A", "Corp.", "ß", "\u0130", "\u017f", "\u200d", "भारतीय"]
        ),
        max_size=8,
    ).map(" ".join),
)


@pytest.mark.parametrize(
    ("spelling", "key"),
    [
        ("HDFC BANK LTD.", "hdfc bank"),
        ("  Hdfc \t bank\u00a0Limited ", "hdfc bank"),
        ("H.D.F.C. Bank", "hdfc bank"),
        ("\uff28\uff24\uff26\uff23\u3000BANK", "hdfc bank"),
        ("HD\u200bFC BANK", "hdfc bank"),
        ("The Federal Bank Limited", "federal bank"),
        ("Jammu & Kashmir Bank", "jammu and kashmir bank"),
        ("Jammu&Kashmir Bank", "jammu and kashmir bank"),
        ("Yes-Bank", "yes bank"),
        ("J.P.Morgan Chase Bank, N.A.", "jpmorgan chase bank"),
        ("CHASE BANK USA N A", "chase bank usa"),
        ("STATE BANK OF INDIA (SBI)", "state bank of india"),
        ("STATE BANK OF INDIA [S.B.I.] LTD", "state bank of india"),
        ("(SBI) State Bank of India", "state bank of india"),
        ("Bank of Baroda (BoB)", "bank of baroda"),
        ("Hongkong & Shanghai Banking Corporation Limited (HSBC)", "hongkong and shanghai banking"),
        ("Standard Chartered Bank (HK) Ltd", "standard chartered bank hk"),
        ("Bank of Baroda (UK)", "bank of baroda uk"),
        ("Corporation Bank", "corporation bank"),
        ("Bank of the Limited", "bank of the"),
        ("Limited", "limited"),
        ("The", "the"),
        ("The Limited", "limited"),
        ("भारतीय स्टेट बैंक", "भारतीय स्टेट बैंक"),
        ("###", ""),
        ("", ""),
    ],
)
def test_keys(spelling, key):
    """Capitals, punctuation, legal forms and the name's own initials do not count."""
    assert bank_key(spelling) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bank of India", "Indian Bank"),
        ("Bank of India", "Central Bank of India"),
        ("SBI", "SBI Card"),
        ("Union Bank of India", "United Bank of India"),
        ("Bank of Baroda", "Bank of Baroda (UK)"),
        ("DBS Bank Ltd", "DBS Bank India Limited"),
        ("HSBC Bank USA N.A.", "HSBC Bank plc"),
        ("बैंक का", "बैंक की"),
        ("Canara Bank", "Çanara Bank"),
        ("Bank 1", "Bank 2"),
    ],
)
def test_different_banks_have_different_keys(one, other):
    """A word, a country, a vowel sign or a digit more is another bank."""
    assert bank_key(one) != bank_key(other)


@settings(deadline=None)
@given(NAMES)
def test_a_key_is_its_own_key(spelling):
    """A second time nothing is left to take away, and the form is always the same."""
    key = bank_key(spelling)
    assert bank_key(key) == key
    assert key == " ".join(key.split())
    assert key.casefold() == key


@settings(deadline=None)
@given(NAMES)
def test_space_does_not_count(spelling):
    """Space around and between the words changes no key."""
    key = bank_key(spelling)
    assert bank_key(f"  {spelling} ") == key
    assert bank_key(spelling.replace(" ", " \t ")) == key


@pytest.mark.parametrize(
    "unit", ["the ", "ltd ", "()", "(a)", "a(", ")a", "a.", " n a", "(a) ", "İ", "& "]
)
def test_text_of_any_length_has_a_key_soon(unit):
    """A name made to be slow is not."""
    start = time.process_time()
    bank_key(unit * 20_000)
    for _ in range(3):
        bank_key.__wrapped__((unit * 300)[:300])
    assert time.process_time() - start < 2
