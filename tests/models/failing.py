"""A server on this machine that answers like OpenAI's or Anthropic's, and fails when and how a test wants it to."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# every way to fail that passes when the request is sent again
FAULTS = (
    "429", "429 and a wait", "500", "502 in HTML", "503 and a date", "529", "reset", "closed", "truncated", "HTML",
    "empty", "not JSON", "odd JSON", "an error inside", "no choices", "two choices", "no text",
)  # fmt: skip
STALLS = ("stalls", "drips")  # and those that only a clock can tell


class Failing(ThreadingHTTPServer):
    """`fault(prompt, n)` names the way in which the n-th try of a prompt fails; "" = it is answered."""

    daemon_threads = True

    def __init__(self, fault: Callable[[str, int], str] = lambda prompt, n: "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault = fault
        self.lock = threading.Lock()
        self.tries: Counter[str] = Counter()  # prompt -> tries of it
        self.answered: Counter[str] = Counter()  # prompt -> answers to it
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.finish, self.model, self.fingerprint = "stop", "tiny-1", "fp_1"
        self.released = threading.Event()  # lets stalled answers go

    @property
    def url(self) -> str:
        """The address up to the version."""
        return f"http://{self.host}/v1"

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def n_tries(self) -> int:
        """Requests that came."""
        return sum(self.tries.values())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: a client that hangs up is what some of these tests are about."""


@contextlib.contextmanager
def failing(fault: Callable[[str, int], str] = lambda prompt, n: "") -> Iterator[Failing]:
    """A running server."""
    with Failing(fault) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def prompt_of(body: dict[str, Any]) -> str:
    """The last thing that was asked."""
    return str(body["prompt"] if "prompt" in body else body["messages"][-1]["content"])


class _Handler(BaseHTTPRequestHandler):
    server: Failing
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt, server = prompt_of(body), self.server
        with server.lock:
            server.tries[prompt] += 1
            number = server.tries[prompt]
            server.bodies.append(body)
            server.headers.append(dict(self.headers))
            fault = server.fault(prompt, number)
            server.answered[prompt] += not fault
        if fault:
            self._fail(fault, body)
        else:
            self._send(200, json.dumps(self._answer(body)))

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        server, text = self.server, f"you said {prompt_of(body)}"
        who = {"model": server.model, "system_fingerprint": server.fingerprint}
        if self.path.endswith("/messages"):
            usage = {"input_tokens": 7, "output_tokens": 3}
            content = [{"type": "text", "text": text}]
            return {
                "type": "message",
                **who,
                "content": content,
                "stop_reason": "end_turn",
                "usage": usage,
            }
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        choice: dict[str, Any] = {"index": 0, "finish_reason": server.finish}
        if self.path.endswith("/chat/completions"):
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        return {**who, "choices": [choice], "usage": usage}

    def _fail(self, fault: str, body: dict[str, Any]) -> None:
        """Fails in one of the ways of FAULTS, or with a status and the code of an error."""
        answer = self._answer(body)
        first = (answer.get("choices") or [{}])[0]
        silent = {**first, "message": {"role": "assistant", "content": None}, "text": None}
        said = {
            "HTML": "<html><body>busy</body></html>", "empty": "", "not JSON": '{"choices": [', "odd JSON": "[1, 2]",
            "an error inside": '{"error": {"message": "no", "code": 503}}',
            "no choices": json.dumps({**answer, "choices": [], "content": []}),
            "two choices": json.dumps({**answer, "choices": [first, first], "content": []}),
            "no text": json.dumps({**answer, "choices": [silent], "content": []}),
        }  # fmt: skip
        whole = json.dumps(answer)
        if fault in said:
            self._send(200, said[fault])
        elif fault in ("reset", "closed"):
            if fault == "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.shutdown(
                socket.SHUT_RDWR
            ) if fault == "closed" else self.connection.close()
        elif fault == "truncated":
            self._send(200, whole[: len(whole) // 2], length=len(whole))
            self.close_connection = True
        elif fault == "stalls":
            self.server.released.wait()
            self.close_connection = True
        elif fault == "drips":
            self._send(200, "", length=len(whole))
            for letter in whole:
                if self.server.released.wait(0.02):
                    break
                self.wfile.write(letter.encode())
            self.close_connection = True
        else:
            self._refuse(fault)

    def _refuse(self, fault: str) -> None:
        status, _, code = fault.partition(" ")
        waits = {"and a wait": "3", "and a date": "Wed, 21 Oct 2015 07:28:00 GMT"}
        more = {"Retry-After": waits[code]} if code in waits else {}
        key = self.headers["Authorization"] or self.headers["x-api-key"] or ""
        error = {"message": f"no, {key}", **({"code": code} if "_" in code else {})}
        page = "<html></html>" if code == "in HTML" else json.dumps({"error": error})
        self._send(int(status), page, more)

    def _send(
        self,
        status: int,
        text: str,
        more: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        size = len(text.encode()) if length is None else length
        for name, value in {"Content-Length": str(size), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""
