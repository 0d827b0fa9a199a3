"""Open-ended prompts from a file: answered, not graded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from harness.files.find import columns_of, content_digest, find_file, rows_of
from harness.keys import digest, place
from harness.tasks import AbstractTask, Setting
from harness.types import DistillbenchError, Message, Prompt, ReplyTo, Request, RequestSet

_COLUMNS = ("prompt", "turns", "category", "id", "cluster", "system")


@final
@dataclass(frozen=True)
class PromptsTask(AbstractTask):
    """Every different prompt of a file, in its order; a file may hold one row per model and prompt."""

    file: str = place("")  # relative to a folder of tasks, or to paths.data
    # prompt, turns, category, id, cluster, system -> column of the file; turns: lists of user messages,
    # each a separate prompt, asked after the model's replies to those before it
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
        if {"prompt", "turns"} <= self.columns.keys():
            raise DistillbenchError("key columns: expected prompt or turns, got both")
        self._columns()

    def contents(self, setting: Setting) -> Mapping[str, str]:
        """The file."""
        return {"file": content_digest(self.file, setting.paths)}

    def faults(self, setting: Setting) -> list[str]:
        """A file that is not there, and turns in plain text."""
        faults = []
        if "turns" in self.columns and not setting.chat:
            faults.append(
                "turns are asked in conversations; set `chat: true` for the task or model"
            )
        try:
            find_file(self.file, setting.paths)
        except DistillbenchError as error:
            faults.append(str(error))
        return [f"task {self.name}: {fault}" for fault in faults]

    def requests(self, setting: Setting) -> RequestSet:
        """One request per different prompt, or per turn of every different conversation."""
        rows = rows_of(find_file(self.file, setting.paths), self.where, self._columns())
        known, notes = _distinct(self.name, [_with_turns(self.name, row) for row in rows])
        prompts: list[Prompt] = []
        requests: list[Request] = []
        for row in known[: setting.limit]:
            first = len(prompts)
            for turn in range(len(row["turns"])):
                prompts.append(_prompt(self.name, row, turn))
                context = _context(row, turn, first, setting.chat)
                requests.append(self._request(first + turn, context))
        return RequestSet(
            task=self.name,
            prompts=tuple(prompts),
            requests=tuple(requests),
            chat=setting.chat,
            version=content_digest(self.file, setting.paths)[:12],
            yields=("text", "style") if self.style else ("text",),
            notes=notes,
        )

    def _columns(self) -> dict[str, str]:
        return columns_of(self.columns, _COLUMNS, () if "turns" in self.columns else ("prompt",))

    def _request(self, prompt: int, context: str | tuple[Message, ...]) -> Request:
        return Request(
            prompt=prompt,
            kind="generate",
            context=context,
            until=self.until,
            max_new_tokens=self.max_new_tokens,
        )


def _with_turns(name: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row with its user messages as `turns` and the first of them as `prompt`."""
    if "turns" not in row:
        if isinstance(row["prompt"], (list, tuple, dict)):
            raise DistillbenchError(
                f"task {name}: column prompt: expected text, got {str(row['prompt'])[:60]!r}; "
                "a column with lists of user messages is named by columns: {turns: COLUMN}"
            )
        return {**row, "turns": (row["prompt"],)}
    turns: Any = row["turns"] or []
    if isinstance(turns, str) or not all(isinstance(t, str) and t.strip() for t in turns):
        raise DistillbenchError(
            f"task {name}: column turns: expected lists of user messages, got {str(turns)[:60]!r}"
        )
    return {**row, "turns": tuple(turns), "prompt": turns[0] if turns else None}


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
        if (first["turns"], first.get("system")) != (row["turns"], row.get("system")):
            raise DistillbenchError(
                f"task {name}: id {row['id']!r} stands for two different prompts, {str(first['prompt'])[:40]!r} and "
                f"{str(row['prompt'])[:40]!r}; expected one"
            )
    if not known:
        raise DistillbenchError(f"task {name}: every one of {len(rows)} prompts is empty")
    return list(known.values()), (f"{empty} rows without a prompt dropped",) if empty else ()


def _key(row: Mapping[str, Any]) -> str:
    """The identity of a prompt: its id where the file has one, else the text itself."""
    if row.get("id") is not None:
        return digest(row["id"])
    return digest(*(str(turn) for turn in row["turns"]), row.get("system"))


def _prompt(name: str, row: Mapping[str, Any], turn: int) -> Prompt:
    """One turn as a prompt; the turns of a conversation are resampled together."""
    first = digest(name, _key(row))
    cluster = first if row.get("cluster") is None else f"cluster {row['cluster']}"
    category = "" if row.get("category") is None else str(row["category"])
    prompt_id = digest(name, _key(row), turn) if turn else first
    return Prompt(prompt_id, str(row["turns"][turn]), cluster, category)


def _context(
    row: Mapping[str, Any], turn: int, first: int, chat: bool
) -> str | tuple[Message, ...]:
    """A conversation up to a turn, whose replies are to the requests from `first` on.

    In plain text a prompt that opens with the row's system message.
    """
    system = row.get("system")
    if not chat:
        text = str(row["turns"][turn])
        return text if system is None else f"{system}\n\n{text}"
    messages = [] if system is None else [Message("system", str(system))]
    for i in range(turn):
        messages += [
            Message("user", str(row["turns"][i])),
            Message("assistant", ReplyTo(first + i)),
        ]
    return (*messages, Message("user", str(row["turns"][turn])))
