"""The key of every kind of task: its code, all of its fields but the marked ones, and the setting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness import keys
from harness.plugins import build, kinds
from harness.tasks import AbstractTask, Author, Setting
from harness.tasks.judge import TEMPLATE
from tests.changes import changes, marks
from tests.tasks import tiny


@dataclass(frozen=True)
class Example:
    """Tasks of a kind that together take every field, with values that an annotation does not tell."""

    tasks: tuple[Mapping[str, Any], ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    places: frozenset[str] = frozenset({"file"})


EXAMPLES = {
    "choices": Example(({"file": "a.jsonl"},), {"columns": {"text": "prompt"}}),
    "prompts": Example(({"file": "a.jsonl"},), {"columns": {"category": "prompt"}}),
    "next_token": Example(({"file": "a.jsonl"},)),
    "reading": Example(
        ({"text": "a.jsonl"}, {"answers_to": "open", "by": ["a"]}),
        {"columns": {"category": "prompt"}},
        frozenset({"text"}),
    ),
    "judge": Example(
        ({"answers_to": "open", "judge": "j", "first": ["a"], "second": ["b"]},),
        {"template": TEMPLATE + " "},
        frozenset(),
    ),
    "lm_eval": Example(({"task": "tiny_group"},), {"task": "tiny_choose"}, frozenset({"include"})),
}


@pytest.fixture
def setting(here: Setting, tmp_path: Path) -> Setting:
    """A folder with a file, one with the same file, and one with another."""
    for name, text in (("one", "a"), ("same", "a"), ("another", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(json.dumps({"prompt": text}) + "\n")
    return in_folder(here, tmp_path / "one")


def in_folder(setting: Setting, folder: Path) -> Setting:
    paths = setting.paths
    return replace(setting, paths=replace(paths, data=folder, tasks=paths.tasks))


def made(kind: str) -> list[AbstractTask]:
    """The examples of a kind; a new kind of task needs one in EXAMPLES."""
    return [build("tasks", "t", {"kind": kind, **fields}) for fields in EXAMPLES[kind].tasks]


@pytest.mark.parametrize("kind", kinds("tasks"))
def test_a_key_is_made_from_every_field_but_the_marked_ones(kind: str, setting: Setting) -> None:
    moved, still = set[str](), set[str]()
    for task in made(kind):
        first = task.key(setting)
        for name, changed in changes(task, EXAMPLES[kind].values):
            if marks(type(task))[name] != "place":
                (still if changed.key(setting) == first else moved).add(name)
    of_field = marks(type(made(kind)[0]))
    assert moved == {name for name, mark in of_field.items() if not mark}
    assert still == {name for name, mark in of_field.items() if mark in ("speed", "describes")}
    assert EXAMPLES[kind].places == {name for name, mark in of_field.items() if mark == "place"}


@pytest.mark.parametrize("kind", [k for k, e in EXAMPLES.items() if e.places & {"file", "text"}])
def test_contents_count_and_places_do_not(kind: str, setting: Setting, tmp_path: Path) -> None:
    task = made(kind)[0]
    first = task.key(setting)
    assert task.key(in_folder(setting, tmp_path / "same")) == first
    assert task.key(in_folder(setting, tmp_path / "another")) != first


@pytest.mark.parametrize("kind", kinds("tasks"))
def test_the_setting_is_in_the_key(kind: str, setting: Setting) -> None:
    task = made(kind)[-1]
    others = [
        replace(setting, chat=True),
        replace(setting, limit=3),
        replace(setting, seed=1),
        replace(setting, authors=(Author("a", ("key of answers",)),)),
        replace(setting, authors=(Author("a", ("key of other answers",)),)),
        replace(setting, authors=(Author("b", ("key of answers",)),)),
    ]
    assert len({task.key(setting), *(task.key(s) for s in others)}) == 1 + len(others)


def test_an_included_folder_counts_by_what_it_holds(here: Setting, tmp_path: Path) -> None:
    for name in ("one", "same", "another"):
        tiny.write_tasks(tmp_path / name)
    (tmp_path / "another" / "placed.py").write_text("x = 1\n")
    empty = replace(here, paths=replace(here.paths, tasks=()))
    fields = {"kind": "lm_eval", "task": "tiny_group"}
    one, same, another = (
        build("tasks", "t", {**fields, "include": str(tmp_path / name)}).key(empty)
        for name in ("one", "same", "another")
    )
    assert one == same != another


@pytest.mark.parametrize(
    ("text", "changes_key"),
    [
        (
            '"""Reworded."""\nX = 1\n\n\ndef f():\n    """Reworded."""\n    return X  # reworded\n',
            False,
        ),
        ('"""Words."""\nX = 2\n\n\ndef f():\n    """Words."""\n    return X\n', True),
    ],
)
def test_code_counts_and_its_words_do_not(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, changes_key: bool
) -> None:
    """In the place of our package stands one whose only task is this text."""
    task = made("prompts")[0]
    module = tmp_path / "harness" / "tasks" / "prompts.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(keys, "_ROOT", tmp_path / "harness")
    found = []
    for words in ('"""Words."""\nX = 1\n\n\ndef f():\n    """Words."""\n    return X\n', text):
        module.write_text(words)
        keys._read.cache_clear()
        found.append(task.key(setting))
    keys._read.cache_clear()
    assert (found[0] != found[1]) == changes_key
