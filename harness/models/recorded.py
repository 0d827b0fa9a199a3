"""Recorded answers as a model: a file is read instead of asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from harness.files.hashes import file_sha256
from harness.keys import digest, place
from harness.models import AbstractModel, Ask, BatchedSession, Facts, Offer
from harness.models._batches import slices
from harness.models._recorded_answers import Answer, AnswerBook, beginning
from harness.models._recorded_choices import chosen
from harness.models._recorded_formats import (
    COLUMNS,
    Source,
    format_of,
    found_files,
    read_answers,
    stamp,
)
from harness.schema import unknown
from harness.types import Decoding, DistillbenchError, Kind, Outputs, Paths, Request

_TEXT: frozenset[Kind] = frozenset({"generate"})
_ALL: frozenset[Kind] = frozenset({"generate", "score", "read"})


@final
@dataclass(frozen=True)
class RecordedModel(AbstractModel):
    """A model of which only recorded answers are available.

    `{name}` in `file`, `prompts_file` and `where` stands for the model's name in the configuration, so that one
    description serves many models.
    """

    version = 1
    file: str = place("")  # file or folder, relative to paths.data
    format: Literal["auto", "alpaca_eval", "lm_eval_samples", "table", "openai_batch"] = "auto"
    # prompt, answer, choice, sample, system -> column
    columns: dict[str, str] = field(default_factory=dict)
    # column -> value, or list of values, of this model's rows
    where: dict[str, Any] = place(default_factory=dict)
    # openai_batch: the batch's input file; without it custom_id is the prompt or its id
    prompts_file: str | None = place(None)

    def __post_init__(self) -> None:
        if not self.file:
            raise DistillbenchError(
                "key file is missing; expected a file or folder of answers, relative to paths.data"
            )
        wrong = [f"key columns: {unknown(c, COLUMNS)}" for c in self.columns if c not in COLUMNS]
        if wrong:
            raise DistillbenchError("; ".join(wrong))

    def contents(self, paths: Paths) -> Mapping[str, str]:
        """The files with the way they are read, and `where` with the model's name put in."""
        source = self._located(paths)
        read = sorted((file_sha256(p, paths.cache), p.suffix) for p in source.files)
        prompts = file_sha256(source.prompts_file, paths.cache) if source.prompts_file else ""
        return {
            "file": digest(source.format, read),
            "where": digest(source.where),
            "prompts_file": prompts,
        }

    def offers(self) -> frozenset[Offer]:
        """Kinds of answer that a file of this format and name may hold; what it does hold is known once read."""
        if self.columns and self.format in ("auto", "table"):
            named: dict[str, Kind] = {"answer": "generate", "choice": "choose"}
            return frozenset(kind for role, kind in named.items() if role in self.columns) or _TEXT
        by_ending = self.format == "auto" and Path(self.file).suffix in ("", ".jsonl")
        return _ALL if by_ending or self.format == "lm_eval_samples" else _TEXT

    def faults(self, paths: Paths) -> list[str]:
        """What is wrong with the file; it is read whole."""
        try:
            _book(self._located(paths))
        except DistillbenchError as error:
            return [f"model {self.name}: {error}"]
        return []

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[RecordedSession]:
        """The answers of the file."""
        source = self._located(paths)
        yield RecordedSession(self, source.format, _book(source))

    def _located(self, paths: Paths) -> Source:
        """What to read, found under paths.data."""
        path = self._placed(self.file, paths)
        files = found_files(path, self.format)
        format_ = format_of(files[0], self.columns) if self.format == "auto" else self.format
        where = tuple((k, self._named(v)) for k, v in sorted(self.where.items()))
        prompts = self._placed(self.prompts_file, paths) if self.prompts_file else None
        stamps = tuple(stamp(f) for f in (*files, *([prompts] if prompts else [])))
        columns = tuple(sorted(self.columns.items()))
        return Source(files, format_, columns, where, prompts, stamps)

    def _placed(self, file: str, paths: Paths) -> Path:
        path = Path(str(self._named(file))).expanduser()
        if not path.is_absolute() and paths.data is None:
            raise DistillbenchError(
                f"file {file}: paths.data is not set; add paths.data=DIR, the folder it lies in"
            )
        return path if paths.data is None else paths.data / path

    def _named(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._named(v) for v in value)
        return value.replace("{name}", self.name) if isinstance(value, str) else value


@final
class RecordedSession(BatchedSession):
    """The answers of a file, looked up by request."""

    def __init__(self, model: RecordedModel, format_: str, book: AnswerBook) -> None:
        self._model, self._format, self._book = model, format_, book
        self._labels = ""  # how the labels of the options were read that came last

    def batches(self, ask: Ask) -> list[list[int]]:
        """One batch: looking up answers takes no time worth saving."""
        return slices(len(ask.requests), max(len(ask.requests), 1))

    def answer_batch(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """What the file holds for these requests; a row without an answer is empty and not `answered`."""
        pairs = list(zip(requests, prompt_ids, strict=True))
        draws = [self._book.draws(request, prompt_id) for request, prompt_id in pairs]
        if requests and all(d is None for d in draws):
            raise DistillbenchError(self._no_match(requests))
        # The second sample of a request that a task draws once is what a task that draws twice
        # calls its repeat.
        rows = [
            d.get(decoding.sample + r.repeat) if d else None
            for d, r in zip(draws, requests, strict=True)
        ]
        return self._outputs(requests, rows)

    def facts(self) -> Facts:
        """How many answers the file holds for this model, and in which format."""
        labels = {"labels": self._labels} if self._labels else {}
        return {"format": self._format, "recorded_answers": len(self._book.answers), **labels}

    def _outputs(self, requests: Sequence[Request], rows: Sequence[Answer | None]) -> Outputs:
        """What rows say, with the options that their labels name."""
        try:
            choices = chosen(requests, rows)
        except DistillbenchError as error:
            raise DistillbenchError(f"model {self._model.name}: {error}") from None
        self._labels = choices.words
        return replace(_outputs(requests, rows), choice=choices.options)

    def _no_match(self, requests: Sequence[Request]) -> str:
        model, book = self._model, self._book
        wanted, present = requests[0], book.answers[0]
        if wanted.kind not in {a.kind for a in book.answers}:
            kinds = ", ".join(sorted({a.kind for a in book.answers}))
            return f"model {model.name}: {model.file} holds answers to {kinds} requests, none to {wanted.kind} requests"
        system = f" with the system message {beginning(present.system)}" if present.system else ""
        return (
            f"model {model.name}: {model.file} answers none of the {len(requests)} requests; wanted, for one: "
            f"{beginning(_asked(wanted))}; present, for one: {beginning(present.context or present.continuation)}"
            f"{system}; answers are joined by the prompt's text: name the right column (columns: {{prompt: ...}})"
        )


def _asked(request: Request) -> str:
    if isinstance(request.context, str):
        return request.context or request.continuation
    return next((m.text for m in reversed(request.context) if m.role == "user"), "")


def _outputs(requests: Sequence[Request], rows: Sequence[Answer | None]) -> Outputs:
    values = [
        row.value if row and request.kind != "choose" else None
        for request, row in zip(requests, rows, strict=True)
    ]
    scored = [v if isinstance(v, tuple) else (np.nan, None) for v in values]
    return Outputs(
        request=np.arange(len(requests), dtype=np.int64),
        kind=tuple(r.kind for r in requests),
        n_tokens=np.zeros(len(requests), dtype=np.int64),
        text=tuple(v if isinstance(v, str) else None for v in values),
        stop=tuple("unknown" if isinstance(v, str) else None for v in values),
        logprob_nats=np.array([nats for nats, _ in scored], dtype=np.float64),
        greedy=tuple(greedy for _, greedy in scored),
        choice=(None,) * len(requests),
        answered=tuple(row is not None for row in rows),
    )


@lru_cache(maxsize=256)
def _book(source: Source) -> AnswerBook:
    """The answers of a source, checked; read once per process."""
    answers = tuple(read_answers(source))
    if not answers:
        raise DistillbenchError(
            f"{source.files[0]}: expected at least one answer, got none: every answer is empty"
        )
    book = AnswerBook(answers)
    _ = book.exact  # raises an error for contradictory answers before anything runs
    return book
