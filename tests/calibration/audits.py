"""How well the share of a family's rows in a data set is told: planted shares, and data sets by one writer alone.

python tests/calibration/audits.py DATA_DIR > tests/calibration/audits.md

DATA_DIR holds alpaca_eval and lineages_extra. The crowd is seen on prompts of two of AlpacaEval's sources; data sets
answer those of the three others. Whoever wrote a data set is left out of the crowd with the whole lineage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.panel.auditing import Scene, shares_of
from harness.panel.audits import FamilyShare
from harness.panel.evidence import Origin, Standing
from harness.stats.means import clopper_pearson
from harness.stats.shares import Known
from harness.text.row_habits import CLASSES, Habits, in_one_table, row_habits
from harness.text.tokens import read_tokens
from harness.types import Ints
from tests.calibration.lineages import FOLDERS, Model, read_models

CROWD_SOURCES = ("selfinstruct", "oasst")
MOST = 300  # rows of a data set
FEWEST = 100
HOST = "guanaco-33b"  # a clean model
PLANTED = {
    "claude12": "claude",
    "llama3": "Meta-Llama-3-8B-Instruct",
    "gpt4turbo": "gpt4_1106_preview",
    "gemini": "gemini-pro",
    "chatgpt35": "gpt-3.5-turbo-0613",
    "gpt4": "gpt4",
}
SHARES = (0.0, 0.25, 0.5, 1.0)
STANDINGS: dict[str, Standing] = {"student": "student", "control": "control", "teacher": "teacher"}
_INTRODUCTION = """\
Whose answers a data set holds, told from habits of wording alone (`panel/auditing`). Data sets are answers of real
models to prompts of koala, vicuna and helpful_base; the crowd answered those of self-instruct and OASST. A writer is
left out of the crowd with its whole lineage. "Known": the crowd has answers of the very version that wrote the rows, to
other prompts; "further": it has other versions of the family alone.
"""


class Text(NamedTuple):
    """One answer."""

    model: str
    prompt: str
    source: str


@dataclass(frozen=True, eq=False)
class World:
    """All answers, counted once."""

    models: dict[str, Model]
    texts: list[Text]
    habits: Habits

    @cached_property
    def able(self) -> Ints:
        """Places of the answers that can be compared."""
        return np.flatnonzero([not reason for reason in self.habits.reasons])

    def rows_of(self, models: Sequence[str]) -> Ints:
        """Places of what models answered to the prompts of data sets."""
        return np.array(
            [
                i
                for i in self.able
                if self.texts[i].model in models and self.texts[i].source not in CROWD_SOURCES
            ],
            dtype=np.int64,
        )

    def audited(
        self, rows: Ints, left_out: Sequence[str], families: Sequence[str]
    ) -> list[FamilyShare]:
        """What is said of a data set; left_out: models that the crowd does not have."""
        known, writers = _crowd(self, tuple(sorted(left_out)))
        versions: dict[str, list[str]] = {}
        for model, origin in writers.items():
            if origin.standing == "teacher" and origin.family in families:
                versions.setdefault(origin.family, []).append(model)
        scene = Scene(known, self.habits.rows(rows), np.arange(len(rows)))
        return shares_of(scene, versions, writers, 0)[1]


@lru_cache(maxsize=1)
def _crowd(world: World, left_out: tuple[str, ...]) -> tuple[Known, dict[str, Origin]]:
    """The crowd's answers to its own prompts."""
    there = sorted({t.model for t in world.texts} - {*left_out})
    writers = {m: _origin(world.models[m]) for m in there}
    places = {m: i for i, m in enumerate(there)}
    texts = world.texts
    own = np.array(
        [i for i in world.able if texts[i].model in places and texts[i].source in CROWD_SOURCES]
    )
    half = {p: i % 2 for i, p in enumerate(sorted({t.prompt for t in texts}))}
    known = Known(
        world.habits.rows(own),
        np.array([places[texts[i].model] for i in own]),
        np.array([half[texts[i].prompt] for i in own]),
        tuple(there),
        tuple(o.lineage for o in writers.values()),
        len(CLASSES),
    )
    return known, writers


def _origin(model: Model) -> Origin:
    also = tuple(sorted(model.kin - {model.family}))
    return Origin(model.name, STANDINGS[model.role], model.family, also, model.lineage)


def read_world(data: Path) -> World:
    """Everybody's answers."""
    import pandas as pd

    models = {m.name: m for m in read_models(data) if m.role in STANDINGS}
    tables = [pd.read_parquet(data / folder / "responses.parquet") for folder in FOLDERS]
    table = pd.concat(tables).drop_duplicates(["model", "prompt_id"])
    table = table[table["model"].isin(list(models))].sort_values(["model", "prompt_id"])
    columns = ("model", "prompt_id", "source")
    texts = [Text(*map(str, row)) for row in zip(*(table[c] for c in columns), strict=True)]
    background = np.array([models[t.model].role != "teacher" for t in texts])
    tokens = [read_tokens(list(rows["response"])) for _, rows in table.groupby("model", sort=True)]
    return World(models, texts, row_habits(in_one_table(tokens), background))


def planted_table(world: World) -> None:
    """Planted shares, of versions that the crowd knows and of further ones."""
    print("## Planted shares\n")
    heads = [f"{100 * s:.0f} %" for s in SHARES]
    print("| family | version | " + " | ".join(heads) + " |\n|---|---|" + "---|" * len(SHARES))
    host = world.models[HOST].lineage
    out = [m for m, one in world.models.items() if one.lineage == host]
    rng = np.random.default_rng(1)
    for family, version in PLANTED.items():
        for kind, gone in (("known", out), ("further", [*out, version])):
            cells = []
            for share in SHARES:
                own, rest = (rng.permutation(world.rows_of([m])) for m in (version, HOST))
                n = min(len(own), len(rest), MOST)
                k = round(share * n)
                said = world.audited(np.concatenate([own[:k], rest[: n - k]]), gone, [family])
                cells.append(_cell(said[0]) if said else "no other version")
            print(f"| {family} | {kind} | {' | '.join(cells)} |", flush=True)


def _cell(share: FamilyShare) -> str:
    if share.share is None:
        apart = "" if share.apart is None else f", AUROC {share.apart:.2f}"
        return f"untold{apart}"
    interval = f"{share.share:.2f} [{share.low:.2f}, {share.high:.2f}]"
    return f"**{interval}**" if share.outcome == "supports" else interval


def writers_table(world: World) -> None:
    """Each lineage alone as the writer of a data set."""
    lineages: dict[str, list[str]] = {}
    for name, model in world.models.items():
        lineages.setdefault(model.lineage, []).append(name)
    rng, wrong, right, taught, n = np.random.default_rng(2), [], [], 0, 0
    rows_said = []
    for lineage, own in sorted(lineages.items()):
        rows = world.rows_of(own)
        if len(rows) < FEWEST or any(world.models[m].role == "teacher" for m in own):
            continue
        some = rng.permutation(rows)[:MOST]
        said = world.audited(np.sort(some), own, tuple(PLANTED))
        kin = {f for m in own for f in world.models[m].kin} & {*PLANTED}
        named = [s for s in said if s.outcome == "supports"]
        wrong += [(lineage, s.family) for s in named if s.family not in kin]
        right += [(lineage, s.family) for s in named if s.family in kin]
        taught += bool(kin)
        n += 1
        untold = sum(s.outcome == "cannot tell" for s in said)
        against = sum(s.outcome == "does not support" for s in said)
        words = ", ".join(f"{s.family} {_cell(s)}" for s in named) or "nobody"
        rows_said.append(
            f"| {lineage} | {', '.join(sorted(kin)) or 'nobody'} | {words} | {against} | {untold} |"
        )
        print(lineage, words, file=sys.stderr, flush=True)
    low, high = clopper_pearson(len({w for w, _ in wrong}), n)
    print("\n## Data sets by one lineage alone\n\nCandidates: the same six families.\n")
    print(
        f"{n} lineages of students and controls with {FEWEST} rows or more. Rows of a family that did not teach them "
        f"are seen in {len({w for w, _ in wrong})} of them ({100 * low:.0f} to {100 * high:.0f} %, Clopper and "
        f"Pearson); nominal are 5 %. Of {taught} lineages with a documented teacher, {len({w for w, _ in right})} "
        "hold rows that look like it: a student writes less like its teacher than the teacher does.\n"
    )
    print("| lineage | taught, perhaps taught or made by | holds rows by | against | cannot tell |")
    print("|---|---|---|---|---|")
    print("\n".join(rows_said), flush=True)


def main() -> None:
    """Prints both tables."""
    world = read_world(Path(sys.argv[1]))
    print(f"# Audits of data sets\n\n{_INTRODUCTION}")
    planted_table(world)
    writers_table(world)


if __name__ == "__main__":
    main()
