"""Recorded answers as a model: a file is read instead of asking."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np

from harness.files.answers import Answer
from harness.files.find import data_not_set
from harness.files.formats import ROLES, TABLE, formats
from harness.files.hashes import file_sha256
from harness.files.hub import hub_path, on_hub
from harness.files.packed import ending
from harness.files.rows import stamp
from harness.files.sound import is_sound, note_sound, reading_code
from harness.files.sources import Answers, Source, check_any, find_files, format_of, read_answers
from harness.keys import describes, digest, place
from harness.models import (
    FAILURES,
    AbstractModel,
    AbstractSession,
    Answered,
    Ask,
    Facts,
    Failed,
    Offer,
)
from harness.models._batches import slices
from harness.models._recorded_choices import Chosen, chosen
from harness.models._recorded_join import Draws, Joined, Wanted, check_consistent, join
from harness.models._recorded_words import leftovers, no_match
from harness.models._rows import Row, outputs_of
from harness.schema import unknown
from harness.text.clean import behind_its_tag, with_trace
from harness.types import DistillbenchError, Kind, Outputs, Paths

_AUTO = "auto"
_TEXT: frozenset[Kind] = frozenset({"generate"})
_SCORED = ("lm_eval_samples", "lighteval", "lighteval_flat")  # formats with log-probabilities
_ALL: frozenset[Kind] = frozenset({"generate", "score", "read"})


@final
@dataclass(frozen=True)
class RecordedModel(AbstractModel):
    """A model of which only recorded answers are available.

    `{name}` in `file`, `prompts_file` and `where` stands for the model's name in the configuration, so that one
    description serves many models.
    """

    version = 4
    recorded = True
    # file or folder, relative to paths.data; or of the hub: `hf://datasets/OWNER/NAME[@REVISION][/PATH]`
    file: str = place("")
    # auto = told from the first row; else a module in harness/files/formats
    format: str = _AUTO
    # prompt, input, id, answer, choice, sample, system, stop, trace -> column
    columns: dict[str, str] = field(default_factory=dict)
    # column -> value, or list of values, of this model's rows
    where: dict[str, Any] = place(default_factory=dict)
    # of a folder with several runs: a part of the name of the file to take; None = the newest by its name
    run: str | None = describes(None)
    # what was asked under which id (a batch's input, a file of questions); None = the task's prompts have the ids
    prompts_file: str | None = place(None)

    def __post_init__(self) -> None:
        if not self.file:
            raise DistillbenchError(
                "key file is missing; expected a file or folder of answers, relative to paths.data"
            )
        wrong = [f"key columns: {unknown(c, ROLES)}" for c in self.columns if c not in ROLES]
        if self.format not in (_AUTO, *formats()):
            wrong.append(f"key format: {unknown(self.format, [_AUTO, *formats()])}")
        if wrong:
            raise DistillbenchError("; ".join(wrong))

    def contents(self, paths: Paths) -> Mapping[str, str]:
        """The files with the way they are read, and `where` with the model's name put in."""
        source = self.source(paths)
        read = sorted((file_sha256(p, paths.cache), p.suffix) for p in source.files)
        prompts = file_sha256(source.prompts_file, paths.cache) if source.prompts_file else ""
        return {
            "file": digest(source.format, read),
            "where": digest(source.where),
            "prompts_file": prompts,
        }

    def offers(self) -> frozenset[Offer]:
        """Kinds of answer that a file of this format and name may hold; what it does hold is known once read."""
        if self.columns and self.format in (_AUTO, TABLE):
            named: dict[str, Kind] = {"answer": "generate", "choice": "choose"}
            return frozenset(kind for role, kind in named.items() if role in self.columns) or _TEXT
        by_ending = self.format == _AUTO and ending(Path(self.file)) in ("", ".jsonl", ".parquet")
        return _ALL if by_ending or self.format in _SCORED else _TEXT

    def faults(self, paths: Paths) -> list[str]:
        """What is wrong with the file; it is read whole, unless nothing was wrong with it when it was read before."""
        try:
            source, code = self.source(paths), reading_code(__name__)
            if not is_sound(source, code, paths.cache):
                _read(source)
                note_sound(source, code, paths.cache)
        except DistillbenchError as error:
            return [f"model {self.name}: {error}"]
        return []

    def at_hand(self, ask: Ask, paths: Paths) -> int | None:
        """Prompts with an answer in the file; None where later turns wait for earlier replies."""
        if any(request.replies for request in ask.requests):
            return None
        draws = _joined(_read(self.source(paths)), ask).draws
        there = [i for i, own in draws.items() if any(not a.missing for a in own.values())]
        return len({ask.requests[i].prompt for i in there})

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[RecordedSession]:
        """The answers of the file."""
        source = self.source(paths)
        yield RecordedSession(self, source.format, _read(source))

    def source(self, paths: Paths) -> Source:
        """What to read, found under paths.data."""
        path = self._placed(self.file, paths)
        run = None if self.run is None else str(self._named(self.run))
        files, notes = find_files(path, self.format, run)
        format_ = format_of(files[0], self.columns) if self.format == _AUTO else self.format
        where = tuple((k, self._named(v)) for k, v in sorted(self.where.items()))
        prompts = self._placed(self.prompts_file, paths) if self.prompts_file else None
        stamps = tuple(stamp(f) for f in (*files, *([prompts] if prompts else [])))
        columns = tuple(sorted(self.columns.items()))
        return Source(files, format_, columns, where, prompts, notes, stamps)

    def _placed(self, file: str, paths: Paths) -> Path:
        name = str(self._named(file))
        if on_hub(name):
            return hub_path(name)
        path = Path(name).expanduser()
        if not path.is_absolute() and paths.data is None:
            raise DistillbenchError(f"file {file}: {data_not_set(name)}")
        return path if paths.data is None else paths.data / path

    def _named(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._named(v) for v in value)
        return value.replace("{name}", self.name) if isinstance(value, str) else value


@final
class RecordedSession(AbstractSession):
    """The answers of a file, looked up by request."""

    def __init__(self, model: RecordedModel, format_: str, recorded: Answers) -> None:
        self._model, self._format, self._recorded = model, format_, recorded
        self._last: tuple[tuple[object, ...], Joined] | None = None  # what was joined last

    def batches(self, ask: Ask) -> list[list[int]]:
        """One batch: looking up answers takes no time worth saving."""
        return slices(len(ask.requests), max(len(ask.requests), 1))

    def answer(self, asks: Sequence[Ask]) -> Iterator[Answered | Failed]:
        """What the file holds for these requests; a row without an answer is empty and not `answered`."""
        for ask in asks:
            try:
                started = time.perf_counter()
                joined = self._joined(ask)
                if not joined.draws:
                    raise DistillbenchError(no_match(self._model.file, self._recorded.answers, ask))
                rows, options = self._chosen(ask, joined)
                for batch in ask.missing:
                    outputs = _outputs(ask, batch, rows, options.options)
                    yield Answered(ask.key, outputs, time.perf_counter() - started)
            except DistillbenchError as error:
                yield Failed(ask.key, DistillbenchError(f"model {self._model.name}: {error}"))
            except FAILURES as error:
                yield Failed(ask.key, error)

    def notes(self, ask: Ask) -> Sequence[str]:
        """How the file was read, and which of its answers fit no prompt."""
        joined = self._joined(ask)
        left = leftovers(self._recorded.answers, ask, joined)
        rows, options = self._chosen(ask, joined)
        words = [left, options.words, _several(ask, joined.draws), _cut_inside(rows)]
        return [*self._recorded.notes, *joined.notes, *filter(None, words)]

    def facts(self) -> Facts:
        """How many answers the file holds for this model, and in which format."""
        n = sum(not a.missing for a in self._recorded.answers)
        return {"format": self._format, "recorded_answers": n}

    def _joined(self, ask: Ask) -> Joined:
        """The answers to all requests; they are asked for twice, once for the notes on them."""
        asked = (ask.requests, ask.prompt_ids, ask.names)
        if self._last is None or self._last[0] != asked:
            self._last = (asked, _joined(self._recorded, ask))
        return self._last[1]

    def _chosen(self, ask: Ask, joined: Joined) -> tuple[list[Answer | None], Chosen]:
        """The answers to all requests, and the options that they name."""
        rows = _rows(ask, joined.draws)
        return rows, chosen(ask.requests, rows)


def _joined(recorded: Answers, ask: Ask) -> Joined:
    """The answers of a file to all requests whose conversations are complete."""
    names = ask.names or ("",) * len(ask.requests)
    known = [i for i, request in enumerate(ask.requests) if not request.replies]
    wanted = [
        Wanted(ask.requests[i], tuple(n for n in (names[i], _row_of(ask.prompt_ids[i])) if n))
        for i in known
    ]
    joined = join(recorded.answers, wanted)
    joined.draws = {known[i]: draws for i, draws in joined.draws.items()}
    return joined


def _row_of(prompt_id: str) -> str:
    """The digest of a prompt's row of data: copies of a row are numbered behind it."""
    return prompt_id.split("#")[0]


def _rows(ask: Ask, draws: Mapping[int, Draws]) -> list[Answer | None]:
    """The answer to every request, or None. The second sample of a request that a task draws once is what a task that
    draws twice calls its repeat; the second sample of that task begins behind its repeats.
    """
    repeats = Counter((r.leaf, r.prompt, r.slot) for r in ask.requests)
    places = (
        ask.decoding.sample * repeats[r.leaf, r.prompt, r.slot] + r.repeat for r in ask.requests
    )
    drawn = (draws.get(i, {}).get(place) for i, place in enumerate(places))
    return [None if a is None or a.missing else a for a in drawn]


def _several(ask: Ask, draws: Mapping[int, Draws]) -> str:
    """That there are more answers to a prompt than one sample takes, told with the first; "" where there are not."""
    most = max((len(own) for own in draws.values()), default=0)
    if ask.decoding.sample or most <= 1 + max(r.repeat for r in ask.requests):
        return ""
    return f"up to {most} answers to a prompt are recorded; `samples` of the task says how many are used"


def _cut_inside(rows: Sequence[Answer | None]) -> str:
    """How many answers were cut inside the thought that their prompt opens; "" = none."""
    texts = ((row, row.value) for row in rows if row and isinstance(row.value, str))
    n = sum(not row.trace.strip() and _with_trace(text, row) != text for row, text in texts)
    if not n:
        return ""
    return (
        f"{n} of the answers do not close the thought that their prompt opens and count as cut inside it; where "
        "thoughts were left out, record the answers with them, or with how they ended"
    )


def _outputs(
    ask: Ask, batch: Sequence[int], rows: Sequence[Answer | None], options: Sequence[int | None]
) -> Outputs:
    """Outputs of one batch, from what stands in the file for all requests."""
    outputs = outputs_of([_row(ask.requests[i].kind, rows[i], options[i]) for i in batch])
    return replace(outputs, request=np.asarray(batch, dtype=np.int64))


def _row(kind: Kind, answer: Answer | None, option: int | None) -> Row:
    """What stands in the file for one request, and the option that it names."""
    if answer is None or kind == "choose":
        return Row(kind, choice=option, answered=answer is not None)
    if isinstance(answer.value, str):
        return Row(kind, _with_trace(answer.value, answer), answer.stop, choice=option)
    nats, greedy = answer.value if isinstance(answer.value, tuple) else (np.nan, None)
    return Row(kind, logprob_nats=nats, greedy=greedy, choice=option)


def _with_trace(text: str, row: Answer) -> str:
    """The answer, behind what its file has of thoughts beside it, or behind the tag that its prompt opens.

    A reply that ended by itself and closes no thought was stored without it.
    """
    if row.trace.strip():
        return with_trace(row.trace, text)
    return text if row.stop == "eos" else behind_its_tag(row.context or "", text)


@lru_cache(maxsize=256)
def _read(source: Source) -> Answers:
    """The answers of a source, checked; read once per process."""
    recorded = read_answers(source)
    check_any(recorded, source.files[0])
    check_consistent(recorded.answers)
    return recorded
