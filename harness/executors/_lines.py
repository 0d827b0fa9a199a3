"""What travels between the command and its workers on other machines: a request, and lines of JSON that come back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.console.forecast import Amounts, Sort
from harness.console.progress import News
from harness.console.secrets import redacted
from harness.executors import Job
from harness.types import DistillbenchError


@dataclass(frozen=True)
class Asked:
    """A job as it travels: what is done, and the keys of what is to be made."""

    doing: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """What a worker is to do: the configuration of a run, as composed, and jobs of it, one after another."""

    recipe: Mapping[str, Any]  # the fields of plan.run.Recipe
    jobs: tuple[Asked, ...]


@dataclass(frozen=True)
class Began:
    """A job was begun."""

    job: int  # index into the request
    node: str


@dataclass(frozen=True)
class Done:
    """A job ended, as `Ended` says it."""

    job: int
    error: str
    wrong_input: bool
    our_fault: bool
    made: tuple[str, ...]  # those of its keys that are there
    damaged: bool = False


@dataclass(frozen=True)
class Stopped:
    """The worker cannot go on with anything: the request was refused there, or its disk is full."""

    reason: str
    errno: int = 0  # of a full disk


Line = News | Began | Done | Stopped


def request_of(jobs: Sequence[Job], recipe: Any) -> str:
    """A request as JSON. Raises DistillbenchError where a secret stands in the configuration."""
    fields = dict(vars(recipe))
    if redacted(fields) != fields:
        raise DistillbenchError(
            "executor: the configuration holds what looks like a key, and would be written to a file for the workers; "
            "put it into an environment variable and name that by api_key_env"
        )
    asked = [{"doing": j.doing, "keys": list(j.keys)} for j in jobs]
    return json.dumps({"recipe": fields, "jobs": asked}, ensure_ascii=False)


def read_request(text: str) -> Request:
    """The inverse of request_of."""
    plain = json.loads(text)
    jobs = tuple(Asked(j["doing"], tuple(j["keys"])) for j in plain["jobs"])
    return Request(plain["recipe"], jobs)


def written(line: Line) -> str:
    """A line as JSON, secrets redacted."""
    fields = dict(vars(line))
    if isinstance(line, News):
        fields |= {k: [[*s, n] for s, n in fields[k].items()] for k in ("begun", "ended")}
    return json.dumps(redacted({"kind": type(line).__name__, **fields}), ensure_ascii=False)


def read_line(text: str) -> Line | None:
    """The inverse of written; None for anything else, such as half a line of a worker that was killed."""
    try:
        fields = json.loads(text)
        kind = _KINDS[fields.pop("kind")]
        if kind is News:
            fields |= {k: _amounts(fields[k]) for k in ("begun", "ended")}
        if kind is Done:
            fields["made"] = tuple(fields["made"])
        read: Line = kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return read


_KINDS: Mapping[str, type[Any]] = {k.__name__: k for k in (News, Began, Done, Stopped)}


def _amounts(rows: Sequence[Any]) -> Amounts:
    return {Sort(kind, task): float(n) for kind, task, n in rows}
