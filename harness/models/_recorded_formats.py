"""Files of answers that other programs write, read into Answers. One function per format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.files.rows import SUFFIXES, read_table
from harness.models._recorded_answers import Answer, flattened
from harness.models._recorded_lm_eval import messages_of, sample_answers
from harness.text.labels import label_text
from harness.types import DistillbenchError

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["alpaca_eval", "lm_eval_samples", "table", "openai_batch"]
COLUMNS = ("prompt", "answer", "choice", "sample", "system")
# Names that a table without `columns` is searched for; "answer" is not among them: often it is the
# right one.
_USUAL = {
    "prompt": ("prompt", "instruction", "question"),
    "answer": ("response", "output", "completion"),
}


@dataclass(frozen=True)
class Source:
    """What to read: files of one format, which of their rows, and what their columns mean."""

    files: tuple[Path, ...]
    format: Format
    columns: tuple[tuple[str, str], ...]  # (role, column)
    where: tuple[tuple[str, Any], ...]  # (column, value or tuple of values)
    prompts_file: Path | None = None
    # of the files: a source of changed files is another source
    stamps: tuple[tuple[int, int], ...] = ()


def found_files(path: Path, format: Format | Literal["auto"]) -> tuple[Path, ...]:
    """The files of answers that a path stands for: itself, or those in the folder that it names."""
    if not path.is_dir():
        return (path,)
    patterns = {"alpaca_eval": ["model_outputs.json"], "lm_eval_samples": ["samples_*.jsonl"]}
    for pattern in patterns.get(
        format, ["model_outputs.json", "samples_*.jsonl"] if format == "auto" else []
    ):
        files = tuple(sorted(path.rglob(pattern)))
        if files:
            return files
    files = tuple(sorted(p for p in path.iterdir() if p.suffix in SUFFIXES))
    if len(files) == 1 or (files and format != "auto"):
        return files
    raise DistillbenchError(
        f"{path}: expected model_outputs.json, samples_*.jsonl or one file of answers in this folder, "
        f"got {len(files)} files of answers; name the file"
    )


def format_of(path: Path, columns: Mapping[str, str]) -> Format:
    """The format of a file, by its ending and its first row."""
    if columns or path.suffix not in (".json", ".jsonl"):
        return "table"
    first = set(_frame(path, stamp(path), ()).columns)
    if {"arguments", "resps"} <= first:
        return "lm_eval_samples"
    if {"custom_id", "response"} <= first:
        return "openai_batch"
    return "alpaca_eval" if {"instruction", "output"} <= first else "table"


def read_answers(source: Source) -> list[Answer]:
    """All answers of a source, in the order of its files; raises DistillbenchError for whatever is wrong with them."""
    reader = {
        "lm_eval_samples": _lm_eval,
        "openai_batch": _openai,
        "alpaca_eval": _alpaca,
        "table": _table,
    }
    return [answer for path in source.files for answer in reader[source.format](path, source)]


def _alpaca(path: Path, source: Source) -> Iterator[Answer]:
    columns = {"prompt": "instruction", "answer": "output", **dict(source.columns)}
    return _table(path, replace(source, columns=tuple(columns.items())))


def _lm_eval(path: Path, source: Source) -> Iterator[Answer]:
    frame = _select(path, dict(source.where), ("arguments", "resps"))
    for index, arguments, resps in zip(
        frame.index, frame["arguments"], frame["resps"], strict=True
    ):
        yield from sample_answers(arguments, resps, f"{path}, row {index + 1}")


def _table(path: Path, source: Source) -> Iterator[Answer]:
    columns = _usual(path, dict(source.columns))
    frame = _select(path, dict(source.where), tuple(columns.values()))
    cells = {role: frame[column].tolist() for role, column in columns.items()}
    draws = _draws(cells["sample"]) if "sample" in cells else [0] * len(frame)
    for i, (index, prompt) in enumerate(zip(frame.index, cells["prompt"], strict=True)):
        place = f"{path}, row {index + 1}"
        context, system = _context(prompt, place, columns["prompt"])
        if "system" in cells:
            system = None if _null(cells["system"][i]) else str(cells["system"][i])
        if "answer" in cells and not _null(cells["answer"][i]):
            yield Answer(
                "generate", context, str(cells["answer"][i]), place, system=system, draw=draws[i]
            )
        if "choice" in cells:
            option = _option(cells["choice"][i], place, columns["choice"])
            yield Answer("choose", context, option, place, system=system, draw=draws[i])


def _usual(path: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Columns of a table; those that its YAML does not name have their usual names."""
    present = (
        [] if path.suffix == ".parquet" else [str(c) for c in _frame(path, stamp(path), ()).columns]
    )
    found = dict(given)
    for role in ["prompt"] if {"answer", "choice"} & set(given) else ["prompt", "answer"]:
        match = [n for n in _USUAL[role] if n in present] or [_USUAL[role][0]]
        found.setdefault(role, match[0])
    return found


def _context(cell: Any, place: str, column: str) -> tuple[str, str | None]:
    """(prompt, system message) of a cell that holds text, a number, or a list of messages."""
    if isinstance(cell, list):
        return flattened(messages_of(cell, place))
    if _null(cell):
        raise DistillbenchError(f"{place}: column {column!r} is empty; expected a prompt")
    return (str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)), None


def _option(cell: Any, place: str, column: str) -> str | None:
    """The label of the option that a cell names, or None; which option that is depends on the question."""
    try:
        return None if _null(cell) else label_text(cell)
    except ValueError as error:
        raise DistillbenchError(f"{place}: column {column!r}: {error}, or nothing") from None


def _draws(labels: Sequence[Any]) -> list[int]:
    """Which sample each row is: the rank of its label among the labels that are there."""
    numeric = all(isinstance(v, (int, float)) for v in labels)
    ranks = {v: i for i, v in enumerate(sorted(set(labels), key=None if numeric else str))}
    return [ranks[v] for v in labels]


def _openai(path: Path, source: Source) -> Iterator[Answer]:
    """Output of OpenAI's batch API; its prompts come from the batch's input file, joined by custom_id."""
    asked = _openai_prompts(source.prompts_file) if source.prompts_file else None
    frame = _select(path, dict(source.where), ("custom_id", "response"))
    for index, name, response in zip(
        frame.index, frame["custom_id"], frame["response"], strict=True
    ):
        place = f"{path}, row {index + 1}"
        if asked is not None and name not in asked:
            raise DistillbenchError(
                f"{place}: custom_id {name!r} is not in {source.prompts_file}; give the batch's input"
            )
        context, system = asked[name] if asked is not None else (str(name), None)
        for draw, text in enumerate(_openai_texts(response)):
            if text is not None:
                yield Answer("generate", context, text, place, system=system, draw=draw)


def _openai_prompts(path: Path) -> dict[str, tuple[str, str | None]]:
    frame = _select(path, {}, ("custom_id", "body"))
    found: dict[str, tuple[str, str | None]] = {}
    for index, name, body in zip(frame.index, frame["custom_id"], frame["body"], strict=True):
        place = f"{path}, row {index + 1}"
        asked = (
            [body[k] for k in ("messages", "prompt", "input") if k in body]
            if isinstance(body, dict)
            else []
        )
        if not asked:
            raise DistillbenchError(
                f"{place}: expected body.messages, body.prompt or body.input, got none of them"
            )
        context, system = _context(asked[0], place, "body")
        if found.setdefault(name, (context, system)) != (context, system):
            raise DistillbenchError(
                f"{place}: custom_id {name!r} stands twice with different prompts; ids must differ"
            )
    return found


def _openai_texts(response: Any) -> list[str | None]:
    """Texts of one response, one per choice; none for a request that failed, None for a choice without text."""
    body = (
        response.get("body")
        if isinstance(response, dict) and response.get("status_code", 200) == 200
        else None
    )
    choices = body.get("choices") if isinstance(body, dict) else None
    texts: list[str | None] = []
    for choice in sorted(choices or [], key=lambda c: int(c.get("index", 0))):
        message = choice.get("message") or {}
        texts.append(message.get("content") or message.get("refusal") or choice.get("text"))
    return texts


def _null(cell: Any) -> bool:
    """Whether a cell is empty: None or NaN, the only value that differs from itself."""
    import pandas as pd

    return cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell)


def _select(path: Path, where: Mapping[str, Any], columns: Sequence[str]) -> pd.DataFrame:
    """Rows of a file that satisfy `where`, indexed by their place in the file from 0."""
    needed = tuple(dict.fromkeys([*columns, *where]))
    frame = _frame(path, stamp(path), needed if path.suffix == ".parquet" else ())
    if set(needed) <= set(frame.columns):
        for column, wanted in where.items():
            frame = frame[frame[column].isin(wanted if isinstance(wanted, tuple) else [wanted])]
        if len(frame):
            return frame
    return read_table(path, where, columns)  # which says what is there instead


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does; zeros where there is none, which its reader then says."""
    if not path.is_file():
        return 0, 0
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=3)
def _frame(path: Path, _stamp: tuple[int, int], columns: tuple[str, ...]) -> pd.DataFrame:
    """All rows of a file: many models share one, so that it is read once and each takes its part."""
    return read_table(path, {}, columns)
