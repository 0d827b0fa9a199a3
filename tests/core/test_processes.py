"""Where worker processes come from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os
from concurrent.futures import ProcessPoolExecutor
from harness.console.processes import worker_context
with ProcessPoolExecutor(1, worker_context("wave")) as pool:
    print(pool.submit(eval, "'wave' in __import__('sys').modules").result())
    print(pool.submit(os.getenv, "OMP_NUM_THREADS").result(), os.getenv("OMP_NUM_THREADS"))
    print(pool.submit(eval, "__import__('gc').isenabled()").result())
"""


@pytest.mark.parametrize(("set_to", "said"), [(None, "1 None"), ("3", "3 3")])
def test_workers_share_imports_and_have_one_thread_unless_told(
    set_to: str | None, said: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    environment |= {"OMP_NUM_THREADS": set_to} if set_to else {}
    root = Path(__file__).resolve().parents[2]
    line = [sys.executable, "-c", CODE]
    done = subprocess.run(
        line, cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    # nothing looks for cycles among what the server imports
    assert done.stdout.split("\n")[:3] == ["True", said, "False"]


CYCLE = """
import sys
import harness.cli.main as command

class Said:
    def __del__(self):
        print("looked for cycles")

def main():
    said = Said()
    said.itself = said

command.main, sys.argv[1:] = main, ["x"]
from harness.__main__ import main
main()
print("ended")
"""


def test_a_command_ends_without_a_look_at_all_that_it_has_made() -> None:
    root = Path(__file__).resolve().parents[2]
    line = [sys.executable, "-c", CYCLE]
    done = subprocess.run(line, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "ended\n"
