"""Details of lighteval: replies, one per sample, or a log-probability per choice.

Source: huggingface/lighteval `logging/info_loggers.py` (Detail), `tasks/requests.py` (Doc), `models/model_output.py`
(ModelResponse), since 0.11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.files.answers import Answer
from harness.files.cells import NULL, failed_call, name_of, required_text
from harness.files.conversations import conversation, flattened
from harness.files.formats import Format, Reading
from harness.files.formats._numbers import nats_of
from harness.files.formats._stops import stated_stop
from harness.files.rows import Row
from harness.types import DistillbenchError

_COLUMNS = ("doc", "model_response")


def _recognises(row: Row) -> bool:
    doc, said = row.get("doc"), row.get("model_response")
    return (
        isinstance(doc, Mapping) and "query" in doc and isinstance(said, Mapping) and "text" in said
    )


def _columns(given: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    return {name: name for name in _COLUMNS}


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    doc, said = row["doc"], row["model_response"]
    turns = conversation(doc["query"], place)
    context = flattened(turns)[0] if turns is not None else str(doc["query"])
    name, system = name_of(doc.get("id")) or "", doc.get("instruction") or None
    blank = Answer("generate", None, place, context, name, system=system)
    for draw, text in enumerate(said.get("text") or ()):
        missing = failed_call(text) if text is not None else NULL
        value = None if missing else required_text(text, place, "model_response.text")
        stop = _stop(doc, said, draw)
        yield replace(blank, value=value, draw=draw, missing=missing, stop=stop)
    nats, greedy = said.get("logprobs") or [], said.get("argmax_logits_eq_gold") or []
    choices = doc.get("choices") or []
    if not said.get("text") and nats:
        if len(nats) != len(choices):
            raise DistillbenchError(
                f"{place}: expected a log-probability per choice, got {len(nats)} of {len(choices)}"
            )
        for slot, choice in enumerate(choices):
            is_greedy = bool(greedy[slot]) if slot < len(greedy) else None
            scored = (nats_of(nats[slot], place), is_greedy)
            yield replace(blank, kind="score", value=scored, continuation=choice, slot=slot)


def _stop(doc: Row, said: Row, draw: int) -> str:
    """Why a reply ended: as many tokens as were allowed are the limit."""
    tokens, most = said.get("output_tokens") or (), doc.get("generation_size")
    counted = draw < len(tokens) and isinstance(tokens[draw], Sequence)
    if counted and isinstance(most, int) and most > 0:
        return "length" if len(tokens[draw]) >= most else "eos"
    return stated_stop(said)


FORMAT = Format(
    "details of lighteval", _recognises, _answers, _columns, files=("details_*.parquet",)
)
