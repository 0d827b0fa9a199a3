"""Tables of phrasings, as YAML files."""

from __future__ import annotations

import re
from typing import Any

import yaml

from harness.files.names import located
from harness.text.refusals import Phrasings
from harness.types import DistillbenchError

_LISTS = ("openers", "joins", "phrases", "unless", "caveats", "letters")
_REQUIRED = ("openers", "joins", "phrases")


def read_phrasings(file: str) -> tuple[Phrasings, ...]:
    """The phrasings of each language of a YAML file: one of ours by its name under tasks/, or another by its path."""
    path = located(file, "a YAML file of phrasings by language")
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DistillbenchError(f"key file: {file}: not readable as YAML: {error}") from None
    if not isinstance(content, dict) or not content:
        raise DistillbenchError(f"key file: {file}: expected languages with their phrasings")
    return tuple(_language(file, str(name), rows) for name, rows in content.items())


def _language(file: str, name: str, rows: Any) -> Phrasings:
    """The phrasings of one language; raises DistillbenchError for anything but lists of texts."""
    known = rows if isinstance(rows, dict) else {}
    slots = known.get("slots", {})
    lists = {key: known.get(key, []) for key in _LISTS}
    lists |= {
        f"slots.{key}": words for key, words in (slots.items() if isinstance(slots, dict) else ())
    }
    strange = sorted({*known} - {*_LISTS, "slots"})
    wrong = [key for key, words in lists.items() if not _texts(words)]
    wrong += [key for key in _REQUIRED if not lists[key] and key not in wrong]
    if strange or wrong or not isinstance(slots, dict):
        keys = ", ".join([*strange, *wrong]) or "slots"
        raise DistillbenchError(
            f"key file: {file}: {name}: {keys}: expected lists of texts under {', '.join(_LISTS)} and slots"
        )
    named = {slot for phrase in lists["phrases"] for slot in re.findall(r"\{(\w+)\}", phrase)}
    if missing := sorted(named - {*slots}):
        raise DistillbenchError(
            f"key file: {file}: {name}: a phrase names the slot {missing[0]!r}, which stands nowhere under slots"
        )
    fields = {key: tuple(lists[key]) for key in _LISTS}
    return Phrasings(**fields, slots=tuple((key, tuple(words)) for key, words in slots.items()))


def _texts(words: Any) -> bool:
    return isinstance(words, list) and all(isinstance(word, str) and word for word in words)
