"""The list of deliberate faults fits the code: every line that it replaces is there, once, and every test exists."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.mutations.faults import Fault, faults
from tests.mutations.run import REPOSITORY


@cache
def _tests_in(file: str) -> frozenset[str]:
    """Names of the tests of a file; many faults have theirs in the same one."""
    tree = ast.parse((REPOSITORY / file).read_text("utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


@pytest.mark.parametrize("fault", faults(), ids=lambda f: f.what)
def test_the_fault_can_be_put_in(fault: Fault) -> None:
    assert (REPOSITORY / "harness" / fault.file).read_text("utf-8").count(fault.right) == 1
    file, _, name = fault.test.partition("::")
    assert name.partition("[")[0].rpartition("::")[2] in _tests_in(file)
