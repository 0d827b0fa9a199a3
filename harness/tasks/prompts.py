"""Open-ended prompts from a file: answered, not graded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from harness.files.find import columns_of, content_digest, find_file, rows_of
from harness.keys import digest, place
from harness.tasks import AbstractTask, Setting
from harness.types import DistillbenchError, Message, Prompt, Request, RequestSet

_COLUMNS = ("prompt", "category", "id", "cluster", "system")


@final
@dataclass(frozen=True)
class PromptsTask(AbstractTask):
    """Every different prompt of a file, in its order; a file may hold one row per model and prompt."""

    file: str = place("")  # relative to a folder of tasks, or to paths.data
    # prompt, category, id, cluster, system -> column of the file
    columns: dict[str, str] = field(default_factory=dict)
    # column -> value or values of the rows to take
    where: dict[str, Any] = field(default_factory=dict)
    until: tuple[str, ...] = ()  # stop strings
    max_new_tokens: int | None = None  # tokens; None = the decoding's
    # False = probes (who are you, one word): the style of such answers is not looked at
    style: bool = True

    def __post_init__(self) -> None:
        if not self.file:
            raise DistillbenchError(
                "key file: expected the name of a JSONL, JSON, CSV or Parquet file, got none"
            )
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise DistillbenchError(
                f"key max_new_tokens: expected 1 or more, got {self.max_new_tokens}"
            )
        columns_of(self.columns, _COLUMNS, ("prompt",))

    def contents(self, setting: Setting) -> Mapping[str, str]:
        """The file."""
        return {"file": content_digest(self.file, setting.paths)}

    def faults(self, setting: Setting) -> list[str]:
        """A file that is not there."""
        try:
            find_file(self.file, setting.paths)
        except DistillbenchError as error:
            return [f"task {self.name}: {error}"]
        return []

    def requests(self, setting: Setting) -> RequestSet:
        """One request per different prompt."""
        columns = columns_of(self.columns, _COLUMNS, ("prompt",))
        rows = rows_of(find_file(self.file, setting.paths), self.where, columns)
        known, notes = _distinct(self.name, rows)
        kept = known[: setting.limit]
        return RequestSet(
            task=self.name,
            prompts=tuple(_prompt(self.name, row) for row in kept),
            requests=tuple(
                Request(
                    prompt=i,
                    kind="generate",
                    context=_context(row, setting.chat),
                    until=self.until,
                    max_new_tokens=self.max_new_tokens,
                )
                for i, row in enumerate(kept)
            ),
            chat=setting.chat,
            version=content_digest(self.file, setting.paths)[:12],
            yields=("text", "style") if self.style else ("text",),
            notes=notes,
        )


def _distinct(
    name: str, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
    """The first row of every different prompt, and what was dropped."""
    known: dict[str, Mapping[str, Any]] = {}
    empty = 0
    for row in rows:
        if row["prompt"] is None or not str(row["prompt"]).strip():
            empty += 1
            continue
        first = known.setdefault(_key(row), row)
        if (first["prompt"], first.get("system")) != (row["prompt"], row.get("system")):
            raise DistillbenchError(
                f"task {name}: id {row['id']!r} stands for two different prompts, {str(first['prompt'])[:40]!r} and "
                f"{str(row['prompt'])[:40]!r}; expected one"
            )
    if not known:
        raise DistillbenchError(f"task {name}: every one of {len(rows)} prompts is empty")
    return list(known.values()), (f"{empty} rows without a prompt dropped",) if empty else ()


def _key(row: Mapping[str, Any]) -> str:
    """What tells two prompts apart: the id where the file has one, else the text itself."""
    return (
        digest(row["id"])
        if row.get("id") is not None
        else digest(str(row["prompt"]), row.get("system"))
    )


def _prompt(name: str, row: Mapping[str, Any]) -> Prompt:
    prompt_id = digest(name, _key(row))
    cluster = prompt_id if row.get("cluster") is None else f"cluster {row['cluster']}"
    category = "" if row.get("category") is None else str(row["category"])
    return Prompt(prompt_id, str(row["prompt"]), cluster, category)


def _context(row: Mapping[str, Any], chat: bool) -> str | tuple[Message, ...]:
    """A conversation, or plain text that opens with the row's system message."""
    text, system = str(row["prompt"]), row.get("system")
    if not chat:
        return text if system is None else f"{system}\n\n{text}"
    user = Message("user", text)
    return (user,) if system is None else (Message("system", str(system)), user)
