"""What the lineage board costs: all recorded answers from nothing, again, and with a model more.

    python tests/calibration/board_cost.py DATA_DIR [FOLDER]

DATA_DIR holds alpaca_eval and lineages_extra. Prints seconds and the largest memory of all processes together, which
mean something on a quiet machine only. The bars: 180 s and 6 GB for the first, 20 s for a model more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEW = "baize-v2-7b"  # whose answers, in capitals, are the newcomer's
MATRIX = """\
# @package _global_
defaults: [lineage_board, _self_]
models:
  newcomer: {{kind: recorded, file: {file}, columns: {{prompt: question, answer: reply}}}}
controls: {controls}
"""


def main() -> None:
    """Prints the table."""
    data = Path(sys.argv[1]).absolute()
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).absolute()
    (folder / "matrix").mkdir(parents=True, exist_ok=True)
    write_newcomer(data, folder / "new.jsonl")
    known = "[{model: newcomer, lineage: newcomer}]"
    for name, controls in (("newcomer", "[]"), ("documented", known)):
        text = MATRIX.format(file=folder / "new.jsonl", controls=controls)
        (folder / "matrix" / f"{name}.yaml").write_text(text)
    print(
        "| run | wall s | busy processor s of the machine | memory GB |\n| --- | --- | --- | --- |"
    )
    for title, matrix in (
        ("everybody, from nothing", "lineage_board"),
        ("again", "lineage_board"),
        ("a model more", "newcomer"),
        ("that model as a documented control: everybody is seen beside it", "documented"),
    ):
        print(f"| {title} | {timed(matrix, data, folder)} |", flush=True)


def write_newcomer(data: Path, file: Path) -> None:
    """One JSONL file, as somebody would add it."""
    import pandas as pd

    table = pd.read_parquet(data / "alpaca_eval" / "responses.parquet")
    rows = table[table["model"] == NEW]
    lines = [
        {"question": q, "reply": r.upper()}
        for q, r in zip(rows["prompt"], rows["response"], strict=True)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def timed(matrix: str, data: Path, folder: Path) -> str:
    """The cells of a row: one run of the command, its worker processes counted in."""
    words = [sys.executable, "-m", "harness", "--config-dir", str(folder), f"matrix={matrix}"]
    words += [f"paths.data={data}", f"paths.results={folder / 'results'}"]
    before, began = machine_cpu_s(), time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
        largest = 0.0
        while process.poll() is None:
            largest = max(largest, memory_gb(process.pid))
            time.sleep(0.5)
    wall, spent = time.perf_counter() - began, machine_cpu_s() - before
    assert process.returncode == 0, (folder / "log.txt").read_text()
    return f"{wall:.1f} | {spent:.0f} | {largest:.1f}"


def machine_cpu_s() -> float:
    """Seconds that all processors of the machine were busy since it started."""
    user, nice, system = (int(n) for n in Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def memory_gb(pid: int) -> float:
    """Memory of a process and its children that no other process shares."""
    total = 0.0
    for own in [pid, *_children(pid)]:
        try:
            lines = Path(f"/proc/{own}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        total += sum(float(x.split()[1]) for x in lines if x.startswith("Pss:")) / 1e6
    return total


def _children(pid: int) -> list[int]:
    try:
        own = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*own, *(far for near in own for far in _children(near))]


if __name__ == "__main__":
    main()
