"""A process that has loaded the toolkit and becomes a command whenever one is ordered.

Most of a command's time is loading; a fork of what is loaded already starts in an instant. What is
ordered comes through a socket, with the three streams of the command and one for answers beside it.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Any, Literal

LOADED = (
    "tokenvault_data.cli.main",
    "tokenvault_data.cleanup.audit.audit",
    "tokenvault_data.cleanup.campaign.campaign",
    "tokenvault_data.cleanup.report.page",
    "tokenvault_data.cleanup.plan.planning",
    "tokenvault_data.cleanup.plan.simulation",
    "tokenvault_data.cleanup.campaign.verification",
    "tokenvault_data.reports.export",
    "tokenvault_data.client.blocking",
    "duckdb",
    "jinja2",
    "pandas",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.parquet",
)


def serve(orders: socket.socket) -> None:
    """Fork for every order; returns in the child, never in the process that forks."""
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # see tests/conftest.py
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    while True:
        content, streams, _, _ = socket.recv_fds(orders, 1 << 20, 4)
        if not content:
            os._exit(0)
        order = json.loads(content)
        # Of each order alone, so that nobody reads what another has not waited for.
        answers = socket.socket(fileno=streams.pop())
        child = os.fork()
        if child == 0:
            answers.close()
            _become(order, streams)
            orders.close()
            return
        for stream in streams:
            os.close(stream)
        with answers, suppress(OSError):
            answers.sendall(f"{child}\n".encode())
            _, status = os.waitpid(child, 0)
            answers.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(order: dict[str, object], streams: list[int]) -> None:
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(str(order["cwd"]))
    os.environ.clear()
    os.environ.update(order["env"])  # type: ignore[call-overload]
    sys.argv = ["-c", *order["arguments"]]  # type: ignore[misc]
    sys.stdin = _stream(0, "rb")
    sys.stdout = _stream(1, "wb", line_buffering=os.isatty(1))
    sys.stderr = _stream(2, "wb", line_buffering=True, errors="backslashreplace")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def _stream(descriptor: int, mode: Literal["rb", "wb"], **how: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(open(descriptor, mode, closefd=False), encoding="utf-8", **how)


def _end_as_a_process_does() -> None:
    """Run the command and leave; taking all that is loaded to pieces would take half a second."""
    from tokenvault_data.cli.main import run

    code: object = 0
    try:
        run()
    except SystemExit as ended:
        code = ended.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    serve(socket.socket(fileno=int(sys.argv[1])))
    _end_as_a_process_does()
