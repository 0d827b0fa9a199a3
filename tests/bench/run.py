"""How fast `hf` scores multiple choice, against the processor's own speed and lm-eval's `hf`: python -m tests.bench.run

Everything is made here: a random Llama of 60M parameters with a vocabulary of 32,000, and tasks in the shape of
arc_easy and mmlu. Both sides get the same texts, in turns, on the same threads; ratios are medians over rounds, with
the smallest and the largest. Tokens are counted at the model's forward pass and are exact on any machine. Writes
FOLDER/multiple_choice.json and .md. `--rounds 1 --without-processes` takes a third of the time.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models._hf_linear import has_product, product
from tests.bench import engines, inputs, whole
from tests.bench.plot import Ratio, picture

# evaluation at least so many times as fast, whole process likewise: the bars
BARS = {"easy_0": (3.0, 2.5), "easy_5": (8.0, 6.0), "fixed_5": (8.0, 6.0), "mmlu_5": (5.0, 4.0)}
N_EXACT = 32  # options that are compared with float64


class Spread(NamedTuple):
    """A ratio over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.low:.1f} to {self.high:.1f})"


def peak_flops(size: int = 1536, device: str = "cpu", dtype: str = "float32") -> float:
    """Operations a second in a product of large matrices; on a CPU by the faster of MKL and oneDNN."""
    import torch

    factor = torch.randn(size, size).to(device, getattr(torch, dtype))
    seconds = list[float]()
    for multiply in (torch.mm, product) if device == "cpu" and has_product() else (torch.mm,):
        for _ in range(4):
            started = time.perf_counter()
            multiply(factor, factor)[-1, -1].item()  # which waits for the device
            seconds.append(time.perf_counter() - started)
    return 2 * float(size) ** 3 / min(seconds)


def flops(model: Any, run: engines.Run, n_scored: int) -> float:
    """Operations that scoring needs: weights of the body for every token, of the head for scored ones."""
    head = int(model.get_output_embeddings().weight.numel())
    body = sum(int(p.numel()) for p in model.parameters()) - head
    body -= 0 if model.config.tie_word_embeddings else model.get_input_embeddings().weight.numel()
    return 2.0 * (body * run.tokens + head * n_scored)


def exact_error(checkpoint: Path, tokenizer: Any, asked: Sequence[Any], nats: Any) -> float:
    """The largest difference from the model in float64, in nats a token."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float64)
    worst = 0.0
    for (context, continuation), value in zip([a.args for a in asked], nats, strict=True):
        start, ids = tokenizer.encode(context), tokenizer.encode(context + continuation)
        with torch.inference_mode():
            logits = model(torch.tensor([ids[:-1]])).logits[0, len(start) - 1 :]
        target = torch.tensor(ids[len(start) :])
        exact = logits.log_softmax(-1).gather(1, target[:, None]).sum()
        worst = max(worst, abs(float(exact) - float(value)) / len(target))
    return worst


def compare(work: Path, case: inputs.Case, asked: argparse.Namespace) -> dict[str, Any]:
    """One case: evaluation in one process, in turns."""
    texts = engines.instances(work / "tasks", case.tasks)
    checkpoint = work / "model"
    other = engines.theirs(checkpoint, asked.batch_size)
    with engines.ours(checkpoint) as own:
        tokenizer = other.tokenizer
        n_scored = sum(len(tokenizer.encode(a.args[1])) for a in texts)
        rounds = []
        for _ in range(asked.rounds):
            peak = peak_flops()
            rounds.append((own.run(texts), other.run(texts), peak))
        model = own.model
        mine, lm_eval, _ = rounds[-1]
        error = exact_error(checkpoint, tokenizer, texts[:N_EXACT], mine.nats[:N_EXACT])
        shares = [flops(model, a, n_scored) / a.wall_s / p for a, _, p in rounds]
    return {
        "case": case.name,
        "title": case.title,
        "questions": len(texts) // 4,
        "wall_s": statistics.median(a.wall_s for a, _, _ in rounds),
        "lm_eval_wall_s": statistics.median(b.wall_s for _, b, _ in rounds),
        "times": Spread.of([b.wall_s / a.wall_s for a, b, _ in rounds]),
        "cpu_times": Spread.of([b.cpu_s / a.cpu_s for a, b, _ in rounds]),
        "tokens": mine.tokens,
        "lm_eval_tokens": lm_eval.tokens,
        "share_of_peak": Spread.of(shares),
        "error_nats_per_token": error,
        "same_choices": _choices(mine.nats) == _choices(lm_eval.nats),
    }


def _choices(nats: NDArray[np.float64]) -> list[int]:
    """The likeliest of every four options."""
    return [int(i) for i in nats.reshape(-1, 4).argmax(1)]


def compare_processes(work: Path, case: inputs.Case, asked: argparse.Namespace) -> dict[str, Any]:
    """One case as whole processes, in turns."""
    rounds = [
        (
            whole.ours(work / "model", work / "tasks", case),
            whole.theirs(work / "model", work / "tasks", case, asked.batch_size),
        )
        for _ in range(asked.rounds)
    ]
    return {
        "process_times": Spread.of([b.wall_s / a.wall_s for a, b in rounds]),
        "process_cpu_times": Spread.of([b.cpu_s / a.cpu_s for a, b in rounds]),
        "peak_bytes": max(a.peak_bytes for a, _ in rounds),
        "lm_eval_peak_bytes": max(b.peak_bytes for _, b in rounds),
    }


def table(results: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """The results as Markdown."""
    head = (
        "| task | questions | evaluation | by CPU time | whole process | bars | tokens | share of peak "
        "| largest process, MiB | error, nats a token |\n|" + " --- |" * 10
    )
    lines = [_line(r) for r in results]
    told = ", ".join(f"{key}: {value}" for key, value in about.items())
    return (
        f"# Multiple choice: how many times as fast as lm-eval's `hf`\n\n{told}\n\n{head}\n"
        + "\n".join(lines)
        + "\n\nRatios are medians (smallest to largest). Tokens: computed here, and lm-eval's as a multiple. Share of "
        "peak: operations that scoring needs over what a large matrix product reaches in the same time.\n"
    )


def short_table(results: Sequence[dict[str, Any]]) -> str:
    """The results as README and docs show them, from what the JSON file holds."""
    lines = [
        "| task | times as fast as lm-eval's `hf` | as whole processes | tokens that the model computes |",
        "| --- | ---: | ---: | ---: |",
    ]
    for r in results:
        times, whole_times = (Spread(**r[k]) for k in ("times", "process_times"))
        tokens = f"1 of {r['lm_eval_tokens'] / r['tokens']:.1f}"
        lines.append(f"| {r['title']} | {times} | {whole_times} | {tokens} |")
    return "\n".join(lines)


def drawn(results: Sequence[dict[str, Any]]) -> str:
    """Evaluation time and, where they were measured, whole processes."""
    rows = []
    for r in results:
        spreads = (r["times"], r.get("process_times"))
        for spread, name, bar in zip(
            spreads, (r["title"], "whole process"), BARS[r["case"]], strict=True
        ):
            if spread is not None:
                rows.append(Ratio(name, spread.median, spread.low, spread.high, bar))
    return picture(
        "Times as fast as lm-eval\u2019s hf (dot: median; tick: what it should be)", rows
    )


def _line(r: dict[str, Any]) -> str:
    low, process = BARS[r["case"]]
    memory = "-"
    if "peak_bytes" in r:
        memory = f"{r['peak_bytes'] / 2**20:.0f}, lm-eval {r['lm_eval_peak_bytes'] / 2**20:.0f}"
    cells = [
        r["title"],
        str(r["questions"]),
        str(r["times"]),
        str(r["cpu_times"]),
        str(r.get("process_times", "-")),
        f"{low:g}, {process:g}",
        f"{r['tokens']}, {r['lm_eval_tokens'] / r['tokens']:.1f} x",
        f"{r['share_of_peak'].median:.0%}",
        memory,
        f"{r['error_nats_per_token']:.0e}",
    ]
    return "| " + " | ".join(cells) + " |"


def write_results(
    out: Path, name: str, text: str, about: dict[str, Any], results: Sequence[dict[str, Any]]
) -> None:
    """Writes the table `text`, and what it was made from as JSON, into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(text, "utf-8")
    plain = [
        {k: v._asdict() if isinstance(v, Spread) else v for k, v in r.items()} for r in results
    ]
    whole_text = json.dumps({"about": about, "results": plain}, indent=1)
    (out / f"{name}.json").write_text(whole_text + "\n", "utf-8")


def processor() -> str:
    """The name of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    names = [line.split(":")[1].strip() for line in lines.splitlines() if "model name" in line]
    return names[0] if names else platform.processor() or "unknown"


def measure(asked: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """All cases; what is finished is said at once."""
    inputs.make_tasks(work / "tasks", asked.questions, 1, asked.questions)
    if not (work / "model" / "config.json").is_file():
        inputs.make_model(work / "model")
    results = []
    for case in inputs.cases(1):
        if asked.cases and case.name not in asked.cases:
            continue
        result = compare(work, case, asked)
        if not asked.without_processes:
            result |= compare_processes(work, case, asked)
        results.append(result)
        print(_line(result), flush=True)
    return results


def main() -> int:
    """Measures and writes; 1 where an evaluation is below its bar."""
    import torch

    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--out", type=Path, default=Path("results/bench"))
    ask.add_argument(
        "--work", type=Path, default=None, help="folder for inputs; None = a temporary one"
    )
    ask.add_argument("--rounds", type=int, default=2)
    ask.add_argument("--questions", type=int, default=100)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--batch-size", type=int, default=8, help="of lm-eval")
    ask.add_argument("--cases", nargs="*", default=[])
    ask.add_argument("--without-processes", action="store_true")
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as name:
        results = measure(asked, asked.work or Path(name))
    about = {
        "processor": processor(),
        "threads": asked.threads,
        "rounds": asked.rounds,
        "lm-eval's batch_size": asked.batch_size,
        "dtype": "float32",
    }
    write_results(asked.out, "multiple_choice", table(results, about), about, results)
    (asked.out / "multiple_choice.svg").write_text(drawn(results), "utf-8")
    print(table(results, about))
    return int(any(r["times"].median < BARS[r["case"]][0] for r in results))


if __name__ == "__main__":
    sys.exit(main())
