"""What checking a bundle of full size costs: 159 models x 805 prompts, written, verified, changed by a byte, verified.

    python tests/calibration/verify_cost.py DATA_DIR [FOLDER]

Seconds mean something on a quiet machine only. That 100 of 100 changed bytes are found is tried on a small bundle in
tests/verdicts/test_bundle.py.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Prints a line for each command: its exit code, its seconds, and the last line that it said."""
    data = Path(sys.argv[1]).absolute()
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).absolute()
    bundle = folder / "exhibit"
    words = ["matrix=evidence", "suspect=alpaca-7b", "candidates=[davinci003]"]
    words += [f"paths.data={data}", f"paths.results={folder / 'results'}", f"exhibit={bundle}"]
    if not bundle.exists():
        assert timed(*words) == 0
    assert timed("verify", str(bundle)) == 0
    files = sorted(p for p in bundle.rglob("*") if p.is_file())
    path = random.Random(0).choice(files)
    content = path.read_bytes()
    place = len(content) // 2
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert timed("verify", str(bundle)) == 1
    path.write_bytes(content)


def timed(*words: str) -> int:
    """Runs a command and prints what it took; its exit code."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "harness", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    print(f"{words[0]}: exit {done.returncode}, {time.perf_counter() - began:.0f} s: {said[-1]}")
    return done.returncode


if __name__ == "__main__":
    main()
