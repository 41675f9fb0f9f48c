"""Says how servers learn of a changed account or operator: by resolver kind, the one in use here first."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from django.urls import reverse

from identities.claims import codec
from identities.models import Account, Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import deliveries
from identities.views import guards

ELSEWHERE = "Admins of the operator can take the configuration from here."


@dataclass(frozen=True, slots=True, kw_only=True)
class WayToServers:
    """One kind of resolver: what to do so that its servers have the change, and a command where there is one."""

    resolver: str
    text: str
    command: str = ""
    url: str = ""
    link: str = ""
    likely: bool = False


def of_account(principal: Principal, account: Account) -> tuple[WayToServers, ...]:
    """After an account's JWT changed (users revoked, limits edited): by the worker where a cluster is known here, else
    by hand, for each kind of resolver."""
    if not deliveries.has_clusters(account.operator):
        return by_hand(principal, account)
    return (
        WayToServers(
            resolver="",
            text="The worker brings each change to every server of the operator's clusters, and reads what they say. "
            "Where it stands:",
            url=reverse("account-delivery", args=[account.operator.public_key, account.public_key]),
            link="Delivery",
        ),
    )


def by_hand(principal: Principal, account: Account) -> tuple[WayToServers, ...]:
    """The same where no cluster is known here: what to do for each kind of resolver. Links lead where one may."""
    operator = account.operator
    configures = guards.may(principal, Action.CONFIG_DOWNLOAD, Scope(operator=operator.pk))
    url = codec.from_payload(operator.claims).nats.account_server_url
    config = reverse("operator-config", args=[operator.public_key])
    jwt = reverse("account-jwt", args=[operator.public_key, account.public_key])
    # Copied into a shell: a name may hold anything that nsc can store.
    file = shlex.quote(f"{account.name}.jwt")
    update = f"nats request --creds sys.creds '$SYS.REQ.CLAIMS.UPDATE' \"$(cat {file})\""
    one = (
        f"nats request --creds sys.creds '$SYS.REQ.ACCOUNT.{account.public_key}.CLAIMS.UPDATE' "
        f'"$(cat {file})"'
    )
    ways = (
        WayToServers(
            resolver="MEMORY",
            text="Put the new server configuration in the place of the old one and reload each server: nothing "
            "reaches it otherwise." + ("" if configures else f" {ELSEWHERE}"),
            command="nats-server --signal reload",
            url=config if configures else "",
            link="Server configuration",
        ),
        WayToServers(
            resolver="URL",
            text="A server asks for the account when it next loads it: after a restart, or when it had not loaded it "
            "yet. Servers that have it loaded go on with the old JWT until you send them the new one.",
            command=one,
            url=jwt,
            link="Account JWT",
            likely=url.startswith(("http://", "https://")),
        ),
        WayToServers(
            resolver="full",
            text="Push the new JWT through the system account; every server stores it and tells the others.",
            command=update,
            url=jwt,
            link="Account JWT",
            likely=url.startswith(("nats://", "tls://", "ws://", "wss://")),
        ),
        WayToServers(
            resolver="cache",
            text="Push it likewise: a server that has the account loaded takes it over; the others ask when they "
            "need it (“skipped” in the answer means just that).",
            command=update,
            url=jwt,
            link="Account JWT",
        ),
    )
    return tuple(sorted(ways, key=lambda way: not way.likely))


def of_operator(principal: Principal, operator: Operator) -> tuple[WayToServers, ...]:
    """After an operator's JWT changed: it stands in every server's own configuration, whatever the resolver."""
    configures = guards.may(principal, Action.CONFIG_DOWNLOAD, Scope(operator=operator.pk))
    return (
        WayToServers(
            resolver="every kind",
            text=f"The JWT of “{operator.name}” stands in the configuration of each server. Put the new configuration "
            "there and restart the servers one by one: a reload does not take over a changed operator."
            + ("" if configures else f" {ELSEWHERE}"),
            url=reverse("operator-config", args=[operator.public_key]) if configures else "",
            link="Server configuration",
        ),
    )
