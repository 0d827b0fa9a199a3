"""What matrices of fakes rely on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.models import Ask
from harness.models.fake import FakeModel, FakeSession
from harness.plugins import build
from harness.types import Decoding, DistillbenchError, Message, Paths, Request

PATHS = Paths(Path("r"), Path("c"), ())
SAMPLED = Decoding(temperature=1.0, top_logprobs=4)
WRITE = [Request(i, "generate", f"Explain why the {i}. lantern is green.") for i in range(100)]
IDS = [str(i) for i in range(100)]


def _model(**fields: object) -> FakeModel:
    return build("models", "f", {"kind": "fake", **fields})  # type: ignore[no-any-return]


def _fake(**fields: object) -> FakeSession:
    return FakeSession(_model(**fields))


def test_same_fields_same_answers_in_any_batch() -> None:
    whole = _fake().answer_batch(WRITE, IDS, SAMPLED)
    part = _fake().answer_batch(WRITE[7:9], IDS[7:9], SAMPLED)
    assert whole.text[7:9] == part.text
    assert len(set(whole.text)) == 100


def test_samples_differ_where_they_are_drawn() -> None:
    texts = [
        _fake().answer_batch(WRITE, IDS, d).text for d in (SAMPLED, replace(SAMPLED, sample=1))
    ]
    greedy = [_fake().answer_batch(WRITE, IDS, d).text for d in (Decoding(), Decoding(sample=1))]
    assert sum(a == b for a, b in zip(*texts, strict=True)) < 5
    assert greedy[0] == greedy[1]


def test_styles_have_habits() -> None:
    """Openings of one style are alike across draws and prompts, those of another style are others."""

    def openings(style: str, sample: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        texts = _fake(style=style).answer_batch(WRITE, IDS, replace(SAMPLED, sample=sample)).text
        counts = Counter((t or "").split()[0] for t in texts)
        return np.array(
            [counts[w] / 100 for w in ("Certainly.", "Well,", "In", "Good", "Here", "Let")]
        )

    same = np.abs(openings("warm", 0) - openings("warm", 1)).sum()
    others = np.abs(openings("warm", 0) - openings("terse", 0)).sum()
    assert openings("warm", 0).sum() == 1
    assert others > 2 * same


def _choices(fake: FakeSession) -> list[int]:
    requests = [
        Request(i, "score", f"Q{i}:", slot=s, continuation=f" option {s}")
        for i in range(300)
        for s in range(4)
    ]
    found = fake.answer_batch(requests, ["p"] * len(requests), Decoding())
    return [int(i) for i in found.logprob_nats.reshape(-1, 4).argmax(axis=1)]


def test_agreement_grows_with_skill() -> None:
    """Two of one seed agree on min(skill) of the prompts, and on a quarter of the rest by chance."""
    ideal, half, none, elsewhere = (
        _choices(_fake(skill=s, seed=d)) for s, d in ((1, 0), (0.5, 0), (0, 0), (1, 1))
    )
    agreement = [
        np.mean([a == b for a, b in zip(ideal, other, strict=True)])
        for other in (half, none, elsewhere)
    ]
    assert agreement[0] == pytest.approx(0.5 + 0.5 * 0.25, abs=0.09)
    assert agreement[1] == pytest.approx(0.25, abs=0.09)
    assert agreement[2] == pytest.approx(0.25, abs=0.09)


def test_tokens_are_distributions() -> None:
    requests = [
        Request(0, "score", "Q:", continuation=" two words"),
        Request(1, "read", "", continuation="naïve 東京 text."),
        Request(2, "generate", (Message("user", "hello"),)),
        Request(3, "choose", "Q"),
    ]
    found = _fake().answer_batch(requests, list("abcd"), Decoding(top_logprobs=1000))
    columns = found.tokens
    assert columns is not None
    assert columns.byte_ends is not None
    np.testing.assert_allclose(np.exp(columns.top_logprobs.astype(float)).sum(axis=1), 1, rtol=1e-5)
    assert (np.diff(columns.top_logprobs, axis=1) <= 0).all()
    position = columns.top_ids == columns.token_ids[:, None]
    np.testing.assert_array_equal(columns.top_logprobs[position], columns.logprobs)
    sums = [
        columns.logprobs[a:b].sum()
        for a, b in zip(columns.offsets, columns.offsets[1:], strict=False)
    ]
    np.testing.assert_allclose(sums[:2], found.logprob_nats[:2], rtol=1e-5)
    assert columns.byte_ends[columns.offsets[2] - 1] == len("naïve 東京 text.".encode())
    assert found.choice[3] in range(4)
    assert found.n_tokens.tolist() == np.diff(columns.offsets).tolist()


def test_limits_are_kept() -> None:
    asked = [replace(WRITE[0], max_new_tokens=3), replace(WRITE[0], until=("the",))]
    found = _fake().answer_batch(asked, IDS[:2], Decoding())
    assert len((found.text[0] or "").split()) == 3
    assert found.stop == ("length", "stop")
    assert "the" not in (found.text[1] or "the")
    assert _fake(answers={"hi": "ho"}).answer_batch(
        [Request(0, "generate", "hi")], ["p"], Decoding()
    ).text == ("ho",)


def test_fields() -> None:
    changes: list[dict[str, object]] = [
        {},
        {"skill": 0.1},
        {"style": "x"},
        {"seed": 1},
        {"answers": {"a": "b"}},
    ]
    fakes = [_model(**fields) for fields in changes]
    assert len({f.key(PATHS) for f in fakes}) == 5
    assert replace(fakes[0], name="other").key(PATHS) == fakes[0].key(PATHS)
    with pytest.raises(
        DistillbenchError, match=r"model f: key skill: expected a number in \[0, 1\]"
    ):
        _model(skill=2.0)


def test_batches_cover_everything() -> None:
    batches = _fake().batches(Ask("key", tuple(WRITE * 6), tuple(IDS * 6), Decoding()))
    assert [i for b in batches for i in b] == list(range(600))
