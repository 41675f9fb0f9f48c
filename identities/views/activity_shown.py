"""Audit events as strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.claims.diff import FieldChange
from identities.models import AuditEvent, AuditTarget
from identities.policy.actions import Action
from identities.policy.principal import Way
from identities.queries.activity import Targets, Wanted
from identities.services import audit
from identities.views import addresses, shown

WORDS = {
    Action.INSTALLATION_EDIT: "Changed the installation",
    Action.BACKUP: "Wrote a backup",
    Action.RESTORE: "Restored a backup",
    Action.WEBHOOK_EDIT: "Changed webhooks",
    Action.PERSON_EDIT: "Changed people",
    Action.TEAM_EDIT: "Changed teams",
    Action.GRANT_EDIT: "Gave or took a role",
    Action.SERVICE_ACCOUNT_EDIT: "Changed service accounts",
    Action.TOKEN_CREATE: "Made an API token",
    Action.TOKEN_REVOKE: "Revoked an API token",
    Action.TOKEN_REFUSED: "Refused an API token",
    Action.AUDIT_EXPORT: "Exported the audit",
    Action.OPERATOR_CREATE: "Created operator",
    Action.OPERATOR_EDIT: "Edited operator",
    Action.OPERATOR_DELETE: "Deleted operator",
    Action.OPERATOR_KEY_EDIT: "Changed an operator's signing keys",
    Action.PUSH_DOOR_EDIT: "Changed who may push account JWTs",
    Action.MANIFEST_APPLY: "Applied a manifest",
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
    Action.EXPORT_EDIT: "Edited exports",
    Action.IMPORT_EDIT: "Edited imports",
    Action.ACTIVATION_ISSUE: "Issued an activation",
    Action.ACTIVATION_REVOKE: "Revoked activations",
    Action.ACTIVATION_ASK: "Asked for an activation",
    Action.ACTIVATION_ANSWER: "Answered a request for an activation",
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
    Action.ACCOUNT_SIGN_ANEW: "Signed users anew",
    Action.CLUSTER_COMPARE: "Compared servers",
    Action.CLIENT_TEST: "Ran a client test",
    Action.CLUSTER_CREATE: "Added a cluster",
    Action.CLUSTER_EDIT: "Edited cluster",
    Action.CLUSTER_DELETE: "Removed cluster",
    Action.CLUSTER_TEST: "Tested the connection to a cluster",
    Action.PROPOSAL_MAKE: "Proposed an edit",
    Action.PROPOSAL_COMMENT: "Commented on a proposal",
    Action.PROPOSAL_DECIDE: "Decided on a proposal",
    Action.PASSWORD_CHANGE: "Changed a password",
    Action.PASSWORD_RESET: "Reset a password",
    Action.PROFILE_EDIT: "Edited a profile",
    Action.SECOND_FACTOR_EDIT: "Changed second factors",
    Action.RECOVERY_CODE_USE: "Used a recovery code",
    Action.SESSION_END: "Ended sessions",
    Action.SIGN_IN: "Signed in",
    Action.SIGN_OUT: "Signed out",
    Action.SIGN_IN_FAILED: "Sign-in failed",
    Action.SIGN_ON: "Came through a provider",
    Action.IDENTITY_LINK: "Changed how they sign in",
    Action.INVITE: "Invited people",
    Action.JOIN: "Joined by an invitation",
    Action.SIGN_ON_EDIT: "Changed single sign-on",
    Action.WORKLOAD_EDIT: "Changed which machines get creds",
    Action.FIRST_ADMINISTRATOR: "First administrator",
}
"""Only what leaves an event; looking leaves none."""

CLASSES = {
    "audit.": "The audit itself",
    "installation.": "The installation",
    "operator.": "Operators",
    "account.": "Accounts",
    "auth-callout.": "Auth callout",
    "mapping.": "Mappings",
    "revocation.": "Revocations",
    "export.": "Exports",
    "import.": "Imports",
    "activation.": "Activations",
    "user.": "Users",
    "jwt.": "JWTs",
    "preset.": "Presets",
    "creds.": "Creds",
    "key.": "Keys",
    "client-test.": "Client tests",
    "cluster.": "Clusters",
    "person.": "People",
    "team.": "Teams",
    "grant.": "Roles given",
    "service-account.": "Service accounts",
    "operator-key.": "Operators' signing keys",
    "webhook.": "Webhooks",
}
"""What events are about: the beginnings of the names of actions."""

WAYS = {
    Way.PAGE: "on a page",
    Way.TOKEN: "with a token",
    Way.COMMAND: "by a command",
    Way.WORKER: "by the worker",
}

_ICONS = {
    "make": "plus",
    "comment": "pencil",
    "decide": "circle-check",
    "ask": "plus",
    "answer": "circle-check",
    "create": "plus",
    "edit": "pencil",
    "delete": "trash-2",
    "edit-pushes": "pencil",
    "apply-manifest": "pencil",
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
    "reset-password": "key-round",
    "edit-profile": "pencil",
    "edit-second-factors": "lock",
    "use-recovery-code": "key-round",
    "end-session": "log-out",
    "sign-in": "circle-user",
    "sign-out": "log-out",
    "sign-on": "circle-user",
    "link-identity": "circle-user",
    "invite": "plus",
    "join": "circle-user",
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
    url: str
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
    classes: tuple[Choice, ...]
    actions: tuple[Choice, ...]
    ways: tuple[Choice, ...]
    object: str
    q: str
    since: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShown:
    """All of one event; `hidden`: what changed is not told to somebody who may not see all that it is about."""

    row: EventRow
    action: str
    address: str
    changes: tuple[FieldChange, ...]
    hidden: bool
    before: str
    seal: str
    canonical: str


def rows(events: Iterable[AuditEvent], targets: Mapping[int, Targets]) -> tuple[EventRow, ...]:
    """Events with their first objects."""
    told = ((event, targets.get(event.pk)) for event in events)
    return tuple(row(event, about, hidden=about is not None and about.hidden) for event, about in told)


def row(event: AuditEvent, targets: Targets | None = None, *, hidden: bool = False) -> EventRow:
    """One event; without `targets` its summary alone says what it was about.

    `hidden`: it names something out of sight as well, so only its kind is told.
    """
    return EventRow(
        number=str(event.seq),
        url=reverse("activity-event", args=[event.seq]),
        at=shown.moment(event.at),
        actor=event.actor_name,
        actor_url=f"?actor={event.actor}",
        way=f"{event.way}, {event.address}" if event.address else event.way,
        icon=_ICONS.get(event.action.partition(".")[2], "info"),
        summary=words(event.action) if hidden else event.summary,
        objects=_objects(targets) if targets else (),
    )


def event(found: AuditEvent, targets: Targets | None, *, whole: bool) -> EventShown:
    """One event with what it changed."""
    return EventShown(
        row=row(found, targets, hidden=not whole),
        action=words(found.action),
        address=found.address,
        changes=audit.changes_of(found.canonical) if whole else (),
        hidden=not whole,
        before=found.prev,
        seal=found.hash,
        canonical=found.canonical if whole else "",
    )


def words(action: str) -> str:
    """What was done, in words that name nothing: for an event that is about something out of sight as well."""
    return WORDS.get(Action(action), action) if action in set(Action) else action


def filters(wanted: Wanted, actors: Sequence[tuple[str, str]]) -> Filters:
    """The filter bar as it stands."""
    known = {key for key, _ in actors}
    extra = [(wanted.actor, wanted.actor)] if wanted.actor and wanted.actor not in known else []
    return Filters(
        actors=tuple(
            Choice(value=key, label=name, selected=key == wanted.actor) for key, name in [*actors, *extra]
        ),
        classes=_choices(CLASSES, wanted.action),
        actions=_choices(WORDS, wanted.action),
        ways=_choices(WAYS, wanted.way),
        object=wanted.object,
        q=wanted.q,
        since=str(wanted.since or ""),
        until=str(wanted.until or ""),
    )


def _choices(words: Mapping[Any, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=str(value), label=label, selected=str(value) == chosen) for value, label in words.items()
    )


def _objects(targets: Targets) -> tuple[ObjectShown, ...]:
    last = len(targets.first) - 1
    return tuple(
        _object(target, ", …" if targets.more and number == last else ", " if number < last else "", targets)
        for number, target in enumerate(targets.first)
    )


def _object(target: AuditTarget, after: str, targets: Targets) -> ObjectShown:
    """What was deleted has no page any more; what is told by its key alone may not be here at all."""
    gone = target.key in targets.gone
    if not target.name:
        return ObjectShown(name=shown.short(target.key), url=addresses.find(target.key), after=after)
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
