"""Which OpenID Connect providers people sign in through. Only owners choose them: whoever does decides who comes in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from django.conf import settings
from django.core.cache import cache
from django.db.models import Q

from identities.claims import diff
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import SignOnGroup, SignOnIdentity, SignOnProvider, Team, TeamMember
from identities.nkeys import SecretBytes
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.resolver import oidc
from identities.resolver.oidc import Metadata, Wire
from identities.resolver.oidc_drafts import ProviderDraft
from identities.services import audit, changes, clock, ownership, secrets

TABLE = "sign-on-provider"
PURPOSE = "client-secret"
KEPT_SECONDS = 600
"""How long is remembered what a provider says of itself."""
MOST_GROUPS = 500
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)


def wire() -> Wire:
    """How providers are reached: this machine only where clusters may be there too."""
    return Wire(allow_loopback=settings.NSCWEB_ALLOW_LOOPBACK_SERVERS)


def find(*, principal: Principal, number: int) -> SignOnProvider:
    """The provider with this number, for those who may edit it.

    Raises: NotFound. Forbidden.
    """
    decisions.require(principal, Action.SIGN_ON_EDIT)
    return _live(number)


def offered(number: int) -> SignOnProvider:
    """A provider that people may sign in through now. Raises: NotFound."""
    found = SignOnProvider.objects.offered().filter(pk=number).first()
    if found is None:
        raise NotFound("There is no such way to sign in (any more).")
    return found


def create(*, principal: Principal, draft: ProviderDraft) -> SignOnProvider:
    """Add a provider.

    Raises: IdentityError: a taken name, or what can't be used, with the field.
    """
    decisions.require(principal, Action.SIGN_ON_EDIT)
    with changes.transaction_of_one():
        provider = SignOnProvider(created_at=clock.now())
        _fill(provider, draft, principal)
        provider.save()
        _seal(provider, draft)
        audit.record(
            principal, Action.SIGN_ON_EDIT, [target(provider)], f"Added sign-on through “{provider.name}”"
        )
    return provider


def update(
    *, principal: Principal, provider: SignOnProvider, draft: ProviderDraft, version: int
) -> SignOnProvider:
    """Edit a provider. Under another issuer its people are strangers: subjects mean something at one issuer only.
    Without a claim that says groups, whom it put into teams leaves them.

    Raises: StaleWrite. LockedOut: switched off, it would leave no owner who can sign in. Else as `create`;
        IdentityError when people are linked and the issuer is to be another.
    """
    with changes.transaction_of_one(), ownership.guarded(principal, Action.SIGN_ON_EDIT):
        row = _locked(provider, version)
        name, issuer, before = row.name, row.issuer, _said(row)
        _fill(row, draft, principal)
        if row.issuer != issuer:
            _refuse_another_issuer(row, draft)
        row.version += 1
        row.save()
        _seal(row, draft)
        if row.name != name:
            TeamMember.objects.filter(managed_by=name).update(managed_by=row.name)
        if not row.groups_claim:  # nobody would ever be found to have left a group
            TeamMember.objects.filter(managed_by=row.name).delete()
        told = list(diff.diff(before, _said(row)))
        if draft.client_secret is not None or draft.no_secret:
            told.append(
                diff.FieldChange("client_secret", "", "another one" if draft.client_secret else "none")
            )
        words = f"Edited sign-on through “{row.name}”"
        audit.record(principal, Action.SIGN_ON_EDIT, [target(row)], words, changes=told)
    return row


def delete(*, principal: Principal, provider: SignOnProvider, version: int) -> None:
    """Remove a provider: nobody comes in through it any more, and its memberships of teams end.

    Raises: StaleWrite. LockedOut: of its author, or of the last owner.
    """
    with changes.transaction_of_one(), ownership.guarded(principal, Action.SIGN_ON_EDIT):
        row = _locked(provider, version)
        row.deleted_at = row.updated_at = clock.now()
        row.updated_by, row.is_enabled, row.client_secret = principal.name, False, None
        row.save()
        SignOnIdentity.objects.filter(provider=row).delete()
        SignOnGroup.objects.filter(provider=row).delete()
        TeamMember.objects.filter(managed_by=row.name).delete()
        audit.record(principal, Action.SIGN_ON_EDIT, [target(row)], f"Removed sign-on through “{row.name}”")


def map_group(
    *, principal: Principal, provider: SignOnProvider, group: str, team: Team, version: int
) -> SignOnGroup:
    """Say that the members of a group of the provider are members of a team here, from their next sign-in on.

    Raises: StaleWrite. IdentityError: an empty name, the same again, or too many.
    """
    decisions.require(principal, Action.SIGN_ON_EDIT)
    name = group.strip()
    if not name:
        raise IdentityError("Give the group's name as the provider writes it.", field="group")
    with changes.transaction_of_one():
        row = _locked(provider, version)
        if SignOnGroup.objects.filter(provider=row, group=name, team=team).exists():
            raise IdentityError(f"“{name}” is “{team.name}” already.", field="group")
        if SignOnGroup.objects.filter(provider=row).count() >= MOST_GROUPS:
            raise IdentityError(f"{MOST_GROUPS} groups are the most.", field="group")
        made = SignOnGroup.objects.create(provider=row, group=name, team=team)
        _touch(row, principal)
        words = f"Members of “{name}” at “{row.name}” are members of team “{team.name}”"
        audit.record(principal, Action.SIGN_ON_EDIT, [target(row), _team_target(team)], words)
    return made


def unmap_group(*, principal: Principal, provider: SignOnProvider, number: int, version: int) -> None:
    """Take that back. Where nothing else leads into the team, those whom the provider put there leave it at once.

    Raises: StaleWrite. NotFound. LockedOut: of its author, or of the last owner.
    """
    with changes.transaction_of_one(), ownership.guarded(principal, Action.SIGN_ON_EDIT):
        row = _locked(provider, version)
        mapped = SignOnGroup.objects.filter(provider=row, pk=number).select_related("team").first()
        if mapped is None:
            raise NotFound("There is no such group (any more).")
        mapped.delete()
        if not SignOnGroup.objects.filter(provider=row, team=mapped.team).exists():
            TeamMember.objects.filter(team=mapped.team, managed_by=row.name).delete()
        _touch(row, principal)
        words = (
            f"Members of “{mapped.group}” at “{row.name}” are no longer members of team “{mapped.team.name}”"
        )
        audit.record(principal, Action.SIGN_ON_EDIT, [target(row), _team_target(mapped.team)], words)


def known(provider: SignOnProvider, *, afresh: bool = False) -> Metadata:
    """What the provider says of itself, remembered for some minutes.

    Raises: AddressRefused, FetchFailed, ProviderFailed.
    """
    key = f"sign-on:{provider.pk}:{provider.version}:metadata"
    kept = None if afresh else cache.get(key)
    if isinstance(kept, str):
        return Metadata(**json.loads(kept))
    found = oidc.discover(provider.issuer, wire=wire())
    cache.set(key, json.dumps(asdict(found)), KEPT_SECONDS)
    return found


def keys(provider: SignOnProvider, *, afresh: bool = False) -> str:
    """The provider's keys, remembered for some minutes; `afresh` asks again, at most every ten seconds.

    Raises: as `known`.
    """
    key = f"sign-on:{provider.pk}:{provider.version}:keys"
    kept = cache.get(key)
    if isinstance(kept, str) and not (afresh and cache.add(f"{key}:asked", "1", 10)):
        return kept
    found = oidc.key_set(known(provider), wire=wire())
    cache.set(key, found, KEPT_SECONDS)
    return found


def try_out(*, principal: Principal, provider: SignOnProvider) -> Metadata:
    """Ask the provider now what it says of itself, and for its keys.

    Raises: AddressRefused, FetchFailed, ProviderFailed: what is wrong, in plain words.
    """
    decisions.require(principal, Action.SIGN_ON_EDIT)
    found = known(provider, afresh=True)
    oidc.key_set(found, wire=wire())
    return found


@contextmanager
def secret_of(provider: SignOnProvider) -> Iterator[SecretBytes | None]:
    """The client secret, opened for the length of a block; None for a public client."""
    if provider.client_secret is None:
        yield None
        return
    with secrets.opened(
        bytes(provider.client_secret), table=TABLE, public_key=str(provider.pk), purpose=PURPOSE
    ) as opened:
        yield opened


def target(provider: SignOnProvider) -> audit.Target:
    """How the audit names a provider."""
    return audit.Target(kind="sign-on-provider", key=f"sign-on-provider:{provider.pk}", name=provider.name)


def _team_target(team: Team) -> audit.Target:
    return audit.Target(kind="team", key=team.audit_key, name=team.name)


def _live(number: int) -> SignOnProvider:
    found: SignOnProvider | None = SignOnProvider.objects.live().filter(pk=number).first()
    if found is None:
        raise NotFound("There is no such provider (any more).")
    return found


def _locked(provider: SignOnProvider, version: int) -> SignOnProvider:
    row: SignOnProvider = SignOnProvider.objects.select_for_update(no_key=True).get(pk=provider.pk)
    if row.deleted_at is not None or row.version != version:
        raise changes.StaleWrite(row)
    return row


def _said(row: SignOnProvider) -> dict[str, object]:
    """What an edit may change, for the audit; never the secret."""
    names = ("name", "issuer", "client_id", "groups_claim", "creates_people", "is_enabled")
    lists = {"scopes": row.scopes.split(), "email_domains": row.email_domains.split()}
    return {**{name: getattr(row, name) for name in names}, **lists}


def _touch(row: SignOnProvider, principal: Principal) -> None:
    row.version += 1
    row.updated_at, row.updated_by = clock.now(), principal.name
    row.save(update_fields=["version", "updated_at", "updated_by"])


def _fill(provider: SignOnProvider, draft: ProviderDraft, principal: Principal) -> None:
    name = draft.name.strip()
    if not name:
        raise IdentityError("Give it the name that people know it by.", field="name")
    taken = SignOnProvider.objects.live().filter(name__iexact=name).filter(~Q(pk=provider.pk))
    if taken.exists():
        raise IdentityError(f"There is a provider “{name}” already. Choose another name.", field="name")
    if not draft.client_id.strip():
        raise IdentityError("Give the ID that the provider knows nscweb by.", field="client_id")
    provider.name = name
    provider.issuer = oidc.checked_issuer(draft.issuer, wire=wire())
    provider.client_id = draft.client_id.strip()
    provider.scopes = "\n".join(_scopes(draft.scopes))
    provider.groups_claim = draft.groups_claim.strip()
    provider.email_domains = "\n".join(_domains(draft.email_domains))
    provider.creates_people, provider.is_enabled = draft.creates_people, draft.is_enabled
    provider.updated_at, provider.updated_by = clock.now(), principal.name


def _refuse_another_issuer(row: SignOnProvider, draft: ProviderDraft) -> None:
    if SignOnIdentity.objects.filter(provider=row).exists():
        raise IdentityError(
            "People are linked at this issuer; at another one the same subject may be somebody else. "
            "Add the new provider beside it.",
            field="issuer",
        )
    if row.client_secret is not None and draft.client_secret is None and not draft.no_secret:
        raise IdentityError(
            "The secret that is kept here would go to another issuer: give the secret of that one.",
            field="client_secret",
        )


def _scopes(given: tuple[str, ...]) -> tuple[str, ...]:
    for scope in given:
        if _SCOPE.fullmatch(scope) is None:
            raise IdentityError(f"“{scope[:100]}” is no scope: give one word a line.", field="scopes")
    return tuple(dict.fromkeys(("openid", *given)))


def _domains(given: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for text in given:
        domain = text.strip().lower().removeprefix("@")
        if _DOMAIN.fullmatch(domain) is None:
            raise IdentityError(
                f"“{text[:100]}” is no domain: write example.com, one a line.", field="email_domains"
            )
        found.append(domain)
    return tuple(dict.fromkeys(found))


def _seal(provider: SignOnProvider, draft: ProviderDraft) -> None:
    """Seal a new secret under the row's number; the old one stays unless it is thrown away."""
    if draft.client_secret is not None:
        provider.client_secret = secrets.seal(
            draft.client_secret, table=TABLE, public_key=str(provider.pk), purpose=PURPOSE
        )
    elif draft.no_secret:
        provider.client_secret = None
    provider.save(update_fields=["client_secret"])
