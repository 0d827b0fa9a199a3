"""Features of texts, stored with the answers: word codes and counts of a collection.

A feature is a function of one collection's texts, so it is made once for all measures, pairs and runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa

from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product
from harness.keys import code_digest, digest
from harness.panel.side import Side
from harness.panel.texts import (
    ReadReplies,
    has_reading,
    read_given,
    remember_reading,
    remember_replies,
    replies_of,
)
from harness.plan.collections import Collection
from harness.store.store import Store
from harness.store.tables import SCHEMA, outputs_from_table, requests_from_table
from harness.text.segment import LAYOUT, MARKS, Reading, read
from harness.text.thoughts import Tags
from harness.text.tokens import Tokens
from harness.types import Ints, RequestSet

COST = "cpu_s"  # in the provenance of what a job made: seconds that it computed
WORTH_READING = 3_000  # texts, from which on starting processes costs less than reading them here
_REQUESTS = "the requests that were read last"  # in what jobs of one process share
_BUNDLE = 40  # collections that one start of a program elsewhere is worth
_COUNTS = ("sentences", "characters", "emoji")
_TABLES = {"layout": len(LAYOUT), "marks": len(MARKS)}


@final
@dataclass(frozen=True)
class ReadingJob(Job):
    """Makes the words and counts of one collection's texts."""

    doing = "counting words"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row per text."""
        answers, requests_key = self.needs
        requests = requests_of(desk, requests_key)
        given = replies_of(requests, outputs_from_table(desk.store.table(answers)))
        ids = sorted(given)
        table = reading_to_table(ids, read([given[i].text for i in ids]))
        yield Entry(self.keys[0], table, {"feature": "reading", "answers": answers})


def requests_of(desk: Desk, key: str) -> RequestSet:
    """The stored requests; jobs of one process about the same ones share them."""
    if desk.shared.get(_REQUESTS, ("",))[0] != key:
        desk.shared[_REQUESTS] = (key, requests_from_table(desk.store.table(key)))
    made: RequestSet = desk.shared[_REQUESTS][1]
    return made


def reading_job(key: str, collection: Collection, *, apart: bool) -> ReadingJob:
    """The job that makes the words and counts of a collection's texts, under their key."""
    return ReadingJob(
        (key,),
        f"words of {collection.model} x {collection.task}",
        f"words of {collection.model}",
        {Sort("words"): float(collection.summary.n_requests)},
        needs=(collection.key, collection.requests_key),
        apart=apart,
        bundle=_BUNDLE,
    )


@final
@dataclass(frozen=True)
class TokensJob(Job):
    """Makes the tokens of one collection's texts, for attribution."""

    doing = "reading tokens"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row: prompts, the vocabulary, the texts as places in it, where each begins."""
        began = time.process_time()
        answers, requests_key = self.needs
        requests = requests_of(desk, requests_key)
        made = read_given(replies_of(requests, outputs_from_table(desk.store.table(answers))))
        columns = {
            "prompts": list(made.prompts),
            "words": list(made.tokens.words),
            "codes": made.tokens.codes,
            "offsets": made.tokens.offsets,
        }
        table = pa.table({name: [own] for name, own in columns.items()})
        cost = {COST: time.process_time() - began}
        spec = {"feature": "tokens", "answers": answers, "n_written": made.n_written}
        yield Entry(self.keys[0], table, spec, cost)


def tokens_job(key: str, collection: Collection) -> TokensJob:
    """The job that makes the tokens of a collection's texts, under their key."""
    return TokensJob(
        (key,),
        f"tokens of {collection.model} x {collection.task}",
        f"tokens of {collection.model}",
        {Sort("tokens"): float(collection.summary.n_requests)},
        needs=(collection.key, collection.requests_key),
        apart=True,
    )


def tokens_key(answers: str, think: Tags = ()) -> str:
    """The key of the tokens of a collection's texts; `think`: the task's own tags around thoughts."""
    alone = ("harness.panel.texts", __name__)
    code = code_digest("harness.text.tokens", "harness.text.clean", alone=alone)
    return digest("tokens", SCHEMA, code, answers, *think)


def recall_tokens(side: Side, store: Store, key: str) -> None:
    """Gives a side the stored tokens of its answers, which are read when they are asked for."""
    if store.has(key):
        n = store.spec(key)["n_written"]
        remember_replies(side, n, lambda: _tokens_from_table(store.table(key), n))


def _tokens_from_table(table: pa.Table, n_written: int) -> ReadReplies:
    row = {name: table[name][0] for name in table.column_names}
    codes, offsets = (row[name].values.to_numpy() for name in ("codes", "offsets"))
    words, prompts = (tuple(row[name].as_py()) for name in ("words", "prompts"))
    return ReadReplies(prompts, Tokens(words, codes, offsets), n_written)


def recall_reading(side: Side, store: Store, answers: str) -> None:
    """Gives a side the stored words and counts of its answers, which are stored under the key `answers`."""
    key = reading_key(answers, side.requests.think)
    if not has_reading(side) and store.has(key):
        remember_reading(side, reading_from_table(store.table(key)))


def reading_key(answers: str, think: Tags = ()) -> str:
    """The key of the words and counts of a collection's texts; `think`: the task's own tags around thoughts."""
    code = code_digest("harness.text.segment", "harness.text.clean", alone=("harness.panel.texts",))
    return digest("reading", SCHEMA, code, answers, *think)


def reading_to_table(ids: Sequence[str], made: Reading) -> pa.Table:
    """One row per text, under the ids of their prompts (P,)."""
    offsets = pa.array(made.offsets, pa.int32())
    words = pa.ListArray.from_arrays(offsets, pa.array(made.words, pa.uint32()))
    columns = {"prompt": pa.array(ids, pa.string()), "words": words, "ends": pa.array(made.ends)}
    columns |= {name: pa.array(getattr(made, name)) for name in _COUNTS}
    columns["sentence_spread"] = pa.array(made.sentence_spread)
    for name, width in _TABLES.items():
        counts: Ints = getattr(made, name)
        flat = pa.array(counts.reshape(-1), pa.int64())
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, width)
    return pa.table(columns)


def reading_from_table(table: pa.Table) -> Reading:
    """The inverse of reading_to_table."""
    table = table.combine_chunks()
    n = table.num_rows
    words = table["words"].combine_chunks()
    lengths = np.diff(np.asarray(words.offsets)) if n else np.zeros(0, dtype=np.int64)
    counts = {name: np.asarray(table[name], dtype=np.int64) for name in _COUNTS}
    tables = {
        name: np.asarray(table[name].combine_chunks().flatten(), dtype=np.int64).reshape(n, width)
        for name, width in _TABLES.items()
    }
    return Reading(
        words=np.asarray(words.flatten(), dtype=np.uint32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        sentence_spread=np.asarray(table["sentence_spread"], dtype=np.float64),
        ends=tuple(table["ends"].to_pylist()),
        **counts,
        **tables,
    )
