"""Editing one field of a foreign token changes that field, `iat`, `jti` and the signature, and nothing else."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

import pytest

from identities.claims import codec, gojson
from identities.claims.bodies import CLAIMS, KINDS, SHAPES, Kind
from identities.claims.common import Claims
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.nkeys import KeyKind, KeyPair

NOW = 1_800_000_000
SIGNERS = {kind: KeyPair(kind, bytes([number]) * 32) for number, kind in enumerate(KeyKind)}
SET_BY_ENCODE = {"iat", "jti", "iss", "extra", "source"}
UNKNOWN = {"x_number": 1.5, "x_list": [{"b": 1, "a": None}, 1e3], "x_object": {"<&>": "é\u2028"}}
Path = tuple[str | int, ...]


def sample(hint: Any, seed: str, number: int) -> Any:
    """A value of that type that is not empty; `seed` and `number` keep values apart."""
    if is_dataclass(hint):
        return filled(hint, seed, number)
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in {types.UnionType, typing.Union}:
        return sample(arguments[0], seed, number)
    if origin is tuple:
        return tuple(sample(arguments[0], f"{seed}{index}", number + index) for index in range(3))
    if origin is not None:
        return {
            f"{seed}.{index}": sample(arguments[1], f"{seed}{index}", number + index) for index in range(3)
        }
    return {str: seed, int: number, bool: True}[hint]


def filled(cls: Any, seed: str, number: int) -> Any:
    """A dataclass with every field set, each with unknown fields beside it."""
    hints = typing.get_type_hints(cls)
    values = {
        item.name: sample(hints[item.name], f"{seed}{place:02}", number + place)
        for place, item in enumerate(fields(cls))
        if item.name not in {"extra", "version"}
    }
    if cls is Export or cls is Import:
        values["type"] = "service"
    if cls is KINDS["activation"].cls:
        values["kind"] = "service"
    if cls is ServiceLatency:
        values["sampling"] = 10
    if cls is SigningKey:
        values["kind"] = USER_SCOPE
    if cls is KINDS["account"].cls:  # flat limits and tiers exclude each other
        values["limits"] = replace(
            values["limits"],
            **dict.fromkeys(FLAT_NAMES - {"max_bytes_required"}, 0),
            max_bytes_required=False,
        )
    return cls(**values)


FLAT_NAMES = {*JetStreamLimits.__slots__} - {"extra"}

MAPS = {"revocations", "mappings", "tiered_limits"}


def foreign(tree: Any, key: str = "") -> Any:
    """The same JSON with unknown fields at both ends of every object that is not a map."""
    if isinstance(tree, dict):
        inside = {name: foreign(value, name) for name, value in tree.items()}
        if key in MAPS:
            return inside
        return {"x_first": [True], **inside, **typing.cast(Any, gojson.loads(json.dumps(UNKNOWN).encode()))}
    return [foreign(item) for item in tree] if isinstance(tree, list) else tree


def with_zeros(value: Any) -> dict[str, Any]:
    """The JSON of a dataclass with every empty field written out."""
    shape = SHAPES[type(value)]
    tree = shape.write(value)
    for name, field in shape.fields.items():
        key = name.removesuffix("_")
        inner = getattr(value, name)
        if is_dataclass(inner):
            tree[key] = with_zeros(inner)
        elif key not in tree and name not in {"type", "kind"}:  # an empty one is an error in Go
            tree[key] = list_of_zeros(type(value), name) if field.zero == () else field.zero
    if type(value) is KINDS["user"].cls:
        tree = with_zeros(value.limits) | tree
    if type(value) is OperatorLimits:
        tree.pop("tiered_limits")
    return tree


def list_of_zeros(cls: Any, name: str) -> list[Any]:
    """A list with one item of zeros where the items are objects, else an empty list."""
    item = typing.get_args(typing.get_type_hints(cls)[name])[0]
    item = (typing.get_args(item) or (item,))[0]
    if item is SigningKey:
        return [with_zeros(SigningKey(kind=USER_SCOPE, key="A", template=UserPermissionLimits()))]
    return [with_zeros(item())] if is_dataclass(item) else []


@cache
def token_of(kind: Kind, *, empty: bool) -> codec.Token:
    """A foreign token of that kind, all fields set, or all fields written out as empty."""
    issuer = SIGNERS[kind.issuers[0]]
    subject = SIGNERS[kind.subject or KeyKind.USER].public.text
    body = kind.cls() if empty else filled(kind.cls, "s", 100)
    if kind.type == "operator" and not empty:
        body = replace(body, account_server_url="https://example.org")
    claims = Claims(
        nats=replace(body, type=kind.type, version=2), sub=subject, iss=issuer.public.text, iat=5, jti="J"
    )
    if empty:
        tree = {
            "aud": "",
            "exp": 0,
            "name": "",
            "nbf": 0,
            **CLAIMS.write(claims),
            "nats": with_zeros(claims.nats),
        }
        tree["nats"] |= {"type": kind.type}
    else:
        tree = CLAIMS.write(replace(claims, aud="aud", exp=1, name="name", nbf=2))
    payload = gojson.dumps(foreign(tree))
    signed = f"{codec.segments.HEADER_SEGMENT}.{codec.segments.encode(payload.encode())}"
    return codec.decode(f"{signed}.{codec.segments.encode(issuer.sign(signed.encode()))}")


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The attribute path of every field that can be edited, inside lists and maps too."""
    if is_dataclass(value):
        for item in fields(value):
            if item.name not in SET_BY_ENCODE and not (
                path == ("nats",) and item.name in {"type", "version"}
            ):
                yield (*path, item.name)
                yield from leaves(getattr(value, item.name), (*path, item.name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))


def get(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step] if isinstance(value, tuple | dict) else getattr(value, str(step))
    return value


def put(value: Any, path: Path, new: Any) -> Any:
    """The same claims with one field changed."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, tuple):
        return tuple(put(item, rest, new) if index == step else item for index, item in enumerate(value))
    if isinstance(value, dict):
        return {key: put(item, rest, new) if key == step else item for key, item in value.items()}
    return replace(value, **{str(step): put(getattr(value, str(step)), rest, new)})


def edited(owner: Any, name: str) -> Any:
    """Another value for a field, which keeps lists sorted; None when the field cannot be edited alone."""
    old = getattr(owner, name)
    hint = typing.get_type_hints(type(owner))[name]
    if isinstance(owner, SigningKey) and name == "kind":
        return None
    if name in {"type", "kind"} and isinstance(owner, (Export, Import, KINDS["activation"].cls)):
        return "stream"
    if isinstance(owner, ServiceLatency) and name == "sampling":
        return 33
    if name == "account_server_url":
        return "nats://example.org"
    if name == "weight":
        return 77
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return old + 1
    if isinstance(old, str):
        return old + "~"
    if is_dataclass(old):
        return None  # its own fields are edited one by one
    if isinstance(old, tuple) and old:
        return old[:-1]
    if isinstance(old, dict) and old:
        return {key: value for key, value in old.items() if key != max(old)}
    return sample(hint, "new", 3)


def flat(tree: Any, path: Path = ()) -> dict[Path, Any]:
    if isinstance(tree, dict | list) and tree:
        found: dict[Path, Any] = {}
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            found |= flat(value, (*path, key))
        return found
    return {path: tree}


def in_json(path: Path, kind: Kind) -> Path:
    """The JSON path of an attribute path: a user's limits stand in the body itself."""
    steps = [step.removesuffix("_") if isinstance(step, str) else step for step in path]
    if kind.type == "user" and steps[:2] == ["nats", "limits"]:
        del steps[1]
    return tuple(steps)


def check_order(old: Any, new: Any) -> None:
    """Keys that stayed are in the same order."""
    if isinstance(old, dict) and isinstance(new, dict):
        assert [key for key in new if key in old] == [key for key in old if key in new]
        for key in old.keys() & new.keys():
            check_order(old[key], new[key])


CASES = [
    pytest.param(
        kind, empty, path, id=f"{kind.type}-{'empty' if empty else 'full'}-{'.'.join(map(str, path))}"
    )
    for kind in KINDS.values()
    for empty in (False, True)
    for path in leaves(token_of(kind, empty=empty).claims)
    if empty or path[-1] not in FLAT_NAMES or "tiered_limits" in path  # which exclude each other
    if edited(get(token_of(kind, empty=empty).claims, path[:-1]), str(path[-1])) is not None
]


@pytest.mark.parametrize(("kind", "empty", "path"), CASES)
def test_an_edit_changes_its_field_and_nothing_else(kind: Kind, empty: bool, path: Path) -> None:
    token = token_of(kind, empty=empty)
    if path == ("sub",):
        new: Any = KeyPair(kind.subject or KeyKind.USER, b"z" * 32).public.text
    else:
        new = edited(get(token.claims, path[:-1]), str(path[-1]))
    after = put(token.claims, path, new)
    again = codec.encode_checked(after, SIGNERS[kind.issuers[0]], NOW)
    assert get(again.claims, path) == new
    old_tree, new_tree = json.loads(token.payload), json.loads(again.payload)
    old_flat, new_flat = flat(old_tree), flat(new_tree)
    changed = {
        place
        for place in old_flat.keys() | new_flat.keys()
        if old_flat.get(place, ...) != new_flat.get(place, ...) and place not in {("iat",), ("jti",)}
    }
    here = in_json(path, kind)
    assert changed
    assert all(place[: len(here)] == here or here[: len(place)] == place for place in changed), changed
    check_order(old_tree, new_tree)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.type)
@pytest.mark.parametrize("empty", [False, True])
def test_signing_again_without_an_edit_keeps_every_byte_but_time_and_id(kind: Kind, empty: bool) -> None:
    token = token_of(kind, empty=empty)
    again = codec.encode_checked(token.claims, SIGNERS[kind.issuers[0]], NOW)
    was = token.payload.replace('"iat":5', f'"iat":{NOW}').replace('"jti":"J"', f'"jti":"{again.claims.jti}"')
    assert again.payload == was
    assert '"x_number":1.5' in again.payload
    assert "1000.0" in again.payload


def test_many_fields_edited_at_once_all_arrive() -> None:
    token = token_of(KINDS["account"], empty=False)
    claims = token.claims
    exports = claims.nats.exports
    after = replace(
        claims,
        name="other",
        nats=replace(
            claims.nats,
            exports=(
                replace(exports[2], description="changed"),
                Export(subject="new", type="stream"),
                exports[0],
            ),
            signing_keys=claims.nats.signing_keys[1:],
            trace=None,
        ),
    )
    again = codec.encode_checked(after, SIGNERS[KeyKind.OPERATOR], NOW)
    tree = json.loads(again.payload)["nats"]
    assert [item["subject"] for item in tree["exports"]] == sorted(
        [exports[0].subject, exports[2].subject, "new"]
    )
    new = next(item for item in tree["exports"] if item["subject"] == "new")
    assert new == {"subject": "new", "type": "stream"}
    assert all("x_first" in item for item in tree["exports"] if item is not new)
    assert "trace" not in tree
    assert len(tree["signing_keys"]) == 2


def test_a_list_that_was_not_touched_keeps_a_foreign_order() -> None:
    signer = SIGNERS[KeyKind.OPERATOR]
    claims = Claims(
        sub=SIGNERS[KeyKind.ACCOUNT].public.text,
        nats=KINDS["account"].cls(
            exports=(Export(subject="b", type="stream"), Export(subject="a", type="stream"))
        ),
    )
    foreign_text = codec.payload_text(claims)
    assert foreign_text.index('"b"') < foreign_text.index('"a"')
    kept = codec.encode_checked(replace(codec.from_payload(foreign_text), name="n"), signer, NOW)
    assert [export.subject for export in kept.claims.nats.exports] == ["b", "a"]
    made = codec.encode_checked(claims, signer, NOW)
    assert [export.subject for export in made.claims.nats.exports] == ["a", "b"]


def test_new_keys_come_where_go_would_put_them() -> None:
    signer = SIGNERS[KeyKind.ACCOUNT]
    text = codec.payload_text(Claims(sub=SIGNERS[KeyKind.USER].public.text, nats=KINDS["user"].cls()))
    claims = codec.from_payload(text)
    limits = replace(claims.nats.limits, bearer_token=True, src=("10.0.0.0/8",))
    again = codec.encode(
        replace(claims, aud="x", exp=9, nats=replace(claims.nats, limits=limits)), signer, NOW
    )
    assert again.payload == codec.payload_text(replace(again.claims, source=None))
