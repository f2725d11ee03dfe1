"""Looking at something again and again, until it is over or stopped."""

import threading
import time

from tokenvault_data.widgets.parts.threads import StateWatcher


def test_it_looks_until_it_is_told_that_all_is_over():
    """The last look ends it, and it can be started again."""
    looks = []
    over = threading.Event()

    def look():
        looks.append(1)
        if len(looks) == 3:
            over.set()
        return len(looks) < 3

    watcher = StateWatcher(look, 0.01)
    watcher.start()
    watcher.start()
    assert over.wait(5)
    give_up_at = time.monotonic() + 5
    while watcher.is_watching and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert not watcher.is_watching
    time.sleep(0.05)
    assert len(looks) == 3
    over.clear()
    looks.clear()
    watcher.start()
    assert over.wait(5)


def test_it_can_be_stopped():
    """Stopped, it looks no more, also twice."""
    looks = []
    watcher = StateWatcher(lambda: looks.append(1) or True, 0.01)
    watcher.start()
    watcher.stop()
    watcher.stop()
    time.sleep(0.05)
    seen = len(looks)
    time.sleep(0.05)
    assert len(looks) == seen
    assert not watcher.is_watching
