"""The list of deliberate faults in faults.yaml, each with the test that must notice it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import yaml


class Fault(NamedTuple):
    """A line that is replaced by a wrong one."""

    what: str
    file: str  # below harness/
    right: str  # stands exactly once in the file
    wrong: str
    test: str  # pytest's address of a test that must fail


def faults() -> list[Fault]:
    """All of them, in the order of the file."""
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    text = Path(__file__).with_name("faults.yaml").read_text("utf-8")
    return [Fault(**fields) for fields in yaml.load(text, loader)]
