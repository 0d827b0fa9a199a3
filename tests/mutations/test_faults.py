"""The list of deliberate faults fits the code: every line that it replaces is there, once, and every test exists."""

from __future__ import annotations

import ast

import pytest

from tests.mutations.faults import Fault, faults
from tests.mutations.run import REPOSITORY


@pytest.mark.parametrize("fault", faults(), ids=lambda f: f.what)
def test_the_fault_can_be_put_in(fault: Fault) -> None:
    assert (REPOSITORY / "harness" / fault.file).read_text().count(fault.right) == 1
    file, _, name = fault.test.partition("::")
    tests = {
        n.name
        for n in ast.walk(ast.parse((REPOSITORY / file).read_text()))
        if isinstance(n, ast.FunctionDef)
    }
    assert name.partition("[")[0].rpartition("::")[2] in tests
