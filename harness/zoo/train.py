"""Training one model: on text with cross-entropy, or on another model's distribution with KL divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.zoo.muon import Muon
from harness.zoo.packing import NOT_LEARNED, Rows, encoder, pack, take
from harness.zoo.recipe import Recipe, Size
from harness.zoo.texts import phase_documents
from harness.zoo.tokenizer import VOCABULARY
from harness.zoo.world import generator

if TYPE_CHECKING:
    import torch

Progress = Callable[[float], None]  # is told the share that is done
# is given a model and its step to save it; None = the finished model
Keep = Callable[[Any, int | None], None]

MUON: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.05, "steps": 3}
ADAMW: dict[str, Any] = {"lr": 4e-3, "betas": (0.9, 0.98), "weight_decay": 0.0, "fused": True}
WARM_UP = 20  # steps
LAST_RATE = 0.05  # of the highest learning rate
CLIP = 1.0  # norm of the gradient


def new_model(size: Size, seed: int) -> Any:
    """A Llama with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=size.width,
        intermediate_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        # far more than was trained, so that long benchmark prompts can be asked at all
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return LlamaForCausalLM._from_config(config, attn_implementation="eager")


def load_model(folder: Path) -> Any:
    """A model of the zoo as it was saved."""
    from transformers import LlamaForCausalLM

    # Eager attention is faster than the fused kernels for models as small as these.
    return LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager")


def train(
    recipe: Recipe, name: str, seed: int, folder: Path, *, keep: Keep, progress: Progress
) -> None:
    """Trains a model by its recipe and hands its checkpoints and, at last, itself to `keep`."""
    import torch

    model = (
        new_model(recipe.size, seed) if recipe.start is None else load_model(folder / recipe.start)
    )
    teacher = None if recipe.logits_of is None else load_model(folder / recipe.logits_of).eval()
    batches = list(_batches(recipe, folder, f"{seed}/{name}"))
    muon, adamw = _optimizers(model)
    for step, batch in enumerate(batches, start=1):
        loss = _loss(model, teacher, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        rate = _rate(step - 1, len(batches))
        muon.step(rate)
        for group in adamw.param_groups:
            group["lr"] = rate * ADAMW["lr"]
        adamw.step()
        model.zero_grad()
        if step in recipe.checkpoints:
            keep(model, step)
        progress(step / len(batches))
    keep(model, None)


def _loss(model: Any, teacher: Any | None, batch: Rows) -> torch.Tensor:
    """Mean over the completions' tokens: cross-entropy with the text, or KL from the teacher, in nats."""
    import torch
    from torch.nn import functional

    targets = torch.from_numpy(batch.targets)
    learned = targets != NOT_LEARNED
    predicted = _log_probabilities(model, batch, learned)
    if teacher is None:
        return functional.nll_loss(predicted, targets[learned])
    with torch.no_grad():
        wanted = _log_probabilities(teacher, batch, learned)
    return functional.kl_div(predicted, wanted, reduction="batchmean", log_target=True)


def _log_probabilities(model: Any, batch: Rows, learned: torch.Tensor) -> torch.Tensor:
    """(learned tokens, vocabulary) nats; only where something is learned, which is a third of the text."""
    import torch

    # Without a mask but with positions that restart, transformers keeps the documents of a row
    # apart.
    hidden = model.model(
        input_ids=torch.from_numpy(batch.ids),
        position_ids=torch.from_numpy(batch.positions),
        use_cache=False,
    ).last_hidden_state
    logits: torch.Tensor = model.lm_head(hidden[learned])
    return logits.log_softmax(-1)


def _optimizers(model: Any) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the matrices inside the layers; AdamW for embeddings and norms."""
    import torch

    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    inside = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    return Muon(matrices, **MUON), torch.optim.AdamW(others, **ADAMW)


def _rate(step: int, steps: int) -> float:
    """Share of the highest learning rate: a short rise, then a cosine down to LAST_RATE."""
    falling = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * min(1.0, step / steps))) / 2
    return min(1.0, (step + 1) / WARM_UP) * falling


def _batches(recipe: Recipe, folder: Path, seed: str) -> Iterator[Rows]:
    encode, rng = encoder(folder / "tokenizer"), generator(seed, "text")
    for phase in recipe.phases:
        rows = pack(take(phase_documents(phase, folder, rng), phase.tokens, encode))
        for at in range(0, len(rows.ids), recipe.batch):
            part = slice(at, at + recipe.batch)
            yield Rows(rows.ids[part], rows.positions[part], rows.targets[part])
