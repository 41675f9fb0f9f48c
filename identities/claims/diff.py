"""What changed between two payloads, field by field, in words for a person to read before and after saving.

Lists are compared by what their entries are, not by position: encoding sorts them, so that an index is no identity
(spec §9.1). What every signing changes (`iat`, `jti`) is left out, and tokens inside are never shown whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from identities.claims.describe_text import date_text, duration_text, exact_bytes

_MEMBER = "\x00"  # between the path of a plain list and an entry; the entry is not shown in the path
_SIGNING = ("iat", "jti")
_DATES = ("exp", "nbf", "revocations[]")
_DURATIONS = ("response_threshold", "ttl")
_SIZES = ("mem_storage", "disk_storage", "mem_max_stream_bytes", "disk_max_stream_bytes", "data", "payload")
_COUNTS = (
    "subs",
    "imports",
    "exports",
    "conn",
    "leaf",
    "streams",
    "consumer",
    "max_ack_pending",
)
_LIMITS = frozenset((*_SIZES, *_COUNTS))
_SECRETIVE = ("token", "jwt", "auth_token", "sig", "pass")
_WHOLE = "present"  # the value of an entry that is described by what stands in it
_KEYED_MAPS = ("revocations", "mappings", "tiered_limits")


def _words(*names: str) -> Callable[[Mapping[str, object]], str]:
    return lambda item: " ".join(str(item[name]) for name in names if item.get(name))


_IDENTITIES: Mapping[str, Callable[[Mapping[str, object]], str]] = {
    "exports": _words("subject", "type"),
    "imports": _words("subject", "type", "account"),
    "mappings[]": _words("subject", "cluster"),
    "signing_keys": _words("key"),
    "times": lambda item: f"{item.get('start', '')}-{item.get('end', '')}",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that changed: its path, and how it reads before and after ("" = was not there, or is gone)."""

    path: str
    before: str
    after: str


def diff(before: Mapping[str, object] | None, after: Mapping[str, object]) -> tuple[FieldChange, ...]:
    """Compare two payloads (parsed JSON), None standing for something that did not exist; sorted by path.

    An entry of a list is named in brackets: `nats.exports[orders.> stream].token_req`,
    `nats.signing_keys[A…].role`; entries come and go as a whole, in one line that says all that stands in them.
    """
    old = dict(_flatten("", before)) if before is not None else {}
    new = dict(_flatten("", after))
    for here, there in ((old, new), (new, old)):
        _fold(here, there)
    changes = []
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path, ""), new.get(path, "")
        if was != now:
            was, now = was or _zero(path, now, before), now or _zero(path, was, after)
            changes.append(FieldChange(path.partition(_MEMBER)[0], was, now))
    return tuple(changes)


def digest(text: str) -> str:
    """How a token is told apart from another without showing it."""
    return f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _fold(here: dict[str, str], there: Mapping[str, str]) -> None:
    """Turn each entry that only `here` has into one line: `subject a, type service`."""
    prefix, words = "", dict[str, str]()
    folded: dict[str, str] = {}
    for path, value in here.items():  # what stands in an entry follows it
        if prefix and path.startswith(prefix):
            name = path.removeprefix(prefix).partition(_MEMBER)[0]
            words[name] = f"{words[name]} {value}" if name in words else value
            folded[prefix[:-1]] = ", ".join(f"{name} {text}" for name, text in words.items())
            continue
        folded[path] = value
        if value == _WHOLE and path not in there:
            prefix, words = f"{path}.", {}
    here.clear()
    here.update(folded)


def _zero(path: str, other: str, tree: Mapping[str, object] | None) -> str:
    """How an absent value reads where Go leaves out what is zero: an account's limits and switches."""
    if tree is None or not path.startswith("nats.limits."):
        return ""
    return "no" if other == "yes" else "0"


def _flatten(path: str, tree: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if key in _KEYED_MAPS:
                yield from _flatten(f"{path}[{name}]", value, f"{key}[]")
            elif path or name not in _SIGNING:
                yield from _flatten(f"{path}.{name}" if path else name, value, name)
    elif isinstance(tree, list | tuple):
        yield from _flatten_list(path, tree, key)
    elif tree is not None:
        yield path, _text(key, tree)


def _flatten_list(path: str, items: Iterable[object], key: str) -> Iterator[tuple[str, str]]:
    seen: dict[str, int] = {}
    for item in items:
        name = _identity(item, key)
        seen[name] = count = seen.get(name, 0) + 1
        name += f" #{count}" if count > 1 else ""
        if isinstance(item, Mapping) or key == "signing_keys":
            yield f"{path}[{name}]", _WHOLE
        if isinstance(item, Mapping):
            yield from _flatten(f"{path}[{name}]", item)
        elif key == "signing_keys":
            continue
        else:
            yield f"{path}{_MEMBER}{name}", _text(key, item)


def _identity(item: object, key: str) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    identify = _IDENTITIES.get(key)
    return identify(item) if identify else " ".join(str(value) for value in item.values())


def _text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(key, value)
    text = str(value)
    if key in _SECRETIVE and text:
        return f"a token, {digest(text)}"
    return text


def _number(key: str, value: int) -> str:
    if key in _DATES:
        return date_text(value)
    if key in _DURATIONS:
        return duration_text(value)
    if value == -1 and key in _LIMITS:
        return "unlimited"
    return exact_bytes(value) if key in _SIZES and value > 0 else str(value)
