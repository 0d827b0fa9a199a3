"""What may be said of a file of training answers: in words, as tables for readers and for programs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.board import columns
from harness.board.columns import Field, Value
from harness.board.numerals import number
from harness.board.record import RunRecord, Variant
from harness.board.tables import DASH, Cell, Head, Table, make_table
from harness.panel.audits import AlikeRow, Audit, FamilyShare

Part = tuple[str, bool]  # text, strong


@dataclass(frozen=True)
class Audited:
    """An audit of a run, or of a job of a sweep."""

    variant: Variant
    audit: Audit
    words: tuple[Part, ...]
    left_out: str  # which rows were not compared; "" = all were


def audited(record: RunRecord) -> list[Audited]:
    """All audits of a record, job by job."""
    return [
        Audited(variant, audit, tuple(_words(audit)), _left_out(audit))
        for variant, run in record.runs().items()
        for audit in run.audits
    ]


def _words(audit: Audit) -> Iterator[Part]:
    """A sentence: of which families the file holds rows, of which it does not, and of which nothing is told."""
    if audit.reason:
        yield f"Cannot tell whose answers {audit.file} holds: {audit.reason}. ", False
        return
    seen = [s for s in audit.shares if s.outcome == "supports"]
    if seen:
        yield f"The answers in {audit.file} support that some of them are by ", False
    for i, share in enumerate(seen):
        yield (" and by " if i else ""), False
        yield f"{share.family} ({_share_text(share)} of the rows)", True
    yield (". " if seen else f"No candidate's answers are made out in {audit.file}. "), False
    for outcome, words in (
        ("does not support", "They speak against more than a small part by {}. "),
        ("cannot tell", "Of {} nothing can be told. "),
    ):
        own = [s.family for s in audit.shares if s.outcome == outcome]
        if own:
            yield words.format(", ".join(own)), False


def _share_text(share: FamilyShare) -> str:
    assert share.share is not None
    return f"about {100 * share.share:.0f} %, {_interval(share)} %"


def _interval(share: FamilyShare) -> str:
    return "" if share.low is None else f"{100 * share.low:.0f} to {100 * (share.high or 0):.0f}"


def _left_out(audit: Audit) -> str:
    said = [f"{n} {reason}" for reason, n in audit.left_out.items()]
    drawn = audit.n_rows - audit.n_read
    said += [f"{drawn} not drawn for it"] if drawn else []
    return ", ".join(said)


def shares_view(audit: Audit) -> Table:
    """For readers: a row for each family."""
    heads = (
        Head("Family"),
        Head("Verdict"),
        Head("Share of rows", "95 % interval", numeric=True),
        Head("p", "of a set by others", numeric=True),
        Head("Rows alike", "1 % of others' answers are", numeric=True),
        Head("Word for word", numeric=True),
        Head("Other writers", "lineages, accused wrongly", numeric=True),
    )
    return Table(heads, tuple(_share_row(s) for s in audit.shares))


def _share_row(share: FamilyShare) -> tuple[Cell, ...]:
    told = share.share is not None and share.p is not None
    value = (
        Cell(share.share, f"{100 * (share.share or 0):.0f} %", interval=_interval(share))
        if told
        else Cell(None, DASH, share.reason)
    )
    alike = f"of {share.n}; {number(0.01 * share.n)} are to be expected"
    others = Cell(share.n_lineages, str(share.n_lineages), interval=", ".join(share.accused))
    return (
        Cell(share.family, share.family, "" if share.n_versions > 1 else "only one version of it is known"),
        Cell(share.outcome, share.outcome, share.reason),
        value,
        Cell(share.p, number(share.p)) if share.p is not None else Cell(None, DASH, share.reason),
        Cell(share.n_alike, str(share.n_alike), alike) if told else Cell(None, DASH, share.reason),
        Cell(share.n_copies, str(share.n_copies)),
        others,
    )  # fmt: skip


def rows_view(audit: Audit) -> Table:
    """For readers: the rows that look most like each family that is not ruled out."""
    heads = (
        Head("Row"),
        Head("Like"),
        Head("Others' answers that score as much", numeric=True),
        Head("The family's", "left out", numeric=True),
        Head("Begins"),
    )
    rows = (
        (
            Cell(r.place, r.place),
            Cell(r.family, r.family),
            Cell(r.false_rate, f"{100 * r.false_rate:.1f} %"),
            Cell(r.true_rate, f"{100 * r.true_rate:.0f} %"),
            Cell(r.beginning, r.beginning),
        )
        for r in audit.rows
    )
    return Table(heads, tuple(rows))


def _of_first(name: str) -> Callable[[tuple[Any, Audit, Variant]], Value]:
    return lambda row: getattr(row[0], name)


def shares_table(record: RunRecord) -> Table:
    """For programs: every family of every audit."""
    names = ("outcome", "share", "low", "high", "p", "n", "n_alike", "n_lineages", "n_versions")
    own: tuple[Field[tuple[FamilyShare, Audit, Variant]], ...] = (
        Field("file", lambda r: r[1].file),
        Field("task", lambda r: r[1].task),
        Field("family", lambda r: r[0].family),
        *(Field(n, _of_first(n)) for n in (*names, "apart", "n_copies")),
        Field("accused", lambda r: "; ".join(r[0].accused)),
        Field("reason", lambda r: r[0].reason),
    )
    swept: tuple[Field[tuple[FamilyShare, Audit, Variant]], ...] = columns.swept(
        record.variants, lambda r: r[2]
    )
    rows = [(s, a.audit, a.variant) for a in audited(record) for s in a.audit.shares]
    return make_table((*own, *swept), rows)


def rows_table(record: RunRecord) -> Table:
    """For programs: the rows that look most like each family that is not ruled out."""
    names = ("family", "score", "false_rate", "true_rate", "beginning")
    own: tuple[Field[tuple[AlikeRow, Audit, Variant]], ...] = (
        Field("file", lambda r: r[1].file),
        Field("task", lambda r: r[1].task),
        Field("row", lambda r: r[0].place),
        *(Field(n, _of_first(n)) for n in names),
    )
    swept: tuple[Field[tuple[AlikeRow, Audit, Variant]], ...] = columns.swept(
        record.variants, lambda r: r[2]
    )
    rows = [(s, a.audit, a.variant) for a in audited(record) for s in a.audit.rows]
    return make_table((*own, *swept), rows)
