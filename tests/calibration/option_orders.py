"""Errors of place and errors of content: who is accused where models answer "A" when they do not know?

python tests/calibration/option_orders.py > tests/calibration/option_orders.md

Made-up models, with log-probabilities for every option of every question, in one to four orders. Two teachers who, when
in doubt, lean towards a place (one to the first, one to the last); two students of each, who take over what their
teacher believes and lean nowhere; ten strangers who lean nowhere; and two innocents who learned from nobody and lean to
the place that one of the teachers leans to. The innocents who lean are those at risk.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.models._rows import Row, outputs_of
from harness.panel.evidence import Bystander, Crowd, Origin, without_lineage
from harness.panel.orders import Place, place_of, slot_of
from harness.panel.side import Side
from harness.types import Floats, Prompt, Request, RequestSet
from harness.verdicts.inherited_errors import InheritedErrors

N_OPTIONS = 4
_WORLDS = 60
_STRANGERS, _STUDENTS = 10, 2
_KNOWN = 0.45  # share of questions whose answer a model knows
_TAUGHT = 0.5  # share of its teacher's beliefs that a student takes
_SHARED = 0.7  # of a belief in doubt, in units of its own part: what everybody finds plausible
_WAVER = 0.3  # by which a belief differs from order to order, in the same units
_SURE = 8.0  # nats by which a known answer is ahead
_LEANS: Mapping[str, int] = {"one": 0, "two": N_OPTIONS - 1}  # family -> place


@dataclass(frozen=True)
class World:
    """One world of models and questions."""

    seed: int
    lean: float  # nats by which a place is preferred
    orders: int
    n_prompts: int = 400

    def crowd(self) -> tuple[Crowd, tuple[Origin, ...]]:
        """Everybody's answers, and what is documented."""
        origins = _origins()
        prompts = tuple(
            Prompt(f"q{i:04}", f"Question {i}?", f"q{i:04}", "", N_OPTIONS, i % N_OPTIONS)
            for i in range(self.n_prompts)
        )
        beliefs = self._beliefs(origins)
        asked = self._asked(prompts)
        sides = {o.model: self._side(o, asked, beliefs[o.model]) for o in origins}
        background = {
            o.model: Bystander(o.lineage, frozenset(filter(None, [o.family])))
            for o in origins
            if o.standing != "teacher"
        }
        families = {f: (f"{f}-teacher",) for f in _LEANS}
        return Crowd("quiz", dict(sorted(sides.items())), families, background), origins

    def _beliefs(self, origins: tuple[Origin, ...]) -> dict[str, Floats]:
        """Model -> (P, K) nats of every option, wherever it stands."""
        rng = np.random.default_rng([self.seed, 7])
        shape = (self.n_prompts, N_OPTIONS)
        plausible = rng.normal(0, _SHARED, shape)
        gold = np.arange(self.n_prompts) % N_OPTIONS
        made: dict[str, Floats] = {}
        for origin in sorted(origins, key=lambda o: o.standing != "teacher"):  # teachers first
            own = plausible + rng.normal(0, 1, shape)
            known = rng.random(self.n_prompts) < _KNOWN
            own[known, gold[known]] += _SURE
            if origin.standing == "student":
                taken = rng.random(self.n_prompts) < _TAUGHT
                own[taken] = made[f"{origin.family}-teacher"][taken]
            made[origin.model] = own
        return made

    def _asked(self, prompts: tuple[Prompt, ...]) -> RequestSet:
        requests = tuple(
            Request(i, "score", p.text, slot=slot_of(Place(order, option), N_OPTIONS))
            for order in range(self.orders)
            for i, p in enumerate(prompts)
            for option in range(N_OPTIONS)
        )
        return RequestSet("quiz", prompts, requests, False, "1", ("grades", "choices"))

    def _side(self, origin: Origin, asked: RequestSet, beliefs: Floats) -> Side:
        place = _leaning().get(origin.model)
        rng = np.random.default_rng([self.seed, *origin.model.encode()])
        wavers = rng.normal(0, _WAVER, len(asked.requests))
        rows = []
        for r, waver in zip(asked.requests, wavers, strict=True):
            order, option = place_of(r.slot, N_OPTIONS)
            leans = self.lean * ((option - order) % N_OPTIONS == place)
            nats = float(beliefs[r.prompt, option] + waver + leans) - 20
            rows.append(Row("score", logprob_nats=nats, greedy=False))
        return Side(origin.model, origin.lineage, asked, outputs_of(rows), None, (origin.model,))


def _origins() -> tuple[Origin, ...]:
    teachers = [Origin(f"{f}-teacher", "teacher", f, lineage=f"lab {f}") for f in _LEANS]
    students = [
        Origin(f"{f}-student-{i}", "student", f, lineage=f"{f} student {i}")
        for f in _LEANS
        for i in range(_STUDENTS)
    ]
    strangers = [Origin(f"stranger-{i}", "control", lineage=f"s{i}") for i in range(_STRANGERS)]
    leaning = [Origin(f"leans-as-{f}", "control", lineage=f"leans {f}") for f in _LEANS]
    return (*teachers, *students, *strangers, *leaning)


def _leaning() -> dict[str, int]:
    """Model -> the place that it leans to, of those who lean."""
    return {f"{f}-teacher": p for f, p in _LEANS.items()} | {
        f"leans-as-{f}": p for f, p in _LEANS.items()
    }


class Counts(NamedTuple):
    """Who is supported, of how many."""

    students: int
    n_students: int
    leaning: int  # accused of any family
    n_leaning: int
    strangers: int
    n_strangers: int
    errors: float  # that a leaning innocent and its teacher have in common, a mean


def count(lean: float, orders: int, seeds: range, n_prompts: int = 400) -> Counts:
    """Who is accused in so many worlds."""
    verdict = InheritedErrors("inherited_errors", "inherited_errors")
    found, of = Counter[str](), Counter[str]()
    errors: list[int] = []
    for seed in seeds:
        crowd, origins = World(seed, lean, orders, n_prompts).crowd()
        prepared = verdict.prepare(crowd, np.random.default_rng(0))
        errors += [prepared.both_wrong(f"leans-as-{f}", f"{f}-teacher") for f in _LEANS]
        for o in origins:
            if o.standing == "teacher":
                continue
            known = without_lineage(origins, o.model)
            said = {p.family: p.outcome for p in verdict.weigh(prepared, o.model, known)}
            kind = "student" if o.family else o.model.split("-")[0]
            supported = [f for f, outcome in said.items() if outcome == "supports"]
            of[kind] += 1
            found[kind] += o.family in supported if o.family else bool(supported)
    return Counts(
        found["student"], of["student"], found["leans"], of["leans"], found["stranger"], of["stranger"],
        float(np.mean(errors)),
    )  # fmt: skip


def main() -> None:
    """Prints the table."""
    print(f"# Errors of place\n\n{(__doc__ or '').split(chr(10) * 2, 2)[2]}")
    print(
        f"{_WORLDS} worlds a row, four options a question, nominal level 5 %; the first row has fewer questions, "
        "and as many errors as three orders leave of 400. Errors: those that an innocent who leans shares with its "
        "teacher.\n"
    )
    print(
        "| lean, nats | questions | orders | errors | students found | leaning innocents accused | others accused |"
    )
    print("|---|---|---|---|---|---|---|")
    settings = [(lean, 400, k) for lean in (0.0, 0.5, 1.0, 1.5, 2.0) for k in (1, 2, 3, 4)]
    for lean, n_prompts, orders in [(0.0, 220, 1), *settings]:
        c = count(lean, orders, range(_WORLDS), n_prompts)
        print(
            f"| {lean} | {n_prompts} | {orders} | {c.errors:.0f} | {c.students} of {c.n_students} "
            f"| {c.leaning} of {c.n_leaning} | {c.strangers} of {c.n_strangers} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
