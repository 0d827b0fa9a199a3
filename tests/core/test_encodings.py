"""Files are opened as UTF-8 whatever the locale says, and output never fails for a letter."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.running import REPOSITORY

MODULES = sorted((REPOSITORY / "harness").rglob("*.py"))
TEXT = {"read_text": 0, "write_text": 1, "open": None}


def _without_encoding(node: ast.Call) -> bool:
    """Whether a call opens a file as text and leaves its encoding to the locale."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if name != "open" and isinstance(function, ast.Name):
        return False  # a function of our own
    if name not in TEXT or any(k.arg == "encoding" for k in node.keywords):
        return False
    if name == "open":
        owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
        modes = {w for w in words if set(w) <= set("rwabxt+")}
        modes |= {str(ast.literal_eval(k.value)) for k in node.keywords if k.arg == "mode"}
        return owner != "os" and bool(modes) and not any("b" in mode for mode in modes)
    return not words[TEXT[name] :] if name == "read_text" else len(node.args) < 2


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_every_text_file_has_its_encoding(path: Path) -> None:
    calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
    assert [ast.unparse(call) for call in calls if _without_encoding(call)] == []


def test_a_letter_that_the_locale_lacks_does_not_end_a_run() -> None:
    script = (
        "import sys; from harness.cli.streams import make_lasting; make_lasting(); "
        "print('Gr\\u00f6\\u00dfe \\u2013'); print('\\u2190', file=sys.stderr)"
    )
    plain = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    environment = {**os.environ, **plain, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"\\u2190\n")
    assert done.stdout == b"Gr\\xf6\\xdfe \\u2013\n"
