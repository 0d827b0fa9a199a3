"""What a checkpoint thinks aloud stays apart from its reply, wherever template and tokenizer put the tags."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.models._hf_context import Contexts, Manner
from harness.models._hf_generate import Job, Written, _Draft, _ended, _finish, _spelled, _stops
from harness.models._hf_model import LoadedModel
from harness.models._hf_text import make_speller
from harness.models.hf import HfModel
from harness.plugins import build
from harness.text.clean import TRACES, clean, opened_trace, reply_start
from harness.types import Decoding, Message, Paths, Request
from tests.models.asking import answered
from tests.models.shapes import SHAPES
from tests.models.tiny import TEMPLATE, byte_tokenizer, save_llama

ASKED = Request(0, "generate", (Message("user", "add 3 and 4"),), max_new_tokens=4)


def reply(folder: Path, template: str) -> str:
    save_llama(folder / "m", byte_tokenizer(template=template))
    model = build("models", "m", {"kind": "hf", "path": str(folder / "m"), "chat": True})
    assert isinstance(model, HfModel)
    with model.open(Paths(folder, folder)) as session:
        (text,) = answered(session, [ASKED], Decoding()).text
    assert text is not None
    return text


def test_a_reply_that_begins_inside_a_trace_is_stored_behind_its_tag(tmp_path: Path) -> None:
    opens = TEMPLATE.replace("<|assistant|>\n{% endif %}", "<|assistant|>\n<think>\n{% endif %}")
    assert opens != TEMPLATE
    text = reply(tmp_path / "opens", opens)
    assert text.startswith("<think>\n")
    assert clean(text).is_open, "it was cut before the trace had an end"
    assert not reply(tmp_path / "plain", TEMPLATE).startswith("<think>")


@pytest.mark.parametrize(("opening", "closing"), TRACES)
def test_a_prompt_ends_with_an_open_tag_or_not(opening: str, closing: str) -> None:
    assert opened_trace(f"<|assistant|>\n{opening}\n") == opening
    assert opened_trace(f"<|assistant|>\n{opening}\n\n{closing}\n\n") == ""
    assert opened_trace("<|assistant|>\n") == ""


def test_tags_that_are_special_tokens_stay_in_the_text() -> None:
    tokenizer: Any = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "[PAD]"]})
    ids = tokenizer.encode("[THINK]a[/THINK] tin[PAD]", add_special_tokens=False)
    ids = [*ids, tokenizer.eos_token_id]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a tin"
    assert _spelled(tokenizer, ids) == "[THINK]a[/THINK] tin"
    plain = tokenizer.encode("naïve 東京 tin", add_special_tokens=False)
    assert _spelled(tokenizer, plain) == tokenizer.decode(plain, skip_special_tokens=True)


@pytest.mark.parametrize(
    ("text", "opened", "start"),
    [
        ("tin", "", 0),
        ("<think>a\n\nb</think>\n\ntin", "", 21),
        ("a\n\nb</think>\n\ntin", "<think>", 14),
        ("<think>a\n\nb", "", None),
        ("a\n\nb", "<think>", None),
        ("a</think>", "<think>", 9),
    ],
)
def test_where_a_reply_begins(text: str, opened: str, start: int | None) -> None:
    assert reply_start(text, opened) == start


STOPPED = {
    "inside the trace": ("<think>a\n\nb", "", False, None),
    "behind the trace": ("<think>a\n\nb</think>\n\ntin", "", False, None),
    "in the reply": ("<think>a\n\nb</think>\n\ntin\n\nlead", "", True, "<think>a\n\nb</think>\n\ntin"),
    "in a reply in an opened trace": ("a\n\nb</think>\n\ntin\n\nx", "<think>", True, "a\n\nb</think>\n\ntin"),
    "without a trace": ("tin\n\nlead", "", True, "tin"),
}  # fmt: skip


HARMONY = (
    "<|channel|>analysis<|message|>We need to add.<|end|><|start|>assistant"
    "<|channel|>final<|message|>It is 7, my need.<|return|>"
)


def decoded(text: str, stops: tuple[str, ...] = ()) -> Written:
    """What is stored of a model in channels that writes `text`, token by token until something ends it."""
    tokenizer = SHAPES["channels"].tokenizer()
    speller = make_speller("m", tokenizer, len(tokenizer))
    eos = frozenset((int(tokenizer.eos_token_id),))
    loaded: Any = LoadedModel("m", None, speller, None, 512, eos, frozenset(), ())
    contexts = Contexts(loaded, Manner(None, False), lambda note, _: None)
    assert contexts.stops(ASKED) == ()
    draft = _Draft(Job((), 0, 500, 0.0, 1.0, stops, contexts.closing, "seed"))
    windows = {s: len(tokenizer.encode(s, add_special_tokens=False)) + 2 for s in stops}
    for token in tokenizer.encode(text, add_special_tokens=False):
        draft.ids.append(token)
        if _ended(loaded, [draft], windows)[0]:
            break
    return _finish(loaded, draft, 0)


def test_a_thought_in_its_own_channel_does_not_end_the_reply() -> None:
    written = decoded(HARMONY)
    assert written.stop == "eos"
    assert clean(written.text)[:2] == ("It is 7, my need.", "We need to add.")
    small = decoded(HARMONY.replace("We need", "user needs"))
    assert clean(small.text)[:2] == ("It is 7, my need.", "user needs to add.")
    assert clean(decoded("<|channel|>final<|message|>Seven.<|return|>").text).text == "Seven."
    assert clean(decoded("<|channel|>analysis<|message|>user needs").text).is_open


def test_a_stop_string_in_the_analysis_does_not_end_the_reply() -> None:
    written = decoded(HARMONY, ("need",))
    assert written.stop == "stop"
    assert clean(written.text)[:2] == ("It is 7, my ", "We need to add.")


@pytest.mark.parametrize("name", STOPPED)
def test_stop_strings_end_replies_and_no_traces(name: str) -> None:
    """As lm-eval does for models that name their `think_end_token`."""
    text, opened, stops, kept = STOPPED[name]
    loaded: Any = SimpleNamespace(tokenizer=byte_tokenizer(adds_bos=False), eos_ids=frozenset())
    ids = loaded.tokenizer.encode(text, add_special_tokens=False)
    job = Job((), 0, len(ids) + 1, 0.0, 1.0, ("\n\n",), None, "seed", opened)
    draft = _Draft(job, ids)
    assert _stops(loaded, draft, text[-12:] if stops else "b\n\n") is stops
    written = _finish(loaded, draft, 0)
    assert written.text == (text if kept is None else kept)
