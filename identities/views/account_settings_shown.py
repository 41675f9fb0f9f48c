"""What the overview of an account shows of its settings: each in words, also when it is not set."""

from __future__ import annotations

from collections.abc import Iterator

from identities.claims.account import AccountBody
from identities.claims.describe_text import duration_text
from identities.claims.permissions import Permissions
from identities.models import Account
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes
from identities.views import guards, shown

MOST_LINES = 10
"""How many lines of one setting are shown before they are only counted."""


def settings(account: Account, principal: Principal) -> tuple[shown.Setting, ...]:
    """Every setting of an account that has a dialog of its own; at most one query, for the names of keys."""
    body: AccountBody = changes.claims_of(account).nats
    callout = body.authorization
    names = shown.names_in(principal, account.operator, *callout.auth_users, *callout.allowed_accounts)
    scope = accounts.scope(account)
    return tuple(
        shown.Setting(
            title=title,
            lines=_cut(tuple(lines)),
            note=note,
            edit_url=shown.account_url(route, account),
            may_edit=guards.may(principal, action, scope),
        )
        for title, lines, note, route, action in (
            (
                "Default permissions",
                _rules(body.default_permissions),
                "Users without permissions of their own may publish and subscribe everywhere.",
                "account-default-permissions",
                Action.ACCOUNT_EDIT,
            ),
            (
                "Message tracing",
                _tracing(body),
                "Nothing is traced.",
                "account-tracing",
                Action.ACCOUNT_EDIT,
            ),
            (
                "Cluster traffic",
                _traffic(body),
                "JetStream's replicas talk to one another in the system account.",
                "account-cluster-traffic",
                Action.ACCOUNT_LIMITS_EDIT,
            ),
            (
                "Auth callout",
                _callout(body, names),
                "Clients log in with their own creds, and no service is asked.",
                "account-auth-callout",
                Action.AUTH_CALLOUT_EDIT,
            ),
        )
    )


def _cut(lines: tuple[str, ...]) -> tuple[str, ...]:
    if len(lines) <= MOST_LINES:
        return lines
    return (*lines[:MOST_LINES], f"and {len(lines) - MOST_LINES:,} more")


def _rules(held: Permissions) -> Iterator[str]:
    for words, subjects in (
        ("May publish to", held.pub.allow),
        ("May not publish to", held.pub.deny),
        ("May subscribe to", held.sub.allow),
        ("May not subscribe to", held.sub.deny),
    ):
        if subjects:
            yield f"{words}: {', '.join(subjects)}"
    if held.resp is not None:
        most = "any number of" if held.resp.max < 0 else str(held.resp.max or 1)
        time = "without end" if held.resp.ttl < 0 else f"within {duration_text(held.resp.ttl or 120 * 10**9)}"
        yield f"May answer requests: {most} {'answer' if most == '1' else 'answers'}, {time}"


def _tracing(body: AccountBody) -> Iterator[str]:
    if body.trace is not None:
        yield f"To {body.trace.dest}: {body.trace.sampling or 100} % of messages with a trace context"


def _traffic(body: AccountBody) -> Iterator[str]:
    if body.cluster_traffic:
        yield f"Replication travels in: {body.cluster_traffic}"


def _callout(body: AccountBody, names: shown.Names) -> Iterator[str]:
    held = body.authorization

    def called(key: str) -> str:
        return f"{names(key)} ({shown.short(key)})" if names(key) else shown.short(key)

    for key in held.auth_users:
        yield f"Auth user: {called(key)}"
    for key in held.allowed_accounts:
        yield "Allowed accounts: every one" if key == "*" else f"Allowed account: {called(key)}"
    if held.xkey:
        yield f"Requests are sealed to {shown.short(held.xkey)}"
    elif held.auth_users:
        yield "Requests are not encrypted"
