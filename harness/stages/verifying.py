"""From a bundle back to its verdicts: what lies in it is weighed again, and everything that it says is compared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.board.exhibit import Exhibit, Method
from harness.board.plain import from_plain, to_plain
from harness.console.progress import stage
from harness.keys import parse_json
from harness.panel.evidence import Verdict
from harness.panel.rates import Rates, rates_of
from harness.panel.side import Side
from harness.plan.run import Case
from harness.plugins import build
from harness.stages import bundle
from harness.stages.crowds import crowd_of
from harness.stages.exhibit import documents_of, verdicts_file, writer
from harness.stages.registered import documented_parts
from harness.stages.weigh import code_of, weighed
from harness.types import DistillbenchError, RequestSet, Unavailable
from harness.verdicts import AbstractVerdict

ROUNDING = 1e-9  # of a number: what two machines may make of the same sum


@dataclass(frozen=True)
class Opened:
    """What a bundle says, as its files have it."""

    exhibit: Exhibit
    verdicts: tuple[Verdict, ...]
    rates: tuple[Rates, ...]
    documents: Mapping[str, bytes]


def opened(folder: Path) -> Opened:
    """The case and the verdicts of a bundle. Raises DistillbenchError where they cannot be read."""
    try:
        said = parse_json(bundle.read_file(folder, bundle.VERDICTS))
        return Opened(
            from_plain(Exhibit, parse_json(bundle.read_file(folder, bundle.CASE))),
            tuple(from_plain(Verdict, v) for v in said["verdicts"]),
            tuple(from_plain(Rates, r) for r in said["rates"]),
            {name: bundle.read_file(folder, name) for name in bundle.DOCUMENTS},
        )
    except bundle.UNREADABLE as error:
        raise DistillbenchError(f"{folder}: its case cannot be read: {_words(error)}") from None


def other_code(exhibit: Exhibit) -> Iterator[str]:
    """A line for every part of a bundle that other code made than this distillbench has."""
    for method in exhibit.methods:
        if code_of(_method(method)) != method.code:
            yield (
                f"{method.name}: this distillbench weighs with other code than made the bundle; its numbers may differ "
                f"(made with {exhibit.versions.get('distillbench', 'an unknown version')})"
            )
    if exhibit.writer != writer():
        yield "this distillbench writes documents otherwise; what exhibit.md and index.html say is not compared"


@stage("weighing again")
def weighed_again(folder: Path, exhibit: Exhibit) -> list[Verdict]:
    """The verdicts that the answers of a bundle lead to. Raises DistillbenchError where they cannot be weighed."""
    try:
        return list(_weighed_again(folder, exhibit))
    except (*bundle.UNREADABLE, Unavailable) as error:
        raise DistillbenchError(
            f"{folder}: its answers cannot be weighed: {_words(error)}"
        ) from None


def _weighed_again(folder: Path, exhibit: Exhibit) -> Iterator[Verdict]:
    case = Case(exhibit.suspect, exhibit.candidates, exhibit.origins)
    methods = {m.name: _method(m) for m in exhibit.methods}
    asked = {
        name: bundle.requests_from_lines(bundle.read_file(folder, name))
        for name in exhibit.requests
    }
    crowds: dict[str, Any] = {}
    for name, task in exhibit.weighed:
        if task not in crowds:
            crowds[task] = crowd_of(case, _sides(folder, exhibit, task, asked), task)
        yield from weighed(methods[name], crowds[task], case, exhibit.seed)


def _sides(
    folder: Path, exhibit: Exhibit, task: str, asked: Mapping[str, RequestSet]
) -> dict[str, Side]:
    files = {a.model: a.file for a in exhibit.answers if a.task == task}
    return {
        model: bundle.side_from_lines(bundle.read_file(folder, name), asked)
        for model, name in files.items()
    }


def _method(method: Method) -> AbstractVerdict:
    """The method of a bundle, as this distillbench has it."""
    try:
        verdict: AbstractVerdict = build(
            "verdicts", method.name, {**method.fields, "kind": method.kind}
        )
    except DistillbenchError as error:
        raise DistillbenchError(
            f"{error}; where it is a method of somebody's own, get its file, read it, and add --plugins DIR"
        ) from None
    return verdict


def consistency(folder: Path, exhibit: Exhibit) -> Iterator[str]:
    """A line for everything in which the case differs from the plan and the files beside it."""
    try:
        plan = bundle.read_file(folder, bundle.PLAN)
        digests = {
            **exhibit.requests,
            **{a.file: a.sha256 for a in exhibit.answers},
            bundle.PLAN: exhibit.plan,
        }
        for name, digest in digests.items():
            if bundle.sha256(bundle.read_file(folder, name)) != digest:
                yield f"{bundle.CASE}: states another sha256 of {name} than it has"
        yield from _unlike_plan(exhibit, parse_json(plan))
    except bundle.UNREADABLE as error:
        yield f"{bundle.CASE}: cannot be compared with its files: {_words(error)}"


def _unlike_plan(exhibit: Exhibit, plan: Mapping[str, Any]) -> Iterator[str]:
    own = {
        "suspect": exhibit.suspect,
        "candidates": list(exhibit.candidates),
        "prior_odds": dict(exhibit.prior_odds),
        "seed": exhibit.seed,
        "models": sorted(exhibit.models),
        "documented": documented_parts(exhibit.origins),
        "methods": {
            m.name: {"kind": m.kind, "fields": dict(m.fields), "code": m.code}
            for m in exhibit.methods
        },
    }
    for key, value in own.items():
        planned = sorted(plan[key]) if key == "models" else plan[key]
        if parse_json(bundle.as_json(value)) != planned:
            yield f"{bundle.CASE}: {key} is not what {bundle.PLAN} says"
    before = exhibit.answers_before if exhibit.is_registered else None
    if before is not None and list(before) != plan["answers_before"]:
        yield f"{bundle.CASE}: answers_before is not what {bundle.PLAN} says"


def differences(folder: Path, said: Opened, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line for everything that a bundle says and its answers do not, or the other way round."""
    yield from _unlike("verdict", _by_place(said.verdicts), _by_place(verdicts))
    rates = rates_of(verdicts, said.exhibit.origins, said.exhibit.suspect)
    yield from _unlike("rates", _by_family(said.rates), _by_family(rates))
    if bundle.read_file(folder, bundle.VERDICTS) != verdicts_file(verdicts, said.exhibit):
        yield f"{bundle.VERDICTS}: is not what weighing again gives"
    if said.exhibit.writer != writer():
        return
    for name, document in said.documents.items():
        stated = bundle.stated_digest(document)
        if documents_of(said.exhibit, verdicts, stated)[name] != document:
            yield f"{name}: says something else than what its answers lead to"


def _by_place(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {f"{v.method} on {v.task} of {v.suspect} and {v.family}": to_plain(v) for v in verdicts}


def _by_family(rates: Sequence[Rates]) -> dict[str, Any]:
    return {f"{r.method} on {r.task} of {r.family or 'all families'}": to_plain(r) for r in rates}


def is_rounding(said: Opened, verdicts: Sequence[Verdict]) -> bool:
    """Whether verdicts differ from those of a bundle by no more than the arithmetic of two machines does."""
    return _close(to_plain(said.verdicts), to_plain(tuple(verdicts)))


def _close(said: Any, made: Any) -> bool:
    if isinstance(said, dict) and isinstance(made, dict):
        return said.keys() == made.keys() and all(_close(v, made[k]) for k, v in said.items())
    if isinstance(said, list) and isinstance(made, list):
        return len(said) == len(made) and all(map(_close, said, made))
    if type(said) is float and type(made) is float:
        return math.isclose(said, made, rel_tol=ROUNDING, abs_tol=1e-12)
    return type(said) is type(made) and bool(said == made)


def _unlike(what: str, said: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    for place in [*said, *(p for p in made if p not in said)]:
        if place not in made or place not in said:
            yield f"{what} {place}: {'not there when weighed again' if place in said else 'missing in the bundle'}"
            continue
        told = list(_parts(said[place], made[place]))
        if told:
            yield f"{what} {place}: {'; '.join(told)}"


def _parts(said: Any, made: Any, where: str = "") -> Iterator[str]:
    """Each field that differs: as the bundle says, as it was made again."""
    if isinstance(said, dict) and isinstance(made, dict):
        for key in [*said, *(k for k in made if k not in said)]:
            yield from _parts(said.get(key), made.get(key), key)
    elif said != made:
        before, again = (json.dumps(value, ensure_ascii=False) for value in (said, made))
        yield f"{where}: {before} in the bundle, {again} again"


def _words(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {error}"
        if not isinstance(error, (ValueError, Unavailable))
        else str(error)
    )
