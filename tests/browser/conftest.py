"""Browser tests: notebooks in real JupyterLab, in Debian's Chromium, without any network.

A test asks for `open_notebook`, and gets a page whose kernel is connected. When the test ends, it
fails if a page asked for anything off this machine, or if anything was reported as an error on the
browser's console. `lab_pages` has what tests do with such a page.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from guarded_browser import GuardedBrowser
from lab_pages import WIDE, set_width, wait_until_connected
from lab_server import LabServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """All tests of this folder need a browser."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")


@pytest.fixture
def browser():
    """A browser that reaches this machine only; what it complains about fails the test."""
    with GuardedBrowser() as guarded:
        yield guarded
    assert guarded.left_machine == [], "a page asked for something off this machine"
    assert guarded.complaints == [], "the browser's console shows errors"


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory):
    """One JupyterLab for all tests of a process."""
    folder = tmp_path_factory.mktemp("lab")
    server = LabServer(folder, tmp_path_factory.mktemp("jupyter"))
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        server.stop()


class Lab:
    """JupyterLab as one test sees it: a folder of its own, where its notebooks run.

    Attributes
    ----------
    folder : Path
        The kernels' working folder.
    """

    def __init__(self, server, folder):
        self.server = server
        self.folder = folder

    def address_of(self, path):
        """Return where JupyterLab shows a notebook of the folder, in a workspace of its own."""
        inside = quote(path.relative_to(self.server.folder).as_posix())
        workspace = secrets.token_hex(4)
        return (
            f"{self.server.url}/lab/workspaces/{workspace}/tree/{inside}?token={self.server.token}"
        )

    def write_notebook(self, *sources, name="notebook.ipynb"):
        """Write a notebook of code cells with these sources, and return its path."""
        import nbformat  # it builds a grammar for seconds

        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        path = self.folder / name
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
        return path

    def copy(self, path):
        """Copy a notebook from elsewhere, such as `notebooks/`, and return the copy's path."""
        return Path(shutil.copy(path, self.folder / path.name))


@pytest.fixture
def lab(lab_server):
    """A folder that JupyterLab serves, for one test; its kernels end with the test."""
    folder = lab_server.folder / secrets.token_hex(4)
    folder.mkdir()
    yield Lab(lab_server, folder)
    lab_server.end_kernels()
    lab_server.forget()


@pytest.fixture
def open_notebook(lab, browser):
    """A function that opens a notebook and returns its page, ready to run.

    A notebook from outside the test's folder is copied into it first.
    """

    def open_it(path, *, width=WIDE):
        path = Path(path)
        inside = path if path.is_relative_to(lab.folder) else lab.copy(path)
        page = browser.new_page()
        set_width(page, width)
        page.goto(lab.address_of(inside))
        wait_until_connected(page)
        return page

    return open_it
