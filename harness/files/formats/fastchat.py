"""Answers of FastChat's MT-Bench and of Arena-Hard v0.1: `choices`, each with its `turns`, under a question's id.

Sources: lm-sys/FastChat `llm_judge/gen_model_answer.py`; lmarena/arena-hard-auto `gen_answer.py`, v0.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.files.answers import Answer, turn_name
from harness.files.cells import failed_call, name_of
from harness.files.conversations import content_text
from harness.files.formats import Format, Reading
from harness.files.formats._asked import asked_under
from harness.files.formats._stops import stated_stop, text_or_none, thoughts
from harness.files.rows import Row
from harness.types import DistillbenchError


def _recognises(row: Row) -> bool:
    first = next(iter(row.get("choices") or ()), None)
    has_turns = isinstance(first, Mapping) and "turns" in first
    return has_turns and bool({"question_id", "uid"} & row.keys())


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    name = name_of(row.get("question_id", row.get("uid")))
    if name is None:
        raise DistillbenchError(f"{place}: expected a question_id, got none")
    for draw, choice in enumerate(row["choices"]):
        for turn, said in enumerate(choice["turns"]):
            content = said.get("content") if isinstance(said, Mapping) else said
            stop = stated_stop(said, choice if turn + 1 == len(choice["turns"]) else None)
            trace = thoughts(said)
            content = text_or_none(content, stop, trace, said)
            failure = "an error: no text" if content is None else failed_call(content)
            asked = (
                asked_under(name, reading.asked, place, reading.prompts_file) if not turn else None
            )
            yield Answer(
                "generate",
                None if failure else content_text(content, place),
                place,
                asked.context if asked else None,
                turn_name(name, turn),
                system=asked.system if asked else None,
                draw=draw,
                missing=failure,
                stop=stop,
                trace=trace,
            )


FORMAT = Format("answers of FastChat or Arena-Hard v0.1", _recognises, _answers)
