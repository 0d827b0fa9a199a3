"""A server on this machine that fails in every way that servers do, and says back what it was sent."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Loopback(ThreadingHTTPServer):
    """`way`: a status from 400 on, "reset", "html", "moved", "odd" (JSON without choices), or "chat" (works)."""

    daemon_threads = True

    def __init__(self, way: int | str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.way = way
        self.seen: list[dict[str, str]] = []  # headers of every request
        self.name: str | None = None  # how it calls its model in answers
        self.lock, self.answered = threading.Lock(), 0
        self.dies_after: int | None = None  # answers; from then on it says 500
        self.refuses: tuple[str, ...] = ()  # a prompt with one of these always gets 500

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """Address for chat completions."""
        return f"http://{self.place}/v1/chat/completions"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: a client that hangs up is what some of these tests are about."""


@contextlib.contextmanager
def loopback(way: int | str) -> Iterator[Loopback]:
    """A running server."""
    with Loopback(way) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.seen.append(dict(self.headers))
        said = json.dumps({"error": f"{dict(self.headers)}", "path": self.path, "asked": asked})
        way = self.server.way
        if way == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif way == "html":
            self._send(200, "text/html", f"<html><body>{said}</body></html>")
        elif way == "chat" and self._lives(asked):
            content = f"you said {json.loads(asked)['messages'][-1]['content']} with {self.headers['Authorization']}"
            choice = {"index": 0, "message": {"role": "assistant", "content": content}}
            answer = {
                "choices": [choice],
                **({"model": self.server.name} if self.server.name else {}),
            }
            self._send(200, "application/json", json.dumps(answer))
        else:
            status = 500 if way == "chat" else way if isinstance(way, int) else 200
            self._send(status, "application/json", said)

    def _lives(self, asked: str) -> bool:
        prompt = json.loads(asked)["messages"][-1]["content"]
        with self.server.lock:
            refused = any(part in prompt for part in self.server.refuses)
            lives = not refused and self.server.answered != self.server.dies_after
            self.server.answered += lives
        return lives

    def _send(self, status: int, kind: str, text: str) -> None:
        key = self.headers["Authorization"] or self.headers["x-api-key"]
        self.send_response(status, f"no, {key}")  # the reason phrase stands in the client's error
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("Set-Cookie", f"session={key}")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""
