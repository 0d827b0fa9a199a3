"""Multiple-choice questions with known right answers, with or without their text, for recorded predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, final

import numpy as np

from harness.files.find import (
    columns_of,
    content_digest,
    file_faults,
    find_file,
    reads_at_once,
    rows_of,
)
from harness.keys import digest, place
from harness.tasks import AbstractTask, Setting
from harness.text.labels import Label, first_number, in_words, label_text
from harness.types import (
    DistillbenchError,
    GradeColumn,
    Grades,
    Outputs,
    Prompt,
    Request,
    RequestSet,
    Unavailable,
)

_COLUMNS = ("question", "answer", "n_options", "category", "cluster", "text")
_REQUIRED = ("question", "answer", "n_options")
_FIRST = {"auto": None, "from_0": 0, "from_1": 1}


@final
@dataclass(frozen=True)
class ChoicesTask(AbstractTask):
    """Every different question of a file, in its order; a file may hold one row per model and question."""

    file: str = place("")  # relative to a folder of tasks, or to paths.data
    # question, answer, n_options, category, cluster, text
    columns: dict[str, str] = field(default_factory=dict)
    # column -> value or values of the rows to take
    where: dict[str, Any] = field(default_factory=dict)
    # how options with numbers for labels are counted, in right answers and predictions; auto = as the right answers
    # tell, else the predictions of each model
    labels: Literal["auto", "from_0", "from_1"] = "auto"

    def __post_init__(self) -> None:
        if not self.file:
            raise DistillbenchError(
                "key file: expected the name of a JSONL, JSON, CSV or Parquet file, got none"
            )
        columns_of(self.columns, _COLUMNS, _REQUIRED)

    def contents(self, setting: Setting) -> Mapping[str, str]:
        """The file."""
        return {"file": content_digest(self.file, setting.paths)}

    def faults(self, setting: Setting) -> list[str]:
        """A file that is not there."""
        return [f"task {self.name}: {fault}" for fault in file_faults(self.file, setting.paths)]

    def at_once(self, setting: Setting) -> bool:
        """Whether the file is small and lies on this machine."""
        return reads_at_once(self.file, setting.paths)

    def requests(self, setting: Setting) -> RequestSet:
        """One request per different question; its context is the question's key."""
        path = find_file(self.file, setting.paths)
        rows = rows_of(path, self.where, columns_of(self.columns, _COLUMNS, _REQUIRED))
        read = _read(self.name, rows, _FIRST[self.labels])
        questions = dict(list(read.questions.items())[: setting.limit])
        return RequestSet(
            task=self.name,
            prompts=tuple(_prompt(self.name, key, q) for key, q in questions.items()),
            requests=tuple(
                Request(
                    prompt=i,
                    kind="choose",
                    context=key,
                    n_options=question.n_options,
                    first_number=read.first_number,
                )
                for i, (key, question) in enumerate(questions.items())
            ),
            chat=setting.chat,
            version=content_digest(self.file, setting.paths)[:12],
            yields=("grades", "choices"),
            notes=(*_labels_told(list(questions.values())), *read.dropped),
        )

    def grade(self, requests: RequestSet, outputs: Outputs, setting: Setting) -> Grades:
        """Accuracy; a question without an extractable answer is wrong, one that was never asked is left out."""
        rows = [row for row, answered in enumerate(outputs.answered) if answered]
        if not rows:
            raise Unavailable(f"none of {len(requests.requests)} questions has an answer")
        prompt = np.array(
            [requests.requests[int(outputs.request[row])].prompt for row in rows], dtype=np.int64
        )
        value = np.array(
            [
                outputs.choice[row] == requests.prompts[p].gold
                for row, p in zip(rows, prompt, strict=True)
            ],
            np.float64,
        )
        chosen = [outputs.choice[row] for row in rows]
        answers = tuple(None if option is None else str(option) for option in chosen)
        share = float(value.mean())
        column = GradeColumn("", "acc", "none", "higher", prompt, value, share, "", answers)
        return Grades((column,))


class _Question(NamedTuple):
    """A question and its right answer."""

    row: Mapping[str, Any]  # the first that it stands in
    label: (
        Label | None
    )  # None = neither a letter nor a number, or the number of options is not known
    gold: int | None = None  # index of the right option; None = it is none of them

    @property
    def n_options(self) -> int:
        """Number of options."""
        return self.label.n_options if self.label else 0


class _Read(NamedTuple):
    """The questions of a file, by their keys."""

    questions: dict[str, _Question]
    first_number: (
        int | None
    )  # of options that have numbers; None = none of the right answers is a number
    dropped: tuple[str, ...]  # what was left out of the file, and why


def _read(name: str, rows: Sequence[Mapping[str, Any]], first: int | None) -> _Read:
    """Questions with one right answer that is one of their options."""
    labelled = [
        (str(r["question"]), _Question(r, _label(r))) for r in rows if r["question"] is not None
    ]
    labels = [q.label for _, q in labelled if q.label]
    if first is None:
        try:
            first = first_number(labels)
        except ValueError as error:
            raise DistillbenchError(f"task {name}: right answers are numbers {error}") from None
    known: dict[str, _Question] = {}
    differ = set[str]()
    for key, question in labelled:
        gold = question.label.option(first) if question.label else None
        first_asked = known.setdefault(key, question._replace(gold=gold))
        if (first_asked.gold, first_asked.n_options) != (gold, question.n_options):
            differ.add(key)
    none = {k: q for k, q in known.items() if q.gold is None and k not in differ}
    usable = {k: q for k, q in known.items() if k not in differ and k not in none}
    dropped = _dropped(len(differ), list(none.values()))
    if not usable:
        raise DistillbenchError(
            f"task {name}: expected right answers as letters or numbers, each one of its question's options; got none "
            f"in {len(rows)} rows: {'; '.join(dropped) or 'no row has a question'}"
        )
    return _Read(usable, first, tuple(dropped))


def _labels_told(asked: Sequence[_Question]) -> list[str]:
    """How the right answers of the questions are labelled, where some are numbers."""
    labels = [q.label for q in asked if q.label]
    if all(label.number is None for label in labels):
        return []
    return [f"labels {in_words(labels)}, {len(asked)} questions"]


def _label(row: Mapping[str, Any]) -> Label | None:
    """The right answer of a row."""
    try:
        text, n_options = label_text(row["answer"]), label_text(row["n_options"])
    except ValueError:
        return None
    if text is None or n_options is None or not n_options.isdecimal():
        return None
    return Label(text, int(n_options))


def _dropped(differ: int, none: Sequence[_Question]) -> list[str]:
    notes = (
        [f"{differ} questions dropped: their right answer differs between rows"] if differ else []
    )
    if none:
        row = none[0].row
        notes.append(
            f"{len(none)} questions dropped: their right answer is none of their options (the first: "
            f"{row['answer']!r} of {row['n_options']!r} options)"
        )
    return notes


def _prompt(name: str, key: str, question: _Question) -> Prompt:
    prompt_id, row = digest(name, key), question.row
    cluster = prompt_id if row.get("cluster") is None else f"cluster {row['cluster']}"
    text = str(row["text"]) if row.get("text") is not None else f"question {key}"
    category = "" if row.get("category") is None else str(row["category"])
    return Prompt(prompt_id, text, cluster, category, question.n_options, question.gold)
