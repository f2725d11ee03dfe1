"""One job beside the kernel: it starts once, can be stopped, and tells what can be shown."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from tokenvault_data.widgets.parts.threads import UPDATE_SECONDS, Worker


class Listener:
    def __init__(self):
        self.told, self.ended = [], []

    def worker(self):
        return Worker(self.told.append, self.ended.append)


def test_a_job_runs_beside_and_its_result_is_told():
    """The starter goes on at once; the end is told once, on the job's own thread."""
    heard, here, go = Listener(), threading.get_ident(), threading.Event()
    worker = heard.worker()
    assert worker.start(lambda _: (go.wait(10), threading.get_ident())[1])
    assert worker.is_running
    go.set()
    assert worker.join(10)
    assert not worker.is_running
    (thread,) = heard.ended
    assert thread != here


def test_a_job_is_over_when_its_end_was_told():
    """Whoever waits for it finds what the telling has left behind, however long that takes."""
    go, shown = threading.Event(), []

    def told(ended):
        go.wait(10)
        shown.append(ended)

    worker = Worker(lambda _: None, told)
    worker.start(lambda _: "done")
    while worker.is_running:
        time.sleep(0.001)
    assert not worker.join(0.05)
    go.set()
    assert worker.join(10)
    assert shown == ["done"]


def test_two_starts_at_once_are_one_job():
    """However many threads press start, one job begins."""
    heard, go, begun = Listener(), threading.Event(), []
    worker = heard.worker()

    def work(_):
        begun.append(1)
        go.wait(10)

    started = []
    threads = [
        threading.Thread(target=lambda: started.append(worker.start(work))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    go.set()
    assert worker.join(10)
    assert (sum(started), begun) == (1, [1])


def test_stop_is_an_event_the_job_sees():
    """A job that looks at it ends in order, and its result is told as any other."""
    heard = Listener()
    worker = heard.worker()
    worker.start(lambda job: "stopped" if job.stopping.wait(10) else "not stopped")
    worker.stop()
    assert worker.join(10)
    assert heard.ended == ["stopped"]


def test_what_ends_a_job_is_told():
    """An exception is handed on as the end; the next job can start."""
    heard = Listener()
    worker = heard.worker()

    def fail(_):
        raise ValueError("no")

    worker.start(fail)
    assert worker.join(10)
    assert isinstance(heard.ended[0], ValueError)
    assert worker.start(lambda _: "fine")
    assert worker.join(10)
    assert heard.ended[1] == "fine"


def test_updates_are_held_back_but_the_last_is_told():
    """Twenty thousand values in a moment become a few, and the last is among them."""
    heard = Listener()
    worker = heard.worker()
    began = time.monotonic()

    def work(job):
        for number in range(20_000):
            job.report(number)

    worker.start(work)
    assert worker.join(30)
    passed = time.monotonic() - began
    assert heard.told[-1] == 19_999
    assert len(heard.told) <= passed / UPDATE_SECONDS + 2


def test_a_callback_of_the_end_may_start_the_next_job():
    """What follows a job can be started from its end."""
    ended, workers = [], []

    def on_end(result):
        ended.append(result)
        if len(ended) < 3:
            assert workers[0].start(lambda _: len(ended))

    workers.append(Worker(lambda _: None, on_end))
    workers[0].start(lambda _: 0)
    deadline = time.monotonic() + 10
    while len(ended) < 3 and time.monotonic() < deadline:
        workers[0].join(1)
    assert ended == [0, 1, 2]


def test_who_waits_can_be_interrupted():
    """Ctrl-C ends the waiting; the job runs on, and can be waited for again."""
    heard, go = Listener(), threading.Event()
    worker = heard.worker()
    worker.start(lambda _: go.wait(10))
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        worker.join(10)
    assert not worker.join(0.2)
    assert heard.ended == []
    go.set()
    assert worker.join(10)
    assert heard.ended == [True]
