"""SmolLM2-135M-Instruct through `hf`: equal to lm-eval's own `hf`, replies that end, no token too many."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models import Ask
from harness.models.hf import HfModel
from harness.tasks import Setting
from harness.tasks.lm_eval import LmEvalTask
from harness.types import Decoding, Message, Outputs, Paths, Request, RequestSet
from tests.models.asking import answered
from tests.tasks import tiny
from tests.tasks.test_lm_eval_equality import own_run

pytestmark = [pytest.mark.real, pytest.mark.slow]
N = 30
FACTS = """
France Paris|Italy Rome|Spain Madrid|Japan Tokyo|Egypt Cairo|Peru Lima|Cuba Havana|Kenya Nairobi|Greece Athens|
Norway Oslo|Poland Warsaw|Austria Vienna|Chile Santiago|Russia Moscow|China Beijing|Germany Berlin|England London|
Ireland Dublin|Portugal Lisbon|Hungary Budapest|Turkey Ankara|Iran Tehran|Iraq Baghdad|Syria Damascus|Finland Helsinki|
Sweden Stockholm|Denmark Copenhagen|Belgium Brussels|Canada Ottawa|Iceland Reykjavik|Nepal Kathmandu|Qatar Doha|
Jordan Amman|Cyprus Nicosia|Malta Valletta|Ghana Accra
"""
HEAD = """
dataset_path: json
dataset_kwargs: {data_files: {test: test.jsonl, train: train.jsonl}}
training_split: train
test_split: test
"""
TASKS = {
    "real_choose": """
output_type: multiple_choice
doc_to_text: "Question: What is the capital of {{country}}?\\nAnswer:"
doc_to_choice: "{{options}}"
doc_to_target: gold
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
""",
    "real_cloze": """
output_type: loglikelihood
doc_to_text: "The capital of {{country}} is"
doc_to_target: " {{capital}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc, aggregation: mean, higher_is_better: true}
""",
    "real_write": """
output_type: generate_until
doc_to_text: "Question: Name a food of {{country}}.\\nAnswer:"
doc_to_target: "{{capital}}"
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 16, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
""",
}


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Three tasks of thirty questions, with six further ones for examples."""
    folder = tmp_path_factory.mktemp("real")
    pairs = [fact.split() for fact in "".join(FACTS.split("\n")).split("|")]
    rows = [
        {
            "country": country,
            "capital": capital,
            "options": [pairs[(i + k) % len(pairs)][1] for k in (7, 0, 11, 19)],
            "gold": 1,
        }
        for i, (country, capital) in enumerate(pairs)
    ]
    for name, part in (("test", rows[:N]), ("train", rows[N:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in part))
    for name, text in TASKS.items():
        (folder / f"{name}.yaml").write_text(f"task: {name}{HEAD}{text}")
    return Setting(Paths(folder / "results", folder / "cache", (folder,)), False, None, None, 0)


@pytest.fixture(scope="module")
def reference(smol: Path) -> Any:
    """lm-eval's own `hf`, taking down what it answers."""
    return tiny.recording_model(smol)


def _ours(smol: Path, requests: RequestSet) -> Outputs:
    with HfModel(kind="hf", name="m", path=str(smol), device="cpu").open(
        Paths(smol, smol)
    ) as session:
        return answered(session, requests.requests)


@pytest.mark.parametrize("shots", [0, 5])
@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_equal_to_lm_eval(
    name: str, chat: bool, shots: int, smol: Path, setting: Setting, reference: Any
) -> None:
    """Texts and greedy flags to the letter, log-probabilities within .001 nats, grades to 12 digits."""
    task, asked = (
        LmEvalTask("lm_eval", name, task=name, num_fewshot=shots),
        replace(setting, chat=chat),
    )
    reference[1].clear()
    own_run(task, asked, reference)
    requests = task.requests(asked)
    assert len(requests.prompts) == N
    expected = tiny.responses_as_outputs(requests, reference[1], name)
    found = _ours(smol, requests)
    assert found.text == expected.text
    assert found.greedy == expected.greedy
    np.testing.assert_allclose(found.logprob_nats, expected.logprob_nats, atol=1e-3)
    columns = [task.grade(requests, o, asked) for o in (found, expected)]
    assert columns[0] is not None
    assert columns[1] is not None
    for one, two in zip(columns[0].columns, columns[1].columns, strict=True):
        assert (one.metric, one.filter) == (two.metric, two.filter)
        assert one.aggregate == pytest.approx(
            two.aggregate, rel=1e-3 if "perpl" in one.metric else 1e-12
        )


def test_replies_end(smol: Path) -> None:
    """Short questions are answered and ended; no mark of a turn is in a reply; the hidden system prompt is quoted."""
    asked = ("Name a colour.", "What is two plus three?", "Say hello.", "Is water wet? Yes or no.")
    requests = tuple(Request(i, "generate", (Message("user", q),)) for i, q in enumerate(asked))
    with HfModel(kind="hf", name="m", path=str(smol), device="cpu", chat=True).open(
        Paths(smol, smol)
    ) as session:
        found = answered(session, requests, Decoding(max_new_tokens=96))
        (note,) = session.notes(Ask("", requests, (), Decoding()))
    assert found.stop.count("eos") >= 3
    assert not any("<|im" in str(text) or "\nuser\n" in str(text) for text in found.text)
    assert "You are a helpful AI assistant named SmolLM" in note


def test_texts_in_chat_begin_where_the_template_ends(smol: Path) -> None:
    """Against transformers' own ids of the conversation, with the reply's ids behind them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smol)
    model: Any = AutoModelForCausalLM.from_pretrained(smol, dtype=torch.float32)
    talk = [{"role": "user", "content": "Name a colour."}]
    start = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
    texts = ("Blue is a colour.", "\n1. Blue\n2. Red", "naïve 東京")
    requests = tuple(
        Request(i, "read", (Message("user", "Name a colour."),), continuation=text)
        for i, text in enumerate(texts)
    )
    with HfModel(kind="hf", name="m", path=str(smol), device="cpu", chat=True).open(
        Paths(smol, smol)
    ) as session:
        found = answered(session, requests)
    for row, text in enumerate(texts):
        target = tokenizer.encode(text, add_special_tokens=False)
        with torch.inference_mode():
            logits = model(torch.tensor([start + target])).logits[0, len(start) - 1 : -1].double()
        nats = logits.log_softmax(-1)[torch.arange(len(target)), torch.tensor(target)]
        assert found.logprob_nats[row] == pytest.approx(float(nats.sum()), abs=1e-3)


def test_nothing_is_put_before_or_behind_a_text(smol: Path) -> None:
    with HfModel(kind="hf", name="m", path=str(smol), device="cpu").open(
        Paths(smol, smol)
    ) as session:
        speller = session._loaded.speller
    assert (speller.before, speller.behind) == ((), ())
    assert speller.token(speller.prefix_id) == "<|im_start|>"
