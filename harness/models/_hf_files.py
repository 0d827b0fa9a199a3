"""The files of a checkpoint, in a folder or on the hub. Loads no model, does not import torch."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from harness.keys import parse_json
from harness.types import DistillbenchError

_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tekken.json",
)
CONFIG = "config.json"
_SETTINGS = (
    CONFIG,
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "model.safetensors.index.json",
)
_SPELLED = (  # every file that a tokenizer can depend on
    "tokenizer*",
    "vocab.*",
    "merges.txt",
    "spiece.model",
    "tekken.json",
    "*.tiktoken",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "additional_chat_templates/*",
)
_READ = (  # every file but the weights that the loaded model or tokenizer can depend on
    "config*.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "processor_config.json",
    "preprocessor_config.json",
    "adapter_config.json",  # where it lies, the folder is refused
    *_SPELLED,
)
# transformers does not save what it read from GGUF: a fresh model of the same configuration is saved instead
_CONVERT = (
    "import torch",
    "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T",
    "g = dict(pretrained_model_name_or_path='{folder}', gguf_file='{file}')",
    "r = M.from_pretrained(**g, dtype=torch.float32)",
    "s = r.config.to_dict()",
    "s.pop('quantization_config', None)",
    "m = type(r)(type(r.config).from_dict(s))",
    "m.load_state_dict(r.state_dict(), strict=False)",
    "m.tie_weights()",
    "m.save_pretrained('{name}')",
    "T.from_pretrained(**g).save_pretrained('{name}')",
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def local_folder(path: str) -> Path | None:
    """The folder that `path` names, or None where it is the name of a repository on the hub."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if _HUB_ID.fullmatch(path) and not folder.exists():
        return None
    if folder.suffix == ".gguf" and folder.is_file():
        raise DistillbenchError(_gguf_cure(folder))
    if folder.suffix == ".safetensors" and folder.is_file():
        raise DistillbenchError(
            f"{path}: expected a checkpoint's folder, got one file of it; give the folder: {folder.parent}"
        )
    got = "a file" if folder.exists() else "nothing"
    raise DistillbenchError(
        f"{path}: expected a checkpoint's folder, got {got} there; "
        "give the folder that save_pretrained wrote, or a repository's name on the hub (owner/name)"
    )


def _gguf_cure(file: Path) -> str:
    name = file.with_suffix("")
    line = "; ".join(_CONVERT).format(folder=file.parent, file=file.name, name=name)
    return (
        f"{file}: expected a checkpoint's folder, got a GGUF file; convert it once (pip install gguf) and give "
        f'`path: {name}`: python -c "{line}"'
    )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers would load from a folder."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    config = folder / CONFIG
    # a file that config.json names goes before the usual ones
    named = read_json(config).get("transformers_weights") if config.is_file() else None
    if isinstance(named, str):
        single, index = (
            (single, folder / named) if named.endswith(".json") else (folder / named, index)
        )
    if single.is_file() and not (isinstance(named, str) and named.endswith(".json")):
        return [single]
    if index.is_file():
        return [
            folder / name for name in sorted(set(read_json(index).get("weight_map", {}).values()))
        ]
    if ggufs := sorted(folder.glob("*.gguf")):
        raise DistillbenchError(_gguf_cure(ggufs[0]))
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
        raise DistillbenchError(
            f"{folder}: expected model.safetensors, got pickled weights only, which can run code and are never "
            "opened; save it again with model.save_pretrained(folder)"
        )
    raise DistillbenchError(
        f"{folder}: expected model.safetensors (or its shards and index), got no weights; "
        "save the model there with model.save_pretrained(folder)"
    )


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a folder's tokenizer; none where it has no whole one."""
    if not _has_tokenizer(folder):
        return []
    return sorted({f for pattern in _SPELLED for f in folder.glob(pattern) if f.is_file()})


def checkpoint_files(folder: Path, code: bool) -> list[Path]:
    """Every file of a folder that determines the model's answers; `code` = its own Python files run too."""
    patterns = (*_READ, "*.py") if code else _READ
    files = {f for pattern in patterns for f in folder.glob(pattern) if f.is_file()}
    return sorted(files | set(weight_files(folder)))


def checkpoint_faults(folder: Path) -> list[str]:
    """Reasons why a folder is not a complete checkpoint, one line each with the cure."""
    faults = []
    if not (folder / CONFIG).is_file():
        faults.append(
            f"{folder}: expected config.json, got none; save it with model.save_pretrained(folder)"
        )
    if not _has_tokenizer(folder):
        faults.append(
            f"{folder}: expected a tokenizer ({_TOKENIZERS[0]}, {_TOKENIZERS[1]} ...), got none; "
            "save the one that the model was trained with by tokenizer.save_pretrained(folder)"
        )
    faults += _unreadable(folder)
    try:
        faults += [fault for file in weight_files(folder) if (fault := weights_fault(file))]
    except DistillbenchError as error:
        faults.append(str(error))
    return list(dict.fromkeys(faults))


def _unreadable(folder: Path) -> list[str]:
    """Settings that are not JSON: transformers takes its defaults in place of some of them, without a word."""
    faults = []
    for name in _SETTINGS:
        try:
            if (folder / name).is_file():
                read_json(folder / name)
        except DistillbenchError as error:
            faults.append(str(error))
    return faults


def template_faults(folder: Path) -> list[str]:
    """What to do where a tokenizer's folder has no chat template; empty where it has one."""
    if has_chat_template(folder):
        return []
    return [
        f"{folder}: `chat: true` needs a chat template, got a tokenizer without one; "
        "set tokenizer.chat_template and save it, or ask in plain text (chat: false)"
    ]


def has_chat_template(folder: Path) -> bool:
    """Whether the folder's tokenizer brings a chat template."""
    if any(folder.glob("chat_template*")) or any(folder.glob("additional_chat_templates/*")):
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(read_json(config).get("chat_template"))


def _has_tokenizer(folder: Path) -> bool:
    named = any((folder / name).is_file() for name in _TOKENIZERS)
    return named or any(folder.glob("*.tiktoken"))


@cache
def hub_commit(repository: str, revision: str | None) -> str:
    """The commit that a revision of a hub's repository is at now; from the local cache if the hub cannot be reached."""
    if revision and _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi, snapshot_download

    try:
        return str(HfApi().model_info(repository, revision=revision, timeout=10).sha)
    except _hub_errors() as error:
        reason = _first_line(error)
    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True)).name
    except _hub_errors():
        raise DistillbenchError(
            f"{repository}: expected a checkpoint's folder or a repository on the hub; there is no such folder, no "
            f"copy in the local hub cache, and the hub says: {reason}. Check the name, the network and access rights "
            "(HF_TOKEN), or download it elsewhere and give its folder as `path`"
        ) from None


def hub_folder(repository: str, commit: str, code: bool) -> Path:
    """The local folder of a hub's checkpoint, downloaded if it is not there yet; pickled weights are left behind."""
    from huggingface_hub import snapshot_download

    patterns = ["*.safetensors", *_READ, *(["*.py"] if code else [])]
    try:
        return Path(snapshot_download(repository, revision=commit, allow_patterns=patterns))
    except _hub_errors() as error:
        raise DistillbenchError(
            f"{repository} at {commit[:12]}: expected to download it, got: {_first_line(error)}. Check the network and "
            "the disk, or download it elsewhere and give its folder as `path`"
        ) from None


def _hub_errors() -> tuple[type[Exception], ...]:
    """What an unreachable or refusing hub raises. The bases name the HTTP library's errors, which changed with it."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    return (*HfHubHTTPError.__bases__, HFValidationError, OSError)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Name -> shape of every tensor in a safetensors file, from its header alone."""
    with file.open("rb") as stream:
        header = parse_json(stream.read(int.from_bytes(stream.read(8), "little")))
    return {name: t["shape"] for name, t in header.items() if name != "__metadata__"}


def weights_fault(file: Path) -> str:
    """The fault of a safetensors file whose length differs from that in its header; "" if there is none."""
    cure = "copy or save it again"
    if not file.is_file():
        return (
            f"{file}: expected a shard named by model.safetensors.index.json, got nothing; {cure}"
        )
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = stream.read(length) if 2 <= length <= size - 8 else b""
    try:
        tensors = parse_json(header)
        ends = [t["data_offsets"][1] for name, t in tensors.items() if name != "__metadata__"]
        expected = 8 + length + max(ends, default=0)
    except (ValueError, TypeError, LookupError, AttributeError):
        return f"{file}: expected a safetensors file, got {size} bytes with no readable header (truncated?); {cure}"
    if expected != size:
        return f"{file}: expected {expected} bytes by its header, got {size} (truncated?); {cure}"
    return ""


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint; raises DistillbenchError where it is something else."""
    try:
        value = parse_json(file.read_text("utf-8"))
    except ValueError as error:
        raise DistillbenchError(
            f"{file}: expected JSON, got: {error}; save the checkpoint again"
        ) from None
    if not isinstance(value, dict):
        raise DistillbenchError(
            f"{file}: expected a JSON object, got {type(value).__name__}; save the checkpoint again"
        )
    return value
