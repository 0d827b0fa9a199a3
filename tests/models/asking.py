"""Any session asked as a run asks it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.models import AbstractSession, Answered, Ask
from harness.store.tables import join_outputs, outputs_from_table, outputs_to_table
from harness.types import Decoding, Outputs, Request


def answered(
    session: AbstractSession, requests: Sequence[Request], decoding: Decoding | None = None
) -> Outputs:
    """The session's answers in the order of the requests; raises what it failed with."""
    ids = tuple("p" for _ in requests)
    whole = Ask("key", tuple(requests), ids, decoding or Decoding())
    missing = tuple(tuple(batch) for batch in session.batches(whole))
    parts = []
    for event in session.answer([Ask("key", whole.requests, ids, whole.decoding, missing)]):
        if not isinstance(event, Answered):
            raise event.error
        parts.append(outputs_to_table(event.outputs))
    return outputs_from_table(join_outputs(parts))
