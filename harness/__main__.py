"""The console script: what cannot be imported ends with 70, for Python's own 1 means "a gate failed"."""

from __future__ import annotations

import gc
import importlib
import os
import sys

from harness import __version__


def main() -> None:
    """Runs the command `distillbench` and exits with its code."""
    if "--version" in sys.argv[1:]:
        print(f"distillbench {__version__}")
        return
    if os.name == "nt":
        print(
            "error: distillbench runs on Linux and macOS; on Windows run it inside WSL (wsl --install), since its "
            "store locks with flock",
            file=sys.stderr,
        )
        sys.exit(2)
    if sys.platform not in ("linux", "darwin"):
        print(f"warning: {sys.platform}: tried on Linux and macOS only", file=sys.stderr)
    gc.disable()  # hundreds of modules, none of which is garbage
    try:
        code = importlib.import_module("harness.cli.unchanged").again()
        if code is not None:
            sys.exit(code)
        command = importlib.import_module("harness.cli.main")
    except ImportError as error:
        print(
            f"error: {error}; this installation is not whole: install distillbench again",
            file=sys.stderr,
        )
        sys.exit(70)
    gc.freeze()
    gc.enable()
    importlib.import_module("harness.console.processes").collect_seldom()
    try:
        command.main()
    finally:
        gc.freeze()  # else Python looks through all that is left for cycles, for half a second, and then ends anyway


if __name__ == "__main__":
    main()
