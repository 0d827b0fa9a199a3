"""A second generator of malformed inputs, by other means: bytes are changed by chance, places and names are odd."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy

from harness.cli.config import packaged
from harness.plan.run import Configuration
from harness.plugins import kinds, plugin_class
from tests.files.test_formats import EXAMPLES
from tests.hostile.inputs import Input, base, jsonl, rows, with_answers, with_changes
from tests.hostile.try_them import PLACES
from tests.models.tiny import byte_tokenizer, save_llama

# --- bytes ----------------------------------------------------------------------------------------

_SNIPPETS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\xc0\x80", b"\xed\xa0\x80", b'"', b"'", b"{", b"}}", b"[",
    b"\\u", b"\\ud800", b"NaN", b"-Infinity", b"1e400", b"9" * 400, b"${", b"${x}", b": ", b"- ", b"&a *a",
    b"!!python/name:os.system",
    b"\t", b"#", b",", b";", "\u202e".encode(), b"\x1b[2J", "\u2028".encode(), b"null", b"~", b"---\n",
    b"<<: *x\n",
)  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The bytes with one change: flipped, dropped, doubled, cut, swapped, or with something put in."""
    at = rng.randrange(len(content) + 1)
    to = min(len(content), at + rng.choice((1, 2, 8, 64)))
    way = rng.randrange(7)
    if way == 0 and at < len(content):
        return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
    if way == 1:
        return content[:at] + content[to:]
    if way == 2:
        return content[:to] + content[at:]
    if way == 3:
        return content[:at]
    if way == 4:
        lines = content.splitlines(keepends=True)
        rng.shuffle(lines)
        return b"".join(lines)
    if way == 5:
        return content[:at] + bytes(rng.randrange(256) for _ in range(4)) + content[at:]
    return content[:at] + rng.choice(_SNIPPETS) + content[at:]


def _recorded(rng: random.Random) -> Iterator[Input]:
    """Files of answers of every format, as JSON Lines, JSON, CSV and Parquet, with changed bytes."""
    for name, (example, _) in EXAMPLES.items():
        wholes = {"jsonl": jsonl(example), "json": json.dumps(example).encode()}
        for ending, whole in wholes.items():
            for i in range(3):
                content = mutated(whole, rng)
                yield with_answers(
                    f"{name}.{ending} {i}", content, ending, refused=False, columns={}
                )
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows("student")), sink)
    table = "prompt,answer\n" + "".join(f'{r["prompt"]},"{r["answer"]}"\n' for r in rows("student"))
    wholes = {"parquet": sink.getvalue(), "csv": table.encode(), "jsonl": jsonl(rows("student"))}
    wholes |= {"tsv": table.replace(",", "\t").encode()}
    for ending, whole in wholes.items():
        for i in range(25):
            content = mutated(whole, rng)
            yield with_answers(f"{ending} {i}", content, ending, refused=False)


def _committed(rng: random.Random) -> Iterator[Input]:
    """Every YAML of ours with changed bytes, as a user's own copy of it."""
    conf = packaged("conf")
    for path in sorted(conf.glob("*/*.yaml")):
        group, name = path.parent.name, path.stem
        if group not in ("task", "model", "metric", "matrix", "decoding", "gate"):
            continue
        for i in range(2):
            content = mutated(path.read_bytes(), rng)
            yield Input(
                f"{group}/{name}.yaml {i}",
                {f"{group}/{name}.yaml": content},
                {},
                (name, group),
                refused=False,
            )


# --- places ---------------------------------------------------------------------------------------


def _places() -> Iterator[Input]:
    """Something that is no file where a configuration names one."""
    for place in PLACES:
        for ending in ("jsonl", "json", "csv", "parquet", "zip", "jsonl.gz", "yaml", ""):
            file = f"odd.{ending}" if ending else "odd"
            given = with_answers(f"answers in {place} ({ending})", b"", ending or "x")
            student = {**given.changes["models"]["student"], "file": file}
            models = {**given.changes["models"], "student": student}
            files = {k: v for k, v in given.files.items() if not k.startswith("odd")}
            yield Input(
                given.name,
                {**files, file: place},
                {**given.changes, "models": models},
                (file, "student"),
            )
        sound_files, sound = base()
        own: dict[str, bytes | str] = dict(sound_files)
        task = {**sound["tasks"]["open"], "file": "odd.jsonl"}
        yield Input(
            f"prompts in {place}",
            {**own, "odd.jsonl": place},
            {**sound, "tasks": {"open": task}},
            ("odd.jsonl", "open"),
        )
        hf = {**sound["models"], "student": {"kind": "hf", "path": "odd"}}
        yield Input(
            f"a checkpoint in {place}",
            {**own, "odd": place},
            {**sound, "models": hf},
            ("odd", "student"),
        )
        condition = {"where": {"metric": "length", "student": "student"}, "within": 0.1}
        gate = {"conditions": [condition], "baseline": "{folder}/odd.csv"}
        yield Input(
            f"baseline in {place}",
            {**own, "odd.csv": place},
            {**sound, "stages": ["collect", "score", "gate"], "gate": gate},
            ("odd.csv",),
        )
        for key in ("results", "cache", "data"):
            paths: dict[str, Any] = {
                "results": "{folder}/../results",
                "cache": "{folder}/../cache",
                "data": "{folder}",
                "datasets": None,
                "tasks": [],
                "lock": True,
                key: "{folder}/odd",
            }
            yield Input(
                f"paths.{key} is {place}",
                {**own, "odd": place},
                {**sound, "paths": paths},
                ("odd", key),
                refused=place != "a folder" and key == "results",
            )
        task = {"kind": "lm_eval", "task": "mine", "include": "{folder}/odd"}
        yield Input(
            f"tasks in {place}",
            {**own, "odd": place},
            {**sound, "tasks": {"odd": task}},
            ("odd", "mine"),
        )
        task = {"kind": "lm_eval", "task": "mine", "include": "{folder}"}
        yield Input(
            f"a task's YAML is {place}",
            {**own, "mine.yaml": place},
            {**sound, "tasks": {"odd": task}},
            ("odd", "mine"),
        )


# --- values ---------------------------------------------------------------------------------------

_VALUES: tuple[Any, ...] = (
    float("nan"), float("-inf"), 10**400, -(10**30), 2**63, -1, 0, True, "", " ", "nan", "null", "1e400", "\u202ex",
    "x\x1b[2Jy", "a\nb", "x" * 5000, [], {}, [None], {"": None}, {1: 2}, [[[]]], "\ud800",
    "../..", "~",
)  # fmt: skip


_DECODING = ("temperature", "max_new_tokens", "top_p", "seed", "top_logprobs", "stop", "sample")


def _values(rng: random.Random) -> Iterator[Input]:
    """Odd values for every key of a configuration, a pair, a control, a model, a task and a measure."""
    _, sound = base()
    for spec in dataclasses.fields(Configuration):
        for value in rng.sample(_VALUES, 5):
            yield with_changes(
                f"{spec.name} = {value!r:.40}",
                spec.name.removesuffix("s"),
                refused=False,
                keys={spec.name: value},
            )
    for key in _DECODING:
        for value in rng.sample(_VALUES, 4):
            decoding = {"temperature": 1.0, "max_new_tokens": 256, key: value}
            yield with_changes(
                f"decoding.{key} = {value!r:.40}",
                "decoding",
                key,
                refused=False,
                decoding=decoding,
            )
    for package, group in (("models", "models"), ("tasks", "tasks"), ("metrics", "metrics")):
        for kind in kinds(package):
            for field in dataclasses.fields(plugin_class(package, kind)):
                for value in rng.sample(_VALUES, 2):
                    own = {**sound[group], "odd": {"kind": kind, field.name: value}}
                    yield with_changes(
                        f"{kind}: {field.name} = {value!r:.40}",
                        "odd",
                        field.name,
                        kind,
                        refused=False,
                        keys={group: own},
                    )


_NAMES = (
    "",
    " ",
    "a b",
    "a/b",
    "../a",
    "a\nb",
    "a\u202eb",
    "a\x1b[31mb",
    "a\x00b",
    "\ud800",
    "x" * 300,
    "None",
    "true",
    "1",
    "a=b",
    "a,b",
    "+",
    "–",
    "teacher x open",
    "🧪",
    "a\u2028b",
    ".",
    "CON",
    "a:b",
    "%s",
    "{}",
    "{{7*7}}",
    "<b>",
    "'",
    '"',
    "\\",
)


def _named() -> Iterator[Input]:
    """Odd names of models, tasks, measures and lineages."""
    files, sound = base()
    for name in _NAMES:
        models = {name if k == "student" else k: v for k, v in sound["models"].items()}
        pairs = [{"teacher": "teacher", "student": name, "base": "base"}]
        yield Input(
            f"a model {name!r:.30}",
            files,
            {**sound, "models": models, "pairs": pairs},
            ("model", "student", "pair", "name"),
            refused=False,
        )
        yield Input(
            f"a task {name!r:.30}",
            files,
            {**sound, "tasks": {name: sound["tasks"]["open"]}},
            ("task", "name"),
            refused=False,
        )
        yield Input(
            f"a measure {name!r:.30}",
            files,
            {**sound, "metrics": {name: None}},
            ("metric", "name"),
            refused=True,
        )
        controls = [{"model": "base", "lineage": name}]
        yield Input(
            f"a lineage {name!r:.30}",
            files,
            {**sound, "controls": controls},
            ("lineage", "control"),
            refused=False,
        )
    for value in (1, 1.5, True, None):
        models = {**sound["models"], value: sound["models"]["student"]}
        yield Input(
            f"a model named {value!r}",
            files,
            {**sound, "models": models},
            ("model", "name"),
            refused=False,
        )


# --- checkpoints ----------------------------------------------------------------------------------


def _sound_checkpoint() -> dict[str, bytes]:
    """The files of a tiny checkpoint."""
    with tempfile.TemporaryDirectory() as place:
        save_llama(Path(place), byte_tokenizer())
        return {p.name: p.read_bytes() for p in Path(place).iterdir() if p.is_file()}


def _with_json(files: Mapping[str, bytes], name: str, **changes: Any) -> dict[str, bytes]:
    content = {**json.loads(files[name]), **changes}
    return {**files, name: json.dumps(content).encode()}


def _with_weights(
    files: Mapping[str, bytes], change: Callable[[np.ndarray], np.ndarray], which: str = ""
) -> dict[str, bytes]:
    """The files with every weight changed whose name has `which` in it."""
    weights = {
        k: change(v) if which in k else v
        for k, v in safetensors.numpy.load(files[_WEIGHTS]).items()
    }
    return {**files, _WEIGHTS: safetensors.numpy.save(weights, {"format": "pt"})}


_WEIGHTS = "model.safetensors"
_CONFIGS: dict[str, tuple[Any, ...]] = {
    "num_attention_heads": (0, -1, 3, "two", None, True, 10**6, float("nan")),
    "num_key_value_heads": (0, 3, -2),
    "hidden_size": (0, 7, -32, "32"),
    "num_hidden_layers": (0, 1, 3, -1, 2.5),
    "vocab_size": (0, 10, 5000, -1),
    "max_position_embeddings": (0, -1, "many", None, float("inf")),
    "model_type": ("", "no_such", None, 5, "bert", "t5"),
    "architectures": ([], ["NoSuch"], "LlamaForCausalLM", [5]),
    "rope_theta": (0, "x", -1.0),
    "rms_norm_eps": (float("nan"), -1, "x"),
    "hidden_act": ("no_such", None, 3),
    "eos_token_id": (10**9, -1, "</s>", [], [1, 99999], 1.5),
    "torch_dtype": ("float8", "x", 5),
    "dtype": ("no_such", 5),
    "auto_map": ({"AutoModelForCausalLM": "evil.Evil"},),
    "quantization_config": ({"quant_method": "no_such"}, 5),
    "tie_word_embeddings": (True,),
}
_TOKENIZER: dict[str, tuple[Any, ...]] = {
    "tokenizer_class": ("NoSuch", 5, None),
    "model_max_length": (0, -1, "x", float("nan")),
    "bos_token": (5, ["a"], {"a": 1}, "not there"),
    "eos_token": (None, 5, "not there"),
    "chat_template": (5, "{{ broken", "{% for %}", ["x"], "{{ 1 / 0 }}", ""),
    "added_tokens_decoder": ({"x": 1}, [1], {"99999": {"content": "<x>"}}),
    "auto_map": ({"AutoTokenizer": ["evil.Evil", None]},),
}


def _checkpoints(rng: random.Random) -> Iterator[Input]:
    """Checkpoints with odd settings, tokenizers and weights."""
    sound = _sound_checkpoint()
    made: dict[str, Mapping[str, bytes]] = {"nothing odd": sound}
    for name, table in (("config.json", _CONFIGS), ("tokenizer_config.json", _TOKENIZER)):
        for key, values in table.items():
            for value in values:
                made[f"{name}: {key} = {value!r:.40}"] = _with_json(sound, name, **{key: value})
    made["weights: not a number"] = _with_weights(sound, lambda w: w * np.nan)
    made["weights: one is not a number"] = _with_weights(sound, _one_nan, "layers.1.mlp.up")
    made["weights: infinite"] = _with_weights(sound, lambda w: w + np.inf, "lm_head")
    made["weights: all zero"] = _with_weights(sound, lambda w: w * 0)
    made["weights: other shapes"] = _with_weights(sound, lambda w: w[:-1], "mlp")
    made["weights: whole numbers"] = _with_weights(sound, lambda w: w.astype(np.int64), "q_proj")
    made["weights: a smaller embedding"] = _with_weights(sound, lambda w: w[:50], "embed_tokens")
    made["weights: one layer"] = {**sound, _WEIGHTS: _without(sound[_WEIGHTS], "layers.1.")}
    made["weights: none"] = {**sound, _WEIGHTS: safetensors.numpy.save({}, {"format": "pt"})}
    for gone in sound:
        made[f"without {gone}"] = {k: v for k, v in sound.items() if k != gone}
        for i in range(4 if gone == _WEIGHTS else 6):
            made[f"{gone}: changed bytes {i}"] = {**sound, gone: _head_mutated(sound[gone], rng)}
        made[f"{gone}: empty"] = {**sound, gone: b""}
        made[f"{gone}: deep"] = {**sound, gone: b"[" * 100000}
        made[f"{gone}: a list"] = {**sound, gone: b"[]"}
    for name, checkpoint in made.items():
        files, changes = base()
        files |= {f"odd/{k}": v for k, v in checkpoint.items()}
        models = {
            **changes["models"],
            "student": {"kind": "hf", "path": "{folder}/odd", "device": "cpu"},
        }
        decoding = {"temperature": 0.0, "max_new_tokens": 4}
        yield Input(
            f"checkpoint: {name}",
            files,
            {**changes, "models": models, "decoding": decoding},
            ("odd", "student"),
            refused=False,
        )


def _one_nan(weights: np.ndarray) -> np.ndarray:
    changed = weights.copy()
    changed.flat[3] = np.nan
    return changed


def _without(content: bytes, part: str) -> bytes:
    weights = safetensors.numpy.load(content)
    return safetensors.numpy.save(
        {k: v for k, v in weights.items() if part not in k}, {"format": "pt"}
    )


def _head_mutated(content: bytes, rng: random.Random) -> bytes:
    """A change in the first two thousand bytes, where headers are."""
    return mutated(content[:2000], rng) + content[2000:]


FAMILIES: dict[str, Callable[[random.Random], Iterator[Input]]] = {
    "recorded": _recorded,
    "committed": _committed,
    "places": lambda rng: _places(),
    "values": _values,
    "named": lambda rng: _named(),
    "checkpoints": _checkpoints,
}


def inputs(family: str, seed: int = 0) -> list[Input]:
    """All inputs of a family."""
    return list(FAMILIES[family](random.Random(f"{family} {seed}")))
