"""The values of types.py as Arrow tables and back: the only module that knows their format on disk."""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from harness.types import (
    GradeColumn,
    Grades,
    Ints,
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
    n_cut = np.zeros(len(value.request), np.int64) if value.n_cut is None else value.n_cut
    own = {**vars(value), "n_cut": n_cut}
    columns = {f.name: pa.array(own[f.name], f.type, from_pandas=True) for f in _OUTPUTS}
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
    names = ("kind", "text", "stop", "greedy", "choice", "answered")
    lists: dict[str, Any] = {name: tuple(column[name].to_pylist()) for name in names}
    return Outputs(
        **lists,
        request=column["request"].to_numpy().astype(np.int64),
        n_tokens=column["n_tokens"].to_numpy().astype(np.int64),
        logprob_nats=column["logprob_nats"].to_numpy(zero_copy_only=False).astype(np.float64),
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
    rows = [
        {**vars(c), "prompt": c.prompt.tolist(), "value": c.value.tolist()} for c in value.columns
    ]
    return pa.Table.from_pylist(rows, schema=_GRADES)


def grades_from_table(table: pa.Table) -> Grades:
    """The inverse of grades_to_table."""
    return grades_from_rows(table.to_pylist())


def grades_from_rows(rows: Iterable[Mapping[str, Any]]) -> Grades:
    """The same from plain rows."""
    columns = []
    for row in rows:
        prompt, value = np.array(row["prompt"], np.int64), np.array(row["value"], np.float64)
        own = {**row, "prompt": prompt, "value": value, "answers": tuple(row["answers"])}
        columns.append(GradeColumn(**own))
    return Grades(tuple(columns))


def scores_to_table(scores: Sequence[Score]) -> pa.Table:
    """One row per score, with pseudo-values as lists."""
    rows = []
    for score in scores:
        ids = list(score.influence)
        rows.append(
            {
                **vars(score),
                "influence_ids": ids,
                "influence_values": list(score.influence.values()),
                "clusters": [score.clusters.get(i, i) for i in ids] if score.clusters else [],
            }
        )
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
    # the same names and prompts in thousands of scores: comparing them is then comparing addresses
    ids = [sys.intern(i) for i in influence_ids]
    texts = {name: sys.intern(text) for name, text in fields.items() if type(text) is str}
    return Score(
        **{**fields, **texts},
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
    names = {field.name for field in dataclasses.fields(Request)} - {"context", "until"}
    fields: dict[str, Any] = {name: row.get(name) for name in names}
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
        """The values of a list column, one list after another."""
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


_TEXT, _INT, _FLOAT, _BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_TEXTS, _INTS, _FLOATS = pa.list_(_TEXT), pa.list_(_INT), pa.list_(_FLOAT)
_MESSAGE = pa.struct({"role": _TEXT, "content": _TEXT, "reply_to": _INT})
_REQUESTS = pa.schema(
    {
        "row": _TEXT, "id": _TEXT, "text": _TEXT, "cluster": _TEXT, "category": _TEXT, "n_options": _INT,
        "gold": _INT, "name": _TEXT, "prompt": _INT, "kind": _TEXT, "context": _TEXT, "messages": pa.list_(_MESSAGE),
        "leaf": _TEXT, "slot": _INT, "repeat": _INT, "continuation": _TEXT, "open": _BOOL, "until": _TEXTS,
        "max_new_tokens": _INT, "temperature": _FLOAT, "top_p": _FLOAT, "first_number": _INT,
    }
)  # fmt: skip
_OUTPUTS = pa.schema(
    {
        "request": _INT, "kind": _TEXT, "n_tokens": _INT, "text": _TEXT, "stop": _TEXT, "logprob_nats": _FLOAT,
        "greedy": _BOOL, "choice": _INT, "answered": _BOOL, "n_cut": _INT,
    }
)  # fmt: skip
# Parquet calls what is in a list "element": so does every table of ours, read or not
_TOKENS = pa.schema(
    {
        name: pa.large_list(pa.field("element", kind))
        for name, kind in {
            "token_ids": _INT, "token_logprobs": pa.float32(), "top_ids": pa.int32(), "top_logprobs": pa.float32(),
            "byte_ends": _INT,
        }.items()
    }
)  # fmt: skip
_GRADES = pa.schema(
    {
        "leaf": _TEXT, "metric": _TEXT, "filter": _TEXT, "better": _TEXT, "prompt": _INTS, "value": _FLOATS,
        "aggregate": _FLOAT, "reason": _TEXT, "answers": _TEXTS,
    }
)  # fmt: skip
_SCORES = pa.schema(
    {
        "metric": _TEXT, "task": _TEXT, "student": _TEXT, "teacher": _TEXT, "base": _TEXT, "value": _FLOAT,
        "low": _FLOAT, "high": _FLOAT, "n": _INT, "unit": _TEXT, "better": _TEXT, "reason": _TEXT, "inputs": _TEXTS,
        "level": _TEXT, "influence_ids": _TEXTS, "influence_values": _FLOATS, "clusters": _TEXTS,
    }
)  # fmt: skip
