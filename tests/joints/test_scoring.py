"""Who is compared with whom, on what, and under which key: the joints between stored answers and scores."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.panel.panel import Sides
from harness.plan.questions import Question, compared_pairs
from harness.stages import measuring
from harness.stages import score as stage
from harness.stages.collect import collect
from harness.stages.library import Library
from harness.stages.score import score
from harness.types import Pair
from tests.joints.small import LINEAGES, MODELS, Small, planned, scored

PAIR = Pair("teacher", "student", "base")


def sides_of(small: Small, student: str = "student", pair: Pair = PAIR) -> Sides:
    return Library(small.plan, small.store).sides("open", student, pair)


def key(small: Small, who: str = "student", **changes: Any) -> str:
    """The key of a score of one pair, with changes to what it is made from."""
    metric = small.plan.run.metrics["capa"]
    pair = replace(PAIR, student=who)
    sides = replace(sides_of(small, who, pair), **changes)
    return measuring.score_key(Question(metric, ("open",), who, pair), [sides], 0)


def test_a_model_is_never_its_own_control(small: Small) -> None:
    in_its_place = sides_of(small, "ash", replace(PAIR, student="ash"))
    assert [s.model for s in in_its_place.controls] == ["beech", "cedar", "dogwood"]
    assert [s.model for s in sides_of(small).controls] == list(LINEAGES)


def test_others_are_those_without_a_role(small: Small) -> None:
    assert [s.model for s in sides_of(small).others] == ["second", "third"]


def test_every_role_gets_its_own_answers(small: Small) -> None:
    one = sides_of(small)
    assert one.teacher is not None
    assert one.base is not None
    assert (one.student.model, one.teacher.model, one.base.model) == ("student", "teacher", "base")
    outputs = [small.plan.find(m, "open") for m in ("student", "teacher", "base")]
    assert [s.keys[0] for s in (one.student, one.teacher, one.base)] == [
        c.key for c in outputs if c
    ]


def test_the_ceiling_is_another_draw_than_the_teacher(small: Small) -> None:
    one = sides_of(small)
    assert one.ceiling is not None
    assert one.teacher is not None
    assert one.ceiling.model == "teacher"
    assert one.ceiling.outputs.text != one.teacher.outputs.text


def test_a_control_has_the_lineage_that_the_matrix_states(tmp_path: Path) -> None:
    controls = [{"model": n, "lineage": "one family"} for n in LINEAGES[:2]]
    small = scored(tmp_path, controls=controls, metrics={"capa": None})
    assert {s.lineage for s in sides_of(small).controls} == {"one family"}


def test_the_base_is_a_sibling_where_the_pair_says_so(small: Small) -> None:
    assert sides_of(small, pair=replace(PAIR, base_kind="sibling")).base_kind == "sibling"


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
    assert rows == {"capa": 7, "gap_recovered": 7, "length": 7}
    assert {s.task for s in small.scores if s.metric == "capa"} == {"quiz"}


def test_the_code_is_part_of_a_score_s_key(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(small)
    monkeypatch.setattr(measuring, "code_digest", lambda *_, **__: "other code")
    assert key(small) != before


def test_everything_that_a_score_depends_on_is_part_of_its_key(small: Small) -> None:
    one = sides_of(small)
    assert one.base is not None
    assert one.ceiling is not None
    changed: list[dict[str, Any]] = [
        {"base": replace(one.base, keys=("other",))},
        {"ceiling": replace(one.ceiling, keys=("other",))},
        {"student": replace(one.student, lineage="other")},
        {"controls": one.controls[1:]},
        {"others": ()},
        {"minimum": 5},
        {"base_kind": "sibling"},
        {"ceiling_kind": "other_version"},
    ]
    keys = [key(small), key(small, "second"), *(key(small, **change) for change in changed)]
    assert len(set(keys)) == len(keys)
    assert (
        measuring.score_key(
            Question(small.plan.run.metrics["capa"], ("open",), "student", PAIR), [one], 1
        )
        not in keys
    )


def test_students_are_resampled_alike(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    class Metric:
        name = "m"

        def found(self, sides: object, rng: np.random.Generator) -> list[object]:
            drawn.append(int(rng.integers(1 << 62)))
            return []

    for student in ("student", "second"):
        question = SimpleNamespace(metric=Metric(), student=student)
        measuring.measured(question, [sides_of(small)], 7)  # type: ignore[arg-type]
    assert drawn[0] == drawn[1]


def test_the_inputs_of_a_score_name_all_sides(small: Small) -> None:
    one = sides_of(small)
    named = measuring._inputs([one])
    assert one.base is not None
    assert one.ceiling is not None
    for side in (one.student, one.teacher, one.base, one.ceiling):
        assert side is not None
        assert set(side.keys) <= set(named)


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
    assert [s.reason for s in small.scores] == ["this pair names no base"]


def test_samples_of_a_task_come_in_their_order(tmp_path: Path) -> None:
    plan, store = planned(tmp_path, tasks={"open": {**planned_task(), "samples": 4}})
    library = Library(plan, store)
    for cell in plan.collections:
        store.put(cell.key, empty(), {}, {})
    drawn = [c for c in plan.collections if c.model == "student"]
    drawn.sort(key=lambda c: c.decoding.sample)
    assert library._further("student", "open") == [c.key for c in drawn[1:]]


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
