"""An installation's own presets, filling from presets, and applying a newer version."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import DatabaseError, connection, transaction

from identities.claims import presets as filled_in
from identities.claims import presets_text
from identities.claims.drafts import RoleDraft, SigningKeyDraft, UserEdit
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.claims.presets import BadPreset, Edition, Preset, PresetDraft
from identities.claims.presets_built_in import BUILT_IN
from identities.claims.recipes import Side
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Account, AuditEvent, Filling, OwnPresetVersion, User
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import changes, filling, presets, signing_keys, suspensions, users
from tests import make

pytestmark = pytest.mark.django_db
UNLIMITED = UserPermissionLimits.unlimited()


def draft(*publish: str, title: str = "Devices", news: str = "", **more: int) -> PresetDraft:
    lines = presets_text.lines_of(publish, Side.PUBLISH)
    edition = Edition(number=1, lines=lines, parameters=filled_in.parameters_of(lines), news=news, **more)
    return PresetDraft(title=title, about="For devices.", edition=edition)


def own(*publish: str, **more: str) -> Preset:
    return presets.create(principal=make.COMMAND, draft=draft(*publish, **more))  # type: ignore[arg-type]


def edited(preset: Preset, *publish: str, news: str = "more") -> Preset:
    version = presets.row_of(preset.key).version
    return presets.edit(
        principal=make.COMMAND, key=preset.key, draft=draft(*publish, news=news), version=version
    )


@pytest.fixture(autouse=True)
def installed() -> None:
    make.installation()


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Op"), "Shop")


def fresh(user: User) -> User:
    return User.objects.select_related("account__operator").get(pk=user.pk)


def limits_of(user: User) -> UserPermissionLimits:
    limits: UserPermissionLimits = changes.claims_of(fresh(user)).nats.limits
    return limits


def fill(user: User, preset: Preset, **values: str) -> User:
    row = fresh(user)
    return filling.fill_user(
        principal=make.COMMAND, user=row, preset=preset, values=values, version=row.version
    )


def held(user: User) -> Filling:
    found = filling.of_user(user)
    assert found is not None
    return found


class TestOwn:
    def test_versions_are_added_to_and_never_changed(self) -> None:
        first = own("a.${name} # Of the device")
        second = edited(first, "a.${name}", "b")
        assert [each.number for each in second.editions] == [1, 2]
        assert (second.newest.news, second.editions[0]) == ("more", first.newest)
        assert presets.find(first.key) == second
        assert second in presets.known()
        assert [each.by_name for each in OwnPresetVersion.objects.all()] == ["manage.py test"] * 2
        assert AuditEvent.objects.latest("seq").summary == "Edited the preset “Devices”: version 2"
        for statement in (
            "UPDATE identities_ownpresetversion SET news = ''",
            "DELETE FROM identities_ownpresetversion",
        ):
            with (
                pytest.raises(DatabaseError, match="append-only"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)

    def test_the_same_again_is_no_version(self) -> None:
        first = own("a")
        events = AuditEvent.objects.count()
        version = presets.row_of(first.key).version
        same = presets.edit(principal=make.COMMAND, key=first.key, draft=draft("a"), version=version)
        assert same.newest.number == 1
        assert AuditEvent.objects.count() == events

    def test_a_name_is_taken_once(self) -> None:
        own("a")
        for title in ("Devices", "Requester"):
            with pytest.raises(IdentityError, match="already") as refused:
                own("b", title=title)
            assert refused.value.field == "name"

    def test_stale_edits_are_refused(self) -> None:
        first = own("a")
        version = presets.row_of(first.key).version
        edited(first, "b")
        with pytest.raises(presets.StalePreset):
            presets.edit(principal=make.COMMAND, key=first.key, draft=draft("c"), version=version)
        with pytest.raises(presets.StalePreset):
            presets.delete(principal=make.COMMAND, key=first.key, version=version)

    def test_what_is_deleted_is_gone_and_its_name_free(self) -> None:
        first = own("a")
        presets.delete(principal=make.COMMAND, key=first.key, version=presets.row_of(first.key).version)
        with pytest.raises(NotFound):
            presets.find(first.key)
        assert own("a").key != first.key

    def test_lines_that_are_no_subjects_are_refused(self) -> None:
        with pytest.raises(BadPreset) as refused:
            own("a..b")
        assert refused.value.field == "pub_allow"

    def test_only_who_administers_the_installation_may(self, account: Account) -> None:
        for principal in (make.principal(Role.VIEWER), make.principal(operator=account.operator)):
            with pytest.raises(Forbidden):
                presets.create(principal=principal, draft=draft("a"))

    @pytest.mark.parametrize("key", ["own-", "own-x", "own-99", "nothing", "own-" + "9" * 30])
    def test_what_is_not_there_is_not_found(self, key: str) -> None:
        with pytest.raises(NotFound):
            presets.find(key)


class TestFilling:
    def test_a_user_gets_the_subjects_and_it_is_remembered(self, account: Account) -> None:
        ann = make.user(account, "ann", limits=replace(UNLIMITED, pub=Permission(allow=("old",)), subs=7))
        saved = fill(ann, BUILT_IN["service"], subject="orders.get", queue="workers")
        assert limits_of(saved).sub.allow == ("orders.get workers",)
        assert limits_of(saved).resp == ResponsePermission(max=1)
        assert limits_of(saved).pub == Permission()
        assert limits_of(saved).subs == 7
        row = held(ann)
        assert (row.preset, row.number, row.given) == (
            "service", 1, '{"subject": "orders.get", "queue": "workers"}')  # fmt: skip
        assert filling.is_unchanged(BUILT_IN["service"], row)
        event = AuditEvent.objects.latest("seq")
        assert event.summary.startswith(
            "Filled from the preset “Service that answers requests” version 1 user “ann”"
        )

    def test_what_is_lost_is_said_before(self, account: Account) -> None:
        ann = fresh(make.user(account, "ann", limits=replace(UNLIMITED, pub=Permission(allow=("old",)))))
        filled = filled_in.fill(BUILT_IN["requester"].newest, {"subject": "a"})
        told = filling.plan_user(ann, filled).consequences
        assert "“ann” may no longer publish to `old`." in told
        assert "“ann” may no longer subscribe to all of `>`." in told

    def test_edits_by_hand_are_seen(self, account: Account) -> None:
        ann = fill(make.user(account, "ann"), BUILT_IN["requester"], subject="a")
        limits = limits_of(ann)
        for changed, unchanged in (
            (replace(limits, subs=5), True),
            (replace(limits, pub=Permission(allow=("a", "b"))), False),
        ):
            edit = UserEdit(name="ann", limits=changed)
            row = fresh(ann)
            users.update(principal=make.COMMAND, user=row, edit=edit, version=row.version)
            assert filling.is_unchanged(BUILT_IN["requester"], held(ann)) is unchanged

    def test_another_preset_takes_the_place_of_the_first(self, account: Account) -> None:
        ann = make.user(account, "ann")
        fill(ann, BUILT_IN["requester"], subject="a")
        fill(ann, BUILT_IN["observer"])
        assert Filling.objects.get().preset == "observer"
        assert limits_of(ann).pub == Permission(deny=(">",))

    def test_the_same_again_signs_nothing_but_is_recorded(self, account: Account) -> None:
        ann = fill(make.user(account, "ann"), BUILT_IN["requester"], subject="a")
        again = fill(ann, BUILT_IN["requester"], subject="a")
        assert again.version == ann.version
        assert "had these permissions already" in AuditEvent.objects.latest("seq").summary

    def test_a_device_may_log_in_by_its_jwt_alone(self, account: Account) -> None:
        saved = fill(make.user(account, "ann"), BUILT_IN["mqtt-device"], outgoing="a", incoming="b.>")
        assert fresh(saved).bearer
        assert limits_of(saved).allowed_connection_types == ("MQTT", "MQTT_WS")
        assert limits_of(saved).sub.allow == ("b.>", "b")

    def test_a_role_is_filled_for_all_its_users(self, account: Account) -> None:
        made = SigningKeyDraft(role=RoleDraft(role="worker"))
        role = signing_keys.add(principal=make.COMMAND, account=account, draft=made, version=account.version)
        account.refresh_from_db()
        bob = make.user(account, "bob", signer=role.public_key, limits=None)
        saved = filling.fill_role(
            principal=make.COMMAND,
            account=account,
            role=role.public_key,
            preset=BUILT_IN["requester"],
            values={"subject": "orders.{{name()}}"},
            version=account.version,
        )
        entry = signing_keys.entry_of(saved, role.public_key)
        assert entry.template is not None and entry.template.pub.allow == ("orders.{{name()}}",)
        row = filling.of_role(saved, role.public_key)
        assert row is not None and filling.is_unchanged(BUILT_IN["requester"], row)
        assert filling.name_of(row) == "worker"
        with pytest.raises(IdentityError, match="fill the role instead"):
            fill(bob, BUILT_IN["observer"])

    def test_refusals_leave_nothing_behind(self, account: Account) -> None:
        ann = make.user(account, "ann")
        with pytest.raises(BadPreset):
            fill(ann, BUILT_IN["requester"])
        row = fresh(ann)
        with pytest.raises(changes.StaleWrite):
            filling.fill_user(
                principal=make.COMMAND,
                user=row,
                preset=BUILT_IN["observer"],
                values={},
                version=row.version + 1,
            )
        with pytest.raises(Forbidden):
            filling.fill_user(
                principal=make.principal(Role.VIEWER),
                user=row,
                preset=BUILT_IN["observer"],
                values={},
                version=row.version,
            )
        assert not Filling.objects.exists()


class TestRenewing:
    def test_each_gets_the_newest_version_with_what_it_was_given(self, account: Account) -> None:
        preset = own("a.${name}")
        pair = [make.user(account, name) for name in ("ann", "bob")]
        for user in pair:
            fill(user, preset, name=user.name)
        newer = edited(preset, "a.${name}", "b.${name}")
        rows = list(filling.rows_of(newer, make.COMMAND).values_list("pk", flat=True))
        result = filling.renew(principal=make.COMMAND, preset=newer, number=2, fillings=rows)
        assert result == filling.Renewed(done=2, left=())
        assert [limits_of(user).pub.allow for user in pair] == [("a.ann", "b.ann"), ("a.bob", "b.bob")]
        assert [held(user).number for user in pair] == [2, 2]
        assert filling.renew(principal=make.COMMAND, preset=newer, number=2, fillings=rows).done == 0

    def test_who_was_changed_by_hand_or_is_suspended_is_left_and_the_rest_goes_on(
        self, account: Account
    ) -> None:
        preset = own("a")
        ann, bob, eve = (make.user(account, name) for name in ("ann", "bob", "eve"))
        for user in (ann, bob, eve):
            fill(user, preset)
        row = fresh(ann)
        edit = UserEdit(name="ann", limits=replace(limits_of(ann), pub=Permission(allow=("z",))))
        users.update(principal=make.COMMAND, user=row, edit=edit, version=row.version)
        suspensions.suspend(principal=make.COMMAND, user=fresh(bob), version=fresh(bob).version)
        newer = edited(preset, "b")
        rows = list(filling.rows_of(newer, make.COMMAND).values_list("pk", flat=True))
        result = filling.renew(principal=make.COMMAND, preset=newer, number=2, fillings=rows)
        assert result.done == 1
        assert [name for name, _ in result.left] == ["ann", "bob"]
        assert "changed by hand" in result.left[0][1] and "suspended" in result.left[1][1]
        assert [limits_of(user).pub.allow for user in (ann, bob, eve)] == [("z",), ("a",), ("b",)]

    def test_a_version_that_was_not_shown_is_not_applied(self, account: Account) -> None:
        preset = own("a")
        fill(make.user(account, "ann"), preset)
        newer = edited(edited(preset, "b"), "c")
        with pytest.raises(IdentityError, match="newer version"):
            filling.renew(principal=make.COMMAND, preset=newer, number=2, fillings=[Filling.objects.get().pk])

    def test_a_parameter_that_is_new_is_asked_for_and_nothing_is_guessed(self, account: Account) -> None:
        preset = own("a")
        ann = fill(make.user(account, "ann"), preset)
        newer = edited(preset, "a.${name}")
        result = filling.renew(
            principal=make.COMMAND, preset=newer, number=2, fillings=[Filling.objects.get().pk]
        )
        assert (result.done, result.left) == (0, (("ann", "Give the name."),))
        assert limits_of(ann).pub.allow == ("a",)

    def test_nobody_renews_whom_they_may_not_see(self, account: Account) -> None:
        preset = own("a")
        ann = fill(make.user(account, "ann"), preset)
        newer = edited(preset, "b")
        stranger = make.principal(account=make.account(None, "Else"))
        result = filling.renew(
            principal=stranger, preset=newer, number=2, fillings=[Filling.objects.get().pk]
        )
        assert result == filling.Renewed(done=0, left=())
        assert limits_of(ann).pub.allow == ("a",)
        too_many = list(range(filling.MOST + 1))
        with pytest.raises(IdentityError, match="At most 500"):
            filling.renew(principal=make.COMMAND, preset=newer, number=2, fillings=too_many)
