"""The leaderboard of methods: which of them says right how often whose answers a model learned from. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.evidence import Weighing, rate_cell
from harness.board.tables import DASH, Cell, Head, Table
from harness.panel.rates import Rates
from harness.stats.means import Interval

_NAMES = 6  # accused models that are named in a row; the tables of families name all
_NO_ODDS = "this method gives no odds: a score and a verdict only"
_ONE_KIND = "it takes documented models of both kinds: taught, and not taught"
_HEADS = (
    Head("Method"),
    Head("Cllr", "of odds; 1 says nothing", numeric=True),
    Head("AUROC", "of its score", numeric=True),
    Head("Named", "students: teacher first", numeric=True),
    Head("Found", "teacher supported", numeric=True),
    Head("Accused", "innocent of all families", numeric=True),
    Head("Cannot tell", "of models and families", numeric=True),
)
_COST = Head("Cost", "processor seconds", numeric=True)
_WRONG = Head("Accused wrongly")


def methods_view(weighing: Weighing) -> Table:
    """A row for each method on each task, the best first: by Cllr within families, those without odds by AUROC.

    What they cost stands there where methods are compared, since seconds differ from run to run.
    """
    whole = sorted((r for r in weighing.rates if not r.family), key=_rank)
    compares = len({r.method for r in whole}) > 1
    tasks = len({r.task for r in whole})
    costs = {m.name: m.cpu_s for m in weighing.case.methods}
    rows = []
    for r in whole:
        name = f"{r.method} on {r.task}" if tasks > 1 else r.method
        cost = (_cost_cell(costs.get(r.method)),) if compares else ()
        rows.append((Cell(name, name), *_cells(r), *cost, _names_cell(r.accused_names)))
    return Table((*_HEADS, *((_COST,) if compares else ()), _WRONG), tuple(rows))


def _rank(rates: Rates) -> tuple[bool, float, float, str]:
    no_odds = rates.cllr_within is None
    return no_odds, rates.cllr_within or 0.0, -(rates.auroc or 0.0), rates.method


def _cells(rates: Rates) -> tuple[Cell, ...]:
    reason = _NO_ODDS if rates.cllr is None and rates.auroc is not None else _ONE_KIND
    found = Cell(rates.n_found, f"{rates.n_found} of {rates.n_guilty}")
    return (
        rate_cell(rates.cllr_within, reason),
        rate_cell(rates.auroc, _ONE_KIND),
        _share_cell(rates.named, "nobody is documented to have learned from these families"),
        found if rates.n_guilty else Cell(None, DASH, _ONE_KIND),
        _share_cell(rates.innocents_accused, "nobody is documented to have learned from none"),
        Cell(None, DASH, _ONE_KIND)
        if rates.untold is None
        else Cell(rates.untold, f"{100 * rates.untold:.0f} %"),
    )


def _share_cell(share: Interval | None, reason: str) -> Cell:
    """How many of how many, with the interval of the share."""
    if share is None:
        return Cell(None, DASH, reason)
    interval = f"[{100 * share.low:.0f}, {100 * share.high:.0f}] %"
    return Cell(share.value, f"{round(share.value * share.n)} of {share.n}", interval=interval)


def _cost_cell(seconds: float | None) -> Cell:
    return (
        Cell(None, DASH, "not measured when these verdicts were made")
        if seconds is None
        else Cell(seconds, f"{seconds:.0f} s" if seconds >= 1 else "below 1 s")
    )


def _names_cell(names: Sequence[str]) -> Cell:
    """The first few, and how many more; all of them on pointing."""
    if len(names) <= _NAMES:
        return Cell(" ".join(names), ", ".join(names) or "none")
    text = f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
    return Cell(" ".join(names), text, ", ".join(names))
