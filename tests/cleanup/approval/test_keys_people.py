"""Names of people: as files are called by them, and whether two are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cleanup.approval.keys import clean_name, same_person
from tokenvault_data.errors import UsageError

CYRILLIC_ASHA = "\u0410\u0455\u04bb\u0430"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Asha Rao", "asha rao"),
        ("Asha Rao", "  ASHA   RAO\t"),
        ("Asha Rao", "asha.rao"),
        ("Asha Rao", "Asha-Rao."),
        ("Zoe\u0308", "ZO\u00cb"),
        ("Zoe", "Zo\u00eb"),
        ("Strasse", "Stra\u00dfe"),
        ("Asha", "\uff21sha"),
        ("Asha", "As\u200bha\u2060"),
        ("Asha", "Asha\u3164"),
    ],
)
def test_one_person_by_two_spellings(one, other):
    """Capitals, spaces, punctuation, accents and encodings do not make a second person."""
    assert same_person(one, other)
    assert same_person(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Asha", CYRILLIC_ASHA),
        ("Asha", "\u0410sha"),
        ("Nina", "\u039d\u0399\u039d\u0391"),
        ("Hema", "\u0397\u0395\u039c\u0391"),
        ("Bala", "BaIa"),
        ("Bala", "Ba1a"),
        ("Moor", "M00r"),
        ("Amit", "Arnit"),
        ("Gita", "G\u0131ta"),
    ],
)
def test_a_look_alike_is_no_other_person(one, other):
    """Cyrillic, Greek and odd Latin letters, digits for letters, and capital I for l."""
    assert same_person(one, other)
    assert same_person(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Asha", "Asha R"),
        ("Asha", "Bala"),
        ("", "Asha"),
        ("\u0906\u0936\u093e", "\u0906\u0936\u0940"),
        ("\u5c71\u7530", "\u5c71\u672c"),
        ("\u0411\u043e\u0440\u0438\u0441", "\u0413\u043b\u0435\u0431"),
    ],
)
def test_two_people(one, other):
    """Other letters are another name, in every script."""
    assert not same_person(one, other)
    assert not same_person(other, one)


@given(st.text())
def test_everybody_is_themselves(name):
    """Whatever a name is made of, it is one person with itself, in capitals as well."""
    assert same_person(name, name)
    assert same_person(name, f" {name}\u200b")


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        (" Zoe\u0308  O'Hara-Rao ", "Zo\u00eb O'Hara-Rao"),
        ("\uff21sha", "Asha"),
        ("asha.rao_2", "asha.rao_2"),
        ("\u0906\u0936\u093e", "\u0906\u0936\u093e"),
        ("\u5c71\u7530 \u3055\u304f\u3089 \u30a8\u30df\u30fc",) * 2,
    ],
)
def test_names_are_cleaned(given_name, name):
    """Spaces are single and letters composed, so that a name has one file."""
    assert clean_name(given_name) == name
    assert clean_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("semi;colon", "", " ", "a" * 65, "../x", "-x", "x-", None, 5),
        *("As\u200bha", "Asha\u202e", "Asha\ufe0f", "Asha\u3164", "As\u034fha", "A\nsha\x07"),
    ],
)
def test_a_name_that_is_none_is_refused(name):
    """Empty, too long, no name of a file, or with signs that do not show."""
    with pytest.raises(UsageError, match="choose another"):
        clean_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("\u0410sha", "As\u04bba", "Bal\u03b1", "Asha \u0420\u0430\u043e", "\u5c71\u7530 Asha"),
        *("\u0661sha", "\ud64d \u5c71"),
    ],
)
def test_a_name_is_of_one_script(name):
    """Letters that only look Latin do not get among Latin ones; nor do whole other words."""
    with pytest.raises(UsageError, match="one script"):
        clean_name(name)
