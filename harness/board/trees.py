"""The tree of models in words: who is joined with whom, and how sure that is. Pure."""

from __future__ import annotations

from harness.board.record import LikenessTree
from harness.board.tables import Cell, Head, Table

SURE = 0.7  # support from which a branch is listed
_MOST = 12  # models of a branch, above which it says little


def branches_view(tree: LikenessTree) -> Table:
    """The branches of a few models whose support is high, the most alike first."""
    heads = (
        Head("Models"),
        Head("Support", "of samples of the prompts", numeric=True),
        Head("Distance", "1 - cosine", numeric=True),
    )
    own = [b for b in tree.branches[:-1] if b.support >= SURE and len(b.models) <= _MOST]
    rows = (
        (
            Cell(" ".join(b.models), ", ".join(b.models)),
            Cell(b.support, f"{100 * b.support:.0f} %"),
            Cell(b.height, f"{b.height:.2f}"),
        )
        for b in sorted(own, key=lambda b: (b.height, b.models))
    )
    return Table(heads, tuple(rows))
