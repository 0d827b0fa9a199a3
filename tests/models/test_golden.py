"""Answers that each kind of model gave when its `version` was last raised.

No code is in the key of an answer, so that nobody is asked again because a line was reworded. This test stands in for
it: answers that change under an old version would be mixed with stored ones. After a change that is meant, raise the
version and run `python -m tests.models.test_golden`, which writes the new answers into golden.json.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.keys import canonical
from harness.models import AbstractModel, AbstractSession
from harness.models.fake import FakeModel
from harness.models.hf import HfModel
from harness.models.lm_eval import LmEvalModel
from harness.models.recorded import RecordedModel
from harness.models.server import ServerModel
from harness.models.zoo import ZooModel
from harness.plan import collections
from harness.plugins import build, kinds
from harness.types import Decoding, Kind, Message, Outputs, Paths, Request
from tests.changes import defaults
from tests.models import asking
from tests.models.tiny import byte_tokenizer, save_llama

FILE = Path(__file__).with_name("golden.json")
CURE = (
    "if this is meant, raise {raised} and run `python -m tests.models.test_golden`; if not, what is stored would be "
    "taken for what is now answered: undo the change"
)
TALK = (Message("user", "add 3 and 4"), Message("assistant", "you get 7"), Message("user", "Done."))
REQUESTS = (
    Request(0, "generate", "The miller of Brask", max_new_tokens=8),
    Request(1, "generate", "Question: what metal", max_new_tokens=8, temperature=0.9, top_p=0.8),
    Request(2, "generate", "Question: what metal", repeat=1, max_new_tokens=8, temperature=0.9),
    Request(3, "generate", TALK, max_new_tokens=8, until=("e",)),
    Request(4, "generate", "Then serve them"),
    Request(5, "score", "Question: what metal is dug in Orl? Answer: ", continuation="tin"),
    Request(6, "score", TALK, slot=1, continuation=" seven"),
    Request(7, "read", "", continuation="The miller paints the door red. " * 5),
    Request(8, "choose", "q1", n_options=4),
)
DECODING = Decoding(max_new_tokens=6, seed=3, sample=1)
KINDS: dict[str, type[AbstractModel]] = {
    "fake": FakeModel,
    "hf": HfModel,
    "lm_eval": LmEvalModel,
    "recorded": RecordedModel,
    "server": ServerModel,
}
FORMS = {"request": Request(0, "generate", ""), "decoding": Decoding()}
# Its answers are those of hf with weights that its key names by the code that trains them.
WITHOUT = {"zoo"}


class Echo:
    """What lm-eval's models would be asked, as their answers."""

    def loglikelihood(self, asked: Sequence[Any]) -> list[tuple[float, bool]]:
        return [(-float(len(str(i.arguments))), True) for i in asked]

    def loglikelihood_rolling(self, asked: Sequence[Any]) -> list[float]:
        return [-float(len(str(i.arguments))) for i in asked]

    def generate_until(self, asked: Sequence[Any]) -> list[str]:
        return [json.dumps(i.arguments, sort_keys=True) for i in asked]

    def apply_chat_template(self, history: object, add_generation_prompt: bool) -> str:
        return json.dumps([history, add_generation_prompt])


def sent_back(connection: object, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a server is asked, as its answer; of a prompt, every letter is a token."""
    letters = list(body["prompt"]) if "echo" in body else []
    scores = {
        "tokens": ["<s>", *letters],
        "token_logprobs": [None, *(-float(len(json.dumps(body))) for _ in letters)],
        "top_logprobs": [None, *({"x": -1.0} for _ in letters)],
    }
    text = json.dumps([path, body], sort_keys=True)
    choice = {
        "text": text,
        "message": {"content": text},
        "finish_reason": "stop",
        "logprobs": scores,
    }
    return {"choices": [choice], "usage": {"completion_tokens": 4}}


def model_of(kind: str, folder: Path) -> AbstractModel:
    """A model of a kind."""
    fields: dict[str, Any] = {"kind": kind, "system": "be brief"}
    if kind == "hf":
        fields |= {"path": str(checkpoint(folder)), "device": "cpu", "threads": 1}
    if kind == "lm_eval":
        fields |= {"model": "local-completions", "snapshot": "2026-01-31"}
    if kind == "server":
        fields |= {"url": "http://127.0.0.1:9/v1", "model": "tiny", "connections": 1}
    if kind == "recorded":
        columns = {"prompt": "prompt", "answer": "said", "choice": "pick", "sample": "draw"}
        fields |= {"file": str(recording(folder)), "columns": columns, "where": {"model": "{name}"}}
    model: AbstractModel = build("models", "golden", fields)
    return model


@contextlib.contextmanager
def opened(model: AbstractModel, folder: Path) -> Iterator[AbstractSession]:
    """The model, ready to be asked."""
    with pytest.MonkeyPatch.context() as patch:
        if model.kind == "lm_eval":
            patch.setattr("lm_eval.api.registry.get_model", lambda name: Echo)
        patch.setattr("harness.models._server_http.Connection.post", sent_back)
        with model.open(Paths(folder, folder, (), folder)) as session:
            yield session


def checkpoint(folder: Path) -> Path:
    """A llama whose weights are the same on every machine, to the last bit."""
    import torch
    from transformers import LlamaForCausalLM

    save_llama(folder, byte_tokenizer())
    model, rng = LlamaForCausalLM.from_pretrained(folder), np.random.default_rng(5)
    with torch.no_grad():
        for _, weights in sorted(model.named_parameters()):
            if weights.dim() > 1:
                weights.copy_(torch.from_numpy(rng.random(tuple(weights.shape)) - 0.5).float())
    model.save_pretrained(folder)
    return folder


def recording(folder: Path) -> Path:
    """A file of answers to some of the requests, of two models and two draws."""
    rows = [
        {"model": m, "prompt": p, "said": f"{m} {p} {d}", "pick": "B", "draw": d}
        for m in ("golden", "other")
        for p in ("The miller  of Brask", "Question: what metal", "Done.", "q1")
        for d in (1, 2, 3)
    ]
    path = folder / "recorded.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def answered(kind: str, folder: Path) -> dict[str, Any]:
    """The answers of a kind to those requests that it takes, as plain values."""
    model = model_of(kind, folder)
    kinds: frozenset[Any] = model.offers()
    with opened(model, folder) as session:
        asked = [r for r in REQUESTS if r.kind in kinds]
        decoding = DECODING
        if "tokens" in kinds:
            decoding = Decoding(**{**vars(DECODING), "top_logprobs": 2})
        return plain(
            asking.answered(session, asked, decoding, [f"prompt {r.prompt}" for r in asked])
        )


def plain(found: Outputs) -> dict[str, Any]:
    """Outputs as JSON has them; log-probabilities in nats."""
    values = {
        "kind": list[Kind](found.kind),
        "text": list(found.text),
        "stop": list(found.stop),
        "choice": list(found.choice),
        "answered": list(found.answered),
        "greedy": list(found.greedy),
        "n_tokens": found.n_tokens.tolist(),
        "logprob_nats": [None if np.isnan(x) else round(float(x), 5) for x in found.logprob_nats],
    }
    if found.tokens is None:
        return values
    numbers = {"logprobs": found.tokens.logprobs, "top_logprobs": found.tokens.top_logprobs[:, 0]}
    rounded = {k: [round(float(x), 5) for x in v] for k, v in numbers.items()}
    return {**values, "ids": found.tokens.token_ids.tolist(), **rounded}


def stored() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text("utf-8")))


def now(name: str) -> int:
    """The number that is raised when answers, or the form of what is asked, change."""
    return KINDS[name].version if name in KINDS else collections._FORM


def differences(kept: Any, found: dict[str, Any]) -> list[str]:
    """Names of the columns in which answers differ, numbers by more than 1e-4."""
    return [k for k in {**kept, **found} if not same(kept.get(k), found.get(k))]


def same(one: Any, two: Any) -> bool:
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float) and isinstance(two, float):
        return abs(one - two) <= 1e-4
    return bool(one == two)


def moved_defaults(name: str, kept: dict[str, Any]) -> list[str]:
    """Fields that were in keys and are gone, or whose default, which is left out of keys, is another."""
    spec: Any = KINDS[name] if name in KINDS else type(FORMS[name])
    current = {k: canonical(v) for k, v in defaults(spec).items()}
    return [k for k, v in kept.items() if current.get(k) != canonical(v)]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_change_only_with_the_version(kind: str, tmp_path: Path) -> None:
    kept, raised = stored()[kind], f"{KINDS[kind].__name__}.version"
    cure = CURE.format(raised=raised)
    assert kept["version"] == now(kind), f"golden.json has answers of another version; {cure}"
    changed = differences(kept["answers"], answered(kind, tmp_path))
    assert not changed, f"the answers of kind {kind} changed ({', '.join(changed)}); {cure}"


@pytest.mark.parametrize("name", [*KINDS, *FORMS])
def test_defaults_change_only_with_the_version(name: str) -> None:
    raised = f"{KINDS[name].__name__}.version" if name in KINDS else "_FORM in plan/collections.py"
    kept, cure = stored()[name], CURE.format(raised=raised)
    assert kept["version"] == now(name), f"golden.json has defaults of another version; {cure}"
    moved = moved_defaults(name, kept["defaults"])
    assert not moved, f"{name}: {', '.join(moved)} is gone or has another default; {cure}"


def test_every_kind_has_golden_answers() -> None:
    assert stored().keys() == KINDS.keys() | FORMS.keys()
    assert {*kinds("models")} == KINDS.keys() | WITHOUT
    assert ZooModel.version == HfModel.version


def test_small_differences_of_numbers_do_not_count() -> None:
    kept = {"text": ["a", None], "logprob_nats": [None, -1.5]}
    assert differences(kept, {"text": ["a", None], "logprob_nats": [None, -1.50009]}) == []
    assert differences(kept, {"text": ["b", None], "logprob_nats": [None, -1.5002]}) == [
        "text",
        "logprob_nats",
    ]
    assert differences(kept, {"text": ["a"], "logprob_nats": [None, -1.5]}) == ["text"]


def write() -> int:
    """Writes the golden answers; refuses those that changed while the version did not. Returns the exit code."""
    kept, made, refused = stored() if FILE.exists() else {}, dict[str, Any](), []
    for name in (*KINDS, *FORMS):
        spec: Any = KINDS[name] if name in KINDS else type(FORMS[name])
        new: dict[str, Any] = {"version": now(name), "defaults": defaults(spec)}
        if name in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                new["answers"] = answered(name, Path(folder))
        old = kept.get(name)
        if old and old["version"] == new["version"]:
            moved = moved_defaults(name, old["defaults"])
            if moved or differences(old.get("answers", {}), new.get("answers", {})):
                refused.append(name)
        made[name] = new
    if refused:
        print(f"not written: {', '.join(refused)} changed under an old version; raise it first")
        return 1
    FILE.write_text(spelled(json.loads(canonical(made)), 3) + "\n", "utf-8")
    return 0


def spelled(value: Any, levels: int) -> str:
    """JSON with a line for each column of answers."""
    if not levels or not isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    inner = [f"{json.dumps(k)}: {spelled(v, levels - 1)}" for k, v in sorted(value.items())]
    return "{\n" + ",\n".join(inner) + "\n}"


if __name__ == "__main__":
    sys.exit(write())
