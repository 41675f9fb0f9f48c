"""What pages of single sign-on show, as plain strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.urls import reverse

from identities.models import Person, SignOnGroup, SignOnIdentity, SignOnProvider
from identities.policy.principal import Principal
from identities.resolver.oidc import Metadata
from identities.views.shown import State, When, moment, plural

ON = State(word="On", tone="ok", icon="circle-check")
OFF = State(word="Off", tone="muted", icon="circle-dashed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One provider of the list."""

    name: str
    url: str
    state: State
    issuer: str
    who: str
    people: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A group of a provider that is a team here."""

    group: str
    team: str
    remove_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """A provider, and the account there by which somebody comes in: `since` is empty when none is linked."""

    name: str
    email: str
    since: When
    last: When
    link_url: str
    unlink_url: str


def rows() -> tuple[Row, ...]:
    """All providers; two queries however many there are."""
    found = SignOnProvider.objects.live().order_by("name", "pk")
    linked = dict(SignOnIdentity.objects.values_list("provider").annotate(Count("pk")))
    return tuple(
        Row(
            name=each.name,
            url=reverse("sign-on-provider", args=[each.pk]),
            state=ON if each.is_enabled else OFF,
            issuer=each.issuer,
            who=_who(each),
            people=f"{linked.get(each.pk, 0):,}",
        )
        for each in found
    )


def page(provider: SignOnProvider) -> dict[str, Any]:
    """One provider with its groups; no secret."""
    mapped = (
        SignOnGroup.objects.filter(provider=provider).select_related("team").order_by("group", "team__name")
    )
    linked = SignOnIdentity.objects.filter(provider=provider).count()
    return {
        "name": provider.name,
        "state": ON if provider.is_enabled else OFF,
        "facts": [
            {"label": "Issuer", "value": provider.issuer},
            {"label": "Client ID", "value": provider.client_id},
            {
                "label": "Client secret",
                "value": "sealed here" if provider.client_secret else "none: a public client",
            },
            {"label": "Scopes", "value": " ".join(provider.scopes.split())},
            {"label": "Who comes in", "value": _who(provider)},
            {"label": "E-mail address", "value": " or ".join(provider.email_domains.split()) or "any"},
            {"label": "Claim with the groups", "value": provider.groups_claim or "none"},
            {"label": "People", "value": plural(linked, "person", "people")},
        ],
        "changed": moment(provider.updated_at),
        "by": provider.updated_by,
        "back_url": f"{settings.NSCWEB_URL}{reverse('sign-on-back', args=[provider.pk])}",
        "groups": tuple(
            Mapped(
                group=row.group,
                team=row.team.name,
                remove_url=reverse("sign-on-group-remove", args=[provider.pk, row.pk]),
            )
            for row in mapped
        ),
        "groups_claim": provider.groups_claim,
        "urls": {
            "edit": reverse("sign-on-provider-edit", args=[provider.pk]),
            "delete": reverse("sign-on-provider-delete", args=[provider.pk]),
            "group": reverse("sign-on-group-create", args=[provider.pk]),
            "here": reverse("sign-on-provider", args=[provider.pk]),
        },
    }


def tried(found: Metadata) -> dict[str, Any]:
    """What a provider said of itself when it was tried just now."""
    notes = []
    if not found.pkce:
        notes.append("It does not say that it knows PKCE (S256); it is sent along all the same.")
    if not found.names_itself:
        notes.append("It does not name itself in its answers (RFC 9207).")
    return {
        "state": State(word="It answers as it should", tone="ok", icon="circle-check"),
        "rows": [
            {"label": "People sign in at", "value": found.authorization},
            {"label": "Codes are exchanged at", "value": found.token},
            {"label": "Its keys are at", "value": found.keys},
        ],
        "notes": notes,
    }


def not_tried(reason: str) -> dict[str, Any]:
    """Why a provider can't be used."""
    return {"state": State(word="It can't be used", tone="danger", icon="circle-x"), "reason": reason}


def choices() -> tuple[dict[str, Any], ...]:
    """The buttons of the sign-in page."""
    return tuple(
        {"id": each.pk, "name": each.name, "url": reverse("sign-on", args=[each.pk])}
        for each in SignOnProvider.objects.offered()
    )


def proofs(person: Person) -> tuple[dict[str, str], ...]:
    """The providers that somebody may be asked by again who they are: those where they have an account."""
    mine = SignOnProvider.objects.offered().filter(identities__person=person)
    return tuple({"name": each.name, "url": reverse("confirm-sign-on", args=[each.pk])} for each in mine)


def mine(principal: Principal) -> dict[str, Any]:
    """One's own accounts at providers, and those providers where none is linked yet."""
    person = Person.objects.get(pk=principal.person_id or 0)
    held = {row.provider_id: row for row in SignOnIdentity.objects.filter(person=person)}
    found = [
        _mine(each, held.get(each.pk))
        for each in SignOnProvider.objects.live().order_by("name", "pk")
        if each.is_enabled or each.pk in held
    ]
    return {"rows": found, "has_password": person.has_usable_password()}


def _mine(provider: SignOnProvider, row: SignOnIdentity | None) -> Mine:
    return Mine(
        name=provider.name,
        email=row.email if row else "",
        since=moment(row.created_at if row else None),
        last=moment(row.last_at if row else None),
        link_url=reverse("my-sign-on-link", args=[provider.pk]) if provider.is_enabled else "",
        unlink_url=reverse("my-sign-on-unlink", args=[row.pk]) if row else "",
    )


def _who(provider: SignOnProvider) -> str:
    if provider.creates_people:
        return "whoever it lets in"
    return "who was invited, or linked an account"
