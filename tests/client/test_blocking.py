"""The vault from plain code: threads, notebooks, Ctrl-C, and an orderly end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from raw_server import RawServer, answer, hang_after, profile_of

from tokenvault_data import errors
from tokenvault_data.client.blocking import Vault
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

CARD = {"instrument_id": "i1", "customer_id": "c1", "cryptogram": "AgAAAA=="}

SHOWN = CARD | {"cryptogram": "[removed]"}  # but by `fetch_cryptogram`, which is asked for it


def portal_threads():
    return [thread for thread in threading.enumerate() if thread.name == "tokenvault"]


def test_all_operations_work_from_plain_code():
    """The four operations and the budget, and nothing is left behind."""
    with RawServer(answer([CARD]), answer(CARD)) as server:
        with Vault(profile_of(server)) as vault:
            assert portal_threads() == [], "no thread before the first call"
            assert vault.list_instruments("c1") == [SHOWN]
            assert vault.fetch_instrument("c1", "i1") == SHOWN
            assert vault.fetch_cryptogram("c1", "i1").reveal()["cryptogram"] == "AgAAAA=="
            assert vault.delete_instrument("c1", "i1") == SHOWN
            assert vault.budget.share == 0.5
            assert len(portal_threads()) == 1
        assert portal_threads() == []
    assert [seen.method for seen in server.seen] == ["GET", "GET", "GET", "DELETE"]


def test_it_works_where_a_loop_already_runs():
    """In a notebook, whose kernel runs a loop in the same thread, calls just work."""

    async def cell():
        with Vault(profile_of(server)) as vault:
            return vault.list_instruments("c1")

    with RawServer() as server:
        assert asyncio.run(cell()) == []


def test_several_threads_share_one_vault():
    """Calls from many threads at once each get their own answer, on one background thread."""
    with Emulator(EmulatorSettings(customers=300)) as emulator:
        with Vault(emulator_profile(emulator.base_url)) as vault, ThreadPoolExecutor(16) as pool:
            ids = [f"cust_{number:07d}" for number in range(150)]
            lists = list(pool.map(vault.list_instruments, ids))
            assert len(portal_threads()) == 1
        for customer_id, cards in zip(ids, lists, strict=True):
            assert {card["customer_id"] for card in cards} <= {customer_id}
        assert sum(map(len, lists)) > 100
        assert len(emulator.wire_log.entries()) == 150


def test_errors_come_out_as_they_are():
    """An error of the coroutine is raised where the call was made."""
    with RawServer(answer({"code": "nope"}, 404)) as server, Vault(profile_of(server)) as vault:
        with pytest.raises(errors.NotFound) as raised:
            vault.fetch_instrument("c1", "i1")
        assert raised.value.code == "nope"
        with pytest.raises(errors.IdentifierError):
            vault.list_instruments("..")


def test_a_closed_vault_says_so():
    """After closing, calls are a usage error; no thread comes back; closing again is nothing."""
    with RawServer() as server:
        vault = Vault(profile_of(server))
        vault.list_instruments("c1")
        vault.close()
        vault.close()
        with pytest.raises(errors.UsageError, match="closed"):
            vault.list_instruments("c1")
        with pytest.raises(errors.UsageError, match="closed"):
            _ = vault.budget
        assert portal_threads() == []
        assert len(server.seen) == 1


def test_a_vault_never_used_closes_too():
    """Opening and closing without a call starts nothing."""
    with Vault(emulator_profile()):
        pass
    assert portal_threads() == []


def test_wrong_settings_are_refused_at_once():
    """A wrong setting is an error of the constructor, and leaves no thread."""
    with pytest.raises(errors.UsageError):
        Vault(emulator_profile(), share=2)
    with pytest.raises(TypeError):
        Vault(emulator_profile(), shares=0.5)
    assert portal_threads() == []


def test_closing_from_another_thread_ends_calls():
    """Calls in flight and waiting end at once with an error that says which they were."""
    with RawServer(hang_after()) as server:
        vault = Vault(profile_of(server), rate_per_minute=1)
        with ThreadPoolExecutor(4) as pool:
            flying = pool.submit(vault.delete_instrument, "c1", "i1")
            while not server.seen:
                time.sleep(0.005)
            waiting = [pool.submit(vault.delete_instrument, "c1", f"i{n}") for n in (2, 3)]
            time.sleep(0.1)
            began = time.monotonic()
            vault.close()
            assert isinstance(flying.exception(5), errors.AnswerLost)
            assert {type(call.exception(5)) for call in waiting} == {errors.CallAbandoned}
            assert time.monotonic() - began < 2
        assert len(server.seen) == 1
    assert portal_threads() == []


def test_calling_while_another_thread_closes_never_hangs():
    """Whoever loses the race gets an answer or a clear error."""
    for _ in range(10):
        with RawServer() as server:
            vault = Vault(profile_of(server))
            with ThreadPoolExecutor(8) as pool:
                calls = [pool.submit(vault.list_instruments, f"c{number}") for number in range(8)]
                vault.close()
                ends = [call.exception(10) for call in calls]
        for end in ends:
            assert end is None or isinstance(end, errors.UsageError | errors.VaultError)
    assert portal_threads() == []


def test_run_gives_the_result_of_any_coroutine():
    """Any coroutine function gets the client and its arguments."""

    async def both(vault, first, second):
        return [await vault.list_instruments(first), await vault.list_instruments(second)]

    with RawServer(answer([1]), answer([2])) as server, Vault(profile_of(server)) as vault:
        assert vault.run(both, "c1", "c2") == [[1], [2]]


def test_the_vaults_own_thread_is_told_instead_of_blocked():
    """A blocking call made on the vault's own loop is an error, not a deadlock."""

    async def inside(_, vault):
        return vault.list_instruments("c1")

    with (
        Vault(emulator_profile(), transport=httpx.MockTransport(lambda _: None)) as vault,
        pytest.raises(RuntimeError, match="event loop thread"),
    ):
        vault.run(inside, vault)


def script(code, server, *signals_after_seconds, wait_for="started"):
    """Run code in a process of its own, send it SIGINTs, and give output, errors and exit code."""
    prelude = f"""
        import asyncio, sys, threading, time
        from tokenvault_data.config.loading import emulator_profile
        from tokenvault_data.client.blocking import Vault
        profile = emulator_profile("{server.url}/pg")
        def say(word): sys.stdout.write(str(word) + chr(10)); sys.stdout.flush()
    """
    process = subprocess.Popen(
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-c",
            textwrap.dedent(prelude) + textwrap.dedent(code),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        heard = ""
        if signals_after_seconds:
            assert process.stdout is not None
            while not heard.endswith(f"{wait_for}\n"):
                line = process.stdout.readline()
                assert line, process.communicate()
                heard += line
        for seconds in signals_after_seconds:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
        rest, complaints = process.communicate(timeout=30)
        return heard + rest, complaints, process.returncode
    finally:
        process.kill()
        process.wait()


def test_a_script_that_forgets_to_close_ends_all_the_same():
    """Neither a hanging thread nor a word on stderr at the end of the program."""
    with RawServer() as server:
        code = """
            vault = Vault(profile)
            say(vault.list_instruments("c1"))
        """
        assert script(code, server) == ("[]\n", "", 0)


def test_ctrl_c_cancels_a_call():
    """Without `on_interrupt` Ctrl-C ends the call at once, and closing leaves nothing."""
    code = """
        def watch():
            while not len(sys.argv) > 9:
                time.sleep(0.2); say("started"); return
        threading.Thread(target=watch).start()
        began = time.monotonic()
        with Vault(profile) as vault:
            try:
                vault.list_instruments("c1")
            except KeyboardInterrupt:
                say("interrupted")
        assert time.monotonic() - began < 5
        assert [t.name for t in threading.enumerate()] == ["MainThread"]
    """
    with RawServer(hang_after()) as server:
        assert script(code, server, 0.3) == ("started\ninterrupted\n", "", 0)


PATIENT_COROUTINE = """
    async def patient(vault, stubborn):
        global stop
        stop = asyncio.Event()
        say("started")
        try:
            await stop.wait()
            say("asked to stop")
            if stubborn:
                await asyncio.sleep(60)
            return "result"
        except asyncio.CancelledError:
            say("cancelled")
            raise
"""


def test_the_first_ctrl_c_asks_and_the_result_still_comes():
    """With `on_interrupt` the coroutine ends in its own way, and its result is given."""
    code = (
        PATIENT_COROUTINE
        + """
    with Vault(profile) as vault:
        say(vault.run(patient, False, on_interrupt=lambda: stop.set()))
    """
    )
    with RawServer() as server:
        said = script(code, server, 0.1)
    assert said == ("started\nasked to stop\nresult\n", "", 0)


def test_the_second_ctrl_c_cancels():
    """Who presses twice is not kept waiting, and the coroutine is told."""
    code = (
        PATIENT_COROUTINE
        + """
    with Vault(profile) as vault:
        try:
            vault.run(patient, True, on_interrupt=lambda: stop.set())
        except KeyboardInterrupt:
            say("interrupted")
    say([t.name for t in threading.enumerate()])
    """
    )
    with RawServer() as server:
        output, complaints, status = script(code, server, 0.1, 0.3)
    assert complaints == ""
    assert status == 0
    assert sorted(output.splitlines()) == sorted(
        ["started", "asked to stop", "cancelled", "interrupted", "['MainThread']"]
    )


def test_on_interrupt_runs_on_the_loop():
    """What it calls may touch the coroutine's own objects, such as holding the client."""
    code = """
    async def collect(vault):
        say("started")
        try:
            while True:
                await vault.list_instruments("c1")
        except Exception as error:
            return type(error).__name__
    with Vault(profile) as vault:
        say(vault.run(collect, on_interrupt=vault._vault.hold))
    """
    with RawServer() as server:
        assert script(code, server, 0.2) == ("started\nCallAbandoned\n", "", 0)
        assert len(server.seen) > 0


FORKED = """
import os, sys
from tokenvault_data import TokenVaultError, connect
from tokenvault_data.config.loading import emulator_profile

profile = emulator_profile(sys.argv[1])
vault = connect(profile)
vault.list_instruments("cust_0000001")
sys.stdout.flush()
child = os.fork()
if not child:
    try:
        vault.list_instruments("cust_0000001")
    except TokenVaultError as error:
        print(error)
    vault.close()
    try:
        connect(profile)
    except TokenVaultError as error:
        print(error)
    sys.exit(0)
_, status = os.waitpid(child, 0)
print("child", status, "parent:", type(vault.list_instruments("cust_0000001")).__name__)
"""


def test_a_forked_child_is_refused_at_once():
    """In a child nothing waits for a thread of the parent's: neither a call, nor the end."""
    with Emulator(EmulatorSettings(customers=2)) as emulator:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", FORKED, emulator.base_url],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.stderr == ""
    refusal, again, parent = ended.stdout.splitlines()
    assert "before this process was forked" in refusal
    assert "`spawn`" in refusal
    assert (again, parent) == (refusal, "child 0 parent: list")
