"""lm-eval's own grading of stored answers: `evaluate()` with a model that returns them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from harness.panel.orders import is_turned
from harness.tasks._lm_eval_answers import graded_answers
from harness.tasks._lm_eval_record import Building, chat_as_json, parse_context
from harness.text.clean import clean
from harness.text.thoughts import Tags
from harness.types import (
    Better,
    DistillbenchError,
    GradeColumn,
    Grades,
    Outputs,
    Request,
    RequestSet,
    Unavailable,
)

Key = tuple[str, int, str, int]  # leaf, doc_id, lm-eval's type of request, slot
Reply = tuple[float, bool] | float | str
_TYPES = {"score": "loglikelihood", "read": "loglikelihood_rolling", "generate": "generate_until"}
# stands for an answer that is missing, until its prompt is left out of every number
_NOTHING: Mapping[str, Reply] = {"score": (-1.0, False), "read": -1.0, "generate": ""}
_MEANS = ("mean", "nanmean")
_TOLERANCE = 1e-12


def grade(
    loaded: Any, requests: RequestSet, outputs: Outputs, building: Building, allow_code: bool
) -> Grades:
    """lm-eval's metrics of the answers: its groups first, then its tasks.

    A prompt with a request that has no answer counts in none of them; metrics that are no means over prompts then have
    no value. Raises Unavailable where no prompt is left.
    """
    from lm_eval.evaluator import evaluate

    lost = _lost(requests, outputs)
    first = _first_prompts(requests, list(loaded["tasks"]))
    model = _replayer(_replies(requests, outputs, first), building.chat)
    for task in loaded["tasks"].values():
        task.set_fewshot_seed(seed=building.fewshot_seed)
    try:
        results = evaluate(
            lm=model,
            task_dict=loaded,
            limit=building.limit,
            bootstrap_iters=0,
            apply_chat_template=building.chat,
            fewshot_as_multiturn=building.chat and building.multiturn,
            confirm_run_unsafe_code=allow_code,
        )
    except (ValueError, ArithmeticError, LookupError, TypeError) as error:
        # lm-eval's metrics fail on data that they were not made for (Brier scores of unequal
        # numbers of options).
        raise Unavailable(
            f"lm-eval cannot grade these answers: {type(error).__name__}: {error}"
        ) from error
    single = not requests.requests[0].leaf
    leaves = [
        c
        for leaf in loaded["tasks"]
        for c in _leaf_columns(leaf, loaded["tasks"][leaf], results, first[leaf])
    ]
    groups = _group_columns(loaded.get("groups") or {}, results, leaves)
    columns = [replace(c, leaf="") for c in leaves] if single else [*groups, *leaves]
    return Grades(tuple(_without(c, lost) for c in columns) if lost else tuple(columns))


def _lost(requests: RequestSet, outputs: Outputs) -> frozenset[int]:
    """Prompts with a request that has no answer; raises Unavailable where that is every one."""
    asked = [i for i, r in enumerate(requests.requests) if not is_turned(r.slot)]
    there = {int(i) for i, known in zip(outputs.request, outputs.answered, strict=True) if known}
    lost = frozenset(requests.requests[i].prompt for i in asked if i not in there)
    if len(lost) == len(requests.prompts):
        raise Unavailable(
            f"{len(asked) - len(there)} of {len(asked)} requests have no answer, and no prompt has all of its answers"
        )
    return lost


def _without(column: GradeColumn, lost: frozenset[int]) -> GradeColumn:
    """A column without the prompts that have no answer."""
    if not len(column.prompt):
        why = f"{len(lost)} prompts have no answer"
        return replace(column, aggregate=None, reason=f"{column.reason}; {why}")
    kept = np.array([int(p) not in lost for p in column.prompt])
    answers = tuple(a for a, keep in zip(column.answers, kept, strict=bool(column.answers)) if keep)
    value = column.value[kept]
    if not len(value):
        empty = replace(column, aggregate=None, reason="no prompt has an answer")
        return replace(empty, prompt=column.prompt[kept], value=value, answers=answers)
    number = float(value.mean())
    return replace(
        column, prompt=column.prompt[kept], value=value, aggregate=number, answers=answers
    )


def _first_prompts(requests: RequestSet, leaves: Sequence[str]) -> dict[str, int]:
    """Index of the first prompt of every leaf; prompts lie in the order of lm-eval's doc_ids."""
    first: dict[str, int] = {}
    for request in requests.requests:
        leaf = request.leaf or leaves[0]
        first[leaf] = min(first.get(leaf, request.prompt), request.prompt)
    return first


# --- reading answers out -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Answer:
    """A stored answer with the request that it answers."""

    request: Request
    reply: Reply


def _replies(
    requests: RequestSet, outputs: Outputs, first: Mapping[str, int]
) -> dict[Key, deque[_Answer]]:
    """Answers by what lm-eval knows about a request, in the order in which it asks; something where there is none."""
    rows = {int(index): row for row, index in enumerate(outputs.request) if outputs.answered[row]}
    replies: dict[Key, deque[_Answer]] = defaultdict(deque)
    only = next(iter(first))
    for index, request in enumerate(requests.requests):
        leaf = request.leaf or only
        key = (leaf, request.prompt - first[leaf], _TYPES[request.kind], request.slot)
        row = rows.get(index)
        reply = (
            _NOTHING[request.kind] if row is None else _reply(request, outputs, row, requests.think)
        )
        replies[key].append(_Answer(request, reply))
    return replies


def _reply(request: Request, outputs: Outputs, row: int, think: Tags) -> Reply:
    if request.kind == "generate":
        text = outputs.text[row]
        if text is None:
            raise ValueError(f"row {row}: answered without text")
        return clean(text, think).text
    logprob = float(outputs.logprob_nats[row])
    if request.kind == "read":
        return logprob
    return logprob, bool(outputs.greedy[row])


def _replayer(replies: Mapping[Key, deque[_Answer]], chat: bool) -> Any:
    """An lm-eval model that answers every request with what is stored for it."""
    from lm_eval.api.model import LM

    class Replayer(LM):  # type: ignore[misc]
        """A model of lm-eval that reads stored replies out."""

        tokenizer_name = "distillbench"

        def loglikelihood(self, requests: Any) -> list[tuple[float, bool]]:
            """The stored (nats, greedy) of each request."""
            return cast("list[tuple[float, bool]]", _read_out(replies, requests, chat))

        def loglikelihood_rolling(self, requests: Any) -> list[float]:
            """The stored nats of each text."""
            return cast("list[float]", _read_out(replies, requests, chat))

        def generate_until(self, requests: Any) -> list[str]:
            """The stored reply to each request."""
            return cast("list[str]", _read_out(replies, requests, chat))

        def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:
            """The conversation as it was asked."""
            return chat_as_json(chat_history, add_generation_prompt)

    return Replayer()


def _read_out(
    replies: Mapping[Key, deque[_Answer]], instances: Iterable[Any], chat: bool
) -> list[Reply]:
    results = []
    for instance in instances:
        waiting = replies.get(
            (instance.task_name, instance.doc_id, instance.request_type, instance.idx)
        )
        if not waiting:
            raise DistillbenchError(
                f"{instance.task_name}: lm-eval asks more than was recorded; remove the cached task"
            )
        answer = waiting.popleft()
        _check(answer.request, instance, chat)
        results.append(answer.reply)
    return results


def _check(request: Request, instance: Any, chat: bool) -> None:
    """Raises an error unless the request is the one that was answered: same context, same continuation."""
    if request.kind == "read":
        same = request.continuation == instance.args[0]
    else:
        same = request.context == parse_context(instance.args[0], chat, instance.task_name)[0]
        same = same and (request.kind != "score" or request.continuation == instance.args[1])
    if not same:
        raise DistillbenchError(
            f"{instance.task_name}: row {instance.doc_id} is not what was asked; its data has changed"
        )


# --- lm-eval's numbers ---------------------------------------------------------------------------


def _leaf_columns(leaf: str, task: Any, results: Any, first: int) -> list[GradeColumn]:
    """One column per (metric, filter) of a task."""
    better = results["higher_is_better"].get(leaf) or {}
    samples = results["samples"][leaf]
    return [
        _column(leaf, metric, filter_name, aggregate, (task, samples, first, better))
        for (metric, filter_name), aggregate in _numbers(results["results"][leaf])
        if metric != "bypass"
    ]


def _numbers(table: Mapping[str, Any]) -> list[tuple[tuple[str, str], Any]]:
    """((metric, filter), value) of a row of lm-eval's results, without its standard errors."""
    split = [(key.rpartition(","), value) for key, value in table.items() if "," in key]
    return [((m, f), value) for (m, _, f), value in split if not m.endswith("_stderr")]


def _column(
    leaf: str,
    metric: str,
    filter_name: str,
    aggregate: Any,
    about: tuple[Any, Sequence[Any], int, Mapping[str, Any]],
) -> GradeColumn:
    task, samples, first, better = about
    mine = [s for s in samples if s["filter"] == filter_name and metric in s["metrics"]]
    values = [s[metric] for s in mine]
    number, reason = _finite(aggregate)
    prompt, value = np.empty(0, np.int64), np.empty(0)
    answers: tuple[str | None, ...] = ()
    if number is not None and _is_mean(task, metric, values, number):
        known = [i for i, v in enumerate(values) if not np.isnan(v)]
        prompt = np.array([first + int(mine[i]["doc_id"]) for i in known], dtype=np.int64)
        value = np.array([float(values[i]) for i in known], dtype=np.float64)
        answers = graded_answers(task, metric, filter_name, [mine[i] for i in known])
    elif number is not None:
        reason = f"lm-eval's {metric} of {leaf} is not a mean over prompts"
    way = _better(better.get(metric))
    return GradeColumn(leaf, metric, filter_name, way, prompt, value, number, reason, answers)


def _finite(aggregate: Any) -> tuple[float | None, str]:
    if isinstance(aggregate, (int, float, np.number)) and np.isfinite(aggregate):
        return float(aggregate), ""
    return None, f"lm-eval gives {aggregate!r}"


def _better(higher: Any) -> Better:
    return "none" if higher is None else "higher" if higher else "lower"


def _is_mean(task: Any, metric: str, values: Sequence[Any], aggregate: float) -> bool:
    """Whether lm-eval's aggregate is the mean of the values: by function where it is a stock one, and by value."""
    from lm_eval.api.registry import AGGREGATION_REGISTRY

    if not all(isinstance(v, (int, float, np.number)) for v in values):
        return False
    function = task.aggregation().get(metric)
    stock = [name for name, known in AGGREGATION_REGISTRY.items() if known is function]
    if stock and not set(stock) & set(_MEANS):
        return False
    known = np.array([float(v) for v in values if not np.isnan(v)])
    return len(known) > 0 and bool(
        abs(known.mean() - aggregate) <= _TOLERANCE * max(1.0, abs(aggregate))
    )


def _group_columns(
    groups: Mapping[str, Any], results: Any, leaves: Sequence[GradeColumn]
) -> list[GradeColumn]:
    """Aggregates of groups; with values per prompt where the group weights its tasks by their size."""
    columns = []
    for name, group in groups.items():
        inside = {t.task_name for t in group.get_all_tasks()}
        better = results["higher_is_better"].get(name) or {}
        for (metric, filter_name), aggregate in _numbers(results["results"].get(name, {})):
            parts = [
                c
                for c in leaves
                if c.leaf in inside and (c.metric, c.filter) == (metric, filter_name)
            ]
            number, reason = _finite(aggregate)
            prompt, value = np.empty(0, np.int64), np.empty(0)
            if number is not None and parts and all(len(c.prompt) for c in parts):
                prompt, value = (
                    np.concatenate([c.prompt for c in parts]),
                    np.concatenate([c.value for c in parts]),
                )
            if number is not None and not (len(value) and abs(value.mean() - number) <= _TOLERANCE):
                prompt, value = np.empty(0, np.int64), np.empty(0)
                reason = f"lm-eval's {metric} of group {name} is not a mean over prompts"
            way = _better(better.get(metric))
            columns.append(
                GradeColumn(name, metric, filter_name, way, prompt, value, number, reason)
            )
    return columns
