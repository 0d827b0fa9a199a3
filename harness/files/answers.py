"""One recorded answer, whichever format it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from harness.types import Kind

# text, or the label of an option; (nats, greedy); None = no option named, or not answered
Value = str | tuple[float, bool | None] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a file."""

    kind: Kind
    value: Value
    place: str  # "FILE, row 12": for messages
    # text, or a conversation as `conversations.flattened` spells it, without system messages; None = it is not in the
    # file, only an id is
    context: str | None = None
    # its prompt's id in the file, or a digest of its row of data; "" = none
    name: str = ""
    continuation: str = ""
    # None = the file does not say; such an answer fits any system message
    system: str | None = None
    draw: int | str = 0  # label of the sample; the ranks of all labels number the samples
    missing: str = ""  # why it counts as not answered, in words; "" = it is an answer
    stop: str = "unknown"  # "eos", "length" or "stop" where the file says so
    trace: str = ""  # what the model thought aloud, where the file has it beside the text
    slot: int | None = None  # which request of its prompt; None = the file does not say
    # the context is what a chat template made of the prompt
    rendered: bool = False

    @property
    def shown(self) -> str:
        """What it answers, for messages."""
        return self.continuation or self.name if self.context is None else self.context


def turn_name(name: str, turn: int) -> str:
    """The name of one turn, counted from 0, of a conversation that has a name."""
    return f"{name} turn {turn + 1}" if name and turn else name
