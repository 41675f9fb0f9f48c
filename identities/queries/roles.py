"""What a role gives to one user of it: its template, expanded as nats-server does at connect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from identities.claims import codec, effective, templates
from identities.claims.account import AccountBody
from identities.claims.errors import ClaimsError
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody


class Lists(NamedTuple):
    """Allowed and denied subjects in one direction; an empty allow list means nowhere."""

    allow: Sequence[str]
    deny: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Role:
    key: SigningKey
    account_key: str
    account_name: str
    account: AccountBody


@dataclass(slots=True)
class Roles:
    """The roles of some accounts, by their public key."""

    by_key: dict[str, _Role] = field(default_factory=dict)

    @classmethod
    def of(cls, accounts: Iterable[tuple[str, str, str]]) -> Roles:
        """From rows of public key, name and claims document."""
        made = cls()
        for key, name, document in accounts:
            body: AccountBody = codec.from_payload(document).nats
            scoped = (entry for entry in body.signing_keys if entry.is_scoped)
            made.by_key.update({entry.key: _Role(entry, key, name, body) for entry in scoped})
        return made

    def name(self, key: str) -> str:
        """What the role is called, "" when it has no name."""
        return self.by_key[key].key.role if key in self.by_key else ""

    def lists(self, key: str, user_claims: str, direction: Literal["pub", "sub"]) -> Lists:
        """What the role `key` gives to the user with these claims; nothing where nats-server would refuse it."""
        role = self.by_key.get(key)
        if role is None or role.key.template is None:
            return Lists((), ())
        try:
            claims = codec.from_payload(user_claims)
            body: UserBody = claims.nats
            template = templates.expand_template(
                role.key.template,
                claims.name,
                claims.sub,
                role.account_name,
                role.account_key,
                body.tags,
                role.account.tags,
            )
        except ClaimsError:
            return Lists((), ())
        given = effective.effective_permissions(body.limits, role.account.default_permissions, template)
        if direction == "pub":
            return Lists(given.pub_allow, given.pub_deny)
        return Lists(
            [entry.partition(" ")[0] for entry in given.sub_allow],
            [entry for entry in given.sub_deny if " " not in entry],
        )
