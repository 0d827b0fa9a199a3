"""The floors of the house: imports point down, plug-ins stand apart, light things stay light, modules stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

from harness.plugins import kinds

HARNESS = Path(__file__).resolve().parents[2] / "harness"
# Folders and modules at the top of the package, from the ground up; each may import its own floor and those below.
FLOORS = (
    ("types", "keys", "schema", "plugins", ""),
    ("console", "stats", "text"),
    ("files", "store"),
    ("panel", "board"),
    (
        "zoo",
        "models",
        "tasks",
        "metrics",
        "verdicts",
        "figures",
        "exports",
        "trackers",
        "executors",
        "page",
    ),
    ("plan", "stages"),
    ("cli", "api", "testing", "__main__"),
)
# Inside their floor plug-ins do not import one another, but for these.
NEIGHBOURS = {("models", "zoo"), ("page", "figures"), ("exports", "page")}
MODULES = sorted(HARNESS.rglob("*.py"))


def room(path: Path) -> str:
    """The folder, or the module at the top, that a file belongs to."""
    return path.relative_to(HARNESS).with_suffix("").parts[0].replace("__init__", "")


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Everything in a file's syntax tree, which is parsed once for all tests."""
    return list(ast.walk(ast.parse(path.read_text())))


def imported_rooms(path: Path) -> set[str]:
    """Rooms of our own package that a file imports, wherever the statement stands."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module == "harness":
            names |= {f"harness.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = [name.split(".") for name in names]
    return {p[1] if len(p) > 1 else "" for p in parts if p[0] == "harness"} - {"__version__"}


def test_imports_point_down_the_floors() -> None:
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    wrong = []
    for path in MODULES:
        own = room(path)
        assert own in floor, f"{own} stands on no floor: name it here and in docs/design.md"
        for other in imported_rooms(path) - {own}:
            beside = (
                floor[own] == floor[other] == floor["models"] and (own, other) not in NEIGHBOURS
            )
            if floor[other] > floor[own] or beside:
                wrong.append(f"{path.relative_to(HARNESS)} imports {other}")
    assert not wrong


def test_own_package_is_imported_at_the_top_of_a_module() -> None:
    wrong = []
    for path in MODULES:
        for function in nodes(path):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                local = [
                    n.module or "" for n in ast.walk(function) if isinstance(n, ast.ImportFrom)
                ]
                if any(m.startswith("harness") for m in local):
                    wrong.append(f"{path.relative_to(HARNESS)}: {function.name}")
    assert not wrong


def test_modules_are_small_and_few_stand_at_the_top() -> None:
    assert not [p for p in MODULES if len(p.read_text().splitlines()) > 400]
    assert len(list(HARNESS.glob("*.py"))) <= 6


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(HARNESS)}: {node.name}"
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or node.lineno) - node.lineno >= 45
    ]
    assert long == []


def test_two_frames_catch_everything() -> None:
    """The outermost one, and the boundary of a job."""
    catching = [
        str(path.relative_to(HARNESS))
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & _names(node.type))
    ]
    assert catching == ["cli/exits.py", "executors/_boundary.py"]


def _names(node: ast.expr) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def test_no_measure_is_named_in_stages_board_or_page() -> None:
    """What they know of a measure stands in its class; a name that is a plain word may stand in a sentence."""
    names = kinds("metrics")
    wrong = []
    for path in (p for p in MODULES if room(p) in ("stages", "board", "page", "exports")):
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                named = [n for n in names if text == n or text.startswith(f"{n}/")]
                named += [n for n in names if "_" in n and n in text]
                wrong += [
                    f"{path.relative_to(HARNESS)}: {n}"
                    for n in named
                    if n not in ("length", "overlap")
                ]
    for path in (HARNESS / "page").rglob("*"):
        if path.suffix in (".j2", ".js"):
            wrong += [f"{path.name}: {n}" for n in names if "_" in n and n in path.read_text()]
    assert wrong == []


def test_importing_the_package_and_the_stages_is_light() -> None:
    code = (
        "import sys, harness, harness.stages.run, harness.stats.intervals\n"
        "from harness.plugins import kinds, plugin_class\n"
        "[plugin_class('metrics', k) for k in kinds('metrics')]\n"
        "print(*sys.modules)"
    )
    line = [sys.executable, "-c", code]
    loaded = subprocess.run(line, cwd=HARNESS.parent, capture_output=True, text=True, check=True)
    heavy = {"torch", "lm_eval", "scipy", "sklearn", "transformers"}
    assert heavy & set(loaded.stdout.split()) == set()


def test_figures_leave_drawing_to_the_page() -> None:
    for path in (HARNESS / "figures").glob("*.py"):
        imports = (n for n in nodes(path) if isinstance(n, (ast.Import, ast.ImportFrom)))
        lines = map(ast.unparse, imports)
        assert not [line for line in lines if "plotly" in line], path


def test_nothing_unpickles() -> None:
    forbidden = {"pickle", "dill", "shelve", "marshal", "cloudpickle"}
    for path in MODULES:
        names = {n.names[0].name for n in nodes(path) if isinstance(n, ast.Import)}
        assert not names & forbidden, path
