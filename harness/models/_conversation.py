"""Changes to a conversation before the model's chat template is applied."""

from __future__ import annotations

from harness.types import Message


def with_system(messages: tuple[Message, ...], system: str | None) -> tuple[Message, ...]:
    """The conversation, opened by the model's system message unless it already has one."""
    if system is None or any(m.role == "system" for m in messages):
        return messages
    return (Message("system", system), *messages)
