"""What is made of each suspect alone: the same bytes in any company, and made once for each."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.board.plain import from_plain, to_plain
from harness.plan.run import Run
from harness.stages.liken import LikenJob, liken_jobs, liken_keys
from harness.stages.preview import planned
from harness.stages.run import execute
from harness.store.store import Store
from harness.testing.crowds import crowd
from harness.text.attribution import Signals
from harness.verdicts.attribution import Attribution
from tests.verdicts.cases import ANSWERS, case_run, write_crowd

SUSPECTS = ("control-0", "one-student-0", "two-v1")
NEWCOMER = ANSWERS | {"where": {"model": "newcomer"}}


def plain(signals: Any) -> str:
    return json.dumps(to_plain(signals), allow_nan=False)


def test_likenesses_are_the_same_whoever_else_is_suspected() -> None:
    everyone, _ = crowd(n_students=3, n_controls=5)
    method = Attribution("attribution", "attribution")
    whole = method.prepare(everyone, np.random.default_rng(0))
    versions = {m for own in everyone.families.values() for m in own}
    for suspect in SUSPECTS:
        there = {suspect, *versions, *everyone.background}
        few = replace(everyone, sides={m: s for m, s in everyone.sides.items() if m in there})
        own = method.liken(few, [suspect])[suspect]
        assert plain(own) == plain([s for (m, _), s in whole.signals.items() if m == suspect])
        assert [from_plain(Signals, json.loads(plain(s))) for s in own] == own


def test_stored_likenesses_are_taken_as_they_are() -> None:
    everyone, _ = crowd(n_students=3, n_controls=5)
    method = Attribution("attribution", "attribution")
    made = method.liken(everyone, list(everyone.sides))
    changed = [replace(s, closest="nobody") for s in made["control-0"]]
    given = replace(everyone, likenesses=made | {"control-0": changed})
    prepared = method.prepare(given, np.random.default_rng(0))
    assert prepared.signals["control-0", "one"].closest == "nobody"
    assert prepared.signals["control-1", "one"].closest == made["control-1"][0].closest


def run_with(folder: Path, *names: str, **changes: Any) -> Run:
    models = {name: NEWCOMER for name in names}
    return case_run(folder, models=models, verdicts={"attribution": None}, **changes)


def keys(run: Run) -> dict[str, str]:
    store = Store(run.paths.results)
    return liken_keys(run.verdicts["attribution"], planned(run, store), "talk", store)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run about everybody, and answers of one model more."""
    folder = tmp_path_factory.mktemp("board")
    made = crowd(n_students=3, n_controls=5)
    write_crowd(folder / "data", made)
    lines = (folder / "data" / "answers.jsonl").read_text().splitlines()
    further = [json.loads(x) | {"model": "newcomer"} for x in lines if '"control-1"' in x]
    with (folder / "data" / "answers.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in further)
    execute(run_with(folder), Path("nowhere.csv"), alone=True)
    return folder


def test_a_model_more_is_compared_alone(folder: Path) -> None:
    before, run = keys(run_with(folder)), run_with(folder, "newcomer")
    execute(replace(run, stages=("build", "collect")), Path("nowhere.csv"), alone=True)
    after = keys(run)
    assert {m: k for m, k in after.items() if m != "newcomer"} == before
    store = Store(run.paths.results)
    plan = planned(run, store)
    (job,) = liken_jobs("attribution", plan, "talk", store, lambda k: not store.has(k))
    assert isinstance(job, LikenJob)
    assert job.suspects == ("newcomer",)
    assert execute(run, Path("nowhere.csv"), alone=True).code == 0
    assert Store(run.paths.results).has(after["newcomer"])


def test_a_documented_model_more_changes_everybodys_likeness(folder: Path) -> None:
    before = keys(run_with(folder))
    run = run_with(folder, "newcomer", controls=[{"model": "newcomer", "lineage": "new"}])
    execute(replace(run, stages=("build", "collect")), Path("nowhere.csv"), alone=True)
    assert not {*keys(run).values()} & {*before.values()}


@pytest.mark.parametrize("changed", ["answer", "teacher"])
def test_what_changed_since_is_made_as_if_it_were_all_new(
    folder: Path, tmp_path: Path, changed: str
) -> None:
    """One answer of a control, or a student's documented teacher: the same files as those of a first run."""
    shutil.copytree(folder, tmp_path / "again")
    data = tmp_path / "again" / "data"
    name, old, new = {
        "answer": ("answers.jsonl", '"response": "', '"response": "Indeed: '),
        "teacher": ("lineages.csv", "student-2,student,one", "student-2,student,two"),
    }[changed]
    text = (data / name).read_text()
    first = text.find(old, max(text.find('"control-1"'), 0))
    assert first >= 0
    (data / name).write_text(text[:first] + new + text[first + len(old) :])
    shutil.copytree(data, tmp_path / "new" / "data")
    for place in ("again", "new"):
        assert execute(run_with(tmp_path / place), Path("nowhere.csv"), alone=True).code == 0
    again, anew, before = (
        {p.name: p.read_bytes() for p in (place / "results" / "report").iterdir()}
        for place in (tmp_path / "again", tmp_path / "new", folder)
    )
    machine = {"index.html", "run.json"}  # with seconds and memory
    assert {n: again[n] for n in again if n not in machine} == {
        n: anew[n] for n in anew if n not in machine
    }
    was = [line for line in before["verdicts.csv"].splitlines() if b"newcomer" not in line]
    assert again["verdicts.csv"].splitlines() != was
