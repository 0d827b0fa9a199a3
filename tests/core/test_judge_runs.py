"""A judge in a whole run of fakes: who is asked, what is scored, and what the reader is warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.stages.ask import ask
from harness.stages.run import DONE, Outcome, execute
from harness.store.store import Store
from harness.store.tables import requests_from_table
from tests.core.running import FAKES, matrix, run_of

NOWHERE = Path("nowhere.csv")
PROMPTS = 40


def judged(tmp_path: Path, model: dict[str, Any] | None = None, **fields: Any) -> Outcome:
    """The outcome of a run in which a model judges student against teacher and base."""
    task = {
        "kind": "judge",
        "answers_to": "open",
        "judge": "judge",
        "first": ["student"],
        "second": ["teacher", "base"],
    }
    run = run_of(
        tmp_path,
        models={
            **FAKES,
            **({"judge": {"kind": "fake", "chat": True, **model}} if model is not None else {}),
        },
        tasks={**matrix()["tasks"], "judged": task | fields},
        metrics={"task_score": None, "judged": None},
    )
    return execute(run, NOWHERE, alone=True)


def contexts(tmp_path: Path, judge: dict[str, Any]) -> list[str]:
    """What the judge is asked, in the order of its requests."""
    task = {
        "kind": "judge",
        "answers_to": "open",
        "judge": "judge",
        "first": ["student"],
        "second": ["teacher", "base"],
    }
    models = {**FAKES, "judge": {"kind": "fake", "chat": True, **judge}}
    run = run_of(tmp_path, models=models, tasks={**matrix()["tasks"], "judged": task})
    store = Store(run.paths.results)
    planned = ask(run, store).find("judge", "judged")
    assert planned is not None
    requests = requests_from_table(store.table(planned.requests_key))
    asked = [r.context for r in requests.requests if not isinstance(r.context, str)]
    return ["\n".join(f"{m.role}: {m.content}" for m in turns) for turns in asked]


def longer(context: str) -> str:
    """The verdict of a judge that likes the longer reply."""
    a, b = (context.split(f"<reply_{x}>\n")[1].split(f"\n</reply_{x}>")[0] for x in "ab")
    return "A" if len(a) > len(b) else "B" if len(b) > len(a) else "TIE"


def test_a_judge_that_likes_length(tmp_path: Path) -> None:
    first = judged(tmp_path, {})
    assert first.code == DONE
    asked = contexts(tmp_path, {})
    assert len(asked) == 2 * 2 * PROMPTS
    outcome = judged(tmp_path, {"answers": {c: longer(c) for c in asked}})
    assert outcome.record is not None
    # Each prompt's two requests follow one another: the first one shows the student as A.
    verdicts = [longer(c) for c in asked[: 2 * PROMPTS : 2]]
    points = sum({"A": 1.0, "TIE": 0.5, "B": 0.0}[v] for v in verdicts) / PROMPTS
    scores = {
        (s.metric, s.student, s.teacher): s for s in outcome.record.scores if s.task == "judged"
    }
    assert scores["judged/retention", "student", "teacher"].value == points
    assert scores["judged/disagreement", "student", "teacher"].value == 0
    assert scores["judged/unreadable", "student", "teacher"].value == 0
    assert (
        scores["judged", "other", "teacher"].reason
        == "the judge was not asked to compare other with teacher"
    )
    assert not [w for w in outcome.record.warnings if "the judge" in w]


def test_a_fake_that_babbles_is_no_judge(tmp_path: Path) -> None:
    outcome = judged(tmp_path, {})
    assert outcome.record is not None
    scores = {
        s.metric: s for s in outcome.record.scores if (s.task, s.student) == ("judged", "student")
    }
    assert scores["judged/unreadable"].value == 1
    assert (
        scores["judged/retention"].reason
        == "0 of 40 prompts with a verdict; at least 20 are needed"
    )


def test_only_the_judge_judges_and_it_is_asked_nothing_else(tmp_path: Path) -> None:
    outcome = judged(tmp_path, {})
    assert outcome.record is not None
    assert [c.task for c in outcome.record.collections if c.model == "judge"] == ["judged"]
    assert [c.model for c in outcome.record.collections if c.task == "judged"] == ["judge"]
    assert "judge" not in {s.student for s in outcome.record.scores}
    # the judge's chat asks for no second set
    assert outcome.record.tasks["open"]["chat"] == "plain text"


def test_a_judge_of_the_family_is_warned_of(tmp_path: Path) -> None:
    outcome = judged(tmp_path, judge="teacher")
    assert outcome.record is not None
    told = (
        "judged: the judge, teacher, is itself one of those compared; its verdicts may favour it."
    )
    assert told in outcome.record.warnings
    assert {c.task for c in outcome.record.collections if c.model == "teacher"} == {
        "open",
        "quiz",
        "judged",
    }
    relative = judged(tmp_path / "two", judge="other", first=["student"], second=["teacher"])
    assert relative.record is not None
    assert not [w for w in relative.record.warnings if "the judge" in w]


def test_a_relative_of_the_teacher_is_warned_of(tmp_path: Path) -> None:
    models = {
        **FAKES,
        "teacher": {**FAKES["teacher"], "lineage": "big"},
        "judge": {"kind": "fake", "lineage": "big"},
    }
    task = {
        "kind": "judge",
        "answers_to": "open",
        "judge": "judge",
        "first": ["student"],
        "second": ["teacher"],
    }
    run = run_of(
        tmp_path,
        models=models,
        tasks={**matrix()["tasks"], "judged": task},
        metrics={"judged": None},
    )
    outcome = execute(run, NOWHERE, alone=True)
    assert outcome.record is not None
    told = "judged: the judge, judge, is of one lineage with teacher; its verdicts may favour it."
    assert told in outcome.record.warnings
