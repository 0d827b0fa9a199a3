"""JSON as rows: one list, or objects one after another (JSON Lines), whatever the file is called."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.files.cells import SpelledFloat, beginning, kind_of
from harness.types import DistillbenchError

_BLANK = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_NUMBER = 4_000  # digits; Python makes no longer one from text


def json_rows(path: Path, text: str) -> list[dict[str, Any]]:
    """The objects of a JSON file, numbers as they are spelled.

    Raises DistillbenchError for JSON that is truncated, and for anything that is not an object.
    """
    values = _values(path, text)
    is_list = len(values) == 1 and isinstance(values[0], list)
    rows: list[Any] = values[0] if is_list else values
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DistillbenchError(
                f"{path}: row {number}: expected a JSON object, got {kind_of(row)}: {beginning(row)}"
            )
    if _SURROGATE.search(text):
        _check_surrogates(path, rows)
    return rows


def _values(path: Path, text: str) -> list[Any]:
    """All JSON values of a text, one after another."""
    twice: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object; a key that stands in it twice is noted."""
        made = dict(pairs)
        if len(made) < len(pairs):
            twice.extend(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        return made

    decoder = json.JSONDecoder(
        parse_float=SpelledFloat,
        parse_int=_whole,
        parse_constant=_constant,
        object_pairs_hook=mapping,
    )
    values: list[Any] = []
    at = _BLANK.match(text).end()  # type: ignore[union-attr]
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            line = text.split("\n")[error.lineno - 1]
            raise DistillbenchError(
                f"{path}: line {error.lineno}: expected a list of JSON objects, or one object per line, got "
                f"{beginning(line, 40)} ({error.msg}); the file is truncated or not JSON"
            ) from None
        except RecursionError:
            raise DistillbenchError(f"{path}: expected rows, got JSON nested too deep") from None
        if twice:
            raise DistillbenchError(
                f"{path}: expected every key of an object once, got {twice[0]!r} twice near character {at}; "
                "rename one of them"
            )
        values.append(value)
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]
    return values


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < _LONGEST_NUMBER else digits


def _constant(name: str) -> float | None:
    """NaN is how tables write a missing cell; infinities are numbers."""
    return None if name == "NaN" else float(name)


def _check_surrogates(path: Path, rows: Sequence[Any]) -> None:
    """Half a character (a text cut inside an emoji) can be neither stored nor shown."""
    for number, row in enumerate(rows, start=1):
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = ord(error.object[error.start])
            raise DistillbenchError(
                f"{path}: row {number}: expected whole characters, got half of one (\\u{half:04x}): a "
                "text was cut inside a character; write the file again"
            ) from None
