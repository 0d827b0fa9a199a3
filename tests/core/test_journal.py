"""What is done of a collection: pieces and journals, torn ends, order, and the same table from both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.store.journal import Journal
from harness.store.tables import join_outputs, outputs_from_table, outputs_to_table
from harness.store.work import Pieces, Work
from harness.types import Kind, Outputs, TokenColumns


def answers(*requests: int, tokens: bool = False) -> Outputs:
    """Texts, each with its request in it; with their tokens where asked for."""
    n = len(requests)
    columns = TokenColumns(
        offsets=np.arange(n + 1),
        token_ids=np.array(requests),
        logprobs=np.array([-1 / (3 + r) for r in requests], np.float32),
        top_ids=np.array([[r, r + 1] for r in requests], np.int32),
        top_logprobs=np.array([[-0.1, -1 / (3 + r)] for r in requests], np.float32),
        byte_ends=np.array(requests) + 1,
        vocabulary="v",
    )
    kind: Kind = "generate"
    return Outputs(
        request=np.array(requests),
        kind=(kind,) * n,
        n_tokens=np.ones(n, np.int64),
        text=tuple(f"reply {r}\n\x1f é🙂" for r in requests),
        stop=("eos",) * n,
        logprob_nats=np.full(n, np.nan),
        greedy=(None,) * n,
        choice=(None,) * n,
        answered=(True,) * n,
        tokens=columns if tokens else None,
    )


def add(kept: Journal | Pieces, *requests: int, wall_s: float = 1.0, tokens: bool = False) -> None:
    kept.add(outputs_to_table(answers(*requests, tokens=tokens)), wall_s)


def there(kept: Journal | Pieces) -> list[int]:
    return [r for t in kept.read().tables for r in t.column("request").to_pylist()]


@pytest.mark.parametrize("tokens", [False, True])
def test_a_journal_and_pieces_make_the_same_table(tmp_path: Path, tokens: bool) -> None:
    journal, pieces = (
        Journal(tmp_path / "answers.jsonl"),
        Pieces(Work("k", tmp_path, tmp_path.parent)),
    )
    for requests in ([4], [1, 0], [2], [3]):
        add(journal, *requests, tokens=tokens)
        add(pieces, *requests, tokens=tokens)
    whole = outputs_to_table(answers(0, 1, 2, 3, 4, tokens=tokens))
    for kept in (journal, pieces):
        joined = join_outputs(kept.read().tables)
        assert joined.equals(whole, check_metadata=True)
        assert joined.schema.equals(whole.schema, check_metadata=True)


def test_log_probabilities_come_back_to_the_last_bit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "answers.jsonl")
    scored = replace(
        answers(0), kind=("score",), text=(None,), logprob_nats=np.array([-0.1 - 1e-17 / 3])
    )
    journal.add(outputs_to_table(scored), 0.1)
    (table,) = journal.read().tables
    assert outputs_from_table(table).logprob_nats[0] == scored.logprob_nats[0]
    assert journal.read().timings == ((0.1, 1),)


def test_a_torn_end_is_dropped_and_what_follows_is_not(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    journal = Journal(path)
    add(journal, 0)
    add(journal, 1)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):  # a kill may fall after any byte
        path.write_bytes(whole[:end])
        assert there(journal) == ([0, 1] if end == len(whole) - 1 else [0])
        add(journal, 2)
        assert there(journal) == ([0, 1, 2] if end == len(whole) - 1 else [0, 2])


def test_a_line_that_looks_whole_but_was_changed_counts_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    journal = Journal(path)
    add(journal, 0)
    add(journal, 1)
    path.write_bytes(path.read_bytes().replace(b"reply 0", b"reply 9"))
    assert there(journal) == [1]


def test_of_two_answers_the_first_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "answers.jsonl")
    add(journal, 1)
    journal.add(outputs_to_table(replace(answers(1), text=("another",))), 1.0)
    (table,) = journal.read().tables
    assert table.column("text").to_pylist() == [answers(1).text[0]]


def test_a_journal_reads_as_lines_of_json(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "answers.jsonl")
    assert journal.read().tables == ()
    add(journal, 7, 8, wall_s=3.0)
    lines = journal.path.read_text("ascii").splitlines()
    records = [json.loads(line.split(" ", 1)[1]) for line in lines]
    assert [r["answer"]["text"] for r in records] == list(answers(7, 8).text)
    assert [r["wall_s"] for r in records] == [1.5, 1.5]


def test_a_torn_piece_is_dropped(tmp_path: Path) -> None:
    pieces = Pieces(Work("k", tmp_path, tmp_path.parent))
    add(pieces, 3, 0, wall_s=2.0)
    add(pieces, 1)
    assert pieces.read().timings == ((2.0, 2), (1.0, 1))
    (torn,) = tmp_path.glob("000000.*.parquet")
    torn.write_bytes(b"torn")
    assert there(pieces) == [1]
    assert [p.name[:6] for p in tmp_path.iterdir()] == ["000001"]
