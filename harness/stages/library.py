"""Stored answers in the places that a measure needs them: student, teacher, base, ceiling, controls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.panel.panel import Side, Sides
from harness.plan.collections import Collection, Plan, ceiling_of
from harness.stages.overlap import training_of
from harness.store.store import Store
from harness.store.tables import grades_from_table, outputs_from_table, requests_from_table
from harness.types import Pair, RequestSet, Unavailable


@dataclass(frozen=True)
class Library:
    """Answers of a run, each read once."""

    plan: Plan
    store: Store
    _read: dict[tuple[str, str, int], Side] = field(default_factory=dict)
    _sets: dict[str, RequestSet] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The run's seed, for resampling."""
        return self.plan.run.seed

    def side(self, model: str, task: str, sample: int = 0) -> Side:
        """One model's answers; raises Unavailable with the reason where they are missing."""
        place = (model, task, sample)
        if place not in self._read:
            self._read[place] = self._load(*place)
        return self._read[place]

    def sides(self, task: str, student: str, pair: Pair | None) -> Sides:
        """Everything that a measure may look at; raises Unavailable where a side that the pair names is missing."""
        minimum = self.plan.run.tasks[task].minimum
        if self.plan.run.tasks[task].readers() and pair is not None:
            return self._judged(task, student, pair, minimum)
        alone = Sides(task, self.side(student, task), minimum=minimum)
        if pair is None:
            return alone
        comparable = [m for m in (pair.teacher, pair.base) if m is not None]
        for model in comparable:
            self._require_comparable(task, student, model)
        controls = self._controls(task, student, pair)
        named = {student, pair.teacher, pair.base, *(c.model for c in controls)}
        ceiling = ceiling_of(pair)
        return replace(
            alone,
            teacher=self.side(pair.teacher, task),
            base=self.side(pair.base, task) if pair.base else None,
            base_kind=pair.base_kind,
            ceiling=self._if_there(ceiling[0], task, ceiling[1]) if ceiling else None,
            ceiling_kind="second_sample" if pair.ceiling == "second_sample" else "other_version",
            controls=controls,
            others=tuple(
                s for m in self.plan.run.models if m not in named and (s := self._if_there(m, task))
            ),
        )

    def lineage(self, model: str) -> str:
        """Whom a model is related to: what it or a control says, else its own name."""
        named = [c.lineage for c in self.plan.run.controls if c.model == model]
        return self.plan.run.models[model].lineage or (named[0] if named else model)

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

    def _judged(self, task: str, student: str, pair: Pair, minimum: int) -> Sides:
        """A judge's verdicts in the place of every model that they may be about."""
        (judge, *_) = self.plan.run.tasks[task].readers() or ("",)
        if self.plan.find(judge, task) is None:
            raise Unavailable("not judged yet: answers that are to be judged are missing")
        verdicts = self.side(judge, task)
        sides = {
            m: replace(verdicts, model=m, lineage=self.lineage(m)) for m in (student, pair.teacher)
        }
        base = (
            replace(verdicts, model=pair.base, lineage=self.lineage(pair.base))
            if pair.base
            else None
        )
        return Sides(
            task, sides[student], sides[pair.teacher], base, pair.base_kind, minimum=minimum
        )

    def _require_comparable(self, task: str, first: str, second: str) -> None:
        differences = self.differences(task, first, second)
        if differences and self.plan.run.comparability == "refuse":
            raise Unavailable(
                f"not comparable: {'; '.join(differences)} (comparability=warn scores it all the same)"
            )

    def _controls(self, task: str, student: str, pair: Pair) -> tuple[Side, ...]:
        named = [c for c in self.plan.run.controls if not c.teachers or pair.teacher in c.teachers]
        named = [c for c in named if c.model not in (student, pair.teacher, pair.base)]
        found = [(c, self._if_there(c.model, task)) for c in named]
        return tuple(replace(side, lineage=c.lineage) for c, side in found if side is not None)

    def _if_there(self, model: str, task: str, sample: int = 0) -> Side | None:
        try:
            return self.side(model, task, sample)
        except Unavailable:
            return None

    def _load(self, model: str, task: str, sample: int) -> Side:
        planned = self.plan.find(model, task, sample)
        if planned is None:
            raise Unavailable(
                f"{model} has no sample {sample + 1} of {task}: its answers do not vary"
            )
        if not self.store.has(planned.key):
            raise Unavailable(
                f"{model} x {task} is missing: {self.store.failure(planned.key) or 'not collected yet'}"
            )
        backend = self.plan.run.models[model]
        grades_key = self._graded(planned)
        further = self._further(model, task) if sample == 0 else []
        training = training_of(planned, self.store)
        return Side(
            model=model,
            lineage=self.lineage(model),
            requests=self._requests(planned.requests_key),
            outputs=outputs_from_table(self.store.table(planned.key)),
            grades=grades_from_table(self.store.table(grades_key)) if grades_key else None,
            keys=(
                planned.key,
                planned.requests_key,
                *([grades_key] if grades_key else []),
                *further,
                *([training.key] if training else []),
            ),
            identity=backend.identity,
            samples=tuple(outputs_from_table(self.store.table(key)) for key in further),
            seen=training.prompts if training else None,
        )

    def _requests(self, key: str) -> RequestSet:
        if key not in self._sets:
            self._sets[key] = requests_from_table(self.store.table(key))
        return self._sets[key]

    def _further(self, model: str, task: str) -> list[str]:
        """Keys of the samples after the first, in their order, as far as they have been collected."""
        cells = self.plan.samples(model, task)[1:]
        return [c.key for c in cells if self.store.has(c.key)]

    def _graded(self, planned: Collection) -> str | None:
        key = planned.grades_key
        if key is None:
            return None
        if not self.store.has(key):
            why = self.store.failure(key) or "not graded yet"
            raise Unavailable(f"{planned.model} x {planned.task} is not graded: {why}")
        return key
