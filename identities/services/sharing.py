"""What exports, imports and activations have in common: finding them, and what an edit does to other accounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from identities import lookup
from identities.claims import import_cycles, sharing
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.report import Grade, Issue
from identities.claims.sharing import Exporter
from identities.errors import IdentityError
from identities.models import Account, Operator
from identities.nkeys import KeyKind, PublicKey
from identities.policy.principal import Principal
from identities.queries import sharing as neighbours
from identities.queries.sharing import Known
from identities.services import changes, clock, columns, four_eyes

Entry = TypeVar("Entry")
MOST_NAMED = 20
"""How many importers a warning names before it only counts."""


def export_at(account: Account, handle: str) -> tuple[int, Export | None]:
    """The export with this handle and its place in the list; None for an entry that holds nothing.

    Raises:
        NotFound: there is none (any more).
    """
    exports: Sequence[Export | None] = changes.claims_of(account).nats.exports
    return _at(exports, sharing.export_handles(exports), handle, "export", account)


def import_at(account: Account, handle: str) -> tuple[int, Import | None]:
    """The import with this handle and its place in the list, likewise. Raises: NotFound."""
    imports: Sequence[Import | None] = changes.claims_of(account).nats.imports
    return _at(imports, sharing.import_handles(imports), handle, "import", account)


def export_of(account: Account, handle: str) -> tuple[int, Export]:
    """The same for an entry that holds an export. Raises: NotFound."""
    index, export = export_at(account, handle)
    if export is None:
        raise lookup.NotFound("This entry holds no export: it can only be deleted.")
    return index, export


def import_of(account: Account, handle: str) -> tuple[int, Import]:
    """The same for an entry that holds an import. Raises: NotFound."""
    index, imported = import_at(account, handle)
    if imported is None:
        raise lookup.NotFound("This entry holds no import: it can only be deleted.")
    return index, imported


def account_named(principal: Principal, operator: Operator, text: str, *, field: str) -> str:
    """The public key of the account that `text` names: itself a key, or the name of an account under `operator`.

    Raises:
        IdentityError: no account that the principal may see is called so.
    """
    if text[:1] == "A" and len(text) == 56:
        try:
            return PublicKey.parse(text, KeyKind.ACCOUNT).text
        except IdentityError as refused:
            raise IdentityError(refused.user_message, field=field) from None
    found = (
        Account.objects.visible_to(principal)
        .live()
        .filter(operator=operator, name_fold=columns.folded(text))
        .only("public_key")
        .first()
    )
    if found is None:
        raise IdentityError(
            f"There is no account “{text[:100]}” under “{operator.name}” that you may see. Give its public key (A…).",
            field=field,
        )
    return found.public_key


def issues_of(
    account: Account,
    imported: Import,
    body: AccountBody,
    around: dict[str, Known],
    *,
    now: int,
    token_follows: bool = False,
) -> tuple[Issue, ...]:
    """Everything about one import of `account`, whose claims are `body`: its export, its token, and cycles."""
    one = around.get(imported.account)
    exporter = one.exporter if one is not None else None
    found = list(
        sharing.import_issues(imported, account.public_key, exporter, now=now, token_follows=token_follows)
    )
    accounts = {
        key: known.exporter.claims.nats for key, known in around.items() if not known.exporter.deleted
    }
    ring = import_cycles.cycle(account.public_key, imported, {**accounts, account.public_key: body})
    if ring:
        names = {account.public_key: account.name, **{key: known.row.name for key, known in around.items()}}
        way = " → ".join(f"“{names.get(key, key)}”" for key in ring)
        words = (
            f"This import leads back to where it came from: {way}. Servers leave one of these imports out."
        )
        found.append(Issue(Grade.ERROR, "subject", words, ours=True))
    return tuple(found)


def broken_importers(
    principal: Principal, account: Account, before: Claims[AccountBody], after: Claims[AccountBody]
) -> tuple[str, ...]:
    """Whose imports of `account` stop working by this edit of its claims, in words, as far as the principal sees.

    A proposal keeps all of them, with the account that each names: whoever reads it is told what they may see.
    """
    if before.nats.exports == after.nats.exports and before.nats.signing_keys == after.nats.signing_keys:
        return ()
    now = clock.unix()
    lines: list[str] = []
    kept = four_eyes.is_watched()
    for importer in neighbours.importers(Principal.worker() if kept else principal, account):
        then, later = (
            Exporter(key=account.public_key, name=account.name, claims=claims, strict=account.operator.strict)
            for claims in (before, after)
        )
        for one in importer.imports:
            held = sharing.import_issues(one, importer.row.public_key, then, now=now)
            fresh = sharing.import_issues(one, importer.row.public_key, later, now=now)
            if new := [issue.message for issue in fresh if issue not in held]:
                said = f"“{importer.row.name}” can no longer import {one.subject}. {new[0]}"
                lines.append(four_eyes.Naming(said, importer.row.pk))
    return tuple(lines if kept else _cut(lines))


def _cut(lines: list[str]) -> Iterator[str]:
    yield from lines[:MOST_NAMED]
    if len(lines) > MOST_NAMED:
        yield f"{len(lines) - MOST_NAMED:,} more imports stop working."


def _at(
    entries: Sequence[Entry], handles: Sequence[str], handle: str, what: str, account: Account
) -> tuple[int, Entry]:
    for index, known in enumerate(handles):
        if known == handle:
            return index, entries[index]
    raise lookup.NotFound(f"“{account.name}” has no such {what} (any more).")
