"""A plug-in as a test names it: its class, what was made of it, or its name."""

from __future__ import annotations

from multiprocessing import Pipe
from typing import Any, TypeVar

from harness.plugins import build, plugin_class
from harness.schema import build_dataclass

P = TypeVar("P")


def made(package: str, plugin: type[P] | P | str, fields: dict[str, Any]) -> P:
    """The plug-in with these fields, built as a YAML would be; an instance as it is."""
    if isinstance(plugin, str):
        name = plugin
        built: P = build(package, name, {"kind": name, **fields})
    elif isinstance(plugin, type):
        name = plugin.__module__.rpartition(".")[2]
        built = build_dataclass(
            plugin, {"kind": name, "name": name, **fields}, f"{package[:-1]} {name}"
        )
    else:
        assert not fields, "expected fields only with a class or a name: an instance has its own"
        return plugin
    return built


def check_travels(package: str, plugin: Any) -> None:
    """Raises AssertionError if the plug-in cannot be sent to workers."""
    kind = type(plugin).__module__.rpartition(".")[2]
    assert plugin_class(package, kind) is type(plugin), (
        f"{kind} is not found among the {package}: call harness.testing.use_folders first"
    )
    here, there = Pipe()
    here.send(plugin)
    assert there.recv() == plugin, (
        f"{kind}: another process gets something else; state belongs into a session, fields are plain values"
    )
