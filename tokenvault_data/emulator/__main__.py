"""``python -m tokenvault_data.emulator``: the emulator in a process of its own.

The first line on standard output is the base URL. It ends on SIGINT or SIGTERM, and with
``--until-stdin-closes`` also when whoever started it is gone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tokenvault_data.emulator.settings import (
    LIMIT_HEADER_DIALECTS,
    AfterDelete,
    EmulatorSettings,
    Paging,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """Describe the options: one a setting; what is not given keeps its default."""
    options = argparse.ArgumentParser(
        prog="python -m tokenvault_data.emulator",
        description="A stand-in for the vault on loopback.",
        argument_default=argparse.SUPPRESS,
    )
    options.add_argument("--customers", type=int, metavar="N")
    options.add_argument("--seed", type=int, metavar="N")
    options.add_argument("--as-of", type=date.fromisoformat, metavar="YYYY-MM-DD")
    options.add_argument("--aged", dest="aged_months", type=int, metavar="MONTHS")
    options.add_argument("--ledger", type=Path, metavar="FILE")
    options.add_argument("--rate-limit", dest="rate_limit_per_minute", type=int, metavar="N")
    options.add_argument("--window", choices=get_args(Window))
    options.add_argument("--window-seconds", type=float, metavar="X")
    options.add_argument("--burst", type=int, metavar="N")
    options.add_argument("--rejected-count", action="store_true")
    options.add_argument(
        "--limit-headers",
        dest="limit_header_dialects",
        type=lambda text: frozenset(text.split(",")) - {""},
        metavar=",".join(sorted(LIMIT_HEADER_DIALECTS)),
    )
    options.add_argument("--latency", dest="latency_ms", type=float, metavar="X")
    options.add_argument("--latency-jitter", dest="latency_jitter_ms", type=float, metavar="X")
    options.add_argument("--page-size", type=int, metavar="N")
    options.add_argument("--paging", choices=get_args(Paging))
    options.add_argument("--after-delete", choices=get_args(AfterDelete))
    options.add_argument("--faults", metavar="SPEC")
    options.add_argument("--record", type=Path, metavar="FILE")
    options.add_argument("--wire-log-entries", type=int, metavar="N")
    options.add_argument("--demand-client-id", metavar="ID")
    options.add_argument("--host")
    options.add_argument("--port", type=int, metavar="N")
    options.add_argument("--until-stdin-closes", action="store_true", default=False)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 2 for options that cannot be used."""
    options = parser()
    given = vars(options.parse_args(arguments))
    until_stdin_closes = given.pop("until_stdin_closes")
    # A secret on a command line is there for everyone on the machine to read.
    given["demand_client_secret"] = os.environ.get("EMULATOR_DEMAND_CLIENT_SECRET") or None
    try:
        settings = EmulatorSettings(**given)
        from tokenvault_data.emulator.server import serve

        if until_stdin_closes:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        serve(settings, ready=_announce)
    except (ValueError, OSError) as problem:
        print(f"emulator: {problem}", file=sys.stderr)  # noqa: T201  (a command's message)
        return 2
    return 0


def _announce(base_url: str) -> None:
    print(base_url, flush=True)  # noqa: T201  (the promised first line)


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
