"""What a checkpoint thinks aloud stays apart from its reply, wherever template and tokenizer put the tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.models._hf_generate import _spelled
from harness.models.hf import HfModel
from harness.plugins import build
from harness.text.clean import TRACES, clean, opened_trace
from harness.types import Decoding, Message, Paths, Request
from tests.models.asking import answered
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
