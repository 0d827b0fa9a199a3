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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.mutations.faults import Fault, faults

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("harness", "conf", "tasks", "tests", "pyproject.toml", "results/reference")
_HANGS_S = 300
FAILED = 1  # pytest's exit code where tests ran and some failed; any other code is no verdict


def main(words: list[str]) -> int:
    """Runs the faults and prints a line for each."""
    chosen = [f for f in faults() if not words or any(word in f.what for word in words)]
    unnoticed, started = [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder) / "copy")
        if passes(copy, sorted({f.test for f in chosen})) != 0:
            print("the tests do not pass without a fault; nothing can be said")
            return 2
        for fault in chosen:
            code = noticed(copy, fault)
            print(
                f"{'noticed  ' if code == FAILED else 'UNNOTICED'} {fault.what} ({fault.file})",
                flush=True,
            )
            unnoticed += [fault] if code != FAILED else []
    each = (time.monotonic() - started) / max(len(chosen), 1)
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} faults noticed, {each:.1f} s each")
    return int(bool(unnoticed))


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
