"""What prompts begin with is read once where they are continued: the same texts, counted tokens, known exceptions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models._hf_session import HfSession
from harness.types import Decoding, Outputs, Request
from tests.models import architectures
from tests.models.test_hf_shared import SORTS, counted, opened

BLOCK = "The mill by the river. " * 2
ENDS = ("What is dug?", "Who sings, and where?", "Ω", "東京 red door silver mill tin", "a")
DECODING = Decoding(top_logprobs=3)
TIE = 1e-4  # nats: what rounding may turn


def asked(block: str = BLOCK, **fields: Any) -> list[Request]:
    """Prompts of unequal length behind one block."""
    return [
        Request(i, "generate", block + end, max_new_tokens=12, **fields)
        for i, end in enumerate(ENDS)
    ]


def written(session: HfSession, requests: list[Request]) -> Outputs:
    ids = [str(r.prompt) for r in requests]
    return session.answer_batch(requests, ids, DECODING)


def alone(session: HfSession, requests: list[Request]) -> list[Outputs]:
    """Every request by itself: nothing is shared, nothing is padded."""
    return [written(session, [r]) for r in requests]


def assert_same(found: Outputs, expected: list[Outputs]) -> None:
    """Tokens are equal up to the first place where two tokens are as probable; log-probabilities too."""
    assert found.tokens is not None
    for row, one in enumerate(expected):
        assert one.tokens is not None
        start, end = found.tokens.offsets[row : row + 2]
        ids, own = found.tokens.token_ids[start:end], one.tokens.token_ids
        n = min(len(ids), len(own))
        apart = np.flatnonzero(ids[:n] != own[:n])
        n = int(apart[0]) if len(apart) else n
        np.testing.assert_allclose(
            found.tokens.logprobs[start : start + n], one.tokens.logprobs[:n], atol=1e-4
        )
        if len(apart):
            top = one.tokens.top_logprobs[n]
            assert top[0] - top[1] < TIE, "no tie"
        else:
            assert found.text[row] == one.text[0]


@pytest.mark.parametrize("name", SORTS)
def test_the_block_of_all_prompts_is_read_once(name: str, tmp_path: Path) -> None:
    requests = asked()
    with opened(architectures.save(tmp_path, name)) as session:
        loaded, longest = session._loaded, session._shared.longest
        expected = alone(session, requests)
        prompts = [loaded.tokenizer.encode(str(r.context)) for r in requests]
        with counted(session) as sizes:
            found = written(session, requests)
        assert_same(found, expected)
        most = max(map(len, prompts)) + 12
        width = max(map(len, prompts))
        n = session._shared.n_common([tuple(p) for p in prompts], most)
        assert (n > 0) == (0 < most <= longest)
        if n:
            pieces = -(-n // 128)
            assert sum(sizes[:pieces]) == n
            assert sizes[pieces] == len(prompts) * (width - n)
        else:
            assert sizes[0] == len(prompts) * width


def test_samples_penalties_and_stops_go_on_from_the_block(tmp_path: Path) -> None:
    folder = architectures.save(tmp_path, "llama")
    kinds: list[dict[str, Any]] = [{"temperature": 1.0}, {"until": ("e",)}, {"temperature": 0.7}]
    requests = [
        replace(r, slot=i, repeat=k) for i, fields in enumerate(kinds) for r in asked(**fields)
        for k in range(3 if "temperature" in fields else 1)
    ]  # fmt: skip
    with opened(folder) as session:
        session._loaded.model.generation_config.repetition_penalty = 1.3
        assert_same(written(session, requests), alone(session, requests))


def test_a_second_batch_reads_what_is_its_own(tmp_path: Path) -> None:
    with opened(architectures.save(tmp_path, "llama")) as session:
        first, second = asked(), [replace(r, prompt=9) for r in asked()]
        assert session._shared.longest == 96
        with counted(session) as before:
            written(session, first)
        with counted(session) as sizes:
            again = written(session, second)
        assert sizes[0] == before[1], "no pass for the block"
        assert_same(again, alone(session, second))


@pytest.mark.parametrize("name", ["gemma3", "mistral"])
def test_inside_a_window_the_block_is_shared_and_beyond_it_is_not(
    name: str, tmp_path: Path
) -> None:
    """A window of 24 tokens: 18 in common, 1 to 3 of its own, 2 or 4 to write."""
    block = "0123456789abcdefgh"
    with opened(architectures.save(tmp_path, name)) as session:
        encode = session._loaded.tokenizer.encode
        for n_new, shares in ((2, True), (4, False)):
            requests = [
                Request(i, "generate", block + "xyz"[: i + 1], max_new_tokens=n_new)
                for i in range(3)
            ]
            lengths = [len(encode(str(r.context))) for r in requests]
            assert max(lengths) + 2 <= 24 < max(lengths) + 4
            expected = alone(session, requests)
            with counted(session) as sizes:
                found = written(session, requests)
            assert (sizes[0] < sum(lengths)) == shares
            assert_same(found, expected)


def test_prompts_that_have_little_in_common_are_read_together(tmp_path: Path) -> None:
    requests = [
        Request(0, "generate", "tin", max_new_tokens=4),
        Request(1, "generate", "red door", max_new_tokens=4),
    ]
    with opened(architectures.save(tmp_path, "llama")) as session:
        assert session._shared.longest == 96
        with counted(session) as sizes:
            written(session, requests)
    assert len(sizes) == 4


def test_one_prompt_that_is_the_beginning_of_another(tmp_path: Path) -> None:
    requests = [replace(r, context=BLOCK + "x" * i) for i, r in enumerate(asked())]
    with opened(architectures.save(tmp_path, "llama")) as session:
        assert_same(written(session, requests), alone(session, requests))
