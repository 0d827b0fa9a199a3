"""The batch interfaces of OpenAI and Anthropic on this machine: batches end when a test says so."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Providers(ThreadingHTTPServer):
    """`fails` maps a prompt to the status of its result; 0 = no response at all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ended = False
        self.fails: dict[str, int] = {}
        self.refuses = 0  # status with which batches are refused
        self.files: dict[str, list[dict[str, Any]]] = {}  # id -> requests
        self.handed_in: list[str] = []  # prompts of all batches
        self.keys: set[str] = set()

    @property
    def url(self) -> str:
        """The address up to the version."""
        return f"http://127.0.0.1:{self.server_port}/v1"


@contextlib.contextmanager
def providers() -> Iterator[Providers]:
    """A running server."""
    with Providers() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Providers

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.keys.add(self.headers["Authorization"] or self.headers["x-api-key"])
        name = f"b{len(server.files)}"
        if self.path == "/v1/files":
            text = content.decode().split("\r\n\r\n")[-1].split("\r\n--")[0]
            server.files[name] = [json.loads(line) for line in text.splitlines()]
            self._send({"id": name})
        elif server.refuses:
            self._send({"error": {"message": "no"}}, server.refuses)
        elif self.path == "/v1/batches":
            name = json.loads(content)["input_file_id"]
            server.handed_in += [_prompt(r["body"]) for r in server.files[name]]
            self._send({"id": name, "status": "validating"})
        else:
            server.files[name] = json.loads(content)["requests"]
            server.handed_in += [_prompt(r["params"]) for r in server.files[name]]
            self._send({"id": name, "processing_status": "in_progress"})

    def do_GET(self) -> None:
        _, _, kind, *rest = self.path.split("/")
        server = self.server
        if kind == "files":
            self._send_lines([self._openai(r) for r in server.files[rest[0]]])
        elif rest[-1] == "results":
            self._send_lines([self._anthropic(r) for r in server.files[rest[1]]])
        elif kind == "batches":
            status = "completed" if server.ended else "in_progress"
            self._send({"status": status, "output_file_id": rest[0], "error_file_id": None})
        else:
            self._send({"processing_status": "ended" if server.ended else "in_progress"})

    def _openai(self, request: dict[str, Any]) -> dict[str, Any]:
        prompt = _prompt(request["body"])
        status = self.server.fails.get(prompt, 200)
        choice = {"index": 0, "message": {"content": f"you said {prompt}"}, "finish_reason": "stop"}
        body: dict[str, Any] = {
            "choices": [choice],
            "model": "tiny-1",
            "usage": {"prompt_tokens": 5},
        }
        body = body if status == 200 else {"error": {"code": "bad_prompt"}}
        response = {"status_code": status, "body": body} if status else None
        return {"custom_id": request["custom_id"], "response": response, "error": None}

    def _anthropic(self, request: dict[str, Any]) -> dict[str, Any]:
        prompt = _prompt(request["params"])
        status = self.server.fails.get(prompt, 200)
        text = {"type": "text", "text": f"you said {prompt}"}
        message = {
            "type": "message",
            "model": "tiny-1",
            "content": [text],
            "stop_reason": "end_turn",
        }
        kind = "invalid_request_error" if status == 400 else "overloaded_error"
        error = {"type": "errored", "error": {"type": "error", "error": {"type": kind}}}
        result = {"type": "succeeded", "message": message} if status == 200 else error
        return {"custom_id": request["custom_id"], "result": result}

    def _send(self, value: Any, status: int = 200) -> None:
        self._send_text(json.dumps(value), status)

    def _send_lines(self, values: list[Any]) -> None:
        self._send_text("".join(json.dumps(v) + "\n" for v in values), 200)

    def _send_text(self, text: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


def _prompt(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])
