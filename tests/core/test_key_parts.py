"""What a specification's key is made from, and seeds that no other key moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.keys import describes, draw_seed, key_parts, place, speed
from harness.tasks import Setting, asks
from harness.tasks.prompts import PromptsTask
from harness.types import Decoding, Paths, Prompt, Request, RequestSet


@dataclass(frozen=True)
class Spec:
    """One field of every sort."""

    name: str = describes()
    size: int = 1
    path: str = place("")
    threads: int | None = speed(None)
    options: Mapping[str, int] = field(default_factory=dict)
    where: Mapping[str, str] = place(default_factory=dict, hash=False)
    _held: list[int] = field(default_factory=list, init=False, compare=False)


@dataclass(frozen=True)
class Longer(Spec):
    """The same with a new field that bears no mark."""

    new: float = 0.5


def test_fields_without_a_mark_are_in_the_key() -> None:
    assert key_parts(Spec("a", 2, options={"k": 1})) == {"size": 2, "options": {"k": 1}}
    assert key_parts(Spec("a", 2, threads=8)) == key_parts(Spec("b", 2))


def test_a_place_stands_for_what_lies_there() -> None:
    one, two = Spec("a", path="/here"), Spec("a", path="/there")
    assert key_parts(one, {"path": "c"}) == key_parts(two, {"path": "c"}) == {"path": "c"}
    assert key_parts(Spec("a", where={"x": "y"}), {"where": "d"}) == {"where": "d"}


@pytest.mark.parametrize(
    ("spec", "contents", "said"),
    [
        (Spec("a", path="/here"), {}, r"contents of its places \(path, where\), got those of none"),
        (Spec("a"), {"size": "c"}, "got those of size"),
        (Spec("a", where={"x": "y"}), {"path": "c"}, "got those of path"),
    ],
)
def test_contents_that_are_missing_or_of_another_field_are_an_error(
    spec: Spec, contents: Mapping[str, str], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        key_parts(spec, contents)


def test_a_new_field_is_in_the_key_and_moves_no_key_at_its_default() -> None:
    assert key_parts(Longer("a", 2)) == key_parts(Spec("a", 2))
    assert key_parts(Longer("a", 2, new=0.25)) == {"size": 2, "new": 0.25}


def test_a_default_is_told_from_what_only_equals_it() -> None:
    assert key_parts(Longer("a", new=True)) == {"new": True}
    assert key_parts(Decoding(seed=0)) == {}
    assert key_parts(Decoding(temperature=0.7)) == {"temperature": 0.7}


def test_seeds_keep_their_bytes() -> None:
    """These streams were drawn before; other bytes would draw other samples and other intervals."""
    pinned = "92a8fe257ba509a2edaa046fc5e54d808183faf0fa55e4d768e5359986b05578"
    assert draw_seed("f" * 4, "prompt#2", 0, 1, 0, 3) == pinned
    assert draw_seed([["w", [0.5, -1.25]]]).startswith("ecdaaf4501bfb8ae")
    assert int(draw_seed("capa")[:8], 16) == 4067239788


def test_ids_of_prompts_keep_their_bytes(tmp_path: Path) -> None:
    """The id of a prompt seeds the draw of its answer."""
    (tmp_path / "x.jsonl").write_text('{"prompt": "Why?"}\n')
    asked = PromptsTask("prompts", "why", file="x.jsonl").requests(
        Setting(Paths(tmp_path, tmp_path, (tmp_path,)))
    )
    assert asked.prompts[0].id == "677586b83a7fe6c40a0e5eb782cc58208c6aaa5374c7a077d43b846aa1df5867"


def _set(*requests: Request, **prompt: object) -> RequestSet:
    row = {"text": "t", "cluster": "c", "category": "", **prompt}
    return RequestSet("task", (Prompt("id", **row),), requests, False, "1", ("text",))  # type: ignore[arg-type]


def test_what_is_asked_has_no_part_of_what_only_measures_see() -> None:
    ask = Request(0, "score", "Is it?", continuation=" yes")
    first = asks(_set(ask))
    for seen in (
        {"text": "other"},
        {"cluster": "x"},
        {"category": "x"},
        {"n_options": 2, "gold": 1},
    ):
        assert asks(_set(ask, **seen)) == first
    others = [
        _set(ask, ask),
        _set(Request(0, "score", "Is it?", continuation=" no")),
        _set(Request(0, "score", "Is it?", continuation=" yes", slot=1)),
        _set(Request(0, "generate", "Is it?", until=("\n",))),
    ]
    assert len({first, *map(asks, others)}) == 5
