"""Models read: a fixed text, or the answers that models of the matrix gave to an open-ended task.

Source of the idea for answers: whoever learned from a teacher finds the teacher's text more likely than others do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

from harness.files.cells import beginning, required_text
from harness.files.conversations import conversation, flattened, without_answer
from harness.files.find import columns_of, content_digest, find_file, rows_of
from harness.keys import describes, digest, place
from harness.panel.side import Side
from harness.panel.texts import replies
from harness.tasks import AbstractTask, Setting
from harness.text import turns
from harness.types import Decoding, DistillbenchError, Message, Prompt, Request, RequestSet

_COLUMNS = ("text", "prompt", "category", "cluster")
_SHOWN = 300  # characters of a text that the page shows

Context = str | tuple[Message, ...]


class _Asked(NamedTuple):
    """Prompts, requests and what was left out."""

    prompts: list[Prompt]
    requests: list[Request]
    notes: tuple[str, ...]


@final
@dataclass(frozen=True)
class ReadingTask(AbstractTask):
    """Log-probabilities of texts that are given; nothing is generated and nothing is right or wrong."""

    version = 3

    # JSONL, JSON, CSV or Parquet file, relative to a folder of tasks or to paths.data
    text: str | None = place(None)
    # text, prompt, category, cluster -> column of the file
    columns: dict[str, str] = field(default_factory=dict)
    # instead of a file: the open-ended task of the matrix whose answers are read
    answers_to: str | None = None
    # models whose answers are read; None = every teacher, base and control (the Setting has them)
    by: tuple[str, ...] | None = describes(None)
    prompts: int | None = None  # read the answers to the first so many prompts only; None = to all
    # K most probable tokens kept at every place, 8 bytes each; 0 = sums of log-probabilities only
    # (the decoding has it)
    alternatives: int = describes(64)
    # longer answers are read up to here, in whole characters; whole texts are never cut
    max_bytes: int | None = 2048

    def __post_init__(self) -> None:
        if (self.text is None) == (self.answers_to is None):
            raise DistillbenchError(
                "expected exactly one of the keys text (a file) and answers_to (a task of the matrix), got "
                + ("none" if self.text is None else "both")
            )
        if self.by is not None and not (self.by and self.answers_to):
            raise DistillbenchError(
                "key by: expected names of models beside answers_to; leave it out for all authors"
            )
        if self.prompts is not None and not (self.prompts > 0 and self.answers_to):
            raise DistillbenchError(
                f"key prompts: expected 1 or more beside answers_to, or null, got {self.prompts}"
            )
        if self.alternatives < 0:
            raise DistillbenchError(
                f"key alternatives: expected 0 or more, got {self.alternatives}"
            )
        if self.max_bytes is not None and self.max_bytes < 1:
            raise DistillbenchError(
                f"key max_bytes: expected 1 or more, or null, got {self.max_bytes}"
            )
        columns_of(self.columns, _COLUMNS, ("text",))

    def contents(self, setting: Setting) -> Mapping[str, str]:
        """The file, where there is one."""
        return {"text": content_digest(self.text, setting.paths)} if self.text else {}

    def faults(self, setting: Setting) -> list[str]:
        """A file that is not there."""
        try:
            if self.text:
                find_file(self.text, setting.paths)
        except DistillbenchError as error:
            return [f"task {self.name}: {error}"]
        return []

    def reads(self) -> str | None:
        """The task whose answers are read."""
        return self.answers_to

    def forms(self) -> Sequence[Request]:
        """An answer is read as the continuation of what was asked."""
        return (Request(0, "read", ""),)

    def declared_yields(self) -> tuple[str, ...]:
        """Log-probabilities of texts, which may be answers."""
        return ("reading", "answers") if self.answers_to else ("reading",)

    def authors(self) -> tuple[str, ...] | None:
        """Whose answers are read."""
        return self.by

    def drawn(self, decoding: Decoding) -> Decoding:
        """With the alternatives of every token."""
        return dataclasses.replace(decoding, top_logprobs=self.alternatives)

    def requests(self, setting: Setting) -> RequestSet:
        """One request per text, or per prompt and author."""
        asked = self._answers(setting) if self.answers_to else self._texts(setting)
        version = (
            setting.sides[0].requests.version
            if self.answers_to
            else content_digest(str(self.text), setting.paths)[:12]
        )
        return RequestSet(
            task=self.name,
            prompts=tuple(asked.prompts),
            requests=tuple(asked.requests),
            chat=setting.chat,
            version=version,
            yields=self.declared_yields(),
            notes=asked.notes,
        )

    def _texts(self, setting: Setting) -> _Asked:
        """Every different text of the file; one with a prompt is read as its continuation."""
        path = find_file(str(self.text), setting.paths)
        columns = columns_of(self.columns, _COLUMNS, ("text",))
        rows = rows_of(path, {}, columns)
        place = f"task {self.name}: {self.text}"
        known: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            text = required_text(row["text"], place, columns["text"])
            if _filled(text):
                known.setdefault(digest(text, row.get("prompt")), {**row, "text": text})
        taken = list(known.items())[: setting.limit]
        if not taken:
            raise DistillbenchError(
                f"task {self.name}: every one of the {len(rows)} texts in {self.text} is empty"
            )
        empty = sum(not _filled(r["text"]) for r in rows)
        asked = [
            _asked_before(row, f"{place}: column {columns.get('prompt')!r}") for _, row in taken
        ]
        return _Asked(
            [_prompt(self.name, *pair, before) for pair, before in zip(taken, asked, strict=True)],
            [
                self._text_request(i, row["text"], before, setting.chat)
                for i, ((_, row), before) in enumerate(zip(taken, asked, strict=True))
            ],
            (f"{empty} empty texts left out",) if empty else (),
        )

    def _text_request(self, index: int, text: str, before: Context, chat: bool) -> Request:
        if before == "":
            return Request(index, "read", "", continuation=text)
        read = cut(text, self.max_bytes)
        return Request(index, "read", asked_as(before, chat), continuation=read)

    def _answers(self, setting: Setting) -> _Asked:
        """What every author answered, as the continuation of what it was asked."""
        authors = setting.sides
        if not authors:
            raise DistillbenchError(
                f"task {self.name}: expected at least one author of answers to {self.answers_to}, got none; "
                "name them by the key `by`, or give the matrix pairs or controls"
            )
        prompts = {p.id: p for side in authors for p in side.requests.prompts[: self.prompts]}
        index = {i: n for n, i in enumerate(prompts)}
        requests: list[Request] = []
        notes: list[str] = []
        for slot, side in enumerate(authors):
            contexts = _contexts(side)
            given = {i: reply.text for i, reply in replies(side).items() if i in prompts}
            filled = {i: text for i, text in given.items() if _filled(text)}
            read = {i: cut(text, self.max_bytes) for i, text in filled.items()}
            requests += [
                Request(
                    index[i],
                    "read",
                    asked_as(contexts[i], setting.chat),
                    side.model,
                    slot,
                    continuation=t,
                )
                for i, t in read.items()
            ]
            notes += _left_out(
                side, len(given) - len(filled), sum(read[i] != t for i, t in filled.items())
            )
        asked = sorted({r.prompt for r in requests})
        if not asked:
            raise DistillbenchError(f"task {self.name}: every answer to {self.answers_to} is empty")
        place = {old: new for new, old in enumerate(asked)}
        every = list(prompts.values())
        return _Asked(
            [every[i] for i in asked],
            [dataclasses.replace(r, prompt=place[r.prompt]) for r in requests],
            tuple(notes),
        )


def asked_as(context: Context, chat: bool) -> Context:
    """A context as a conversation or as plain text, whichever the reader is asked in."""
    if isinstance(context, str):
        return (Message("user", context),) if chat else context
    return context if chat else "\n\n".join(m.text for m in context)


def cut(text: str, most: int | None) -> str:
    """The beginning of a text that fits into `most` bytes of UTF-8, in whole characters."""
    raw = text.encode()
    return text if most is None or len(raw) <= most else raw[:most].decode(errors="ignore")


def _filled(text: object) -> bool:
    return text is not None and bool(str(text).strip())


def _contexts(side: Side) -> dict[str, Context]:
    """Prompt.id -> what the author was asked, with its own replies where a conversation holds them."""
    given = dict(zip(side.outputs.request.tolist(), side.outputs.text, strict=True))
    asked = [
        r for r in side.requests.requests if r.kind == "generate" and (r.slot, r.repeat) == (0, 0)
    ]
    return {
        side.requests.prompts[r.prompt].id: turns.filled(r, given, side.requests.think).context
        for r in asked
        if turns.askable(r, given)
    }


def _left_out(side: Side, empty: int, shortened: int) -> Sequence[str]:
    notes = [f"{empty} empty answers of {side.model} left out"] if empty else []
    return [*notes, f"{shortened} long answers of {side.model} cut"] if shortened else notes


def _asked_before(row: Mapping[str, Any], place: str) -> Context:
    """What stands before a text: a text, or a conversation without the text at its end; "" = nothing."""
    cell = row.get("prompt")
    turns = conversation(cell, place)
    if turns is None:
        text = required_text(cell, place, "")
        return text if text and _filled(text) else ""
    before = without_answer(turns, row["text"])
    if not before:
        raise DistillbenchError(
            f"{place}: expected a conversation that ends in the question or in the text, got another reply at its end: "
            f"{beginning(turns[-1].text if turns else '')}"
        )
    return tuple(before)


def _prompt(name: str, key: str, row: Mapping[str, Any], before: Context) -> Prompt:
    prompt_id = digest(name, key)
    cluster = prompt_id if row.get("cluster") is None else f"cluster {row['cluster']}"
    asked = before if isinstance(before, str) else flattened(before)[0]
    category = "" if row.get("category") is None else str(row["category"])
    return Prompt(prompt_id, (asked or row["text"])[:_SHOWN], cluster, category)
