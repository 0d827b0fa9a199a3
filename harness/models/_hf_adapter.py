"""Adapters (LoRA and its kin): a folder that peft wrote, applied to the base that it was trained on."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from harness.models._hf_files import (
    CONFIG,
    read_json,
    tensor_shapes,
    tokenizer_files,
    weights_fault,
)
from harness.types import DistillbenchError

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# kinds that change weights inside the model; the others put tokens before every text, or read further folders
_APPLIED = frozenset(
    [
        "LORA",
        "ADALORA",
        "LOHA",
        "LOKR",
        "IA3",
        "OFT",
        "BOFT",
        "VERA",
        "FOURIERFT",
        "HRA",
        "RANDLORA",
        "LN_TUNING",
    ]
)
# peft 0.21 writes a module that was trained whole, and whose size changed, under three names
_COPY = re.compile(r"\.(modules_to_save|original_module)\.weight$")


def adapter_faults(folder: Path) -> list[str]:
    """What is wrong with the folder of an adapter, each one line with its cure."""
    if not (folder / SETTINGS).is_file():
        return [
            f"{folder}: expected an adapter's {SETTINGS}, got none; give the folder that peft's save_pretrained wrote"
        ]
    settings = read_json(folder / SETTINGS)
    sort = str(settings.get("peft_type", "")).upper()
    faults = []
    if sort not in _APPLIED:
        faults.append(
            f"{folder}: expected an adapter that changes weights (LORA, IA3 ...), got {sort or 'none'}; "
            "merge it (merge_and_unload) and save a whole checkpoint"
        )
    if not (folder / WEIGHTS).is_file():
        faults.append(
            f"{folder}: expected {WEIGHTS}, got none (pickled weights are never opened); "
            "save the adapter again with a current peft"
        )
    elif fault := weights_fault(folder / WEIGHTS):
        faults.append(fault)
    return faults


def misplaced_adapter(folder: Path) -> str:
    """What to write where the folder given as `path` holds an adapter; "" if it holds none."""
    if not (folder / SETTINGS).is_file():
        return ""
    whole = (folder / CONFIG).is_file() and any(folder.glob("model*.safetensors"))
    got = "weights and an adapter" if whole else "an adapter alone"
    base = base_of(folder) or "THE BASE THAT IT WAS TRAINED ON"
    apart = ", or move its adapter_* files elsewhere to ask the weights alone" if whole else ""
    return (
        f"{folder}: expected a checkpoint's folder, got {got} ({SETTINGS}); "
        f"write `path: {base}` and `adapter: {folder}`{apart}"
    )


def base_of(folder: Path) -> str:
    """The base that an adapter names; "" if it names none."""
    return str(read_json(folder / SETTINGS).get("base_model_name_or_path") or "")


def adapter_files(folder: Path) -> list[Path]:
    """Every file of an adapter's folder that determines the answers: its own, and the tokenizer that it brings."""
    return sorted({folder / SETTINGS, folder / WEIGHTS, *tokenizer_files(folder)})


def with_adapter(model: Any, folder: Path, name: str, path: str) -> Any:
    """peft's model around the model, which has the adapter's modules in it from now on.

    Raises DistillbenchError where the adapter does not fit: another base, or an incomplete file.
    """
    from peft import PeftConfig, PeftModel

    _resize(model, folder)
    try:
        with warnings.catch_warnings(action="ignore"):  # what peft says to developers
            config = PeftConfig.from_pretrained(str(folder))
            config.inference_mode = True
            wrapped = PeftModel(model, config)
            result = wrapped.load_adapter(str(folder), "default", torch_device="cpu")
        names = set(tensor_shapes(folder / WEIGHTS))
        copies = {k for k in names if _COPY.search(k) and _COPY.sub(".weight", k) in names}
        strange = [*(k for k in result.unexpected_keys if k not in copies), *result.missing_keys]
        reason = f"no place for, or no value of, {strange[0]}" if strange else ""
    except (RuntimeError, ValueError, KeyError, TypeError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        made_for = base_of(folder) or "a base that it does not name"
        raise DistillbenchError(
            f"model {name}: expected an adapter that fits {path}, got one for {made_for} in {folder} ({reason}); "
            "give the base that it was trained on as `path`"
        )
    return wrapped


def _resize(model: Any, folder: Path) -> None:
    """Brings the embedding to the rows that the adapter's own copy of it has."""
    rows = {
        shape[0]
        for key, shape in tensor_shapes(folder / WEIGHTS).items()
        if key.endswith(("embed_tokens.weight", "lm_head.weight")) and "lora" not in key
    }
    if rows and rows != {model.get_input_embeddings().weight.shape[0]}:
        model.resize_token_embeddings(max(rows), mean_resizing=False)
