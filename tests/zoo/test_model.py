from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.plugins import build
from harness.types import Decoding, DistillbenchError, Message, Paths, Request
from harness.zoo import Place


@pytest.fixture
def paths(tiny: Place) -> Paths:
    """Paths whose cache holds the tiny zoo."""
    (tiny.root.parent / "cache").mkdir(exist_ok=True)
    link = tiny.root.parent / "cache" / "zoo"
    if not link.exists():
        link.symlink_to(tiny.root)
    return Paths(results=tiny.root, cache=link.parent, tasks=())


def test_digest_needs_no_training(tmp_path: Path) -> None:
    paths = Paths(results=tmp_path, cache=tmp_path, tasks=())
    fields = {"kind": "zoo", "member": "answers_a"}
    changed: list[dict[str, Any]] = [
        {},
        {"step": 40},
        {"member": "logits_a"},
        {"seed": 1},
        {"scale": "smoke"},
        {"system": "Be brief."},
    ]
    digests = [build("models", "x", {**fields, **change}).key(paths) for change in changed]
    assert len(set(digests)) == len(changed)
    assert build("models", "another_name", fields).key(paths) == digests[0]
    assert not list(tmp_path.iterdir())


def test_faults_name_the_nearest() -> None:
    with pytest.raises(DistillbenchError, match="did you mean 'answers_a'"):
        build("models", "x", {"kind": "zoo", "member": "answer_a"})
    with pytest.raises(DistillbenchError, match=r"10, 20, 40, 80, 160, 320.*got 30"):
        build("models", "x", {"kind": "zoo", "member": "answers_a", "step": 30})
    with pytest.raises(DistillbenchError, match="none of this model"):
        build("models", "x", {"kind": "zoo", "member": "base", "step": 30})


def test_it_answers_like_a_checkpoint(paths: Paths) -> None:
    model = build("models", "x", {"kind": "zoo", "member": "answers_a", "scale": "tiny", "step": 1})
    other = build("models", "y", {"kind": "hf", "path": str(paths.cache / "zoo")})
    assert not model.preparations(paths)
    requests = [
        Request(0, "generate", (Message("user", "Who are you?"),), max_new_tokens=3),
        Request(1, "score", "The metal of Abren is", continuation=" iron"),
    ]
    with model.open(paths) as session:
        found = session.answer_batch(requests, ["a", "b"], Decoding())
        assert session.facts()["threads"] == 1
    folder = Place(paths.cache / "zoo", "tiny").folder / "answers_a@1"
    assert model.offers() == other.offers()
    checkpoint = build("models", "y", {"kind": "hf", "path": str(folder), "device": "cpu"})
    with checkpoint.open(paths) as session:
        expected = session.answer_batch(requests, ["a", "b"], Decoding())
    assert found.text == expected.text
    assert found.logprob_nats[1] == pytest.approx(expected.logprob_nats[1], rel=1e-6)


def test_it_must_be_trained(tmp_path: Path) -> None:
    model = build("models", "x", {"kind": "zoo", "member": "base"})
    with pytest.raises(RuntimeError, match="before it is trained"):
        model.open(Paths(tmp_path, tmp_path))
