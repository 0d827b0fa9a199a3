"""`distillbench init`: a matrix of one's own, made from where the models are, as a file that runs."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from harness.cli.config import packaged
from harness.cli.tools import Parser
from harness.console.progress import say
from harness.files.formats import TABLE, formats
from harness.files.rows import is_table, names_of, read_rows
from harness.files.sources import format_of
from harness.plugins import build
from harness.types import DistillbenchError

_PROMPTS = ("prompt", "question", "instruction", "query", "input", "messages", "conversations")
_REPLIES = ("answer", "response", "output", "reply", "completion", "prediction", "generated_text")
_WHOSE = ("model", "generator", "model_name", "model_id")
_OPEN = ("length", "truncation", "style_profile", "style_transfer", "ngram_similarity")
_GRADED = ("task_score", "retention", "gap_recovered", "capability_transfer", "capa")
_TASKS = "arc_easy,gsm8k,style_prompts"
_WRITTEN = "gsm8k,style_prompts"  # where a model gives texts only
_WHERE = (
    "a folder with a checkpoint, a name on the hub (owner/name), a file of recorded answers (of one model of several: "
    "FILE:COLUMN=VALUE), ADDRESS#NAME for a model of a server (an ADDRESS is http://127.0.0.1:8000/v1), or a model "
    "that `distillbench list models` names; NAME=... in front names it in the matrix"
)
# hosts whose interface and variable are known
_HOSTED: Mapping[str, Mapping[str, str]] = {
    "api.openai.com": {"api_key_env": "OPENAI_API_KEY"},
    "api.anthropic.com": {"api": "anthropic", "api_key_env": "ANTHROPIC_API_KEY"},
}


@dataclass(frozen=True)
class _Model:
    """A model of the new matrix."""

    name: str
    fields: Mapping[str, Any] | None  # None = it has a file of its own in conf/model
    file: Path | None = None  # of recorded answers


def init(words: Sequence[str]) -> int:
    """Writes DIR/matrix/NAME.yaml and says how to run it; 0.

    Raises DistillbenchError where a model, a file or a column cannot be found, or the matrix is there already.
    """
    asked = _parser().parse_args(words)
    if asked.name != Path(asked.name).name or not re.fullmatch(r"[\w-]+", asked.name):
        raise DistillbenchError(
            f"init: {asked.name}: expected a name of letters, digits, _ and - for the matrix"
        )
    path = Path(asked.config_dir) / "matrix" / f"{asked.name}.yaml"
    if path.exists() and not asked.force:
        raise DistillbenchError(
            f"{path} is there already; take another name, or --force to replace it"
        )
    _ask_for_missing(asked)
    text = _text(_matrix(asked))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    say(f"wrote {path}; its first look, and then the run:")
    for command in ("plan ", ""):
        say(f"  distillbench {command}--config-dir {asked.config_dir} matrix={asked.name}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="distillbench init",
        description="Writes a matrix of your own. In a terminal it asks for what is left out.",
        epilog=f"WHERE is {_WHERE}.",
    )
    add = parser.add_argument
    add("name", nargs="?", default="mine", help="of the matrix (mine)")
    add("--teacher", metavar="WHERE")
    add("--student", metavar="WHERE", action="append", default=[], help="several times for several")
    add("--base", metavar="WHERE", help="what the students were before, or a sibling")
    add("--base-kind", choices=["before", "sibling"], default="before")
    add("--control", metavar="WHERE", action="append", default=[], help="never saw the teacher")
    add("--prompts", metavar="FILE[:COLUMN]", help="what recorded models were asked")
    add("--tasks", metavar="A,B", help=f"for checkpoints and servers ({_TASKS})")
    add("--config-dir", metavar="DIR", default="my_conf", help="for files of yours (my_conf)")
    add("--force", action="store_true", help="replace a matrix of this name")
    return parser


def _ask_for_missing(asked: argparse.Namespace) -> None:
    """Asks for teacher, students and base in a terminal; elsewhere the first two have to be given."""
    lacks = [flag for flag in ("teacher", "student") if not getattr(asked, flag)]
    if lacks and not sys.stdin.isatty():
        raise DistillbenchError(f"init: --{lacks[0]}: expected WHERE, got none; it is {_WHERE}")
    if lacks:
        say(f"Each model is {_WHERE}.")
    if not asked.teacher:
        asked.teacher = input("teacher: ").strip()
    if not asked.student:
        asked.student = input("students, with spaces between: ").split()
        asked.base = asked.base or input("base (empty for none): ").strip() or None
    if not asked.teacher or not asked.student:
        raise DistillbenchError("init: expected a teacher and a student, got none")


def _matrix(asked: argparse.Namespace) -> dict[str, Any]:
    """The keys of the matrix."""
    students = _several(asked.student, "student")
    teacher, controls = _model(asked.teacher, "teacher"), _several(asked.control, "other")
    base = _model(asked.base, "base") if asked.base else None
    models = [teacher, *([base] if base else []), *students, *controls]
    twice = {m.name for m in models if sum(m.name == other.name for other in models) > 1}
    if twice:
        raise DistillbenchError(
            f"init: {min(twice)}: expected names that differ, got it twice; write NAME=WHERE"
        )
    recorded = [m for m in models if m.file is not None]
    graded = asked.tasks or not recorded
    tasks: dict[str, Any] = {}
    if recorded:
        tasks["ours"] = {"kind": "prompts", **_prompts(asked.prompts, recorded[0])}
    if graded:
        served = any((m.fields or {}).get("kind") == "server" for m in models)
        usual = _WRITTEN if served else _TASKS
        tasks.update(dict.fromkeys(part.strip() for part in (asked.tasks or usual).split(",")))
    pair = {"base": base.name, "base_kind": asked.base_kind} if base else {"base": None}
    ceiling = {"ceiling": None} if recorded else {}
    return {
        "title": f"{asked.name}: how much of {teacher.name} is in {' and '.join(m.name for m in students)}?",
        "models": {m.name: m.fields for m in models},
        "tasks": tasks,
        "metrics": dict.fromkeys((*_GRADED, *_OPEN) if graded else _OPEN),
        "pairs": [
            {"teacher": teacher.name, "student": m.name, **pair, **ceiling} for m in students
        ],
        "controls": [{"model": m.name, "lineage": m.name} for m in controls],
        "decoding": {"temperature": 0.7, "max_new_tokens": 256},
    }


def _several(wheres: Sequence[str], name: str) -> list[_Model]:
    """Models of one role, which are numbered where there are several and they have no name."""
    names = [name] if len(wheres) == 1 else [f"{name}_{i}" for i in range(1, len(wheres) + 1)]
    return [_model(where, n) for where, n in zip(wheres, names, strict=True)]


def _model(word: str, name: str) -> _Model:
    """The model that a word of the command line stands for."""
    named = re.match(r"([A-Za-z]\w*)=(?!=)(.+)", word)
    if named:
        name, word = named[1], named[2]
    if re.match(r"https?://", word):
        return _served(name, word)
    place, sign, condition = word.partition(":")
    path = Path(place)
    if path.is_file():
        return _recorded(name, path.absolute(), condition)
    if sign:
        raise DistillbenchError(
            f"init: {word}: expected a file before the colon, found none{_near(path, sign + condition)}"
        )
    if path.is_dir():
        return _checkpoint(name, path)
    if (packaged("conf") / "model" / f"{place}.yaml").is_file():
        return _Model(place, None)
    on_the_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", place) and not path.parent.is_dir()
    if on_the_hub and not is_table(path):
        return _Model(name, {"kind": "hf", "path": place})
    raise DistillbenchError(
        f"init: {place}: found nothing of this name{_near(path) or f'; expected {_WHERE}'}"
    )


def _near(path: Path, behind: str = "") -> str:
    """The question whether the file beside it whose name is nearest was meant; "" where none is near."""
    with contextlib.suppress(OSError):
        beside = [p.name for p in path.parent.iterdir()]
        for name in difflib.get_close_matches(path.name, beside, n=1):
            return f"; did you mean {str(path.with_name(name)) + behind!r}?"
    return ""


def _served(name: str, word: str) -> _Model:
    """A chat behind an address."""
    url, _, model = word.partition("#")
    hosted = _HOSTED.get(urlsplit(url).hostname or "", {})
    fields = {"kind": "server", "url": url, "model": model or "NAME", "chat": True, **hosted}
    build("models", name, fields)  # refuses addresses with secrets, which are not to be said
    if not model:
        raise DistillbenchError(
            f"init: {url}: expected the model's name there behind the address, as ADDRESS#NAME"
        )
    return _Model(name, fields)


def _checkpoint(name: str, folder: Path) -> _Model:
    if (folder / "adapter_config.json").is_file():
        raise DistillbenchError(
            f"init: {folder}: this is an adapter; write the model by hand: {{kind: hf, path: BASE, adapter: {folder}}}"
        )
    if not (folder / "config.json").is_file():
        raise DistillbenchError(
            f"init: {folder}: expected a checkpoint with config.json, or a file of recorded answers in it by its name"
        )
    tokenizer = folder / "tokenizer_config.json"
    chat = (folder / "chat_template.jinja").is_file() or (
        tokenizer.is_file() and "chat_template" in tokenizer.read_text(encoding="utf-8")
    )
    return _Model(
        name, {"kind": "hf", "path": str(folder.absolute()), **({"chat": True} if chat else {})}
    )


def _recorded(name: str, file: Path, condition: str) -> _Model:
    """A model of a file, with the columns that its prompts and answers stand in."""
    if not is_table(file):
        raise DistillbenchError(
            f"init: {file}: expected JSONL, JSON, CSV, TSV or Parquet, got another ending"
        )
    fields: dict[str, Any] = {"kind": "recorded", "file": str(file)}
    names = names_of(file)
    column, sign, value = condition.partition("=")
    if sign and column not in names:
        raise DistillbenchError(f"init: {file}: no column {column!r}; it has {', '.join(names)}")
    if condition:
        fields["where"] = {column: value}
    else:
        _refuse_several(file, names)
    if format_of(file, {}) == TABLE:
        fields["columns"] = dict(_columns(file, names))
    return _Model(name, fields, file)


def _refuse_several(file: Path, names: Sequence[str]) -> None:
    """Raises DistillbenchError where a column says that the answers are of several models."""
    column = next((c for c in _WHOSE if c in names), None)
    if column is None:
        return
    cells = (row.get(column) for row in read_rows(file, {}, [column]).rows)
    values = list(dict.fromkeys(str(cell) for cell in cells if cell is not None))
    if len(values) > 1:
        raise DistillbenchError(
            f"init: {file}: holds answers of {len(values)} models; for one of them write "
            f"{file.name}:{column}={values[0]} ({', '.join(values[:6])}{', ...' * (len(values) > 6)})"
        )


def _columns(file: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for role, usual in (("prompt", _PROMPTS), ("answer", _REPLIES)):
        column = next((c for c in usual if c in names), None)
        if column is None:
            raise DistillbenchError(
                f"init: {file}: which column holds each {role}? It has {', '.join(names)}; expected one called "
                f"{', '.join(usual)}. Write the model by hand: {{kind: recorded, file: ..., columns: {{{role}: NAME}}}}"
            )
        yield role, column


def _prompts(word: str | None, model: _Model) -> dict[str, Any]:
    """File and column of what was asked."""
    place, _, column = (word or "").partition(":")
    if place and not Path(place).is_file():
        near = _near(Path(place), f":{column}" if column else "")
        raise DistillbenchError(f"init: --prompts: {place}: expected a file, found none{near}")
    assert model.file is not None
    file = Path(place).absolute() if place else model.file
    names = names_of(file)
    column = column or next((c for c in _PROMPTS if c in names), "")
    if column not in names:
        told = formats()[format_of(file, {})].title
        raise DistillbenchError(
            f"init: {file}: no column of prompts among {', '.join(names)} ({told}); say what was asked: "
            "--prompts FILE:COLUMN"
        )
    return {"file": str(file), "columns": {"prompt": column}}


def _text(matrix: Mapping[str, Any]) -> str:
    """The file: a model, a task and a pair on one line each."""
    lines = [
        "# @package _global_",
        "# Made by `distillbench init`; every key is explained in the README and its docs.",
    ]
    for key, value in matrix.items():
        if not value:
            continue
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {_flow(item)}" for item in value)]
        elif isinstance(value, dict) and key != "decoding":
            lines += [f"{key}:"]
            lines += [
                f"  {name}:{'' if item is None else ' ' + _flow(item)}"
                for name, item in value.items()
            ]
        else:
            lines.append(f"{key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value on one line of YAML."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=sys.maxsize, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()
