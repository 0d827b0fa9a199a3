"""The reference pages of the site: what the classes of distillbench say of themselves and of their fields."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.cli.config import packaged
from harness.plan import run
from harness.plugins import contract, kinds, plugin_class
from harness.types import Control, Decoding, Pair, Paths

# package -> its title, and what is said before its kinds
_PACKAGES = {
    "models": ("Models", "`kind` in a model's YAML; the other keys are those below."),
    "tasks": ("Tasks", "`kind` in a task's YAML. Every task that lm-eval has is `kind: lm_eval`."),
    "metrics": (
        "Measures",
        "A matrix names a measure by its kind; its keys are set there or in `conf/metric/NAME.yaml`.",
    ),
    "verdicts": (
        "Verdicts",
        "Methods that weigh whose answers a model learned from, named under `verdicts` of a matrix.",
    ),
    "figures": (
        "Figures",
        "`figures=[...]` chooses and orders the figures of the page by these names.",
    ),
    "exports": ("Exporters", "What every report leaves beside the page."),
    "trackers": (
        "Trackers",
        "`track=[...]` of a run: services that are told its headline numbers.",
    ),
    "executors": (
        "Executors",
        "`executor` of a run: a name, or a mapping with `kind` and the keys below.",
    ),
}
# keys of a matrix that are sections of their own
_SECTIONS: tuple[type[Any], ...] = (
    Pair, Control, Paths, Decoding, run.Draws, run.Only, run.Budget, run.Watch, run.Report, run.Objective,
    run.Documented, run.OriginChange, run.Gate, run.Condition,
)  # fmt: skip
_OWN = ("kind", "name")


def pages() -> dict[str, str]:
    """Name of a page -> its Markdown."""
    made = {f"reference/{package}.md": _package(package) for package in _PACKAGES}
    return {"reference/matrix.md": _matrix(), "reference/files.md": _files(), **made}


def _package(package: str) -> str:
    title, words = _PACKAGES[package]
    common = [f for f in _fields(contract(package)) if f not in _OWN]
    lines = [f"# {title}", words]
    if common:
        lines += ["## Keys of all of them", _table(contract(package), common)]
    for kind in kinds(package):
        cls = plugin_class(package, kind)
        lines += [f"## `{kind}`", *_about(cls)]
        own = [f for f in _fields(cls) if f not in (*_OWN, *common)]
        if own:
            lines.append(_table(cls, own))
    return "\n\n".join(lines) + "\n"


def _about(cls: Any) -> Iterator[str]:
    """What a class says of itself: its explanation for readers of the page, else its docstrings."""
    if title := getattr(cls, "title", ""):
        yield f"**{title}.** {getattr(cls, 'caption', '')}"
    yield _prose(inspect.getdoc(cls) or "")
    if explanation := getattr(cls, "explanation", ""):
        yield f"**On the page:** {explanation}"
    unit, better = getattr(cls, "unit", ""), getattr(cls, "better", "")
    if unit:
        yield f"Unit: {unit}. Better: {better}."
    module = inspect.getmodule(cls)
    whole = inspect.getdoc(module) or ""
    if whole and whole.strip().splitlines()[0] not in (inspect.getdoc(cls) or ""):
        yield _prose(whole)


def _matrix() -> str:
    lines = [
        "# Keys of a run",
        "Every key can stand in a matrix (`conf/matrix/NAME.yaml`) and on the command line: `seed=3`.",
        _table(
            run.Configuration, [f for f in _fields(run.Configuration) if f != "gate"], _of_config()
        ),
    ]
    names = {
        Pair: "`pairs`: a pair", Control: "`controls`: a control", Paths: "`paths`", Decoding: "`decoding`",
        run.Draws: "`decoding`: of a run", run.Only: "`only`", run.Budget: "`budget`", run.Watch: "`watch`",
        run.Report: "`report`", run.Objective: "`objective`", run.Documented: "`lineages`: a table",
        run.OriginChange: "`lineages`: `changes`", run.Gate: "`gate`", run.Condition: "`gate`: a condition",
    }  # fmt: skip
    for cls in _SECTIONS:
        own = _fields(cls)
        if cls is run.Draws:
            own = [f for f in own if f not in _fields(Decoding)]
        lines += [f"## {names[cls]}", _prose(inspect.getdoc(cls) or ""), _table(cls, own)]
    return "\n\n".join(lines) + "\n"


def _files() -> str:
    """The files of conf/ that a command line or a matrix can name."""
    titles = {
        "matrix": "Matrices",
        "model": "Models",
        "task": "Tasks",
        "metric": "Measures",
        "decoding": "Decodings",
        "gate": "Gates",
    }
    lines = [
        "# Files that come with it",
        "`distillbench list models|tasks|metrics|matrices` prints the same.",
    ]
    for group, title in titles.items():
        rows = ["| name | what it is |", "| --- | --- |"]
        for path in sorted((packaged("conf") / group).glob("*.yaml")):
            rows.append(f"| `{path.stem}` | {_cell(_first_comment(path))} |")
        lines += [f"## {title}", "\n".join(rows)]
    return "\n\n".join(lines) + "\n"


def _first_comment(path: Path) -> str:
    comment = re.match(r"(?:#\s*@.*\n)*((?:#.*\n?)*)", path.read_text(encoding="utf-8"))
    return " ".join(re.sub(r"^#\s?", "", comment[1] if comment else "", flags=re.MULTILINE).split())


@cache
def _of_config() -> Mapping[str, str]:
    """Key -> what conf/config.yaml says of it, where the class says nothing."""
    said: dict[str, str] = {}
    last = ""
    for line in (packaged("conf") / "config.yaml").read_text(encoding="utf-8").splitlines():
        if line.startswith("hydra:"):
            break
        if match := re.match(r"(\w+):[^#]*(?:#\s*(.*))?$", line):
            last = match[1]
            said[last] = match[2] or ""
        elif match := re.match(r"\s+#\s*(.*)", line):
            said[last] = f"{said[last]} {match[1]}"
    return said


def _fields(cls: Any) -> list[str]:
    return (
        [f.name for f in dataclasses.fields(cls) if f.init] if dataclasses.is_dataclass(cls) else []
    )


def _table(cls: Any, names: Sequence[str], others: Mapping[str, str] | None = None) -> str:
    """Keys with their types, defaults and meanings."""
    comments, fields = _comments(cls), {f.name: f for f in dataclasses.fields(cls)}
    stated = yaml.safe_load((packaged("conf") / "config.yaml").read_text(encoding="utf-8"))
    hints = typing.get_type_hints(cls, include_extras=True)
    rows = ["| key | what it takes | default | what it means |", "| --- | --- | --- | --- |"]
    for name in names:
        said = (others or {}).get(name) or comments.get(name, "")
        default = _default(fields[name])
        if others and default == "required" and not isinstance(stated[name], dict):
            default = f"`{stated[name]}`"
        rows.append(
            f"| `{name}` | {_cell(_spelled(hints[name]))} | {_cell(default)} | {_cell(said)} |"
        )
    return "\n".join(rows)


def _default(spec: Any) -> str:
    if spec.default is not dataclasses.MISSING:
        value = spec.default
    elif spec.default_factory is not dataclasses.MISSING:
        value = spec.default_factory()
    else:
        return "required"
    if dataclasses.is_dataclass(value):
        return ""
    if value is None or isinstance(value, bool):
        return f"`{({None: 'null', True: 'true', False: 'false'})[value]}`"
    if isinstance(value, Mapping):
        return "`{}`" if not value else f"`{dict(value)}`"
    if isinstance(value, (tuple, list)):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`" if value != "" else ""


def _spelled(hint: Any) -> str:
    """A type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return str(getattr(args[1], "words", "")) or _spelled(args[0])
    if origin is typing.Literal:
        return ", ".join(f"`{a}`" for a in args)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_spelled(a) for a in args))
    if origin is tuple:
        return f"list of {_spelled(args[0])}" if args[-1] is Ellipsis else "list"
    if origin is list:
        return f"list of {_spelled(args[0])}"
    if hint is type(None):
        return "`null`"
    known = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "`true`, `false`",
        Path: "path",
        dict: "mapping",
    }
    if hint in known:
        return known[hint]
    if origin is not None or hint is Any:
        return "anything" if hint is Any else "mapping"
    return str(getattr(hint, "__name__", hint))


@cache
def _comments(cls: Any) -> Mapping[str, str]:
    """Field -> the comment above or beside it, in the class and those that it inherits from."""
    said: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("harness"):
            said |= _comments_in(base)
    return said


def _comments_in(cls: Any) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(cls))
    lines = source.splitlines()
    said = {}
    (body,) = ast.parse(source).body
    assert isinstance(body, ast.ClassDef)
    for node in body.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above = []
        at = node.lineno - 2
        while at >= 0 and (match := re.match(r"\s*#\s?(.*)", lines[at])):
            above.insert(0, match[1])
            at -= 1
        beside = [
            m[1]
            for i in range(node.lineno - 1, node.end_lineno or 0)
            if (m := re.search(r"\s#\s(.*)$", lines[i]))
        ]
        after = lines[node.end_lineno or 0] if (node.end_lineno or 0) < len(lines) else ""
        named = re.match(rf"\s*#\s{node.target.id}: (.*)", after)
        text = " ".join([*above, *beside, *([named[1]] if named else [])])
        if text := re.sub(r"\s*\b(type: ignore|noqa)\b.*$", "", text):
            said[node.target.id] = text
    return said


def _prose(text: str) -> str:
    """A docstring as Markdown: a colon in front of code is one colon, and its `Source:` begins a paragraph."""
    text = re.sub(r"::\s*$", ":", text, flags=re.MULTILINE)
    return re.sub(r"\n(Source:)", r"\n\n\1", text)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
