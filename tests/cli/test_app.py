"""`tokenvault app`, without a browser."""

import re
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
from cli_bench import documented_fields, publish
from serving_bench import Serving, configure_laxly, jupyter_at_home

# The same server, which gives pages up sooner.
IMPATIENT = """
import json
from pathlib import Path
from tokenvault_data.apps import app

app._IDLE_SECONDS, app._LOOK_SECONDS = 10, 1
app.serve_app(
    profile="emulator",
    store=Path("vault-data"),
    port=0,
    open_browser=False,
    ready=lambda url: print(json.dumps({"url": url}), flush=True),
)
"""


@pytest.fixture
def at_home(alone):
    """A folder with a snapshot in its store, whose commands find no Jupyter but their own."""
    publish(alone.folder / "vault-data", "HDFC BANK", "AXIS BANK")
    return jupyter_at_home(alone)


def addresses_in(page):
    """What a page's tags lead to or load."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda _, pairs: found.extend(
        value for name, value in pairs if name in {"href", "src", "action", "data"}
    )
    parser.feed(page)
    return found


@pytest.mark.notebook
def test_the_page_until_ctrl_c(at_home):
    """It says where it is, shows the page by token only, leaves no kernel, and ends with 0."""
    configure_laxly(at_home)
    with Serving(at_home, "app") as app:
        assert [list(app.document)] == documented_fields("tokenvault app")
        assert app.host == "127.0.0.1"
        assert len(app.token) == 48
        assert app.ask("/")[:2] == (200, "/login")
        assert app.ask("/?token=wrong")[:2] == (200, "/login")
        assert not app.is_reached_at("127.0.0.2")
        assert app.kernels() == []
        status, path, page = app.ask(app.url)
        assert (status, path) == (200, "/")
        (kernel,) = app.kernels()
        assert app.interrupt()[:2] == (0, "")
    assert not kernel.is_running()
    assert "<h1>Token Vault</h1>" in page
    assert "application/vnd.jupyter.widget-view+json" in page
    assert "AppPage(" not in page
    assert "import" not in page.split("<main")[1]  # no source of the notebook
    assert "Traceback" not in page
    assert [one for one in addresses_in(page) if re.match(r"\w+:|//", one)] == []


@pytest.mark.notebook
def test_other_sites_and_files_are_refused(at_home):
    """Another origin gets no connection to a kernel, another host no page, and nobody a file."""
    with Serving(at_home, "app") as app:
        let_in = {"Authorization": f"token {app.token}"}
        page = app.ask(app.url)[2]
        kernel = re.search(r'"kernelId": "([-0-9a-f]+)"', page)[1]
        cookie = {"Cookie": app.cookie_of("/")}
        channels = f"/api/kernels/{kernel}/channels"
        elsewhere = {"Origin": "http://elsewhere.example"}
        own = {"Origin": f"http://{app.host}:{app.port}"}
        assert app.connect(channels, **cookie, **own) == 101
        assert app.connect(channels, **cookie, **elsewhere) == 403
        assert app.connect(channels, **own) == 403
        shutdown = f"/voila/api/shutdown/{kernel}"
        assert app.ask(shutdown, data=b"", **cookie, **elsewhere)[0] in {403, 404}
        assert app.kernels()
        assert app.ask("/", Host="elsewhere.example", **let_in)[0] == 403
        assert app.ask("/voila/files/app.ipynb", **let_in)[0] == 403
        assert app.ask("/voila/files/vault-data", **let_in)[0] in {403, 404}
        assert (
            "frame-ancestors 'none'"
            in app.headers_of("/?token=" + app.token)["Content-Security-Policy"]
        )
        assert app.interrupt()[0] == 0


@pytest.mark.notebook
def test_a_page_that_vanishes_without_a_word(at_home):
    """The kernel of a page that is not heard of any more ends after a while."""
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT],
        cwd=at_home.folder,
        env=at_home.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with Serving(at_home, process=process) as app:
        assert "kernelId" in app.ask(app.url)[2]
        give_up_at = time.monotonic() + 60
        while app.kernels():
            assert time.monotonic() < give_up_at
            time.sleep(0.2)
        assert app.interrupt()[0] == 0


def test_an_unknown_profile(at_home):
    """A profile that there is not is wrong usage, and nothing is started."""
    ended = at_home.run("app", "--profile", "shop", "--no-browser")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: there is no profile 'shop'; known are ")
