"""Scores and greedy texts of `hf` against lm-eval's own `hf` model (0.4.13) on the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models._hf_session import HfSession
from harness.models.hf import HfModel
from harness.types import Decoding, Message, Paths, Request
from tests.models.tiny import byte_tokenizer

pytest.importorskip("lm_eval")
PATHS = Paths(Path("r"), Path("c"))

PAIRS = [
    ("Question: what metal is dug in Orl? Answer:", " tin"),
    ("Question: what metal is dug in Orl? Answer:", " silver"),
    ("Question: what metal is dug in Orl? Answer:", " a little silver in good years"),
    ("The miller of Brask paints the door ", "red"),
    ("The miller of Brask \n", "hums an old tune"),
    ("", "Sieben Zwerge grüßen"),
    ("", "x"),
    ("<s>The rain", " comes down"),
    ("Café", " crème 東京"),
]
LONG = "The miller paints the door red and hums. " * 8
TEXTS = [
    "The miller of Brask paints the door red.",
    CORPUS_TEXT := "Sieben Zwerge grüßen höflich; naïve café crème, 東京 and Ωmega. " * 7,
    "a",
    "Wash the pears, cut the pears, then serve them. " * 6,
]
PROMPTS = [
    "The miller of Brask",
    "Question: what metal is dug in Orl? Answer:",
    "1. Wash the pears.\n2.",
    "Sieben Zwerge",
    "a",
    "user asks",
    "system says: add 3 and 4",
]


def _reference(folder: Path, **more: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=1, **more)


def _instances(kind: str, arguments: list[Any]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [
        Instance(request_type=kind, doc={}, arguments=a, idx=i) for i, a in enumerate(arguments)
    ]


@pytest.fixture(params=["llama", "plain_llama", "penalised_llama"])
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


@pytest.fixture
def session(folder: Path) -> Iterator[HfSession]:
    with HfModel(kind="hf", name="m", path=str(folder), dtype="float32", device="cpu").open(
        PATHS
    ) as entered:
        yield entered


def test_continuations(folder: Path, session: HfSession) -> None:
    expected = _reference(folder).loglikelihood(
        _instances("loglikelihood", PAIRS), disable_tqdm=True
    )
    requests = [Request(0, "score", context, continuation=text) for context, text in PAIRS]
    found = session.answer_batch(requests, ["p"] * len(requests), Decoding())
    np.testing.assert_allclose(found.logprob_nats, [value for value, _ in expected], rtol=2e-6)
    assert list(found.greedy) == [greedy for _, greedy in expected]


def test_greedy_continuation_is_said_to_be_greedy(llama: Path) -> None:
    with HfModel(kind="hf", name="m", path=str(llama), device="cpu").open(PATHS) as session:
        (text,) = session.answer_batch(
            [Request(0, "generate", "The", max_new_tokens=3)], ["p"], Decoding()
        ).text
        assert text
        asked = [Request(0, "score", "The", continuation=end) for end in (text, text + "!")]
        assert session.answer_batch(asked, ["p"] * 2, Decoding()).greedy == (True, False)


def test_whole_texts(folder: Path, session: HfSession) -> None:
    """As lm-eval reads them when it is told to add no second beginning."""
    reference = _reference(folder, add_bos_token=False)
    assert len(reference.tok_encode(CORPUS_TEXT)) > 2 * reference.max_length
    instances = _instances("loglikelihood_rolling", [(text,) for text in TEXTS])
    expected = reference.loglikelihood_rolling(instances, disable_tqdm=True)
    requests = [Request(0, "read", "", continuation=text) for text in TEXTS]
    for top in (0, 4):
        found = session.answer_batch(requests, ["p"] * len(requests), Decoding(top_logprobs=top))
        np.testing.assert_allclose(found.logprob_nats, expected, rtol=2e-6)


@pytest.mark.parametrize("until", [(), ("e",), (" the", "\n"), ("Ω", "and"), ("</s>", "a")])
def test_greedy_texts(folder: Path, session: HfSession, until: tuple[str, ...]) -> None:
    options = {"until": list(until), "max_gen_toks": 20, "do_sample": False}
    expected = _reference(folder).generate_until(
        _instances("generate_until", [(p, options) for p in PROMPTS]), disable_tqdm=True
    )
    requests = [Request(0, "generate", p, until=until, max_new_tokens=20) for p in PROMPTS]
    found = session.answer_batch(requests, [str(i) for i in range(len(requests))], Decoding())
    assert list(found.text) == expected
    assert len(set(expected)) > 4


@pytest.mark.parametrize("prefill", [False, True])
def test_conversations(folder: Path, session: HfSession, prefill: bool) -> None:
    reference = _reference(folder)
    turns = [Message("system", "system says"), Message("user", "add 3 and 4")]
    turns += [Message("assistant", "you get 7")] if prefill else []
    rendered = reference.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in turns], not prefill
    )
    options = {"until": ["\n\n"], "max_gen_toks": 8, "do_sample": False}
    expected_text = reference.generate_until(
        _instances("generate_until", [(rendered, options)]), disable_tqdm=True
    )
    pairs = [(rendered, " the pears"), (rendered, "tin")]
    expected = reference.loglikelihood(_instances("loglikelihood", pairs), disable_tqdm=True)
    asked: dict[str, Any] = {"context": tuple(turns), "open": not prefill}
    requests = [Request(0, "generate", until=("\n\n",), max_new_tokens=8, **asked)]
    requests += [Request(0, "score", continuation=text, **asked) for _, text in pairs]
    found = session.answer_batch(requests, ["p"] * 3, Decoding())
    assert found.text[0] == expected_text[0]
    np.testing.assert_allclose(found.logprob_nats[1:], [value for value, _ in expected], rtol=2e-6)


@pytest.mark.parametrize("architecture", ["gpt2", "mistral", "gemma2", "mamba"])
def test_architectures(architecture: str, tmp_path: Path) -> None:
    """Learned positions, a sliding window, capped logits, no key-value cache; rows end at different steps."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    shape = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "vocab_size": len(tokenizer),
        "initializer_range": 0.3,
    }
    heads = {
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 64,
    }
    extra: dict[str, Any] = {
        "gpt2": {"n_head": 2, "n_positions": 64},
        "mistral": {**heads, "sliding_window": 6, "max_position_embeddings": 64},
        "gemma2": {**heads, "sliding_window": 6, "max_position_embeddings": 64},
        "mamba": {},
    }[architecture]
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(architecture, **shape, **extra, **ends)
    )
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    options = {"until": ["e", "t"], "max_gen_toks": 16, "do_sample": False}
    reference = _reference(tmp_path)
    assert reference.max_length in (64, 2048)
    texts = reference.generate_until(
        _instances("generate_until", [(p, options) for p in PROMPTS]), disable_tqdm=True
    )
    values = reference.loglikelihood(_instances("loglikelihood", PAIRS[:3]), disable_tqdm=True)
    requests = [Request(0, "generate", p, until=("e", "t"), max_new_tokens=16) for p in PROMPTS]
    requests += [Request(0, "score", context, continuation=text) for context, text in PAIRS[:3]]
    with HfModel(kind="hf", name="m", path=str(tmp_path), device="cpu").open(PATHS) as session:
        found = session.answer_batch(requests, ["p"] * len(requests), Decoding())
    assert list(found.text[: len(PROMPTS)]) == texts
    assert len(set(found.n_tokens[: len(PROMPTS)].tolist())) > 1
    np.testing.assert_allclose(found.logprob_nats[-3:], [value for value, _ in values], rtol=1e-5)


def test_a_context_that_does_not_fit_keeps_its_beginning(folder: Path, session: HfSession) -> None:
    """48 positions. Where the tokenizer puts nothing before texts, lm-eval cuts alike; else its cut loses <s>."""
    reference, end = _reference(folder), "Then serve them"
    context, target = reference.tok_encode(LONG.rstrip()), reference.tok_encode(" " + end)
    begins = context[0] == 0
    target = target[begins:]
    kept = [*context[:begins], *context[len(context) - (49 - len(target)) + begins :]]
    assert len(kept) + len(target) == 49
    ((expected, _),) = reference._loglikelihood_tokens(
        [(("", ""), kept, target)], disable_tqdm=True
    )
    scored = Request(0, "score", LONG, continuation=end)
    found = session.answer_batch([scored], ["p"], Decoding())
    assert found.logprob_nats[0] == pytest.approx(expected, rel=2e-6)
    assert found.n_cut is not None
    assert found.n_cut.tolist() == [len(context) - len(kept)]
    if not begins:
        (whole,) = reference.loglikelihood(
            _instances("loglikelihood", [(LONG, end)]), disable_tqdm=True
        )
        assert found.logprob_nats[0] == pytest.approx(whole[0], rel=2e-6)


def test_a_prompt_that_does_not_fit_keeps_its_beginning(folder: Path, session: HfSession) -> None:
    """28 of 48 positions are left for the prompt; transformers' own generate goes on from the same ids."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(LONG).input_ids
    begins = int(ids[0] == 0)
    kept = [*ids[:begins], *ids[len(ids) - 28 + begins :]]
    written = AutoModelForCausalLM.from_pretrained(folder).generate(
        torch.tensor([kept]), do_sample=False, max_new_tokens=20, pad_token_id=1
    )
    expected = tokenizer.decode(written[0, 28:], skip_special_tokens=True)
    requests = [Request(0, "generate", LONG, max_new_tokens=20)]
    found = session.answer_batch(requests, ["p"], Decoding())
    assert found.text[0] == expected
    assert found.n_cut is not None
    assert found.n_cut.tolist() == [len(ids) - 28]
