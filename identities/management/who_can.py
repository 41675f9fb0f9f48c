"""What `manage.py explain who-can` says: everybody who may publish, subscribe or answer on a subject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from identities.claims.reaching import Way
from identities.claims.subjects import is_strict_valid
from identities.models import Account
from identities.nkeys import KeyKind, is_public
from identities.policy.principal import Principal
from identities.queries import who_can
from identities.queries.effective import Holder
from identities.queries.who_can import Deed, Reached

WORD = "who-can"


def of(
    principal: Principal, deed: str | None, subject: str | None, within: str | None, *, now: int
) -> Reached:
    """The ways to a subject.

    Raises: CommandError: something is missing, is no subject, or no account is called so, or several are.
    """
    if deed not in set(Deed) or not subject or not within:
        raise CommandError("Give publish, subscribe or answer, a SUBJECT, and the account by --account.")
    if not is_strict_valid(subject):
        raise CommandError(
            f"“{subject}” is no subject: tokens between dots, none empty, no blanks, > only at the end."
        )
    return who_can.reached(principal, account(principal, within), Deed(deed), subject, now=now)


def told(principal: Principal, found: Reached, *, now: int) -> Iterator[str]:
    """Lines to read."""
    anybody = False
    for way in found.ways:
        lines = [*_roles(found, way), *map(_user, _everybody(principal, found, way, now=now))]
        anybody = anybody or bool(lines)
        if lines:
            yield f"{way.name} ({way.account}), by its rules for `{way.subject}`:"
            yield from (f"  through: {hop.text}" for hop in way.hops)
            yield from (f"  a mapping there makes it of `{text}`" for text in way.written)
            yield from lines
    if not anybody:
        yield "Nobody: no user and no role may, in this account or in one around it."
    if found.cut:
        yield who_can.CUT


def document(principal: Principal, found: Reached, *, now: int) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "deed": found.deed.value,
        "complete": not found.cut,
        "ways": [
            {
                "account": way.account,
                "name": way.name,
                "subject": way.subject,
                "published_as": list(way.written),
                "through": [
                    {"said": hop.text, "key": hop.place.key, "path": hop.place.path} for hop in way.hops
                ],
                "roles": [
                    {"key": role.key, "name": role.role, "much": granted.value}
                    for role, granted in who_can.roles(found, way)
                ],
                "users": [
                    {
                        "key": row.user.key,
                        "name": row.user.name,
                        "much": row.coverage.value,
                        "by": row.source.value,
                        "role": row.role or None,
                        "allowed": list(row.allowed),
                        "denied": list(row.denied),
                    }
                    for row in _everybody(principal, found, way, now=now)
                ],
            }
            for way in found.ways
        ],
    }


def _everybody(principal: Principal, found: Reached, way: Way, *, now: int) -> Iterator[Holder]:
    after = None
    while True:
        page = who_can.holders(principal, found, way, after=after, now=now)
        yield from page.rows
        after = page.next
        if after is None:
            return


def _roles(found: Reached, way: Way) -> Iterator[str]:
    for role, granted in who_can.roles(found, way):
        yield f"  - the role {role.role or role.key} ({granted.value})"


def _user(row: Holder) -> str:
    by = f"{row.source.value} {row.role}".strip()
    rules = f": {' '.join(row.allowed)}" if row.allowed else ""
    denied = f", but not {' '.join(row.denied)}" if row.denied else ""
    return f"  - {row.user.name} {row.user.key} ({row.coverage.value}, by {by}{rules}{denied})"


def account(principal: Principal, text: str) -> Account:
    """The live account of this key or name.

    Raises: CommandError: none is called so, or several are.
    """
    rows = Account.objects.visible_to(principal).live().filter(operator__deleted_at=None)
    rows = rows.filter(public_key=text) if is_public(text, KeyKind.ACCOUNT) else rows.filter(name=text)
    found = list(rows.select_related("operator").order_by("pk")[:10])
    if not found:
        raise CommandError(f"No account called {text[:60]} is known here.")
    if len(found) > 1:
        listed = "\n".join(f"  {row.public_key}  {row.name} of {row.operator.name}" for row in found)
        raise CommandError(f"Several accounts are called so; give the key of one:\n{listed}")
    return found[0]
