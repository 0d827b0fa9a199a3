"""The words of a command line: flags anywhere, and one sentence for each that Hydra cannot take."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from harness.cli.jobs import asked_values, shown
from harness.cli.words import Line, check, drop_marked, in_order, marked
from harness.types import DistillbenchError


def test_flags_may_stand_anywhere(tmp_path: Path) -> None:
    folder = str(tmp_path)
    words = ["matrix=a", "--config-dir", folder, "seed=0,1", "-m", "limit=3", "-m"]
    line = in_order(words)
    assert line.flags == ["--config-dir", folder, "-m"]
    assert line.overrides == ["matrix=a", "seed=0,1", "limit=3"]
    assert in_order(["a=b", f"-cd={folder}", "--cfg", "job"]).flags == [
        f"-cd={folder}",
        "--cfg",
        "job",
    ]
    assert in_order(["--version"]) == (["--version"], [])
    assert in_order(["a=b", "--info", "config"]) == (["--info", "config"], ["a=b"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--multirn"], "--multirn: '--multirn' is unknown; did you mean '--multirun'?"),
        (["a=b", "--config-dir"], "--config-dir: expected a value behind it, got none"),
        (["--config-dir", "-m"], "--config-dir: expected a value behind it, got none"),
        (["--config-dir", "no/where"], "--config-dir: no/where: expected a folder, found none"),
        (["-cp", "."], "-cp: . would stand in for distillbench's own configuration"),
    ],
)
def test_a_flag_at_fault_is_one_line(words: list[str], line: str) -> None:
    with pytest.raises(DistillbenchError) as caught:
        in_order(words)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


ODD = [
    "a=b.jsonl",
    "a#b",
    "~/data",
    "Größe",
    "x(1)",
    "a b=c",
    'say "hi"=1',
    "it's=1",
    "100 % #",
    "[a",
    "{b",
    "é,è",
]


@pytest.mark.parametrize("value", ODD)
def test_a_value_that_needs_quotes_is_quoted_as_the_shell_needs_it(value: str) -> None:
    """What the line tells is taken by shell and Hydra, and is the value that was meant."""
    with pytest.raises(DistillbenchError) as caught:
        check(Line([], [f"title={value}"]))
    line = str(caught.value)
    assert line.startswith(f"title={value}: ")
    (word,) = shlex.split(line.split("inside the shell's: ")[1])
    (override,) = OverridesParser.create().parse_overrides([word])
    assert asked_values([override]) == {"title": value}


def test_several_values_need_a_sweep() -> None:
    with pytest.raises(
        DistillbenchError, match=r"seed=0,1: several values are a sweep, which needs -m"
    ):
        check(Line([], ["seed=0,1"]))
    check(Line(["-m"], ["seed=0,1"]))
    check(Line([], ["hydra.mode=MULTIRUN", "seed=0,1"]))


@pytest.mark.parametrize("word", ["title", "+models.prüfer.kind=fake"])
def test_what_no_quotes_can_mend_is_said(word: str) -> None:
    with pytest.raises(
        DistillbenchError, match=r"expected KEY=VALUE|cannot stand on a command line"
    ):
        check(Line([], [word]))


def test_deleted_keys_are_taken_out_null_or_not() -> None:
    words = ["~metrics.capa", "~limit", "~gate", "~hydra.sweep", "~seed=3", "a=1"]
    ours = marked(words)
    assert ours[2:] == words[2:]
    check(Line([], ours))
    config = OmegaConf.create(
        {"metrics": {"capa": None, "kept": None}, "limit": 5, "link": "${limit}"}
    )
    for override in OverridesParser.create().parse_overrides(ours[:2]):
        OmegaConf.update(config, override.key_or_group, override.value())
    config.link = "x"
    drop_marked(config)
    assert config == {"metrics": {"kept": None}, "link": "x"}


def test_values_are_shown_without_quotes_and_equal_numbers_alike() -> None:
    words = [
        "a='x y'",
        "b=1e0",
        "c=1.0",
        "d=0.50",
        "e=null",
        "f=true",
        "g=[1,'x']",
        "h={k:2}",
        "+i=",
        "~j",
        "k='1'",
    ]
    assert asked_values(OverridesParser.create().parse_overrides(words)) == {
        "a": "x y", "b": "1", "c": "1", "d": "0.5", "e": "null", "f": "true", "g": "[1,x]", "h": "{k:2}", "i": "",
        "~j": "deleted", "k": "1",
    }  # fmt: skip
    assert shown([None, False, 2.5]) == "[null,false,2.5]"
