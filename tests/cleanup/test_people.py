"""Names of people: as files are called by them, and whether two are one."""

import pytest

from tokenvault_data.cleanup.people import clean_name, same_person
from tokenvault_data.errors import UsageError


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Asha Rao", "asha rao"),
        ("Asha Rao", "  ASHA   RAO\t"),
        ("Zoe\u0308", "ZO\u00cb"),
        ("Strasse", "Straße"),
        ("Asha", "\uff21sha"),
    ],
)
def test_one_person_by_two_spellings(one, other):
    """Capitals, spaces and encodings do not make a second person of the planner."""
    assert same_person(one, other)
    assert same_person(other, one)


@pytest.mark.parametrize(("one", "other"), [("Asha", "Asha R"), ("Asha", "Bala"), ("", "Asha")])
def test_two_people(one, other):
    """Other letters are another name."""
    assert not same_person(one, other)


def test_names_are_cleaned():
    """Spaces are single and letters composed, so that a name has one file."""
    assert clean_name(" Zoe\u0308  O'Hara-Rao ") == "Zo\u00eb O'Hara-Rao"
    with pytest.raises(UsageError):
        clean_name("semi;colon")
