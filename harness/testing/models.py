"""The contract of kinds of model, as a test."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.models import AbstractModel, AbstractSession, Answered, Ask, Failed
from harness.store.tables import join_outputs, outputs_from_table, outputs_to_table
from harness.testing.making import check_travels, made
from harness.types import Decoding, Kind, Outputs, Paths, Request

SAMPLED = Decoding(temperature=1.0, max_new_tokens=16, seed=3)
QUESTIONS: Mapping[Kind, tuple[Request, ...]] = {
    "generate": tuple(Request(i, "generate", f"What is thing {i}?") for i in range(4)),
    "score": tuple(
        Request(i, "score", f"Thing {i} is", slot=s, continuation=f" {word}")
        for i in range(3)
        for s, word in enumerate(("small", "very large"))
    ),
    "read": tuple(
        Request(i, "read", context, continuation=f"Thing {i} is small.")
        for i, context in enumerate(("", "", "What is thing 2?"))
    ),
    "choose": (),  # only of models whose answers are recorded: pass `requests`
}


def check_model(
    model: type[AbstractModel] | AbstractModel | str,
    paths: Paths | None = None,
    requests: Sequence[Request] | None = None,
    **fields: Any,
) -> None:
    """Raises AssertionError with a sentence if a kind of model breaks its contract.

    paths: where things are; None = an empty folder. requests: what it is asked; None = of every kind that it offers.
    fields: its own, as a YAML has them.
    """
    specification = made("models", model, fields)
    check_travels("models", specification)
    with tempfile.TemporaryDirectory() as folder:
        places = paths or Paths(Path(folder), Path(folder), data=Path(folder))
        assert specification.faults(places) == [], f"faults: {specification.faults(places)}"
        _check_key(specification, places)
        asked = _questions(specification) if requests is None else tuple(requests)
        assert asked, f"{specification.name}: expected requests to ask; pass requests=..."
        with specification.open(places) as session:
            outputs = answers(session, asked)
            _check_answers(asked, outputs)
            first, facts = _said(outputs), session.facts()
        with specification.open(places, facts) as again:
            _require_same("opened again", first, _said(answers(again, asked)))
            order = list(range(len(asked)))[::-1]
            backwards = _said(answers(again, asked[::-1], order))
            _require_same("asked in another order", first, backwards[::-1])


def answers(
    session: AbstractSession,
    requests: Sequence[Request],
    numbers: Sequence[int] | None = None,
    decoding: Decoding = SAMPLED,
) -> Outputs:
    """A session's answers in the order of the requests; AssertionError where one is missing or failed.

    `numbers` tell the requests' prompts apart; None = their places.
    """
    numbers = range(len(requests)) if numbers is None else numbers
    ask = Ask("key", tuple(requests), tuple(f"prompt {n}" for n in numbers), decoding)
    batches = tuple(tuple(batch) for batch in session.batches(ask))
    cut = sorted(i for batch in batches for i in batch)
    assert cut == list(range(len(requests))), f"batches: expected every request once, got {cut}"
    parts = []
    for event in session.answer([replace(ask, missing=batches)]):
        assert not isinstance(event, Failed), f"it failed: {getattr(event, 'error', '')!r}"
        assert isinstance(event, Answered), f"answer: expected Answered or Failed, got {event!r}"
        assert event.key == ask.key, f"answer: the key of no ask: {event.key!r}"
        parts.append(outputs_to_table(event.outputs))
    outputs = outputs_from_table(join_outputs(parts))
    there = sorted(map(int, outputs.request))
    assert there == cut, f"answer: expected an answer to each of {len(cut)} requests, got {there}"
    return outputs


def _questions(model: AbstractModel) -> tuple[Request, ...]:
    offered = model.offers()
    assert offered, f"{model.name}: offers: expected a kind of request, got none"
    return tuple(r for kind, some in QUESTIONS.items() if kind in offered for r in some)


def _check_key(model: AbstractModel, paths: Paths) -> None:
    key = model.key(paths)
    assert model.key(paths) == key, f"{model.name}: its key is another one the second time"
    renamed = replace(model, name=f"another {model.name}", lineage="of nobody")
    assert renamed.key(paths) == key, f"{model.name}: its name or lineage is in its key"


def _check_answers(requests: Sequence[Request], outputs: Outputs) -> None:
    for row, index in enumerate(outputs.request):
        request = requests[int(index)]
        assert outputs.kind[row] == request.kind, (
            f"a request to {request.kind} was answered as one to {outputs.kind[row]}"
        )
        assert outputs.answered[row], f"request {index} is not answered: {request}"


def _require_same(how: str, first: Sequence[_Answer], second: Sequence[_Answer]) -> None:
    for one, other in zip(first, second, strict=True):
        same = one[:2] == other[:2] and abs(one.nats - other.nats) < 1e-3
        assert same, f"{how} it says {other}, not {one}"


class _Answer(NamedTuple):
    """What a model said to one request."""

    text: str | None
    choice: int | None
    nats: float  # 0 where none are told


def _said(outputs: Outputs) -> list[_Answer]:
    nats = np.nan_to_num(outputs.logprob_nats).tolist()
    return list(map(_Answer, outputs.text, outputs.choice, nats))
