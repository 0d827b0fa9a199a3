"""Whether a page agrees with itself and with the files beside it: one thing, said in several places, is one value."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from harness.board.saved import read_record

_MARKS = {
    "above the base": "above_base",
    "beyond the teacher": "beyond_teacher",
    "above the controls": "above_controls",
}


@dataclass
class _Cell:
    attributes: dict[str, str | None]
    text: str = ""
    marks: list[str] = field(default_factory=list)
    leads: bool = False


class _Page(HTMLParser):
    """Rows of the leaderboard with its heads, and the sentences with their doubts by student."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[dict[str, str | None], list[_Cell]]] = []
        self.heads: list[dict[str, str | None]] = []
        self.sentences: list[str] = []
        self.drawn: set[str] = set()  # whose points stand on the map
        self.has_map = self._table = self._said = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self._table = given.get("id") == "board"
        elif tag == "article" and given.get("class") == "student":
            self.sentences.append(f"{given.get('data-student')} ")
        elif tag == "p":
            self._said = given.get("class") in ("said", "doubts")
        elif (given.get("data-figure") or "").endswith("transfer_map"):
            self.has_map = True
        elif tag == "path" and "data-student" in given:
            self.drawn.add(str(given["data-student"]))
        elif self._table and tag == "tr":
            self.rows.append((given, []))
        elif self._table and "data-name" in given:
            self.heads.append(given)
        elif self._table and tag in ("td", "th") and self.rows:
            self.rows[-1][1].append(
                _Cell(given, leads="leads" in (given.get("class") or "").split())
            )
        elif self._table and given.get("class") == "mark":
            self.rows[-1][1][-1].marks.append(str(given["aria-label"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = False
        elif tag == "p":
            self._said = False

    def handle_data(self, data: str) -> None:
        if self._table and self.rows and self.rows[-1][1]:
            self.rows[-1][1][-1].text += data
        if self._said and self.sentences:
            self.sentences[-1] += data


def contradictions(folder: Path) -> list[str]:
    """What the page of a report says in one place and not, or otherwise, in another; one line each."""
    page, record = _Page(), read_record(folder)
    page.feed((folder / "index.html").read_text("utf-8"))
    with (folder / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    rows = [(given, cells) for given, cells in page.rows if "data-role" in given]
    shown = {
        _who(given, record.variants): cells
        for given, cells in rows
        if given["data-role"] not in ("teacher", "base")
    }
    table_of = {_key(row, record.variants): row for row in table}
    if set(shown) != set(table_of):
        return [f"rows on the page or in leaderboard.csv alone: {set(shown) ^ set(table_of)}"]
    with (folder / "scores.csv").open(newline="", encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    names = [str(head["data-name"]) for head in page.heads]
    return [
        *_rows(names, shown, table_of),
        *_own_scores(page.heads, rows, scores),
        *_ranks(table),
        *_sentences(page.sentences, table),
        *(_map(page.drawn, table) if page.has_map else []),
    ]


_Who = tuple[str, ...]  # student, teacher, base, role, values of swept keys


def _who(given: dict[str, str | None], swept: Sequence[str]) -> _Who:
    own = [str(given[f"data-{key}"]) for key in ("student", "teacher", "base", "role")]
    return (*own, *(str(given[f"data-v-{i}"]) for i in range(len(swept))))


def _key(row: dict[str, str], swept: Sequence[str]) -> _Who:
    return tuple(row[key] for key in ("student", "teacher", "base", "role", *swept))


def _rows(
    names: list[str], shown: dict[_Who, list[_Cell]], table: dict[_Who, dict[str, str]]
) -> list[str]:
    said = []
    for key, cells in shown.items():
        row, who = table[key], f"{key[0]} beside {key[1]}"
        rank = cells[names.index("rank")].text.strip() if "rank" in names else ""
        if rank != row["rank"]:
            said.append(f"{who}: rank {rank!r} on the page, {row['rank']!r} in the table")
        for place, metric in enumerate(names):
            name, cell = metric.replace("/", "_"), cells[place]
            if f"{name}_above_base" not in row:
                continue
            marks = {_MARKS[m] for m in cell.marks}
            promised = {m for m in _MARKS.values() if row[f"{name}_{m}"] == "1"}
            if marks != promised:
                said.append(
                    f"{who}: {name} has marks {sorted(marks)}, the table says {sorted(promised)}"
                )
            if cell.leads != (row[f"{name}_leads"] == "1"):
                said.append(f"{who}: {name} is bold on the page or leads in the table, not both")
            value = cell.attributes.get("data-value") or ""
            if value not in (row[name], "None") and float(value) != float(row[name] or "nan"):
                said.append(f"{who}: {name} is {value} on the page, {row[name]} in the table")
    return said


def _own_scores(
    heads: list[dict[str, str | None]],
    rows: list[tuple[dict[str, str | None], list[_Cell]]],
    scores: list[dict[str, str]],
) -> list[str]:
    """Every task's own score in the leaderboard is a number that scores.csv has for this model and task."""
    known: dict[tuple[str, str], set[float]] = {}
    for s in scores:
        if not s["teacher"] and s["value"]:
            known.setdefault((s["student"], s["task"]), set()).add(float(s["value"]))
    said = []
    for place, head in enumerate(heads):
        for given, cells in rows if head.get("data-kind") == "task" else ():
            value = cells[place].attributes.get("data-value")
            model, task = str(given["data-student"]), str(head["data-name"])
            if value and float(value) not in known.get((model, task), set()):
                said.append(f"{model} has {value} in {task} on the page, and not in scores.csv")
    return said


def _ranks(table: list[dict[str, str]]) -> list[str]:
    def group(row: dict[str, str]) -> tuple[str, ...]:
        swept = tuple(v for k, v in row.items() if k.startswith("+"))
        return (row["teacher"], row["base"], *swept)

    students = Counter(group(r) for r in table if r["role"] == "student")
    return [
        f"{r['student']}: rank {r['rank']} of {students[group(r)]}"
        for r in table
        if r["rank"] and (r["role"] != "student" or int(r["rank"]) > students[group(r)])
    ]


def _sentences(sentences: list[str], table: list[dict[str, str]]) -> list[str]:
    """Words about controls and base against the table's columns, for students that occur once."""
    headlines = {"style": "style_transfer", "capability": "capability_transfer"}
    names = Counter(r["student"] for r in table if r["role"] == "student")
    said = []
    for row in (r for r in table if r["role"] == "student" and names[r["student"]] == 1):
        own = [s for s in sentences if s.split()[:1] == [row["student"]]]
        for text in own[:1]:
            for word, metric in headlines.items():
                if f"{metric}_above_base" not in row or row[metric] == "":
                    continue
                verdict = re.search(rf"{word}: (above|not above|too few)", text, re.IGNORECASE)
                expected = {"1": "above", "0": "not above", "": "too few"}[
                    row[f"{metric}_above_controls"]
                ]
                if verdict and verdict[1].lower() != expected:
                    said.append(
                        f"{row['student']}: the sentence says {word} {verdict[1]}, the table {expected}"
                    )
                doubt = f"{word} not significantly above the base" in text.lower()
                if doubt == (row[f"{metric}_above_base"] == "1"):
                    said.append(
                        f"{row['student']}: sentence and table differ about {word} above the base"
                    )
    return said


def _map(drawn: set[str], table: list[dict[str, str]]) -> list[str]:
    """Everybody who has both numbers is drawn on the map, controls too."""
    if not table or not {"style_transfer", "capability_transfer"} <= set(table[0]):
        return []
    return [
        f"{r['student']} ({r['role']}) has both numbers and is not on the map"
        for r in table
        if r["style_transfer"] and r["capability_transfer"]
        if not any(label.startswith(r["student"]) for label in drawn)
    ]
