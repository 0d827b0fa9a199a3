"""Stored answers in the places that a measure needs them: student, teacher, base, ceiling, controls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.plan import Plan, PlannedCell, ceiling_of
from harness.store import Store
from harness.tables import grades_from_table, outputs_from_table
from harness.types import Pair, Side, Sides, Unavailable

_YIELDS = frozenset({"grades", "text", "choices", "tokens"})


@dataclass(frozen=True)
class Library:
    """Answers of a run, each read once."""

    plan: Plan
    store: Store
    _read: dict[tuple[str, str, int], Side] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The run's seed, for resampling."""
        return self.plan.run.seed

    def fits(self, task: str, needs: frozenset[str]) -> bool:
        """Whether a task yields what a metric needs of it."""
        yields = {y for c in self.plan.cells if c.cell.task == task for y in c.requests.yields}
        if any(c.cell.decoding.top_logprobs for c in self.plan.cells if c.cell.task == task):
            yields.add("tokens")
        return needs & _YIELDS <= yields

    def side(self, model: str, task: str, sample: int = 0) -> Side:
        """One model's answers; raises Unavailable with the reason where they are missing."""
        place = (model, task, sample)
        if place not in self._read:
            self._read[place] = self._load(*place)
        return self._read[place]

    def sides(self, task: str, student: str, pair: Pair | None) -> Sides:
        """Everything that a measure may look at; raises Unavailable where a side that the pair names is missing."""
        minimum = self.plan.run.tasks[task].minimum
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
            others=tuple(s for m in self.plan.run.models if m not in named and (s := self._if_there(m, task))),
        )

    def differences(self, task: str, first: str, second: str) -> list[str]:
        """What makes two models' answers to a task hard to compare, in words; empty where nothing does."""
        one, two = self.plan.find(first, task), self.plan.find(second, task)
        if one is None or two is None:
            return []
        run = self.plan.run
        found = []
        if one.circumstance.chat != two.circumstance.chat:
            chats = {True: "in chat", False: "as plain text"}
            found.append(f"{first} was asked {chats[one.circumstance.chat]}, {second} {chats[two.circumstance.chat]}")
        elif one.requests_key != two.requests_key:
            found.append(f"{first} and {second} were asked different requests")
        if one.circumstance.chat and run.models[first].system != run.models[second].system:
            found.append(f"{first} and {second} had different system prompts")
        if one.cell.decoding != two.cell.decoding:
            found.append(f"{first} and {second} were decoded differently")
        return found

    def _require_comparable(self, task: str, first: str, second: str) -> None:
        differences = self.differences(task, first, second)
        if differences and self.plan.run.comparability == "refuse":
            raise Unavailable(f"not comparable: {'; '.join(differences)} (comparability=warn scores it all the same)")

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
            raise Unavailable(f"{model} has no sample {sample + 1} of {task}: its answers do not vary")
        if not self.store.has(planned.key):
            raise Unavailable(f"{model} x {task} is missing: {self.store.failure(planned.key) or 'not collected yet'}")
        backend = self.plan.run.models[model]
        grades_key = self._graded(planned)
        return Side(
            model=model,
            lineage=backend.lineage or self._lineage(model),
            requests=planned.requests,
            outputs=outputs_from_table(self.store.table(planned.key)),
            grades=grades_from_table(self.store.table(grades_key)) if grades_key else None,
            keys=(planned.key, grades_key) if grades_key else (planned.key,),
            identity=backend.identity,
        )

    def _graded(self, planned: PlannedCell) -> str | None:
        key = planned.grades_key
        if key is None:
            return None
        if not self.store.has(key):
            why = self.store.failure(key) or "not graded yet"
            raise Unavailable(f"{planned.cell.model} x {planned.cell.task} is not graded: {why}")
        return key

    def _lineage(self, model: str) -> str:
        named = [c.lineage for c in self.plan.run.controls if c.model == model]
        return named[0] if named else model
