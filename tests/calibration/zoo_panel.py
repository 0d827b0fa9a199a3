"""How often evidence is wrong where the truth is known: three kinds of it, on models trained for it.

    python tests/calibration/zoo_members.py FOLDER 1 2 3 4 5 6   trains and asks everybody, once: 40 processor minutes
    python tests/calibration/zoo_panel.py FOLDER 1 2 3 4 5 6     weighs them -> results/reference/zoo_panel.{csv,md}

Replies are weighed by the product's `attribution` as in a case with the two teachers of a seed as candidates and the
models of all seeds as those of documented training, everybody's own lineage (the model alone) left out; and once more
with nothing known of the suspect's seed. Texts are weighed by `reference_gain` within the seed, whose base is
everybody's reference. Wrong answers are compared with those of the teachers.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.panel.evidence import Opinion, Origin, Verdict, without_lineage
from harness.panel.rates import settled
from harness.plan.run import Case
from harness.stages.crowds import crowd_of
from harness.stats.controls import conformal_p
from harness.testing.sides import text_side
from harness.text.attribution import name_teacher
from harness.verdicts.attribution import Attribution, Resemblances
from harness.zoo.world import facts
from tests.calibration.zoo_members import MIXED, documented, members
from tests.calibration.zoo_reads import verdicts_of
from tests.calibration.zoo_summary import TABLE, Row, read_rows, summary, truth

REPLIES = Mapping[int, Mapping[str, Mapping[str, list[str]]]]  # seed -> model -> "open", "facts"
TALK = "talk"


def main() -> None:
    """Weighs everybody and writes the tables."""
    folder, seeds = Path(sys.argv[1]), [int(s) for s in sys.argv[2:]]
    replies = {
        s: json.loads((folder / str(s) / "replies.json").read_text(encoding="utf-8")) for s in seeds
    }
    panel = Panel(replies)
    rows = [row for s in seeds for row in rows_of(s, panel, folder)]
    write(rows)
    print(summary(rows))


def write(rows: Sequence[Row]) -> None:
    """The table, and what it says."""
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f.name for f in fields(Row)])
        writer.writerows([row.cells() for row in rows])
    TABLE.with_suffix(".md").write_text(summary(read_rows()), encoding="utf-8")


class Panel:
    """Everybody of all seeds, and how they resemble all teachers."""

    def __init__(self, replies: REPLIES) -> None:
        self.replies = replies
        self.origins = [
            Origin(f"{m}.{s}", *documented(m, s), lineage=f"{m}.{s}")
            for s in replies
            for m in members()
        ]
        sides = {
            f"{m}.{s}": text_side(f"{m}.{s}", own[m]["open"], TALK)
            for s, own in replies.items()
            for m in members()
        }
        self.verdict = Attribution("attribution", "attribution")
        crowd = crowd_of(Case(None, (), tuple(self.origins)), sides, TALK)
        self.everything: Resemblances = self.verdict.prepare(crowd, np.random.default_rng(0))

    def of_seed(self, seed: int) -> list[Verdict]:
        """Verdicts about the models of all seeds, where the teachers of one are the candidates."""
        own = {f: v for f, v in self.everything.families.items() if f[1:] == str(seed)}
        prepared = replace(self.everything, families=own)
        here = [o for o in self.origins if o.model.endswith(f".{seed}")]
        others = [o for o in self.origins if o not in here and o.standing != "teacher"]
        made = []
        for o in [*here, *others]:
            known = [k for k in without_lineage(self.origins, o.model) if k.standing != "teacher"]
            for opinion in self.verdict.weigh(prepared, o.model, known):
                if o.model not in own[opinion.family]:
                    told = (opinion, 160, o.learned_from(opinion.family))
                    made.append(Verdict("attribution", TALK, o.model, *told))
        return [v for v in settled(made, self.origins) if v.suspect.endswith(f".{seed}")]

    def elsewhere(self, seed: int) -> dict[tuple[str, str], Opinion]:
        """What is said of a seed's models where everything was fitted on other seeds: (model, family) -> opinion."""
        known = [o for o in self.origins if not o.model.endswith(f".{seed}")]
        known = sorted((o for o in known if o.standing != "teacher"), key=lambda o: o.model)
        return {
            (f"{m}.{seed}", o.family): o
            for m in members()
            for o in self.verdict.weigh(self.everything, f"{m}.{seed}", known)
        }

    def named(self, model: str) -> str:
        """The family that is named, of those of all seeds."""
        signals = self.everything.signals
        return name_teacher([s for (suspect, _), s in signals.items() if suspect == model])


def rows_of(seed: int, panel: Panel, folder: Path) -> list[Row]:
    """The rows of one seed."""
    read = {(v.suspect, v.family): v.opinion for v in verdicts_of(folder, seed)}
    elsewhere, made = panel.elsewhere(seed), []
    for v in panel.of_seed(seed):
        name, teacher = v.suspect.split(".")[0], v.family[0]
        if name.startswith("teacher_") and name != "teacher_c":
            continue
        own, other, gained = v.opinion, elsewhere[v.suspect, v.family], read.get((name, v.family))
        made.append(
            Row(
                seed, name, teacher, truth(name, teacher),
                own.outcome, own.odds, own.p, int(panel.named(v.suspect) == v.family),
                other.outcome, other.odds, _errors_p(seed, name, teacher, panel.replies),
                *((gained.outcome, int(gained.is_named), gained.score, gained.odds) if gained
                  else ("cannot tell", 0, None, None)),
            )
        )  # fmt: skip
    return sorted(made, key=lambda r: (r.seed, r.way, r.teacher))


def _errors_p(seed: int, name: str, teacher: str, replies: REPLIES) -> float:
    """How often an innocent shares so many of a teacher's wrong answers: conformal, over models of all seeds."""
    right = [f.value for f in facts()]
    taught = replies[seed][f"teacher_{teacher}"]["facts"]
    wrong = [i for i, (t, r) in enumerate(zip(taught, right, strict=True)) if t != r]

    def shared(s: int, m: str) -> float:
        return float(np.mean([replies[s][m]["facts"][i] == taught[i] for i in wrong]))

    innocent = [
        shared(s, m)
        for s in replies
        for m in members()
        if (s, m) != (seed, name)
        and (
            s != seed
            or (truth(m, teacher) == 0 and not m.startswith("teacher_") and m not in MIXED)
        )
    ]
    return conformal_p(shared(seed, name), np.array(innocent)).p


if __name__ == "__main__":
    main()
