"""Plug-ins of a user's own, one of every kind, as they would stand in a folder outside the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

METRIC = '''"""Share of replies that are as long as the teacher's, to the word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import align_texts
from harness.types import Better, Finding, Mean

from ._counting import words


@final
@dataclass(frozen=True)
class AsLong(AbstractMetric):
    """Share of replies of the student that have as many words as the teacher's."""

    slack: int = 3  # words

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    looks_at: ClassVar[Looks] = Looks((View.STYLE,), needs=("teacher",))
    explanation: ClassVar[str] = "How often the student's reply is as long as its teacher's."

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The share."""
        everyone = align_texts(panels[0])
        student, teacher = (words(everyone[r].texts) for r in ("student", "teacher"))
        same = (np.abs(student - teacher) <= self.slack).astype(float)
        return [Finding(Mean(same, everyone.ids, everyone.clusters))]
'''

HELPER = '''"""Counting."""

import numpy as np


def words(texts):
    """Words of every text."""
    return np.array([len(t.split()) for t in texts])
'''

MODEL = '''"""A model that repeats what it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np

from harness.models import AbstractModel, BatchedSession, Facts, Offer
from harness.types import Decoding, Outputs, Paths, Request


class _Session(BatchedSession):
    def __init__(self, word: str) -> None:
        self._word = word

    def batches(self, ask):
        return [list(range(len(ask.requests)))]

    def answer_batch(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        n = len(requests)
        none = (None,) * n
        texts = tuple(f"{self._word} {r.context}" for r in requests)
        return Outputs(
            np.arange(n), ("generate",) * n, np.ones(n, np.int64), texts, ("eos",) * n,
            np.full(n, np.nan), none, none, (True,) * n,
        )


@final
@dataclass(frozen=True)
class Echo(AbstractModel):
    """Repeats the question after a word."""

    word: str = "Well,"

    def offers(self) -> frozenset[Offer]:
        return frozenset({"generate"})

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[_Session]:
        yield _Session(self.word)
'''

TASK = '''"""Sums to think about, open-ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from harness.keys import digest
from harness.tasks import AbstractTask, Setting
from harness.types import Prompt, Request, RequestSet


@final
@dataclass(frozen=True)
class Sums(AbstractTask):
    """Asks what i and i are."""

    n: int = 30

    def requests(self, setting: Setting) -> RequestSet:
        ids = [digest(self.name, i) for i in range(min(self.n, setting.limit or self.n))]
        prompts = tuple(Prompt(p, f"What are {i} and {i}?", p, "") for i, p in enumerate(ids))
        requests = tuple(Request(i, "generate", p.text) for i, p in enumerate(prompts))
        return RequestSet(self.name, prompts, requests, False, "1", ("text", "style"))
'''

FIGURE = '''"""How many rows the leaderboard has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Dot, Dots, Drawing, RowName, Rows, numbers_of


@final
@dataclass(frozen=True)
class Places(AbstractFigure):
    """A dot per row."""

    title: ClassVar[str] = "Places of my own"
    caption: ClassVar[str] = "The place of each model in the table."
    order: ClassVar[int] = 90

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        if not board.rows:
            return None
        labels = [r.subject.label for r in board.rows]
        dots = tuple(Dot(float(y), y) for y in range(len(labels)))
        numbers = numbers_of(["Model", "Place"], [[x, str(i)] for i, x in enumerate(labels)])
        return Drawing((Dots("student", dots),), Rows(tuple(map(RowName, labels)), "Place"), numbers)
'''

EXPORTER = '''"""names.txt: the models of the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from harness.board.board import Board
from harness.exports import AbstractExporter


@final
@dataclass(frozen=True)
class Names(AbstractExporter):
    """names.txt: the models of the run."""

    def export(self, board: Board, folder: Path) -> None:
        (folder / "names.txt").write_text("\\n".join(board.record.models), encoding="utf-8")
'''

EXECUTOR = '''"""One job after another, here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from harness.console.progress import Stage
from harness.executors import AbstractExecutor, Desk, Ended, Job
from harness.executors._boundary import carry_out


@final
@dataclass(frozen=True)
class Plain(AbstractExecutor):
    """One job after another, here."""

    log: str = ""  # a file that says what was done

    @property
    def at_once(self) -> int:
        return 1

    def run(self, jobs: Sequence[Job], desk: Desk, shown: Stage) -> list[Ended]:
        ended, waiting = [], list(jobs)
        while ready := [j for j in waiting if j.may_start(desk.store)]:
            waiting.remove(ready[0])
            ended.append(carry_out(ready[0], desk))
            if self.log:
                with open(self.log, "a") as file:
                    print(ready[0].doing, file=file)
        return ended
'''

TRACKER = '''"""A file with a number a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import ClassVar, final

from harness.trackers import AbstractTracker, Told


@final
@dataclass(frozen=True)
class Lines(AbstractTracker):
    """A file with a run a line."""

    file: str = "told.jsonl"

    package: ClassVar[str] = "json"

    def track(self, told: Told) -> None:
        with open(self.file, "a") as file:
            print(json.dumps(asdict(told)), file=file)
'''

FILES = {
    "metrics/as_long.py": METRIC,
    "metrics/_counting.py": HELPER,
    "models/echo.py": MODEL,
    "tasks/sums.py": TASK,
    "figures/places.py": FIGURE,
    "exports/names.py": EXPORTER,
    "executors/plain.py": EXECUTOR,
    "trackers/lines.py": TRACKER,
}


ECHOES: dict[str, dict[str, Any]] = {
    "teacher": {"kind": "echo"},
    "student": {"kind": "echo", "word": "Oh"},
    "wordy": {"kind": "echo", "word": "I do not know what to say about"},
    "base": {"kind": "echo", "word": "Hm,"},
}
MATRIX: dict[str, Any] = {
    "models": ECHOES,
    "tasks": {"sums": None},
    "metrics": {"as_long": {"slack": 0}, "length": None},
    "pairs": [{"teacher": "teacher", "student": s, "base": "base"} for s in ("student", "wordy")],
    "controls": [],
}


def write_plugins(folder: Path, *names: str) -> Path:
    """The folder with these files, all of them where none is named."""
    for name in names or FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name])
    return folder
