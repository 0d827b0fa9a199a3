"""The connection to a server: one request and the JSON that comes back, or a Fault.

Redirects are not followed, because the key would go with them. A response has to be there, whole, within the time
limit: one that comes byte by byte does not last longer.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, final
from urllib.parse import urlsplit

import httpx2

from harness.models._server_faults import Fault, fault_inside, fault_of_status

_MOST_BYTES = 256 * 2**20  # of a response; an answer is a few thousand


class Content(NamedTuple):
    """A response that came whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@final
class Connection:
    """Requests to one server, from several threads."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        *,
        now_s: Callable[[], float] = time.monotonic,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.url, self._timeout_s, self._now_s = url, timeout_s, now_s
        self._client = httpx2.Client(
            headers={"user-agent": "distillbench", **headers},
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, 30.0)),
            limits=httpx2.Limits(max_connections=None),
            trust_env=not is_here(url),  # no proxy leads back to this machine
            transport=transport,
        )

    @property
    def path(self) -> str:
        """The address without scheme and host."""
        return urlsplit(self.url).path

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that answers a JSON object; raises Fault."""
        return self._answer("POST", path, json=body)

    def upload(self, path: str, fields: Mapping[str, str], name: str, file: bytes) -> Any:
        """The JSON object that answers a file; raises Fault."""
        return self._answer("POST", path, data=dict(fields), files={"file": (name, file)})

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path; raises Fault."""
        return self._answer("GET", path)

    def download(self, path: str) -> bytes:
        """The bytes at a path; raises Fault."""
        came = self._send("GET", path)
        if fault := fault_of_status(came.status, came.headers, _json_or_none(came.body)):
            raise fault
        return came.body

    def _answer(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        came = self._send(method, path, **content)
        parsed = _json_or_none(came.body)
        if fault := fault_of_status(came.status, came.headers, parsed):
            raise fault
        if parsed is None:
            raise Fault("answers something that is not JSON", "again")
        if fault := fault_inside(parsed):
            raise fault
        assert isinstance(parsed, dict)
        return parsed

    def _send(self, method: str, path: str, **content: Any) -> Content:
        until_s = self._now_s() + self._timeout_s
        late = Fault(f"does not answer within {self._timeout_s:g} s", "again")
        with _faults(late), self._client.stream(method, self.url + path, **content) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if self._now_s() > until_s:
                    raise late
                if size > _MOST_BYTES:
                    raise Fault(f"answers more than {_MOST_BYTES >> 20} MiB", "again")
            return Content(response.status_code, dict(response.headers), b"".join(parts))


@contextmanager
def _faults(late: Fault) -> Iterator[None]:
    """Inside, what the client raises becomes a Fault: its own texts may hold headers and addresses."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        if isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error):
            raise Fault("has no certificate that is trusted", "stop") from None
        raise Fault("cannot be reached", "again", is_gone=True) from None
    except httpx2.TimeoutException:
        raise late from None
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError):
        raise Fault("cannot be asked: check `url`", "stop") from None
    except (httpx2.TransportError, httpx2.DecodingError, httpx2.StreamError) as error:
        name = type(error).__name__
        raise Fault(f"broke off in the middle of its answer ({name})", "again") from None


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def host_of(url: str) -> str:
    """Host and port of an address, without user information."""
    return urlsplit(url).netloc.rpartition("@")[2]


def is_here(url: str) -> bool:
    """Whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
