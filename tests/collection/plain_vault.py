"""Lists of saved cards behind the standard library's own HTTP server; no code of it is ours."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@contextmanager
def plain_vault(answer_of, limit_per_minute=60_000):
    """Serve what ``answer_of(customer)`` gives, a status and a body; the URL, and who was asked."""
    asked = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            customer = unquote(urlsplit(self.path).path.split("/")[-2])
            asked[customer] += 1
            status, body = answer_of(customer)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("x-ratelimit-limit", str(limit_per_minute))
            if status == 429:
                self.send_header("x-ratelimit-retry", "0")
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/pg", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
