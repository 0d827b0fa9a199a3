"""What models do to a conversation before the model's own template is applied."""

from __future__ import annotations

from harness.types import Message


def with_system(messages: tuple[Message, ...], system: str | None) -> tuple[Message, ...]:
    """The conversation, opened by the model's system message where it brings none of its own."""
    if system is None or any(m.role == "system" for m in messages):
        return messages
    return (Message("system", system), *messages)
