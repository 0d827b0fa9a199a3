"""How long a run takes whose results are all in the store, beside the time in which its libraries are imported.

    python -m tests.bench.reruns [MATRIX ...words] [--rounds N]       python -m tests.bench.reruns zoo limit=60

The first run, which makes everything, is not measured. Ratios are of interleaved rounds, by the clock and by processor.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

IMPORTS = "import hydra, pyarrow, numpy"
BAR = 2.5


def main() -> None:
    """Prints the ratios; 1 where the bar is missed."""
    words = sys.argv[1:]
    rounds = int(words.pop(words.index("--rounds") + 1)) if "--rounds" in words else 7
    words = [w for w in words if w != "--rounds"] or ["zoo", "limit=60"]
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "harness", f"matrix={words[0]}", *words[1:], f"paths.results={folder}"]
        _took(command)
        _took(command)
        made = [(_took(command), _took(["-c", IMPORTS])) for _ in range(rounds)]
    for what, place in (("by the clock", 0), ("by processor", 1)):
        ratios = [run[place] / line[place] for run, line in made]
        middle = statistics.median(ratios)
        seconds = statistics.median(run[place] for run, _ in made)
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{what}: {seconds:.2f} s, {middle:.2f} x {IMPORTS!r} {spread}; bar {BAR}")
        if place == 0:
            missed = middle > BAR
    sys.exit(int(missed))


def _took(arguments: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of processors."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
