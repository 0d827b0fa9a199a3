"""index.html from a Board: templates, policy, scripts and data islands."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from harness.board import numerals
from harness.board.answers import BUDGET_BYTES, browse
from harness.board.audits import audited, rows_view, shares_view
from harness.board.board import Board, Row
from harness.board.changes import SaidChange, by_outcome, said_changes
from harness.board.claims import decide, headline_comparisons
from harness.board.costs import costs_table
from harness.board.evidence import (
    ALTERNATIVES,
    SETTLING,
    everyone_view,
    finding_table,
    rates_view,
    stated_terms,
    weighings,
)
from harness.board.leaderboard import make_leaderboard
from harness.board.lines import BESIDE, Line
from harness.board.methods import methods_view
from harness.board.missing import missing_results, undrawn
from harness.board.record import Comparison, RunRecord, setting
from harness.board.sentences import Decision, Part, Sentence, decisions, losses, sentences
from harness.board.subjects import Group
from harness.board.tables import DASH, MARKS, ordered_comparisons, recipes_view
from harness.board.trees import SURE, branches_view
from harness.console.invisible import all_spelled_out, as_escapes, spelled_out
from harness.figures import AbstractFigure
from harness.page import pictures
from harness.page.measures import (
    Made,
    Measure,
    described_models,
    described_tasks,
    fact_columns,
    made,
    measures,
)
from harness.page.pictures import Picture

_FOLDER = files("harness.page")
_MOST_DECISIONS = 4  # lines that stand open at the top
_MOST_GROUPS = 3  # teachers with their bases that one decision names in full
_MOST_MADE = 60  # collections whose table stands open to readers without scripts
_MOST_VERSUS = 4000  # comparisons of students in the page
_MOST_KINDS = 12  # of reasons of missing results: one screen


@dataclass(frozen=True)
class StudentPart:
    """Everything about one student under one setting."""

    id: str
    row: Row
    sentence: Sentence | None
    changes: tuple[SaidChange, ...]  # against base and teacher, task by task
    relatives: tuple[str, ...]  # models of the run that are related to it or its teacher
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class MeasurePart:
    """A measure with its dot plots."""

    id: str
    measure: Measure
    pictures: tuple[Picture, ...]


def page(board: Board) -> str:
    """The page as one HTML text, with its scripts allowed by digest and nothing else."""
    record, browser = board.record, _browser(board)
    figures = pictures.chosen(board)
    run = pictures.of_run(figures, board)
    students, parts = _students(board, figures), _measures(board, figures)
    every = _every(run, students, parts)
    app, plotly = _script(), _plotly() if every and record.interactive else ""
    making = _making(record)
    missing = [*missing_results(record), *(undrawn(*one) for one in board.undrawn.items())]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            record=record,
            board=board,
            leaderboard=make_leaderboard(board),
            pictures=run,
            decisions=_said(decisions(board)),
            losses=losses(board),
            ids={s.row.subject: s.id for s in students},
            students=students,
            measures=parts,
            insides=_island(_insides(parts, making["made"])),
            weighings=weighings(record),
            audits=audited(record),
            missing=missing,
            n_missing=sum(m.n for m in missing if not m.no_gap),
            **making,
            notes=board.index.notes,
            browser=browser,
            policy=_policy([app, plotly] if plotly else [app]),
            style=Markup(_FOLDER.joinpath("style.css").read_text("utf-8")),
            app=Markup(app),
            plotly=_packed_plotly() if plotly else "",
            plots=_packed_json(all_spelled_out({p.id: p.plotly for p in every})),
            narrow=_packed_json(all_spelled_out({p.id: p.narrow_sketch.text for p in every})),
            samples=_packed_json(browser),
            versus=_packed_json(all_spelled_out(_versus(board))),
        )
    )


def _making(record: RunRecord) -> dict[str, Any]:
    """How the run was made: its models and tasks with their facts, and its collections."""
    models = described_models(record)
    return {
        "made": made(record),
        "costs": costs_table(record),
        "models": models,
        "tasks": described_tasks(record),
        "roles": {role.name for row in models for role in row.roles},
        "facts": fact_columns(models),
    }


def pictures_of(board: Board) -> list[Picture]:
    """The pictures of the page, in their order."""
    own = pictures.chosen(board)
    return _every(pictures.of_run(own, board), _students(board, own), _measures(board, own))


def every_picture(kind: str, board: Board) -> list[Picture]:
    """The pictures that a kind of figure has on the page."""
    own = pictures.stock([kind])
    return _every(pictures.of_run(own, board), _students(board, own), _measures(board, own))


def _every(
    run: Sequence[Picture], students: Sequence[StudentPart], parts: Sequence[MeasurePart]
) -> list[Picture]:
    told = [*(s.pictures for s in students), *(part.pictures for part in parts)]
    return [*run, *(picture for some in told for picture in some)]


def _measures(board: Board, figures: Sequence[AbstractFigure]) -> list[MeasurePart]:
    """One part per measure."""
    return [
        MeasurePart(f"measure-{m.name}", m, tuple(pictures.of_metric(figures, board, m.plots, i)))
        for i, m in enumerate(measures(board))
    ]


def _students(board: Board, figures: Sequence[AbstractFigure]) -> list[StudentPart]:
    """One part per student, in the order of the leaderboard."""
    said = {s.subject: s for s in sentences(board)}
    rows = [r for r in board.rows if r.subject.role == "student" and not r.missing]
    return [
        StudentPart(
            f"student-{i}",
            row,
            said.get(row.subject),
            tuple(said_changes(board.changes_of(row.subject), board.record.tasks)),
            tuple(board.relatives_of(row.subject)),
            tuple(pictures.of_student(figures, board, row.subject, i)),
        )
        for i, row in enumerate(rows)
    ]


def _browser(board: Board) -> list[dict[str, Any]]:
    """The tasks of the sample browser that have something to show; without pairs none is read."""
    if not board.record.pairs:
        return []
    share = BUDGET_BYTES // max(1, len(board.record.tasks))
    tasks = (browse(answers, board.pairs_in(answers), share) for answers in board.answers())
    return [task for task in tasks if task["prompts"]]


def _versus(board: Board) -> list[list[str]]:
    """What paired comparisons say of two students, from either side, for rows that a reader pins; of many nothing."""
    shown = {column.metric for column in board.columns}
    every = ordered_comparisons(board.record.comparisons)
    made = [c for c in headline_comparisons(every) if c.metric in shown]
    return [_both_ways(board, c) for c in made] if len(made) <= _MOST_VERSUS else []


def _both_ways(board: Board, c: Comparison) -> list[str]:
    better = board.index.notes[c.metric.split("/")[0]].better
    names = [c.metric, c.first, c.second, c.teacher, c.base, setting(c.variant)]
    ways = ((c.difference, c.low, c.high), (-c.difference, -c.high, -c.low))
    said = [decide(way[0], c.p_adjusted, better) for way in ways]
    return [*names, *(numerals.estimate(*way) for way in ways), *said]


def _insides(parts: Sequence[MeasurePart], rows: Sequence[Made]) -> dict[str, str]:
    """Tables and dot plots of measures, and a long table of collections: packed until a reader opens them."""
    template = _environment().get_template
    insides = {p.id: template("measure.html.j2").render(part=p) for p in parts}
    if len(rows) > _MOST_MADE:
        insides["collections"] = template("collections.html.j2").render(made=rows)
    return {name: _packed(text) for name, text in insides.items()}


def _said(made: Sequence[Decision]) -> list[tuple[list[Group], tuple[Part, ...]]]:
    """What is said of the students of each teacher, base and setting; what is said of several stands there once."""
    groups: dict[tuple[Part, ...], list[Group]] = {}
    for decision in made:
        groups.setdefault(decision.parts, []).append(decision.choice.group)
    return [(own, parts) for parts, own in groups.items()]


def folds(block: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """Rows that stand next to one another in one fold; "" = those that stand open."""
    return [(fold, list(lines)) for fold, lines in groupby(block, key=lambda line: line.fold)]


def fold_name(fold: str, lines: Sequence[Line]) -> str:
    """What a fold holds: its models, of bases and controls each, and their rows where a model has several."""
    kinds: dict[str, set[str]] = {}
    for line in lines:
        role = line.subject.role
        known = {"base": "bases", "control": "controls"}.get(role, "further models")
        kind = known if fold == BESIDE else fold
        kinds.setdefault(kind, set()).add(line.subject.student)
    words = (
        f"{len(of)} {kind if len(of) != 1 else kind.removesuffix('s')}"
        for kind, of in kinds.items()
    )
    rows = "" if sum(map(len, kinds.values())) == len(lines) else f" in {len(lines)} rows"
    return ", ".join(words) + rows


def _visible(value: Any) -> Any:
    """A value of a template as readers see it: what is no markup of ours with invisible characters spelled out."""
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return spelled_out(value) if plain else value


def prepare(interactive: bool) -> None:
    """Reads and compiles what stands in every page, for those that this process writes later."""
    for template in _FOLDER.joinpath("templates").iterdir():
        _environment().get_template(template.name)
    if interactive:
        _packed_plotly()


@cache  # templates are compiled once, however many pages a process writes
def _environment() -> Environment:
    """Templates from inside the package; everything escaped, every unknown name an error."""
    folder = _FOLDER.joinpath("templates")
    loader = FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8"))
    env = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (numerals.count, numerals.scaled, numerals.size, numerals.seconds)
    env.filters |= {f.__name__: f for f in words} | {"digits": numerals.number}
    env.globals |= {
        "number": numerals.number,
        "estimate": numerals.estimate,
        "DASH": DASH,
        "MARKS": MARKS,
        "MOST_DECISIONS": _MOST_DECISIONS,
        "MOST_GROUPS": _MOST_GROUPS,
        "MOST_KINDS": _MOST_KINDS,
        "MOST_MADE": _MOST_MADE,
        "by_outcome": by_outcome,
        "fold_name": fold_name,
        "folds": folds,
        "setting": setting,
        "everyone_view": everyone_view,
        "finding_table": finding_table,
        "methods_view": methods_view,
        "rates_view": rates_view,
        "recipes_view": recipes_view,
        "stated_terms": stated_terms,
        "branches_view": branches_view,
        "rows_view": rows_view,
        "shares_view": shares_view,
        "SURE": SURE,
        "alternatives": ALTERNATIVES,
        "settling": SETTLING,
    }
    return env


def _script() -> str:
    """The page's script, its parts in order, exactly as it is written into the page (its digest is of this text)."""
    parts = sorted(_FOLDER.joinpath("scripts").iterdir(), key=lambda part: part.name)
    text = "\n".join(part.read_text("utf-8") for part in parts).replace("\r\n", "\n")
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("harness/page/scripts: a closing tag would end the script early")
    return f'"use strict";\n(() => {{\n{text}}})();\n'


@cache
def _plotly() -> str:
    """plotly.js as the installed package brings it."""
    from plotly.offline import get_plotlyjs

    text: str = get_plotlyjs()
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _packed_json(value: Any) -> str:
    return _packed(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


@lru_cache(maxsize=1)
def _packed_plotly() -> str:
    return _packed(_plotly())


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode("ascii")


def _policy(scripts: Sequence[str]) -> str:
    digests = [
        base64.b64encode(hashlib.sha256(s.encode("utf-8")).digest()).decode("ascii")
        for s in scripts
    ]
    allowed = " ".join(f"'sha256-{d}'" for d in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _island(value: Any) -> Markup:
    """JSON that no HTML parser can leave: every < is written as an escape, and what is invisible too."""
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    return Markup(as_escapes(text.replace("<", "\\u003c")))
