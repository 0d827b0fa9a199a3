"""Any session asked as a run asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.models import AbstractSession, Answered, Ask
from harness.store.tables import join_outputs, outputs_from_table, outputs_to_table
from harness.types import Decoding, Outputs, Request


def answered(
    session: AbstractSession,
    requests: Sequence[Request],
    decoding: Decoding | None = None,
    ids: Sequence[str] | None = None,
    names: Sequence[str] = (),
) -> Outputs:
    """The session's answers in the order of the requests; raises what it failed with."""
    known = tuple(ids or ("p" for _ in requests))
    whole = Ask("key", tuple(requests), known, decoding or Decoding(), names=tuple(names))
    missing = tuple(tuple(batch) for batch in session.batches(whole))
    parts = []
    for event in session.answer([replace(whole, missing=missing)]):
        if not isinstance(event, Answered):
            raise event.error
        parts.append(outputs_to_table(event.outputs))
    return outputs_from_table(join_outputs(parts))
