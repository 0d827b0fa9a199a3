"""A headless Chromium for tests, spoken to over its pipe of the DevTools protocol."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

_ERRORS = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")


class Browser:
    """One tab and its frames; what any of them writes to the console is an error."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            pytest.skip("needs chromium")
        to_child, self._send = os.pipe()
        self._read, from_child = os.pipe()
        flags = (
            "--headless --no-sandbox --disable-gpu --remote-debugging-pipe --window-size=1440,900"
        )
        words = f'exec "$0" {flags} --user-data-dir="$1" 3<&{to_child} 4>&{from_child}'
        self._process = subprocess.Popen(
            ["bash", "-c", words, program, str(profile)],
            pass_fds=(to_child, from_child),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._buffer, self._last = b"", 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._targets: dict[str, str] = {}  # session of a tab -> the tab
        self.sessions: dict[str, str] = {}  # address of a frame or tab -> its session
        self.errors: list[str] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._send)
        os.close(self._read)

    def open(self, address: str) -> str:
        """The session of a new tab."""
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = str(
            self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        )
        self._targets[session] = target
        self.ask("Page.navigate", {"url": address}, session)
        return session

    def close(self, session: str) -> None:
        """Closes a tab."""
        self.ask("Target.closeTarget", {"targetId": self._targets.pop(session)})

    def value(self, session: str, script: str) -> Any:
        """The value of an expression, awaited."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.ask("Runtime.evaluate", asked, session)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, true: Callable[[], Any], seconds: float = 20.0) -> Any:
        """The first value of `true` that is true."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            value = true()
            if value:
                return value
            self.ask("Target.getTargets", {})
            time.sleep(0.05)
        raise AssertionError("it did not come about")

    def ask(self, method: str, asked: dict[str, Any], session: str = "") -> dict[str, Any]:
        """The result of one command."""
        self._last += 1
        number = self._last
        message: dict[str, Any] = {"id": number, "method": method, "params": asked}
        if session:
            message["sessionId"] = session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while number not in self._answers:
            told = self._next()
            if "id" in told:
                self._answers[int(told["id"])] = told
            else:
                self._note(told)
        answer = self._answers.pop(number)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _watch(self, session: str) -> None:
        for domain in ("Runtime", "Log", "Page"):
            self.ask(f"{domain}.enable", {}, session)
        attach = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}
        self.ask("Target.setAutoAttach", attach, session)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Target.attachedToTarget":
            session = event["params"]["sessionId"]
            self.sessions[event["params"]["targetInfo"]["url"]] = session
            self._watch(session)
        elif event.get("method") in _ERRORS:
            self.errors.append(json.dumps(event["params"])[:500])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], 60.0)
            assert ready, "the browser does not answer"
            self._buffer += os.read(self._read, 1 << 20)
        line, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(line))
