"""Multiple-choice questions with known right answers, with or without their text, for recorded predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from harness.files.find import columns_of, content_digest, find_file, rows_of
from harness.keys import digest, place
from harness.tasks import AbstractTask, Setting
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


@final
@dataclass(frozen=True)
class ChoicesTask(AbstractTask):
    """Every different question of a file, in its order; a file may hold one row per model and question."""

    file: str = place("")  # relative to a folder of tasks, or to paths.data
    # question, answer, n_options, category, cluster, text
    columns: dict[str, str] = field(default_factory=dict)
    # column -> value or values of the rows to take
    where: dict[str, Any] = field(default_factory=dict)

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
        try:
            find_file(self.file, setting.paths)
        except DistillbenchError as error:
            return [f"task {self.name}: {error}"]
        return []

    def requests(self, setting: Setting) -> RequestSet:
        """One request per different question; its context is the question's key."""
        path = find_file(self.file, setting.paths)
        rows = rows_of(path, self.where, columns_of(self.columns, _COLUMNS, _REQUIRED))
        questions, notes = _questions(self.name, rows)
        kept = dict(list(questions.items())[: setting.limit])
        return RequestSet(
            task=self.name,
            prompts=tuple(_prompt(self.name, key, row) for key, row in kept.items()),
            requests=tuple(
                Request(prompt=i, kind="choose", context=key) for i, key in enumerate(kept)
            ),
            chat=setting.chat,
            version=content_digest(self.file, setting.paths)[:12],
            yields=("grades", "choices"),
            notes=notes,
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
        return Grades(
            (GradeColumn("", "acc", "none", "higher", prompt, value, float(value.mean())),)
        )


def _questions(
    name: str, rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Question key -> its first row with `gold`, for questions with one right answer; and what was dropped."""
    known: dict[str, dict[str, Any]] = {}
    differ = set[str]()
    for row in rows:
        if row["question"] is None:
            continue
        key, gold = str(row["question"]), _gold(row["answer"], row["n_options"])
        first = known.setdefault(key, {**row, "gold": gold})
        if (first["gold"], first["n_options"]) != (gold, row["n_options"]):
            differ.add(key)
    none = {k for k, r in known.items() if r["gold"] is None and k not in differ}
    kept = {k: r for k, r in known.items() if k not in differ | none}
    if not kept:
        seen = rows[0]["answer"], rows[0]["n_options"]
        raise DistillbenchError(
            f"task {name}: expected right answers as letters or as indices from 0, below the number of options; "
            f"got none in {len(rows)} rows (the first has answer {seen[0]!r} of {seen[1]!r} options)"
        )
    notes = (
        [f"{len(differ)} questions dropped: their right answer differs between rows"]
        if differ
        else []
    )
    notes += (
        [f"{len(none)} questions dropped: their right answer is none of their options"]
        if none
        else []
    )
    return kept, tuple(notes)


def _gold(answer: Any, n_options: Any) -> int | None:
    """Index of the right option, given as a letter or as an index from 0; None where that is not an option."""
    if answer is None or not isinstance(n_options, int):
        return None
    text = str(answer).strip()
    index = (
        int(text) if text.isdecimal() else ord(text.upper()) - ord("A") if len(text) == 1 else -1
    )
    return index if 0 <= index < n_options else None


def _prompt(name: str, key: str, row: Mapping[str, Any]) -> Prompt:
    prompt_id = digest(name, key)
    cluster = prompt_id if row.get("cluster") is None else f"cluster {row['cluster']}"
    text = str(row["text"]) if row.get("text") is not None else f"question {key}"
    category = "" if row.get("category") is None else str(row["category"])
    return Prompt(prompt_id, text, cluster, category, int(row["n_options"]), int(row["gold"]))
