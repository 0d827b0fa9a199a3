"""What collecting K alternatives of every token costs: time against a plain forward pass, and bytes on disk.

Run by hand: `python tests/calibration/collect_cost.py` (`--runs 5 --k 128`). A random llama of 60M parameters with a
vocabulary of 32,000 reads texts of random tokens. The baseline is nothing but `model(ids).logits` over the same rows:
no softmax, no log-probability of the text itself, which scoring needs whatever K is. Both run in turns on the same
threads; the ratio is the median over pairs. Bars: at most 1.15 times, at most 10 x K bytes per token.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness.models._hf_model import LoadedModel
from harness.models._hf_score import TokenScores, Window, score_windows
from harness.models._hf_shared import Shared
from harness.models._hf_text import Speller
from harness.store.tables import outputs_to_table
from harness.types import Kind, Outputs, TokenColumns

VOCABULARY, ROWS, LENGTH = 32_000, 4, 256
MOST_TIME, MOST_BYTES = 1.15, 10.0


def model(device: str) -> LoadedModel:
    """A random llama with 60M parameters, without a tokenizer."""
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=512, intermediate_size=1536, num_hidden_layers=13, num_attention_heads=8,
        max_position_embeddings=1024, tie_word_embeddings=True,
    )  # fmt: skip
    llama = LlamaForCausalLM(shape).eval().to(device)
    # Random logits are nearly flat, a trained model's are not: the search for the largest may take
    # longer or shorter.
    with torch.no_grad():
        llama.model.norm.weight.mul_(12.0)
    names = frozenset({"input_ids", "logits_to_keep"})
    nobody = Speller("random", None, (), (), 0, VOCABULARY)
    place = torch.device(device)
    return LoadedModel("random", llama, nobody, place, 1024, frozenset({1}), names, ())


def seconds(work: object, device: str) -> float:
    """Wall time of one call."""
    assert callable(work)
    started = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def bytes_per_token(scores: list[TokenScores], k: int) -> float:
    """Size of the stored file over the number of tokens, compressed as the store does it."""
    n = sum(len(s.logprobs) for s in scores)
    lengths = [len(s.logprobs) for s in scores]
    tokens = TokenColumns(
        offsets=np.cumsum([0, *lengths]),
        token_ids=np.concatenate([s.top_ids[:, 0] for s in scores]).astype(np.int64),
        logprobs=np.concatenate([s.logprobs for s in scores]),
        top_ids=np.concatenate([s.top_ids for s in scores]),
        top_logprobs=np.concatenate([s.top_logprobs for s in scores]),
        byte_ends=np.concatenate([np.arange(n) * 4 for n in lengths]),
    )
    rows = len(scores)
    kind: tuple[Kind, ...] = tuple("read" for _ in scores)
    none = (None,) * rows
    nats = np.array([float(s.logprobs.sum()) for s in scores])
    outputs = Outputs(
        np.arange(rows),
        kind,
        np.array(lengths),
        none,
        none,
        nats,
        none,
        none,
        (True,) * rows,
        tokens,
    )
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pq.write_table(outputs_to_table(outputs), file.name, compression="zstd")
        return Path(file.name).stat().st_size / n


def main() -> int:
    """Prints the table; 0 where both bars are met."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--k", type=int, default=128)
    ask.add_argument("--runs", type=int, default=7)
    ask.add_argument("--device", default="cpu")
    asked = ask.parse_args()
    loaded = model(asked.device)
    ids = torch.randint(2, VOCABULARY, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    windows = [Window((0,), tuple(row.tolist())) for row in ids]
    inputs = torch.cat([torch.zeros(ROWS, 1, dtype=torch.long), ids[:, :-1]], dim=1).to(
        asked.device
    )

    def plain() -> None:
        with torch.inference_mode():
            loaded.model(inputs, use_cache=False)

    def collecting(k: int) -> list[TokenScores]:
        return score_windows(loaded, windows, k, Shared(loaded))

    plain()
    scores = collecting(asked.k)
    pairs = [
        (
            seconds(plain, asked.device),
            *(seconds(lambda k=k: collecting(k), asked.device) for k in (0, asked.k)),
        )
        for _ in range(asked.runs)
    ]
    forward, alone, whole = np.median(np.array(pairs), axis=0)
    ratios = np.array([[a / p, w / p] for p, a, w in pairs])
    size = bytes_per_token(scores, asked.k)
    parameters = sum(p.numel() for p in loaded.model.parameters()) / 1e6
    print(
        f"{parameters:.1f}M parameters, {VOCABULARY} tokens, {ROWS} x {LENGTH}, {torch.get_num_threads()} threads"
    )
    print(f"forward {forward:.3f} s; with K = 0 {alone:.3f} s; with K = {asked.k} {whole:.3f} s")
    ratio = float(np.median(ratios[:, 1]))
    print(
        f"K = 0: {np.median(ratios[:, 0]):.3f} times; K = {asked.k}: {ratio:.3f} times (bar {MOST_TIME})"
    )
    print(f"{size:.0f} bytes per token = {size / asked.k:.2f} x K (bar {MOST_BYTES:g})")
    return int(ratio > MOST_TIME or size / asked.k > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
