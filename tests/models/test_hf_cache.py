"""Keys and values that are written in place: what transformers' own cache holds, and what is shared stays as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models import Ask, _hf_cache, _hf_generate
from harness.models._hf_cache import appended_in_a_copy, written_in_place
from harness.models._hf_generate import most_tokens
from harness.models._hf_shared import Shared
from harness.types import Decoding, Request
from tests.models import architectures
from tests.models.test_hf_shared import SORTS, opened
from tests.models.test_hf_written import asked, written

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("begun", [True, False])
def test_it_is_what_transformers_own_holds(
    seed: int, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random steps: a few tokens more, and rows that end or are repeated."""
    monkeypatch.setattr(_hf_cache, "_ROOM", 3)
    rng = np.random.default_rng(seed)
    rows = 4

    def drawn(n: int) -> Any:
        return torch.from_numpy(rng.standard_normal((rows, 2, n, 5)))

    one = (drawn(6)[:1], drawn(6)[:1])
    kept = [part.clone() for part in one]
    layers = [(one[0].expand(rows, -1, -1, -1), one[1].expand(rows, -1, -1, -1))] if begun else []
    found, expected = written_in_place(layers), appended_in_a_copy(layers)
    for _ in range(12):
        new = (drawn(n := int(rng.integers(1, 3))), drawn(n))
        for layer in range(2 - begun):
            pairs = zip(found.update(*new, layer), expected.update(*new, layer), strict=True)
            assert all(torch.equal(a, b) for a, b in pairs)
        assert found.get_seq_length() == expected.get_seq_length()
        if rng.random() < 0.4:
            chosen = torch.from_numpy(rng.integers(0, rows, rows := int(rng.integers(1, 5))))
            found.batch_select_indices(chosen)
            expected.batch_select_indices(chosen)
    assert all(torch.equal(a, b) for a, b in zip(one, kept, strict=True))


def test_rows_are_chosen_before_a_step_and_of_layers_that_remember_nothing() -> None:
    part = torch.arange(12.0).reshape(3, 1, 2, 2)
    cache = written_in_place([(part, -part)])
    cache.update(part, part, 2)  # the layer between them has no keys of its own
    cache.batch_select_indices(torch.tensor([2, 0]))
    keys, values = cache.update(part[:2], part[:2], 0)
    assert torch.equal(keys, torch.cat([part[[2, 0]], part[:2]], -2))
    assert torch.equal(values, torch.cat([-part[[2, 0]], part[:2]], -2))


@pytest.mark.parametrize("name", SORTS)
def test_texts_are_those_of_transformers_own_cache(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that end one after another, in a batch that shares nothing."""
    requests = [
        replace(r, context=str(r.context)[i * 7 :], max_new_tokens=2 + 3 * i)
        for i, r in enumerate(asked())
    ]
    monkeypatch.setattr(_hf_cache, "_ROOM", 3)
    with opened(architectures.save(tmp_path, name)) as session:
        found = written(session, requests)
        monkeypatch.setattr(Shared, "branched", lambda *_: None)
        monkeypatch.setattr(Shared, "n_common", lambda *_: 0)
        expected = written(session, requests)
    assert list(found.text) == list(expected.text)
    assert found.tokens is not None
    assert expected.tokens is not None
    np.testing.assert_allclose(found.tokens.logprobs, expected.tokens.logprobs, atol=1e-5)


def test_a_stored_block_is_not_written_to(tmp_path: Path) -> None:
    with opened(architectures.save(tmp_path, "llama")) as session:
        first = written(session, asked())
        (block,) = session._shared._prefixes
        before = [part.clone() for pair in session._shared._prefix(block) for part in pair]
        again = written(session, asked())
        after = [part for pair in session._shared._prefix(block) for part in pair]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert first.tokens is not None
    assert again.tokens is not None
    assert first.tokens.logprobs.tobytes() == again.tokens.logprobs.tobytes()


@pytest.mark.parametrize(("name", "longest"), [("mistral", 24), ("llama", 96), ("mamba", 0)])
def test_beyond_a_window_the_model_has_its_own(name: str, longest: int, tmp_path: Path) -> None:
    with opened(architectures.save(tmp_path, name)) as session:
        given = [
            session._shared.branched((), 2, most) is not None
            for most in (longest or 1, longest + 1)
        ]
    assert given == [longest > 0, False]


def test_as_many_texts_are_written_together_as_keys_and_values_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A llama with two layers of width 32: keys and values of a token take 512 bytes."""
    requests = tuple(Request(i, "generate", "x" * 30, max_new_tokens=9) for i in range(300))
    ask = Ask("k", requests, ("p",) * 300, Decoding())
    with opened(architectures.save(tmp_path, "llama")) as session:
        assert most_tokens(session._loaded) == (1 << 29) // 512
        monkeypatch.setitem(_hf_generate._REMEMBERED, "cpu", 20_000 * 512)
        length = 30 // 3 + 9 + 1
        assert [len(b) for b in session.batches(ask)] == [256, 44]
        monkeypatch.setattr("harness.models._hf_session.TOKEN_BUDGET", {"cpu": 10 * length})
        monkeypatch.setitem(_hf_generate._REMEMBERED, "cpu", 20 * length * 512)
        assert {len(b) for b in session.batches(ask)} == {20}
        monkeypatch.setitem(_hf_generate._REMEMBERED, "cpu", 5 * length * 512)
        assert {len(b) for b in session.batches(ask)} == {10}
