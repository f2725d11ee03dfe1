"""Running the emulator: in a thread beside a test, or as a command until a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from tokenvault_data.emulator.app import ConnectionProtocol, EmulatorApp
from tokenvault_data.emulator.population.ageing import write_ledger
from tokenvault_data.emulator.routing import PREFIX
from tokenvault_data.emulator.settings import EmulatorSettings, refuse_other_than_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType, TracebackType
    from typing import Self

    from tokenvault_data.emulator.population.population import Population
    from tokenvault_data.emulator.wire_log import WireLog

_BACKLOG = 4096
_START_SECONDS = 20.0


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is ready and ends on a signal without dying of it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # An emulator has nothing to lose: whoever still waits for an answer is cut off, and no
        # hanging request holds up the end.
        self.force_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Ask the server to exit on SIGINT and SIGTERM; afterwards go on as if nothing came."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask_to_exit(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        before = {
            number: signal.signal(number, ask_to_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Emulator:
    """A running emulator, in a thread with an event loop of its own.

    Parameters
    ----------
    settings
        None for the defaults: 5,000 customers, no limit, a free port.

    Examples
    --------
    >>> with Emulator(EmulatorSettings(customers=10)) as emulator:
    ...     emulator.base_url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, settings: EmulatorSettings | None = None) -> None:
        self.settings = settings or EmulatorSettings()
        self._app = EmulatorApp(self.settings)
        self._thread: threading.Thread | None = None
        self._server: _Server | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """Where the four operations live, such as ``http://127.0.0.1:43210/pg``.

        Raises
        ------
        RuntimeError
            The emulator was not started.
        """
        if not self._base_url:
            raise RuntimeError("the emulator has no address before it is started; use it in `with`")
        return self._base_url

    @property
    def wire_log(self) -> WireLog:
        """Every request as the server saw it, and what it did."""
        return self._app.wire_log

    @property
    def population(self) -> Population:
        """The truth the answers come from."""
        return self._app.population

    def set_faults(self, specification: str) -> None:
        """Replace the faults from the next request on, whose number is then 1.

        Raises
        ------
        ValueError
            The specification cannot be read; the faults stay as they were.
        """
        self._app.set_faults(specification)

    def set_credentials(self, client_id: str | None, client_secret: str | None) -> None:
        """Demand these credentials from the next request on; None takes any. Revokes others."""
        self._app.service.set_credentials(client_id, client_secret)

    def start(self) -> None:
        """Bind, serve in a thread, and return once requests are answered.

        Raises
        ------
        OSError
            The port is taken, or the ledger cannot be written.
        RuntimeError
            It was started already, or did not come up.
        """
        if self._thread is not None:
            raise RuntimeError("this emulator was started already; make another one")
        try:
            listener = _prepare(self._app, self.settings)
        except OSError:
            self.wire_log.close()
            raise
        is_ready = threading.Event()
        self._server = _server(self._app, is_ready.set)
        self._base_url = _base_url(listener)
        self._thread = threading.Thread(
            target=_run, args=(self._server, listener), name="tokenvault-emulator", daemon=True
        )
        self._thread.start()
        if not is_ready.wait(_START_SECONDS):
            raise RuntimeError(f"the emulator did not answer within {_START_SECONDS:.0f} s")

    def stop(self) -> None:
        """End all connections and the thread, and close the record."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self.wire_log.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def serve(settings: EmulatorSettings, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then return with the record flushed and closed.

    Parameters
    ----------
    settings
        See `EmulatorSettings`.
    ready
        Called once with the base URL when requests are answered.

    Raises
    ------
    OSError
        The port is taken, or the ledger cannot be written.
    """
    app = EmulatorApp(settings)
    try:
        listener = _prepare(app, settings)
        base_url = _base_url(listener)
        _run(_server(app, lambda: ready(base_url)), listener)
    finally:
        app.wire_log.close()


def _server(app: EmulatorApp, ready: Callable[[], None]) -> _Server:
    async def flush_record() -> None:
        app.wire_log.flush()

    config = uvicorn.Config(
        app,
        http=ConnectionProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        timeout_keep_alive=75,
        callback_notify=flush_record,
        timeout_notify=1,
    )
    return _Server(config, ready)


def _run(server: _Server, listener: socket.socket) -> None:
    with listener, asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(server.serve(sockets=[listener]))


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # uvloop does not exist on Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _prepare(app: EmulatorApp, settings: EmulatorSettings) -> socket.socket:
    """Bind, and write the ledger before anybody is told the address."""
    listener = _bind(settings)
    if settings.ledger is not None:
        try:
            write_ledger(settings.ledger, app.population.net_events())
        except BaseException:
            listener.close()
            raise
    return listener


def _bind(settings: EmulatorSettings) -> socket.socket:
    refuse_other_than_loopback(settings.host)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as problem:
        listener.close()
        raise OSError(
            problem.errno,
            f"the emulator was not started: port {settings.port} on {settings.host} cannot be "
            f"used ({problem.strerror}); choose another --port, or 0 for a free one",
        ) from problem
    listener.setblocking(False)
    return listener


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PREFIX}"
