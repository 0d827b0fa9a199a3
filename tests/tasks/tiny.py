"""A tiny random model, small lm-eval tasks of every kind, and lm-eval's own run of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.types import Kind, Outputs, RequestSet

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}"
    "{% if not loop.last or add_generation_prompt %}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
WORDS = [
    "the",
    "cat",
    "sat",
    "ran",
    "red",
    "blue",
    "one",
    "two",
    "sky",
    "sea",
    "stone",
    "is",
    "not",
    "why",
    "how",
]

CHOOSE = """
task: tiny_choose
dataset_path: json
dataset_kwargs: {data_files: {test: choose.jsonl, train: shots.jsonl}}
training_split: train
test_split: test
output_type: multiple_choice
doc_to_text: "{{passage}} Question: {{question}} Answer:"
doc_to_choice: "{{options}}"
doc_to_target: gold
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
  - {metric: acc_mutual_info, aggregation: mean, higher_is_better: true}
  - {metric: mcc, aggregation: matthews_corrcoef, higher_is_better: true}
metadata: {version: 2.0}
"""
GENERATE = """
task: tiny_generate
dataset_path: json
dataset_kwargs: {data_files: {test: choose.jsonl, train: shots.jsonl}}
training_split: train
test_split: test
output_type: generate_until
doc_to_text: "Question: {{question}} Answer:"
doc_to_target: "{{options[gold]}}"
gen_prefix: "So"
repeats: 3
generation_kwargs: {until: ["cat", "."], max_gen_toks: 12, do_sample: false}
filter_list:
  - name: first
    filter: [{function: take_first}]
  - name: most
    filter: [{function: regex, regex_pattern: "(\\\\w+)"}, {function: majority_vote}, {function: take_first}]
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
  - {metric: chrf, aggregation: chrf, higher_is_better: true}
metadata: {version: 1.0}
"""
LIKELY = """
task: tiny_likely
dataset_path: json
dataset_kwargs: {data_files: {test: choose.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: " {{options[0]}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
ROLLING = """
task: tiny_rolling
dataset_path: json
dataset_kwargs: {data_files: {test: choose.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{passage}} {{question}}"
metric_list:
  - {metric: word_perplexity}
  - {metric: byte_perplexity}
  - {metric: bits_per_byte}
"""
WITH_CODE = ("tiny_placed", "tiny_group")  # their YAML names Python
PLACED = """
task: tiny_placed
dataset_path: json
dataset_kwargs: {data_files: {test: choose.jsonl, train: shots.jsonl}}
training_split: train
test_split: test
output_type: multiple_choice
doc_to_text: !function placed.gold
doc_to_choice: !function placed.contexts
doc_to_target: !function placed.ending
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
GROUP = """
group: tiny_group
task: [tiny_choose, tiny_placed]
aggregate_metric_list:
  - {metric: acc, weight_by_size: true}
"""
PLACED_PY = """
def gold(row):
    return row["gold"] % 2


def contexts(row):
    return [row["question"] + " " + option for option in row["options"][:2]]


def ending(row):
    return "sat and ran"
"""


def write_tasks(folder: Path) -> Path:
    """A folder of lm-eval tasks with their data beside them."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for name, n in (("choose.jsonl", 12), ("shots.jsonl", 6)):
        rows = [_row(rng, i) for i in range(n)]
        rows[-1] = rows[0]  # a copy
        (folder / name).write_text("".join(json.dumps(r) + "\n" for r in rows))
    texts = {
        "choose": CHOOSE,
        "generate": GENERATE,
        "likely": LIKELY,
        "rolling": ROLLING,
        "placed": PLACED,
    }
    for name, text in {**texts, "group": GROUP}.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "placed.py").write_text(PLACED_PY)
    return folder


def _row(rng: np.random.Generator, i: int) -> dict[str, Any]:
    def words(n: int) -> str:
        return " ".join(rng.choice(WORDS, n))

    options = [words(int(rng.integers(1, 4))) for _ in range(2 + i % 3)]
    passage = f"the stone {i // 3} is red and the sea was blue"
    return {
        "passage": passage,
        "question": f"{words(4)} {i}",
        "options": options,
        "gold": int(rng.integers(len(options))),
    }


def write_model(folder: Path) -> Path:
    """A random Llama of 60,000 parameters with a word tokenizer and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    vocabulary = {t: i for i, t in enumerate(["</s>", *sorted(alphabet)])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="</s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():  # sharper than an untrained model, so that options differ
        parameter.data.mul_(3.0)
    model.save_pretrained(folder)
    return folder


def recording_model(folder: Path) -> tuple[Any, list[tuple[Any, Any]]]:
    """lm-eval's own `hf` model and the list in which it takes down (instance, response)."""
    from lm_eval.models.huggingface import HFLM

    taken: list[tuple[Any, Any]] = []

    class Recording(HFLM):  # type: ignore[misc]
        def _take(self, requests: Any, responses: Any) -> Any:
            taken.extend(zip(requests, responses, strict=True))
            return responses

        def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
            return self._take(requests, super().loglikelihood(requests, disable_tqdm=True))

        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = True) -> Any:
            return self._take(requests, super().loglikelihood_rolling(requests, disable_tqdm=True))

        def generate_until(self, requests: Any, disable_tqdm: bool = True) -> Any:
            return self._take(requests, super().generate_until(requests, disable_tqdm=True))

    return Recording(pretrained=str(folder), device="cpu", dtype="float32", batch_size=4), taken


def responses_as_outputs(
    requests: RequestSet, taken: list[tuple[Any, Any]], only_leaf: str
) -> Outputs:
    """lm-eval's responses in the order of our requests, found by what lm-eval calls each of them."""
    kinds = {
        "loglikelihood": "score",
        "loglikelihood_rolling": "read",
        "generate_until": "generate",
    }
    draws: dict[tuple[str, int, str, int], Iterator[Any]] = {}
    waiting: dict[tuple[str, int, str, int], list[Any]] = {}
    for instance, response in taken:
        key = (instance.task_name, instance.doc_id, kinds[instance.request_type], instance.idx)
        waiting.setdefault(key, []).append(response)
    draws = {key: iter(found) for key, found in waiting.items()}
    first: dict[str, int] = {}
    found = []
    for request in requests.requests:
        leaf = request.leaf or only_leaf
        doc_id = request.prompt - first.setdefault(leaf, request.prompt)
        found.append(next(draws[leaf, doc_id, request.kind, request.slot]))
    return outputs_of(requests, found)


def outputs_of(requests: RequestSet, responses: list[Any]) -> Outputs:
    """Outputs that hold these responses, in the form in which lm-eval's models give them."""
    n = len(responses)
    kinds: tuple[Kind, ...] = tuple(r.kind for r in requests.requests)
    nats = [
        np.nan if k == "generate" else r[0] if k == "score" else r
        for k, r in zip(kinds, responses, strict=True)
    ]
    return Outputs(
        request=np.arange(n),
        kind=kinds,
        n_tokens=np.ones(n, dtype=np.int64),
        text=tuple(r if k == "generate" else None for k, r in zip(kinds, responses, strict=True)),
        stop=tuple("eos" if k == "generate" else None for k in kinds),
        logprob_nats=np.array(nats, dtype=np.float64),
        greedy=tuple(
            bool(r[1]) if k == "score" else None for k, r in zip(kinds, responses, strict=True)
        ),
        choice=(None,) * n,
        answered=(True,) * n,
    )
