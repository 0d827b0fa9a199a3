"""What a plan shows of its scores before anything is collected: cells that will be empty, and settings left unused."""

from __future__ import annotations

from collections.abc import Iterator

from harness.plan.collections import Plan
from harness.plan.identities import plainly_asked
from harness.stages.library import Library
from harness.store.store import Store


def outlook(plan: Plan, store: Store) -> list[str]:
    """One line for everything that a user may want to change before it takes its time; none where all is collected."""
    if all(store.has(c.key) for c in plan.collections):
        return []
    return forewarned(plan, store)


def forewarned(plan: Plan, store: Store) -> list[str]:
    """The same lines, whatever is collected."""
    return [*_not_comparable(Library(plan, store)), *_few_prompts(plan), *_unused_templates(plan)]


def _not_comparable(library: Library) -> Iterator[str]:
    """Pairs whose sides are asked differently, with the tasks in which they are."""
    run = library.plan.run
    if not any(m.looks_at.at_pairs for m in run.metrics.values()):
        return
    tasks: dict[str, dict[str, None]] = {}
    for pair in run.pairs:
        for other in (pair.teacher, pair.base):
            for task in run.tasks:
                for words in library.differences(task, pair.student, other) if other else ():
                    tasks.setdefault(words, {})[task] = None
    for words, names in tasks.items():
        result = (
            "what compares them will be empty (comparability=warn scores it all the same)"
            if run.comparability == "refuse"
            else "they are compared all the same (comparability=warn)"
        )
        yield f"{words} in {', '.join(names)}: {result}"


def _few_prompts(plan: Plan) -> Iterator[str]:
    """Tasks with fewer prompts than their measures need."""
    sizes = {c.task: c.summary.n_prompts for c in plan.collections if c.summary.built}
    for task, n in sizes.items():
        least = plan.run.tasks[task].minimum
        if n < least:
            yield (
                f"{task} has {n} prompts, and most measures give no number below {least} "
                "(raise `limit`, or lower the task's `minimum`)"
            )


def _unused_templates(plan: Plan) -> Iterator[str]:
    """Models that bring a chat template and are asked in plain text because nobody said otherwise."""
    run = plan.run
    for name, model in run.models.items():
        if any(plainly_asked(run, name)) and model.has_template(run.paths):
            yield f"the chat template of {name} lies unused: it is asked in plain text (chat: true uses it)"
