"""The stages of a new signing key: in the operator's JWT, on every server, under the accounts, the old one retired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.claims.handles import handle
from identities.lookup import principal_for
from identities.models import Account, Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.queries import rollouts
from identities.queries.rollouts import Rollout
from identities.services import changes, clock
from identities.views import guards, htmx, shown

NAV = "operators"
DONE = shown.State(word="Done", tone="ok", icon="circle-check")
NOW = shown.State(word="Next", tone="warn", icon="arrow-right")
LATER = shown.State(word="Later", tone="muted", icon="circle-dashed")
YES = shown.State(word="Yes", tone="ok", icon="circle-check")
NO = shown.State(word="Not yet", tone="warn", icon="hourglass")
UNKNOWN = shown.State(word="Not known", tone="warn", icon="triangle-alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: what it is, how far it is, what can be done, and how it is undone."""

    title: str
    state: shown.State
    text: str
    actions: tuple[tuple[str, str], ...] = ()
    undo: tuple[str, str] | None = None


@guards.page()
def stages(request: HttpRequest, operator_key: str, operator_signing_key: str) -> HttpResponse:
    """How far a signing key has come, and what is next."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    keys = (operator.public_key, *changes.claims_of(operator).nats.signing_keys)
    key = next((key for key in keys if handle(key) == operator_signing_key), "")
    if not key:
        raise lookup.NotFound(f"“{operator.name}” has no such key (any more).")
    found = rollouts.of_key(operator, key, Account.objects.visible_to(principal))
    context = shown.frame(
        title=f"Bring in the signing key {shown.short(key)}",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Bring in a signing key"),
        can=guards.can(principal, Scope(operator=operator.pk), Action.OPERATOR_KEY_EDIT),
        key=shown.chip(key),
        operator=operator.name,
        stages=_stages(operator, found),
        servers=[_server(server) for server in found.servers],
        configuration=_configuration(operator, found),
        **shown.operator_tabs(principal, operator),
    )
    return htmx.render(request, "identities/operator_keys/stages.html", context)


def _stages(operator: Operator, found: Rollout) -> tuple[Stage, ...]:
    named, everywhere = bool(found.since), found.everywhere
    config = shown.operator_url("operator-config", operator)
    over = shown.operator_url("operator-sign-anew", operator)
    left = sum(found.others.values())
    return (
        Stage(
            title="It stands in the operator's JWT",
            state=DONE if named else NOW,
            text="Servers learn of the key by the operator's JWT alone."
            if named
            else "The operator's present JWT does not name it: add it again to go on.",
            undo=("Remove the key", _remove(operator, found.key))
            if _removable(operator, found, named=named)
            else None,
        ),
        Stage(
            title="Every server runs with that JWT",
            state=_on_servers(found, named=named, everywhere=everywhere),
            text=_servers_text(found),
            actions=(("Server configuration", config),),
        ),
        Stage(
            title="It signs the accounts",
            state=DONE if found.signed and not left else NOW if everywhere else LATER,
            text=f"{shown.plural(found.signed, 'account')} signed by it, {left:,} by other keys. The new JWTs are "
            "delivered as every change is; users and creds stay as they are.",
            actions=(("Sign accounts by it", over),) if left and named else (),
            undo=("Sign them by another key", over) if found.signed else None,
        ),
        Stage(
            title="The old key is retired",
            state=NOW if found.signed and not left else LATER,
            text="Once no account is signed by the old key, take it out of the operator's JWT, and restart the servers "
            "with it again. Until then both keys are trusted, and every stage can be undone.",
            actions=(("Signing keys", shown.operator_url("operator-keys", operator)),),
        ),
    )


def _configuration(operator: Operator, found: Rollout) -> dict[str, Any] | None:
    """What the new configuration has that the one before had not: its line `operator`, of which the JWT's fields."""
    before, after = found.before, changes.claims_of(operator)
    if before is None:
        return None
    return {
        "before": shown.moment(clock.at(before.iat)),
        "after": shown.moment(clock.at(after.iat)),
        "changes": changes.difference(before, after),
    }


def _on_servers(found: Rollout, *, named: bool, everywhere: bool) -> shown.State:
    if everywhere:
        return DONE
    if not found.servers:
        return UNKNOWN
    return NOW if named else LATER


def _servers_text(found: Rollout) -> str:
    restart = (
        "Restart the servers one by one with the new configuration: a reload refuses another operator JWT."
    )
    if not found.servers:
        return f"{restart} No server is known here: add a cluster to see which of them run with it."
    number = len(found.servers)
    known = sum(1 for server in found.servers if server.knows)
    return f"All {number} do." if known == number else f"{known} of {number} servers run with it. {restart}"


def _removable(operator: Operator, found: Rollout, *, named: bool) -> bool:
    return named and found.key != operator.public_key and not found.signed


def _remove(operator: Operator, key: str) -> str:
    return reverse("operator-key-remove", args=[operator.public_key, handle(key)])


def _server(server: rollouts.Running) -> dict[str, Any]:
    return {
        "name": server.name,
        "cluster": server.cluster,
        "state": UNKNOWN if server.knows is None else YES if server.knows else NO,
        "issued": shown.moment(clock.at(server.iat)) if server.iat else None,
    }
