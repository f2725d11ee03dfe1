"""The app: one notebook of widgets as a page, through Voila, on this machine only."""

from __future__ import annotations

import json
import logging
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.apps.server import (
    HOST,
    SHARE,
    also_found,
    missing_part,
    new_token,
    stopped_by_signals,
    usable_port,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_CELL: Final = """\
from tokenvault_data.widgets.app_page import AppPage

display(AppPage(profile={profile!r}, store={store!r}, folder={folder!r}))
"""
_IDLE_SECONDS: Final = 120
_LOOK_SECONDS: Final = 15
_EXTENSIONS: Final = (  # of JupyterLab, and no other that happens to be installed
    "anywidget",
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
)


def serve_app(
    *, profile: str, store: Path, port: int, open_browser: bool, ready: Callable[[str], None]
) -> None:
    """Serve the page until SIGINT or SIGTERM, then end all kernels and return.

    Each tab has a kernel of its own. It ends when the tab is closed, or a while after the page was
    last heard of.

    Parameters
    ----------
    profile
        Whose vault the page collects from.
    store
        Where its snapshots are.
    port
        0 for a free one.
    open_browser
        Whether to open a browser on it.
    ready
        Called once with the address, token included, when the server answers.

    Raises
    ------
    OSError
        The port is taken.
    UsageError
        Voila is not installed.
    """
    try:
        from tornado.ioloop import IOLoop
        from voila.app import Voila
    except ImportError:
        raise missing_part("`tokenvault app` needs Voila") from None

    token, port = new_token(), usable_port(port)
    url = f"http://{HOST}:{port}/?token={token}"
    source = _CELL.format(profile=profile, store=str(store.resolve()), folder=str(Path.cwd()))

    class App(Voila):
        """Voila with a port that is known beforehand, and an end without a word."""

        def listen(self) -> None:
            # Tornado finds fault with an interval that Jupyter has chosen.
            logging.getLogger("tornado").setLevel(logging.ERROR)
            self.app.listen(self.port, self.ip)
            loop: Any = IOLoop.current()
            loop.add_callback(ready, url)
            if open_browser:
                loop.add_callback(_open, url, Path(self.root_dir))
            try:
                with stopped_by_signals(loop.asyncio_loop, loop.stop):
                    loop.start()
            finally:
                self.stop()

    with (
        tempfile.TemporaryDirectory(prefix="tokenvault-app-") as folder,
        also_found("JUPYTER_PATH", SHARE),
    ):
        path = Path(folder) / "app.ipynb"
        path.write_text(_notebook(source), encoding="utf-8")
        # Nothing else that is configured on this machine has a say in what this page is.
        app = App(config_file_paths=[], token=token, tornado_settings=_tornado_settings(port))
        app.initialize(_settings(path, port))
        app.voila_configuration.prelaunch_hook = _let_it_end_its_kernel
        app.start()


def _let_it_end_its_kernel(handler: Any, **_rest: object) -> None:
    """Give a page what it has to show when it is closed and takes its kernel with it."""
    _token = handler.xsrf_token  # asking for it sets the cookie


def _notebook(source: str) -> str:
    """Return a notebook of one cell."""
    cell: dict[str, Any] = {
        "id": "page",
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
    }
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return json.dumps(
        {
            "cells": [{**cell, "outputs": [], "source": source}],
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def _settings(notebook: Path, port: int) -> list[str]:
    return [
        *(str(notebook), f"--Voila.ip={HOST}", f"--Voila.port={port}", "--Voila.port_retries=0"),
        *(f"--Voila.root_dir={notebook.parent}", "--Voila.open_browser=False"),
        "--Voila.log_level=ERROR",
        "--VoilaConfiguration.template=tokenvault",
        "--VoilaConfiguration.show_tracebacks=False",
        "--VoilaExecutor.cell_error_instruction=Reload it; what was collected is kept.",
        *(f"--VoilaConfiguration.extension_allowlist={one}" for one in _EXTENSIONS),
        f"--MappingKernelManager.cull_idle_timeout={_IDLE_SECONDS}",
        f"--MappingKernelManager.cull_interval={_LOOK_SECONDS}",
        "--MappingKernelManager.cull_connected=False",
        "--KernelManager.transport_encryption=auto",
    ]


def _tornado_settings(port: int) -> dict[str, object]:
    """Whom the server answers, and what the page may ask for: its own server, and nobody else."""
    own = f"'self' ws://{HOST}:{port} ws://localhost:{port}"
    inline = "'unsafe-inline' 'unsafe-eval' blob:"  # how Voila and anywidget start what they show
    policy = (
        f"default-src 'self'; script-src 'self' {inline}; style-src 'self' 'unsafe-inline';"
        f" connect-src {own} blob: data:; img-src 'self' data: blob:; font-src 'self' data:;"
        " frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
    )
    return {
        "allow_remote_access": False,
        "headers": {"Content-Security-Policy": policy},
    }


def _open(url: str, folder: Path) -> None:
    """Open a browser by a file that only we can read: its command line is seen by everybody."""
    page = folder / "open.html"
    page.touch(mode=0o600)
    page.write_text(f'<meta http-equiv="refresh" content="0;url={url}">', encoding="utf-8")
    webbrowser.open(page.as_uri())
