"""What is measured: a random Llama of 60M parameters, and made-up questions in the shape of well-known tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

VOCABULARY = 32_000
N_WORDS, N_SHOTS_POOL = 40_000, 200
_START = (
    "b",
    "br",
    "d",
    "f",
    "g",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
)
_MIDDLE = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_END = ("", "l", "n", "nd", "r", "s", "st", "t", "m", "ck", "ng")

# as lm-eval has arc_easy: examples are drawn anew for every question
_EASY = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/easy.jsonl, train: {folder}/easy_shots.jsonl}}}}
training_split: train
test_split: test
output_type: multiple_choice
num_fewshot: {shots}
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: gold
doc_to_choice: "{{{{options}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
# as lm-eval has a subject of mmlu: the same five examples for every question, options of one letter
_SUBJECT = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/{name}.jsonl, dev: {folder}/{name}_dev.jsonl}}}}
test_split: test
fewshot_split: dev
fewshot_config: {{sampler: first_n}}
num_fewshot: 5
description: "The following are multiple choice questions (with answers) about {topic}.\\n\\n"
output_type: multiple_choice
doc_to_text: "{{{{question}}}}{{% for o in options %}}\\n{{{{'ABCD'[loop.index0]}}}}. {{{{o}}}}{{% endfor %}}\\nAnswer:"
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: gold
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
# the questions of the first with five fixed examples: options of several tokens behind one block of examples
_FIXED = _EASY.replace("num_fewshot", "fewshot_config: {{sampler: first_n}}\nnum_fewshot")


class Case(NamedTuple):
    """What is asked in one comparison."""

    name: str
    title: str
    tasks: tuple[str, ...]


def cases(n_subjects: int) -> tuple[Case, ...]:
    """All comparisons."""
    subjects = tuple(f"bench_subject_{i}" for i in range(n_subjects))
    return (
        Case("easy_0", "arc_easy, 0-shot", ("bench_easy_0",)),
        Case("easy_5", "arc_easy, 5-shot, examples drawn for each question", ("bench_easy_5",)),
        Case("fixed_5", "arc_easy, 5-shot, the same examples for all", ("bench_fixed_5",)),
        Case("mmlu_5", "a subject of mmlu, 5-shot, options of one token", subjects),
    )


def make_tasks(folder: Path, n_easy: int, n_subjects: int, n_per_subject: int) -> None:
    """Writes tasks with their questions."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(7)
    # lengths in words, as the data sets have them: about 20 and 4 in ARC-Easy, 50 and 8 in MMLU
    _write(folder / "easy.jsonl", (writer.question(20, 4) for _ in range(n_easy)))
    _write(folder / "easy_shots.jsonl", (writer.question(20, 4) for _ in range(N_SHOTS_POOL)))
    for name, shots, text in (("easy_0", 0, _EASY), ("easy_5", 5, _EASY), ("fixed_5", 5, _FIXED)):
        _write_task(folder, f"bench_{name}", text, shots=shots)
    for i in range(n_subjects):
        name = f"bench_subject_{i}"
        _write(folder / f"{name}.jsonl", (writer.question(50, 8) for _ in range(n_per_subject)))
        _write(folder / f"{name}_dev.jsonl", (writer.question(50, 8) for _ in range(5)))
        _write_task(folder, name, _SUBJECT, topic=writer.words(2))


def make_model(folder: Path, **changes: Any) -> None:
    """Writes a random Llama with a tokenizer of its size, trained on made-up words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    shape: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 512,
        "intermediate_size": 1376,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "max_position_embeddings": 2048,
        "bos_token_id": 0,
        "eos_token_id": 1,
        **changes,
    }
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**shape))
    with torch.no_grad():
        model.model.norm.weight.mul_(
            12.0
        )  # random logits are nearly flat, a trained model's are not
    model.save_pretrained(folder)
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=shape["vocab_size"],
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    writer = _Writer(7)
    raw.train_from_iterator((writer.words(1000) for _ in range(1000)), trainer)
    outer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    outer.save_pretrained(folder)


class _Writer:
    """Made-up words, common and rare ones as in a language (Zipf's law), and questions of them."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        sizes = (len(_START), len(_MIDDLE), len(_END))
        parts = self._rng.integers(0, sizes, (N_WORDS, 3, 3))
        lengths = 1 + self._rng.binomial(2, 0.4, N_WORDS)
        words = (
            "".join(_START[a] + _MIDDLE[b] + _END[c] for a, b, c in syllables[:n])
            for syllables, n in zip(parts.tolist(), lengths, strict=True)
        )
        self._words = list(dict.fromkeys(words))
        weights = 1 / (2.7 + np.arange(len(self._words)))
        self._edges = weights.cumsum() / weights.sum()

    def words(self, n: int) -> str:
        """A text of `n` words."""
        drawn = self._edges.searchsorted(self._rng.random(n))
        return " ".join(self._words[i] for i in drawn)

    def question(self, n_question: int, n_option: int) -> dict[str, Any]:
        """A question with four options, of about so many words each."""
        lengths = 1 + self._rng.poisson([n_question - 1, *[n_option - 1] * 4])
        texts = [self.words(n) for n in lengths]
        return {
            "question": texts[0].capitalize() + "?",
            "options": texts[1:],
            "gold": int(self._rng.integers(4)),
        }


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _write_task(folder: Path, name: str, text: str, **values: Any) -> None:
    (folder / f"{name}.yaml").write_text(
        text.format(name=name, folder=folder.resolve(), **values), "utf-8"
    )
