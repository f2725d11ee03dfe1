"""`tokenvault doctor`: whether this machine and this profile are ready to collect."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Literal, NamedTuple

from tokenvault_data.cli import exit_codes, options
from tokenvault_data.cli.printing.output import print_json, print_line, print_paragraph
from tokenvault_data.errors import ProfileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tokenvault_data.client.probe import Probe
    from tokenvault_data.config.loading import Profile

PACKAGES = ("httpx", "pyreqwest", "pandas", "pyarrow", "ipywidgets", "jupyterlab")
LEAST_FREE_BYTES = 2 * 1024**3  # ten million cards are about a gigabyte, and parts come before them
CLOCK_TOLERANCE_SECONDS = 30.0
_MARKS = {"ok": "ok", "warning": "WARNING", "problem": "PROBLEM"}


class DoctorFinding(NamedTuple):
    """One thing looked at; `detail` says what was found and, unless it is fine, what to do."""

    check: str
    state: Literal["ok", "warning", "problem"]
    detail: str


def doctor(
    profile: options.Profile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Check machine, credentials, host, clock and rate limit.

    Sends one request, for the cards of a customer that does not exist. Exit code 1 when there is a
    problem.
    """
    findings = []
    for finding in _look(profile, store):
        findings.append(finding)
        if not as_json:
            mark = f"{_MARKS[finding.state]:<8}{finding.check:<12}"
            print_paragraph(finding.detail, first=mark, indent=" " * len(mark))
    problems = sum(finding.state == "problem" for finding in findings)
    if as_json:
        content = [finding._asdict() for finding in findings]
        print_json({"ready": not problems, "findings": content})
    elif problems:
        print_line(f"Not ready to collect: {problems} problem{'s' if problems > 1 else ''}.")
    else:
        print_line("Ready to collect.")
    return exit_codes.FAILED if problems else exit_codes.DONE


def _look(profile: str | None, store: Path) -> Iterator[DoctorFinding]:
    yield from _machine()
    yield _disk(store)
    yield from _vault(profile)


def _machine() -> Iterator[DoctorFinding]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from tokenvault_data import __version__
    from tokenvault_data.redaction import customer_hash_key_status

    yield DoctorFinding("python", "ok", f"{platform.python_version()} at {sys.executable}")
    found = [f"tokenvault-data {__version__}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    yield DoctorFinding("versions", "ok", ", ".join(found))
    yield _engine()
    is_kept, where = customer_hash_key_status()
    yield DoctorFinding("masked ids", "ok" if is_kept else "warning", where)


def _engine() -> DoctorFinding:
    from tokenvault_data.client.engines import why_not_pyreqwest

    reason = why_not_pyreqwest()
    if reason is None:
        return DoctorFinding("engine", "ok", "pyreqwest carries the requests")
    return DoctorFinding(
        "engine",
        "warning",
        f"httpx carries the requests, since pyreqwest cannot be imported ({reason}); it takes more"
        " than 20 times the processor time. To install this toolkit again brings the one that fits",
    )


def _disk(store: Path) -> DoctorFinding:
    import shutil

    try:
        place = next(folder for folder in (store, *store.absolute().parents) if folder.exists())
        free = shutil.disk_usage(place).free
    except OSError as error:
        return DoctorFinding("disk", "problem", f"{store} cannot be looked at ({error.strerror})")
    if not os.access(place, os.W_OK | os.X_OK):
        return DoctorFinding(
            "disk", "problem", f"{place} cannot be written to; choose another --store"
        )
    detail = f"{free / 1024**3:,.1f} GiB free for {store}"
    if free < LEAST_FREE_BYTES:
        return DoctorFinding("disk", "warning", f"{detail}; a large collection may not fit")
    return DoctorFinding("disk", "ok", detail)


def _vault(name: str | None) -> Iterator[DoctorFinding]:
    from tokenvault_data.config.loading import load_profile

    try:
        profile = load_profile(name)
    except ProfileError as error:
        yield DoctorFinding("profile", "problem", str(error))
        return
    yield DoctorFinding(
        "profile",
        "ok",
        f"{profile.name}: {profile.environment}, API version {profile.api_version},"
        f" credentials {profile.masked_account}",
    )
    yield from _answer(profile)


def _answer(profile: Profile) -> Iterator[DoctorFinding]:
    import anyio
    import httpx

    from tokenvault_data.client.engines import check_network
    from tokenvault_data.client.probe import probe

    try:
        check_network(profile.network)
        yield _network(profile)
        result = anyio.run(probe, profile)
    except UsageError as error:
        yield DoctorFinding("network", "problem", str(error))
        return
    except httpx.TransportError as error:
        notes = " ".join(getattr(error, "__notes__", ()))
        yield DoctorFinding("host", "problem", f"{_trouble(profile, error)} {notes}".rstrip())
        return
    yield DoctorFinding(
        "host", "ok", f"{profile.base_url} answered in {result.seconds * 1000:,.0f} ms"
    )
    yield _access(result)
    yield _clock(result)
    yield _limit(result)


def _network(profile: Profile) -> DoctorFinding:
    network = profile.network
    on_this_machine = profile.base_url.startswith("http:")
    if network.proxy_place is None:
        way = "no proxy"
    elif on_this_machine:
        way = f"proxy {network.proxy_place}, not used for {profile.base_url}"
    else:
        way = f"through the proxy {network.proxy_place}"
    trusted = "the system's certificate authorities"
    if network.ca_file is not None:
        trusted += f" and {network.ca_file}"
    return DoctorFinding("network", "ok", f"{way}; {trusted}")


def _trouble(profile: Profile, error: httpx.TransportError) -> str:
    from tokenvault_data.client.tls_trouble import explained
    from tokenvault_data.client.transport import CertificateError

    if isinstance(error, CertificateError):
        return f"{profile.base_url} could not prove who it is: {explained(str(error))}."
    hint = "start it with `tokenvault emulator`" if profile.environment == "emulator" else (
        "check the network, and whether a proxy stands in between"
    )  # fmt: skip
    return f"{profile.base_url} gives no answer ({error}); {hint}."


def _access(result: Probe) -> DoctorFinding:
    if result.status in (200, 404):
        return DoctorFinding("access", "ok", "credentials accepted, token vault enabled")
    hints = {
        401: "the credentials are wrong for this environment",
        403: "the token vault is not enabled for this account",
        429: "the account's rate limit is spent just now; try again in a minute",
    }
    hint = hints.get(result.status, "try again later; if it stays, ask the vault's support")
    return DoctorFinding("access", "problem", f"the vault answered {result.status}: {hint}")


def _clock(result: Probe) -> DoctorFinding:
    ahead = result.clock_ahead_seconds
    if ahead is None:
        return DoctorFinding("clock", "ok", "the vault tells no time to compare with")
    detail = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the vault's"
    if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        return DoctorFinding("clock", "warning", f"{detail}; set this machine's clock")
    return DoctorFinding("clock", "ok", detail)


def _limit(result: Probe) -> DoctorFinding:
    from tokenvault_data.client.pacing.headers import read_limits

    reading = read_limits(result.headers)
    if reading.limit_per_minute is None:
        detail = "the vault names no limit; it is learned from refusals, or set with --rate"
        return DoctorFinding("rate limit", "ok", detail)
    duration = _duration(100_000 / (reading.limit_per_minute / 2))
    left = "" if reading.remaining is None else f", {reading.remaining:,} left just now"
    return DoctorFinding(
        "rate limit",
        "ok",
        f"{reading.limit_per_minute:,} a minute{left};"
        f" 100,000 customers take {duration} at half of it",
    )


def _duration(minutes: float) -> str:
    return f"{minutes:,.0f} minutes" if minutes < 90 else f"{minutes / 60:,.1f} hours"
