"""Imports point down the layers, light things stay light, and modules stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).resolve().parents[2] / "harness"
LAYERS: dict[str, int] = {
    name: layer
    for layer, names in enumerate(
        (
            ("", "types", "records"),
            ("digest", "stats", "processes", "secrets", "credentials", "foreign", "forecast", "progress", "workload"),
            ("store", "tables", "plugins", "align", "choices", "zoo", "filehash", "tablefile", "numerals", "subjects",
             "textstyle", "textstyle_families", "textstyle_grams", "textstyle_ladder", "textstyle_phrases",
             "textstyle_profile", "overlap", "trainingtexts", "verdicts"),
            ("adapters", "backends", "metrics", "figures"),
            ("matrix", "plan"),
            ("apart", "seen", "sides", "spilled", "collect", "comparisons", "score", "record", "page", "report", "gate",
             "run"),
            ("conffiles", "config", "composition", "streams", "exits", "sweep", "cli", "__main__"),
        )
    )
    for name in names
}  # fmt: skip
PLUGIN_PACKAGES = {"adapters", "backends", "metrics", "figures"}
MODULES = sorted(HARNESS.rglob("*.py"))


def unit(dotted: str) -> str:
    """The layered unit that a module of the package belongs to."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> set[str]:
    """Units of our own package that a file imports, wherever the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "harness":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness."):
            found.add(unit(str(node.module)))
        elif isinstance(node, ast.Import):
            found |= {unit(a.name) for a in node.names if a.name.startswith("harness.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(HARNESS)))
def test_imports_point_down(path: Path) -> None:
    own = path.relative_to(HARNESS).with_suffix("").parts[0].replace("__init__", "")
    assert own in LAYERS, f"{own} has no layer: name it here and in the README"
    for other in imports(path):
        assert LAYERS[other] <= LAYERS[own], (
            f"{own} (layer {LAYERS[own]}) imports {other} (layer {LAYERS[other]})"
        )
        if own in PLUGIN_PACKAGES and other in PLUGIN_PACKAGES:
            assert own == other, f"plug-in package {own} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(HARNESS)))
def test_own_package_is_imported_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for function in (
        n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    ):
        local = [n.module or "" for n in ast.walk(function) if isinstance(n, ast.ImportFrom)]
        assert not [m for m in local if m.startswith("harness")], (
            f"{path.name}: {function.name} imports our own package"
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(HARNESS)))
def test_no_module_is_over_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("forbidden", ["torch", "lm_eval", "scipy", "sklearn", "transformers"])
def test_importing_the_package_and_the_stages_is_light(forbidden: str) -> None:
    code = (
        "import sys, harness, harness.plan.collections, harness.stages.score, harness.stats.intervals, harness.stages.record\n"
        "from harness.plugins import kinds, plugin_class\n"
        "[plugin_class('metrics', k) for k in kinds('metrics')]\n"
        f"sys.exit({forbidden!r} in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=HARNESS.parent, check=False).returncode
        == 0
    )


def test_nothing_unpickles() -> None:
    for path in MODULES:
        names = {
            n.names[0].name
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Import)
        }
        assert not names & {"pickle", "dill", "shelve", "marshal", "cloudpickle"}, path
