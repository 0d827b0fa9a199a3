"""Characters that nobody sees and that change what is seen: control and direction characters, spelled out.

Source: Unicode Standard Annex #9, the characters of the bidirectional algorithm; Boucher and Anderson 2021, Trojan
Source.
"""

from __future__ import annotations

import re
from typing import Any

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_SEPARATORS = "\u2028\u2029"  # line ends that terminals and browsers treat differently
_INVISIBLE = re.compile(f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f{_DIRECTION}{_SEPARATORS}]")

_SPELLED = re.compile("\u27e6U\\+([0-9A-F]{4})\u27e7")


def spelled_out(text: str) -> str:
    """The text with control and direction characters as "⟦U+202E⟧"; tabs and line ends stay."""
    return _INVISIBLE.sub(
        lambda match: f"\u27e6U+{ord(match[0]):04X}\u27e7", text.replace("\r\n", "\n")
    )


def all_spelled_out(value: Any) -> Any:
    """A value of plain types with these characters spelled out in every text; keys stay."""
    if isinstance(value, dict):
        return {k: all_spelled_out(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [all_spelled_out(v) for v in value]
    return spelled_out(value) if isinstance(value, str) else value


def in_one_line(text: str) -> str:
    """The same without line ends, for a name or a cell."""
    return spelled_out(text).replace("\n", "\u27e6U+000A\u27e7")


def as_it_stands(text: str) -> str:
    """The text that was spelled out."""
    return _SPELLED.sub(lambda match: chr(int(match[1], 16)), text)


def as_escapes(json_text: str) -> str:
    """A JSON text with these characters as escapes: the same value, and nothing invisible in the file."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json_text)
