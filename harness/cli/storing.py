"""`distillbench store`: what the results folder holds; `prune` removes what no matrix needs, `pack` makes few files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException

from harness.board.numerals import count, size
from harness.cli.composition import Point, composed_points, refuse_credentials, refuse_words
from harness.cli.config import typed_run
from harness.cli.hydra_faults import fault_of_files, plain_words
from harness.cli.words import Line, check, in_order, marked
from harness.console.columns import in_columns, shortened
from harness.console.invisible import as_escapes
from harness.plan.lacking import without_lacking
from harness.stages.keeping import needed_keys, pack, remove, unneeded
from harness.stages.preview import planned
from harness.store.inventory import Holding, holdings, other_folders
from harness.store.store import Store
from harness.types import DistillbenchError

_USAGE = """distillbench store [KEY=VALUE ...] [--json]
  what the results folder (paths.results) holds, by model and by task
distillbench store prune [KEY=VALUE ...] [--and KEY=VALUE ...] [--yes] [--paid] [--json]
  what none of the named runs needs: matrix=a,b names two; --and begins the words of a further run
  --yes     removes it; without this word nothing changes
  --paid    also answers that cost money, or may have
distillbench store pack [KEY=VALUE ...]
  puts the files of finished answers, grades and words into few: for file systems that count files; nothing is lost"""
_FLAGS = frozenset({"--json", "--yes", "--paid", "-h", "--help"})
_KINDS = ("answers", "unfinished", "grades", "words", "scores", "requests", "evidence", "other")
_MOST_LINES = 40  # models or tasks of a table
_WIDEST = 32  # characters of a name


@dataclass(frozen=True)
class _Asked:
    """The words of the command."""

    flags: frozenset[str]
    verb: str  # prune, pack, or "" = look
    runs: tuple[tuple[str, ...], ...]  # the words of each run


def store(words: Sequence[str]) -> int:
    """Says what the results folder holds, or removes what is not needed; 0.

    Raises DistillbenchError where a word is wrong, or a named run has a fault: what it needs is not known then.
    """
    asked = _asked(words)
    if asked.flags & {"-h", "--help"}:
        print(_USAGE)
        return 0
    points = [point for own in asked.runs for point in _points(own)]
    folders = dict.fromkeys((_results(p), _lock(p)) for p in points)
    if len(folders) > 1:
        raise DistillbenchError("store: expected one paths.results for all runs, got several")
    ((root, lock),) = folders
    if not root.is_dir():
        raise DistillbenchError(
            f"paths.results: {root}: expected a folder with results, found none"
        )
    there = Store(root, lock)
    if asked.verb == "prune":
        return _prune(there, points, asked.flags)
    if asked.verb == "pack":
        with there.alone():
            n_entries, n_files = pack(there)
        print(f"packed: {count(n_entries)} entries in {count(n_files)} files")
        return 0
    _show(there, asked.flags)
    return 0


def _asked(words: Sequence[str]) -> _Asked:
    rest = [word for word in words if word not in _FLAGS]
    flags, verb = frozenset(words) & _FLAGS, rest[0] if rest[:1] in (["prune"], ["pack"]) else ""
    prune = verb == "prune"
    if not prune and flags & {"--yes", "--paid"}:
        raise DistillbenchError("store: --yes and --paid belong to `distillbench store prune`")
    if not prune and "--and" in rest:
        raise DistillbenchError("store: --and belongs to `distillbench store prune`")
    runs: list[list[str]] = [[]]
    for word in rest[bool(verb) :]:
        if word == "--and":
            runs.append([])
        else:
            runs[-1].append(word)
    return _Asked(flags, verb, tuple(map(tuple, runs)))


def _points(words: Sequence[str]) -> Iterator[Point]:
    """The configurations that the words of one run describe."""
    line = in_order(words)
    refuse_words([*line.flags, *line.overrides])
    check(Line([*line.flags, "-m"], line.overrides))
    try:
        points = list(composed_points([*line.flags, *marked(line.overrides)]))
    except HydraException as error:
        raise DistillbenchError(fault_of_files() or plain_words(error)) from error
    for point in points:
        refuse_credentials(point.config, point.folders)
        yield point


def _results(point: Point) -> Path:
    return Path(str(point.config["paths"]["results"])).expanduser().absolute()


def _lock(point: Point) -> bool:
    return point.config["paths"].get("lock") is not False


def _prune(there: Store, points: Sequence[Point], flags: frozenset[str]) -> int:
    """Says what is not needed, and removes it where that is asked for."""
    sure, paid = "--yes" in flags, "--paid" in flags
    with there.alone() if sure else nullcontext():
        needed: set[str] = set()
        for point in points:
            # a gate asks for no answers, and may name keys of the command line of its own run
            asked = {k: v for k, v in point.config.items() if k != "gate"}
            choices = {k: v for k, v in point.choices.items() if k != "gate"}
            run = without_lacking(typed_run(asked, point.folders, choices))
            needed |= needed_keys(planned(run, there), there)
        going, staying = unneeded(holdings(there), needed, paid=paid)
        busy = remove(going, there) if sure else []
    _say_pruned([one for one in going if one not in busy], staying, busy, flags)
    return 0


def _say_pruned(
    going: Sequence[Holding],
    staying: Sequence[Holding],
    busy: Sequence[Holding],
    flags: frozenset[str],
) -> None:
    sure = "--yes" in flags
    if "--json" in flags:
        parts = {
            "removed": going if sure else [],
            "unneeded": going,
            "paid": staying,
            "in use": busy,
        }
        _print_json({name: _plain(own) for name, own in parts.items()})
        return
    print(f"{'removed' if sure else 'not needed'}: {_sum(going)}")
    _print_tables(going)
    if staying:
        print(f"kept, since it cost money or may have: {_sum(staying)}; --paid counts it in")
        _print_tables(staying)
    if busy:
        print(f"kept, since a process works on it: {_sum(busy)}")
    if going and not sure:
        print("nothing was removed; the same words with --yes remove it")


def _show(there: Store, flags: frozenset[str]) -> None:
    held, others = holdings(there), other_folders(there.root)
    if "--json" in flags:
        folders = {
            n: {"bytes": size_bytes, "files": n_files}
            for n, (size_bytes, n_files) in others.items()
        }
        _print_json({"results": str(there.root), "entries": _plain(held), "folders": folders})
        return
    print(f"{there.root}: {_sum(held)}")
    _print_tables(held)
    paid = [one for one in held if one.paid]
    if paid:
        print(f"of these, cost money or may have: {_sum(paid)}")
    for name, (size_bytes, n_files) in others.items():
        print(f"beside it, {name}/: {size(size_bytes)} in {count(n_files)} files")


def _print_tables(held: Sequence[Holding]) -> None:
    """Bytes by model and by task, the largest first."""
    kinds = [kind for kind in _KINDS if any(one.what == kind for one in held)]
    for by in ("model", "task"):
        names: dict[str, list[Holding]] = {}
        for one in held:
            names.setdefault(getattr(one, by), []).append(one)
        ordered = sorted(names.items(), key=lambda item: (-_bytes(item[1]), item[0]))
        rows = [(by, *kinds, "together")]
        rows += [_row(name or "(several)", own, kinds) for name, own in ordered[:_MOST_LINES]]
        if rest := [one for _, own in ordered[_MOST_LINES:] for one in own]:
            rows.append(_row(f"({len(ordered) - _MOST_LINES} more)", rest, kinds))
        if held:
            print(*in_columns(rows, range(1, len(kinds) + 2)), sep="\n")


def _row(name: str, held: Sequence[Holding], kinds: Sequence[str]) -> tuple[str, ...]:
    parts = [[one for one in held if one.what == kind] for kind in kinds]
    return (
        shortened(name, _WIDEST),
        *(size(_bytes(own)) if own else "–" for own in (*parts, held)),
    )


def _sum(held: Sequence[Holding]) -> str:
    n = len(held)
    return f"{size(_bytes(held))}, {count(n)} {'entry' if n == 1 else 'entries'}"


def _bytes(held: Iterable[Holding]) -> int:
    return sum(one.size_bytes for one in held)


def _plain(held: Sequence[Holding]) -> list[dict[str, Any]]:
    """What is held, summed by model, task and kind; of finished results with nothing but their sums."""
    groups: dict[tuple[str, str, str, bool], list[Holding]] = {}
    for one in held:
        groups.setdefault((one.model, one.task, one.what, one.paid), []).append(one)
    return [
        {
            "model": model, "task": task, "what": what, "paid": paid, "entries": len(own),
            "bytes": _bytes(own), "files": sum(one.files for one in own),
        }
        for (model, task, what, paid), own in sorted(groups.items())
    ]  # fmt: skip


def _print_json(value: Any) -> None:
    sys.stdout.write(as_escapes(json.dumps(value, indent=1, ensure_ascii=False)) + "\n")
