"""The contract of trackers, as a test."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

from harness.console.credentials import argument_faults
from harness.testing.making import check_travels, made
from harness.trackers import AbstractTracker, Told

TOLD = Told(
    "Made up seed=1",
    {"near/capability": 0.8, "near/capability/low": 0.7, "near/capability/n": 40.0, "far one/score/a-b.c": -0.5},
    {"configuration": "ab" * 32, "page": "/somewhere/index.html", "distillbench": "made up"},
)  # fmt: skip


def check_tracker(tracker: type[AbstractTracker] | AbstractTracker | str, **own: Any) -> None:
    """Raises AssertionError with a sentence if a tracker breaks its contract; it is told of a made-up run.

    own: its fields. What it left where it keeps runs is the test's own to look at.
    """
    told = made("trackers", tracker, own)
    check_travels("trackers", told)
    named = {
        f.name: "a word" for f in fields(told) if isinstance(getattr(told, f.name), str | None)
    }
    assert not argument_faults(named), f"{told.kind}: expected no field for a credential"
    assert told.faults() == [], f"{told.kind}: {told.faults()[0]}"
    before = copy.deepcopy(TOLD)
    told.track(TOLD)
    assert before == TOLD, f"{told.kind}: it changes what it is told"
