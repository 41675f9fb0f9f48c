"""A machine's token of its own OpenID Connect provider, exchanged for short-lived creds: no stored secret.

The machine says of which role: what somebody else trusts elsewhere never changes what a token gets, nor from whom.
The token is verified as one of a sign-in is, but made for one audience alone; then a rule has to fit its claims. What
is issued, ledger and audit are those of `short_lived`; its recipient is the rule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from django.core.cache import cache
from django.db import IntegrityError, transaction

from identities.claims.drafts import ShortLivedDraft
from identities.errors import IdentityError
from identities.models import WorkloadRule, WorkloadToken
from identities.policy import bounds
from identities.policy.principal import HeldRole, Principal, Role, ScopeKind, Way
from identities.resolver import oidc, oidc_tokens
from identities.resolver.oidc import Metadata
from identities.resolver.oidc_tokens import TokenRefused, UnknownKey, Wanted
from identities.services import audit, clock, refusals, short_lived, sign_on_providers, workload_rules
from identities.services.short_lived import ShortLived

KEPT_SECONDS = 600
LONGEST_NAME = 255


class WorkloadRefused(IdentityError):
    """A token for which nobody gets creds, and why."""

    code = "workload-refused"


def exchange(
    *,
    token: str,
    role: str,
    rule: str = "",
    public_key: str = "",
    lifetime: int | None = None,
    address: str = "",
) -> ShortLived:
    """Creds of the role with the public key `role` for whoever brings `token`, by the rule of that role that fits it.

    `rule` names one where several do.

    `public_key` is the caller's own, else a key is made; `lifetime` (seconds) may only shorten the rule's.

    Raises: WorkloadRefused: it proves nothing here, was exchanged before, or fits no rule. Else as `short_lived.issue`,
        and FetchFailed, ProviderFailed while the provider can't be asked.
    """
    found, claims = _fitting(token, role, rule, address)
    name = _name(found, claims)
    principal = _principal(found, claims, name, address)
    seconds = found.seconds if lifetime is None else min(found.seconds, lifetime)
    draft = ShortLivedDraft(name=name, lifetime=seconds, public_key=public_key)
    with transaction.atomic():
        WorkloadRule.objects.filter(pk=found.pk).update(last_used_at=clock.now())
        _use_up(token, claims)
        return short_lived.issue(principal=principal, role=found.signing_key, draft=draft)


def fits(conditions: tuple[tuple[str, str], ...], claims: Mapping[str, Any]) -> str:
    """The first claim that does not fit its pattern, "" when all do. Of a list, one entry has to."""
    for claim, pattern in conditions:
        if not any(bounds.fits(pattern, value) for value in values_of(claims, claim)):
            return claim
    return ""


def values_of(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A claim as texts: numbers and truth as JSON writes them, lists by entry, a dot leads into objects."""
    if words := oidc_tokens.words_of(claims, name):
        return words
    found: Any = claims
    for step in [name] if name in claims else name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return (json.dumps(found),) if isinstance(found, bool | int) else ()


def _fitting(token: str, role: str, named: str, address: str) -> tuple[WorkloadRule, Mapping[str, Any]]:
    issuer = oidc_tokens.issuer_of(token)
    rows = WorkloadRule.objects.filter(
        issuer=issuer,
        signing_key__public_key=role,
        is_enabled=True,
        deleted_at=None,
        signing_key__deleted_at=None,
        signing_key__account__deleted_at=None,
    )
    rules = list(rows.select_related("signing_key").order_by("pk")) if issuer else []
    if not rules:
        raise WorkloadRefused(
            "No rule of this role trusts whoever made this token. Look at the role's page “Machines” for what it "
            "trusts, and for its public key."
        )
    verified, why = _verified(token, rules)
    if not verified:
        raise WorkloadRefused(why)
    fitting = [(rule, claims) for rule, claims in verified if not _unfit(rule, claims, named)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise WorkloadRefused(
            "Several rules of the role fit this token: name the one that is meant, as “rule”.", field="rule"
        )
    rule, claims = verified[0]
    claim = fits(rule.wanted, claims)
    words = f"its claim “{claim}” does not fit" if claim and len(verified) == 1 else "no rule fits it"
    refused = WorkloadRefused(f"The token is good, but {words}.")
    _note_refusal(rule, claims, address, refused)
    raise refused


def _unfit(rule: WorkloadRule, claims: Mapping[str, Any], named: str) -> bool:
    if named and rule.name.casefold() != named.casefold():
        return True
    return bool(fits(rule.wanted, claims))


def _verified(
    token: str, rules: list[WorkloadRule]
) -> tuple[list[tuple[WorkloadRule, Mapping[str, Any]]], str]:
    """Those rules for whose audience the token was made, with its claims; else why it proves nothing."""
    found, why = [], ""
    for rule in rules:
        wanted = Wanted(issuer=rule.issuer, audience=rule.audience, single_audience=True)
        try:
            try:
                claims = oidc_tokens.verify(token, _keys(rule.issuer), wanted=wanted, now=clock.unix())
            except UnknownKey:  # perhaps one that the provider signs with since a minute ago
                claims = oidc_tokens.verify(
                    token, _keys(rule.issuer, afresh=True), wanted=wanted, now=clock.unix()
                )
        except TokenRefused as refused:
            why = refused.user_message
        else:
            found.append((rule, claims))
    return found, why


def _keys(issuer: str, *, afresh: bool = False) -> str:
    """The keys of an issuer, remembered for some minutes; `afresh` asks again, at most every ten seconds."""
    key = f"workload:{hashlib.sha256(issuer.encode()).hexdigest()}"
    kept = cache.get(f"{key}:keys")
    if isinstance(kept, str) and not (afresh and cache.add(f"{key}:asked", "1", 10)):
        return kept
    known = cache.get(f"{key}:metadata")
    wire = sign_on_providers.wire()
    metadata = (
        Metadata(**json.loads(known)) if isinstance(known, str) else oidc.discover_signer(issuer, wire=wire)
    )
    found = oidc.key_set(metadata, wire=wire)
    cache.set(f"{key}:metadata", json.dumps(asdict(metadata)), KEPT_SECONDS)
    cache.set(f"{key}:keys", found, KEPT_SECONDS)
    return found


def _name(rule: WorkloadRule, claims: Mapping[str, Any]) -> str:
    values = {}
    for claim in workload_rules.claims_in(rule.user_name):
        words = values_of(claims, claim)
        if len(words) != 1:
            raise WorkloadRefused(f"The token has no single “{claim}”, by which its user is named.")
        values[claim] = words[0]
    return workload_rules.named(rule.user_name, values)


def _principal(rule: WorkloadRule, claims: Mapping[str, Any], name: str, address: str) -> Principal:
    """Whoever brought the token: an issuer of the rule's role, of users of this one name."""
    key = rule.signing_key
    held = HeldRole(
        role=Role.ISSUER,
        kind=ScopeKind.ROLE,
        operator=key.operator_id,
        account=key.account_id,
        signing_key=key.pk,
        names=name,
    )
    return Principal(
        key=f"workload:{rule.pk}",
        name=f"{rule.name}: {claims['sub']}"[:LONGEST_NAME],
        way=Way.TOKEN,
        address=address,
        roles=(held,),
    )


def _use_up(token: str, claims: Mapping[str, Any]) -> None:
    """Note the token by what is signed of it, which nobody can write in another way: it is exchanged once.

    Raises: WorkloadRefused: it was exchanged before.
    """
    now = clock.now()
    WorkloadToken.objects.filter(good_until__lt=now).delete()
    digest = hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
    last = min(claims["exp"], claims["iat"] + oidc_tokens.OLDEST) + oidc_tokens.LEEWAY
    try:
        with transaction.atomic():
            WorkloadToken.objects.create(digest=digest, good_until=datetime.fromtimestamp(last, UTC))
    except IntegrityError:
        raise WorkloadRefused("This token was exchanged already: ask the provider for a new one.") from None


def _note_refusal(
    rule: WorkloadRule, claims: Mapping[str, Any], address: str, refused: WorkloadRefused
) -> None:
    """Audit a token that is good and still gets nothing; others could be made by anybody, without end.

    A public provider gives good ones to anybody too: `refusals` says how many of them are told.
    """
    who = replace(_principal(rule, claims, "", address), roles=())
    target = audit.Target(kind="workload-rule", key=f"workload:{rule.pk}", name=rule.name)
    refusals.note(who, target, f"No creds for a machine's token: {refused.user_message}")
