"""Stored answers in the roles that a measure looks at: who sits where, under which keys, and what they answered.

Seats and keys come from the plan and from what the store has; answers are read only where a score is computed. A
library is of one moment: what is collected later is seen by another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from harness.keys import digest
from harness.panel.controls import unrelated, with_known_lineage
from harness.panel.panel import Looks, Panel, Role, View
from harness.panel.side import Side
from harness.plan.collections import Collection, Plan, ceiling_of
from harness.stages.overlap import training_of
from harness.store.store import Store
from harness.store.tables import grades_from_table, outputs_from_table, requests_from_table
from harness.types import Pair, RequestSet, Unavailable

T = TypeVar("T")
Views = frozenset[View]


class Seat(NamedTuple):
    """A model in a role, and whose answers stand for it there."""

    model: str
    lineage: str
    author: str  # the model itself, or the judge that speaks of it
    sample: int = 0


Seats = Mapping[Role, tuple[Seat, ...]]


@dataclass(frozen=True)
class Library:
    """Answers of a run, each read once, and their keys, each made once."""

    plan: Plan
    store: Store
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def seed(self) -> int:
        """The run's seed, for resampling."""
        return self.plan.run.seed

    def side(self, model: str, task: str, sample: int = 0) -> Side:
        """One model's answers; raises Unavailable with the reason where they are missing."""
        return self._side(self._seat(model, sample), task, frozenset())

    def panel(self, looks: Looks, task: str, student: str, pair: Pair | None) -> Panel:
        """The sides that a measure looks at; raises Unavailable where one that the pair names is missing."""
        seats = dict(self.seats(looks, task, student, pair))
        if pair is not None and "others" in looks.roles:
            seats["others"] = self._others(task, seats, pair)
        views = frozenset(looks.views)
        sides = {r: tuple(self._side(s, task, views) for s in own) for r, own in seats.items()}
        base_kind = pair.base_kind if pair else "before"
        return Panel(task, sides, base_kind, self.plan.run.tasks[task].minimum)

    def key_parts(self, looks: Looks, task: str, student: str, pair: Pair | None) -> list[str]:
        """What stands for the panel in the key of a score: its task, and a digest for everyone in every role.

        For the others it is the digest of all models of the task, which together with the roles says who they are.
        """
        views = frozenset(looks.views)
        parts = [task, str(self.plan.run.tasks[task].minimum)]
        for role, seats in self.seats(looks, task, student, pair).items():
            keys = [self._seat_key(seat, task, views) for seat in seats]
            parts.append(f"{role} {' '.join(keys)}")
        if pair is not None and "base" in looks.roles:
            parts.append(pair.base_kind)
        if pair is not None and "others" in looks.roles:
            parts.append(f"others {self._population_key(task, views)}")
        return parts

    def inputs(self, looks: Looks, task: str, student: str, pair: Pair | None) -> list[str]:
        """Store keys of everyone that the pair names."""
        seats = self.seats(looks, task, student, pair)
        views = frozenset(looks.views)
        named = [s for role, own in seats.items() if role != "controls" for s in own]
        return [key for seat in named for key in self._keys(seat, task, views)]

    def seats(self, looks: Looks, task: str, student: str, pair: Pair | None) -> Seats:
        """Who sits in the roles that a measure looks at, but for the others.

        Raises Unavailable where somebody that the pair names has no answers, or answers that cannot be compared.
        """
        named: dict[Role, str | None] = {"student": student}
        if pair is not None:
            named |= {"teacher": pair.teacher, "base": pair.base}
        present = {r: m for r, m in named.items() if m is not None and r in looks.roles}
        judges = self.plan.run.tasks[task].readers() if pair is not None else None
        if judges is not None:
            if self.plan.find(judges[0], task) is None:
                raise Unavailable("not judged yet: answers that are to be judged are missing")
            return {r: (Seat(m, self.lineage(m), judges[0]),) for r, m in present.items()}
        for model in present.values():
            self._collection(self._seat(model), task)
        for model in present.values():
            self._require_comparable(task, student, model)
        seats: dict[Role, tuple[Seat, ...]] = {r: (self._seat(m),) for r, m in present.items()}
        if pair is not None and "controls" in looks.roles:
            seats["controls"] = self._controls(task, student, pair)
        ceiling = ceiling_of(pair) if pair is not None else None
        if ceiling is not None and pair is not None:
            seat = self._seat(*ceiling)
            there = (seat,) if self._is_there(seat, task) else ()
            if "second" in looks.roles and pair.ceiling == "second_sample":
                seats["second"] = there
            if "ceiling" in looks.roles:
                seats["ceiling"] = there
        return seats

    def lineage(self, model: str) -> str:
        """Whom a model is related to: what it or a control says, else its own name."""
        return self._once(("lineage", model), lambda: self._lineage(model))

    def differences(self, task: str, first: str, second: str) -> list[str]:
        """What makes two models' answers to a task hard to compare, in words; empty where nothing does."""
        one, two = self.plan.find(first, task), self.plan.find(second, task)
        if one is None or two is None:
            return []
        run = self.plan.run
        found = []
        if one.setting.chat != two.setting.chat:
            chats = {True: "in chat", False: "as plain text"}
            found.append(
                f"{first} was asked {chats[one.setting.chat]}, {second} {chats[two.setting.chat]}"
            )
        elif one.requests_key != two.requests_key:
            found.append(f"{first} and {second} were asked different requests")
        if one.setting.chat and run.models[first].system != run.models[second].system:
            found.append(f"{first} and {second} had different system prompts")
        # How many alternatives are stored changes no answer; back ends without single tokens store
        # none.
        if replace(one.decoding, top_logprobs=0) != replace(two.decoding, top_logprobs=0):
            found.append(f"{first} and {second} were decoded differently")
        return found

    def _once(self, place: Any, make: Callable[[], T]) -> T:
        if place not in self.memo:
            self.memo[place] = make()
        made: T = self.memo[place]
        return made

    def _seat(self, model: str, sample: int = 0) -> Seat:
        return Seat(model, self.lineage(model), model, sample)

    def _lineage(self, model: str) -> str:
        named = [c.lineage for c in self.plan.run.controls if c.model == model]
        return self.plan.run.models[model].lineage or (named[0] if named else model)

    def _require_comparable(self, task: str, first: str, second: str) -> None:
        if self.plan.run.comparability == "refuse":
            place = ("differences", task, first, second)
            differences = self._once(place, lambda: self.differences(task, first, second))
            if differences:
                raise Unavailable(
                    f"not comparable: {'; '.join(differences)} (comparability=warn scores it all the same)"
                )

    def _controls(self, task: str, student: str, pair: Pair) -> tuple[Seat, ...]:
        """Controls of a pair that have answered, as far as the plan can say: see `panel/controls`."""

        def choose() -> tuple[Seat, ...]:
            listed = [
                c for c in self.plan.run.controls if not c.teachers or pair.teacher in c.teachers
            ]
            seats = [Seat(c.model, c.lineage, c.model) for c in listed]
            teacher = self._seat(pair.teacher)
            chosen = unrelated(seats, self._seat(student), teacher, pair.base)
            return tuple(s for s in chosen if self._is_there(s, task))

        return self._once(("controls", task, student, pair.teacher, pair.base), choose)

    def _others(self, task: str, seats: Seats, pair: Pair) -> tuple[Seat, ...]:
        """Further models of the matrix that answered, related neither to student nor to teacher, of known lineage."""
        taken = {s.model for own in seats.values() for s in own}
        free = [s for s in self._population(task) if s.model not in taken]
        (student,), (teacher,) = seats["student"], seats["teacher"]
        return tuple(unrelated(with_known_lineage(free), student, teacher, pair.base))

    def _population(self, task: str) -> tuple[Seat, ...]:
        """Every model of the matrix that answered a task."""

        def choose() -> tuple[Seat, ...]:
            seats = [self._seat(model) for model in self.plan.run.models]
            return tuple(s for s in seats if self._is_there(s, task))

        return self._once(("population", task), choose)

    def _population_key(self, task: str, views: Views) -> str:
        def make() -> str:
            return digest([self._seat_key(s, task, views) for s in self._population(task)])

        return self._once(("population key", task, views), make)

    def _is_there(self, seat: Seat, task: str) -> bool:
        try:
            self._collection(seat, task)
        except Unavailable:
            return False
        return True

    def _collection(self, seat: Seat, task: str) -> Collection:
        """The collection of a seat; raises Unavailable with the reason where it is missing."""
        place = ("collection", seat.author, task, seat.sample)
        return self._once(place, lambda: self._collected(seat, task))

    def _collected(self, seat: Seat, task: str) -> Collection:
        planned = self.plan.find(seat.author, task, seat.sample)
        if planned is None:
            raise Unavailable(
                f"{seat.author} has no sample {seat.sample + 1} of {task}: its answers do not vary"
            )
        if not self.store.has(planned.key):
            why = self.store.failure(planned.key) or "not collected yet"
            raise Unavailable(f"{seat.author} x {task} is missing: {why}")
        return planned

    def _seat_key(self, seat: Seat, task: str, views: Views) -> str:
        """Digest of a model in its place: its name, its lineage, and the store keys of what is looked at."""
        place = ("key", seat, task, views)
        return self._once(
            place, lambda: digest(seat.model, seat.lineage, self._keys(seat, task, views))
        )

    def _keys(self, seat: Seat, task: str, views: Views) -> tuple[str, ...]:
        """Store keys of what a measure of these views looks at; raises Unavailable where grading is missing."""
        planned = self._collection(seat, task)
        keys = [planned.key, planned.requests_key]
        if views & {View.GRADES, View.PROMPTS}:
            keys += self._graded(planned)
        if View.TEXT in views:
            keys += [c.key for c in self._further(seat, task)]
        if View.PROMPTS in views:
            keys += [planned.training_key] if planned.training_key else []
        return tuple(keys)

    def _further(self, seat: Seat, task: str) -> list[Collection]:
        """Collections of the samples after the first, in their order, as far as they have been collected."""
        if seat.sample:
            return []
        cells = self.plan.samples(seat.author, task)[1:]
        return [c for c in cells if self.store.has(c.key)]

    def _graded(self, planned: Collection) -> list[str]:
        key = planned.grades_key
        if key is None:
            return []
        if not self.store.has(key):
            why = self.store.failure(key) or "not graded yet"
            raise Unavailable(f"{planned.model} x {planned.task} is not graded: {why}")
        return [key]

    def _requests(self, key: str) -> RequestSet:
        return self._once(("requests", key), lambda: requests_from_table(self.store.table(key)))

    def _side(self, seat: Seat, task: str, views: Views) -> Side:
        training = View.PROMPTS in views
        return self._once(("side", seat, task, training), lambda: self._load(seat, task, training))

    def _load(self, seat: Seat, task: str, training: bool) -> Side:
        """The answers of a seat; with `training`, what its training data has of the prompts."""
        planned = self._collection(seat, task)
        backend = self.plan.run.models[seat.author]
        further = self._further(seat, task)
        graded = planned.grades_key is not None and self.store.has(planned.grades_key)
        seen = training_of(planned, self.store) if training else None
        return Side(
            model=seat.model,
            lineage=seat.lineage,
            requests=self._requests(planned.requests_key),
            outputs=outputs_from_table(self.store.table(planned.key)),
            grades=grades_from_table(self.store.table(str(planned.grades_key))) if graded else None,
            keys=(
                planned.key,
                planned.requests_key,
                *([str(planned.grades_key)] if graded else []),
            ),
            identity=backend.identity,
            samples=tuple(outputs_from_table(self.store.table(c.key)) for c in further),
            seen=seen.prompts if seen else None,
        )
