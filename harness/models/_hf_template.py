"""Chat templates: conversations as text, and what a template puts around them by itself.

Its own part is seen by rendering a conversation of made-up words and looking at what stands between them.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.models._hf_text import Context, Speller
from harness.text.clean import CHANNEL
from harness.types import DistillbenchError, Message

Options = Mapping[str, str | int | bool]

# Templates that ask for today's date are told this one, or answers would change from day to day.
DAY = datetime.datetime(2024, 7, 26)
_CODES = ("%d", "%b", "%B", "%Y", "%m", "%y", "%A", "%a", "%H", "%I", "%M", "%S", "%p", "%j", "%e")
_ASKED, _REPLY, _AGAIN = "quinine", "saffron", "verbena"


@dataclass(frozen=True)
class Frame:
    """What a chat template puts around the contents of a conversation."""

    adds: str  # words of its own before the first question, marks left out; "" = none
    closing: int | None  # token that closes an assistant's turn; None = no token does
    stop: str  # where no token does: the text that does; "" = none
    n_header: int  # tokens between the last question and the reply
    gap: (
        str  # what stands between a conversation that waits for a reply and the reply; "" = nothing
    )
    opens: bool  # whether anything is written that opens a reply
    dated: bool  # whether it asks for the date


def render(speller: Speller, messages: Sequence[Message], is_open: bool, options: Options) -> str:
    """A conversation as text, by the model's own chat template."""
    import jinja2

    _check_template(speller)
    try:
        text = _apply(speller, messages, is_open, options)
    except (jinja2.exceptions.TemplateError, ValueError) as error:
        roles = ", ".join(m.role for m in messages)
        raise DistillbenchError(
            f"model {speller.name}: its chat template refuses a conversation of {roles}: {error}; "
            "leave out the system message (`system`, or `drop_system: true`), or ask in plain text (chat: false)"
        ) from None
    if unheard := [m.text for m in messages if m.role == "system" and m.text.strip() not in text]:
        raise DistillbenchError(
            f"model {speller.name}: its chat template leaves the system message out ({unheard[0][:60]!r}); say so by "
            "`drop_system: true`, or delete `system`"
        )
    _check_asked(speller, messages, text)
    return text


def _check_template(speller: Speller) -> None:
    """Raises DistillbenchError where a tokenizer has no chat template, or several and none called default."""
    template = speller.tokenizer.chat_template
    if isinstance(template, Mapping) and "default" not in template:
        raise DistillbenchError(
            f"model {speller.name}: expected one chat template, or one called default, got {', '.join(template)}; set "
            "tokenizer.chat_template to one of them and save it"
        )
    if not template:
        raise DistillbenchError(
            f"model {speller.name}: expected a chat template, got a tokenizer without one; "
            "set tokenizer.chat_template and save it, or ask in plain text (chat: false)"
        )


def _check_asked(speller: Speller, messages: Sequence[Message], text: str) -> None:
    """Raises DistillbenchError where the last question is not in what the template made of the conversation.

    Templates of models that see write parts of a message, and nothing at all of a message that is one text.
    """
    asked = next((m.text for m in reversed(messages) if m.role == "user"), "")
    words = re.findall(r"\w+", asked)
    if words and max(words, key=len) not in text:
        raise DistillbenchError(
            f"model {speller.name}: its chat template leaves the question out ({asked[:60]!r}): expected one that "
            "writes messages that are plain texts; set tokenizer.chat_template to such a one and save it, or ask in "
            "plain text (chat: false)"
        )


def frame_of(speller: Speller, options: Options, system: str | None = None) -> Frame | None:
    """What the template puts around a conversation that `system` opens; None where it refuses the made-up one."""
    import jinja2

    opening = () if system is None else (Message("system", system),)
    turns = (Message("user", _ASKED), Message("assistant", _REPLY), Message("user", _AGAIN))
    try:
        first_turn = _apply(speller, (*opening, turns[0]), True, options)
        later = _apply(speller, (*opening, turns[0]), True, options, DAY.replace(1999, 1, 1))
        talk = _apply(speller, (*opening, *turns), True, options)
    except (jinja2.exceptions.TemplateError, ValueError):
        return None
    if not all(word in talk for word in (_ASKED, _REPLY, _AGAIN)) or _ASKED not in first_turn:
        return None
    speller.encode(Context(talk, rendered=True))
    between = talk.partition(_REPLY)[2].partition(_AGAIN)[0]
    talks_in_channels = (
        CHANNEL in speller.tokenizer.get_vocab()
    )  # what closes a turn closes a thought before it too
    closing = None if talks_in_channels else _closing(speller, between)
    header = Context(talk.rpartition(_AGAIN)[2], rendered=True)
    before_reply = talk.partition(_REPLY)[0]
    gap = before_reply[len(first_turn) :] if before_reply.startswith(first_turn) else ""
    return Frame(
        adds=_words_before(speller, first_turn.partition(_ASKED)[0], between),
        closing=closing,
        stop=_stop(between) if closing is None and not talks_in_channels else "",
        n_header=len(speller.encode(header)),
        gap=gap,
        opens=first_turn != _unopened(speller, (*opening, turns[0]), options),
        dated=first_turn != later,
    )


def _apply(
    speller: Speller,
    messages: Sequence[Message],
    is_open: bool,
    options: Options,
    day: datetime.datetime = DAY,
    opens: bool = True,
) -> str:
    tokenizer = speller.tokenizer
    text: str = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.text} for m in messages],
        chat_template=_calendar(day) + tokenizer.get_chat_template(),
        tokenize=False,
        add_generation_prompt=is_open and opens,
        continue_final_message=not is_open,
        **options,
    )
    return text


def _unopened(speller: Speller, messages: Sequence[Message], options: Options) -> str:
    """A conversation that does not wait for a reply; "" where the template refuses one."""
    import jinja2

    try:
        return _apply(speller, messages, True, options, opens=False)
    except (jinja2.exceptions.TemplateError, ValueError):
        return ""


def _calendar(day: datetime.datetime) -> str:
    """The function that transformers gives templates for today's date, as a macro that knows one day."""
    steps = "".join(f" | replace('{code}', '{day.strftime(code)}')" for code in _CODES)
    return f"{{% macro strftime_now(form) %}}{{{{ form{steps} }}}}{{% endmacro +%}}"


def _words_before(speller: Speller, before: str, between: str) -> str:
    """What stands before the first question and not before a later one, without special tokens, in one line."""
    marks = sorted(_marks(speller).values(), key=len, reverse=True)
    cuts = re.compile(f"({'|'.join(map(re.escape, marks))})")
    first, later = cuts.split(before), cuts.split(between)
    while first and later and first[-1] == later[-1]:
        first.pop()
        later.pop()
    rest = [part for part in first if part not in marks]
    if rest and later and first[-1] == rest[-1]:  # plain words before a question, partly the same
        rest[-1] = rest[-1][: len(rest[-1]) - _n_last(rest[-1], later[-1])]
    words = " ".join(" ".join(rest).split())
    return words if re.search(r"\w", words) else ""


def _n_last(first: str, second: str) -> int:
    """Number of characters at the end that two texts share."""
    pairs = enumerate(zip(reversed(first), reversed(second), strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def _closing(speller: Speller, between: str) -> int | None:
    """The first special token behind a reply, if nothing but white space stands before it."""
    marks = _marks(speller)
    for index in speller.encode(Context(between, rendered=True)):
        if index in marks:
            return index
        if speller.tokenizer.decode([index]).strip():
            return None
    return None


def _stop(between: str) -> str:
    """A mark that is spelled in several tokens, or all that stands between a reply and the next question."""
    mark = re.match(r"\s*(<[^<>\s]+>|\[[^\[\]\s]+\])", between)
    return mark[1] if mark else between.rstrip()


def _marks(speller: Speller) -> dict[int, str]:
    """Tokens that stand for no text: the special ones, and what else was added that is neither a word nor a blank."""
    tokenizer = speller.tokenizer
    added = {i: str(token) for i, token in tokenizer.added_tokens_decoder.items()}
    special = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
    return special | {
        i: text for i, text in added.items() if text.strip() and not re.fullmatch(r"[\w\s]+", text)
    }
