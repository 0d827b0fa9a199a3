"""The record of a run as files: `run.json`, `scores.json` and `influence.parquet`, from which it is read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from harness.board import columns
from harness.board.columns import Field
from harness.board.jsons import RUN, write_json
from harness.board.plain import from_plain, to_plain
from harness.board.record import Change, Comparison, RunRecord
from harness.board.tables import ordered, ordered_changes, ordered_comparisons
from harness.keys import parse_json
from harness.types import DistillbenchError, Score

R = TypeVar("R", Score, Comparison, Change)
SCORES, INFLUENCE = "scores.json", "influence.parquet"
_RUN_SCHEMA = 3
_SCORES_SCHEMA = 2
# pseudo-values of whole measures and of models' own scores: `score` = place in scores.json; `cluster` is empty where
# it is the prompt
_INFLUENCE = pa.schema(
    [
        ("score", pa.int32()),
        ("prompt", pa.string()),
        ("value", pa.float64()),
        ("cluster", pa.string()),
    ]
)


def write_record(record: RunRecord, folder: Path) -> None:
    """Writes the three files into an existing folder; the same record gives the same bytes.

    Keys keep their order: that of the models is the matrix's, and tables follow it.
    """
    rest = to_plain(replace(record, scores=(), comparisons=(), changes=()))
    del rest["scores"], rest["comparisons"], rest["changes"]
    write_json(folder / RUN, {"schema": _RUN_SCHEMA, **rest})
    scores = ordered(record.scores)
    rows = {
        "scores": _plain_rows(columns.SCORE, scores),
        "comparisons": _plain_rows(columns.COMPARISON, ordered_comparisons(record.comparisons)),
        "changes": _plain_rows(columns.CHANGE, ordered_changes(record.changes)),
    }
    write_json(folder / SCORES, {"schema": _SCORES_SCHEMA, **rows})
    pq.write_table(_influence_of(record, scores), folder / INFLUENCE, compression="zstd")


def results_folder(path: Path) -> Path:
    """The folder in which a run's files lie. Raises DistillbenchError where there is none."""
    places = (path.parent if path.name == RUN else path, path / "report")
    for place in places:
        if (place / RUN).is_file():
            return place
    raise DistillbenchError(
        f"{path}: expected a folder with results (of a run or a sweep), its report, or a {RUN}; found none of them"
    )


def read_record(folder: Path) -> RunRecord:
    """The record stored in the folder; raises DistillbenchError if the files are not those of a run."""
    rest, rows = (
        _read_json(folder / n, s) for n, s in ((RUN, _RUN_SCHEMA), (SCORES, _SCORES_SCHEMA))
    )
    record = from_plain(RunRecord, {**rest, "scores": [], "comparisons": [], "changes": []})
    scores = [
        from_plain(Score, {**row, "reason": row["skipped_reason"], **_variant(row, record)})
        for row in rows["scores"]
    ]
    comparisons = (
        from_plain(Comparison, {**c, **_variant(c, record)}) for c in rows["comparisons"]
    )
    changes = (from_plain(Change, {**c, **_variant(c, record)}) for c in rows["changes"])
    path = folder / INFLUENCE
    whole = _with_influence(scores, pq.read_table(path)) if path.is_file() else scores
    return replace(
        record, scores=tuple(whole), comparisons=tuple(comparisons), changes=tuple(changes)
    )


def _plain_rows(fields: Iterable[Field[R]], rows: Iterable[R]) -> list[dict[str, Any]]:
    fields = list(fields)
    return [{**{f.name: f.value(r) for f in fields}, "variant": dict(r.variant)} for r in rows]


def _variant(row: Mapping[str, Any], record: RunRecord) -> dict[str, list[list[str]]]:
    values = row["variant"]
    return {"variant": [[key, values[key]] for key in record.variants if key in values]}


def _influence_of(record: RunRecord, scores: Iterable[Score]) -> pa.Table:
    own = {note.name for note in record.metrics if "own_score" in note.topics}
    values: dict[str, list[Any]] = {name: [] for name in _INFLUENCE.names}
    for place, score in enumerate(scores):
        family, _, part = score.metric.partition("/")
        if score.influence and (not part or family in own):
            prompts = sorted(score.influence)
            values["score"] += [place] * len(prompts)
            values["prompt"] += prompts
            values["value"] += [score.influence[p] for p in prompts]
            values["cluster"] += [score.clusters.get(p) for p in prompts]
    return pa.table(values, schema=_INFLUENCE)


def _with_influence(scores: Iterable[Score], table: pa.Table) -> list[Score]:
    influence: dict[int, dict[str, float]] = {}
    clusters: dict[int, dict[str, str]] = {}
    parts = (table[name].to_pylist() for name in _INFLUENCE.names)
    for place, prompt, value, cluster in zip(*parts, strict=True):
        influence.setdefault(place, {})[prompt] = value
        if cluster is not None:
            clusters.setdefault(place, {})[prompt] = cluster
    return [
        replace(s, influence=influence.get(i, {}), clusters=clusters.get(i, {}))
        for i, s in enumerate(scores)
    ]


def _read_json(path: Path, schema: int) -> dict[str, Any]:
    if not path.is_file():
        raise DistillbenchError(f"{path}: expected a file that a run left; it is missing")
    try:
        content: dict[str, Any] = parse_json(path.read_text("utf-8"))
        other = content["schema"]
    except (ValueError, KeyError, TypeError):
        raise DistillbenchError(
            f"{path}: expected a file that a run left, got another one"
        ) from None
    if other != schema:
        raise DistillbenchError(
            f"{path}: expected schema {schema}, got {other}: another version of distillbench wrote it; run again with "
            "this one, which asks no model again, or read it with that one"
        )
    return content
