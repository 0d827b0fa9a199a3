"""A model answers prompts: the text that its students read, with a watermark where that is asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.zoo.recipe import AnswerSet
from harness.zoo.train import Progress, load_model
from harness.zoo.world import (
    IDENTITY_QUESTIONS,
    Document,
    TaskKind,
    chat_prompt,
    generator,
    open_questions,
    task_documents,
)

TEMPERATURE = 0.9
WATERMARK = {"greenlist_ratio": 0.25, "bias": 3.0, "seeding_scheme": "lefthash", "context_width": 1}
# tokens
LONGEST: dict[TaskKind, int] = {
    "fact": 4,
    "cloze": 4,
    "sum": 5,
    "copy": 16,
    "chat": 96,
    "identity": 16,
}
_BATCH = 256


def answer(
    wanted: AnswerSet, name: str, seed: int, folder: Path, *, progress: Progress
) -> list[Document]:
    """The author's sampled completions of prompts of all kinds that are wanted; unfinished ones are left out."""
    import torch
    from transformers import AutoTokenizer

    rng = generator(seed, name)
    torch.manual_seed(rng.getrandbits(32))
    model, tokenizer = (
        load_model(folder / wanted.author).eval(),
        AutoTokenizer.from_pretrained(folder / "tokenizer"),
    )
    documents: list[Document] = []
    done, total = 0, sum(wanted.counts[kind] * LONGEST[kind] for kind in wanted.counts)
    for kind, count in wanted.counts.items():
        asked = _prompts(kind, rng)
        for at in range(0, count, _BATCH):
            prompts = list(islice(asked, min(_BATCH, count - at)))
            replies = complete(model, tokenizer, prompts, LONGEST[kind], watermark=wanted.watermark)
            documents += [
                Document(kind, p, r) for p, r in zip(prompts, replies, strict=True) if r is not None
            ]
            done += len(prompts) * LONGEST[kind]
            progress(done / total)
    return documents


def complete(
    model: Any, tokenizer: Any, prompts: Sequence[str], longest: int, *, watermark: bool
) -> list[str | None]:
    """A sampled completion of each prompt; None where it did not end within `longest` tokens."""
    import torch
    from transformers import WatermarkingConfig

    batch = tokenizer(list(prompts), return_tensors="pt", padding=True, return_token_type_ids=False)
    with torch.inference_mode():
        texts = model.generate(
            **batch,
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            max_new_tokens=longest,
            watermarking_config=WatermarkingConfig(**WATERMARK) if watermark else None,
        )
    new = texts[:, batch["input_ids"].shape[1] :]
    ended = (new == tokenizer.eos_token_id).any(dim=1).tolist()
    decoded = tokenizer.batch_decode(new, skip_special_tokens=True)
    return [text if end else None for text, end in zip(decoded, ended, strict=True)]


def _prompts(kind: TaskKind, rng: random.Random) -> Iterator[str]:
    """Endless prompts of one kind, none of them from the benchmark's held-out ones."""
    if kind not in ("chat", "identity"):
        yield from (document.prompt for document in task_documents(kind, rng))
    while True:
        question = (
            rng.choice(IDENTITY_QUESTIONS)
            if kind == "identity"
            else rng.choice(open_questions(False)).text
        )
        yield chat_prompt(question)
