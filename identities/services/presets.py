"""Presets: those that come built in, and an installation's own, whose versions are only ever added to."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace

from identities.claims import diff, presets, presets_text
from identities.claims.presets import Edition, Preset, PresetDraft
from identities.claims.presets_built_in import BUILT_IN
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import OwnPreset, OwnPresetVersion
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, changes, clock

_OWN = "own-"


class StalePreset(IdentityError):
    """Somebody else has made a newer version meanwhile."""

    code = "stale-preset"


def known() -> tuple[Preset, ...]:
    """All of them, the built-in ones first; two queries."""
    rows = list(OwnPreset.objects.filter(deleted_at=None).order_by("title", "pk"))
    versions: dict[int, list[OwnPresetVersion]] = defaultdict(list)
    for version in OwnPresetVersion.objects.filter(preset__in=rows).order_by("number"):
        versions[version.preset_id].append(version)
    return (*BUILT_IN.values(), *(_own(row, versions[row.pk]) for row in rows))


def find(key: str) -> Preset:
    """The preset with this key.

    Raises: NotFound.
    """
    if key in BUILT_IN:
        return BUILT_IN[key]
    row = row_of(key)
    return _own(row, list(row.versions.order_by("number")))


def row_of(key: str) -> OwnPreset:
    """The row of an own preset.

    Raises: NotFound.
    """
    number = key.removeprefix(_OWN)
    if key.startswith(_OWN) and number.isascii() and number.isdigit() and len(number) < 19:
        row = OwnPreset.objects.filter(pk=int(number), deleted_at=None).first()
        if row is not None:
            return row
    raise NotFound(f"There is no preset {key[:60]}.")


def create(*, principal: Principal, draft: PresetDraft) -> Preset:
    """Make an own preset, with its first version.

    Raises: IdentityError: the name is taken. BadPreset: a line that is no subject.
    """
    decisions.require(principal, Action.PRESET_EDIT)
    presets.check_lines(draft.edition)
    with changes.transaction_of_one():
        _refuse_taken(draft.title)
        moment = clock.now()
        row = OwnPreset.objects.create(
            title=draft.title,
            about=draft.about,
            created_at=moment,
            updated_at=moment,
            updated_by=principal.name,
        )
        _add_version(principal, row, draft.edition)
        audit.record(principal, Action.PRESET_EDIT, [_target(row)], f"Made the preset “{row.title}”")
    return find(key_of(row))


def edit(*, principal: Principal, key: str, draft: PresetDraft, version: int) -> Preset:
    """Edit an own preset; new lines are a new version, and what was filled from an older one stays as it is.

    Raises: StalePreset: `version` is not the row's any more. IdentityError: the name is taken. BadPreset. NotFound.
    """
    decisions.require(principal, Action.PRESET_EDIT)
    presets.check_lines(draft.edition)
    with changes.transaction_of_one():
        row = _locked(key, version)
        if draft.title != row.title:
            _refuse_taken(draft.title)
        before = find(key)
        same = presets_text.to_json(before.newest) == presets_text.to_json(draft.edition)
        if same and (draft.title, draft.about) == (before.title, before.about):
            return before
        row.title, row.about = draft.title, draft.about
        row.updated_at, row.updated_by = clock.now(), principal.name
        row.latest += 0 if same else 1
        row.version += 1
        row.save()
        if not same:
            _add_version(principal, row, draft.edition)
        done = f"Edited the preset “{row.title}”" + ("" if same else f": version {row.latest}")
        told = diff.diff(_told(before), _told(find(key)))
        audit.record(principal, Action.PRESET_EDIT, [_target(row)], done, changes=told)
    return find(key)


def delete(*, principal: Principal, key: str, version: int) -> None:
    """Delete an own preset; whom it filled keeps its permissions.

    Raises: StalePreset. NotFound.
    """
    decisions.require(principal, Action.PRESET_EDIT)
    with changes.transaction_of_one():
        row = _locked(key, version)
        row.deleted_at = row.updated_at = clock.now()
        row.updated_by = principal.name
        row.save()
        audit.record(principal, Action.PRESET_EDIT, [_target(row)], f"Deleted the preset “{row.title}”")


def _told(preset: Preset) -> dict[str, object]:
    """What an edit may change, for the audit."""
    lines: object = json.loads(presets_text.to_json(preset.newest))
    return {"title": preset.title, "about": preset.about, "edition": lines}


def key_of(row: OwnPreset) -> str:
    """The key of an own preset."""
    return f"{_OWN}{row.pk}"


def _own(row: OwnPreset, versions: list[OwnPresetVersion]) -> Preset:
    return Preset(
        key=key_of(row),
        title=row.title,
        about=row.about,
        editions=tuple(
            presets_text.from_json(each.body, number=each.number, news=each.news) for each in versions
        ),
        own=True,
    )


def _locked(key: str, version: int) -> OwnPreset:
    row = OwnPreset.objects.select_for_update(no_key=True).get(pk=row_of(key).pk)
    if row.deleted_at is not None or row.version != version:
        raise StalePreset(
            f"“{row.title}” was changed by {row.updated_by} meanwhile. Load the page again, and see what is new."
        )
    return row


def _add_version(principal: Principal, row: OwnPreset, edition: Edition) -> None:
    OwnPresetVersion.objects.create(
        preset=row,
        number=row.latest,
        body=presets_text.to_json(replace(edition, number=row.latest)),
        news=edition.news,
        by=principal.key,
        by_name=principal.name,
        created_at=clock.now(),
    )


def _refuse_taken(title: str) -> None:
    taken = any(title == preset.title for preset in BUILT_IN.values())
    if taken or OwnPreset.objects.filter(title=title, deleted_at=None).exists():
        raise IdentityError(f"There is a preset “{title}” already. Choose another name.", field="name")


def _target(row: OwnPreset) -> audit.Target:
    return audit.Target(kind="preset", key=key_of(row), name=row.title)
