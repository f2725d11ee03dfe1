"""`tokenvault lab`."""

import json
import signal
import socket
import tomllib

import pytest
from cli_bench import ROOT, documented_fields
from serving_bench import Serving, configure_laxly, jupyter_at_home

SHIPPED = sorted((ROOT / "notebooks").glob("*.ipynb"))
COPIES = "tokenvault-notebooks"


@pytest.fixture
def at_home(alone):
    """A folder whose commands find no vault, and no Jupyter but their own."""
    return jupyter_at_home(alone)


@pytest.mark.notebook
def test_jupyterlab_until_ctrl_c(at_home):
    """It says where it is once it answers, lets in by token only, and ends with 0 in silence."""
    configure_laxly(at_home)
    with Serving(at_home, "lab", "02") as lab:
        assert [list(lab.document)] == documented_fields("tokenvault lab")
        assert lab.host == "127.0.0.1"
        assert len(lab.token) == 48
        status, path, page = lab.ask(lab.url)
        assert (status, path) == (200, "/lab/tree/02_breakdowns.ipynb")
        assert '"news": {"disabled": true}' in page
        notification = "/lab/api/settings/@jupyterlab/apputils-extension:notification"
        settings = lab.ask(notification, Authorization=f"token {lab.token}")[2]
        schema = json.loads(settings)["schema"]["properties"]
        assert schema["fetchNews"]["default"] == "false"
        assert schema["checkForUpdates"]["default"] is False
        assert lab.ask("/lab")[:2] == (200, "/login")
        assert lab.ask("/api/contents")[0] == 403
        assert lab.ask("/api/contents", Authorization=f"token {lab.token}")[0] == 200
        assert lab.ask("/lab", Host="elsewhere.example")[0] == 403
        assert lab.is_reached_at("127.0.0.1")
        assert not lab.is_reached_at("127.0.0.2")
        assert lab.interrupt() == (0, "", "")
    for shipped in SHIPPED:
        assert (at_home.folder / COPIES / shipped.name).read_bytes() == shipped.read_bytes()


@pytest.mark.notebook
def test_a_file_of_ones_own_and_its_kernel(at_home):
    """A notebook named by its path is opened where it is; its kernel ends with the server."""
    own = at_home.folder / "mine" / "own.ipynb"
    own.parent.mkdir()
    own.write_bytes(SHIPPED[0].read_bytes())
    with Serving(at_home, "lab", own) as lab:
        assert lab.ask(lab.url)[:2] == (200, "/lab/tree/own.ipynb")
        let_in = {"Authorization": f"token {lab.token}"}
        assert lab.ask("/api/kernels", data=b"{}", **let_in)[0] == 201
        (kernel,) = lab.kernels()
        assert lab.interrupt(signal.SIGTERM)[0] == 0
    assert not kernel.is_running()
    assert not (at_home.folder / COPIES).exists()


@pytest.mark.notebook
def test_a_port_that_is_taken(at_home):
    """A port in use is one sentence and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = at_home.run("lab", "--port", port, "--no-browser")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"error: nothing was started: port {port} on 127.0.0.1 cannot")
    assert ended.err.count("\n") == 1


def test_an_unknown_notebook(at_home):
    """A name that is none of the notebooks' is wrong usage, and the message has them all."""
    ended = at_home.run("lab", "06_magic", "--json")
    assert ended.code == 2
    message = ended.document["error"]["message"]
    assert all(shipped.stem in message for shipped in SHIPPED)


def test_a_folder_that_cannot_be(at_home):
    """A folder that cannot be made is wrong usage, and nothing is started."""
    (at_home.folder / "file").write_text("")
    ended = at_home.run("lab", "--folder", "file/in-it")
    assert (ended.code, ended.out) == (2, "")
    assert "name another with --folder" in ended.err


@pytest.mark.parametrize("command", ["app", "lab"])
def test_without_the_extra(at_home, command):
    """Where Jupyter is not installed, one sentence says what to install."""
    for missing in ("jupyterlab", "voila"):
        (at_home.folder / f"{missing}.py").write_text("raise ImportError")
    at_home.environ["PYTHONPATH"] = f"{at_home.folder}:{at_home.environ['PYTHONPATH']}"
    ended = at_home.run(command, "--no-browser")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("run: pip install 'tokenvault-data[notebook]'\n")
    assert ended.err.count("\n") == 1


def test_the_wheel_brings_all_notebooks():
    """Each notebook of the repository is among the files that go into the wheel, and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {
        f"notebooks/{shipped.name}": f"tokenvault_data/notebooks/{shipped.name}"
        for shipped in SHIPPED
    }
