"""JupyterLab in this process: on this machine only, behind a token, asking nothing of anybody."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING
from urllib.parse import quote

from tokenvault_data.apps.server import (
    HOST,
    SHARE,
    also_found,
    is_root,
    missing_part,
    new_token,
    stopped_by_signals,
    usable_port,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def serve_lab(
    folder: Path,
    *,
    notebook: Path | None,
    port: int,
    open_browser: bool,
    ready: Callable[[str], None],
) -> None:
    """Serve a folder in JupyterLab until SIGINT or SIGTERM, then end all kernels and return.

    Parameters
    ----------
    folder
        What JupyterLab shows.
    notebook
        One in the folder, to begin with.
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
        JupyterLab is not installed.
    """
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise missing_part("`tokenvault lab` needs JupyterLab") from None
    token, port = new_token(), usable_port(port)
    root = folder.resolve()
    page = "/lab"
    if notebook is not None:
        page += f"/tree/{quote(notebook.resolve().relative_to(root).as_posix())}"
    # Settings given like this win over those of any configuration file that Jupyter finds.
    settings = [
        *(f"--ServerApp.ip={HOST}", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *("--ServerApp.sock=", "--ServerApp.allow_remote_access=False"),
        *("--ServerApp.allow_origin=", "--ServerApp.allow_origin_pat="),
        *("--ServerApp.disable_check_xsrf=False", f"--ServerApp.allow_root={is_root()}"),
        "--ServerApp.identity_provider_class=jupyter_server.auth.PasswordIdentityProvider",
        f"--PasswordIdentityProvider.token={token}",
        *(f"--ServerApp.root_dir={root}", f"--LabApp.default_url={page}"),
        *(f"--ServerApp.open_browser={open_browser}", "--ServerApp.answer_yes=True"),
        *("--ServerApp.log_level=ERROR", "--LabApp.log_level=ERROR"),
        "--KernelManager.transport_encryption=auto",
        # What JupyterLab would fetch from elsewhere: news, releases of itself, extensions.
        *("--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    # By default, JupyterLab asks whether it may fetch news; there, this is answered.
    with also_found("JUPYTER_CONFIG_PATH", SHARE / "config"):
        with warnings.catch_warnings(record=True):  # what Jupyter's parts say to their authors
            server = LabApp.initialize_server(argv=settings)
        server.io_loop.add_callback(ready, f"http://{HOST}:{port}{page}?token={token}")
        with stopped_by_signals(server.io_loop.asyncio_loop, server.stop):
            server.start()
