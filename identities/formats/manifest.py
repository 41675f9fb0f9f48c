"""Manifests: an operator with its accounts, roles and users as one YAML text (see `docs/manifest.md`).

Field names are those of the claims. What is written about an object is whole, what is not written is left as it is;
objects are found by their names, or by `key` where one is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from identities.claims.names import check_name
from identities.claims.revocations import EVERYONE
from identities.errors import IdentityError
from identities.formats import manifest_fields
from identities.formats.manifest_kinds import Found, Kind, fields_of
from identities.formats.yaml_nodes import Node, UnreadableManifest, parse
from identities.nkeys import KeyKind, PublicKey

VERSION = "1"
PLAIN = "plain"
"""How a plain signing key is written where it does not matter which one it is."""


def _elsewhere(node: Node, found: Found) -> None:
    """A field that is read by its own function."""


ACCOUNT: Mapping[str, Kind] = {
    **manifest_fields.ACCOUNT,
    "signing_keys": Kind(words="a list of roles, of keys (A…), and of the word plain", read=_elsewhere),
    "users": Kind(words="a list of users", read=_elsewhere),
}
TOP: Mapping[str, Kind] = {
    "manifest": Kind(words="1, the version of this form", read=_elsewhere),
    "operator": Kind(words="the operator's own fields", read=_elsewhere),
    "accounts": Kind(words="a list of accounts", read=_elsewhere),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a manifest says of one object: `fields` holds only what is written, as claims have it.

    `lines` says where: of each field, and of the entries of its lists (`exports[2]`).
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name; a signing key's is that of its role."""
        return str(self.fields.get("name", self.fields.get("role", "")))

    @property
    def key(self) -> str:
        """Its public key, "" where none is written."""
        return str(self.fields.get("key", ""))

    def line_of(self, path: str) -> int:
        """Where a field, or an entry of its list, is written; the object's own line if it is not."""
        return self.lines.get(path, self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidAccount(Said):
    """An account. `signing_keys` and `users` are None where nothing is written of them."""

    signing_keys: tuple[Said, ...] | None = None
    users: tuple[Said, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One operator; `accounts` is None where nothing is written of them."""

    operator: Said
    accounts: tuple[SaidAccount, ...] | None = None


def read(data: bytes | str) -> Manifest:
    """Read a manifest.

    Raises: UnreadableManifest: with all problems, each with its line and what to do.
    """
    root = parse(data)
    found: Found = []
    if root.entries is None:
        raise UnreadableManifest([root.problem(f"is {root.kind}. Begin with “operator:” and its name.")])
    fields_of(root, TOP, found)
    version = root.entries.get("manifest")
    if version is not None and version.text != VERSION:
        found.append(version.problem(f"is {version.kind}: only version {VERSION} is known. Write {VERSION}."))
    top = root.entries.get("operator")
    operator = Said()
    if top is None:
        found.append(root.problem("names no operator. Begin with “operator:” and its name."))
    else:
        operator = _said(top, manifest_fields.OPERATOR, KeyKind.OPERATOR, found)
    accounts = _several(root.entries.get("accounts"), _account, found)
    _refuse_twice(accounts or (), "account", str.casefold, found)
    if found:
        raise UnreadableManifest(found)
    return Manifest(operator=operator, accounts=accounts)


def write(manifest: Manifest) -> str:
    """The text of a manifest, always the same for the same one."""
    tree: dict[str, Any] = {
        "manifest": int(VERSION),
        "operator": _written(manifest.operator.fields, manifest_fields.OPERATOR),
    }
    if manifest.accounts is not None:
        tree["accounts"] = [_written_account(account) for account in manifest.accounts]
    text: str = yaml.dump(
        tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Lists stand indented below their names, and equal values are written out each time."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _said(node: Node, fields: Mapping[str, Kind], kind: KeyKind, found: Found) -> Said:
    """A named object."""
    values = fields_of(node, fields, found)
    entries = node.entries or {}
    if not values.get("name") and not values.get("key") and node.entries is not None:
        found.append(node.problem("has neither name nor key. Write “name: …”."))
    if "name" in values:
        _try(entries["name"], lambda: check_name(values["name"]), found)
    if "key" in values:
        _try(entries["key"], lambda: PublicKey.parse(values["key"], kind), found)
    return Said(fields=values, line=node.line, lines=dict(_lines(entries)))


def _account(node: Node, found: Found) -> SaidAccount:
    said = _said(node, ACCOUNT, KeyKind.ACCOUNT, found)
    entries = node.entries or {}
    keys = _several(entries.get("signing_keys"), _signing_key, found)
    users = _several(entries.get("users"), _user, found)
    _refuse_twice(keys or (), "role", str, found)
    _refuse_twice(users or (), "user", str, found)
    _refuse_same(entries.get("exports"), ("type", "subject"), found)
    _refuse_same(entries.get("imports"), ("type", "account", "subject", "local_subject", "to"), found)
    if "revocations" in entries:
        for key, entry in (entries["revocations"].entries or {}).items():
            if key != EVERYONE:
                _try(entry, lambda key=key: PublicKey.parse(key, KeyKind.USER), found)  # type: ignore[misc]
    own = {name: value for name, value in said.fields.items() if name not in ("signing_keys", "users")}
    return SaidAccount(fields=own, line=said.line, lines=said.lines, signing_keys=keys, users=users)


def _user(node: Node, found: Found) -> Said:
    return _said(node, manifest_fields.USER, KeyKind.USER, found)


def _signing_key(node: Node, found: Found) -> Said:
    """A role, or a plain key: its public key, or the word for any."""
    if node.text is not None:
        values: dict[str, Any] = {}
        if node.text != PLAIN:
            values["key"] = node.text
            _try(node, lambda: PublicKey.parse(node.text or "", KeyKind.ACCOUNT), found)
        return Said(fields=values, line=node.line)
    values = fields_of(node, manifest_fields.SIGNING_KEY, found)
    entries = node.entries or {}
    if "key" in values:
        _try(entries["key"], lambda: PublicKey.parse(values["key"], KeyKind.ACCOUNT), found)
    if node.entries is not None and "role" not in values:
        found.append(node.problem("has no role. Write “role: …” with its name, or “plain” for a plain key."))
    elif not values.get("role") and not values.get("key"):
        found.append(node.problem("has a role without a name. Name it, or give its key."))
    return Said(fields=values, line=node.line, lines=dict(_lines(entries)))


def _several(
    node: Node | None, read_one: Callable[[Node, Found], Any], found: Found
) -> tuple[Any, ...] | None:
    if node is None:
        return None
    if node.items is None:
        found.append(node.problem(f"is {node.kind}. Write a list ([] for none), each entry after “- ”."))
        return None
    return tuple(read_one(item, found) for item in node.items)


def _try(node: Node, check: Callable[[], object], found: Found) -> None:
    try:
        check()
    except IdentityError as refused:
        found.append(node.problem(f"can't be taken: {refused.user_message}"))


def _lines(entries: Mapping[str, Node]) -> Iterator[tuple[str, int]]:
    for name, node in entries.items():
        yield name, node.line
        for index, item in enumerate(node.items or ()):
            yield f"{name}[{index}]", item.line


def _refuse_twice(entries: Sequence[Said], what: str, folded: Callable[[str], str], found: Found) -> None:
    """One name or key for two objects, one of which nobody could mean."""
    for attribute in ("name", "key"):
        seen: dict[str, int] = {}
        for entry in entries:
            value = folded(getattr(entry, attribute)) if attribute == "name" else entry.key
            if not value or (what == "role" and attribute == "name" and entry.key):
                continue
            if value in seen:
                node = Node(entry.line, 1, "")
                shown = getattr(entry, attribute)
                words = (
                    f"holds the {what} “{shown}” twice (first on line {seen[value]}). Remove or rename one."
                )
                found.append(node.problem(words))
            seen.setdefault(value, entry.line)


def _refuse_same(node: Node | None, identity: Iterable[str], found: Found) -> None:
    """Two entries of a list that NATS takes for the same."""
    seen: Counter[tuple[str, ...]] = Counter()
    for item in (node.items or ()) if node is not None else ():
        fields = item.entries or {}
        one = tuple((fields[name].text or "") if name in fields else "" for name in identity)
        seen[one] += 1
        if seen[one] == 2:
            words = " ".join(filter(None, one))
            found.append(item.problem(f"is the second {words} of its list. Remove one, or merge them."))


def _written(fields: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    return {name: kind.write(fields[name]) for name, kind in kinds.items() if name in fields}


def _written_account(account: SaidAccount) -> dict[str, Any]:
    tree = _written(account.fields, manifest_fields.ACCOUNT)
    if account.signing_keys is not None:
        tree["signing_keys"] = [_written_key(key) for key in account.signing_keys]
    if account.users is not None:
        tree["users"] = [_written(user.fields, manifest_fields.USER) for user in account.users]
    return tree


def _written_key(said: Said) -> str | dict[str, Any]:
    if "role" not in said.fields:
        return said.key or PLAIN
    return _written(said.fields, manifest_fields.SIGNING_KEY)
