"""The emulator in a process of its own, so that client and server do not share an interpreter."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tokenvault_data.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTION_NAMES = {
    "aged_months": "aged",
    "rate_limit_per_minute": "rate-limit",
    "limit_header_dialects": "limit-headers",
    "latency_ms": "latency",
    "latency_jitter_ms": "latency-jitter",
}


@contextmanager
def emulator_process(settings: EmulatorSettings) -> Iterator[str]:
    """Start an emulator in a child process, give its base URL, and end it afterwards.

    The child ends by itself when this process dies, however it dies.

    Raises
    ------
    RuntimeError
        The child ended before it was ready; the message holds what it said.
    """
    command = [sys.executable, "-m", "tokenvault_data.emulator", "--until-stdin-closes"]
    environment = {
        **os.environ,
        "EMULATOR_DEMAND_CLIENT_SECRET": settings.demand_client_secret or "",
    }
    with subprocess.Popen(  # noqa: S603  (fixed program, no shell)
        command + _options(settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        base_url = child.stdout.readline().strip() if child.stdout else ""
        if not base_url:
            _, said = child.communicate()
            raise RuntimeError(f"the emulator did not start: {said.strip()}")
        try:
            yield base_url
        finally:
            child.communicate()  # closes its standard input, which ends it


def _options(settings: EmulatorSettings) -> list[str]:
    options: list[str] = []
    for field in dataclasses.fields(EmulatorSettings):
        value = getattr(settings, field.name)
        if value == field.default or field.name == "demand_client_secret":
            continue
        name = _OPTION_NAMES.get(field.name, field.name.replace("_", "-"))
        if value is True:
            options.append(f"--{name}")
        elif isinstance(value, frozenset):
            options.append(f"--{name}={','.join(sorted(value))}")
        else:
            options.append(f"--{name}={value}")
    return options
