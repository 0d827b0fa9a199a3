"""Short random contexts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.models.fake import FakeModel, FakeSession
from harness.tasks import Setting
from harness.tasks.next_token import NextTokenTask
from harness.types import Decoding, DistillbenchError, Message, Paths
from tests.conftest import REPOSITORY

TASKS = REPOSITORY / "tasks"


def at(folder: Path, chat: bool = False, limit: int | None = None, seed: int = 0) -> Setting:
    return Setting(Paths(folder, folder / "cache", (folder, TASKS)), chat, None, limit, seed)


def make(**fields: Any) -> NextTokenTask:
    return NextTokenTask("next_token", "mine", **fields)


@pytest.mark.parametrize("file", ["next_token/words.txt", "zoo/words.txt"])
def test_contexts_are_short_different_and_of_our_words(tmp_path: Path, file: str) -> None:
    found = make(file=file).requests(at(tmp_path))
    words = {*(TASKS / file).read_text("utf-8").split()}
    texts = [p.text for p in found.prompts]
    assert len({*texts}) == 400
    for text in texts:
        pieces = [p for p in text.split() if p != "-"]
        assert 2 <= len(pieces) <= 8
        assert all(p.strip(",.;:?!") in words or p.strip(",.;:?!").isdecimal() for p in pieces)
    assert any(any(c.isdecimal() for c in t) for t in texts)
    assert any("," in t for t in texts)
    assert {(r.kind, r.max_new_tokens, r.temperature) for r in found.requests} == {
        ("generate", 1, 0.0)
    }
    assert [r.context for r in found.requests] == texts
    assert found.yields == ("next_token",)


def test_the_seed_alone_decides(tmp_path: Path) -> None:
    first = make().requests(at(tmp_path))
    assert make().requests(at(tmp_path)) == first
    other = make().requests(at(tmp_path, seed=1))
    assert {p.id for p in other.prompts} != {p.id for p in first.prompts}
    assert make().key(at(tmp_path, seed=1)) != make().key(at(tmp_path))
    assert make().requests(at(tmp_path, limit=7)).prompts == first.prompts[:7]
    chat = make().requests(at(tmp_path, chat=True))
    assert chat.requests[0].context == (Message("user", first.prompts[0].text),)


def test_models_answer_with_one_token(tmp_path: Path) -> None:
    asked = make(contexts=20).requests(at(tmp_path))
    outputs = FakeSession(FakeModel("fake", "f")).answer_batch(
        asked.requests, [p.id for p in asked.prompts], Decoding(temperature=1.0)
    )
    assert {int(n) for n in outputs.n_tokens} == {1}


def test_too_few_words_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("tea milk")
    with pytest.raises(
        DistillbenchError, match=r"expected 9000 different contexts, got \d+ from 2 words"
    ):
        make(file="few.txt", shortest=1, longest=1, contexts=9000).requests(at(tmp_path))
    (tmp_path / "one.txt").write_text("tea tea")
    with pytest.raises(DistillbenchError, match="two or more different words"):
        make(file="one.txt").requests(at(tmp_path))
    with pytest.raises(DistillbenchError, match="shortest <= longest"):
        make(shortest=3, longest=2)
    with pytest.raises(DistillbenchError, match="key contexts"):
        make(contexts=0)
    assert make(file="none.txt").faults(at(tmp_path))[0].startswith("task mine: file none.txt")
