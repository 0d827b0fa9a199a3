"""The requests of an lm-eval task, recorded through its Task API instead of sent to a model."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.files.documents import document_digest
from harness.tasks._lm_eval_orders import Rotating, in_other_orders
from harness.types import DistillbenchError, Kind, Message, Prompt, Request, RequestSet

_KINDS: dict[str, Kind] = {
    "loglikelihood": "score",
    "loglikelihood_rolling": "read",
    "generate_until": "generate",
}
# Fields of a row that hold a text about which several questions may be asked.
_PASSAGES = ("passage", "story", "article", "context", "paragraph")
# Fields of a row that say of which kind it is, the first of those that are there.
_KINDS_OF_ROWS = ("subject", "category", "topic")
_FEWSHOT_SEED = 1234  # lm-eval's default
_MAX_NEW_TOKENS = 256  # lm-eval's default where a task states none
_MAX_ALIASES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_KNOWN_GENERATION = frozenset({"until", "do_sample", "temperature", "top_p", *_MAX_ALIASES})


@dataclass(frozen=True)
class Building:
    """How the requests of every leaf are built; recording and grading must build the same."""

    chat: bool
    multiturn: bool  # few-shot examples as separate turns
    limit: int | None
    seed: int
    own_decoding: bool = False  # generation is drawn as the task's own decoding says
    orders: int = 1  # in how many orders options are asked, the task's own included

    @property
    def fewshot_seed(self) -> int:
        """lm-eval's own default for seed 0."""
        return _FEWSHOT_SEED + self.seed


def chat_as_json(history: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
    """A conversation in the place of a rendered chat template."""
    return json.dumps(
        {"messages": [dict(m) for m in history], "open": add_generation_prompt}, ensure_ascii=False
    )


def record(name: str, loaded: Any, building: Building) -> RequestSet:
    """All requests of a loaded task, group or tag."""
    tasks: dict[str, Any] = loaded["tasks"]
    single = set(tasks) == {name} or (len(tasks) == 1 and not loaded.get("groups"))
    prompts: list[Prompt] = []
    requests: list[Request] = []
    notes: list[str] = []
    for leaf, task in tasks.items():
        build(leaf, task, building)
        rows = _rows(task)
        here = _prompts(leaf, task, rows, _categories(task, rows) if single else [leaf] * len(rows))
        known = [
            _request(i, "" if single else leaf, building, len(prompts), notes)
            for i in task.instances
        ]
        requests += [
            replace(r, repeat=k)
            for r, i in zip(known, task.instances, strict=True)
            for k in range(i.repeats)
        ]
        if building.orders > 1:
            rotating = Rotating(leaf, task, building.orders, building.seed)
            more, note = in_other_orders(rotating, rows, here, known, len(prompts))
            requests += more
            notes += [note] if note else []
        prompts += here
    choices = all(p.n_options is not None for p in prompts) and all(
        r.kind == "score" for r in requests
    )
    return RequestSet(
        task=name, prompts=tuple(_clustered(prompts, tasks)), requests=tuple(requests), chat=building.chat,
        version=_version(tasks), yields=("grades", "choices") if choices else ("grades",),
        notes=tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def build(leaf: str, task: Any, building: Building) -> None:
    """Builds the requests of a leaf in place (`task.instances`), as lm-eval does before it asks a model."""
    task.set_fewshot_seed(seed=building.fewshot_seed)
    try:
        task.build_all_requests(
            limit=building.limit,
            apply_chat_template=building.chat,
            fewshot_as_multiturn=building.chat and building.multiturn,
            chat_template=chat_as_json if building.chat else None,
            tokenizer_name="distillbench" if building.chat else "",
        )
    except (TypeError, AssertionError) as error:
        if not building.chat:
            raise
        raise DistillbenchError(
            f"{leaf}: this task of lm-eval cannot be asked as a conversation ({error}); set `chat: false` for it"
        ) from None


# --- prompts -------------------------------------------------------------------------------------


def _prompts(leaf: str, task: Any, rows: Mapping[int, Any], categories: list[str]) -> list[Prompt]:
    """One prompt per row, in the order of rows (lm-eval's doc_id)."""
    if list(rows) != list(range(len(rows))):
        raise ValueError(f"{leaf}: lm-eval's doc_ids are not 0..{len(rows) - 1}")
    copies: Counter[str] = Counter()
    prompts = []
    for row, category in zip(rows.values(), categories, strict=True):
        row_id = document_digest(leaf, row)
        copies[row_id] += 1
        k = copies[row_id]
        n_options, gold = _options(task, row)
        name = row_id if k == 1 else f"{row_id}#{k}"
        # Copies of a row share its cluster: they are answered alike.
        prompts.append(Prompt(name, _question(task, row), row_id, category, n_options, gold))
    return prompts


def _categories(task: Any, rows: Mapping[int, Any]) -> list[str]:
    """The kind of every row of a task that is no part of a group, as the rows state it; "" where they state none.

    A field is one where all rows have a text in it, most texts stand in several rows, and it is not what is asked for.
    """
    for name in _KINDS_OF_ROWS:
        said = [row.get(name) if isinstance(row, Mapping) else None for row in rows.values()]
        texts = [x.strip() for x in said if isinstance(x, str) and x.strip()]
        asked_for = name in str(task.config.doc_to_target)
        if len(texts) == len(rows) and 2 * len(set(texts)) <= len(rows) and not asked_for:
            return texts
    return [""] * len(rows)


def _question(task: Any, row: Any) -> str:
    text = task.doc_to_text(row)
    if isinstance(text, str):
        return text
    # The options are inside the contexts (winogrande): the whole texts are what is chosen from.
    return "\n".join(f"{choice} {task.doc_to_target(row)}" for choice in task.doc_to_choice(row))


def _options(task: Any, row: Any) -> tuple[int | None, int | None]:
    """Number of options and index of the right one; None where there are none, or several are right."""
    if task.OUTPUT_TYPE != "multiple_choice":
        return None, None
    choices = task.doc_to_choice(row)
    gold = task.doc_to_text(row) if task.multiple_input else task.doc_to_target(row)
    if isinstance(gold, list):
        gold = gold[0] if len(gold) == 1 else None
    if isinstance(gold, str):
        gold = choices.index(gold) if gold in choices else None
    right = gold if isinstance(gold, int) and 0 <= gold < len(choices) else None
    return len(choices), right


def _clustered(prompts: Sequence[Prompt], tasks: Mapping[str, Any]) -> list[Prompt]:
    """Prompts whose rows share a passage (see _PASSAGES) share a cluster."""
    passages = [_passage(doc) for task in tasks.values() for doc in _rows(task).values()]
    often = Counter(p for p in passages if p)
    return [
        replace(prompt, cluster=passage) if passage and often[passage] > 1 else prompt
        for prompt, passage in zip(prompts, passages, strict=True)
    ]


def _rows(task: Any) -> dict[int, Any]:
    """lm-eval's doc_id -> row."""
    rows: dict[int, Any] = {}
    for instance in task.instances:
        rows.setdefault(instance.doc_id, instance.doc)
    return rows


def _passage(row: Any) -> str:
    texts = [row[n] for n in _PASSAGES if n in row] if isinstance(row, Mapping) else []
    text = next((t for t in texts if isinstance(t, str) and t.strip()), "")
    return hashlib.sha256(f"passage\0{text}".encode()).hexdigest() if text else ""


def _version(tasks: Mapping[str, Any]) -> str:
    return ", ".join(sorted({str(t.VERSION) for t in tasks.values()}))


# --- requests ------------------------------------------------------------------------------------


def _request(instance: Any, leaf: str, building: Building, first: int, notes: list[str]) -> Request:
    """An lm-eval instance as a request of ours; `first` is the index of the leaf's first prompt."""
    if instance.request_type not in _KINDS:
        raise DistillbenchError(
            f"{leaf}: lm-eval asks for {instance.request_type}; expected one of {', '.join(_KINDS)}"
        )
    kind = _KINDS[instance.request_type]
    known = Request(
        prompt=first + instance.doc_id, kind=kind, context="", leaf=leaf, slot=instance.idx
    )
    if kind == "read":
        return replace(known, continuation=str(instance.args[0]))
    context, is_open = parse_context(instance.args[0], building.chat, instance.task_name)
    known = replace(known, context=context, open=is_open)
    if kind == "score":
        return replace(known, continuation=str(instance.args[1]))
    stated = _generation(known, instance.args[1], notes)
    if not building.own_decoding:
        return stated
    limited = any(instance.args[1].get(a) is not None for a in _MAX_ALIASES)
    longest = stated.max_new_tokens if limited else None
    return replace(stated, temperature=None, top_p=None, max_new_tokens=longest)


def parse_context(context: Any, chat: bool, leaf: str) -> tuple[str | tuple[Message, ...], bool]:
    """Context of a request, and whether the assistant's turn is open."""
    if not isinstance(context, str):
        raise DistillbenchError(f"{leaf}: expected a context of text, got {type(context).__name__}")
    if not chat or context == "":
        return context, True
    try:
        turn = json.loads(context)
        messages = tuple(Message(m["role"], m["content"]) for m in turn["messages"])
        return messages, bool(turn["open"])
    except (json.JSONDecodeError, KeyError, TypeError):
        raise DistillbenchError(
            f"{leaf}: this task of lm-eval writes its contexts itself and cannot be asked as a conversation; "
            "set `chat: false` for it"
        ) from None


def _generation(request: Request, given: Mapping[str, Any], notes: list[str]) -> Request:
    """lm-eval's keywords as ours, by the rules of its `normalize_gen_kwargs`."""
    until = given.get("until") or []
    stops = [until] if isinstance(until, str) else until
    if not isinstance(stops, (list, tuple)) or not all(isinstance(s, str) for s in stops):
        raise DistillbenchError(
            f"{request.leaf or 'the task'}: generation_kwargs: until: expected a list of texts, got {until!r}"
        )
    limits = [given[a] for a in _MAX_ALIASES if given.get(a) is not None]
    temperature = float(given.get("temperature") or 0.0)
    if given.get("do_sample") is False:
        temperature = 0.0
    elif given.get("do_sample") and "temperature" not in given:
        temperature = 1.0  # sampling without a temperature is sampling as the model is
    ignored = sorted(set(given) - _KNOWN_GENERATION)
    if ignored:
        notes.append(f"generation keywords of lm-eval that are not passed on: {', '.join(ignored)}")
    return replace(
        request,
        until=tuple(stops),
        max_new_tokens=int(limits[0]) if limits else _MAX_NEW_TOKENS,
        temperature=temperature,
        top_p=float(given.get("top_p", 1.0)),
    )
