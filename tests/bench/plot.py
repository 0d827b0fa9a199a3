"""A picture of ratios beside their bars, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 760, 330, 50, 22, 46
_DARK = (
    "@media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #444 } .bar { stroke: #ddd } "
    "rect.back { fill: #16181d } }"
)


class Ratio(NamedTuple):
    """One row: how many times as fast, over rounds, and how many times it should be."""

    name: str
    median: float
    low: float
    high: float
    bar: float


def picture(title: str, rows: Sequence[Ratio]) -> str:
    """The rows on a logarithmic axis: lines from smallest to largest, dots at medians, ticks at bars."""
    most = max(max(r.high, r.bar) for r in rows)
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000) if t <= most * 1.3]
    end = max(most * 1.1, ticks[-1])

    def x(value: float) -> float:
        """Place of a ratio."""
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log(max(value, 1.0)) / math.log(end)

    height = _TOP + _ROW * len(rows) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        "<style>text { font: 12px system-ui, sans-serif; fill: #222 } .grid { stroke: #ddd } "
        f".span {{ stroke: #3366cc; stroke-width: 3 }} .bar {{ stroke: #222; stroke-width: 2 }} {_DARK}</style>",
        f'<rect class="back" width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>',
    ]
    bottom = _TOP + _ROW * len(rows)
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP - 8}" y2="{bottom}"/>'
            f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick} ×</text>'
        )
    for i, row in enumerate(rows):
        y = _TOP + _ROW * i + 6
        parts.append(
            f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>'
            f'<line class="span" x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{x(row.median):.1f}" cy="{y}" r="5" fill="#3366cc"/>'
            f'<line class="bar" x1="{x(row.bar):.1f}" x2="{x(row.bar):.1f}" y1="{y - 7}" y2="{y + 7}"/>'
            f'<text x="{x(max(row.high, row.bar)) + 9:.1f}" y="{y + 4}">{row.median:.1f}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
