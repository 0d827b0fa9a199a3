"""What one cell of somebody else's table says: a text as it stands in the file, nothing, or a failed call."""

from __future__ import annotations

import datetime
import decimal
import re
from typing import Any

from harness.types import DistillbenchError

# What programs write in the place of an answer when the call failed, word for word.
# Sources: FastChat `fastchat/llm_judge/common.py` and Arena-Hard-Auto `utils` (API_ERROR_OUTPUT);
# VLMEvalKit `vlmeval/api/base.py` (fail_msg); simple-evals `sampler/chat_completion_sampler.py`;
# FastChat `fastchat/constants.py` (SERVER_ERROR_MSG).
_FAILED_CALLS = frozenset(
    {
        "$ERROR$",
        "Failed to obtain answer via API.",
        "No response (bad request).",
        "**NETWORK ERROR DUE TO HIGH TRAFFIC. PLEASE REGENERATE OR REFRESH THIS PAGE.**",
    }
)
# what libraries raise and gateways send, saved as if it were the answer.
# Sources: openai and anthropic for Python, `_client.py` (Error code: 429 - {...}); nginx `ngx_http_special_response.c`
_ERRORS = re.compile(
    r"Error code: [45]\d\d( - .*)?|(<!DOCTYPE html>\s*)?<html>\s*<head>\s*<title>\s*[45]\d\d\s.*",
    re.IGNORECASE | re.DOTALL,
)
NULL = "null"  # why an answer is missing where simply none stands there
_NO_ERROR = (None, "", False, 0, "None", "null", "none")


class SpelledFloat(float):
    """A number that remembers how it is spelled in its file: 1e5, 0.10."""

    spelling: str

    def __new__(cls, spelling: str) -> SpelledFloat:
        made = super().__new__(cls, spelling)
        made.spelling = spelling
        return made


def is_missing(cell: Any) -> bool:
    """Whether nothing stands in a cell: null, or NaN, as tables write it."""
    return cell is None or (isinstance(cell, float) and cell != cell)


def text_of(cell: Any) -> str | None:
    """A cell as it is spelled in its file; None where it is missing.

    Raises TypeError for a list or an object: they have no spelling of their own.
    """
    if isinstance(cell, str):
        return cell
    if is_missing(cell):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, SpelledFloat):
        return cell.spelling
    if isinstance(cell, (int, float)):
        return repr(cell)
    if isinstance(cell, (decimal.Decimal, datetime.date, datetime.time)):
        return str(cell)
    raise TypeError(f"expected text, got {kind_of(cell)}")


def name_of(cell: Any) -> str | None:
    """A cell as the name of a prompt: 70 and 70.0 are one name; None where it is missing or blank.

    Raises TypeError for a list or an object.
    """
    text = text_of(cell)
    if text is None or not text.strip():
        return None
    text = text.strip()
    whole = text.removesuffix(".0")
    return whole if whole.isdecimal() else text


def required_text(cell: Any, place: str, column: str) -> str | None:
    """As `text_of`; raises DistillbenchError with the place for a list or an object."""
    try:
        return text_of(cell)
    except TypeError as error:
        raise DistillbenchError(f"{place}: column {column!r}: {error}: {beginning(cell)}") from None


def failed_call(cell: Any, error: Any = None) -> str:
    """Why an answer is none, in words: a failed call's marker or error; "" where it is an answer.

    `error`: what stands in the row's own field for errors; it counts where the answer is missing or blank.
    """
    if isinstance(cell, dict) and cell.get("error") not in _NO_ERROR:
        return f"an error: {beginning(cell['error'])}"
    if isinstance(cell, str) and cell.strip() in _FAILED_CALLS:
        return f"{cell.strip()!r}, which stands for a failed call"
    if isinstance(cell, str) and _ERRORS.fullmatch(cell.strip()):
        return f"an error: {beginning(cell.strip(), 30)}"
    blank = is_missing(cell) or (isinstance(cell, str) and not cell.strip())
    if blank and not _means_no_error(error):
        return f"an error: {beginning(error)}"
    return ""


def kind_of(cell: Any) -> str:
    """The kind of a value, in words."""
    kinds = {"list": "a list", "tuple": "a list", "dict": "an object"}
    name = type(cell).__name__
    return kinds.get(name, name)


def beginning(cell: Any, length: int = 60) -> str:
    """The first characters of a cell, quoted, on one line."""
    text = cell if isinstance(cell, str) else str(cell)
    return repr(text if len(text) <= length else text[: length - 1] + "…")


def _means_no_error(error: Any) -> bool:
    return is_missing(error) or error in _NO_ERROR or error == {} or error == []
