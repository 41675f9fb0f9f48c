"""Whether an import finds the export that it names, and whether imports go round in a ring: what only servers check.

nsc and the Go library look at one account alone; nats-server drops an import that does not fit, silently, and goes on
with the account (source: nats-server `accounts.go checkAuth, checkActivation, checkServiceImportsForCycles,
checkStreamImportsForCycles`; spec §9.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from identities.claims import codec, trust
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.report import Grade, Issue
from identities.claims.subjects import is_subset, overlaps, renamed, tokens
from identities.claims.validate_text import quote
from identities.errors import IdentityError

Find = Callable[[str], AccountBody | None]
"""The body of the account with a public key; None for one that is not known."""
LONGEST = 1024
"""nats-server gives up on a longer ring, too."""
SHOWN = 4


def import_issues(account: str, body: AccountBody, find: Find, *, now: int) -> Iterator[Issue]:
    """What stands against each import of `account`, at its JSON path."""
    for index, imported in enumerate(body.imports):
        if imported is None or imported.account == account:
            continue
        path = f"nats.imports[{index}]"
        exporter = find(imported.account)
        if exporter is None:
            what = quote(exported(imported))
            message = f"{imported.account} is not kept here: whether it exports {what} is not checked"
            yield Issue(Grade.WARNING, f"{path}.account", message)
            continue
        yield from _unmatched(path, imported, exporter, account, now)
        if ring := ring_of(account, imported, find):
            yield Issue(Grade.ERROR, path, f"imports form a ring: {_shown(ring)}")


def exported(imported: Import) -> str:
    """The subject as the exporter knows it: in the old form of a service that is `to` (spec §3.6)."""
    if imported.type == "service" and imported.to and not imported.local_subject:
        return imported.to
    return imported.subject


def local(imported: Import) -> str:
    """The subject as the importing account knows it, references turned to `*`; a stream's old `to` is a prefix."""
    if imported.local_subject:
        return renamed(imported.local_subject)
    if imported.type == "stream" and imported.to:
        return f"{imported.to.removesuffix('.')}.{imported.subject}"
    return imported.subject


def ring_of(account: str, imported: Import, find: Find) -> tuple[str, ...]:
    """The accounts through which this import leads back to `account`, itself at both ends; () when it does not.

    A service's ring follows requests by their subject, a stream's its messages, as nats-server does.
    """
    follow = _services if imported.type == "service" else _streams
    seen: set[tuple[str, str]] = set()
    path = [account]
    stack: list[Iterator[tuple[str, str]]] = [iter([(imported.account, local(imported))])]
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
            path.pop()
            continue
        key, subject = step
        if key == account:
            return (*path, account)
        body = find(key)
        if body is None or step in seen or key in path or len(path) >= LONGEST:
            continue
        seen.add(step)
        path.append(key)
        stack.append(follow(body, subject))
    return ()


def _shown(ring: tuple[str, ...]) -> str:
    shown = ring if len(ring) <= 2 * SHOWN else (*ring[:SHOWN], "…", *ring[-SHOWN:])
    return " → ".join(shown)


def _services(body: AccountBody, subject: str) -> Iterator[tuple[str, str]]:
    for imported in body.imports:
        if imported is not None and imported.type == "service" and overlaps(subject, exported(imported)):
            own = local(imported)
            yield imported.account, own if is_subset(own, subject) else subject


def _streams(body: AccountBody, subject: str) -> Iterator[tuple[str, str]]:
    if not any(
        export is not None and export.type == "stream" and is_subset(subject, export.subject)
        for export in body.exports
    ):
        return
    for imported in body.imports:
        if imported is not None and imported.type == "stream" and overlaps(subject, local(imported)):
            own = local(imported)
            yield imported.account, own if is_subset(own, subject) else subject


def _unmatched(path: str, imported: Import, exporter: AccountBody, account: str, now: int) -> Iterator[Issue]:
    """Why the exporter would not let this import be; an export of the very subject decides before a wider one."""
    subject = exported(imported)
    same_kind = [one for one in exporter.exports if one is not None and one.type == imported.type]
    exact = [export for export in same_kind if export.subject == subject]
    wider = exact or [export for export in same_kind if is_subset(subject, export.subject)]
    if not wider:
        other = next((one for one in exporter.exports if one is not None and one.subject == subject), None)
        kind = f", only a {other.type} of that subject" if other is not None else ""
        message = f"{imported.account} exports no {imported.type} {quote(subject)}{kind}"
        yield Issue(Grade.ERROR, f"{path}.subject", message)
        return
    found = [list(_unapproved(path, imported, export, exporter, account, now)) for export in wider]
    if all(found):
        yield from found[0]


def _unapproved(
    path: str, imported: Import, export: Export, exporter: AccountBody, account: str, now: int
) -> Iterator[Issue]:
    if export.account_token_position:
        parts = tokens(exported(imported))
        place = export.account_token_position
        if exported(imported) == export.subject or place > len(parts) or parts[place - 1] != account:
            message = (
                f"{imported.account} exports {quote(export.subject)} with the importer's own key at position {place}: "
                f"the subject to import must hold {account} there"
            )
            yield Issue(Grade.ERROR, f"{path}.subject", message)
        return
    if not export.token_req:
        return
    if not imported.token:
        message = (
            f"{imported.account} exports {quote(export.subject)} to those it activated: a token is missing"
        )
        yield Issue(Grade.ERROR, f"{path}.token", message)
        return
    yield from _token_issues(f"{path}.token", imported, export, exporter, now)


def _token_issues(
    path: str, imported: Import, export: Export, exporter: AccountBody, now: int
) -> Iterator[Issue]:
    """What the Go library does not look at: who issued the token, when it ends, and whether it was revoked."""
    token = _read(imported.token)
    if token is None:
        return  # the Go library's finding
    signer: Claims[object] = Claims(nats=exporter, sub=imported.account)
    if not trust.did_sign(signer, token):
        yield Issue(Grade.ERROR, path, f"{token.iss} is none of the keys of {imported.account} (any more)")
    if 0 < token.exp <= now:
        yield Issue(Grade.TIMECHECK, path, "the activation token is expired")
    elif token.nbf > now:
        yield Issue(Grade.TIMECHECK, path, "the activation token is not yet valid")
    revoked_at = max(export.revocations.get(token.sub, 0), export.revocations.get("*", 0))
    if revoked_at and revoked_at >= token.iat:
        yield Issue(Grade.ERROR, path, f"{imported.account} has revoked the activation")


def _read(token: str) -> Claims[ActivationBody] | None:
    try:
        claims = codec.decode(token).claims
    except IdentityError:
        return None
    return claims if isinstance(claims.nats, ActivationBody) else None
