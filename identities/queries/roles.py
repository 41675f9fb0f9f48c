"""What a role's template gives to one user: nats-server's expansion of `{{name()}}` and the like, at search time.

Source: nats-server `auth.go processUserPermissionsTemplate`; nats-jwt.md §3.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Protocol

from identities.claims import codec, subjects
from identities.claims.errors import ClaimsError
from identities.claims.scopes import SigningKey

_PLACEHOLDER = re.compile(r"\{\{([^}]+)\}\}")
_MOST = 4096


class _Lists(Protocol):
    allow: list[str]
    deny: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    name: str
    tags: tuple[str, ...]


@dataclass(slots=True)
class Templates:
    """The roles of some accounts by their key, and what their templates need to know of the accounts."""

    keys: dict[str, SigningKey] = field(default_factory=dict)
    accounts: dict[str, _Account] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, str]]) -> Templates:
        """From rows of public key, name and claims document."""
        made = cls()
        for key, name, document in rows:
            body = codec.from_payload(document).nats
            made.accounts[key] = _Account(name=name, tags=body.tags)
            made.keys.update({entry.key: entry for entry in body.signing_keys if entry.is_scoped})
        return made

    def role_name(self, key: str) -> str:
        """What the role is called, "" when it has no name."""
        return self.keys[key].role if key in self.keys else ""

    def replies_only(self, key: str) -> bool:
        """True when the role's users may publish nothing but replies, unless it has an allow list."""
        template = self.keys[key].template if key in self.keys else None
        return template is not None and template.resp is not None

    def expanded(
        self, user_claims: str, account_key: str, rules: _Lists
    ) -> tuple[list[str], list[str]] | None:
        """The allow and deny lists of one user of a role; None when nats-server would refuse its connection."""
        if not any("{{" in rule for rule in (*rules.allow, *rules.deny)):
            return rules.allow, rules.deny
        values = self._values(user_claims, account_key)
        if values is None:
            return None
        allow, deny = [], []
        for rule in rules.allow:
            found = _expanded(rule, values)
            if found is None:
                return None
            allow += [text for text in found if subjects.is_strict_valid(text)]
        for rule in rules.deny:
            found = _expanded(rule, values)
            if not found or not all(map(subjects.is_strict_valid, found)):
                return None
            deny += found
        if rules.allow and not allow:
            deny.append(">")
        return allow or list(rules.allow), deny

    def _values(self, user_claims: str, account_key: str) -> Mapping[str, tuple[str, ...]] | None:
        account = self.accounts.get(account_key)
        try:
            claims = codec.from_payload(user_claims)
        except ClaimsError:
            return None
        values: dict[str, tuple[str, ...]] = {
            "name()": (claims.name,),
            "subject()": (claims.sub,),
            "account-name()": (account.name,) if account else (),
            "account-subject()": (account_key,),
        }
        for prefix, tags in (("tag", claims.nats.tags), ("account-tag", account.tags if account else ())):
            for tag in tags:
                name, colon, value = tag.partition(":")
                if colon:
                    key = f"{prefix}({name})"
                    values[key] = (*values.get(key, ()), value)
        return values


def _expanded(rule: str, values: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """Every subject that `rule` stands for; None for a placeholder that nats-server does not know."""
    parts = _PLACEHOLDER.split(rule)
    choices: list[tuple[str, ...]] = []
    for place, part in enumerate(parts):
        if place % 2 == 0:
            choices.append((part,))
            continue
        name = part.strip().lower()
        if name not in values and not name.startswith(("tag(", "account-tag(")):
            return None
        choices.append(values.get(name, ()))
    size = 1
    for choice in choices:
        size *= len(choice)
    if size > _MOST:
        return None
    return ["".join(words) for words in product(*choices)]
