"""How fast `hf` writes, against lm-eval's `hf`: python -m tests.bench.generation [--questions N] [--rounds N]

The random Llama of `inputs.py` with questions in the shape of gsm8k: two fixed examples before each; the same with
unequal limits; and four samples of each prompt, which lm-eval writes as four requests. Both sides write to the same
lengths. Tokens that go through the model are counted exactly; ratios are of interleaved rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.models import Answered, Ask
from harness.models._hf_session import HfSession
from harness.models.hf import HfModel
from harness.types import Decoding, Paths, Request
from tests.bench import inputs
from tests.bench.engines import counting

BARS = {"gsm8k, 2-shot": 1.5, "mixed lengths": 2.0, "four samples a prompt": 2.0}
SHORT, LONG = 16, 96


@dataclass(frozen=True)
class Case:
    """What is written."""

    title: str
    requests: tuple[Request, ...]


def cases(n: int) -> list[Case]:
    """All of them, of `n` prompts each."""
    writer = inputs._Writer(11)
    shots = "".join(
        f"Question: {writer.words(45)}\nAnswer: {writer.words(60)}\n\n" for _ in range(2)
    )
    rng = np.random.default_rng(5)
    prompts = [f"{shots}Question: {writer.words(int(k))}\nAnswer:" for k in rng.poisson(45, n)]
    plain = tuple(
        Request(i, "generate", prompt, max_new_tokens=64) for i, prompt in enumerate(prompts)
    )
    limits = np.where(rng.random(n) < 0.75, SHORT, LONG)
    mixed = tuple(replace(r, max_new_tokens=int(k)) for r, k in zip(plain, limits, strict=True))
    sampled = tuple(
        replace(r, temperature=1.0, repeat=k) for r in plain[: n // 4] for k in range(4)
    )
    return [Case(title, rs) for title, rs in zip(BARS, (plain, mixed, sampled), strict=True)]


def ours(session: HfSession, requests: tuple[Request, ...]) -> None:
    """Writes with this package."""
    session._shared.clear()
    ids = tuple(str(r.prompt) for r in requests)
    ask = Ask("bench", requests, ids, Decoding())
    batches = tuple(tuple(batch) for batch in session.batches(ask))
    for event in session.answer([replace(ask, missing=batches)]):
        if not isinstance(event, Answered):
            raise event.error


def theirs(model: Any, requests: tuple[Request, ...]) -> None:
    """Writes with lm-eval."""
    from lm_eval.api.instance import Instance

    asked = []
    for i, r in enumerate(requests):
        options: dict[str, Any] = {
            "until": [],
            "max_gen_toks": r.max_new_tokens,
            "do_sample": False,
        }
        if r.temperature:
            options |= {"do_sample": True, "temperature": r.temperature}
        asked.append(Instance("generate_until", {}, (str(r.context), options), i))
    model.generate_until(asked, disable_tqdm=True)


def timed(model: Any, work: Callable[[], None]) -> tuple[float, float, int]:
    """Seconds by the clock and of processors, and tokens."""
    with counting(model) as tokens:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return time.perf_counter() - wall, time.process_time() - cpu, tokens[0]


def main() -> None:
    """Prints a line for each case."""
    import torch
    from lm_eval.models.huggingface import HFLM

    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--questions", type=int, default=48)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--work", type=Path, default=None)
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = asked.work or Path(name)
        if not (folder / "model" / "config.json").is_file():
            inputs.make_model(folder / "model")
        path = str(folder / "model")
        other: Any = HFLM(pretrained=path, device="cpu", dtype="float32", batch_size=8)
        for engine in (other.model,):  # nobody stops early: the lengths are the same on both sides
            engine.generation_config.eos_token_id = None
        with HfModel(kind="hf", name="m", path=path, device="cpu").open(
            Paths(folder, folder)
        ) as session:
            object.__setattr__(session._loaded, "eos_ids", frozenset())
            for case in cases(asked.questions):
                rounds = [
                    (
                        timed(session._loaded.model, lambda: ours(session, case.requests)),  # noqa: B023
                        timed(other.model, lambda: theirs(other, case.requests)),  # noqa: B023
                    )
                    for _ in range(asked.rounds)
                ]
                wall = statistics.median(b[0] / a[0] for a, b in rounds)
                cpu = statistics.median(b[1] / a[1] for a, b in rounds)
                (_, _, mine), (_, _, lm_eval) = rounds[-1]
                print(
                    f"{case.title}: {wall:.2f} x by the clock, {cpu:.2f} x by processor, bar {BARS[case.title]}; "
                    f"{mine} tokens, lm-eval {lm_eval / mine:.1f} x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
