"""lm_eval/MODEL/results_*.json and samples_TASK_*.jsonl, as `lm-eval run --output_path --log_samples` writes them.

The time in the names is 1970, since the same results give the same bytes; a `doc` holds the question as it was asked,
not the row of the data set.
Source: EleutherAI lm-evaluation-harness 0.4.13, `loggers/evaluation_tracker.py` and `evaluator.py`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from harness.board.board import Board
from harness.board.record import CollectionRecord
from harness.console.invisible import as_escapes
from harness.exports import AbstractExporter
from harness.exports._models import Exported, exported, file_name, unlike, write_json
from harness.panel.orders import is_turned
from harness.panel.side import Side
from harness.text.turns import askable, filled
from harness.types import GradeColumn, Message, Request

_TIME = "1970-01-01T00-00-00.000000"
_UNFILTERED = "none"
_ASKED = (
    "generate",
    "score",
    "read",
)  # what lm-eval asks; options of recorded answers it does not know


@dataclass(frozen=True)
class LmEval(AbstractExporter):
    """Results and samples for what reads lm-eval's: first samples of everybody, graded or not."""

    always: ClassVar[bool] = False

    def export(self, board: Board, folder: Path) -> None:
        """Writes a folder for each model that answered something."""
        for one in exported(board):
            own = [c for c in one.run.collections if c.model == one.model and c.sample == 0]
            read = ((c, board.read(c)) for c in own if not c.missing)
            sides = [(c, side) for c, side in read if side is not None]
            if sides:
                place = folder / one.file
                place.mkdir()
                _write(one, sides, place)


@dataclass
class _Results:
    """What results_*.json says of each task, in the order in which tasks come."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    higher_is_better: dict[str, dict[str, bool]] = field(default_factory=dict)
    n_samples: dict[str, dict[str, int]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    group_subtasks: dict[str, list[str]] = field(default_factory=dict)


def _write(one: Exported, sides: Sequence[tuple[CollectionRecord, Side]], place: Path) -> None:
    made, taken = _Results(), set[str]()
    for collection, side in sides:
        columns = side.grades.columns if side.grades else ()
        leaves = dict.fromkeys(r.leaf or collection.task for r in side.requests.requests)
        names = {leaf: unlike(leaf, taken) for leaf in (*leaves, *_groups(columns, leaves))}
        for leaf, name in names.items():
            own = [c for c in columns if (c.leaf or collection.task) == leaf]
            _tell(made, name, own, side)
            made.configs[name] = {"task": name, "metadata": {"distillbench_task": collection.task}}
            rows = list(_samples(side, leaf, collection.task, own)) if leaf in leaves else []
            if rows:
                n = len({row["doc_id"] for row in rows})
                made.n_samples[name] = {"original": n, "effective": n}
                lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                path = place / f"samples_{file_name(name)}_{_TIME}.jsonl"
                path.write_bytes(as_escapes(lines).encode("utf-8", "replace"))
        if len(leaves) > 1:
            made.group_subtasks[names.get(collection.task, collection.task)] = [
                names[n] for n in leaves
            ]
    write_json(_whole(one, sides, made), place / f"results_{_TIME}.json")


def _groups(columns: Sequence[GradeColumn], leaves: Mapping[str, None]) -> list[str]:
    """Groups that have numbers of their own and ask nothing."""
    return [leaf for leaf in dict.fromkeys(c.leaf for c in columns) if leaf and leaf not in leaves]


def _tell(made: _Results, name: str, columns: Sequence[GradeColumn], side: Side) -> None:
    """Notes the numbers of a task as lm-eval calls them: "exact_match,strict-match"."""
    numbers: dict[str, Any] = {"alias": name}
    for c in columns:
        if c.aggregate is not None and math.isfinite(c.aggregate):
            numbers[f"{c.metric},{c.filter}"] = c.aggregate
            numbers[f"{c.metric}_stderr,{c.filter}"] = _error(c)
    made.results[name] = numbers
    made.versions[name] = side.requests.version
    ends = {c.metric: c.better == "higher" for c in columns if c.better != "none"}
    made.higher_is_better[name] = ends


def _error(column: GradeColumn) -> float | str:
    """The standard error of a mean over prompts; "N/A" where the number is none, as lm-eval writes it."""
    n = len(column.value)
    if n < 2 or not math.isclose(float(column.value.mean()), column.aggregate or 0.0, abs_tol=1e-9):
        return "N/A"
    return float(column.value.std(ddof=1) / math.sqrt(n))


def _whole(
    one: Exported, sides: Sequence[tuple[CollectionRecord, Side]], made: _Results
) -> dict[str, Any]:
    facts = one.run.models[one.model]
    return {
        "results": made.results,
        "group_subtasks": made.group_subtasks or {name: [] for name in made.results},
        "configs": made.configs,
        "versions": made.versions,
        "n-shot": {},
        "higher_is_better": made.higher_is_better,
        "n-samples": made.n_samples,
        "config": {
            "model": facts.get("kind", ""),
            "model_args": {"model": one.title},
            "limit": None,
        },
        "date": 0.0,
        "lm_eval_version": one.run.versions.get("lm-eval", ""),
        "transformers_version": one.run.versions.get("transformers", ""),
        "distillbench_version": one.run.versions.get("distillbench", ""),
        "model_source": facts.get("kind", ""),
        "model_name": one.title,
        "model_name_sanitized": one.file,
        "total_evaluation_time_seconds": str(sum(c.wall_s for c, _ in sides)),
    }


def _samples(
    side: Side, leaf: str, task: str, columns: Sequence[GradeColumn]
) -> Iterator[dict[str, Any]]:
    """The rows of a task: of every prompt one for each filter that it was graded with."""
    filters = list(dict.fromkeys(c.filter for c in columns)) or [_UNFILTERED]
    answered = _answers(side)
    values = {
        (c.filter, c.metric): dict(zip(c.prompt.tolist(), c.value.tolist(), strict=True))
        for c in columns
    }
    replies = {c.filter: dict(zip(c.prompt.tolist(), c.answers, strict=False)) for c in columns}
    for prompt, slots in _slots(side, leaf, task).items():
        if any(i not in answered for repeats in slots for i in repeats):
            continue
        for name in filters:
            metrics = {
                m: own[prompt] for (f, m), own in values.items() if f == name and prompt in own
            }
            row = _row(side, prompt, [[answered[i] for i in repeats] for repeats in slots])
            read = replies.get(name, {}).get(prompt)
            row["filtered_resps"] = [read] if read is not None else row["filtered_resps"]
            yield {**row, "filter": name, "metrics": list(metrics), **metrics}


def _slots(side: Side, leaf: str, task: str) -> dict[int, list[list[int]]]:
    """Prompt -> the requests of each of its slots, repeat by repeat; kinds that lm-eval does not ask are left out."""
    found: dict[int, dict[int, list[int]]] = {}
    for i, request in enumerate(side.requests.requests):
        # lm-eval knows the options in the task's own order only
        if (
            request.kind in _ASKED
            and not is_turned(request.slot)
            and (request.leaf or task) == leaf
        ):
            found.setdefault(request.prompt, {}).setdefault(request.slot, []).append(i)
    return {prompt: [own[slot] for slot in sorted(own)] for prompt, own in found.items()}


@dataclass(frozen=True)
class _Answer:
    """A request with its conversation filled in, and what came: a text, numbers as text."""

    request: Request
    value: str | list[str]


def _answers(side: Side) -> dict[int, _Answer]:
    """Request -> its answer, as far as there is one."""
    outputs, requests = side.outputs, side.requests.requests
    rows = {int(i): row for row, i in enumerate(outputs.request)}
    texts = {i: outputs.text[row] for i, row in rows.items()}
    made = {}
    for i, row in rows.items():
        if not outputs.answered[row] or not askable(requests[i], texts):
            continue
        request = filled(requests[i], texts, side.requests.think)
        nats = str(float(outputs.logprob_nats[row]))
        values: dict[str, str | list[str]] = {
            "score": [nats, str(outputs.greedy[row])],
            "read": nats,
        }
        made[i] = _Answer(request, values.get(request.kind, outputs.text[row] or ""))
    return made


def _row(side: Side, prompt: int, slots: Sequence[Sequence[_Answer]]) -> dict[str, Any]:
    asked = side.requests.prompts[prompt]
    target = "" if asked.gold is None else str(asked.gold)
    arguments = [_arguments(repeats[0].request) for repeats in slots]
    doc = {"id": asked.id, "question": asked.text, "category": asked.category}
    return {
        "doc_id": prompt,
        "doc": doc,
        "target": target,
        "arguments": {
            f"gen_args_{i}": {f"arg_{j}": part for j, part in enumerate(parts)}
            for i, parts in enumerate(arguments)
        },
        "resps": [[one.value for one in repeats] for repeats in slots],
        "filtered_resps": [repeats[0].value for repeats in slots],
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(json.dumps(arguments[0][0], ensure_ascii=False)),
        "target_hash": _hash(target),
    }


def _arguments(request: Request) -> list[Any]:
    """What lm-eval's request holds; a conversation as its clients log it, JSON in a list."""
    context: Any = request.context
    if not isinstance(context, str):
        context = [json.dumps([_turn(m) for m in context], ensure_ascii=False)]
    if request.kind == "score":
        return [context, request.continuation]
    if request.kind == "read":
        return [context, request.continuation] if context else [request.continuation]
    own = {
        "until": list(request.until), "max_gen_toks": request.max_new_tokens, "temperature": request.temperature,
        "top_p": request.top_p,
    }  # fmt: skip
    return [context, {k: v for k, v in own.items() if v not in (None, [])}]


def _turn(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.text}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
