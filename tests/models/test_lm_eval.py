"""lm-eval's own model types: its `hf` against ours, and its API clients against a server here."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.models.hf import HfModel
from harness.models.lm_eval import LmEvalModel
from harness.plugins import build
from harness.text.clean import clean
from harness.types import Decoding, DistillbenchError, Message, Paths, Request
from tests.models.asking import answered
from tests.models.failing import failing

pytest.importorskip("lm_eval")
PATHS = Paths(Path("r"), Path("c"), ())


def _model(**fields: object) -> LmEvalModel:
    return build("models", "m", {"kind": "lm_eval", "snapshot": "2026-01-31", **fields})  # type: ignore[no-any-return]


REQUESTS = [
    Request(0, "score", "Question: what metal is dug in Orl? Answer:", continuation=" tin"),
    Request(1, "generate", "The miller of Brask", until=("e",), max_new_tokens=12),
    Request(2, "read", "", continuation="The miller paints the door red. " * 9),
    Request(3, "score", "The rain ", continuation="comes down"),
    Request(4, "generate", "Sieben Zwerge", max_new_tokens=12),
]
TALK = (Message("user", "add 3 and 4"), Message("assistant", "you get 7"), Message("user", "Done."))


def test_lm_evals_hf_equals_ours(llama: Path) -> None:
    # short enough for the model: of a longer one lm-eval would cut the beginning off, which ours keeps
    brief = (Message("user", "add 3"), Message("assistant", "7"))
    talk = [
        Request(5, "generate", brief[:1], max_new_tokens=5),
        Request(6, "score", brief, continuation=" x", open=False),
    ]
    requests = [*REQUESTS, *talk]
    common = {"chat": True, "system": "sum"}
    hf = HfModel(kind="hf", name="a", path=str(llama), device="cpu", system="sum")
    # of a whole text lm-eval scores the beginning that the tokenizer adds
    requests.remove(REQUESTS[2])
    with hf.open(PATHS) as ours:
        expected = answered(ours, requests)
    theirs = _model(
        model="hf", args={"pretrained": str(llama), "device": "cpu", "dtype": "float32"}, **common
    )
    assert theirs.offers() == {"generate", "score", "read"}
    with theirs.open(PATHS) as session:
        assert not session.journaled
        found = answered(session, requests)
        assert session.facts()["type"] == "hf"
    assert found.text == expected.text
    assert found.greedy == expected.greedy
    scored = [REQUESTS[0], REQUESTS[3]]
    assert found.n_tokens[[0, 2]].tolist() == [len(_ids(llama, r.continuation)) for r in scored]
    np.testing.assert_allclose(found.logprob_nats, expected.logprob_nats, rtol=1e-5)


def _ids(folder: Path, text: str) -> list[int]:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder).encode(text, add_special_tokens=False)  # type: ignore[no-any-return]


class _Server(ThreadingHTTPServer):
    """An OpenAI-like server: completions score with a model, chat completions repeat what was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.seen: list[dict[str, Any]] = []
        self.broken = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append({**body, "authorization": self.headers["Authorization"]})
        answer = (
            self._chat(body) if self.path.endswith("/chat/completions") else self._completion(body)
        )
        payload = json.dumps({"error": "down"} if self.server.broken else answer).encode()
        self.send_response(500 if self.server.broken else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        content = " / ".join(f"{m['role']} {m['content']}" for m in body["messages"])
        return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]}

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not body.get("echo"):
            return {"choices": [{"index": 0, "text": f" {len(body['prompt'][0])} tokens"}]}
        model = AutoModelForCausalLM.from_pretrained(self.server.folder)
        names = AutoTokenizer.from_pretrained(self.server.folder)
        choices = []
        for index, ids in enumerate(body["prompt"]):
            with torch.inference_mode():
                scores = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
            chosen = [None, *(float(scores[i, token]) for i, token in enumerate(ids[1:])), -1.0]
            best = [None, *({names.decode([int(r.argmax())]): float(r.max())} for r in scores)]
            choices.append(
                {"index": index, "logprobs": {"token_logprobs": chosen, "top_logprobs": best}}
            )
        return {"choices": choices}

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@pytest.fixture
def server(plain_llama: Path) -> Iterator[_Server]:
    pytest.importorskip(
        "tenacity", reason="lm-eval's API clients need tenacity: pip install 'lm-eval[api]'"
    )
    with _Server(plain_llama) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_completions_server(server: _Server, plain_llama: Path) -> None:
    requests = [r for r in REQUESTS if r.kind == "score"]
    with HfModel(kind="hf", name="a", path=str(plain_llama), device="cpu").open(PATHS) as ours:
        expected = answered(ours, requests)
    args = {
        "base_url": f"{server.url}/completions",
        "tokenizer": str(plain_llama),
        "tokenizer_backend": "huggingface",
    }
    theirs = _model(model="local-completions", args={**args, "model": "tiny", "max_length": 48})
    with theirs.open(PATHS) as session:
        found = answered(session, [*requests, REQUESTS[4]])
    np.testing.assert_allclose(found.logprob_nats[:2], expected.logprob_nats, rtol=1e-5)
    assert found.greedy[:2] == expected.greedy
    assert found.text[2] == f" {len(_ids(plain_llama, 'Sieben Zwerge'))} tokens"
    assert found.n_tokens[2] == len(_ids(plain_llama, found.text[2] or ""))


def test_a_chat_server(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "k-123")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    args = {"base_url": f"{server.url}/chat/completions", "model": "tiny", "max_retries": 1}
    fields = {
        "model": "local-chat-completions",
        "chat": True,
        "system": "be brief",
        "api_key_env": "MY_KEY",
    }
    model = _model(args=args, **fields)
    requests = [
        Request(i, "generate", TALK, repeat=i, until=("\n",), max_new_tokens=9) for i in (0, 1)
    ]
    with model.open(PATHS) as session:
        found = answered(session, requests, Decoding(temperature=0.7, top_p=0.9))
        answered(session, requests[:1], Decoding(temperature=0.7, top_p=0.9, sample=1))
        answered(session, requests[:1])
        server.broken = True
        with pytest.raises(
            DistillbenchError, match=r"model m: local-chat-completions failed on 1 request.*500"
        ):
            answered(session, requests[:1])
    assert model.offers() == {"generate"}
    assert set(found.text) == {
        "system be brief / user add 3 and 4 / assistant you get 7 / user Done."
    }
    sent = server.seen[0]
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"], sent["stop"]) == (
        0.7,
        0.9,
        9,
        ["\n"],
    )
    assert sent["authorization"] == "Bearer k-123"
    assert len({s["seed"] for s in server.seen[:3]}) == 3
    assert server.seen[3]["temperature"] == 0
    assert "OPENAI_API_KEY" not in os.environ


def test_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    anthropic = _model(model="anthropic-chat", args={"model": "c", "api_key": "k"})
    faults = "\n".join(anthropic.faults(PATHS))
    for expected in (
        "no secret in a configuration",
        "set `chat: true`",
    ):
        assert expected in faults
    assert "did you mean 'local-completions'" in _model(model="local-completion").faults(PATHS)[0]
    assert not _model(model="local-completions").faults(PATHS)
    assert "ANTHROPIC_API_KEY is not set" in anthropic.unready()[0]
    assert not _model(model="local-completions").unready()
    assert (
        "NO_SUCH is not set"
        in _model(model="local-completions", api_key_env="NO_SUCH").unready()[0]
    )
    for fields, expected in (
        ({"snapshot": ""}, "key snapshot is missing"),
        ({"batch": 0}, "key batch"),
    ):
        with pytest.raises(DistillbenchError, match=expected):
            _model(model="vllm", **fields)


def test_offers_and_digest() -> None:
    models = [
        _model(model=m)
        for m in ("vllm", "openai-chat-completions", "anthropic-chat", "local-completions")
    ]
    assert ["score" in b.offers() for b in models] == [True, False, False, True]
    assert "score" in _model(model="openai-completions", scores=True).offers()
    one = _model(model="vllm", args={"pretrained": "a", "num_concurrent": 1})
    assert one.key(PATHS) == _model(
        model="vllm", args={"pretrained": "a", "num_concurrent": 9}
    ).key(PATHS)
    others: list[dict[str, object]] = [
        {"args": {"pretrained": "b"}},
        {"snapshot": "x"},
        {"model": "hf"},
        {"system": "s"},
    ]
    plain: dict[str, object] = {"model": "vllm", "args": {"pretrained": "a"}}
    changed = [_model(**{**plain, **o}).key(PATHS) for o in others]
    assert len({one.key(PATHS), *changed}) == 5


def test_wrong_arguments_and_kinds(llama: Path) -> None:
    nowhere = _model(model="hf", args={"pretrained": str(llama / "nothing"), "device": "cpu"})
    refused = pytest.raises(DistillbenchError, match="lm-eval cannot make hf with pretrained")
    with refused, nowhere.open(PATHS):
        pass
    args = {"base_url": "http://127.0.0.1:9/v1/chat/completions", "model": "tiny"}
    with _model(model="local-chat-completions", args=args).open(PATHS) as session:
        with pytest.raises(DistillbenchError, match="takes conversations only"):
            answered(session, REQUESTS[1:2])
        with pytest.raises(DistillbenchError, match="returns no tokens"):
            answered(session, REQUESTS[1:2], Decoding(top_logprobs=1))


@pytest.mark.parametrize("kind", ["local-chat-completions", "local-completions"])
def test_a_response_without_a_text_is_no_answer(kind: str) -> None:
    pytest.importorskip("tenacity", reason="lm-eval's API clients need it: lm-eval[api]")
    chat = "chat" in kind
    path = "chat/completions" if chat else "completions"
    texts = [f"Tell me about thing {i}." for i in range(3)]
    requests = [
        Request(i, "generate", (Message("user", text),) if chat else text)
        for i, text in enumerate(texts)
    ]
    with failing(lambda prompt, n: "no text" if prompt == texts[1] else "") as server:
        args: dict[str, Any] = {"base_url": f"{server.url}/{path}", "model": "tiny"}
        args["tokenizer_backend"] = "none"
        if not chat:
            args["tokenized_requests"] = False
        with _model(model=kind, chat=chat, args=args).open(PATHS) as session:
            found = answered(session, requests)
    assert found.answered == (True, False, True)
    assert found.text == (f"you said {texts[0]}", None, f"you said {texts[2]}")


class _Thinker:
    """A model of lm-eval's whose chat template opens a thought."""

    tokenizer: Any = None
    think_end_token: str | None = None

    def apply_chat_template(self, history: Any, add_generation_prompt: bool) -> str:
        return f"{history[-1]['content']}\n<think>\n"

    def generate_until(self, asked: Any) -> list[str]:
        return ["Hm, 7 or", "Hm.\n</think>\n\nSeven.", "Seven."]


@pytest.mark.parametrize(
    ("end", "special", "is_open"),
    [(None, [], True), ("</think>", [], False), (None, ["</think>"], False)],
)
def test_a_thought_that_the_template_opens_and_nothing_closes_was_cut(
    monkeypatch: pytest.MonkeyPatch, end: str | None, special: list[str], is_open: bool
) -> None:
    """Where lm-eval leaves the end of thoughts out, what has none may be whole."""
    made = _Thinker()
    made.think_end_token, made.tokenizer = end, SimpleNamespace(all_special_tokens=special)
    monkeypatch.setattr("lm_eval.api.registry.get_model", lambda name: lambda **args: made)
    asked = [Request(i, "generate", (Message("user", "add"),)) for i in range(2)]
    asked.append(Request(2, "generate", "add 3 and 4"))
    with _model(model="hf", chat=True).open(PATHS) as session:
        cut, whole, plain = (clean(text or "") for text in answered(session, asked).text)
    assert cut.is_open == is_open
    assert (cut.trace if is_open else cut.text) == "Hm, 7 or"
    assert (whole.text, whole.trace) == ("Seven.", "Hm.")
    assert plain == ("Seven.", "", (), False)
