"""A name is a module, and a YAML is checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from harness.plugins import build, kinds, plugin_class
from harness.schema import build_dataclass
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
