"""Whether a page agrees with itself and with the files beside it: one thing, said in several places, is one value."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from harness.board.record import RunRecord
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
    """Rows of the leaderboard, and the sentences with their doubts."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[dict[str, str | None], list[_Cell]]] = []
        self.sentences: list[str] = []
        self.figures = ""
        self._table = self._list = self._island = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self._table = given.get("id") == "board"
        elif tag == "ol" and given.get("class") == "sentences":
            self._list = True
        elif tag == "script":
            self._island = given.get("id") == "figures-data"
        elif self._table and tag == "tr":
            self.rows.append((given, []))
        elif self._table and tag in ("td", "th") and self.rows:
            self.rows[-1][1].append(
                _Cell(given, leads="leads" in (given.get("class") or "").split())
            )
        elif self._table and given.get("class") == "mark":
            self.rows[-1][1][-1].marks.append(str(given["aria-label"]))
        elif self._list and tag == "li":
            self.sentences.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = False
        elif tag == "ol":
            self._list = False
        elif tag == "script":
            self._island = False

    def handle_data(self, data: str) -> None:
        if self._island:
            self.figures += data
        if self._table and self.rows and self.rows[-1][1]:
            self.rows[-1][1][-1].text += data
        if self._list and self.sentences:
            self.sentences[-1] += data


def contradictions(folder: Path) -> list[str]:
    """What the page of a report says in one place and not, or otherwise, in another; one line each."""
    page = _Page()
    page.feed((folder / "index.html").read_text("utf-8"))
    with (folder / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    shown = [(given, cells) for given, cells in page.rows if "data-role" in given]
    if len(shown) != len(table):
        return [f"{len(shown)} rows on the page, {len(table)} in leaderboard.csv"]
    record = read_record(folder)
    return [
        *_rows(shown, table),
        *_ranks(table),
        *_sentences(page.sentences, table),
        *_map(page.figures, table, record),
    ]


def _rows(
    shown: list[tuple[dict[str, str | None], list[_Cell]]], table: list[dict[str, str]]
) -> list[str]:
    measures = [
        name.removesuffix("_above_base")
        for name in (table[0] if table else {})
        if name.endswith("_above_base")
    ]
    said = []
    for (given, cells), row in zip(shown, table, strict=True):
        who = f"{row['student']} beside {row['teacher']}"
        if (given["data-role"], given["data-teacher"]) != (row["role"], row["teacher"]):
            said.append(f"{who}: {given['data-role']} on the page, {row['role']} in the table")
        if cells[1].text.strip() != row["rank"]:
            said.append(
                f"{who}: rank {cells[1].text.strip()!r} on the page, {row['rank']!r} in the table"
            )
        before = len(cells) - len(measures) - 2
        for name, cell in zip(measures, cells[before:], strict=False):
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


def _map(island: str, table: list[dict[str, str]], record: RunRecord) -> list[str]:
    """Everybody who has both numbers is drawn on the map, controls too."""
    figures = json.loads(island) if island.strip() else {}
    figure = next((f for name, f in figures.items() if name.endswith("transfer_map")), None)
    columns = table[0] if table else {}
    if figure is None or not {"style_transfer", "capability_transfer"} <= set(columns):
        return []
    drawn = {
        text.split("<br>")[0].removeprefix("<b>").removesuffix("</b>")
        for trace in figure["data"]
        for text in trace.get("hovertext", ())
    }
    return [
        f"{r['student']} ({r['role']}) has both numbers and is not on the map"
        for r in table
        if r["style_transfer"] and r["capability_transfer"]
        if not any(text.startswith(r["student"][:20]) for text in drawn)
    ]
