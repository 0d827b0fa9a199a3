"""An SVG that grows element by element: texts, paths and symbols at pixels; a style sheet colours their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from markupsafe import escape

from harness.console.invisible import spelled_out
from harness.figures._glyphs import LINE

Anchor = Literal["start", "middle", "end"]
_BASELINE = 0.35  # from the middle of a line down to its baseline, in sizes of the font
FONT = 12.0  # pixels, of texts that state no size

# paths of symbols around (0, 0), of half size 1 where {r} is 1
_SYMBOLS = {
    "circle": "m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z",
    "diamond": "m0-{s}l{s} {s}l-{s} {s}l-{s}-{s}z",
    "square": "m-{q}-{q}h{e}v{e}h-{e}z",
    "triangle-up": "m0-{s}l{s} {t}h-{u}z",
    "x": "m-{q}-{q}l{e} {e}m-{e} 0l{e}-{e}",
    "line-ns": "m0-{r}v{d}",
}


def digits(number: float) -> str:
    """Pixels with one decimal, without a zero at its end."""
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def symbol(shape: str, x: float, y: float, size: float) -> str:
    """The path of a symbol of `size` pixels around a place."""
    r = size / 2
    lengths = {
        "r": r,
        "d": 2 * r,
        "s": 1.2 * r,
        "q": 0.9 * r,
        "e": 1.8 * r,
        "t": 2 * r,
        "u": 2.4 * r,
    }
    path = _SYMBOLS[shape].format(**{k: digits(v) for k, v in lengths.items()})
    return f"M{digits(x)} {digits(y)}{path}"


def points(places: Sequence[tuple[float, float]]) -> str:
    """The path through some places."""
    return "M" + "L".join(f"{digits(x)} {digits(y)}" for x, y in places)


class Sketch(NamedTuple):
    """A figure as SVG, with its size in pixels."""

    text: str
    width: float
    height: float


@dataclass
class Canvas:
    """Elements of an SVG, the first lowest."""

    parts: list[str] = field(default_factory=list)

    def path(
        self, way: str, kind: str, title: str = "", link: tuple[str, str] | None = None
    ) -> None:
        """A path of a class; nothing where it has no way. link: label and teacher of the student that it stands for."""
        if not way:
            return
        told = f"<title>{escape(spelled_out(title))}</title>" if title else ""
        end = f">{told}</path>" if told else "/>"
        whose = (
            ' data-student="{}" data-teacher="{}"'.format(
                *(escape(spelled_out(name)) for name in link)
            )
            if link
            else ""
        )
        self.parts.append(f'<path class="{kind}" d="{way}"{whose}{end}')

    def cell(
        self, corner: tuple[float, float], size: tuple[float, float], shade: float, title: str
    ) -> None:
        """A cell from light (0) to dark (1), with words under the pointer."""
        (x, y), (width, height) = map(digits, corner), map(digits, size)
        where = f'd="M{x} {y}h{width}v{height}h-{width}z"'
        self.path(where[3:-1], "light", title)
        if shade > 0:
            self.parts.append(f'<path class="dark" fill-opacity="{shade:.2f}" {where}/>')

    def text(
        self,
        lines: Sequence[str],
        place: tuple[float, float],
        *,
        size: float = FONT,
        anchor: Anchor = "start",
        kind: str = "",
        turned: bool = False,
    ) -> None:
        """Lines of text around a height; turned = read upwards, in one line."""
        x, middle = place
        marks = f' class="{kind}"' if kind else ""
        marks += f' text-anchor="{anchor}"' if anchor != "start" else ""
        marks += f' font-size="{digits(size)}"' if size != FONT else ""
        for i, line in enumerate(lines):
            y = middle + (i - (len(lines) - 1) / 2) * LINE * size + _BASELINE * size
            where = f'x="{digits(x)}" y="{digits(y)}"'
            if turned:
                where = (
                    f'transform="translate({digits(x + (y - middle))} {digits(middle)})rotate(-90)"'
                )
            self.parts.append(f"<text {where}{marks}>{escape(spelled_out(line))}</text>")

    def group(self, kind: str, inside: Canvas) -> None:
        """What another canvas holds, in a group of a class."""
        if inside.parts:
            self.parts.append(f'<g class="{kind}">{"".join(inside.parts)}</g>')

    def sketch(self, width: float, height: float, label: str) -> Sketch:
        """The SVG, in the pixels that it was made for."""
        w, h = digits(width), digits(height)
        head = f'<svg class="fig" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
        marks = f'role="img" aria-label="{escape(spelled_out(label))}"'
        return Sketch(f"{head} {marks}>{''.join(self.parts)}</svg>", width, height)
