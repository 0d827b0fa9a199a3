"""`distillbench list KIND`: what a matrix can name, with a line about each."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.cli import conffiles
from harness.cli.config import packaged
from harness.cli.tools import Parser
from harness.console.columns import in_columns, shortened, terminal_width
from harness.console.invisible import as_escapes
from harness.plugins import kinds, plugin_class, use_folders
from harness.types import DistillbenchError

_GROUPS = {"models": "model", "tasks": "task", "metrics": "metric", "matrices": "matrix"}


def list_names(words: Sequence[str]) -> int:
    """Prints the names of one kind of thing to stdout; 0.

    Raises DistillbenchError where a word, a folder or a file cannot be understood.
    """
    asked = _parser().parse_args(words)
    use_folders([Path(f).absolute() for f in asked.plugins])
    folders = [*map(Path, asked.config_dir), packaged("conf")]
    for folder in folders:
        if not folder.is_dir():
            raise DistillbenchError(f"--config-dir: {folder}: expected a folder, found none")
    rows = _of_files(folders, _GROUPS[asked.what])
    if asked.what == "metrics":
        rows = _with_classes(rows)
    rows.sort(key=lambda row: row["name"])
    if asked.json:
        print(as_escapes(json.dumps(rows, indent=1, ensure_ascii=False)))
        return 0
    width = max((len(row["name"]) for row in rows), default=0)
    left = terminal_width() - width - 2
    print(*in_columns([(row["name"], shortened(row["about"], left)) for row in rows]), sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="distillbench list", description="What a matrix can name.")
    parser.add_argument("what", choices=list(_GROUPS))
    parser.add_argument("--json", action="store_true", help="as a JSON list, for programs")
    parser.add_argument(
        "--config-dir", action="append", default=[], metavar="DIR", help="your own files besides"
    )
    parser.add_argument(
        "--plugins", action="append", default=[], metavar="DIR", help="your own plug-ins besides"
    )
    return parser


def _of_files(folders: Sequence[Path], group: str) -> list[dict[str, str]]:
    """Name, kind and first comment of every YAML file of a group; the first folder that has a name counts."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in (folder / group).glob("*.yaml"):
            files.setdefault(path.stem, path)
    return [_about(name, path, conffiles.read(path)) for name, path in files.items()]


def _about(name: str, path: Path, content: dict[str, Any]) -> dict[str, str]:
    comment = re.match(r"(?:#\s*@.*\n)*((?:#.*\n?)*)", path.read_text(encoding="utf-8"))
    text = re.sub(r"^#\s?", "", comment[1] if comment else "", flags=re.MULTILINE)
    kind = content.get("kind", "")
    return {"name": name, "kind": str(kind), "about": _first_sentence(text), "file": str(path)}


def _with_classes(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The rows, with measures that need no file; where a file says nothing, its class's explanation speaks."""
    about = {k: _first_sentence(plugin_class("metrics", k).explanation) for k in kinds("metrics")}
    named = {row["name"] for row in rows}
    bare = [{"name": k, "kind": k, "about": about[k], "file": ""} for k in about if k not in named]
    return [*bare, *({**row, "about": row["about"] or about.get(row["kind"], "")} for row in rows)]


def _first_sentence(text: str) -> str:
    """The first sentence of a text, in one line."""
    line = " ".join(text.split())
    end = re.search(r"[.;:?](?=\s+[A-Z`(]|\s+distillbench|$)", line)
    return line[: end.end()].rstrip(";:") if end else line
