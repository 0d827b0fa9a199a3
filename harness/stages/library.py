"""Stored answers by the roles that a measure looks at: which model has which role, its keys, and its answers.

Seats and keys come from the plan and from what the store has; answers are read only where a score is computed. A
library is a snapshot: what is collected later is visible to a new library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from harness.keys import digest
from harness.panel.controls import population, unrelated
from harness.panel.panel import Looks, Panel, Role, View
from harness.panel.side import Side, once
from harness.plan.collections import Collection, Plan, ceiling_of
from harness.stages.features import recall_reading
from harness.stages.marks import recall_brief
from harness.stages.overlap import training_of
from harness.store.store import Store
from harness.store.tables import grades_from_table, outputs_from_table, requests_from_table
from harness.types import Decoding, Pair, RequestSet, Unavailable

Views = frozenset[View]


class Seat(NamedTuple):
    """A model in a role, and the author of the answers that represent it there."""

    model: str
    lineage: str
    author: str  # the model itself, or the judge that speaks of it
    sample: int = 0


Seats = Mapping[Role, tuple[Seat, ...]]


class Asked(NamedTuple):
    """How a model was asked a task; answers are comparable only if this is equal."""

    chat: bool
    requests_key: str
    system: str | None
    decoding: Decoding


@dataclass(frozen=True)
class Library:
    """Answers of a run and their keys, each read or made once."""

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
        seats = self.seats(looks, task, student, pair)
        sides = {r: tuple(self._side(s, task, looks.seen) for s in own) for r, own in seats.items()}
        base_kind = pair.base_kind if pair else "before"
        return Panel(task, sides, base_kind, self.plan.run.tasks[task].minimum)

    def key_parts(self, looks: Looks, task: str, student: str, pair: Pair | None) -> list[str]:
        """The panel's part in the key of a score: its task, and a digest for everyone in every role."""
        parts = [task, str(self.plan.run.tasks[task].minimum)]
        for role, seats in self.seats(looks, task, student, pair).items():
            parts += [role, self._seats_key(seats, task, looks.seen)]
        if pair is not None and "base" in looks.roles:
            parts.append(pair.base_kind)
        return parts

    def inputs(self, looks: Looks, task: str, student: str, pair: Pair | None) -> list[str]:
        """Store keys of everyone that the pair names."""
        seats = self.seats(looks, task, student, pair)
        crowds = ("controls", "population")
        named = [s for role, own in seats.items() if role not in crowds for s in own]
        return [key for seat in named for key in self._keys(seat, task, looks.seen)]

    def styled(self, looks: Looks, task: str, student: str, pair: Pair | None) -> list[Collection]:
        """Collections whose style a measure looks at; raises Unavailable as `seats` does."""
        if View.STYLE not in looks.seen:
            return []
        seats = self.seats(looks, task, student, pair).values()
        return [self._collection(seat, task) for own in seats for seat in own]

    def seats(self, looks: Looks, task: str, student: str, pair: Pair | None) -> Seats:
        """The seats of the roles that a measure looks at.

        Raises Unavailable where a model that the pair names has no answers, or none that can be compared.
        """
        if pair is None:
            return {"student": self._answered(task, student)}
        judges = self.plan.run.tasks[task].readers()
        if judges is not None:
            return self._judged(looks, task, student, pair, judges[0])
        seats: dict[Role, tuple[Seat, ...]] = {"student": self._answered(task, student)}
        if "teacher" in looks.roles:
            seats["teacher"] = self._compared(task, student, pair.teacher)
        if "base" in looks.roles and pair.base is not None:
            seats["base"] = self._compared(task, student, pair.base)
        if pair.ceiling is not None:
            if "second" in looks.roles and pair.ceiling == "second_sample":
                seats["second"] = self._ceiling(task, pair)
            if "ceiling" in looks.roles:
                seats["ceiling"] = self._ceiling(task, pair)
        if "population" in looks.roles and pair.base is not None:
            seats["population"] = self._unrelated_to_all(task, pair.teacher, pair.base)
        if "controls" in looks.roles:
            seats["controls"] = self._controls(task, student, pair.teacher, pair.base)
        return seats

    def lineage(self, model: str) -> str:
        """The lineage of a model: what it or a control states, else its recipe, else its own name."""
        named = [c.lineage for c in self.plan.run.controls if c.model == model]
        own = self.plan.run.models[model]
        return own.lineage or (named[0] if named else own.recipe or model)

    def differences(self, task: str, first: str, second: str) -> list[str]:
        """What makes two models' answers to a task hard to compare, in words; empty where nothing does."""
        one, two = self._asked(first, task), self._asked(second, task)
        if one is None or two is None:
            return []
        words = self._cut_apart(task, first, second)
        if one == two:
            return words
        if one.chat != two.chat:
            chats = {True: "in chat", False: "as plain text"}
            words.append(f"{first} was asked {chats[one.chat]}, {second} {chats[two.chat]}")
        elif one.requests_key != two.requests_key:
            words.append(f"{first} and {second} were asked different requests")
        if one.chat and one.system != two.system:
            words.append(f"{first} and {second} had different system prompts")
        if one.decoding != two.decoding:
            words.append(f"{first} and {second} were decoded differently")
        return words

    @once
    def _seat(self, model: str, sample: int = 0) -> Seat:
        return Seat(model, self.lineage(model), model, sample)

    @once
    def _asked(self, model: str, task: str) -> Asked | None:
        planned = self.plan.find(model, task)
        if planned is None:
            return None
        # How many alternatives are stored changes no answer; models without single tokens store none.
        decoding = replace(planned.decoding, top_logprobs=0)
        # an empty one asks for none
        system = self.plan.run.models[model].system or None
        return Asked(planned.setting.chat, planned.requests_key, system, decoding)

    def _cut_apart(self, task: str, first: str, second: str) -> list[str]:
        """That prompts of one of two models did not fit and those of the other did; empty where they agree."""
        (n, one), (m, two) = self._cut(first, task), self._cut(second, task)
        if one == two:
            return []
        return [f"{n} prompts did not fit into {first} and were shortened, {m} into {second}"]

    @once
    def _cut(self, model: str, task: str) -> tuple[int, str]:
        """How many prompts did not fit into a model, and a digest of which; (0, "") where none was collected."""
        planned = self.plan.find(model, task)
        if planned is None or not self.store.has(planned.key):
            return 0, ""
        how = self.store.provenance(planned.key)
        return int(how.get("n_cut_prompts", 0)), str(how.get("cut_prompts", ""))

    def _judged(self, looks: Looks, task: str, student: str, pair: Pair, judge: str) -> Seats:
        """Seats in which a judge's replies represent the models that they are about."""
        if self.plan.find(judge, task) is None:
            raise Unavailable("not judged yet: answers that are to be judged are missing")
        named: dict[Role, str | None] = {"student": student, "teacher": pair.teacher}
        named["base"] = pair.base
        present = {r: m for r, m in named.items() if m is not None and r in looks.roles}
        return {r: (Seat(m, self.lineage(m), judge),) for r, m in present.items()}

    @once
    def _answered(self, task: str, model: str) -> tuple[Seat, ...]:
        """The seat of a model that must have answered."""
        seat = self._seat(model)
        self._collection(seat, task)
        return (seat,)

    @once
    def _compared(self, task: str, student: str, model: str) -> tuple[Seat, ...]:
        """The seat of a model that must have answered what the student did."""
        seats = self._answered(task, model)
        differences = self.differences(task, student, model)
        if differences and self.plan.run.comparability == "refuse":
            raise Unavailable(
                f"not comparable: {'; '.join(differences)} (comparability=warn scores it all the same)"
            )
        return seats

    def _ceiling(self, task: str, pair: Pair) -> tuple[Seat, ...]:
        """The teacher's second sample or other version, where it has answered."""
        ceiling = ceiling_of(pair)
        seats = [self._seat(*ceiling)] if ceiling else []
        return tuple(s for s in seats if self._is_there(s, task) and self._has_answers(s, task))

    @once
    def _controls(
        self, task: str, student: str, teacher: str, base: str | None
    ) -> tuple[Seat, ...]:
        """Controls of a pair that have answered, as far as the plan shows: see `panel/controls`."""
        listed = self._listed(task, teacher)
        return tuple(unrelated(listed, self._seat(student), self._seat(teacher), base))

    @once
    def _unrelated_to_all(self, task: str, teacher: str, base: str) -> tuple[Seat, ...]:
        """Controls of a teacher that are unrelated to all its students on this base: see `panel/controls`."""
        pairs = [p for p in self.plan.run.pairs if (p.teacher, p.base) == (teacher, base)]
        students = [self._seat(p.student) for p in pairs]
        listed = self._listed(task, teacher)
        return tuple(population(listed, self._seat(teacher), self._seat(base), students))

    @once
    def _listed(self, task: str, teacher: str) -> list[Seat]:
        """Controls that the matrix lists for a teacher and that answered."""
        listed = [c for c in self.plan.run.controls if not c.teachers or teacher in c.teachers]
        seats = [Seat(c.model, c.lineage, c.model) for c in listed]
        return [s for s in seats if self._is_there(s, task)]

    def _is_there(self, seat: Seat, task: str) -> bool:
        try:
            self._collection(seat, task)
        except Unavailable:
            return False
        return True

    @once
    def _has_answers(self, seat: Seat, task: str) -> bool:
        return self._holds_answers(self._collection(seat, task))

    def _holds_answers(self, collection: Collection) -> bool:
        """Whether a collection that is there holds an answer: a file may have one sample only."""
        return bool(self.store.provenance(collection.key).get("n_answered", 1))

    @once
    def _collection(self, seat: Seat, task: str) -> Collection:
        """The collection of a seat; raises Unavailable with the reason where it is missing."""
        planned = self.plan.find(seat.author, task, seat.sample)
        if planned is None:
            raise Unavailable(
                f"{seat.author} was not asked for sample {seat.sample + 1} of {task}: greedy answers do not vary"
            )
        if not self.store.has(planned.key):
            why = self.store.failure(planned.key) or "not collected yet"
            raise Unavailable(f"{seat.author} x {task} is missing: {why}")
        return planned

    @once
    def _seats_key(self, seats: tuple[Seat, ...], task: str, views: Views) -> str:
        """Digest of models in their places: names, lineages, and the store keys of what is looked at."""
        return digest([(s.model, s.lineage, self._keys(s, task, views)) for s in seats])

    def _keys(self, seat: Seat, task: str, views: Views) -> tuple[str, ...]:
        """Store keys of what a measure of these views looks at; raises Unavailable where grading is missing."""
        planned = self._collection(seat, task)
        keys = [planned.key, planned.requests_key]
        if views & {View.GRADES, View.PROMPTS}:
            keys += [*self._graded(planned), *self._further_grades(seat, task)]
        if View.TEXT in views:
            keys += [c.key for c in self._further(seat, task)]
        if View.PROMPTS in views:
            training = planned.training_key
            keys += [training] if training else []
        return tuple(keys)

    def _further(self, seat: Seat, task: str) -> list[Collection]:
        """Collections of the samples after the first that hold an answer, in their order."""
        if seat.sample:
            return []
        cells = self.plan.samples(seat.author, task)[1:]
        return [c for c in cells if self.store.has(c.key) and self._holds_answers(c)]

    def _further_grades(self, seat: Seat, task: str) -> list[str]:
        """Keys of the grades of these samples, as far as there are any."""
        keys = (c.grades_key for c in self._further(seat, task))
        return [k for k in keys if k is not None and self.store.has(k)]

    def _graded(self, planned: Collection) -> list[str]:
        key = planned.grades_key
        if key is None:
            return []
        if not self.store.has(key):
            why = self.store.failure(key) or "not graded yet"
            raise Unavailable(f"{planned.model} x {planned.task} is not graded: {why}")
        return [key]

    @once
    def _requests(self, key: str) -> RequestSet:
        return requests_from_table(self.store.table(key))

    def _side(self, seat: Seat, task: str, views: Views) -> Side:
        side = self._load(seat, task, View.PROMPTS in views)
        if View.STYLE in views:
            recall_reading(side, self.store, self._collection(seat, task).key)
        return side

    @once
    def _load(self, seat: Seat, task: str, training: bool) -> Side:
        """The answers of a seat; with `training`, what its training data has of the prompts."""
        planned = self._collection(seat, task)
        backend = self.plan.run.models[seat.author]
        further, grades = self._further(seat, task), self._further_grades(seat, task)
        graded = planned.grades_key is not None and self.store.has(planned.grades_key)
        seen = training_of(planned, self.store) if training else None
        side = Side(
            model=seat.model,
            lineage=seat.lineage,
            requests=self._requests(planned.requests_key),
            outputs=lambda: outputs_from_table(self.store.table(planned.key)),
            grades=grades_from_table(self.store.table(str(planned.grades_key))) if graded else None,
            keys=(
                planned.key,
                planned.requests_key,
                *([str(planned.grades_key)] if graded else []),
            ),
            identity=backend.identity,
            samples=tuple(outputs_from_table(self.store.table(c.key)) for c in further),
            sample_grades=tuple(grades_from_table(self.store.table(key)) for key in grades),
            seen=seen.prompts if seen else None,
        )
        if "generate" in planned.summary.kinds:
            own = planned.key, planned.requests_key, planned.grades_key if graded else None
            recall_brief(side, self.store, *own)
        return side
