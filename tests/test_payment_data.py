"""Card numbers are found by what they are, secrets by what they are called, and little else is."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.payment_data import (
    REMOVED,
    Removal,
    hide_card_numbers,
    is_secret_name,
    without_payment_data,
)
from tokenvault_data.vault_json import read_tree

# From the test ranges that the networks and their processors publish.
NUMBERS = [
    "4111111111111111",
    "4012888888881881",
    "4222222222222",
    "5555555555554444",
    "5105105105105100",
    "2223003122003222",
    "2720992593319364",
    "378282246310005",
    "371449635398431",
    "30569309025904",
    "38520000023237",
    "6011111111111117",
    "6011000990139424",
    "3530111333300000",
    "3566002020360505",
    "6200000000000005",
    "6759649826438453",
    "5019717010103742",
    "6304000000000000",
    "6362970000457013",
    "8171999927660000",
    "9792000000000003",
]
IN_GROUPS = st.sampled_from(
    [(4, 4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (8, 8), (6, 7), (2,) * 10, (1,) * 19]
)


def grouped(number, sizes, gap):
    groups, at = [], 0
    for size in sizes:
        groups.append(number[at : at + size])
        at += size
    return gap.join(filter(None, [*groups, number[at:]]))


def luhn(digits):
    """The check of ISO/IEC 7812-1, annex B, written down once more."""
    total = 0
    for place, sign in enumerate(reversed(digits)):
        value = int(sign) * (1 + place % 2)
        total += value // 10 + value % 10
    return total % 10 == 0


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_all_networks_are_found(number):
    """Bare, in a sentence, beside letters, in the track of a stripe; the rest of the text stays."""
    assert luhn(number)
    for before, after in (
        ("", ""),
        ("paid by ", ", thanks"),
        ("x", "y"),
        ("%B", "^A/B^2912"),
        ("12 ", ""),
    ):
        assert hide_card_numbers(f"{before}{number}{after}") == f"{before}{REMOVED}{after}"


@given(
    st.sampled_from(NUMBERS),
    IN_GROUPS,
    st.sampled_from([" ", "-", "\u00a0", ".", " - ", "\u2013", "_"]),
)
def test_numbers_in_groups_are_found(number, sizes, gap):
    """However they are grouped, in groups of up to eight digits."""
    written = grouped(number, sizes, gap)
    if max(map(len, written.split(gap))) <= 8:
        assert hide_card_numbers(f"card {written}!") == f"card {REMOVED}!"


def test_digits_of_other_scripts_are_digits():
    """A number in full-width or Devanagari digits is a number."""
    for zero in (0xFF10, 0x0966):
        written = "".join(chr(zero + int(digit)) for digit in NUMBERS[0])
        assert hide_card_numbers(written) == REMOVED


@given(st.integers(10**12, 10**19 - 1).map(str))
def test_a_number_that_fails_the_check_is_left(number):
    """Most long numbers are something else."""
    if not luhn(number):
        assert hide_card_numbers(number) == number


@pytest.mark.parametrize(
    "text",
    [
        "+91 98765 43210",
        "919876543210",
        "0091-9876543210",
        "+919876543210",
        "9876543210 6123456789",
        "2021-11-11 16:57:57",
        "2023-11-01T04:55:07.000+00:00",
        "54deabb4-ba45-4a60-9e6a-9c016fe7ab10",
        "1700000000123",
        "740324562",
        "0000000000000000",
        "1111111111111117",
        "",
        "HDFC Bank Limited",
        "V0010013019326186011412650170",
        "12/29",
        "cvv",
        "cvv 12",
        "no cvv here: 20231",
        "recvv 123",
    ],
)
def test_what_is_no_card_number_is_left(text):
    """Phone numbers, times, ids, payment references."""
    assert hide_card_numbers(text) == text


def test_phone_numbers_are_left_by_the_thousand():
    """One in ten passes the check digit; all are too short, with whatever is before them."""
    numbers = random.Random(7)
    for _ in range(3000):
        phone = f"{numbers.randrange(6 * 10**9, 10**10)}"
        for written in (
            phone,
            f"+91{phone}",
            f"+91 {phone[:5]} {phone[5:]}",
            f"91-{phone}",
            f"0{phone}",
        ):
            assert hide_card_numbers(written) == written


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cvv 123", "cvv [removed]"),
        ("CVV2: 1234.", "CVV2: [removed]."),
        ('{"cvc":"987"}', '{"cvc":"[removed]"}'),
        ("the security code is 123", "the security code is [removed]"),
    ],
)
def test_a_security_code_that_a_text_names_is_found(text, shown):
    """Three digits alone say nothing; beside their name they do."""
    assert hide_card_numbers(text) == shown


@pytest.mark.parametrize(
    "name",
    [
        "cvv",
        "CVC",
        "cvv2",
        "card_cvv",
        "cardCvc2",
        "security_code",
        "Security Code",
        "cvn",
        "csc",
        "cav2",
        "cryptogram",
        "token_cryptogram",
        "TAVV",
        "cavv",
        "card_number",
        "cardNumber",
        "pan",
        "dpan",
        "token_number",
        "network_token",
        "token_requestor_id",
        "pin",
        "pin_block",
        "track2",
        "trackData",
        "x-client-secret",
    ],
)
def test_names_of_secrets(name):
    """In any case, with any or no separator."""
    assert is_secret_name(name)
    found = Removal()
    assert found.value({"a": [{name: 123, "b": 1}]}, 9) == {"a": [{name: REMOVED, "b": 1}]}
    assert found.found


@pytest.mark.parametrize(
    "name",
    [
        "company",
        "pincode",
        "shipping",
        "panel",
        "card_token_details",
        "instrument_id",
        "cid",
        "card_type",
        "expiry_month",
        "tokenised",
        "spin",
        "expansion",
        "bank",
        "code",
    ],
)
def test_names_of_other_things(name):
    """What merely holds the letters is kept."""
    assert not is_secret_name(name)


@pytest.mark.parametrize("value", [None, True, False])
def test_a_field_that_says_whether_is_no_secret(value):
    """`cvv_required` is a setting."""
    found = Removal()
    assert found.value({"cvv": value}, 9) == {"cvv": value}
    assert not found.found


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"4111111111111111", False),
        (b"4111111111111111.0", False),
        (b"4.111111111111111e15", False),
        (b"41111111111111110E-1", False),
        (b"4111111111111111.5", True),
        (b"4111111111111112", True),
        (b"1e999999999", True),
        (b"12.5", True),
        (b"1234567890123456789012345", True),
    ],
)
def test_numbers_of_json_are_looked_at(written, kept):
    """As integers and as what floating point makes of them, without writing out huge ones."""
    found = Removal().value(read_tree(b"[%s]" % written), 9)
    assert found == ([written.decode()] if kept else [REMOVED])


def test_what_nobody_has_looked_at_is_not_shown():
    """Below a hundred levels there is nothing any more."""
    deep = json.loads("[" * 120 + f'"{NUMBERS[0]}"' + "]" * 120)
    assert NUMBERS[0] not in json.dumps(without_payment_data(deep))


def test_keys_are_looked_at_and_none_is_lost():
    """A key that is a card number goes, and what stood under it stays."""
    assert without_payment_data({NUMBERS[0]: 1, NUMBERS[1]: 2}) == {REMOVED: 1, f"{REMOVED} #1": 2}


@pytest.mark.parametrize(
    "number",
    ["1e9999999999999999999", "0e-300000000", "-4e-99", "4.1e+99", "1e", f"4{'0' * 5000}.5"],
)
def test_no_number_is_too_much(number):
    """Powers of ten that no machine can write out are no card numbers, and no error."""
    kept = without_payment_data(read_tree(f'{{"x": {number}}}'.encode())) if number != "1e" else 0
    assert kept == 0 or REMOVED not in str(kept)


def test_hostile_texts_and_keys_take_time_in_proportion_to_their_length():
    """Half a million short groups are gone at once, and so are thousands of keys."""
    row = "4-" * 500_000
    assert hide_card_numbers(f"see {row}x") == f"see {REMOVED}-x"
    numbers = (f"4{place:014d}{check}" for place in range(4_000) for check in range(10))
    keys = {number: 1 for number in numbers if luhn(number)}
    kept = without_payment_data(keys)
    assert len(kept) == len(keys) == 4_000
    assert not any(number in name for name in kept for number in list(keys)[:5])


def test_signs_that_cannot_be_seen_hide_no_card_number():
    """Zero-width signs between the digits are gaps like any other."""
    for sign in "\u200b\u200d\u2060\ufeff":
        assert REMOVED in hide_card_numbers(sign.join(NUMBERS[0]))
        assert REMOVED in hide_card_numbers(grouped(NUMBERS[0], (4, 4, 4), sign))
