"""Real checkpoints, where they were made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def smol() -> Path:
    """SmolLM2-135M-Instruct; skips where it was not made."""
    folder = Path(os.environ.get("REAL_MODELS", REPOSITORY / ".venv" / "real")) / "smol"
    if not (folder / "model.safetensors").is_file():
        pytest.skip(
            "needs a real checkpoint: `make test-real` makes it (REAL_MODELS=DIR names another folder)"
        )
    return folder
