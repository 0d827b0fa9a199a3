"""Keys of code: what counts as a change, and whom it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import keys, plugins

FILES = {
    "__init__.py": "",
    "types.py": "class Score: ...\n",
    "stats.py": "from harness.types import Score\n\ndef mean(x): return sum(x) / len(x)\n",
    "store.py": "from harness.types import Score\n",
    "metrics/__init__.py": '"""The contract."""\nimport harness.types\n',
    "metrics/_shared.py": "from harness import stats\n",
    "metrics/one.py": '"""One."""\nfrom harness.metrics import _shared\n\n'
    'def f():\n    """Says one."""\n    return 1  # one\n',
    "metrics/two.py": "from harness.stats import mean\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small package in the place of ours."""
    root = tmp_path / "harness"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(keys, "_ROOT", root)
    keys._read.cache_clear()
    yield root
    keys._read.cache_clear()


def digests() -> dict[str, str]:
    keys._read.cache_clear()
    return {name: keys.code_digest(f"harness.metrics.{name}") for name in ("one", "two")}


@pytest.mark.parametrize(
    ("file", "text", "changed"),
    [
        ("metrics/one.py", FILES["metrics/one.py"].replace("return 1", "return 2"), {"one"}),
        ("metrics/_shared.py", "from harness import stats\nX = 1\n", {"one"}),
        ("stats.py", FILES["stats.py"].replace("sum(x)", "max(x)"), {"one", "two"}),
        ("types.py", "class Score:\n    value = 0\n", {"one", "two"}),
        ("metrics/__init__.py", "import harness.types\nY = 1\n", {"one"}),
        ("__init__.py", "__version__ = '2'\n", set()),
        ("store.py", "broken = True\n", set()),
        ("metrics/one.py", FILES["metrics/one.py"].replace("Says one.", "Gives one."), set()),
        ("metrics/one.py", FILES["metrics/one.py"].replace("  # one", "") + "\n\n# end\n", set()),
    ],
)
def test_a_change_concerns_those_who_import_it(
    package: Path, file: str, text: str, changed: set[str]
) -> None:
    before = digests()
    (package / file).write_text(text)
    after = digests()
    assert {name for name in before if before[name] != after[name]} == changed


def test_modules_alone_do_not_bring_what_they_import(package: Path) -> None:
    before = keys.code_digest(alone=["harness.stats"])
    (package / "types.py").write_text("class Score:\n    value = 0\n")
    keys._read.cache_clear()
    assert keys.code_digest(alone=["harness.stats"]) == before
    (package / "stats.py").write_text("X = 1\n")
    keys._read.cache_clear()
    assert keys.code_digest(alone=["harness.stats"]) != before


def test_a_module_that_is_not_there_is_an_error(package: Path) -> None:
    with pytest.raises(FileNotFoundError):
        keys.code_digest("harness.metrics.three")


def test_our_measures_depend_on_no_store_and_no_stage() -> None:
    for kind in plugins.kinds("metrics"):
        names, waiting = set[str](), [f"harness.metrics.{kind}"]
        while waiting:
            name = waiting.pop()
            if name not in names:
                names.add(name)
                waiting.extend(keys._read(name).imports)
        # tables that a measure's field names
        names -= {"harness.files.names", "harness.files.phrasings"}
        rooms = {name.split(".")[1] for name in names if "." in name}
        assert not rooms & {"store", "files", "stages", "plan", "cli", "board", "page"}, kind
