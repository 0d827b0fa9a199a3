"""Detection and redaction of secrets in all output and stored data, except prompts and answers (never edited).

A secret is the value of an environment variable that holds a key (its name says so, or `api_key_env` names it), the
user information of an address in the environment, and whatever a pattern below recognises: user
information and query of an address, the value of an authorization header, a bearer token, a well-known form of key.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import traceback
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from operator import is_
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, unquote

T = TypeVar("T")
MASK = "***"
# characters; a shorter value (EMPTY, dummy) is a placeholder, and masking it would damage plain
# words
LEAST = 8

_VARIABLE = re.compile(
    r"(?i)(?:^|_)(?:api_?key|secret(?:_?key)?|(?:secret_)?access_?key(?:_?id)?|private_?key|token|passw(?:or)?d)$"
)
_NAME = re.compile(
    r"(?i)^(?:.*[_.-])?(?:api[_-]?key|secret(?:[_-]?key)?|access[_-]?key(?:[_-]?id)?|private[_-]?key|auth[_-]?token"
    r"|access[_-]?token|bearer(?:[_-]?token)?|passw(?:or)?d|authorization|credentials?|cookie)$"
)
_SHAPE = re.compile(
    r"\b(?:sk-[\w-]{12,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|AIza[\w-]{30,}|AKIA[A-Z0-9]{16}"
    r"|xox[abp]-[\w-]{10,})"
)
_USER = re.compile(r"(?<=://)[^\s/?#]*@")
_QUERY = re.compile(r"(://[^\s\"'<>?#]*[?#]|(?<=[\w/])\?(?=[\w.~%\[\]-]+=))[^\s\"'<>)]+")
_QUOTED = r"\\*\"[^\"]*\"|\\*'[^']*'"
_BETWEEN = r"(\\*[\"']?\s*[:=](?!\s*expected no\b)\s*(?:b(?=\\*[\"']))?|\\*[\"'],\s*b?(?=\\*[\"']))"
_HEADER = re.compile(
    rf"(?i)((?:proxy-)?authorization|(?:set-)?cookie){_BETWEEN}(?:{_QUOTED}|[^\n\"'\\]+)"
)
_KEY_HEADER = re.compile(
    rf"(?i)((?:[\w-]+-)?api-key|[\w-]+-subscription-key){_BETWEEN}(?:{_QUOTED}|[^\s,;\"'\\]+)"
)
_SETTING = re.compile(
    r"(?i)((?:api|auth|access|secret)_?(?:key|token)|passw(?:or)?d)"
    rf"(\\*[\"']?\s*:\s*(?=\\*[\"'])|\\*[\"']?\s*=\s*)(?:{_QUOTED}|[^\s,;&\"'\\]+)"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{6,}")

_named: set[str] = set()  # variables that hold keys although their names do not say so


def remember(variable: str) -> None:
    """From now on the value of this environment variable is a secret: some `api_key_env` names it."""
    _named.add(variable)


def holds_key(variable: str) -> bool:
    """Whether an environment variable of this name holds a key."""
    return variable in _named or _VARIABLE.search(variable) is not None


def names_secret(key: str) -> bool:
    """Whether a setting of this name holds a secret wherever it stands (`api_key`, `password`, not `max_tokens`)."""
    return _NAME.match(key) is not None


def known_values() -> dict[str, str]:
    """Secret -> environment variable that holds it, for every secret of at least LEAST characters."""
    owners: dict[str, str] = {}
    for variable, value in sorted(os.environ.items(), key=lambda item: item[0] not in _named):
        parts = [value.strip()] if holds_key(variable) else []
        parts += [
            part for user in _USER.findall(value) for part in unquote(user[:-1]).split(":")[-1:]
        ]
        for part in parts:
            if len(part) >= LEAST:
                # the variable that a configuration names stands for its copies
                owners.setdefault(part, variable)
    return owners


def secret_in(text: str) -> str | None:
    """Where a secret in this text comes from, in words; None where it holds none that is known."""
    for value, variable in known_values().items():
        if value in text:
            return f"the value of environment variable {variable}"
    return "what looks like a key" if _SHAPE.search(text) or _BEARER.search(text) else None


def redacted(value: T) -> T:
    """`value` with MASK for every secret in its texts; what holds none may stay the same object, keys stay."""
    return _masked(value, _spellings())  # type: ignore[no-any-return]


def guard_logs() -> None:
    """From now on every log record of this process, whoever makes it and wherever it goes, is redacted."""
    logging.setLogRecordFactory(_record)


def _masked(value: Any, spellings: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return _clean(value, spellings)  # one object for all equal texts
    if isinstance(value, Mapping):
        return _masked_mapping(value, spellings)
    if isinstance(value, (list, tuple)):
        items = [_masked(v, spellings) for v in value]
        return value if all(map(is_, items, value)) else type(value)(items)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = {name: getattr(value, name) for name in _given(type(value))}
        made = {name: _masked(v, spellings) for name, v in told.items()}
        changed = {name: v for name, v in made.items() if v is not told[name]}
        return dataclasses.replace(value, **changed) if changed else value
    return value


def _masked_mapping(value: Mapping[Any, Any], spellings: tuple[str, ...]) -> Mapping[Any, Any]:
    if all(type(v) is float for v in value.values()):  # a number per prompt: thousands of them
        return value
    secret = {
        k
        for k, v in value.items()
        if isinstance(k, str) and isinstance(v, str) and v and names_secret(k)
    }
    made = {k: MASK if k in secret else _masked(v, spellings) for k, v in value.items()}
    same = type(value) is dict and all(map(is_, made.values(), value.values()))
    return value if same else made


@cache
def _given(kind: type[Any]) -> tuple[str, ...]:
    """The names of the fields that a dataclass is made with."""
    return tuple(f.name for f in dataclasses.fields(kind) if f.init)


@lru_cache(maxsize=65536)
def _clean(text: str, spellings: tuple[str, ...]) -> str:
    for spelling in spellings:
        text = text.replace(spelling, MASK)
    text = _USER.sub(f"{MASK}@", text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    for pattern in (_HEADER, _KEY_HEADER, _SETTING):
        text = pattern.sub(rf"\1\2{MASK}", text)
    return _SHAPE.sub(MASK, _BEARER.sub(rf"\1{MASK}", text))


def _spellings() -> tuple[str, ...]:
    """Every known secret as it may be spelt, the longest first."""
    spellings = {spelling for value in known_values() for spelling in _spelt(value)}
    return tuple(sorted(spellings, key=lambda s: (-len(s), s)))


def _spelt(value: str) -> Iterator[str]:
    yield from (value, quote(value), quote(value, safe=""), quote_plus(value))
    yield from (json.dumps(value)[1:-1], repr(value)[1:-1], b64encode(value.encode()).decode())


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = logging.LogRecord(*args, **kwargs)
    try:
        said = record.getMessage()
    # arguments that do not fit: the logger's own fault, and no reason to print them
    except (TypeError, ValueError):
        said = str(record.msg)
    record.msg, record.args = redacted(said), None
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = redacted("".join(traceback.format_exception(*record.exc_info)).rstrip())
    return record
