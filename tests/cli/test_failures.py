"""Errors as sentences and exit codes."""

import json

import pytest

from tokenvault_data import errors
from tokenvault_data.cli.failures import failure_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.TokenVaultError("x"), 1),
        (errors.AccessDenied("x"), 1),
        (errors.SnapshotError("x"), 1),
        (errors.CollectionError("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.CustomerListError("x"), 2),
        (errors.IdentifierError("x"), 2),
        (errors.ProfileError("x"), 2),
        (errors.RefusedByGuardRail("x"), 4),
        (errors.Locked("x"), 75),
        (errors.CollectionInterrupted("x"), 130),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device"), 1),
        (ValueError("a mistake"), 1),
    ],
)
def test_every_error_has_its_contracted_code(error, code):
    """Scripts can tell from the exit code alone what kind of failure it was."""
    assert failure_of(error).exit_code == code


def test_a_mistake_shows_places_and_no_data():
    """Neither the text of an unexpected error nor a variable is reported, but where it happened."""

    def stumble(customer_id):
        raise KeyError(customer_id)

    with pytest.raises(KeyError) as caught:
        stumble("cust_4711")
    reported = json.dumps(failure_of(caught.value).document())
    assert "cust_4711" not in reported
    assert "KeyError at test_failures.py" in reported
    assert "in stumble" in reported


def test_notes_are_kept():
    """What was added to an error on its way up is reported with it."""
    error = errors.NotSent("no connection")
    error.add_note("3 of 5 customers are kept")
    assert failure_of(error).notes == ("3 of 5 customers are kept",)


def test_a_file_is_named():
    """An operating system's error says which file it is about."""
    failure = failure_of(PermissionError(13, "Permission denied", "cards.csv"))
    assert failure.message == "Permission denied: cards.csv"
