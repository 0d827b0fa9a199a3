"""Warnings about a run, derived from its record alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from harness.board.record import RunRecord
from harness.board.replies import of_answers
from harness.types import Pair

_FEW_PROMPTS = 200
_FEW_LINEAGES = 4


def cautions(record: RunRecord) -> tuple[str, ...]:
    """Warnings, one line each, in the order of the page: a run without any number, then what touches the decision."""
    empty = without_number(record)
    parts = (
        _missing,
        _spilled,
        _without_base,
        _unlike,
        _seen,
        of_answers,
        _judges,
        _controls,
        _few_prompts,
        _ceilings,
    )
    lines = [empty] if empty else []
    lines += [line for part in parts for line in part(record)]
    lines += noted(record)
    lines += dict.fromkeys(f"{c.task}: {note}" for c in record.collections for note in c.notes)
    return tuple(lines)


def without_number(record: RunRecord) -> str:
    """One line that says why no score has a value; "" if at least one has."""
    audits = [a for run in record.runs().values() for a in run.audits]
    told = record.verdicts or any(a.shares for a in audits)
    if told or any(score.value is not None for score in record.scores):
        return ""
    if record.case and record.case.missing:
        why = "; ".join(record.case.missing)
    elif audits:
        why = audits[0].reason
    elif not record.metrics:
        why = "no metric is named; name some under metrics, one a line"
    elif not record.scores:
        pairs = "; pairs is empty, and most of them compare a student with its teacher"
        names = ", ".join(m.name for m in record.metrics)
        why = f"{names} found nothing to measure in these tasks{'' if record.pairs else pairs}"
    else:
        reason, times = Counter(s.reason for s in record.scores).most_common(1)[0]
        why = f"{times} of {len(record.scores)} scores say: {reason}"
    return f"THERE IS NOT ONE NUMBER: {why}"


def left_out_line(tasks: Iterable[str]) -> str:
    """The warning about tasks that a run did without, for the page and for the running program."""
    return f"left out, since their data are not there: {', '.join(tasks)}"


def _missing(record: RunRecord) -> Iterator[str]:
    if record.left_out:
        yield f"L{left_out_line(record.left_out)[1:]}."
    for c in record.collections:
        if c.missing:
            yield f"{c.model} x {c.task} is missing: {c.missing}"


def _spilled(record: RunRecord) -> Iterator[str]:
    """Warnings about answers that contain the value of a secret; such answers are not edited."""
    places: dict[tuple[str, str], tuple[str, ...]] = {}
    for c in record.collections:
        if c.secrets:
            places.setdefault((c.model, c.task), c.secrets)
    for (model, task), names in places.items():
        yield f"{spilled_line(model, task, names)}."


def noted(record: RunRecord) -> list[str]:
    """Notes on how models were asked and answers read, a line each, for the page and for the running program."""
    tasks: dict[tuple[str, str], dict[str, None]] = {}
    for c in record.collections:
        for note in c.answer_notes:
            tasks.setdefault((c.model, note), {})[c.task] = None
    models: dict[tuple[str, str], list[str]] = {}
    for (model, note), names in tasks.items():
        models.setdefault((", ".join(names), note), []).append(model)
    told = [f"{', '.join(who)} x {names}: {note}." for (names, note), who in models.items()]
    missing = record.case.missing if record.case and record.verdicts else ()
    return [*told, *(f"Nothing is weighed by {line}." for line in missing)]


def spilled_line(model: str, task: str, names: tuple[str, ...]) -> str:
    """The warning about answers that contain a secret, for the page and for the running program."""
    return (
        f"{model} x {task}: an answer holds the value of environment variable {' and '.join(names)}; answers are kept "
        "as they came, so change that key before you show them to others"
    )


def _without_base(record: RunRecord) -> Iterator[str]:
    without = sorted({p.student for p in record.pairs if p.base is None})
    if without:
        yield (
            f"No base for {', '.join(without)}: what came across cannot be told from what was there before."
        )


def _unlike(record: RunRecord) -> Iterator[str]:
    """Warnings about models that were not asked alike."""
    yield from dict.fromkeys(f"Not like for like: {d.words}." for d in record.differences)


def _controls(record: RunRecord) -> Iterator[str]:
    if record.pairs and not record.controls:
        yield (
            "No controls: nothing shows how much of this a model would have that the teacher never taught."
        )
        return
    few: dict[int, dict[str, None]] = {}
    for pair in record.pairs:
        lineages = _independent_lineages(record, pair)
        if lineages < _FEW_LINEAGES:
            few.setdefault(lineages, {})[pair.student] = None
    for n, students in few.items():
        yield (
            f"Only {n} independent control lineage{'s' * (n != 1)} for {', '.join(students)}: too few for any claim of "
            "provenance."
        )


def _independent_lineages(record: RunRecord, pair: Pair) -> int:
    """Lineages of the controls of a pair, without the pair's own."""
    family = {record.lineages.get(m, m) for m in (pair.teacher, pair.student)}
    listed = [c for c in record.controls if not c.teachers or pair.teacher in c.teachers]
    return len({c.lineage for c in listed} - family)


def _few_prompts(record: RunRecord) -> Iterator[str]:
    sizes = {name: int(facts.get("n_prompts", 0)) for name, facts in record.tasks.items()}
    small = [f"{name} ({n})" for name, n in sizes.items() if 0 < n < _FEW_PROMPTS]
    if small:
        yield f"Fewer than {_FEW_PROMPTS} prompts: {', '.join(small)}; intervals are wide."


def _ceilings(record: RunRecord) -> Iterator[str]:
    """Warnings about teachers of which a second sample is the ceiling, and that have none."""
    samples = {(c.model, c.task, c.sample): c for c in record.collections}
    open_tasks = [t for t, f in record.tasks.items() if "text" in str(f.get("yields", "")).split()]
    wanted = {
        (p.teacher, t) for p in record.pairs if p.ceiling == "second_sample" for t in open_tasks
    }
    collected = {place for place in wanted if (*place, 0) in samples}
    greedy = {model for model, task in collected if (model, task, 1) not in samples}
    empty = {
        model
        for model, task in collected
        if (second := samples.get((model, task, 1))) and not (second.n_answered or second.missing)
    }
    whys = {
        "greedy decoding asks for one answer a prompt": greedy,
        "one answer a prompt is recorded": empty,
    }
    for why, teachers in whys.items():
        if teachers:
            yield f"No ceiling from a second sample of {', '.join(sorted(teachers))}: {why}."


def _judges(record: RunRecord) -> Iterator[str]:
    """Warnings about judges that are related to a model they judge: they favour their own answers."""
    compared = dict.fromkeys(m for p in record.pairs for m in (p.teacher, p.student))
    for task, judges in record.judges.items():
        for judge in judges:
            for name in compared:
                if judge == name:
                    yield f"{task}: the judge, {judge}, is itself one of those compared; its verdicts may favour it."
                elif record.lineages.get(judge, judge) == record.lineages.get(name, name):
                    yield f"{task}: the judge, {judge}, is of one lineage with {name}; its verdicts may favour it."


def _seen(record: RunRecord) -> Iterator[str]:
    """Number of prompts that a model may have been trained on, for models that name their training data."""
    for c in record.collections:
        if c.sample == 0 and c.n_seen:
            yield (
                f"{c.model} was trained on text that overlaps with {c.n_seen} of {c.n_prompts} prompts of {c.task} "
                f"({c.n_seen_exactly} word for word)."
            )
