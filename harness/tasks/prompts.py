"""Open-ended prompts from a file: answered, not graded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

from harness.files.answers import turn_name
from harness.files.cells import beginning, name_of, required_text
from harness.files.conversations import conversation, flattened, joined
from harness.files.find import (
    columns_of,
    content_digest,
    file_faults,
    find_file,
    reads_at_once,
    rows_of,
)
from harness.files.rows import names_of
from harness.keys import digest, place
from harness.tasks import AbstractTask, Setting
from harness.types import DistillbenchError, Message, Prompt, ReplyTo, Request, RequestSet

_COLUMNS = ("prompt", "input", "turns", "category", "id", "cluster", "system")


@final
@dataclass(frozen=True)
class PromptsTask(AbstractTask):
    """Every different prompt of a file, in its order; a file may hold one row per model and prompt."""

    file: str = place("")  # relative to a folder of tasks, or to paths.data
    # prompt, input, turns, category, id, cluster, system -> column of the file. A prompt is a text or a
    # conversation; turns: lists of user messages, each a separate prompt, asked after the model's
    # replies to those before it; input: more of the prompt, on a line of its own
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
        faults += file_faults(self.file, setting.paths)
        return [f"task {self.name}: {fault}" for fault in faults]

    def at_once(self, setting: Setting) -> bool:
        """Whether the file is small and lies on this machine."""
        return reads_at_once(self.file, setting.paths)

    def requests(self, setting: Setting) -> RequestSet:
        """One request per different prompt, or per turn of every different conversation."""
        path = find_file(self.file, setting.paths)
        columns = self._columns(names_of(path))
        rows = [_parsed(self.name, row, columns) for row in rows_of(path, self.where, columns)]
        known, notes = _distinct(self.name, rows)
        prompts: list[Prompt] = []
        requests: list[Request] = []
        for row in known[: setting.limit]:
            first = len(prompts)
            for turn in range(len(row.said.turns)):
                prompts.append(_prompt(self.name, row, turn))
                context = _context(self.name, row, turn, first, setting.chat)
                requests.append(self._request(first + turn, context))
        return RequestSet(
            task=self.name,
            prompts=tuple(prompts),
            requests=tuple(requests),
            chat=setting.chat,
            version=content_digest(self.file, setting.paths)[:12],
            yields=("text", "style") if self.style else ("text",),
            notes=(*notes, *_replies_left_out(known)),
        )

    def _columns(self, names: Sequence[str] = ()) -> dict[str, str]:
        """Our word -> column; Alpaca's `input` belongs to its instruction."""
        columns = columns_of(self.columns, _COLUMNS, () if "turns" in self.columns else ("prompt",))
        if columns.get("prompt") == "instruction" and {"input", "output"} <= set(names):
            columns.setdefault("input", "input")
        return columns

    def _request(self, prompt: int, context: str | tuple[Message, ...]) -> Request:
        return Request(
            prompt=prompt,
            kind="generate",
            context=context,
            until=self.until,
            max_new_tokens=self.max_new_tokens,
        )


class _Said(NamedTuple):
    """What a row says: a prompt, or the turns of a user to be asked one after another."""

    turns: tuple[str, ...]  # of the user; () = the row has none
    history: tuple[Message, ...] = ()  # what was said before the first turn, replies included
    system: str | None = None
    ends_in_reply: bool = False  # which is left out


@dataclass(frozen=True)
class _Row:
    """One row of the file."""

    said: _Said
    id: Any
    cluster: Any
    category: Any

    @property
    def prompt(self) -> str:
        """The first turn; "" where there is none."""
        return self.said.turns[0] if self.said.turns else ""

    @property
    def key(self) -> str:
        """The identity of a prompt: its id where the file has one, else the text itself."""
        if self.id is not None:
            return digest(self.id)
        before = [f"{m.role}: {m.text}" for m in self.said.history]
        return digest(*before, *self.said.turns, self.said.system)


def _parsed(task: str, row: Mapping[str, Any], columns: Mapping[str, str]) -> _Row:
    """A row of the file; raises DistillbenchError for a prompt that is neither text nor a conversation."""
    word = "turns" if "turns" in columns else "prompt"
    place = f"task {task}: column {columns[word]!r}"
    messages = conversation(row[word], place)
    if messages is not None:
        said = _conversation(messages, place)
    elif word == "turns" and row[word] is not None:
        raise DistillbenchError(
            f"{place}: expected lists of user messages, got {beginning(row[word])}"
        )
    else:
        text = required_text(row[word], place, columns[word])
        more = required_text(row.get("input"), place, columns.get("input", ""))
        said = _Said(() if text is None else (joined(text, more),))
    system = required_text(row.get("system"), place, columns.get("system", ""))
    if said.system is None:
        said = said._replace(system=system)
    return _Row(said, row.get("id"), row.get("cluster"), row.get("category"))


def _conversation(messages: Sequence[Message], place: str) -> _Said:
    """What a conversation asks: its last user's turn after all before it, or all turns where none has a reply."""
    ends_in_reply = bool(messages) and messages[-1].role == "assistant"
    before = messages[:-1] if ends_in_reply else messages
    turns = [m for m in before if m.role != "system"]
    system = "\n".join(m.text for m in before if m.role == "system") or None
    if any(not m.text.strip() for m in turns) or (turns and turns[-1].role != "user"):
        shown = beginning([m.text for m in before])
        raise DistillbenchError(
            f"{place}: expected lists of user messages, or conversations that end with a user's message, got {shown}"
        )
    if all(m.role == "user" for m in turns):
        return _Said(tuple(m.text for m in turns), (), system, ends_in_reply)
    return _Said((turns[-1].text,), tuple(turns[:-1]), system, ends_in_reply)


def _replies_left_out(rows: Sequence[_Row]) -> tuple[str, ...]:
    n = sum(row.said.ends_in_reply for row in rows)
    return (f"{n} conversations end in a reply, which is not asked",) if n else ()


def _distinct(name: str, rows: Sequence[_Row]) -> tuple[list[_Row], tuple[str, ...]]:
    """The first row of every different prompt, and what was dropped."""
    known: dict[str, _Row] = {}
    empty = 0
    for row in rows:
        if not row.prompt.strip():
            empty += 1
            continue
        first = known.setdefault(row.key, row)
        if first.said[:3] != row.said[:3]:
            raise DistillbenchError(
                f"task {name}: id {row.id!r} stands for two different prompts, {first.prompt[:40]!r} and "
                f"{row.prompt[:40]!r}; expected one"
            )
    if not known:
        raise DistillbenchError(f"task {name}: every one of {len(rows)} prompts is empty")
    return list(known.values()), (f"{empty} rows without a prompt dropped",) if empty else ()


def _prompt(name: str, row: _Row, turn: int) -> Prompt:
    """One turn as a prompt; the turns of a conversation are resampled together."""
    first = digest(name, row.key)
    cluster = first if row.cluster is None else f"cluster {row.cluster}"
    category = "" if row.category is None else str(row.category)
    prompt_id = digest(name, row.key, turn) if turn else first
    shown, _ = flattened([*row.said.history, Message("user", row.said.turns[turn])])
    own_name = turn_name(name_of(row.id) or "", turn)
    return Prompt(prompt_id, shown, cluster, category, name=own_name)


def _context(task: str, row: _Row, turn: int, first: int, chat: bool) -> str | tuple[Message, ...]:
    """A conversation up to a turn, whose replies are to the requests from `first` on.

    In plain text a prompt that opens with the row's system message.
    """
    if not chat and (turn or row.said.history):
        raise DistillbenchError(
            f"task {task}: {beginning(row.prompt)} is a turn of a conversation; set `chat: true` for the task or model"
        )
    if not chat:
        text = row.said.turns[turn]
        return text if row.said.system is None else f"{row.said.system}\n\n{text}"
    messages = [] if row.said.system is None else [Message("system", row.said.system)]
    messages += row.said.history
    for i in range(turn):
        messages += [
            Message("user", row.said.turns[i]),
            Message("assistant", ReplyTo(first + i)),
        ]
    return (*messages, Message("user", row.said.turns[turn]))
