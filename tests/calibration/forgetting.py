"""How often a planted loss is found, and a loss is claimed where there is none, on stored answers of the zoo.

python tests/calibration/forgetting.py REPORT > tests/calibration/forgetting.md    (report folder of matrix=zoo)

A stored model, each student in turn, is the base. Nothing lost: its own answers, of which 5 of 100 prompts on average
turn from right to wrong and as many from wrong to right. Then right answers are turned wrong: 5 and 20 of 100 prompts,
and as many as the comparison says that it would find. Alone: one such student and task; in the run: as many students
and tasks as the stored run has, of which one loses on one task, so that Holm's correction is that of a whole run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.board.claims import outcome
from harness.board.comparisons import changes
from harness.board.record import Change, RunRecord
from harness.board.saved import read_record
from harness.types import Floats, Pair, Score

DRAWS = 200
METRIC = "task_score"
FEWEST = 80  # prompts of a task; with fewer a loss of one prompt more is too large a step
Rng = np.random.Generator
CHURN = 0.05  # of prompts, each way
Key = tuple[str, str]  # student, task


def stored(record: RunRecord) -> dict[str, list[Score]]:
    """Task -> the students' scores on it, where it is of right and wrong and has enough prompts."""
    students = {p.student for p in record.pairs}
    found: dict[str, list[Score]] = {}
    for s in record.scores:
        is_own = s.metric == METRIC and s.student in students and "/" not in s.task
        if is_own and s.n >= FEWEST and set(s.influence.values()) == {0.0, 1.0}:
            found.setdefault(s.task, []).append(s)
    return found


def right_of(score: Score) -> Floats:
    """1 where the model is right (P,), sorted by prompt."""
    return np.array([score.influence[p] for p in sorted(score.influence)])


def as_model(score: Score, model: str, right: Floats) -> Score:
    """The same score as another model's, with other answers."""
    values = dict(zip(sorted(score.influence), right.tolist(), strict=True))
    return replace(score, student=model, influence=values, value=float(right.mean()))


def unchanged(right: Floats, rng: Rng) -> Floats:
    """Answers that neither gained nor lost on average."""
    share = min(CHURN, right.mean() / 2, (1 - right.mean()) / 2)
    answers = right.copy()
    for value in (0.0, 1.0):
        places = np.flatnonzero(right == value)
        n = min(int(rng.binomial(len(right), share)), len(places))
        answers[rng.choice(places, n, replace=False)] = 1 - value
    return answers


def planted(right: Floats, share: float, rng: Rng) -> Floats | None:
    """The answers with so many prompts lost; None where fewer are right."""
    n = round(share * len(right))
    places = np.flatnonzero(right > 0)
    if len(places) < n:
        return None
    lost = right.copy()
    lost[rng.choice(places, n, replace=False)] = 0
    return lost


def change_of(bases: Mapping[str, Score], answers: Mapping[Key, Floats], key: Key) -> Change:
    """What is said of one student on one task, all the given answers being in its family."""
    scores = [as_model(bases[task], model, right) for (model, task), right in answers.items()]
    scores += [as_model(bases[t], "base", right_of(bases[t])) for t in {t for _, t in answers}]
    pairs = tuple(Pair("teacher", model, "base") for model in dict.fromkeys(m for m, _ in answers))
    made = changes(scores, pairs, set())
    return next(c for c in made if (c.student, c.task, c.against) == (*key, "base"))


@dataclass
class Tally:
    """What was found in the draws of a row."""

    alarms: int = 0
    found: int = 0
    five: int = 0
    twenty: int = 0
    draws: int = 0
    stated: float = 0.0

    def add(self, bases: Mapping[str, Score], task: str, students: int, rng: Rng) -> None:
        """One draw; the bases of all tasks of the family, the task on which the first student loses."""
        keys = [(f"student {i}", t) for i in range(students) for t in bases]
        answers = {k: unchanged(right_of(bases[k[1]]), rng) for k in keys}
        key = ("student 0", task)
        before = change_of(bases, answers, key)
        said = [before]
        if before.detectable is None:
            return
        for share in (before.detectable, 0.05, 0.2):
            lost = planted(answers[key], share, rng)
            if lost is None:
                return
            said.append(change_of(bases, {**answers, key: lost}, key))
        worse = [outcome(c) == "worse" for c in said]
        self.alarms += worse[0]
        self.found += worse[1]
        self.five += worse[2]
        self.twenty += worse[3]
        self.stated += before.detectable
        self.draws += 1

    def __str__(self) -> str:
        n = max(self.draws, 1)
        shares = (self.found / n, self.five / n, self.twenty / n)
        words = " | ".join(f"{x:.2f}" for x in shares)
        return f"{100 * self.stated / n:.1f} | {self.alarms} of {self.draws} | {words}"


def main(folder: str) -> None:
    """Prints the page."""
    record = read_record(Path(folder))
    models = stored(record)
    students = len({p.student for p in record.pairs})
    print("# Forgetting: planted losses\n")
    print(
        "Written by `python tests/calibration/forgetting.py REPORT` on stored answers of `matrix=zoo`."
    )
    print(
        f"{DRAWS} draws a row. The bars: .72 to .88 found at the stated loss, at most 19 of 200 alarms.\n"
    )
    heads = (
        "stated loss, points",
        "alarms, nothing lost",
        "found: stated",
        "5 points",
        "20 points",
    )
    print(
        f"| task | prompts | family | {' | '.join(heads)} |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for task, own in sorted(models.items()):
        for words, tasks, crowd in (
            ("alone", [task], 1),
            (f"in the run, {students} students x {len(models)} tasks", sorted(models), students),
        ):
            rng, tally = np.random.default_rng(len(task) + crowd), Tally()
            for i in range(DRAWS):
                bases = {t: models[t][i % len(models[t])] for t in tasks}
                tally.add(bases, task, crowd, rng)
            print(f"| {task} | {own[0].n} | {words} | {tally} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
