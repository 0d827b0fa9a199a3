"""A name is a module, and a YAML is checked key by key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from harness.plugins import build, kinds, plugin_class
from harness.schema import Bound, build_dataclass
from harness.types import DistillbenchError


@dataclass(frozen=True)
class Example:
    count: int
    share: float = 0.5
    mode: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ()
    where: Mapping[str, str | int] | None = None
    folder: Path | None = None
    on: bool = False


def made(**fields: Any) -> Example:
    value = build_dataclass(Example, fields, "thing x")
    assert isinstance(value, Example)
    return value


def test_values_are_coerced_to_their_annotations() -> None:
    value = made(count=1, share=2, names=["p", "q"], where={"k": 3}, folder="d")
    assert value == Example(1, 2.0, "a", ("p", "q"), {"k": 3}, Path("d"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "thing x: key count is missing; expected a whole number"),
        ({"count": True}, "thing x: key count: expected a whole number, got True"),
        ({"count": "1"}, "thing x: key count: expected a whole number, got '1'"),
        ({"count": 1, "mode": "c"}, "thing x: key mode: expected one of 'a', 'b', got 'c'"),
        ({"count": 1, "names": 5}, "thing x: key names: expected a list of text, got 5"),
        ({"count": 1, "names": ["p", 5]}, "thing x: key names[1]: expected text, got 5"),
        ({"count": 1, "cuont": 2}, "did you mean 'count'"),
    ],
)
def test_faults_name_key_expectation_and_what_came(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillbenchError) as caught:
        made(**fields)
    assert message in str(caught.value)


@dataclass(frozen=True)
class Inner:
    size: int
    label: str = ""

    def __post_init__(self) -> None:
        if self.size > 9:
            raise DistillbenchError("key size: too large\nkey label: too short")


@dataclass(frozen=True)
class Outer:
    one: Inner
    many: tuple[Inner, ...] = ()
    by_name: Mapping[str, tuple[int, ...] | None] | None = None
    some: Annotated[tuple[str, ...], Bound("at least one word", bool)] = ("a",)
    odd: Annotated[int, Bound("an odd number", lambda n: n % 2 == 1)] | None = None


def faults_of(where: str, **fields: Any) -> list[str]:
    with pytest.raises(DistillbenchError) as caught:
        build_dataclass(Outer, fields, where)
    return str(caught.value).splitlines()


def test_dataclasses_inside_one_another_are_built() -> None:
    fields = {
        "one": {"size": 1},
        "many": [{"size": 2, "label": "b"}],
        "by_name": {7: [1], "x": None},
    }
    built = build_dataclass(Outer, {**fields, "some": "word", "odd": 3}, "thing x")
    assert built == Outer(Inner(1), (Inner(2, "b"),), {"7": (1,), "x": None}, ("word",), 3)


def test_faults_inside_name_the_way_to_them_all_at_once() -> None:
    wrong = {
        "one": {"szie": 1, "label": 2},
        "many": [{"size": 1}, 5, {"size": "x"}, {"size": 10}],
        "by_name": {"a": [1, "b"], "c": 3},
        "some": [],
        "odd": 2,
    }
    assert faults_of("thing x", **wrong) == [
        "thing x: one: key 'szie' is unknown; did you mean 'size'? (known: label, size)",
        "thing x: one: key size is missing; expected a whole number",
        "thing x: one: key label: expected text, got 2",
        "thing x: key many[1]: expected a mapping, got 5",
        "thing x: many[2]: key size: expected a whole number, got 'x'",
        "thing x: many[3]: key size: too large",
        "thing x: many[3]: key label: too short",
        "thing x: key by_name.a[1]: expected a whole number, got 'b'",
        "thing x: key by_name.c: expected null or a list of whole numbers, got 3",
        "thing x: key some: expected at least one word, got []",
        "thing x: key odd: expected null or an odd number, got 2",
    ]


def test_faults_of_the_whole_configuration_begin_with_the_section() -> None:
    assert faults_of("", one={"size": None}, many={}, by_name=[1]) == [
        "one: key size: expected a whole number, got None",
        "configuration: key many: expected a list of mappings, got {}",
        "configuration: key by_name: expected null or a mapping, got [1]",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"share": 10**400}, "key share: expected a number"),
        ({"share": True}, "key share: expected a number, got True"),
        ({"folder": ""}, "key folder: expected null or a folder, got ''"),
        ({"folder": 3}, "key folder: expected null or a folder, got 3"),
        ({"on": "maybe"}, "key on: expected true or false, got 'maybe'"),
        ({"on": 1}, "key on: expected true or false, got 1"),
        ({"where": {"a": 1.5}}, "key where.a: expected text or a whole number, got 1.5"),
    ],
)
def test_plain_values_are_taken_as_they_are_meant(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillbenchError, match=re.escape(message)):
        made(count=1, **fields)


def test_a_list_takes_a_single_text() -> None:
    assert made(count=1, names="pq").names == ("pq",)


def test_all_faults_at_once() -> None:
    with pytest.raises(DistillbenchError) as caught:
        made(count="x", share="y", nope=1)
    assert len(str(caught.value).splitlines()) == 3


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(
        DistillbenchError, match=r"model m: kind: 'fakee' is unknown; did you mean 'fake'"
    ):
        build("models", "m", {"kind": "fakee"})
    with pytest.raises(DistillbenchError, match="expected a key `kind`"):
        build("models", "m", {})


@pytest.mark.parametrize("package", ["models", "tasks", "metrics", "figures"])
def test_every_module_holds_one_plug_in(package: str) -> None:
    assert kinds(package)
    for kind in kinds(package):
        assert plugin_class(package, kind).__module__ == f"harness.{package}.{kind}"
