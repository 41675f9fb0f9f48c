"""Presets and what was filled from them, as strings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count
from django.urls import reverse

from identities.claims import presets
from identities.claims.permissions import UserPermissionLimits
from identities.claims.presets import Edition, Line, Preset
from identities.errors import IdentityError
from identities.models import Filling
from identities.policy.principal import Principal
from identities.queries import reach
from identities.services import filling
from identities.services.presets import find
from identities.views import shown, signing_keys_shown

_UP_TO_DATE = shown.State(word="Up to date", tone="ok", icon="circle-check")
_OLDER = shown.State(word="Older version", tone="warn", icon="clock")
_CHANGED = shown.State(
    word="Changed since",
    tone="muted",
    icon="pencil",
    title="Its permissions were changed by hand since the preset filled them in",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetRow:
    """One preset in the list."""

    title: str
    url: str
    about: str
    version: str
    origin: str
    used: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionShown:
    """One version, with its lines as they are written; `id` names it on the page."""

    number: int
    id: str
    news: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FillingShown:
    """One user or role that a preset filled. `changes` is what its newest version would change, `may_renew` if so."""

    pk: int
    name: str
    what: str
    account: str
    url: str
    fill_url: str
    version: int
    given: str
    by: str
    at: shown.When
    state: shown.State
    changes: tuple[str, ...]
    may_renew: bool
    ticked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """From which preset something was filled, for its own page."""

    title: str
    url: str
    version: int
    state: shown.State
    fill_url: str


def rows(known: tuple[Preset, ...], principal: Principal) -> tuple[PresetRow, ...]:
    """The list; one query."""
    counted = (
        Filling.objects.filter(reach.below_operator(principal))
        .filter(account__deleted_at=None, operator__deleted_at=None, user__deleted_at=None)
        .values_list("preset")
        .annotate(number=Count("pk"))
    )
    used = dict(counted.values_list("preset", "number"))
    return tuple(
        PresetRow(
            title=preset.title,
            url=reverse("preset", args=[preset.key]),
            about=preset.about,
            version=str(preset.newest.number),
            origin="own" if preset.own else "built\u00a0in",
            used=f"{used.get(preset.key, 0):,}",
        )
        for preset in known
    )


def editions(preset: Preset) -> tuple[EditionShown, ...]:
    """All versions, the newest first."""
    return tuple(
        EditionShown(number=each.number, id=f"version-{each.number}", news=each.news, lines=written(each))
        for each in reversed(preset.editions)
    )


def written(edition: Edition) -> tuple[Line, ...]:
    """The lines with their parameters left open."""
    given = {one.name: f"${{{one.name}}}" for one in edition.parameters}
    return presets.fill(edition, given).lines


def fillings(preset: Preset, principal: Principal, *, older: bool = False) -> tuple[FillingShown, ...]:
    """Whom the preset filled, as many as can be renewed at once; `older`: by another version than the newest."""
    found = filling.rows_of(preset, principal)
    if older:
        found = found.filter(number__lt=preset.newest.number)
    return tuple(_filling(preset, row) for row in found[: filling.MOST])


def origin(row: Filling | None) -> Origin | None:
    """From which preset a user or role was filled; None where it was from none, or from one that was deleted."""
    if row is None:
        return None
    try:
        preset = find(row.preset)
    except IdentityError:
        return None
    return Origin(
        title=preset.title,
        url=reverse("preset", args=[preset.key]),
        version=row.number,
        state=_state(preset, row),
        fill_url=_fill_url(row),
    )


def _filling(preset: Preset, row: Filling) -> FillingShown:
    state = _state(preset, row)
    what = "user" if row.user is not None else "role"
    return FillingShown(
        pk=row.pk,
        name=filling.name_of(row),
        what=what,
        account=row.account.name,
        url=_url(row),
        fill_url=_fill_url(row),
        version=row.number,
        given=", ".join(f"{name} = {value}" for name, value in json.loads(row.given).items()),
        by=row.by_name,
        at=shown.moment(row.at),
        state=state,
        changes=_changes(preset, row),
        may_renew=state is _OLDER,
    )


def _state(preset: Preset, row: Filling) -> shown.State:
    if not filling.is_unchanged(preset, row):
        return _CHANGED
    return _UP_TO_DATE if row.number == preset.newest.number else _OLDER


def _changes(preset: Preset, row: Filling) -> tuple[str, ...]:
    """What the newest version would change, list by list; why it can't be applied as it was, where that is so."""
    held = filling.limits_of(row)
    if row.number == preset.newest.number or held is None:
        return ()
    try:
        after = presets.fill(preset.newest, json.loads(row.given)).over(held)
    except IdentityError as refused:
        return (refused.user_message,)
    return tuple(_differences(held, after)) or ("Nothing: it has these permissions already.",)


def _differences(before: UserPermissionLimits, after: UserPermissionLimits) -> Iterator[str]:
    for (words, was), (_, becomes) in zip(_lists(before), _lists(after), strict=True):
        yield from (f"{words.format(each)} from now on" for each in becomes if each not in was)
        yield from (f"{words.format(each)} no longer" for each in was if each not in becomes)
    if before.resp != after.resp:
        number = after.resp.max if after.resp is not None else 0
        yield (
            f"answers each request {shown.plural(number, 'time')}" if number else "answers requests no longer"
        )


def _lists(limits: UserPermissionLimits) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "may publish to `{}`", limits.pub.allow
    yield "is denied to publish to `{}`", limits.pub.deny
    yield "may subscribe to `{}`", limits.sub.allow
    yield "is denied to subscribe to `{}`", limits.sub.deny
    yield "connects as `{}`", limits.allowed_connection_types
    yield "logs in with its {} alone", ("JWT",) if limits.bearer_token else ()


def _url(row: Filling) -> str:
    if row.user is not None:
        row.user.account = row.account
        return shown.user_url("user", row.user)
    return signing_keys_shown.url("signing-key", row.account, row.role)


def _fill_url(row: Filling) -> str:
    query = f"?preset={row.preset}"
    if row.user is not None:
        row.user.account = row.account
        return shown.user_url("user-preset", row.user) + query
    return signing_keys_shown.url("role-preset", row.account, row.role) + query
