"""What all tests need, wherever they are started from."""

from __future__ import annotations

import signal

# A shell ignores Ctrl-C on behalf of what it runs in the background, and children inherit that;
# the tests interrupt theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)
