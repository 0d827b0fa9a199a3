from __future__ import annotations

import numpy as np
import pytest

from harness.zoo.building import Place
from harness.zoo.packing import NOT_LEARNED, Encoded, Rows, encoder, pack, take
from harness.zoo.recipe import ROW, Size
from harness.zoo.train import _loss, new_model
from harness.zoo.world import Document, fact_document, facts, generator, task_documents


def documents() -> list[Encoded]:
    """Five documents of 40 tokens with completions of 3, 4, 5, 6 and 7 tokens."""
    rng = np.random.default_rng(0)
    return [Encoded((0, *rng.integers(1, 900, 38).tolist(), 0), 37 - i) for i in range(5)]


def test_documents_stay_whole_and_only_completions_are_learned() -> None:
    rows = pack(documents())
    assert rows.ids.shape == (2, ROW)
    assert rows.positions[0, :81].tolist() == [*range(40), *range(40), 0]
    first = documents()[0]
    assert rows.targets[0, :40].tolist() == [NOT_LEARNED] * 36 + list(first.ids[37:]) + [
        NOT_LEARNED
    ]
    assert (rows.targets != NOT_LEARNED).sum() == 3 + 4 + 5 + 6 + 7


def test_documents_of_a_row_do_not_see_one_another() -> None:
    model = new_model(Size(32, 64), seed=0)
    packed, count = _loss(model, None, pack(documents())).item(), 25
    alone = [(_loss(model, None, pack([d])).item(), len(d.ids) - d.completion) for d in documents()]
    # bf16 matrix products: 8 bits, averaged over 25 tokens.
    assert packed == pytest.approx(sum(loss * n for loss, n in alone) / count, rel=2e-3)


def test_encoding_begins_and_ends_with_the_end_token(tiny: Place) -> None:
    encode = encoder(tiny.folder / "tokenizer")
    document = fact_document(facts()[0])
    (found,) = encode([document])
    (whole,) = encode([Document("fact", document.prompt + document.completion, "")])
    assert found.ids == whole.ids
    assert found.ids[0] == found.ids[-1] == 0
    assert len(found.ids) - found.completion == 2  # the value is one token


def test_take_stops_at_the_budget(tiny: Place) -> None:
    taken = take(task_documents("sum", generator(0)), 100, encoder(tiny.folder / "tokenizer"))
    lengths = [len(d.ids) for d in taken]
    assert sum(lengths[:-1]) < 100 <= sum(lengths)


def test_rows_hold_every_document_once() -> None:
    many = documents() * 30
    rows: Rows = pack(many)
    assert (rows.targets != NOT_LEARNED).sum() == 30 * 25
    assert len(rows.ids) == 50  # three documents of 40 in a row of 128
