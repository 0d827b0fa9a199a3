"""What a plan counts although nothing is built: requests from small files, and recorded answers to them.

Nothing is written, and no model is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.board.numerals import count
from harness.models import Ask
from harness.plan.collections import Collection, Plan, faults_of, make_plan
from harness.plan.summary import Summary, summarize
from harness.stages.ask import asked_by
from harness.stages.loop import summaries_in
from harness.store.store import Store
from harness.tasks import asks
from harness.types import DistillbenchError, RequestSet

_MOST_NAMED = 6  # models
_MOST_COUNTED = 200  # collections whose recorded answers are looked up


@dataclass(frozen=True)
class AtHand:
    """A plan with the requests that could be read at once, and what is recorded of their answers."""

    plan: Plan
    left: tuple[Collection, ...]  # of recorded answers that are not stored yet; first samples
    recorded: Mapping[str, int]  # key of a collection -> prompts with an answer, where counted

    def notes(self) -> Iterator[str]:
        """A line per task on its prompts and the recorded answers to them."""
        models = self.plan.run.models
        for task in dict.fromkeys(c.task for c in self.left):
            own = [c for c in self.left if c.task == task]
            alone = all(models[c.model].recorded for c in self.plan.of_task(task))
            end = "no model is asked" if alone else "these models are not asked"
            yield (
                f"{task}: {count(own[0].summary.n_prompts)} prompts; recorded answers: {self._counted(own)}; {end}"
            )

    def _counted(self, own: Sequence[Collection]) -> str:
        """Models with the number of prompts to which their files have answers; of many, those that lack some."""
        n = own[0].summary.n_prompts
        known = [(c.model, self.recorded[c.key]) for c in own if c.key in self.recorded]
        few = [(model, k) for model, k in known if len(known) <= _MOST_NAMED or k < n]
        said = [f"{model} {count(k)}" for model, k in few[:_MOST_NAMED]]
        said += [f"{len(few) - _MOST_NAMED} more with fewer"] if len(few) > _MOST_NAMED else []
        if whole := len(known) - len(few):
            others = f"the other{'s' * (whole > 1)}" if few else f"each of {whole} models"
            said.append(f"all {count(n)} from {others}")
        uncounted = len(own) - len(known)
        said += [f"{uncounted} models, whose answers are not counted here"] if uncounted else []
        return ", ".join(said)


def at_hand(plan: Plan, store: Store) -> AtHand:
    """The plan as it is with requests that can be read at once.

    Raises DistillbenchError with every fault of theirs, one a line.
    """
    made = _made(plan)
    stored = summaries_in(store)

    def summary_of(key: str) -> Summary | None:
        """The summary that is stored, else that of what was read."""
        known = stored(key)
        if known is None and key in made:
            return summarize(made[key], asks(made[key]))
        return known

    fuller = make_plan(plan.run, plan.identities, summary_of)
    if faults := faults_of(fuller):
        raise DistillbenchError("\n".join(faults))
    left = tuple(
        c
        for c in fuller.collections
        if c.requests_key in made
        and fuller.run.models[c.model].recorded
        and not c.decoding.sample
        and not store.has(c.key)
    )
    return AtHand(fuller, left, _recorded(fuller, left, made))


def _made(plan: Plan) -> dict[str, RequestSet]:
    """Key -> the requests of every task that are read at once."""
    made, faults = {}, []
    for asked in plan.sets:
        task = plan.run.tasks[asked.task]
        try:
            if not asked.needs and task.at_once(asked.setting):
                made[asked.key] = asked_by(task, asked.setting)
        except DistillbenchError as error:
            faults.append(f"task {task.name}: {str(error).removeprefix(f'task {task.name}: ')}")
    if faults:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))
    return made


def _recorded(
    plan: Plan, left: Sequence[Collection], made: Mapping[str, RequestSet]
) -> dict[str, int]:
    """Key of a collection -> prompts to which its model's file has answers; nothing where there are too many models."""
    if len(left) > _MOST_COUNTED:
        return {}
    counts = {
        c.key: plan.run.models[c.model].at_hand(_ask(c, made[c.requests_key]), plan.run.paths)
        for c in left
    }
    return {key: n for key, n in counts.items() if n is not None}


def _ask(collection: Collection, requests: RequestSet) -> Ask:
    prompts = [requests.prompts[r.prompt] for r in requests.requests]
    ids, names = tuple(p.id for p in prompts), tuple(p.name for p in prompts)
    return Ask(collection.key, requests.requests, ids, collection.decoding, names=names)
