"""docs/exhibit.md, copied as it stands: its commands run, and its table has every file of a bundle."""

from __future__ import annotations

import re
from pathlib import Path

from harness.stages import bundle
from tests.core.running import REPOSITORY, inside, write_files
from tests.verdicts.bundles import SUSPECT, small_case
from tests.verdicts.cases import matrix

TEXT = (REPOSITORY / "docs/exhibit.md").read_text()


def test_the_commands_run_as_they_stand(tmp_path: Path) -> None:
    small_case(tmp_path)
    case = {**matrix(), "suspect": SUSPECT, "stages": ["collect", "score"]}
    conf = ["--config-dir", str(write_files(tmp_path, {"matrix/case": case}))]
    conf += [f"paths.{name}={tmp_path / name}" for name in ("results", "cache", "data")]
    (console,) = re.findall(r"```console\n(.*?)```", TEXT, flags=re.DOTALL)
    lines = [line.partition("#")[0].split()[2:] for line in console.splitlines()]
    assert [words[0] for words in lines] == ["plan", "matrix=case", "verify"]
    for words in lines:
        more = [] if words[0] == "verify" else conf
        ended = inside(tmp_path, *words, *more, bare=True)
        assert ended.returncode == 0, ended.stderr
    assert "The plan was fixed before this run" in (tmp_path / "exhibit/exhibit.md").read_text()


def test_the_table_has_every_file(made: Path) -> None:
    rows = re.findall(r"^\| (`.+?`) \|", TEXT, flags=re.MULTILINE)
    names = [n for row in rows for n in re.findall(r"`(.+?)`", row)]
    patterns = [re.escape(n).replace("TASK", "[^/]+").replace(r"\*", "[^/]+") for n in names]
    files = bundle.files_in(made)
    assert all(any(re.fullmatch(p, name) for p in patterns) for name in files)
    assert all(any(re.fullmatch(p, name) for name in files) for p in patterns)
