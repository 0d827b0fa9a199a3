"""The values of types.py as Arrow tables and back: the only module that knows their format on disk."""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa

from harness.types import (
    GradeColumn,
    Grades,
    Ints,
    Kind,
    Message,
    Outputs,
    Prompt,
    ReplyTo,
    Request,
    RequestSet,
    Score,
    TokenColumns,
)

# Part of every key but those of answers: raised whenever the meaning of a stored column changes.
SCHEMA = 1
_PROMPT = ("id", "text", "cluster", "category", "n_options", "gold")  # columns that every table has


def requests_to_table(value: RequestSet) -> pa.Table:
    """One row per prompt, then one per request; the set's own fields in the schema's metadata."""
    prompts = pa.Table.from_pylist(
        [{"row": "prompt", **vars(p)} for p in value.prompts], schema=_REQUESTS
    )
    requests = pa.Table.from_pylist([_request_row(r) for r in value.requests], schema=_REQUESTS)
    head = {
        "task": value.task,
        "chat": value.chat,
        "version": value.version,
        "yields": value.yields,
        **({"think": value.think} if value.think else {}),
    }
    return pa.concat_tables([prompts, requests]).replace_schema_metadata(
        {"set": json.dumps({**head, "notes": value.notes}, sort_keys=True)}
    )


def requests_from_table(table: pa.Table) -> RequestSet:
    """The inverse of requests_to_table."""
    return requests_from_rows(json.loads(table.schema.metadata[b"set"]), table.to_pylist())


def requests_from_rows(head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> RequestSet:
    """The same from the set's own fields and plain rows."""
    prompts = tuple(
        Prompt(**{name: r[name] for name in _PROMPT}, name=r.get("name") or "")
        for r in rows
        if r["row"] == "prompt"
    )
    requests = tuple(_request(r) for r in rows if r["row"] == "request")
    return RequestSet(
        head["task"],
        prompts,
        requests,
        head["chat"],
        head["version"],
        tuple(head["yields"]),
        tuple(head["notes"]),
        tuple((opening, closing) for opening, closing in head.get("think", ())),
    )


def outputs_to_table(value: Outputs) -> pa.Table:
    """One row per request; token columns as lists."""
    columns = {
        "request": pa.array(value.request, pa.int64()),
        "kind": pa.array(value.kind, pa.string()),
        "n_tokens": pa.array(value.n_tokens, pa.int64()),
        "text": pa.array(value.text, pa.string()),
        "stop": pa.array(value.stop, pa.string()),
        "logprob_nats": pa.array(value.logprob_nats, pa.float64(), from_pandas=True),
        "greedy": pa.array(value.greedy, pa.bool_()),
        "choice": pa.array(value.choice, pa.int64()),
        "answered": pa.array(value.answered, pa.bool_()),
        "n_cut": pa.array(
            np.zeros(len(value.request), np.int64) if value.n_cut is None else value.n_cut
        ),
    }
    tokens = value.tokens
    if tokens is None:
        return pa.table(columns, schema=_OUTPUTS)
    k = tokens.top_ids.shape[1]
    flat = {
        "token_ids": (tokens.token_ids, 1),
        "token_logprobs": (tokens.logprobs, 1),
        "top_ids": (tokens.top_ids.reshape(-1), k),
        "top_logprobs": (tokens.top_logprobs.reshape(-1), k),
        **({} if tokens.byte_ends is None else {"byte_ends": (tokens.byte_ends, 1)}),
    }
    for name, (values, width) in flat.items():
        kind = _TOKENS.field(name).type
        offsets = pa.array(tokens.offsets * width, pa.int64())
        items = pa.array(values, kind.value_type)
        columns[name] = pa.LargeListArray.from_arrays(offsets, items, type=kind)
        assert len(columns[name]) == len(value.request)
    head = _head(k, tokens.vocabulary, tokens.names)
    return pa.table(columns, schema=_outputs_schema(flat)).replace_schema_metadata({"tokens": head})


def outputs_to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """A table of outputs as one plain mapping per request, with what its metadata says of tokens."""
    head = (table.schema.metadata or {}).get(b"tokens")
    more = {} if head is None else {"tokens": head.decode()}
    return [{**row, **more} for row in table.to_pylist()]


def outputs_from_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The inverse of outputs_to_rows; the rows of one collection."""
    table = pa.Table.from_pylist(list(rows), schema=_outputs_schema(rows[0]))
    return table.replace_schema_metadata(
        {"tokens": rows[0]["tokens"]} if "tokens" in rows[0] else None
    )


def outputs_from_table(table: pa.Table) -> Outputs:
    """The inverse of outputs_to_table."""
    column = {name: table.column(name) for name in table.column_names}
    return Outputs(
        request=column["request"].to_numpy().astype(np.int64),
        kind=cast("tuple[Kind, ...]", tuple(column["kind"].to_pylist())),
        n_tokens=column["n_tokens"].to_numpy().astype(np.int64),
        text=tuple(column["text"].to_pylist()),
        stop=tuple(column["stop"].to_pylist()),
        logprob_nats=column["logprob_nats"].to_numpy(zero_copy_only=False).astype(np.float64),
        greedy=tuple(column["greedy"].to_pylist()),
        choice=tuple(column["choice"].to_pylist()),
        answered=tuple(column["answered"].to_pylist()),
        tokens=_tokens(table) if "token_ids" in column else None,
        n_cut=_cut(table),
    )


def join_outputs(parts: Sequence[pa.Table]) -> pa.Table:
    """Parts of one collection as one table in the order of requests."""
    heads = [head for p in parts if (head := (p.schema.metadata or {}).get(b"tokens"))]
    plain = [p.replace_schema_metadata(None) for p in parts]
    whole = pa.concat_tables(plain, promote_options="default")
    metadata = {"tokens": _joined_head(heads)} if heads else None
    return whole.sort_by("request").combine_chunks().replace_schema_metadata(metadata)


def grades_to_table(value: Grades) -> pa.Table:
    """One row per column, with its prompts and values as lists."""
    return pa.Table.from_pylist(
        [
            {
                **vars(c),
                "prompt": c.prompt.tolist(),
                "value": c.value.tolist(),
                "answers": list(c.answers),
            }
            for c in value.columns
        ],
        schema=_GRADES,
    )


def grades_from_table(table: pa.Table) -> Grades:
    """The inverse of grades_to_table."""
    return grades_from_rows(table.to_pylist())


def grades_from_rows(rows: Iterable[Mapping[str, Any]]) -> Grades:
    """The same from plain rows."""
    return Grades(
        tuple(
            GradeColumn(
                **{
                    **row,
                    "prompt": np.array(row["prompt"], np.int64),
                    "value": np.array(row["value"], np.float64),
                    "answers": tuple(row["answers"]),
                }
            )
            for row in rows
        )
    )


def scores_to_table(scores: Sequence[Score]) -> pa.Table:
    """One row per score, with pseudo-values as lists."""
    rows = []
    for score in scores:
        row: dict[str, Any] = {
            k: v for k, v in vars(score).items() if k not in ("influence", "clusters", "variant")
        }
        row["influence_ids"] = list(score.influence)
        row["influence_values"] = list(score.influence.values())
        row["clusters"] = (
            [score.clusters.get(i, i) for i in score.influence] if score.clusters else []
        )
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=_SCORES)


def scores_from_rows(rows: Iterable[dict[str, Any]]) -> tuple[Score, ...]:
    """The inverse of scores_to_table, from its rows."""
    return tuple(_score(**row) for row in rows)


def _score(
    influence_ids: list[str],
    influence_values: list[float],
    clusters: list[str],
    inputs: list[str],
    **fields: Any,
) -> Score:
    ids = [sys.intern(i) for i in influence_ids]  # the same prompts in thousands of scores
    return Score(
        **fields,
        inputs=tuple(map(sys.intern, inputs)),
        influence=dict(zip(ids, influence_values, strict=True)),
        clusters=dict(zip(ids, clusters, strict=True)) if clusters else {},
    )


def _request_row(request: Request) -> dict[str, Any]:
    row = {"row": "request", **vars(request)}
    context = row.pop("context")
    if isinstance(context, str):
        return {**row, "context": context}
    return {**row, "messages": [_message_row(m) for m in context]}


def _message_row(message: Message) -> dict[str, Any]:
    if isinstance(message.content, ReplyTo):
        return {"role": message.role, "reply_to": message.content.request}
    return vars(message)


def _message(row: Mapping[str, Any]) -> Message:
    reply_to = row["reply_to"]
    return Message(row["role"], row["content"] if reply_to is None else ReplyTo(reply_to))


def _request(row: Mapping[str, Any]) -> Request:
    messages = row["messages"]
    context = row["context"] if messages is None else tuple(_message(m) for m in messages)
    names = (
        "prompt",
        "kind",
        "leaf",
        "slot",
        "repeat",
        "continuation",
        "open",
        "max_new_tokens",
        "temperature",
        "top_p",
        "n_options",
        "first_number",
    )
    fields: dict[str, Any] = {n: row.get(n) for n in names}
    return Request(**fields, context=context, until=tuple(row["until"]))


def _outputs_schema(names: Iterable[str]) -> pa.Schema:
    """The columns of outputs, with those of tokens that are named."""
    named = set(names)
    return pa.schema([*_OUTPUTS, *(f for f in _TOKENS if f.name in named)])


def _cut(table: pa.Table) -> Ints | None:
    """Tokens that were left out of every prompt; None where none were, or nobody counted them."""
    if "n_cut" not in table.column_names:
        return None
    counts = table.column("n_cut").to_numpy(zero_copy_only=False)
    counts = np.nan_to_num(counts.astype(np.float64)).astype(np.int64)
    return counts if counts.any() else None


def _head(k: int, vocabulary: str, names: Mapping[int, str]) -> str:
    """What a table of outputs says of its tokens as a whole; names compressed, because they may be thousands."""
    packed = zlib.compress(json.dumps({str(i): names[i] for i in sorted(names)}).encode())
    named = {"names": base64.b64encode(packed).decode()} if names else {}
    return json.dumps({"k": k, "vocabulary": vocabulary, **named})


def _names(head: Mapping[str, Any]) -> dict[int, str]:
    if "names" not in head:
        return {}
    named = json.loads(zlib.decompress(base64.b64decode(head["names"])))
    return {int(i): name for i, name in named.items()}


def _joined_head(heads: Sequence[bytes]) -> str:
    """One head for the parts of a collection, with the names of all of them."""
    parts = [json.loads(head) for head in heads]
    names = {i: name for part in parts for i, name in _names(part).items()}
    return _head(parts[0]["k"], parts[0]["vocabulary"], names)


def _tokens(table: pa.Table) -> TokenColumns:
    head = json.loads(table.schema.metadata[b"tokens"])
    table = table.combine_chunks()

    def flat(name: str) -> Any:
        return table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False)

    lengths = table.column("token_ids").combine_chunks().value_lengths().to_numpy()
    return TokenColumns(
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        token_ids=flat("token_ids").astype(np.int64),
        logprobs=flat("token_logprobs").astype(np.float32),
        top_ids=flat("top_ids").astype(np.int32).reshape(-1, head["k"]),
        top_logprobs=flat("top_logprobs").astype(np.float32).reshape(-1, head["k"]),
        byte_ends=flat("byte_ends").astype(np.int64) if "byte_ends" in table.column_names else None,
        vocabulary=head["vocabulary"],
        names=_names(head),
    )


_REQUESTS = pa.schema(
    [
        ("row", pa.string()), ("id", pa.string()), ("text", pa.string()), ("cluster", pa.string()),
        ("category", pa.string()), ("n_options", pa.int64()), ("gold", pa.int64()), ("name", pa.string()),
        ("prompt", pa.int64()), ("kind", pa.string()), ("context", pa.string()),
        ("messages", pa.list_(pa.struct([
            ("role", pa.string()), ("content", pa.string()), ("reply_to", pa.int64()),
        ]))),
        ("leaf", pa.string()), ("slot", pa.int64()), ("repeat", pa.int64()), ("continuation", pa.string()),
        ("open", pa.bool_()), ("until", pa.list_(pa.string())), ("max_new_tokens", pa.int64()),
        ("temperature", pa.float64()), ("top_p", pa.float64()),
        ("first_number", pa.int64()),
    ]
)  # fmt: skip
_OUTPUTS = pa.schema(
    [
        ("request", pa.int64()), ("kind", pa.string()), ("n_tokens", pa.int64()), ("text", pa.string()),
        ("stop", pa.string()), ("logprob_nats", pa.float64()), ("greedy", pa.bool_()), ("choice", pa.int64()),
        ("answered", pa.bool_()), ("n_cut", pa.int64()),
    ]
)  # fmt: skip
# Parquet calls what is in a list "element": so does every table of ours, read or not
_TOKENS = pa.schema(
    [
        (name, pa.large_list(pa.field("element", kind)))
        for name, kind in {
            "token_ids": pa.int64(), "token_logprobs": pa.float32(), "top_ids": pa.int32(),
            "top_logprobs": pa.float32(), "byte_ends": pa.int64(),
        }.items()
    ]
)  # fmt: skip
_GRADES = pa.schema(
    [
        ("leaf", pa.string()), ("metric", pa.string()), ("filter", pa.string()), ("better", pa.string()),
        ("prompt", pa.list_(pa.int64())), ("value", pa.list_(pa.float64())), ("aggregate", pa.float64()),
        ("reason", pa.string()), ("answers", pa.list_(pa.string())),
    ]
)  # fmt: skip
_SCORES = pa.schema(
    [
        ("metric", pa.string()), ("task", pa.string()), ("student", pa.string()), ("teacher", pa.string()),
        ("base", pa.string()), ("value", pa.float64()), ("low", pa.float64()), ("high", pa.float64()),
        ("n", pa.int64()), ("unit", pa.string()), ("better", pa.string()), ("reason", pa.string()),
        ("inputs", pa.list_(pa.string())), ("level", pa.string()), ("influence_ids", pa.list_(pa.string())),
        ("influence_values", pa.list_(pa.float64())), ("clusters", pa.list_(pa.string())),
    ]
)  # fmt: skip
