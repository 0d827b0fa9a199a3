"""Conversations that end in the answer: ShareGPT, OpenAI's fine-tuning files, Arena-Hard v2, as far as they have no
column of answers of their own.

Every assistant's turn is the answer to the turns before it.
Source of Arena-Hard v2's shape: lmarena/arena-hard-auto `gen_answer.py` (uid, model, messages with content.answer).
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.files.answers import Answer, turn_name
from harness.files.cells import NULL, failed_call, name_of
from harness.files.conversations import conversation, flattened, said_text
from harness.files.formats import Format, Reading
from harness.files.formats._asked import IDS
from harness.files.formats._stops import stated_stop, text_or_none, thoughts
from harness.files.rows import Row

_COLUMNS = ("messages", "conversations", "conversation")
_ANSWERS = ("response", "output", "completion", "answer", "prediction", "predict", "generation")


def _recognises(row: Row) -> bool:
    listed = [n for n in _COLUMNS if isinstance(row.get(n), list)]
    return bool(listed) and "choices" not in row and not set(_ANSWERS) & row.keys()


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    listed = next(row[n] for n in _COLUMNS if isinstance(row.get(n), list))
    turns = conversation(listed, place)
    name = next((n for i in IDS if i in row and (n := name_of(row[i]))), "")
    said = [i for i, turn in enumerate(turns or []) if turn.role == "assistant"]
    for turn, i in enumerate(said):
        assert turns is not None
        context, system = flattened(turns[:i])
        stop = stated_stop(listed[i], row if i + 1 == len(listed) else None)
        trace = thoughts(listed[i])
        text = text_or_none(said_text(listed[i], place), stop, trace, listed[i])
        failure = failed_call(text, row.get("error")) or (NULL if text is None else "")
        yield Answer(
            "generate",
            None if failure else text,
            place,
            context,
            turn_name(name, turn),
            system=system,
            missing=failure,
            stop=stop,
            trace=trace,
        )


FORMAT = Format("conversations that end in the answer", _recognises, _answers)
