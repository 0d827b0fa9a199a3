"""The key of every kind of model: all of its fields but the marked ones, wherever its files lie."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.models import AbstractModel
from harness.plugins import build, kinds, plugin_class
from harness.stages.registered import asked_as
from harness.types import Paths
from tests.changes import changes, marks
from tests.models.tiny import save_adapter

ROWS = [{"custom_id": "1", "prompt": "Why?", "response": "So."}]


@dataclass(frozen=True)
class Example:
    """A model of a kind, with other values for those of its fields that an annotation does not tell."""

    model: AbstractModel
    values: Mapping[str, Any] = field(default_factory=dict)
    # field -> another value for the same contents, and one for others
    places: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def example(kind: str, folder: Path, llama: Path) -> Example:
    """The example of a kind; a new kind of model needs one here."""
    return {
        "fake": _fake, "hf": _hf, "hub": _hub, "recorded": _recorded, "zoo": _zoo, "lm_eval": _lm_eval,
        "server": _server,
    }[kind](folder, llama)  # fmt: skip


def _fake(folder: Path, llama: Path) -> Example:
    return Example(build("models", "m", {"kind": "fake"}))


def _hf(folder: Path, llama: Path) -> Example:
    first, same, retrained = (str(shutil.copytree(llama, folder / n)) for n in "abc")
    config = Path(retrained) / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "extra": 1}))
    model = build("models", "m", {"kind": "hf", "path": first, "device": "cpu"})
    places = {"path": (same, retrained), "revision": ("main", None), **_HF_PLACES}
    return Example(model, {}, {**places, "adapter": (None, str(save_adapter(folder / "adapter")))})


# auto on a CPU is float32; the weights are stored so too
_HF_PLACES: dict[str, Any] = {"dtype": ("float32", "float16"), "device": ("cpu:0", None)}


def _hub(folder: Path, llama: Path) -> Example:
    fields = {"kind": "hf", "path": "owner/m", "revision": "a" * 40, "device": "cpu"}
    places = {"path": ("owner/fork", None), "revision": (None, "b" * 40), **_HF_PLACES}
    return Example(build("models", "m", fields), {}, {**places, "adapter": (None, None)})


def _recorded(folder: Path, llama: Path) -> Example:
    for name, rows in (("one", ROWS), ("same", ROWS), ("other", ROWS * 2)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    shutil.copy(folder / "one.jsonl", folder / "m.jsonl")
    where, file = {"custom_id": "m"}, "one.jsonl"
    fields = {"kind": "recorded", "file": file, "where": where, "prompts_file": "one.jsonl"}
    return Example(
        build("models", "m", fields),
        {"columns": {"answer": "response"}, "format": "openai_batch", "run": "one"},
        {
            "file": ("{name}.jsonl", "other.jsonl"),
            "prompts_file": ("same.jsonl", "other.jsonl"),
            "where": ({"custom_id": "{name}"}, {"custom_id": "1"}),
        },
    )


def _zoo(folder: Path, llama: Path) -> Example:
    model = build("models", "m", {"kind": "zoo", "member": "answers_a"})
    return Example(model, {"step": 40, "scale": "smoke"}, {"member": (None, "answers_b")})


def _lm_eval(folder: Path, llama: Path) -> Example:
    args = {"model": "one", "base_url": "http://localhost:1"}
    model = build(
        "models", "m", {"kind": "lm_eval", "model": "vllm", "snapshot": "1", "args": args}
    )
    moved, another = {**args, "timeout": 9}, {**args, "base_url": "http://localhost:2"}
    return Example(model, {}, {"args": (moved, another)})


def _server(folder: Path, llama: Path) -> Example:
    fields = {"kind": "server", "url": "http://Localhost:1/v1/", "model": "tiny"}
    return Example(build("models", "m", fields), {"url": "http://localhost:2/v1"})


def test_an_address_is_one_however_it_is_spelt() -> None:
    spelt = ("http://Localhost:1/v1/", "HTTP://localhost:1/v1")
    fields = {"kind": "server", "model": "tiny"}
    keys = {
        build("models", "m", {**fields, "url": url}).key(Paths(Path(), Path())) for url in spelt
    }
    assert len(keys) == 1


@pytest.mark.parametrize("kind", [*kinds("models"), "hub"])
def test_a_key_is_made_from_every_field_but_the_marked_ones(
    kind: str, tmp_path: Path, llama: Path
) -> None:
    made = example(kind, tmp_path, llama)
    paths = Paths(tmp_path, tmp_path / "cache", (), tmp_path)
    first, of_field = made.model.key(paths), marks(type(made.model))
    assert first == made.model.key(paths)
    keys = {
        name: changed.key(paths)
        for name, changed in changes(made.model, made.values)
        if of_field[name] != "place"
    }
    assert keys.keys() == {name for name, mark in of_field.items() if mark != "place"}
    moved = {name for name, key in keys.items() if key != first}
    assert moved == {name for name, mark in of_field.items() if not mark}
    assert len(set(keys.values())) == len(moved) + 1
    _check_places(made, paths)


def _check_places(made: Example, paths: Paths) -> None:
    """Every place has the same key elsewhere and another one with other contents."""
    first, of_field = made.model.key(paths), marks(type(made.model))
    assert made.places.keys() == {name for name, mark in of_field.items() if mark == "place"}
    for name, (same, another) in made.places.items():
        for value, is_same in ((same, True), (another, False)):
            if value is not None:
                (changed,) = (m for n, m in changes(made.model, {name: value}) if n == name)
                assert (changed.key(paths) == first) == is_same, (name, value)


@pytest.mark.parametrize("kind", [*kinds("models"), "hub"])
def test_the_plan_of_a_case_says_every_field_of_the_key(
    kind: str, tmp_path: Path, llama: Path
) -> None:
    made = example(kind, tmp_path, llama)
    first, of_field = asked_as(made.model), marks(type(made.model))
    told = {name for name, model in changes(made.model, made.values) if asked_as(model) != first}
    assert told == {name for name, mark in of_field.items() if not mark} | {"chat"}


@pytest.mark.parametrize("kind", kinds("models"))
def test_a_raised_version_is_another_key(
    kind: str, tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = example(kind, tmp_path, llama).model
    paths = Paths(tmp_path, tmp_path / "cache", (), tmp_path)
    before = model.key(paths)
    monkeypatch.setattr(type(model), "version", type(model).version + 1)
    assert model.key(paths) != before


def test_common_fields_that_answer_nothing_are_marked() -> None:
    for kind in kinds("models"):
        of_field = marks(plugin_class("models", kind))
        assert {"name", "lineage", "identity", "training_data", "usd_per_hour"} <= {
            name for name, mark in of_field.items() if mark == "describes"
        }
        assert of_field["system"] == of_field["kind"] == ""


def test_a_file_that_is_read_in_another_way_has_another_key(tmp_path: Path) -> None:
    """Commas and tabs: the ending says how the same bytes are read."""
    for name in ("a.csv", "a.tsv"):
        (tmp_path / name).write_text("prompt,response\tx\nWhy?,So.\ty\n")
    paths = Paths(tmp_path, tmp_path / "cache", (), tmp_path)
    one, two = (
        build("models", "m", {"kind": "recorded", "file": f}).key(paths) for f in ("a.csv", "a.tsv")
    )
    assert one != two
