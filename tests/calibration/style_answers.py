"""Recorded answers of real models as sides, for the calibration of style_transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from harness.metrics.style_transfer import StyleTransfer
from harness.panel.side import Side
from harness.panel.texts import remember_reading
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import text_side
from harness.text.segment import Reading, read
from harness.types import Ints, Unavailable

METRIC = StyleTransfer("style_transfer", "style_transfer")
MATRIX = Path(__file__).resolve().parents[2] / "conf" / "matrix" / "alpaca_eval.yaml"
Values = Mapping[str, Estimate | str]


class Pair(NamedTuple):
    """A pair of the matrix that has a base."""

    teacher: str
    student: str
    base: str


@cache
def matrix() -> dict[str, list[dict[str, Any]]]:
    """The matrix's pairs and controls."""
    return dict(yaml.safe_load(MATRIX.read_text()))


def pairs() -> list[Pair]:
    """All pairs with a base."""
    return [Pair(p["teacher"], p["student"], p["base"]) for p in matrix()["pairs"] if p["base"]]


def lineages(teacher: str, base: str) -> dict[str, str]:
    """Model -> lineage of the controls of a teacher, as the matrix lists them, without the base's lineage."""
    listed = {c["model"]: c for c in matrix()["controls"]}
    own = listed.get(base, {}).get("lineage")
    return {
        m: c["lineage"]
        for m, c in listed.items()
        if teacher in c.get("teachers", [teacher]) and c["lineage"] != own
    }


@dataclass(frozen=True, eq=False)
class Answers:
    """Every model's answers to the same N prompts, read once."""

    models: tuple[str, ...]
    texts: tuple[str, ...]  # (models x N,), one model after the other
    reading: Reading

    @classmethod
    def load(cls, folder: Path, models: Sequence[str] = ()) -> Answers:
        """Recorded answers; models: the ones that are wanted, all where none are named."""
        import pandas as pd

        table = pd.read_parquet(folder / "alpaca_eval" / "responses.parquet")
        table = table.drop_duplicates(["prompt", "model"])
        wide = table.pivot(index="prompt", columns="model", values="response")
        wide = wide.sort_index().fillna("")
        names = tuple(m for m in wide.columns if not models or m in models)
        texts = tuple(str(x) for m in names for x in wide[m])
        return cls(names, texts, read(texts))

    @property
    def n(self) -> int:
        """Prompts."""
        return len(self.texts) // len(self.models)

    def rows(self, model: str, prompts: Ints) -> Ints:
        """Places of a model's answers to some prompts."""
        return self.models.index(model) * self.n + prompts

    def side(self, name: str, rows: Ints, lineage: str = "") -> Side:
        """A side of the answers at these places, one for each prompt; nothing is read again."""
        side = text_side(name, [self.texts[i] for i in rows], lineage=lineage)
        asked = side.requests
        prompts = tuple(replace(p, category="") for p in asked.prompts)
        side = replace(side, requests=replace(asked, prompts=prompts))
        order = sorted(range(len(rows)), key=lambda i: prompts[i].id)
        remember_reading(side, self.reading.of(np.asarray(rows)[order]))
        return side

    def crowd(self, teacher: str, base: str, prompts: Ints) -> tuple[Side, ...]:
        """The controls of a teacher."""
        return tuple(
            self.side(m, self.rows(m, prompts), lineage)
            for m, lineage in lineages(teacher, base).items()
        )

    def sides(self, pair: Pair, prompts: Ints) -> Sides:
        """A pair with its controls."""
        student, teacher, base = (
            self.side(m, self.rows(m, prompts)) for m in (pair.student, pair.teacher, pair.base)
        )
        controls = self.crowd(pair.teacher, pair.base, prompts)
        return Sides("talk", student, teacher, base, "sibling", controls=controls)


def values(one: Sides) -> Values:
    """Every part of style_transfer with its interval, or the reason why it has none."""
    try:
        found = findings(METRIC, [one], np.random.default_rng(0))
    except Unavailable as error:
        return {"": str(error)}
    made: dict[str, Estimate | str] = {}
    for item in found:
        try:
            statistic = item.statistic
            if isinstance(statistic, str):
                made[item.name] = statistic
            else:
                made[item.name] = evaluate(statistic, np.random.default_rng(0))
        except Unavailable as error:
            made[item.name] = str(error)
    return made
