"""Audit events as strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from identities.models import AuditEvent, AuditTarget
from identities.policy.actions import Action
from identities.queries.activity import Targets, Wanted
from identities.views import addresses, shown

WORDS = {
    Action.INSTALLATION_EDIT: "Changed the installation",
    Action.PERSON_EDIT: "Changed people",
    Action.TEAM_EDIT: "Changed teams",
    Action.GRANT_EDIT: "Gave or took a role",
    Action.SERVICE_ACCOUNT_EDIT: "Changed service accounts and tokens",
    Action.AUDIT_EXPORT: "Exported the audit",
    Action.OPERATOR_CREATE: "Created operator",
    Action.OPERATOR_EDIT: "Edited operator",
    Action.OPERATOR_DELETE: "Deleted operator",
    Action.OPERATOR_KEY_EDIT: "Changed an operator's signing keys",
    Action.PUSH_DOOR_EDIT: "Changed who may push account JWTs",
    Action.ACCOUNT_PUSH: "Account JWT was pushed",
    Action.ACCOUNT_CREATE: "Created account",
    Action.ACCOUNT_EDIT: "Edited account",
    Action.ACCOUNT_LIMITS_EDIT: "Edited what an account is granted",
    Action.ACCOUNT_DELETE: "Deleted account",
    Action.ACCOUNT_DELIVER: "Delivered account",
    Action.SIGNING_KEY_EDIT: "Edited signing keys",
    Action.AUTH_CALLOUT_EDIT: "Edited auth callout",
    Action.MAPPING_EDIT: "Edited mappings",
    Action.REVOCATION_EDIT: "Cleared revocations",
    Action.USER_CREATE: "Created users",
    Action.USER_EDIT: "Edited user",
    Action.USER_DELETE: "Deleted user",
    Action.USER_REVOKE: "Revoked users",
    Action.JWT_ADOPT: "Imported JWTs",
    Action.PRESET_EDIT: "Edited presets",
    Action.USER_SUSPEND: "Suspended users",
    Action.USER_MOVE: "Moved users to another key",
    Action.USER_ROTATE: "Gave users new keys",
    Action.USER_DISCONNECT: "Disconnected users",
    Action.BEARER_DOWNLOAD: "Handed out a bearer JWT",
    Action.CREDS_DOWNLOAD: "Handed out creds",
    Action.CREDS_ISSUE: "Issued short-lived creds",
    Action.KEY_GENERATE: "Generated a key",
    Action.KEY_ADD_SEED: "Added a seed",
    Action.KEY_EXPORT: "Handed out a seed",
    Action.KEY_ERASE: "Erased a seed",
    Action.STORE_EXPORT: "Handed out a store with its seeds",
    Action.OPERATOR_REISSUE: "Reissued operator",
    Action.ACCOUNT_REISSUE: "Reissued account",
    Action.CLUSTER_COMPARE: "Compared servers",
    Action.CLIENT_TEST: "Ran a client test",
    Action.CLUSTER_CREATE: "Added a cluster",
    Action.CLUSTER_EDIT: "Edited cluster",
    Action.CLUSTER_DELETE: "Removed cluster",
    Action.CLUSTER_TEST: "Tested the connection to a cluster",
    Action.PASSWORD_CHANGE: "Changed a password",
    Action.SIGN_IN: "Signed in",
    Action.SIGN_OUT: "Signed out",
    Action.SIGN_IN_FAILED: "Sign-in failed",
    Action.FIRST_ADMINISTRATOR: "First administrator",
}
"""Only what leaves an event; looking leaves none."""

_ICONS = {
    "create": "plus",
    "edit": "pencil",
    "delete": "trash-2",
    "edit-pushes": "pencil",
    "push": "download",
    "revoke": "ban",
    "adopt": "plus",
    "suspend": "lock",
    "move": "arrow-right",
    "rotate": "refresh-cw",
    "edit-signing-keys": "key-round",
    "download": "download",
    "download-bearer": "download",
    "generate": "plus",
    "add-seed": "key-round",
    "export-seed": "download",
    "export-seeds": "download",
    "erase": "trash-2",
    "reissue": "refresh-cw",
    "run": "play",
    "test": "play",
    "compare": "search",
    "sign-in": "circle-user",
    "sign-out": "log-out",
    "sign-in-failed": "circle-alert",
    "change-password": "key-round",
    "first-administrator": "circle-user",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectShown:
    """One object of an event, with its page or a search for it; `after` parts it from the next."""

    name: str
    url: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event."""

    number: str
    at: shown.When
    actor: str
    actor_url: str
    way: str
    icon: str
    summary: str
    objects: tuple[ObjectShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One option of a filter."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the filter bar holds."""

    actors: tuple[Choice, ...]
    actions: tuple[Choice, ...]
    object: str


def rows(events: Iterable[AuditEvent], targets: Mapping[int, Targets]) -> tuple[EventRow, ...]:
    """Events with their first objects."""
    return tuple(row(event, targets.get(event.pk)) for event in events)


def row(event: AuditEvent, targets: Targets | None = None) -> EventRow:
    """One event; without `targets` its summary alone says what it was about."""
    return EventRow(
        number=str(event.seq),
        at=shown.moment(event.at),
        actor=event.actor_name,
        actor_url=f"?actor={event.actor}",
        way=f"{event.way}, {event.address}" if event.address else event.way,
        icon=_ICONS.get(event.action.partition(".")[2], "info"),
        summary=event.summary,
        objects=_objects(targets) if targets else (),
    )


def filters(wanted: Wanted, actors: Sequence[tuple[str, str]]) -> Filters:
    """The filter bar as it stands."""
    known = {key for key, _ in actors}
    extra = [(wanted.actor, wanted.actor)] if wanted.actor and wanted.actor not in known else []
    return Filters(
        actors=tuple(
            Choice(value=key, label=name, selected=key == wanted.actor) for key, name in [*actors, *extra]
        ),
        actions=tuple(
            Choice(value=action.value, label=words, selected=action.value == wanted.action)
            for action, words in WORDS.items()
        ),
        object=wanted.object,
    )


def _objects(targets: Targets) -> tuple[ObjectShown, ...]:
    last = len(targets.first) - 1
    return tuple(
        _object(target, ", …" if targets.more and number == last else ", " if number < last else "", targets)
        for number, target in enumerate(targets.first)
    )


def _object(target: AuditTarget, after: str, targets: Targets) -> ObjectShown:
    """What was deleted has no page any more."""
    gone = target.key in targets.gone
    if gone:
        url = ""
    elif target.kind == "operator":
        url = addresses.operator(target.key)
    elif target.kind == "account" and target.operator_key:
        url = addresses.account(target.operator_key, target.key)
    elif target.kind in ("account", "user", "key"):
        url = addresses.find(target.key)
    else:
        url = ""
    return ObjectShown(name=target.name, url=url, after=after)
