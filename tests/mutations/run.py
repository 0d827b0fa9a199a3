"""Puts each deliberate fault into a copy of the product and asks whether a test notices.

    python tests/mutations/run.py              all of faults.yaml
    python tests/mutations/run.py Holm p95     those whose description holds one of the words

Exit code 1 and a line for every fault that went unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.mutations.faults import Fault, faults

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("harness", "conf", "tasks", "tests", "pyproject.toml", "results/reference")
_HANGS_S = 300
AT_ONCE = 2
FAILED = 1  # pytest's exit code where tests ran and some failed; any other code is no verdict


def main(words: list[str]) -> int:
    """Runs the faults, two at a time on copies of their own, and prints a line for each."""
    chosen = [f for f in faults() if not words or any(word in f.what for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        copies = [copied(Path(folder) / str(i) / "copy") for i in range(AT_ONCE)]
        if passes(copies[0], sorted({f.test for f in chosen})) != 0:
            print("the tests do not pass without a fault; nothing can be said")
            return 2
        free = SimpleQueue[Path]()
        for copy in copies:
            free.put(copy)

        def tried(fault: Fault) -> tuple[bool, float]:
            """Whether the fault is noticed, and the seconds that this took."""
            copy, started = free.get(), time.monotonic()
            try:
                seen = noticed(copy, fault) == FAILED
            finally:
                free.put(copy)
            said = "noticed  " if seen else "UNNOTICED"
            print(f"{said} {fault.what} ({fault.file})", flush=True)
            return seen, time.monotonic() - started

        with ThreadPoolExecutor(AT_ONCE) as pool:
            ended = list(pool.map(tried, chosen))
    n, seconds = sum(seen for seen, _ in ended), sum(s for _, s in ended)
    print(f"{n} of {len(chosen)} faults noticed, {seconds / max(len(chosen), 1):.1f} s each")
    return int(n < len(chosen))


def copied(target: Path) -> Path:
    """A copy of what the tests need."""
    for part in PARTS:
        source = REPOSITORY / part
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / part)
    return target


def noticed(copy: Path, fault: Fault) -> int:
    """pytest's exit code with the fault put in."""
    path = copy / "harness" / fault.file
    whole = path.read_text()
    if whole.count(fault.right) != 1:
        raise ValueError(
            f"{fault.what}: expected its line once in {fault.file}, found {whole.count(fault.right)}"
        )
    path.write_text(whole.replace(fault.right, fault.wrong))
    try:
        return passes(copy, [fault.test])
    finally:
        path.write_text(whole)


def passes(copy: Path, tests: list[str]) -> int:
    """pytest's exit code for some tests of the copy."""
    line = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    try:
        return subprocess.run(
            line, cwd=copy, env=environment, capture_output=True, check=False, timeout=_HANGS_S
        ).returncode
    except subprocess.TimeoutExpired:  # a fault that makes a test wait for ever is noticed too
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
