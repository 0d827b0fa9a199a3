"""How fast `hf` scores multiple choice on a GPU, against lm-eval's `hf` and, where installed, its `vllm`.

    python -m tests.bench.gpu [--device cuda] [--shape small]

A random Llama of 1.1B parameters in bfloat16, made-up subjects in the shape of mmlu, 5-shot, options of one token. All
engines answer the same texts in one process, in turns; the first round counts for nothing, since libraries choose their
kernels in it. Writes FOLDER/gpu.md and gpu.json. On a CPU, `--device cpu --dtype float32 --shape small` shows that it
runs, and no more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import engines, inputs
from tests.bench.run import Spread, flops, peak_flops

SHAPES: dict[str, dict[str, Any]] = {
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 5632,
        "num_hidden_layers": 22,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
    },
    "small": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2},
}
BARS = {"hf": 6.0, "vllm": 3.0}  # times as fast as lm-eval with it; only one of them has to be met
SHARE = 0.4  # of what a large product of matrices reaches


@contextmanager
def all_engines(checkpoint: Path, asked: argparse.Namespace) -> Iterator[dict[str, engines.Engine]]:
    """Name -> engine, ours first; vLLM where it is installed."""
    with engines.ours(checkpoint, asked.device, asked.dtype) as own:
        found = {"ours": own}
        found["hf"] = engines.theirs(checkpoint, asked.batch_size, asked.device, asked.dtype)
        with contextlib.suppress(ImportError):
            found["vllm"] = engines.vllm(checkpoint, asked.dtype)
        yield found


def measure(asked: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Ratios over rounds, and the share of the device's peak."""
    inputs.make_tasks(work / "tasks", 4, asked.subjects, asked.questions)
    if not (work / "model" / "config.json").is_file():
        inputs.make_model(work / "model", **SHAPES[asked.shape])
    case = inputs.cases(asked.subjects)[-1]
    texts = engines.instances(work / "tasks", case.tasks)
    with all_engines(work / "model", asked) as found:
        rounds: list[tuple[dict[str, engines.Run], float]] = []
        for _ in range(1 + asked.rounds):
            runs = {name: engine.run(texts) for name, engine in found.items()}
            rounds.append((runs, peak_flops(asked.size, asked.device, asked.dtype)))
        model, tokenizer = found["ours"].model, found["ours"].tokenizer
        n_scored = sum(len(tokenizer.encode(a.args[1])) for a in texts)
        timed = rounds[1:]
        work_done = [flops(model, runs["ours"], n_scored) for runs, _ in timed]
        parameters = int(model.num_parameters())
    last = timed[-1][0]
    return {
        "parameters": parameters,
        "questions": len(texts) // 4,
        "wall_s": {
            name: Spread.of([runs[name].wall_s for runs, _ in timed])._asdict() for name in found
        },
        "times": {
            name: Spread.of(
                [runs[name].wall_s / runs["ours"].wall_s for runs, _ in timed]
            )._asdict()
            for name in found
            if name != "ours"
        },
        "share_of_peak": Spread.of(
            [
                n / runs["ours"].wall_s / peak
                for n, (runs, peak) in zip(work_done, timed, strict=True)
            ]
        )._asdict(),
        "tokens": {name: run.tokens for name, run in last.items() if run.tokens},
        "furthest_nats": {
            name: float(abs(last["ours"].nats - run.nats).max())
            for name, run in last.items()
            if name != "ours"
        },
    }


def table(result: dict[str, Any], about: dict[str, Any]) -> str:
    """The result as Markdown."""
    told = ", ".join(f"{key}: {value}" for key, value in about.items())
    lines = [
        f"# Multiple choice on {about['device']}",
        "",
        told,
        "",
        "| lm-eval's | times as fast | bar | tokens, as a multiple of ours | furthest log-likelihood, nats |",
        "| --- | --- | --- | --- | --- |",
    ]
    own = result["tokens"]["ours"]
    for name, times in result["times"].items():
        seen = result["tokens"].get(name)
        tokens = "-" if seen is None else f"{seen / own:.1f}"
        far = f"{result['furthest_nats'][name]:.2g}"
        lines.append(f"| `{name}` | {Spread(**times)} | {BARS[name]:g} | {tokens} | {far} |")
    share = Spread(**result["share_of_peak"])
    return "\n".join(
        [*lines, "", f"Share of the peak: {share.median:.0%} (bar {SHARE:.0%}); {own} tokens.", ""]
    )


def is_met(result: dict[str, Any]) -> bool:
    """Whether it is as fast as it should be: beside vLLM where that is installed."""
    name = "vllm" if "vllm" in result["times"] else "hf"
    fast = result["times"][name]["median"] >= BARS[name]
    return bool(fast and result["share_of_peak"]["median"] >= SHARE)


def main() -> int:
    """Measures and writes; 1 where a bar is missed, 2 where there is no such device."""
    import torch

    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--out", type=Path, default=Path("results/bench"))
    ask.add_argument(
        "--work", type=Path, default=None, help="folder for inputs; None = a temporary one"
    )
    ask.add_argument("--device", default="cuda")
    ask.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    ask.add_argument("--shape", default="1b", choices=tuple(SHAPES))
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--subjects", type=int, default=4)
    ask.add_argument("--questions", type=int, default=100, help="of each subject")
    ask.add_argument("--batch-size", type=int, default=64, help="of lm-eval's hf")
    ask.add_argument(
        "--size", type=int, default=8192, help="of the matrices whose product is the peak"
    )
    asked = ask.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print(
            "error: no CUDA device here, or a torch without CUDA; --device cpu tries the benchmark itself"
        )
        return 2
    with tempfile.TemporaryDirectory() as name:
        result = measure(asked, asked.work or Path(name))
    on_gpu = asked.device.startswith("cuda")
    about = {
        "device": torch.cuda.get_device_name(asked.device) if on_gpu else asked.device,
        "dtype": asked.dtype,
        "parameters": result["parameters"],
        "questions": result["questions"],
        "rounds": asked.rounds,
        "batch_size of lm-eval's hf": asked.batch_size,
        "torch": torch.__version__,
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    text = table(result, about)
    (asked.out / "gpu.md").write_text(text, "utf-8")
    whole = json.dumps({"about": about, "result": result}, indent=1)
    (asked.out / "gpu.json").write_text(whole + "\n", "utf-8")
    print(text)
    return int(not is_met(result))


if __name__ == "__main__":
    sys.exit(main())
