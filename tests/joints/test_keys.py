"""What an edit of code, of a task or of a model makes again, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import keys
from harness import tasks as contract
from harness.models.fake import FakeModel
from harness.plan import collections
from harness.plan.collections import Plan
from harness.stages.ask import ask
from harness.stages.collect import collect
from harness.stages.library import Library
from harness.store import tables
from harness.store.store import Store
from tests.core.running import matrix
from tests.joints.small import MODELS, Small, planned

Keys = dict[tuple[str, str], tuple[str | None, ...]]


def of_plan(plan: Plan, *which: str) -> Keys:
    """(model, task) -> some of the keys of its collection."""
    return {
        (c.model, c.task): tuple(getattr(c, name) for name in which)
        for c in plan.collections
        if not c.decoding.sample
    }


def again(small: Small) -> Plan:
    return ask(small.plan.run, small.store)


def differing(one: Keys, two: Keys) -> set[tuple[str, str]]:
    assert one.keys() == two.keys()
    return {place for place in one if one[place] != two[place]}


def test_edited_code_makes_requests_and_grades_again_and_asks_nobody(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "code_digest", lambda *modules: "other code")
    edited = again(small)
    assert of_plan(edited, "key") == of_plan(small.plan, "key")
    everywhere = set(of_plan(small.plan, "key"))
    before = of_plan(small.plan, "requests_key")
    assert differing(before, of_plan(edited, "requests_key")) == everywhere
    graded = {place for place in everywhere if place[1] == "quiz"}
    assert differing(of_plan(small.plan, "grades_key"), of_plan(edited, "grades_key")) == graded


def test_no_code_and_no_layout_is_in_an_answer_s_key(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "code_digest", lambda *_, **__: "other code")
    monkeypatch.setattr(contract, "code_digest", lambda *_: "other code")
    monkeypatch.setattr(collections, "SCHEMA", tables.SCHEMA + 1)
    assert of_plan(again(small), "key") == of_plan(small.plan, "key")


def test_a_raised_version_asks_that_kind_again(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeModel, "version", FakeModel.version + 1)
    everywhere = set(of_plan(small.plan, "key"))
    assert differing(of_plan(small.plan, "key"), of_plan(again(small), "key")) == everywhere


def test_what_only_measures_look_at_is_scored_again_without_asking(tmp_path: Path) -> None:
    """Categories of open prompts: the breakdown becomes another, the answers do not."""
    plan, store = planned(tmp_path)
    collect(plan, store)
    columns = {"prompt": "prompt", "category": "prompt"}
    told = {**matrix()["tasks"], "open": {**matrix()["tasks"]["open"], "columns": columns}}
    other, _ = planned(tmp_path, tasks=told)
    assert of_plan(other, "key") == of_plan(plan, "key")
    one, two = (Library(p, store).side("student", "open") for p in (plan, other))
    assert one.outputs.text == two.outputs.text
    assert {p.category for p in one.requests.prompts} != {p.category for p in two.requests.prompts}
    assert one.keys[0] == two.keys[0]
    assert one.keys != two.keys


def test_another_gold_grades_again_without_asking(small: Small, tmp_path: Path) -> None:
    plan, _ = planned(tmp_path)
    path = tmp_path / "data" / "quiz.jsonl"
    before = of_plan(plan, "key", "grades_key")
    path.write_text(path.read_text().replace('"answer":3', '"answer":0'))
    after = of_plan(ask(plan.run, Store(tmp_path / "results")), "key", "grades_key")
    asked = {place for place in before if before[place][0] != after[place][0]}
    graded = {place for place in before if before[place][1] != after[place][1]}
    assert asked == set()
    assert graded == {(name, "quiz") for name in MODELS}


def test_marked_fields_ask_nobody_again(small: Small, tmp_path: Path) -> None:
    told = {"lineage": "x", "identity": ["Me"], "usd_per_hour": 2.0}
    described = {name: {**fields, **told} for name, fields in MODELS.items()}
    plan, _ = planned(tmp_path, models=described)
    assert of_plan(plan, "key") == of_plan(small.plan, "key")
