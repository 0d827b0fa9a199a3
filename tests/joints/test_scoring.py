"""Who is compared with whom, on what, and under which key: the joints between stored answers and scores."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.executors import Desk
from harness.metrics import AbstractMetric
from harness.metrics.length import Length
from harness.panel.panel import Looks, Panel, Role, View
from harness.plan.questions import Question, all_questions, compared_pairs
from harness.stages import measuring
from harness.stages import score as stage
from harness.stages.collect import collect
from harness.stages.library import Library, Seats
from harness.stages.score import score
from harness.store.store import Store
from harness.types import Finding, Pair
from tests.joints.small import LINEAGES, MODELS, Small, planned, scored

PAIR = Pair("teacher", "student", "base")
EVERYTHING = Looks((View.STYLE,), needs=("teacher", "base"), also=("second", "ceiling", "controls"))


def library_of(small: Small) -> Library:
    return Library(small.plan, small.store)


def seats_of(small: Small, student: str = "student", pair: Pair = PAIR) -> Seats:
    return library_of(small).seats(EVERYTHING, "open", student, pair)


def names(small: Small, role: Role, student: str = "student", pair: Pair = PAIR) -> list[str]:
    panel = library_of(small).panel(EVERYTHING, "open", student, pair)
    return [side.model for side in panel.of(role)]


def key(
    small: Small, who: str = "student", looks: Looks = EVERYTHING, seed: int = 0, **pair: Any
) -> str:
    """The key of a score of one pair on the open task, by a measure that looks at all or some of it."""
    run = replace(small.plan.run, seed=seed)
    library = Library(replace(small.plan, run=run), small.store)
    question = Question(looking(looks), ("open",), who, replace(PAIR, student=who, **pair))
    return measuring.score_key(question, library)


def looking(looks: Looks) -> AbstractMetric:
    """A measure that looks at this."""

    @dataclass(frozen=True)
    class Looking(Length):
        looks_at = looks

    Looking.__module__ = Length.__module__  # whose code is in the key
    return Looking("length", "length")


def test_a_model_is_never_its_own_control(small: Small) -> None:
    in_its_place = names(small, "controls", "ash", replace(PAIR, student="ash"))
    assert in_its_place == ["beech", "cedar", "dogwood"]
    assert names(small, "controls") == list(LINEAGES)


def test_a_relative_of_student_or_teacher_is_no_control(tmp_path: Path) -> None:
    controls = [
        {"model": name, "lineage": lineage}
        for name, lineage in zip(LINEAGES, ("student", "teacher", "x", "y"), strict=True)
    ]
    small = scored(tmp_path, controls=controls, metrics={"capa": None})
    assert names(small, "controls") == ["cedar", "dogwood"]


def test_every_role_gets_its_own_answers(small: Small) -> None:
    panel = library_of(small).panel(EVERYTHING, "open", "student", PAIR)
    sides = (panel.student, panel.teacher, panel.side("base"))
    assert [s.model for s in sides] == ["student", "teacher", "base"]
    outputs = [small.plan.find(m, "open") for m in ("student", "teacher", "base")]
    assert [s.keys[0] for s in sides] == [c.key for c in outputs if c]


def test_the_ceiling_is_another_draw_than_the_teacher(small: Small) -> None:
    panel = library_of(small).panel(EVERYTHING, "open", "student", PAIR)
    for role in ("ceiling", "second"):
        assert panel.side(role).model == "teacher"
        assert panel.side(role).outputs.text != panel.teacher.outputs.text


def test_another_version_of_the_teacher_is_a_ceiling_and_no_second_sample(small: Small) -> None:
    pair = replace(PAIR, ceiling="third")
    assert names(small, "ceiling", pair=pair) == ["third"]
    assert names(small, "second", pair=pair) == []


def test_a_control_has_the_lineage_that_the_matrix_states(tmp_path: Path) -> None:
    controls = [{"model": n, "lineage": "one family"} for n in LINEAGES[:2]]
    small = scored(tmp_path, controls=controls, metrics={"capa": None})
    assert {s.lineage for s in seats_of(small)["controls"]} == {"one family"}


def test_only_roles_that_are_looked_at_are_there(small: Small) -> None:
    looks = Looks((View.STYLE,), needs=("teacher",))
    library = library_of(small)
    assert set(library.seats(looks, "open", "student", PAIR)) == {"student", "teacher"}
    assert set(library.panel(looks, "open", "student", PAIR).sides) == {"student", "teacher"}


def test_the_base_is_a_sibling_where_the_pair_says_so(small: Small) -> None:
    pair = replace(PAIR, base_kind="sibling")
    panel = library_of(small).panel(EVERYTHING, "open", "student", pair)
    assert panel.base_kind == "sibling"


@pytest.mark.parametrize("who", ["teacher", "base"])
def test_another_system_prompt_on_either_side_is_refused(tmp_path: Path, who: str) -> None:
    models = {n: {**m, "chat": True} for n, m in MODELS.items()}
    models[who] = {**models[who], "system": "Be brief."}
    metrics, tasks = {"length": None}, {"open": planned_task()}
    small = scored(tmp_path, models=models, metrics=metrics, tasks=tasks)
    reasons = {s.reason for s in small.scores if s.student == "student" and s.teacher}
    assert len(reasons) == 1
    assert f"student and {who} had different system prompts" in reasons.pop()


def planned_task() -> dict[str, Any]:
    return {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}}


def test_controls_take_the_student_s_place_and_the_base_does_not(small: Small) -> None:
    run = small.plan.run
    assert [(p.student, p.base) for p in compared_pairs(run)] == [
        (name, "base") for name in ("student", "second", "third", *LINEAGES)
    ]
    listed = replace(run, controls=(*run.controls, replace(run.controls[0], model="base")))
    assert "base" not in [p.student for p in compared_pairs(listed)]


def test_what_is_said_of_a_model_alone_is_said_once(small: Small) -> None:
    words = Counter((s.student, s.teacher) for s in small.scores if s.metric == "length/words")
    assert words == Counter({(name, ""): 1 for name in MODELS})


def test_every_question_has_an_answer_in_every_task_that_fits(small: Small) -> None:
    rows = Counter(s.metric for s in small.scores if s.teacher)
    assert rows == {"capa": 7, "gap_recovered": 7, "length": 7, "length/rhythm": 7}
    assert {s.task for s in small.scores if s.metric == "capa"} == {"quiz"}


def test_the_code_is_part_of_a_score_s_key(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(small)
    monkeypatch.setattr(measuring, "code_digest", lambda *_, **__: "other code")
    assert key(small) != before


def test_everything_that_a_score_depends_on_is_part_of_its_key(small: Small) -> None:
    run, plan = small.plan.run, small.plan
    others = replace(run, tasks={n: replace(t, minimum=5) for n, t in run.tasks.items()})
    fewer = replace(run, controls=run.controls[1:])
    related = replace(
        run, controls=(replace(run.controls[0], lineage="elsewhere"), *run.controls[1:])
    )
    unlike = {
        "student": key(small, "second"),
        "base": key(small, base="third"),
        "base kind": key(small, base_kind="sibling"),
        "ceiling": key(small, ceiling="third"),
        "seed": key(small, seed=1),
        "minimum": key(replace(small, plan=replace(plan, run=others))),
        "controls": key(replace(small, plan=replace(plan, run=fewer))),
        "lineage": key(replace(small, plan=replace(plan, run=related))),
        "roles": key(small, looks=Looks((View.STYLE,), needs=("teacher",))),
    }
    assert len({key(small), *unlike.values()}) == 1 + len(unlike)


@pytest.mark.parametrize("role", ["base", "second", "controls"])
def test_what_a_measure_does_not_look_at_is_not_in_its_key(small: Small, role: Role) -> None:
    """Other answers of a role change the key of the measures that look at it, and of no others."""
    who = {"base": "base", "second": "teacher", "controls": "ash"}[role]
    cells = tuple(
        replace(c, key=small.plan.collections[0].key)
        if (c.model, c.decoding.sample) == (who, int(role == "second"))
        else c
        for c in small.plan.collections
    )
    changed = replace(small, plan=replace(small.plan, collections=cells))
    seeing = Looks((View.STYLE,), needs=("teacher",), also=(role,))
    blind = Looks((View.STYLE,), needs=("teacher",))
    assert key(changed, looks=seeing) != key(small, looks=seeing)
    assert key(changed, looks=blind) == key(small, looks=blind)


def test_only_what_a_view_shows_is_in_the_key(small: Small) -> None:
    """Grades are in the keys of measures of grades, further samples in those of measures of all samples."""

    def keys(view: View, task: str) -> int:
        looks = Looks((view,))
        return len(library_of(small).inputs(looks, task, "teacher", None))

    assert (keys(View.STYLE, "open"), keys(View.TEXT, "open")) == (2, 3)
    assert (keys(View.CHOICES, "quiz"), keys(View.GRADES, "quiz")) == (2, 3)


def test_keys_are_made_without_reading_an_answer(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a row was read")

    monkeypatch.setattr(Store, "table", refuse)
    library = library_of(small)
    assert all(measuring.score_key(q, library) for q in all_questions(small.plan))


def test_students_are_resampled_alike(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    @dataclass(frozen=True)
    class Drawing(Length):
        def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
            drawn.append(int(rng.integers(1 << 62)))
            return []

    for student in ("student", "second"):
        pair = replace(PAIR, student=student)
        question = Question(Drawing("length", "length"), ("open",), student, pair)
        measuring.measured(question, library_of(small))
    assert drawn[0] == drawn[1]


def test_the_inputs_of_a_score_name_all_sides(small: Small) -> None:
    inputs = library_of(small).inputs(EVERYTHING, "open", "student", PAIR)
    places = [("student", 0), ("teacher", 0), ("base", 0), ("teacher", 1)]
    for model, sample in places:
        planned_cell = small.plan.find(model, "open", sample)
        assert planned_cell is not None
        assert {planned_cell.key, planned_cell.requests_key} <= set(inputs)
    (score_of,) = [
        s
        for s in small.scores
        if (s.metric, s.student, s.teacher) == ("length", "student", "teacher")
    ]
    assert set(score_of.inputs) == set(inputs)


def test_only_whole_measures_can_be_compared_by_prompt(small: Small) -> None:
    by_name = {s.metric: s for s in small.scores if s.student == "student"}
    assert by_name["capa"].influence
    assert not by_name["length/words"].influence


def test_a_second_look_reads_what_the_first_one_stored(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a stored score was computed again")

    monkeypatch.setattr(stage, "measured", refuse)
    assert score(small.plan, small.store).scores == small.scores


def test_a_pair_without_a_base_says_so(tmp_path: Path) -> None:
    pairs = [{"teacher": "teacher", "student": "student"}]
    small = scored(tmp_path, pairs=pairs, controls=[], metrics={"gap_recovered": None})
    assert [(s.reason, s.inputs) for s in small.scores] == [("this pair names no base", ())]


def test_samples_of_a_task_come_in_their_order(tmp_path: Path) -> None:
    plan, store = planned(tmp_path, tasks={"open": {**planned_task(), "samples": 4}})
    library = Library(plan, store)
    for cell in plan.collections:
        store.put(cell.key, empty(), {}, {})
    drawn = [c for c in plan.collections if c.model == "student"]
    drawn.sort(key=lambda c: c.decoding.sample)
    looks = Looks((View.TEXT,))
    keys = [key for c in drawn[:1] for key in (c.key, c.requests_key)] + [c.key for c in drawn[1:]]
    assert library.inputs(looks, "open", "student", None) == keys


def empty() -> Any:
    import pyarrow as pa

    return pa.table({"a": [1]})


def test_what_cannot_be_measured_is_missing_and_not_computed_on_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Question] = []
    honest = measuring.measured

    def broken(question: Question, *rest: Any) -> Any:
        if question.metric.name != "capa":
            return honest(question, *rest)
        asked.append(question)
        raise KeyError("ours")

    plan, store = planned(tmp_path, metrics={"task_score": None, "capa": None})
    collect(plan, store)
    monkeypatch.setattr(stage, "measured", broken)
    scored = score(plan, store)
    assert scored.made.our_fault
    assert {s.reason for s in scored.scores if s.metric == "capa"} == {"KeyError: 'ours'"}
    assert all(s.value is not None for s in scored.scores if s.metric == "task_score")
    assert (
        max(Counter(asked).values()) == 2
    )  # with the others of its job, by itself, and never on reading


def test_thread_pools_are_looked_up_again_only_where_something_was_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(Store(tmp_path), None, lambda news: None)
    first = stage._thread_pools(desk)
    assert stage._thread_pools(desk) is first
    monkeypatch.setitem(sys.modules, "imported_meanwhile", sys)
    assert stage._thread_pools(desk) is not first
