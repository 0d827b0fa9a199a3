"""The same questions asked of the same model by this package's `hf` and by lm-eval's, in one process."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models import Answered, Ask
from harness.models._hf_session import HfSession
from harness.models.hf import HfModel
from harness.types import Decoding, Paths, Request

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class Run(NamedTuple):
    """One evaluation."""

    nats: NDArray[np.float64]  # log-likelihood of every option
    wall_s: float
    cpu_s: float  # of all threads
    tokens: int  # that the model computed, padding included; 0 where that is not seen


def instances(folder: Path, tasks: Sequence[str]) -> list[Any]:
    """What lm-eval asks of a model for these tasks."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    asked: list[Any] = []
    for name in tasks:
        task = manager.load([name])["tasks"][name]
        task.set_fewshot_seed(1234)
        task.build_all_requests(rank=0, world_size=1)
        asked += task.instances
    return asked


@dataclass(frozen=True)
class Engine:
    """A way to evaluate, with the model in memory."""

    model: Any
    tokenizer: Any
    answer: Callable[
        [Sequence[Any]], list[float]
    ]  # with what it answers, it has come from the device

    def run(self, asked: Sequence[Any]) -> Run:
        """One evaluation from texts to log-likelihoods."""
        with counting(self.model) as tokens:
            wall, cpu = time.perf_counter(), time.process_time()
            nats = self.answer(asked)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Run(np.array(nats), wall, cpu, tokens[0])


@contextmanager
def ours(checkpoint: Path, device: str = "cpu", dtype: Dtype = "auto") -> Iterator[Engine]:
    """The `hf` kind of this package."""
    model = HfModel(kind="hf", name="ours", path=str(checkpoint), device=device, dtype=dtype)
    with model.open(Paths(checkpoint, checkpoint)) as session:
        loaded = session._loaded
        yield Engine(loaded.model, loaded.tokenizer, lambda asked: _answers(session, asked))


def _answers(session: HfSession, asked: Sequence[Any]) -> list[float]:
    session._shared.clear()  # nothing is left of the evaluation before
    requests = tuple(
        Request(i, "score", a.args[0], continuation=a.args[1]) for i, a in enumerate(asked)
    )
    ask = Ask("bench", requests, tuple(str(i) for i in range(len(requests))), Decoding())
    missing = tuple(tuple(batch) for batch in session.batches(ask))
    nats = np.zeros(len(requests))
    for event in session.answer([replace(ask, missing=missing)]):
        if not isinstance(event, Answered):
            raise event.error
        nats[event.outputs.request] = event.outputs.logprob_nats
    return [float(x) for x in nats]


def theirs(
    checkpoint: Path, batch_size: int, device: str = "cpu", dtype: Dtype = "float32"
) -> Engine:
    """lm-eval's own `hf`."""
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=str(checkpoint), device=device, dtype=dtype, batch_size=batch_size)
    return Engine(model.model, model.tokenizer, lambda asked: _loglikelihoods(model, asked))


def vllm(checkpoint: Path, dtype: Dtype) -> Engine:
    """lm-eval's `vllm`, in a third of the device's memory; raises ImportError where vLLM is not installed."""
    importlib.import_module("vllm")
    from lm_eval.models.vllm_causallms import VLLM

    model = VLLM(pretrained=str(checkpoint), dtype=dtype, gpu_memory_utilization=0.33)
    return Engine(None, model.tokenizer, lambda asked: _loglikelihoods(model, asked))


def _loglikelihoods(model: Any, asked: Sequence[Any]) -> list[float]:
    return [x for x, _ in model.loglikelihood(list(asked), disable_tqdm=True)]


@contextmanager
def counting(model: Any) -> Iterator[list[int]]:
    """Inside, counts the token ids that reach the model's forward passes; None = they are not seen."""
    tokens = [0]
    if model is None:
        yield tokens
        return

    def count(module: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        ids = options["input_ids"] if "input_ids" in options else args[0]
        tokens[0] += ids.numel()

    handle = model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield tokens
    finally:
        handle.remove()
