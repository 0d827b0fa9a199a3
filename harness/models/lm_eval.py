"""Any model type that lm-eval has: servers of its own (vllm, sglang), APIs, and its in-process models.

Source: EleutherAI lm-evaluation-harness; the answers are those of `lm-eval run --model TYPE --model_args ...`.
What answers behind a name cannot be seen from here, so `snapshot` stands for it in the key of every answer.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from harness.console.credentials import argument_faults, shown_variable, variable_fault
from harness.console.secrets import remember
from harness.keys import describes, digest, place, speed
from harness.models import (
    FAILURES,
    AbstractModel,
    AbstractSession,
    Answered,
    Ask,
    BatchedSession,
    Budget,
    Facts,
    Failed,
    Offer,
)
from harness.models._batches import slices
from harness.models._lm_eval_client import arrivals
from harness.models._lm_eval_engine import Engine, way_of
from harness.models._lm_eval_tries import is_client
from harness.models._lm_eval_types import (
    CHAT_ONLY,
    KEYLESS,
    PLACE,
    TEXT_ONLY,
    read_variable,
    types,
)
from harness.models._rows import Row, outputs_of
from harness.types import Decoding, DistillbenchError, Outputs, Paths, Request

_IN_A_ROW = 3  # requests that fail, each alone, until the server is taken to be gone
_NAME = "answers_as"  # name of the fact: the model's name in the server's responses


@final
@dataclass(frozen=True)
class LmEvalModel(AbstractModel):
    """A model as lm-eval asks it. Sampled answers can be repeated only with types that take a seed."""

    version = 2
    # lm-eval's name of the type: vllm, local-completions, openai-chat-completions, hf ...
    model: str = ""
    # the type's own arguments; those in PLACE are in no key, an address is
    args: Mapping[str, str | int | float | bool] = place(default_factory=dict, hash=False)
    # dated name of what answers (gpt-4o-2024-08-06, my-model 2026-01-31): in every answer's key
    snapshot: str = ""
    # whether it returns log-probabilities; None = what its type is known for
    scores: bool | None = describes(None)
    # variable with the API key; None = the one that lm-eval reads
    api_key_env: str | None = describes(None)  # type: ignore[misc]
    batch: int = speed(64)  # requests handed over at once, and lost at most by a kill

    def __post_init__(self) -> None:
        if self.api_key_env is not None:
            remember(self.api_key_env)
        if not self.model:
            raise DistillbenchError(
                "key model is missing; expected one of lm-eval's model types, such as vllm"
            )
        if not self.snapshot:
            raise DistillbenchError(
                "key snapshot is missing; expected a dated name of what answers, such as gpt-4o-2024-08-06: "
                "answers are stored under it, so change it when the model behind the name changes"
            )
        if self.batch < 1:
            raise DistillbenchError(f"key batch: expected 1 or more, got {self.batch}")

    def contents(self, paths: Paths) -> Mapping[str, str]:
        """The arguments that change answers."""
        return {"args": digest({k: v for k, v in self.args.items() if k not in PLACE})}

    def offers(self) -> frozenset[Offer]:
        """Texts, and log-probabilities where the type returns them; never single tokens."""
        scores = self.model not in TEXT_ONLY if self.scores is None else self.scores
        return frozenset({"generate", "score", "read"}) if scores else frozenset({"generate"})

    def faults(self, paths: Paths) -> list[str]:
        """An unknown type, secrets in the configuration, plain text for a chat API."""
        faults = []
        if self.model not in (known := types()):
            near = difflib.get_close_matches(self.model, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            faults.append(
                f"key model: {self.model!r} is not a model type of lm-eval{hint} (known: {', '.join(known)})"
            )
        faults += [f"key {fault}" for fault in argument_faults(self.args)]
        if fault := variable_fault("key api_key_env", self.api_key_env):
            faults.append(fault)
        if self.model in CHAT_ONLY and not self.chat:
            faults.append(f"{self.model} takes conversations only; set `chat: true`")
        return [f"model {self.name}: {fault}" for fault in faults]

    def budget_faults(self, budget: Budget) -> list[str]:
        """That lm-eval's clients keep to no budget."""
        if read_variable(self.model) is None:
            return []
        return [
            f"budget: model {self.name}: {self.model} of lm-eval keeps to no budget; ask it by `kind: server`, or "
            "delete budget"
        ]

    def stays(self) -> bool:
        """Whether it is one of lm-eval's clients of servers."""
        return read_variable(self.model) is not None

    def unready(self) -> list[str]:
        """A key that is not set."""
        variable = self.key_variable()
        if not variable or os.environ.get(variable):
            return []
        return [
            f"model {self.name}: environment variable {shown_variable(variable)} is not set; set it to the API key, or "
            "name another by api_key_env"
        ]

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[AbstractSession]:
        """lm-eval's model: a server's answers are kept one by one, others batch by batch."""
        with self._key_where_lm_eval_reads_it():
            engine = Engine(
                name=self.name,
                type_=self.model,
                args=self.args,
                snapshot=self.snapshot,
                system=self.system,
            )
            if is_client(engine.made):
                yield ClientSession(engine, self.batch, previous)
            else:
                yield EngineSession(engine, self.batch)

    @contextmanager
    def _key_where_lm_eval_reads_it(self) -> Iterator[None]:
        variable, read = self.key_variable(), read_variable(self.model)
        if variable:
            remember(variable)
        if not variable or not read or variable == read:
            yield
            return
        before = os.environ.get(read)
        os.environ[read] = os.environ.get(variable, "")
        try:
            yield
        finally:
            del os.environ[read]
            if before is not None:
                os.environ[read] = before

    def key_variable(self) -> str | None:
        """The variable that must hold a key; None where none is needed."""
        if self.api_key_env is not None:
            return self.api_key_env
        return None if self.model in KEYLESS else read_variable(self.model)


@final
class EngineSession(BatchedSession):
    """A model of lm-eval in this process."""

    def __init__(self, engine: Engine, batch: int) -> None:
        self._engine, self._batch = engine, batch

    def batches(self, ask: Ask) -> list[list[int]]:
        """In order; lm-eval sorts inside a batch."""
        return slices(len(ask.requests), self._batch)

    def facts(self) -> Facts:
        """Type, snapshot and version."""
        return self._engine.facts()

    def answer_batch(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch: one call of lm-eval for every way in which it is asked."""
        answers: dict[int, Any] = {}
        for way in sorted({way_of(r) for r in requests}):
            rows = [i for i, r in enumerate(requests) if way_of(r) == way]
            asked = [self._engine.arguments(requests[i], decoding) for i in rows]
            came, failure = self._engine.call(way, asked)
            if failure:
                raise self._engine.failed(way, len(rows), failure)
            answers.update(zip(rows, came, strict=True))
        return self._engine.outputs(requests, [answers[i] for i in range(len(requests))])


class _Row(NamedTuple):
    """One request of an ask."""

    ask: Ask
    at: int  # index into Ask.requests

    @property
    def request(self) -> Request:
        """The request that it asks."""
        return self.ask.requests[self.at]

    def missing(self) -> Answered:
        """That the server does not answer it, though it answers others."""
        outputs = outputs_of([Row(self.request.kind, answered=False)])
        outputs = dataclasses.replace(outputs, request=np.array([self.at]))
        return Answered(
            self.ask.key, outputs, 0.0, {"missing": "fails, alone too, and others do not"}
        )


@final
class ClientSession(AbstractSession):
    """A server that lm-eval asks over HTTP."""

    journaled = True
    together = True

    def __init__(self, engine: Engine, batch: int, previous: Facts | None) -> None:
        self._engine, self._batch = engine, batch
        self._previous = str((previous or {}).get(_NAME, ""))
        self._last: _Row | None = None  # that was answered

    def batches(self, ask: Ask) -> list[list[int]]:
        """In order; lm-eval sorts what it is handed at once."""
        return slices(len(ask.requests), self._batch)

    def facts(self) -> Facts:
        """Type, snapshot, version, and the server's name for the model."""
        names = self._engine.names
        return {**self._engine.facts(), **({_NAME: names[0]} if names else {})}

    def answer(self, asks: Sequence[Ask]) -> Iterator[Answered | Failed]:
        """Every answer as it arrives; a server that seems to be gone ends the asks that still wait for it."""
        rows = [_Row(ask, i) for ask in asks for batch in ask.missing for i in batch]
        failed: set[str] = set()
        for chunk in self._chunks(rows):
            left = {(row.ask.key, row.at): row for row in chunk if row.ask.key not in failed}
            try:
                for answered in self._arriving(list(left.values())):
                    del left[answered.key, int(answered.outputs.request[0])]
                    yield answered
            except FAILURES as error:
                for came in self._one_by_one(list(left.values()), error):
                    failed |= {came.key} if isinstance(came, Failed) else set()
                    yield came

    def _one_by_one(self, rows: Sequence[_Row], error: Exception) -> Iterator[Answered | Failed]:
        """What a failed call left, each request alone: one that fails is missing where the server answers others.

        Several in a row, and another model, end all asks that are not complete, with the last error.
        """
        doubtful: list[_Row] = []
        left = list(rows)
        while left and len(doubtful) < _IN_A_ROW and not self._is_other():
            row = left.pop(0)
            try:
                came = list(self._arriving([row]))
            except FAILURES as failure:
                doubtful, error = [*doubtful, row], failure
                continue
            yield from (lost.missing() for lost in doubtful)
            yield from came
            doubtful = []
        if not left and doubtful and self._still_answers():
            yield from (lost.missing() for lost in doubtful)
            doubtful = []
        for key in dict.fromkeys(row.ask.key for row in (*doubtful, *left)):
            yield Failed(key, error)

    def _still_answers(self) -> bool:
        """Whether the request that was answered last is answered once more."""
        if self._last is None or self._is_other():
            return False
        try:
            return bool(list(self._arriving([self._last])))
        except FAILURES:
            return False

    def _is_other(self) -> bool:
        """Whether another model answers than before."""
        names = self._engine.names
        return bool(self._previous and names and names[-1] != self._previous)

    def _chunks(self, rows: Sequence[_Row]) -> Iterator[list[_Row]]:
        """Requests that are asked in one way and at once: after an interruption the first one alone.

        Its answer shows whether it is still the same model.
        """
        first = 1 if self._previous and rows else 0
        cuts = [
            rows[:first],
            *(rows[i : i + self._batch] for i in range(first, len(rows), self._batch)),
        ]
        for cut in cuts:
            for way in sorted({way_of(row.request) for row in cut}):
                yield [row for row in cut if way_of(row.request) == way]

    def _arriving(self, rows: Sequence[_Row]) -> Iterator[Answered]:
        if not rows:
            return
        engine, failures, way = self._engine, list[str](), way_of(rows[0].request)
        asked = [engine.arguments(row.request, row.ask.decoding) for row in rows]

        def call() -> Sequence[Any]:
            """The engine's answers; what failed is remembered."""
            answers, failure = engine.call(way, asked)
            failures.append(failure)
            return answers

        since_s = time.perf_counter()
        for index, answer in arrivals(engine.made, asked, call):
            self._check_name()
            row = rows[index]
            outputs = engine.outputs([row.request], [answer])
            outputs = dataclasses.replace(outputs, request=np.array([row.at]))
            now_s = time.perf_counter()
            told = {} if outputs.answered[0] else {"missing": "answers without a text"}
            self._last = row
            yield Answered(row.ask.key, outputs, now_s - since_s, told)
            since_s = now_s
        if failures != [""]:
            raise engine.failed(way, len(rows), *failures or ["it stopped"])

    def _check_name(self) -> None:
        if self._is_other():
            raise DistillbenchError(
                f"model {self._engine.name}: the answers that are there came from {self._previous!r}, the server now "
                f"calls itself {self._engine.names[-1]!r}; ask that model again, or give the new one another `snapshot`"
            )
