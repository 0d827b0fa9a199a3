"""A run that is finished and need not be made again: where nothing changed since, its report stands.

What a run comes to depends on its configuration, on the keys of all that it plans, on our code and the versions of
libraries, and on the files of its results. `finished.json` beside the report has a digest of the former and a stamp of
the latter; while both are the same, the report is as it would be made, and only what was said is said again.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import harness
from harness.board.plain import from_plain
from harness.console.secrets import holds_key
from harness.keys import digest
from harness.plan.collections import Plan
from harness.plan.run import Run
from harness.stages.again import FILE, Finished, keep, results_stamp
from harness.stages.record import versions
from harness.store.damage import unsealed
from harness.store.looks import Looks, look_at
from harness.store.stamps import stamp
from harness.store.store import Store

# of a run: how it is carried out, and what was left of its budget
_HOW = frozenset({"recipe", "purse", "executor", "workers"})


def surroundings(run: Run, reference: Path) -> str:
    """Digest of what a run depends on besides its plan and its results: code, files beside it, versions.

    Taken before anything is made: what changes meanwhile makes the run again.
    """
    folders = (Path(harness.__file__).parent, *run.paths.tasks, *run.paths.plugins)
    secrets = sorted(name for name in os.environ if holds_key(name))
    look_at(*folders[1:], reference)  # ours counts for every command
    return digest(stamp([*folders, reference]), versions(), secrets)


def recall(store: Store, plan: Plan, place: str) -> Finished | None:
    """How the run ended, where nothing changed since in its surroundings (`place`), plan and results.

    None where it has to be made.
    """
    known = unsealed(store.root / FILE) or {}
    if not known or store.closely or known["inputs"] != _inputs(plan, place):
        return None
    same = known["results"] == results_stamp(store.root)
    return from_plain(Finished, known["ended"]) if same else None


def remember(store: Store, plan: Plan, place: str, ended: Finished, looks: Looks | None) -> None:
    """Notes how a run ended; not where a plug-in of the user's has a field without a plain form."""
    inputs = _inputs(plan, place)
    if inputs is not None:
        keep(store.root, inputs, ended, looks)


def _inputs(plan: Plan, place: str) -> str | None:
    run = plan.run
    asked = {f.name: getattr(run, f.name) for f in dataclasses.fields(run) if f.name not in _HOW}
    own = [vars(metric) for metric in run.metrics.values()]  # with what they read from files
    keys = [[c.requests_key, c.key, c.grades_key, c.training_key] for c in plan.collections]
    models, training = plan.identities.models, plan.identities.training
    data = run.data.key(run.paths) if run.data else None
    try:
        plain = json.dumps(
            [asked, own, keys, models, training, data], default=_plain, sort_keys=True
        )
    except TypeError:
        return None
    return digest("finished", plain, place)


def _plain(value: Any) -> Any:
    """What stands for a value that JSON has no form for; raises TypeError where nothing does."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = f"{type(value).__module__}.{type(value).__qualname__}"
        return [name, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no plain form for {type(value).__name__}")
