"""What a server did instead of answering: in words that hold nothing of its text, and what is to be done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

# again: the same request may be answered later; missing: never; stop: no other request will be either
Effect = Literal["again", "missing", "stop"]

# codes of errors that are quoted: words that API references list, never a sentence
_CODE = re.compile(r"[a-z][a-z0-9_]{2,40}")
# of a status that says "slow down": there is nothing left to wait for
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
_STOPS = {
    401: "check the API key",
    402: "check what is left of the credit",
    404: "check `url` and `model`",
    405: "check `url`",
    407: "check the proxy",
}
_AGAIN = (408, 409, 425, 429)


class Fault(Exception):
    """One request was not answered; the message says what the server did ("answers 429")."""

    def __init__(
        self,
        words: str,
        effect: Effect,
        *,
        wait_s: float | None = None,
        is_gone: bool = False,
        refused: bool = False,
        paid: bool = False,
    ) -> None:
        super().__init__(words)
        self.effect = effect
        self.wait_s = wait_s  # seconds that the server asks to wait; None = it says nothing
        self.is_gone = is_gone  # nobody answers at all, whatever is asked
        self.refused = refused  # a status below 500: the request came, and nothing was made of it
        self.paid = paid  # a response came that is billed, without an answer in it

    def ended(self, words: str) -> Fault:
        """The same, with words behind it, as the reason why nothing more is asked."""
        return Fault(f"{self}{words}", "stop", refused=self.refused, paid=self.paid)


def fault_of_status(
    status: int, headers: Mapping[str, str], content: Any, now: datetime | None = None
) -> Fault | None:
    """The fault of a response that is no success; None for a success.

    content: its JSON, where it is some.
    """
    if 200 <= status < 300:
        return None
    code = error_code(content)
    words = f"answers {status}{f' ({code})' if code else ''}"
    if code in _NO_MONEY:
        return Fault(f"{words}; {_STOPS[402]}", "stop", refused=True)
    if status in _STOPS:
        return Fault(f"{words}; {_STOPS[status]}", "stop", refused=True)
    if status < 400:
        moved = f"{words}, a redirect that is not followed; check `url`"
        return Fault(moved, "stop", refused=True)
    if status in _AGAIN or status >= 500:
        wait_s = retry_after_s(headers, now)
        return Fault(words, "again", wait_s=wait_s, refused=status < 500)
    return Fault(words, "missing", refused=True)


def fault_inside(content: Any) -> Fault | None:
    """The fault that a success carries in place of an answer, as some gateways do; None where there is none."""
    if not isinstance(content, Mapping):
        return Fault("answers JSON that is not an object", "again")
    error = content.get("error")
    if not error or content.get("choices") or content.get("type") == "message":
        return None
    status = error.get("code") if isinstance(error, Mapping) else None
    code = error_code(content)
    inside = Fault(f"answers an error{f' ({code})' if code else ''}", "again")
    if not isinstance(status, int) or not 300 <= status < 600:
        return inside
    return fault_of_status(status, {}, content) or inside


def error_code(content: Any) -> str:
    """The code, else the type, of an error as OpenAI's and Anthropic's servers state it; "" where none is readable."""
    error = content.get("error") if isinstance(content, Mapping) else None
    if not isinstance(error, Mapping):
        return ""
    words = (error.get("code"), error.get("type"))
    return next((w for w in words if isinstance(w, str) and _CODE.fullmatch(w)), "")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a response asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date; None = silent.

    Source: RFC 9110, section 10.2.3.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        said = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(?:\.\d+)?", said):
            return float(said) * unit
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
