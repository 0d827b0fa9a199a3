"""The plan of a case, fixed before answers are collected: written by `plan`, compared by the run."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.board.plain import to_plain
from harness.console.secrets import redacted
from harness.keys import canonical, parse_json
from harness.models import AbstractModel
from harness.panel.evidence import Origin
from harness.plan.collections import Plan
from harness.stages.bundle import FORM, PLAN, UNREADABLE, as_json, sha256
from harness.stages.weigh import code_of
from harness.store.drafts import write_whole
from harness.store.store import Store
from harness.types import DistillbenchError

_BEFORE = "answers_before"  # a fact about the day of the plan, no part of it
_MOST = 6  # differences in one line


def case_plan(plan: Plan, store: Store) -> dict[str, Any]:
    """What a run is going to do about its suspect, without any answer; and who had answered by then."""
    run, case = plan.run, plan.run.case
    before = {c.model for c in plan.collections if store.has(c.key)}
    requests: dict[str, dict[str, str]] = {}
    for (task, chat), key in plan.identities.requests.items():
        requests.setdefault(task, {})["in chat" if chat else "as plain text"] = key
    return {
        "form": FORM,
        "suspect": case.suspect,
        "candidates": list(case.candidates),
        "prior_odds": dict(case.prior_odds),
        "documented": documented_parts(case.origins),
        "models": {name: asked_as(model) for name, model in run.models.items()},
        "methods": {name: method_parts(verdict) for name, verdict in run.verdicts.items()},
        "requests": requests,
        "decoding": to_plain(run.decoding),
        "decoding_of_tasks": {t: to_plain(d) for t, d in run.task_decodings.items()},
        "samples": run.samples,
        "seed": run.seed,
        "limit": run.limit,
        _BEFORE: sorted(before),
    }


def documented_parts(origins: Sequence[Origin]) -> dict[str, Any]:
    """Model -> what is documented of its training."""
    parts = {o.model: to_plain(o) for o in sorted(origins, key=lambda o: o.model)}
    return {name: {k: v for k, v in part.items() if k != "model"} for name, part in parts.items()}


def asked_as(model: AbstractModel) -> dict[str, Any]:
    """How a model is asked: every field but places, speed and descriptions that is not at its default."""
    own = (f for f in dataclasses.fields(model) if f.init and not f.metadata)
    parts = {f.name: getattr(model, f.name) for f in own if getattr(model, f.name) != _default(f)}
    plain: dict[str, Any] = redacted(parse_json(canonical({**parts, "chat": model.chat})))
    return plain


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def method_parts(verdict: Any) -> dict[str, Any]:
    """What decides what a method says: its kind, its fields, its code."""
    fields = {k: to_plain(v) for k, v in vars(verdict).items() if k not in ("kind", "name")}
    return {"kind": verdict.kind, "fields": fields, "code": code_of(verdict)}


def check_free(folder: Path) -> None:
    """Raises DistillbenchError where a folder for a bundle holds anything but a plan."""
    place = next(p for p in (folder, *folder.parents) if p.exists())
    if place.is_dir() and not os.access(place, os.W_OK):
        raise DistillbenchError(
            f"exhibit: {folder}: {place} cannot be written to; name another place"
        )
    if not place.is_dir():
        raise DistillbenchError(
            f"exhibit: {folder}: expected a folder, but {place} is a file; name another place"
        )
    others = sorted(p.name for p in folder.iterdir() if p.name != PLAN) if folder.exists() else []
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise DistillbenchError(
            f"exhibit: {folder}: expected no folder there, an empty one, or one with {PLAN} alone; it holds "
            f"{', '.join(others[:3])}{more}; name another folder"
        )


def register(plan: Plan, store: Store, folder: Path) -> str:
    """Writes the plan of a run into the folder of its bundle; the sha256 of the file.

    One that lies there already stays. Raises DistillbenchError where it is another.
    """
    own = case_plan(plan, store)
    if (folder / PLAN).exists():
        _check_same(folder, own, "remove it, or name another folder")
        return sha256((folder / PLAN).read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    content = as_json(own)
    write_whole(folder / PLAN, content)
    return sha256(content)


def registered(plan: Plan, store: Store, folder: Path) -> bytes | None:
    """The plan that was fixed before this run, as its file; None where there is none.

    Raises DistillbenchError, with what differs, where the run is not the one that was planned.
    """
    if not (folder / PLAN).exists():
        return None
    cure = "run what was planned, or name another folder, whose bundle will say that no plan was fixed before"
    _check_same(folder, case_plan(plan, store), cure)
    return (folder / PLAN).read_bytes()


def before(content: bytes) -> tuple[str, ...]:
    """Models whose answers were stored when a plan was written."""
    return tuple(parse_json(content)[_BEFORE])


def _check_same(folder: Path, own: Mapping[str, Any], cure: str) -> None:
    path = folder / PLAN
    try:
        planned = dict(parse_json(path.read_bytes()))
        before(path.read_bytes())
    except UNREADABLE:
        raise DistillbenchError(
            f"exhibit: {path}: expected a plan that `distillbench plan` wrote; it cannot be read; {cure}"
        ) from None
    told = list(_differences(_plan_alone(planned), _plan_alone(own)))
    if told:
        more = f"; and {len(told) - _MOST} more" if len(told) > _MOST else ""
        raise DistillbenchError(
            f"exhibit: {path}: another plan was fixed: {'; '.join(told[:_MOST])}{more}; {cure}"
        )


def _plan_alone(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan as JSON reads it, without what was true on its day alone."""
    alone: dict[str, Any] = parse_json(as_json(dict(plan)))
    alone.pop(_BEFORE, None)
    return alone


def _differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Every place at which two plans differ, with what was planned and what is now."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = f"{where}.{key}" if where else key
            yield from _differences(old.get(key), new.get(key), inner)
    elif old != new or type(old) is not type(new):
        yield f"{where}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
