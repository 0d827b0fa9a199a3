"""Requests as token ids: conversations by the model's chat template, and contexts that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.models._conversation import with_system
from harness.models._hf_model import LoadedModel
from harness.models._hf_template import DAY, Frame, frame_of, render
from harness.models._hf_text import Context
from harness.text.clean import closed_trace, opened_trace
from harness.types import DistillbenchError, Request


@dataclass(frozen=True)
class Manner:
    """How a model is to be asked."""

    system: str | None
    drop_system: bool
    template_options: Mapping[str, str | int | bool] = field(default_factory=dict)
    batch_size: int | None = None


@dataclass(frozen=True)
class Contexts:
    """The contexts of one model; what its user should know of its chat template is said at the first conversation."""

    loaded: LoadedModel
    manner: Manner
    say: Callable[
        [str, bool], None
    ]  # takes a note, each one line, and whether it is about replies alone

    def of(self, request: Request) -> Context:
        """The context of a request as text."""
        if isinstance(request.context, str):
            return Context(request.context, rendered=False)
        messages = with_system(request.context, self._system)
        if self.manner.drop_system:
            messages = tuple(m for m in messages if m.role != "system")
        speller, options = self.loaded.speller, self.manner.template_options
        self._say_frame()
        return Context(render(speller, messages, request.open, options), rendered=True)

    def pair(self, request: Request) -> tuple[list[int], list[int], str]:
        """Token ids of a context and of what is scored behind it, and the text that the latter spell.

        A text to read stands where the chat template puts a reply, behind the thought that it opens; in all other
        cases behind the last word. A blank before a reply is part of its first token.
        """
        context, text = self.of(request), request.continuation
        if request.kind == "read" and context.rendered and request.open:
            gap = self._frame.gap if self._frame else ""
            before = gap.rstrip(" ")
            blank, closing = gap[len(before) :], closed_trace(context.text + before)
            if closing:
                self._say_thought(context.text + before, closing)
                blank = ""
            context = Context(context.text + before + closing, rendered=True)
            return (*self.loaded.speller.read_pair(context, text, blank), text)
        moved = context.text[len(context.text.rstrip()) :]
        return (*self.loaded.speller.encode_pair(context, text), moved + text)

    def prompt(self, request: Request, max_new: int) -> tuple[tuple[int, ...], int]:
        """Token ids of a text to continue with room for `max_new` behind it, and how many were left out.

        What is left out stands behind the beginning; the last question's end and what opens the reply always stay.
        """
        loaded, context = self.loaded, self.of(request)
        ids = loaded.speller.encode(context) or [loaded.speller.prefix_id]
        if context.rendered:
            self._say_ends()
        first = loaded.speller.first_tokens(ids)
        least = first + (self._n_header if context.rendered else 0) + 1
        room = loaded.max_length - max_new
        if room < min(len(ids), least):
            raise DistillbenchError(
                f"model {loaded.name}: expected max_new_tokens of at most {loaded.max_length - least} "
                f"(max_length {loaded.max_length}), got {max_new}; lower decoding.max_new_tokens (or the task's)"
            )
        return cut(ids, first, room)

    def stops(self, request: Request) -> tuple[str, ...]:
        """The texts that end a reply: the request's, and the template's where no token closes a turn."""
        talks = not isinstance(request.context, str)
        own = (self._frame.stop,) if talks and self._frame else ()
        return tuple(s for s in (*request.until, *own) if s)

    @cached_property
    def closing(self) -> int | None:
        """The token with which the chat template closes a turn; None where there is none, or no template."""
        try:
            frame = self._frame if self.loaded.tokenizer.chat_template else None
        except DistillbenchError:  # a template that the model cannot read ends no plain text
            return None
        return frame.closing if frame else None

    @property
    def _n_header(self) -> int:
        return self._frame.n_header if self._frame else 0

    @property
    def _system(self) -> str | None:
        """The system message; an empty one only where the template would put words of its own in its place."""
        if self.manner.system == "":
            return "" if self._bare_frame and self._bare_frame.adds else None
        return self.manner.system

    @cached_property
    def _bare_frame(self) -> Frame | None:
        return frame_of(self.loaded.speller, self.manner.template_options)

    @cached_property
    def _frame(self) -> Frame | None:
        if self._system != "":
            return self._bare_frame
        return frame_of(self.loaded.speller, self.manner.template_options, "")

    def _say_frame(self) -> None:
        frame = self._frame
        if frame and frame.adds and not self.manner.system:
            words = _quoted(frame.adds)
            self.say(
                f"its chat template adds words of its own to every conversation: {words}", False
            )
        if frame and frame.dated:
            day = f"{DAY.day} {DAY:%B %Y}"
            self.say(
                f"its chat template asks for the date and is told {day}, whatever the day", False
            )

    def _say_thought(self, before: str, closing: str) -> None:
        tag = opened_trace(before)
        empty = before[before.rindex(tag) :] + closing
        self.say(
            "its chat template opens a thought before every reply: texts to read stand behind an empty one, "
            f"{_quoted(empty)}",
            False,
        )

    def _say_ends(self) -> None:
        frame, ends, token = self._frame, self.loaded.eos_ids, self.loaded.speller.token
        if frame and frame.gap.strip() and not frame.opens:
            self.say(
                f"its chat template does not open a reply: earlier ones begin with {_quoted(frame.gap.strip())}, which "
                "is not written before a new one, so that it may go on with the question",
                True,
            )
        if frame and frame.stop:
            self.say(
                f"no token closes a turn in its chat template: a reply also ends at {_quoted(frame.stop)} in its text",
                True,
            )
        if frame and frame.closing is not None and frame.closing not in ends:
            named = ", ".join(token(i) for i in sorted(ends)) or "none"
            self.say(
                f"a reply ends at {token(frame.closing)}, with which its chat template closes a turn: its "
                f"generation_config.json and tokenizer name {named} only",
                True,
            )


def cut(ids: Sequence[int], first: int, room: int) -> tuple[tuple[int, ...], int]:
    """At most `room` ids: the `first` ones and the last, with what stands between them left out; and how many were."""
    if len(ids) <= room:
        return tuple(ids), 0
    first = min(first, room - 1)
    return (*ids[:first], *ids[len(ids) - room + first :]), len(ids) - room


def _quoted(text: str) -> str:
    line = text.replace("\n", "\\n")
    return f'"{line}"' if len(line) <= 200 else f'"{line[:200]} ..."'
