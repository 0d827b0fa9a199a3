"""Log-probabilities of prompts from servers, against the checkpoint itself and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models._server_faults import Fault
from harness.models._server_scores import read_scores
from harness.models._server_session import Identity, Manner, ServerSession
from harness.models.hf import HfModel
from harness.models.server import ServerModel
from harness.plugins import build
from harness.types import Paths, Request
from tests.models.asking import answered

PATHS = Paths(Path("r"), Path("c"), ())
REQUESTS = [
    Request(0, "score", "Question: what metal is dug in Orl? Answer:", continuation=" tin"),
    Request(1, "score", "The rain ", slot=1, continuation="comes down"),
    Request(2, "score", "a b", continuation=" c d e"),
    Request(3, "read", "", continuation="The miller paints the door red."),
    Request(4, "read", "The miller", continuation=" paints the door."),
]


class Echo:
    """The checkpoint behind a server's interface: tokens of a prompt with log-probabilities, as vLLM gives them."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._model: Any = AutoModelForCausalLM.from_pretrained(folder)
        self._names: Any = AutoTokenizer.from_pretrained(folder)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        import torch

        assert (path, body["echo"], body["logprobs"], body["max_tokens"]) == (
            "/completions",
            True,
            1,
            1,
        )
        own = self._names.encode(body["prompt"], add_special_tokens=False)
        ids = [self._names.bos_token_id, *own]
        with torch.inference_mode():
            rows = torch.log_softmax(self._model(torch.tensor([ids])).logits[0], -1)
        ids.append(int(rows[-1].argmax()))
        best = [{self._names.decode([int(r.argmax())]): float(r.max())} for r in rows]
        logprobs = {
            "tokens": [self._names.decode([i]) for i in ids],
            "token_logprobs": [None, *(float(r[i]) for r, i in zip(rows, ids[1:], strict=True))],
            "top_logprobs": [None, *best],
        }
        return {"choices": [{"text": "", "logprobs": logprobs, "finish_reason": "length"}]}


def test_log_probabilities_are_the_checkpoint_s(llama: Path) -> None:
    hf = HfModel(kind="hf", name="a", path=str(llama), device="cpu", dtype="float32")
    with hf.open(PATHS) as ours:
        expected = answered(ours, REQUESTS)
    fields = {"kind": "server", "url": "http://127.0.0.1:9/v1", "model": "tiny"}
    model: ServerModel = build("models", "m", fields)
    assert model.offers() == {"generate", "score", "read"}
    session = ServerSession(
        model.wire(), Echo(llama), "here", Manner(2, 1), Identity("m", None), {}
    )
    found = answered(session, REQUESTS)
    np.testing.assert_allclose(found.logprob_nats, expected.logprob_nats, rtol=1e-5)
    assert found.greedy == expected.greedy
    assert found.n_tokens.tolist() == expected.n_tokens.tolist()


def tokens(*texts: str, first: float | None = None, best: float = -0.5) -> dict[str, Any]:
    """Tokens of which the i-th has a log-probability of -i."""
    nats = [first, *(-float(i) for i in range(1, len(texts)))]
    return {
        "tokens": list(texts),
        "token_logprobs": nats,
        "top_logprobs": [{"x": best}] * len(texts),
    }


@pytest.mark.parametrize(
    ("context", "continuation", "told", "nats", "n"),
    [
        ("a b", " c d", tokens("<s>", "a", " b", " c", " d", " e"), -7.0, 2),
        ("a b ", "c d", tokens("<s>", "a", " b", " c", " d", " e"), -7.0, 2),  # the blank is moved
        ("a b", "c d", tokens("<s>", "a", " bc", " d", " e"), -5.0, 2),  # a token on the boundary
        ("a b", " c", tokens("a", " b", " c", " d"), -2.0, 1),  # nothing before the prompt
        ("", "a b", tokens("<s>", "a", " b", " c"), -3.0, 2),
        ("  ", "a b", tokens("<s>", "  a", " b", " c"), -3.0, 2),
        ("a", " é", tokens("<s>", "a", " ", "é", "!"), -5.0, 2),
    ],
)
def test_which_tokens_count_to_a_continuation(
    context: str, continuation: str, told: dict[str, Any], nats: float, n: int
) -> None:
    row = read_scores(Request(0, "score", context, continuation=continuation), context, told)
    assert (row.logprob_nats, row.n_tokens, row.greedy) == (nats, n, False)


def test_a_continuation_of_likeliest_tokens_is_greedy() -> None:
    told = tokens("<s>", "a", " b", best=-2.0)
    row = read_scores(Request(0, "score", "a", continuation=" b"), "a", told)
    assert row.greedy


@pytest.mark.parametrize(
    ("told", "words", "effect"),
    [
        (None, "answers without log-probabilities", "missing"),
        ({"content": [{"token": "a", "logprob": -1.0}]}, "answers without log-probabilities", "missing"),
        (tokens("<s>", "a", " X"), "do not spell the prompt", "missing"),
        (tokens("a b", " c"), "no log-probability for the first token", "missing"),
        ({**tokens("<s>", "a", " b"), "token_logprobs": [None, -1.0]}, "unreadable", "again"),
        ({**tokens("<s>", "a", " b"), "token_logprobs": [None, -1.0, "x"]}, "unreadable", "again"),
        ({**tokens("<s>", "a", " b"), "token_logprobs": [None, -1.0, 0.5]}, "that are none", "again"),
        ({**tokens("<s>", "a", " b"), "token_logprobs": [None, -1.0, float("nan")]}, "are none", "again"),
    ],
)  # fmt: skip
def test_what_is_no_log_probability_is_no_answer(told: Any, words: str, effect: str) -> None:
    with pytest.raises(Fault, match=words) as caught:
        read_scores(Request(0, "score", "a", continuation=" b"), "a", told)
    assert caught.value.effect == effect
