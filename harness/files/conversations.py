"""Conversations in other people's files: lists of turns under many names, as messages of ours.

Read are OpenAI's messages {role, content}, ShareGPT's turns {from, value}, lists of a user's turns as MT-Bench
and Arena-Hard have them, and objects that hold one of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.files.cells import beginning, is_missing, kind_of
from harness.keys import parse_json
from harness.text.clean import clean
from harness.types import DistillbenchError, Message

_HOLDERS = ("messages", "conversations", "conversation", "turns")
_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "developer": "system",
}
# parts of a message that are not part of its reply
_LEFT_OUT = ("thinking", "redacted_thinking", "reasoning")
_OPENINGS = ('[{"', '{"messages"', '{"conversations"')


def conversation(cell: Any, place: str) -> list[Message] | None:
    """The messages of a cell; None where it is a plain text, a number or nothing.

    A list in JSON's spelling is read as that list. Raises DistillbenchError for a list or an object that is no
    conversation of texts, and for one in Python's spelling.
    """
    if isinstance(cell, str):
        if cell.lstrip().startswith(("[{'", "{'messages'", "{'conversations'")):
            raise DistillbenchError(
                f"{place}: expected a conversation, got one as Python's str() spells it: {beginning(cell, 40)}; "
                "write it as JSON Lines or Parquet"
            )
        return _spelled(cell, place)
    if isinstance(cell, Mapping):
        holder = next((cell[name] for name in _HOLDERS if name in cell), None)
        if holder is None:
            raise DistillbenchError(
                f"{place}: expected a text or a conversation, got an object: {beginning(dict(cell))}"
            )
        return conversation(holder, place)
    if isinstance(cell, (list, tuple)):
        return messages_of(cell, place)
    return None


def messages_of(turns: Sequence[Any], place: str) -> list[Message]:
    """Messages of a list of turns; bare texts are a user's."""
    return [_message(turn, place) for turn in turns]


def content_text(content: Any, place: str) -> str:
    """The text of a message: parts joined, a model's thinking left out.

    Raises DistillbenchError for images, calls of tools and everything else that is not text.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)):
        parts = [p for p in content if not (isinstance(p, Mapping) and p.get("type") in _LEFT_OUT)]
        texts = [p if isinstance(p, str) else _part(p) for p in parts]
        if all(text is not None for text in texts):
            return "".join(str(text) for text in texts)
    if isinstance(content, Mapping) and isinstance(content.get("answer"), str):
        return str(content["answer"])  # Arena-Hard v2
    raise DistillbenchError(
        f"{place}: expected messages with a role and a text, got {beginning(json.dumps(content, default=str))}"
    )


def without_answer(messages: Sequence[Message], answer: str | None) -> list[Message] | None:
    """Messages before the answer: a last assistant's turn equal to it, or without a text, is left out.

    None where the last turn is an assistant's and is not the answer. `answer` None: any last assistant's turn is.
    """
    if not messages or messages[-1].role != "assistant":
        return list(messages)
    last = messages[-1].text.split()
    is_answer = answer is None or not last or " ".join(last) == " ".join(answer.split())
    return list(messages[:-1]) if is_answer else None


def joined(instruction: str, more: str | None) -> str:
    """An instruction and its input, as one prompt."""
    return f"{instruction}\n{more}" if more and more.strip() else instruction


def flattened(messages: Iterable[Message]) -> tuple[str, str | None]:
    """(conversation as text, system message or None); a lone user message is its own text.

    Replies stand in it as `text/clean` makes them: thoughts of earlier turns make no difference.
    """
    messages = list(messages)
    system = "\n".join(m.text for m in messages if m.role == "system")
    turns = [m for m in messages if m.role != "system"]
    alone = len(turns) == 1 and turns[0].role == "user"
    text = turns[0].text if alone else "\n".join(f"{m.role}: {_said(m)}" for m in turns)
    return text, system or None


def _said(message: Message) -> str:
    return clean(message.text).text if message.role == "assistant" else message.text


def _message(turn: Any, place: str) -> Message:
    if isinstance(turn, str):
        return Message("user", turn)
    if not isinstance(turn, Mapping):
        raise DistillbenchError(
            f"{place}: expected turns of a conversation, got {kind_of(turn)}: {beginning(turn)}"
        )
    role = turn.get("role", turn.get("from"))
    if role is None and "content" in turn:
        role = "user"  # Arena-Hard v0.1
    if not isinstance(role, str):
        raise DistillbenchError(
            f"{place}: expected messages with a role and a text, got {beginning(json.dumps(turn, default=str))}"
        )
    role = _ROLES.get(role.lower(), role.lower())
    if role == "assistant":
        return Message(role, said_text(turn, place) or "")
    return Message(role, content_text(_content(turn), place))


def said_text(turn: Any, place: str) -> str | None:
    """The text of an assistant's turn; None where it has none: a null, as beside a thought or a call of a tool."""
    content = _content(turn)
    is_null = is_missing(content) and ("content" in turn or "value" in turn)
    return None if is_null else content_text(content, place)


def _content(turn: Any) -> Any:
    return turn.get("content", turn.get("value")) if isinstance(turn, Mapping) else turn


def _part(part: Any) -> str | None:
    """The text of one part of a message; None where it holds none."""
    text = part.get("text") if isinstance(part, Mapping) else None
    return text if isinstance(text, str) else None


def _spelled(cell: str, place: str) -> list[Message] | None:
    """The messages of a conversation in JSON's spelling; None for any other text."""
    if not cell.lstrip().startswith(_OPENINGS):
        return None
    try:
        value = parse_json(cell)
    except json.JSONDecodeError:
        return None  # a text may well begin like JSON
    turns = value if isinstance(value, list) else next(iter(value.values()), None)
    if not isinstance(turns, list) or not all(
        isinstance(t, dict) and ("role" in t or "from" in t) for t in turns
    ):
        return None
    return messages_of(turns, place)
