"""Faults for credentials in a configuration or on a command line, without repeating them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.console.secrets import holds_key, names_secret, secret_in

CURE = "put the key into an environment variable and its name into api_key_env"
_ARGUMENT = re.compile(
    r"(?i)^(?:(?:hf|api|use[_-]?auth|id|refresh)[_-])?token$|^headers?$|^key$|^auth$|^pwd$"
)
_USER = re.compile(r"://[^\s/?#]*@|(?:^|[\s\"'=,{\[])(?://)?[^\s/@:\"'=,{\[]+:[^\s/@]+@[^\s/]")
_ADDRESS = re.compile(r"\s*[A-Za-z][\w+.-]*://\S*\s*")
_QUERY = re.compile(r"[?#][^\s\"'<>]*")
_PARAMETER = re.compile(
    r"(?i)(?:key|token|secret|passw(?:or)?d|pwd|auth|authorization|sig|signature|credentials?|bearer|code)$"
)
_FROM_ENVIRONMENT = re.compile(r"\$\{\s*(?:oc\.)?env\s*:\s*['\"]?([A-Za-z_]\w*)")
_INNER = re.compile(r"[{,\[]\s*[\"']?([A-Za-z][\w.-]*)[\"']?\s*:\s*(?!(?:null|true|false)\b)")
_WATERMARK = re.compile(r"(?i)^(?:hashing[_-]?)?keys?$")  # of a mapping `watermark`
_NAMES_VARIABLE = ("api_key_env", "key_env")  # settings that hold a variable's name
_EMPTY = (None, "", True, False, "null", "true", "false")


def configuration_faults(config: Mapping[str, Any]) -> list[str]:
    """One line for every credential in a composed configuration, which may still hold interpolations."""
    return list(
        dict.fromkeys(fault for key, value in config.items() for fault in _walk(str(key), value))
    )


def argument_faults(args: Mapping[str, Any], where: str = "args") -> list[str]:
    """One line for every credential in the arguments of a model."""
    return list(_walk(where, args, strict=True))


def override_faults(words: Sequence[str]) -> list[str]:
    """One line for every credential among the words of a command line, seen before anything is composed."""
    faults: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        value = value.replace("\\", "")  # Hydra's escapes
        path = key.lstrip("+~").partition("@")[0]
        if equals and not value.startswith("//") and "://" not in key:
            faults.extend(_override(path, value.strip("'\"")))
        else:
            faults.extend(_address_faults("command line", word, embedded=True))
    return list(dict.fromkeys(faults))


def variable_fault(where: str, name: Any) -> str | None:
    """The fault of the name in an api_key_env, such as being the key itself."""
    if name is None or (
        isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name) and not secret_in(name)
    ):
        return None
    return f"{where}: expected the name of an environment variable, such as MY_API_KEY; got something else"


def shown_variable(name: str) -> str:
    """The name of a variable where it is spelt like one; a key given in its place by mistake is not shown."""
    return (
        name
        if re.fullmatch(r"[A-Z_][A-Z0-9_]*", name)
        else "(the name is not shown: it is not in capitals)"
    )


def _override(path: str, value: str) -> Iterator[str]:
    parts = path.split(".")
    inside = [m[1] for m in _INNER.finditer(value)]
    if "watermark" in parts or "watermark" in inside:
        yield from (_mark_fault(path) for name in (parts[-1], *inside) if _WATERMARK.match(name))
    arguments = "args" in parts or "args" in inside
    if value not in _EMPTY and any(_secret_key(part, arguments) for part in parts):
        yield _secret_fault(path)
        return
    yield from (_secret_fault(f"{path}.{name}") for name in inside if _secret_key(name, arguments))
    if parts[-1] in _NAMES_VARIABLE and (fault := variable_fault(path, value)):
        yield fault
    yield from _text_faults(path, value, strict=True)


def _walk(path: str, value: Any, strict: bool = False) -> Iterator[str]:
    """Faults of a value and of all below it; `strict` = of a model's arguments, or of Hydra's own settings."""
    name, top = path.rpartition(".")[2], path.partition(".")[0]
    strict = strict or name == "args" or top == "hydra"
    if ".watermark." in path and _WATERMARK.match(name) and value not in _EMPTY:
        yield _mark_fault(path)
    elif (
        value not in _EMPTY
        and (strict or top in ("models", "track"))
        and _secret_key(name, strict and top != "hydra")
    ):
        yield _secret_fault(path)
    elif name in _NAMES_VARIABLE:
        yield from [fault] if (fault := variable_fault(path, value)) else []
    elif isinstance(value, Mapping):
        inner = value.items() if not (top == "models" and name == "answers") else ()
        yield from (fault for key, v in inner for fault in _walk(f"{path}.{key}", v, strict))
    elif isinstance(value, (list, tuple)):
        yield from (fault for i, v in enumerate(value) for fault in _walk(f"{path}.{i}", v, strict))
    elif isinstance(value, str):
        yield from _text_faults(path, value, strict)


def _text_faults(path: str, text: str, strict: bool) -> Iterator[str]:
    for variable in _FROM_ENVIRONMENT.findall(text):
        if holds_key(variable):
            yield f"{path}: expected no secret, got the environment variable {shown_variable(variable)}; {CURE}"
    yield from _address_faults(path, text, embedded=strict)
    if strict and (source := secret_in(text)):
        yield f"{path}: expected no secret, got {source}; {CURE}"


def _address_faults(path: str, text: str, *, embedded: bool) -> Iterator[str]:
    """Credentials in an address: in a text that is one, or anywhere in the text where `embedded`."""
    if not (embedded or _ADDRESS.fullmatch(text)):
        return
    if _USER.search(text):
        yield f"{path}: expected an address without user name and password; {CURE}"
    for query in _QUERY.findall(text):
        names = [part.partition("=")[0] for part in re.split(r"[?#&;]", query) if "=" in part]
        if any(_PARAMETER.search(name) for name in names):
            yield f"{path}: expected an address without a key in its query; {CURE}"


def _secret_key(name: str, argument: bool) -> bool:
    return names_secret(name) or (argument and _ARGUMENT.match(name) is not None)


def _secret_fault(path: str) -> str:
    return f"{path}: expected no secret in a configuration; {CURE}"


def _mark_fault(path: str) -> str:
    return (
        f"{path}: expected no key of a watermark in a configuration; put it into an environment variable and its name "
        "into key_env"
    )
