"""The vault for plain code: the coroutines of `client`, run on a loop in a background thread.

One core serves scripts, notebooks whose kernel already runs a loop, and widget callbacks, which
have no fixed thread.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from tokenvault_data.client.client import AsyncVault
from tokenvault_data.client.transport import FORKED
from tokenvault_data.config.loading import Profile, load_profile
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tokenvault_data.client.calls import Cryptogram
    from tokenvault_data.client.pacing.pacer import Budget


T = TypeVar("T")


class Vault:
    """A client of one account's vault, for plain code.

    Use it as ``with tokenvault_data.connect(...) as vault``, or close it when done; one that is
    left open is closed at the end of the program. It may be used from several threads; all calls
    share the account's budget. Its own thread starts with the first call.

    Parameters
    ----------
    profile : Profile
        Environment, credentials and API version.
    **settings
        As for `AsyncVault`.

    Raises
    ------
    UsageError
        A setting is out of range; or, of any call, the vault was closed, or was opened before
        the process forked.
    """

    def __init__(self, profile: Profile, **settings: Any) -> None:
        self.profile = profile
        self._vault = AsyncVault(profile, **settings)
        self._process = os.getpid()
        self._changing = threading.Lock()
        self._is_closed = False
        self._portal: BlockingPortal | None = None
        self._end: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.profile.environment} {self.profile.api_version}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Abandon what is waiting, close every connection and end the background thread.

        The vault cannot be used again. Closing it twice, or in a process that was forked from the
        one that opened it, does no harm.
        """
        if self._process != os.getpid():
            return
        with self._changing:
            self._is_closed = True
            end = self._end
        if end is not None:
            end()

    @property
    def budget(self) -> Budget:
        """The account's rate limit as known now, and what is used of it."""
        return self.run(_budget)

    def list_instruments(self, customer_id: str) -> list[dict[str, Any]]:
        """List all saved cards of one customer; see `AsyncVault.list_instruments`."""
        return self.run(AsyncVault.list_instruments, customer_id)

    def fetch_instrument(self, customer_id: str, instrument_id: str) -> dict[str, Any]:
        """Fetch one saved card; see `AsyncVault.fetch_instrument`."""
        return self.run(AsyncVault.fetch_instrument, customer_id, instrument_id)

    def delete_instrument(self, customer_id: str, instrument_id: str) -> dict[str, Any]:
        """Delete one saved card; see `AsyncVault.delete_instrument`."""
        return self.run(AsyncVault.delete_instrument, customer_id, instrument_id)

    def fetch_cryptogram(self, customer_id: str, instrument_id: str) -> Cryptogram:
        """Fetch a one-time payment secret of one card; see `AsyncVault.fetch_cryptogram`."""
        return self.run(AsyncVault.fetch_cryptogram, customer_id, instrument_id)

    def run(
        self,
        function: Callable[..., Awaitable[T]],
        *args: object,
        on_interrupt: Callable[[], None] | None = None,
    ) -> T:
        """Run ``await function(async_vault, *args)`` on the vault's loop, and give its result.

        Ctrl-C cancels the coroutine. With `on_interrupt`, the first Ctrl-C calls that on the loop
        instead and goes on waiting, so that the coroutine can end in its own way; the second one
        cancels.

        Raises
        ------
        UsageError
            The vault was closed, or was opened before the process forked.
        """
        portal, future = self._start(function, *args)
        try:
            return future.result()
        except KeyboardInterrupt:
            if on_interrupt is None:
                future.cancel()
                raise
        try:
            portal.call(on_interrupt)
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _start(
        self, function: Callable[..., Awaitable[T]], *args: object
    ) -> tuple[BlockingPortal, Future[T]]:
        if self._process != os.getpid():
            # Its thread, and the engine's, did not come along; the lock may be held for ever.
            raise UsageError(FORKED)
        with self._changing:  # so that no thread closes what another has just found open
            if self._is_closed:
                raise UsageError("this vault was closed, so nothing was sent; connect again")
            if self._portal is None:
                thread, self._portal = _start_loop()
                # Called once at most: by `close`, or else at the end of the program, whose own
                # clearing away would wait for the thread for ever.
                self._end = weakref.finalize(
                    self, _end, thread, self._portal, self._vault, self._process
                )
            return self._portal, self._portal.start_task_soon(function, self._vault, *args)


def _start_loop() -> tuple[threading.Thread, BlockingPortal]:
    """Run an event loop in a thread of its own, until its portal is stopped.

    anyio's own `start_blocking_portal` is a generator, whose clearing away would wait in a forked
    child for a thread that is not there.
    """
    started: Future[BlockingPortal] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()

    def run() -> None:
        try:
            anyio.run(serve, backend_options={"use_uvloop": sys.platform != "win32"})
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="tokenvault", daemon=True)
    thread.start()
    return thread, started.result()


def _end(thread: threading.Thread, portal: BlockingPortal, vault: AsyncVault, process: int) -> None:
    if process != os.getpid():  # in a forked child there is no thread that could end
        return
    try:
        portal.call(vault.aclose)
    finally:
        portal.call(portal.stop)
        thread.join()


async def _budget(vault: AsyncVault) -> Budget:
    return vault.budget


def connect(
    profile: str | Profile | None = None,
    *,
    proxy: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Vault:
    """Make a client of a vault, for plain code; nothing is sent yet.

    Parameters
    ----------
    profile : str or Profile, optional
        ``emulator``, ``sandbox``, ``production``, or a name from the profile file. Without it, the
        environment variables say (``CASHFREE_CLIENT_ID`` and so on); without those, the emulator.
    proxy : str, optional
        An HTTP proxy, ``http://[user:password@]host:port``, or ``none``; by default what
        ``TOKENVAULT_PROXY`` or the profile names. ``http`` addresses, which are on this machine,
        are never asked through it.
    ca_file : str or path-like, optional
        More certificates (PEM) to trust, such as those of a company's proxy; by default what
        ``TOKENVAULT_CA_FILE`` or the profile names. Nothing turns verification off.
    **settings
        ``share``, ``rate_per_minute``, ``retries``, ``wire``, ``transport``, ``max_pages``,
        ``share_at_most``: see `AsyncVault`.

    Returns
    -------
    Vault
        To be closed, or used with ``with``.

    Raises
    ------
    ProfileError
        Credentials or environment are missing, unsafe or contradictory.
    UsageError
        A setting is out of range.
    """
    return Vault(_profile(profile, proxy, ca_file), **settings)


def connect_async(
    profile: str | Profile | None = None,
    *,
    proxy: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> AsyncVault:
    """Make a client of a vault, for code that runs in an event loop; as `connect` otherwise."""
    return AsyncVault(_profile(profile, proxy, ca_file), **settings)


def _profile(
    profile: str | Profile | None, proxy: str | None, ca_file: str | os.PathLike[str] | None
) -> Profile:
    found = profile if isinstance(profile, Profile) else load_profile(profile)
    return replace(found, network=found.network.replace(proxy, ca_file))
