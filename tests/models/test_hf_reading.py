"""Texts that are read: where they begin behind a chat template, over every shape, against transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.metrics.bits_per_byte import bits_per_byte
from harness.models._hf_context import Contexts, Manner
from harness.models._hf_model import LoadedModel
from harness.models._hf_text import Context, Speller, make_speller
from harness.models.hf import HfModel
from harness.models.lm_eval import LmEvalModel
from harness.panel.side import Side
from harness.plugins import build
from harness.text.clean import TRACES
from harness.types import Decoding, Message, Outputs, Paths, Prompt, Request, RequestSet
from tests.models.asking import answered
from tests.models.shapes import SHAPES, _turns, pieces
from tests.models.tiny import byte_tokenizer, save_llama

TEXTS = ("tin", "in Orl, at the mine", "naïve 東京", "- a\n- b\n")
TALK = (Message("user", "add 3"),)
OWN_OPENING = {"qwen_3"}  # opens a reply with thoughts that earlier replies do not have
# what stands in an earlier reply behind that which opens a new one
BEHIND = {"no_opening": "assistant:", "channels": "<|channel|>final<|message|>"}


def _own_ids(tokenizer: Any, talk: tuple[Message, ...], **options: Any) -> list[int]:
    """transformers' ids of a conversation."""
    turns = [{"role": m.role, "content": m.text} for m in talk]
    ids: list[int] = tokenizer.apply_chat_template(
        turns, tokenize=True, return_dict=False, **options
    )
    return ids


def _expected(tokenizer: Any, shape: str, text: str) -> tuple[list[int], list[int]]:
    """Ids that the model is asked with, and those of the reply behind them in the template's own rendering."""
    start = _own_ids(tokenizer, TALK, add_generation_prompt=True)
    start += tokenizer.encode(BEHIND.get(shape, ""), add_special_tokens=False)
    if shape in OWN_OPENING:
        return start, tokenizer.encode(text, add_special_tokens=False)
    whole = _own_ids(tokenizer, (*TALK, Message("assistant", text)), continue_final_message=True)
    assert whole[: len(start)] == start
    return start, whole[len(start) :]


def _pair(speller: Speller, text: str) -> tuple[list[int], list[int]]:
    loaded: Any = LoadedModel("m", None, speller, None, 512, frozenset(), frozenset(), ())
    contexts = Contexts(loaded, Manner(None, False), lambda note, _: None)
    start, target, spelled = contexts.pair(Request(0, "read", TALK, continuation=text))
    assert spelled == text
    return start, target


@pytest.fixture(params=[s for s in SHAPES if not SHAPES[s].dated])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_reply_begins_where_the_template_ends(name: str) -> None:
    tokenizer = SHAPES[name].tokenizer()
    speller = make_speller("m", tokenizer, len(tokenizer))
    for text in TEXTS:
        assert _pair(speller, text) == _expected(tokenizer, name, text)
    for text in (" a blank first", "\na line first"):
        start, target = _pair(speller, text)
        assert start == _expected(tokenizer, name, "tin")[0]
        assert tokenizer.decode(target).strip() == text.strip()
        assert len(target) >= len(speller._bare(text.strip()))


def test_log_probabilities_are_those_of_a_loop_over_the_template_s_ids(
    name: str, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    save_llama(tmp_path, SHAPES[name].tokenizer(), max_position_embeddings=256)
    model = HfModel(kind="hf", name="m", path=str(tmp_path), device="cpu")
    requests = [Request(i, "read", TALK, continuation=t) for i, t in enumerate(TEXTS)]
    with model.open(Paths(tmp_path, tmp_path)) as session:
        found = session.answer_batch(requests, ["p"] * len(requests), Decoding(top_logprobs=3))
    own: Any = AutoModelForCausalLM.from_pretrained(tmp_path).double()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for row, text in enumerate(TEXTS):
        start, target = _expected(tokenizer, name, text)
        with torch.inference_mode():
            logits = own(torch.tensor([start + target])).logits[0, len(start) - 1 : -1]
        nats = logits.log_softmax(-1)[torch.arange(len(target)), torch.tensor(target)]
        assert found.n_tokens[row] == len(target)
        assert found.logprob_nats[row] == pytest.approx(float(nats.sum()), rel=1e-5)
    assert found.tokens is not None
    assert found.tokens.byte_ends is not None
    ends = found.tokens.byte_ends[found.tokens.offsets[1:] - 1]
    assert ends.tolist() == [len(text.encode()) for text in TEXTS]


def test_a_text_that_would_join_the_template_is_read_alone() -> None:
    """ "i" and "n" are one token of this tokenizer; the template ends in "i" all the same."""
    make = pieces("<s>", "</s>", eos="</s>", puts=("<s>", ""), dummy=False)
    tokenizer = make(_turns("m['role']", "</s>", "i", before="{{ bos_token }}"))
    speller = make_speller("m", tokenizer, len(tokenizer))
    start, target = _pair(speller, "n Orl")
    assert start == _own_ids(tokenizer, TALK, add_generation_prompt=True)
    assert tokenizer.convert_ids_to_tokens(target) == ["n", "▁", "O", "r", "l"]


def test_options_and_prefills_are_cut_at_white_space() -> None:
    """Options as lm-eval has them; a prefilled reply is plain text that goes on."""
    tokenizer = SHAPES["phi"].tokenizer()
    speller = make_speller("m", tokenizer, len(tokenizer))
    loaded: Any = LoadedModel("m", None, speller, None, 512, frozenset(), frozenset(), ())
    contexts = Contexts(loaded, Manner(None, False), lambda note, _: None)
    begun = (*TALK, Message("assistant", "So: "))
    for kind, talk, is_open, spelled in (
        ("score", TALK, True, "\ntin"),
        ("read", TALK, True, "tin"),
        ("score", begun, False, " tin"),
        ("read", begun, False, " tin"),
    ):
        request = Request(0, kind, talk, continuation="tin", open=is_open)  # type: ignore[arg-type]
        start, target, text = contexts.pair(request)
        assert (text, tokenizer.decode(target)) == (spelled, spelled)
        assert tokenizer.decode(start).rstrip() == tokenizer.decode(start).rstrip("\n")


@pytest.mark.parametrize(("opening", "closing"), TRACES)
@pytest.mark.parametrize("behind", ["", "\n"])
def test_a_text_is_read_behind_the_thought_that_the_template_opens(
    opening: str, closing: str, behind: str
) -> None:
    """As of DeepSeek R1 and Qwen3-Thinking, whose generation prompt ends in "<think>\\n"."""
    tokenizer = SHAPES["phi"].make(
        _turns("'<|' + m['role'] + '|>\\n'", "<|end|>\n", f"<|assistant|>\n{opening}{behind}")
    )
    speller = make_speller("m", tokenizer, len(tokenizer))
    loaded: Any = LoadedModel("m", None, speller, None, 512, frozenset(), frozenset(), ())
    said: list[str] = []
    contexts = Contexts(loaded, Manner(None, False), lambda note, _: said.append(note))
    start, target, text = contexts.pair(Request(0, "read", TALK, continuation="tin"))
    asked = tokenizer.decode(contexts.prompt(Request(0, "generate", TALK), 4)[0])
    assert asked.endswith(opening + behind)
    assert tokenizer.decode(start) == f"{asked}\n{closing}\n\n"
    assert (tokenizer.decode(target), text) == ("tin", "tin")
    assert any("opens a thought before every reply" in note for note in said)


@pytest.mark.parametrize("context", ["", " ", "\n\n", "i"])
def test_something_stands_before_every_text(context: str) -> None:
    """Without a beginning of its own: blanks alone, or a context whose only token joins the text."""
    tokenizer = pieces("<s>", "</s>", eos="</s>", puts=("", ""), dummy=False)("")
    speller = make_speller("m", tokenizer, len(tokenizer))
    start, target = speller.encode_pair(Context(context, rendered=False), "n Orl")
    assert start == [speller.prefix_id]
    assert tokenizer.decode(target) == context + "n Orl"


@pytest.mark.parametrize("adds_bos", [False, True])
def test_a_whole_text_has_one_beginning(adds_bos: bool, tmp_path: Path) -> None:
    """lm-eval gives two to a tokenizer that adds one (the second is scored as text), unless told not to add it."""
    lm_eval = pytest.importorskip("lm_eval.models.huggingface")
    from lm_eval.api.instance import Instance

    save_llama(tmp_path, byte_tokenizer(adds_bos=adds_bos))
    text = "The miller paints the door red. " * 9
    model = HfModel(kind="hf", name="m", path=str(tmp_path), device="cpu")
    with model.open(Paths(tmp_path, tmp_path)) as session:
        found = answered(session, [Request(0, "read", "", continuation=text)])
    asked = [Instance("loglikelihood_rolling", {}, (text,), 0)]
    options = {"pretrained": str(tmp_path), "device": "cpu", "dtype": "float32", "batch_size": 1}
    theirs = [
        lm_eval.HFLM(**options, **more).loglikelihood_rolling(asked, disable_tqdm=True)[0]
        for more in ({"add_bos_token": False}, {})
    ]
    assert found.logprob_nats[0] == pytest.approx(theirs[0], rel=2e-6)
    assert (abs(theirs[1] - theirs[0]) > 0.5) == adds_bos
    assert found.n_tokens[0] == len(byte_tokenizer().encode(text, add_special_tokens=False))


def test_lm_evals_models_are_cut_at_the_template_too(llama: Path) -> None:
    requests = [
        Request(0, "read", TALK, continuation="you get 7"),
        Request(1, "read", TALK, continuation="\nyou get 7"),
        Request(2, "read", "Question: add 3. Answer: ", continuation="7"),
        Request(3, "score", TALK, continuation="you get 7"),
    ]
    with HfModel("hf", "a", path=str(llama), device="cpu").open(Paths(llama, llama)) as session:
        ours = answered(session, requests)
    args = {"pretrained": str(llama), "device": "cpu", "dtype": "float32"}
    fields = {"kind": "lm_eval", "model": "hf", "args": args, "snapshot": "1", "chat": True}
    theirs: LmEvalModel = build("models", "b", fields)
    with theirs.open(Paths(llama, llama)) as session:
        found = answered(session, requests)
        again = answered(session, requests[3:])
    np.testing.assert_allclose(found.logprob_nats, ours.logprob_nats, rtol=1e-5)
    assert again.logprob_nats.tolist() == found.logprob_nats[3:].tolist()
    assert found.greedy[:3] == (None,) * 3
    assert abs(found.logprob_nats[0] - found.logprob_nats[3]) > 0.5  # the template's last "\n"


def test_bits_are_told_per_byte_that_was_scored() -> None:
    """8 bits for "\\ntin" of four bytes in plain text, and for "tin" of three in chat."""
    context = {"plain": "Name a metal:\n", "chat": TALK}
    for name, n_bytes in (("plain", 4), ("chat", 3)):
        request = Request(0, "read", context[name], continuation="tin")  # type: ignore[arg-type]
        prompt = Prompt("p", "", "p", "")
        asked = RequestSet("t", (prompt,), (request,), name == "chat", "1", ("reading",))
        outputs = Outputs(
            np.array([0]), ("read",), np.array([1]), (None,), (None,),
            np.array([-8 * np.log(2)]), (None,), (None,), (True,),
        )  # fmt: skip
        side = Side("m", "m", asked, outputs, None, ("k",))
        (stratum,) = bits_per_byte(side, None, 1).strata
        bits, size = float(stratum.numerator[0]), float(stratum.denominator[0])
        assert bits == pytest.approx(8, abs=1e-12)
        assert size == n_bytes
