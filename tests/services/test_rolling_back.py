"""Going back to an earlier version: what returns, what stays, and that nobody who was put out comes in again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec, sharing
from identities.claims.account import AccountBody, ExternalAuthorization
from identities.claims.drafts import AccountEdit, OperatorEdit, RoleDraft, SigningKeyDraft, UserEdit
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, Permissions, UserPermissionLimits
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Account, AuditEvent, IssuedToken, Key, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import (
    account_settings,
    accounts,
    auth_callout,
    changes,
    clock,
    exports,
    mappings,
    operator_keys,
    operators,
    rolling_back,
    signing_keys,
    users,
)
from tests import make

pytestmark = pytest.mark.django_db
WHO: dict[str, Any] = {"principal": make.COMMAND}
RULES = UserPermissionLimits.unlimited()


@pytest.fixture
def account(db: None) -> Account:
    return make.account(make.operator("Main"), "Orders")


def body(account: Account) -> AccountBody:
    held: AccountBody = changes.claims_of(Account.objects.get(pk=account.pk)).nats
    return held


def described(account: Account, text: str) -> Account:
    row = Account.objects.get(pk=account.pk)
    edit = AccountEdit(name=row.name, description=text)
    return accounts.update(**WHO, account=row, edit=edit, version=row.version)


def back(account: Account, number: int, **options: Any) -> Account:
    row = Account.objects.select_related("operator").get(pk=account.pk)
    return rolling_back.roll_back_account(**WHO, account=row, number=number, version=row.version, **options)


def test_versions_are_numbered_from_one_in_the_order_in_which_they_were_signed(account: Account) -> None:
    described(account, "two")
    described(account, "three")
    held = [rolling_back.version(account, number) for number in (1, 2, 3)]
    assert [version.claims.nats.description for version in held] == ["", "two", "three"]
    assert [rolling_back.number_of(account, version.token) for version in held] == [1, 2, 3]
    for missing in (0, -1, 4):
        with pytest.raises(NotFound):
            rolling_back.version(account, missing)


def test_an_earlier_version_is_signed_anew_as_the_newest(account: Account) -> None:
    row = mappings.put(
        **WHO,
        account=account,
        source="a",
        targets=[WeightedMapping(subject="b", weight=100)],
        version=account.version,
    )
    limits = replace(changes.claims_of(row).nats.limits, conn=7)
    row = accounts.update_limits(**WHO, account=row, limits=limits, version=row.version)
    row = described(row, "now")
    before = changes.claims_of(row)
    change = rolling_back.plan(make.COMMAND, row, 1)
    paths = [one.path for one in change.diff]
    assert paths[:2] == ["nats.description", "nats.limits.conn"]
    assert len(paths) == 3 and paths[2].startswith("nats.mappings[a]")
    assert any("who listens on “b”" in line for line in change.consequences)
    row = back(row, 1)
    after = changes.claims_of(row)
    first = rolling_back.version(row, 1).claims
    assert after.nats == first.nats
    assert (after.sub, after.name) == (before.sub, before.name)
    assert after.iat > before.iat and after.jti not in (before.jti, first.jti)
    assert row.version == 5
    assert IssuedToken.objects.of([row.public_key]).count() == 5
    event = AuditEvent.objects.latest("seq")
    assert event.summary.startswith("Brought back version 1 of account “Orders”: nats.description")


def test_what_no_version_of_nscweb_knows_comes_back_as_well(account: Account) -> None:
    claims = changes.claims_of(account)
    strange = replace(claims, nats=replace(claims.nats, extra={"new_in_3": {"a": 1}}))
    change = changes.Change(
        before=claims,
        after=strange,
        report=changes.check(strange, None, now=clock.unix()),
        diff=changes.difference(claims, strange),
    )
    accounts.commit(account, change, principal=make.COMMAND, done="Edited account")
    plain = replace(changes.claims_of(account), nats=claims.nats)
    change = replace(
        change, before=changes.claims_of(account), after=plain, diff=changes.difference(strange, plain)
    )
    row = accounts.commit(account, change, principal=make.COMMAND, done="Edited account")
    assert "new_in_3" not in row.claims
    assert json.loads(back(row, 2).claims)["nats"]["new_in_3"] == {"a": 1}


def test_revocations_stay_whichever_version_comes_back(account: Account) -> None:
    early, late = make.user(account), make.user(account)
    described(account, "two")
    accounts.revoke(**WHO, account=account, entries={early.public_key: 50, late.public_key: 60})
    row = back(account, 1)
    assert body(row).revocations == {early.public_key: 50, late.public_key: 60}
    assert body(row).description == ""


def test_a_cleared_revocation_is_not_put_back_in_silence_either(account: Account) -> None:
    user = make.user(account)
    accounts.revoke(**WHO, account=account, entries={user.public_key: 50})
    row = Account.objects.get(pk=account.pk)
    cleared = accounts.plan_revocations(row, {})
    accounts.commit_revocations(row, cleared, principal=make.COMMAND, reason="Cleared")
    described(row, "later")
    assert body(back(row, 2)).revocations == {}


def test_an_export_that_comes_back_brings_along_all_that_was_ever_revoked_of_it(account: Account) -> None:
    gone, target = make.account(account.operator), make.account(account.operator)
    make.export(account, "orders", token_req=True)
    handle = _handle(account)
    for whom, at in ((gone, 10), (target, 20)):
        account = exports.revoke(
            **WHO, account=account, handle=handle, target=whom.public_key, at=at, version=account.version
        )
    account = exports.delete(**WHO, account=account, handle=handle, version=account.version)
    assert body(account).exports == ()
    (held,) = body(back(account, 2)).exports
    assert held is not None
    assert held.revocations == {gone.public_key: 10, target.public_key: 20}


def test_an_export_that_is_still_there_keeps_what_is_revoked_of_it(account: Account) -> None:
    make.export(account, "orders", token_req=True)
    target = make.account(account.operator).public_key
    row = exports.revoke(
        **WHO, account=account, handle=_handle(account), target=target, at=20, version=account.version
    )
    row = described(row, "later")
    (held,) = body(back(row, 2)).exports
    assert held is not None
    assert held.revocations == {target: 20}


def test_who_imports_what_goes_away_is_told(account: Account) -> None:
    make.export(account, "orders")
    importer = make.account(account.operator, "Importer")
    make.imported(importer, "orders", of=account)
    change = rolling_back.plan(make.COMMAND, account, 1)
    assert any("“Importer” can no longer import orders" in line for line in change.consequences)


def test_an_import_keeps_the_token_that_it_has_now(account: Account) -> None:
    make.export(account, "orders", token_req=True)
    importer = make.account(account.operator, "Importer")
    first = make.imported(importer, "orders", of=account)
    row = described(importer, "two")
    held = body(row).imports[0]
    assert held is not None and held.token == first.token
    claims = changes.claims_of(row)
    newer = replace(held, token=first.token, name="renamed")
    change = changes.plan(row, changes.edit_body(imports=(newer,)), now=clock.unix())
    row = accounts.commit(row, change, principal=make.COMMAND, done="Edited")
    assert claims.nats.imports != body(row).imports
    (again,) = body(back(row, 2)).imports
    assert again is not None and (again.name, again.token) == ("orders", first.token)


class TestSigningKeys:
    def test_one_added_since_stays_and_one_removed_since_stays_away(self, account: Account) -> None:
        old = signing_keys.add(**WHO, account=account, draft=SigningKeyDraft(), version=account.version)
        row = Account.objects.get(pk=account.pk)
        row = signing_keys.remove(**WHO, account=row, public_key=old.public_key, version=row.version)
        new = signing_keys.add(**WHO, account=row, draft=SigningKeyDraft(), version=row.version)
        row = described(row, "later")
        since = rolling_back.signing_keys_since(row, rolling_back.version(row, 2))
        assert (since.removed, since.added) == ((old.public_key,), (new.public_key,))
        row = back(row, 2)
        assert [entry.key for entry in body(row).signing_keys] == [new.public_key]
        assert Key.objects.get(public_key=old.public_key).deleted_at is not None

    def test_a_removed_one_comes_back_with_its_seed_where_it_is_named(self, account: Account) -> None:
        old = signing_keys.add(**WHO, account=account, draft=SigningKeyDraft(), version=account.version)
        row = Account.objects.get(pk=account.pk)
        issued = make.user(row, signer=old.public_key)
        row = signing_keys.remove(**WHO, account=row, public_key=old.public_key, version=row.version)
        change = rolling_back.plan(make.COMMAND, row, 2, revive=[old.public_key])
        assert any(f"{old.public_key}, which was removed, counts again" in one for one in change.consequences)
        assert any("signed 1 JWT before" in one for one in change.consequences)
        row = back(row, 2, revive=[old.public_key])
        assert [entry.key for entry in body(row).signing_keys] == [old.public_key]
        live = Key.objects.get(public_key=old.public_key, deleted_at=None)
        assert live.sealed is not None
        edit = UserEdit(name="renamed", limits=RULES)
        saved = users.update(**WHO, user=User.objects.get(pk=issued.pk), edit=edit, version=issued.version)
        assert saved.issuer == old.public_key

    def test_who_gave_out_creds_of_a_removed_role_is_told_of_when_it_comes_back(
        self, account: Account
    ) -> None:
        draft = SigningKeyDraft(role=RoleDraft(role="worker", template=RULES))
        old = signing_keys.add(**WHO, account=account, draft=draft, version=account.version)
        make.issuer(make.person(None), old)
        row = Account.objects.get(pk=account.pk)
        row = signing_keys.remove(**WHO, account=row, public_key=old.public_key, version=row.version)
        change = rolling_back.plan(make.COMMAND, row, 2, revive=[old.public_key])
        assert any(
            "1 grant lets its holder give out creds of this role" in one for one in change.consequences
        )

    def test_a_key_that_the_version_did_not_have_is_not_brought_in(self, account: Account) -> None:
        strange = KeyPair.create(KeyKind.ACCOUNT).public.text
        row = described(account, "two")
        assert body(back(row, 1, revive=[strange])).signing_keys == body(account).signing_keys

    def test_a_role_says_again_what_it_said(self, account: Account) -> None:
        template = replace(RULES, pub=Permission(allow=("a",)))
        key = signing_keys.add(
            **WHO,
            account=account,
            draft=SigningKeyDraft(role=RoleDraft(role="one", template=template)),
            version=account.version,
        )
        row = Account.objects.get(pk=account.pk)
        make.user(row, "of-role", signer=key.public_key, limits=None)
        wider = RoleDraft(role="two", template=replace(RULES, pub=Permission(allow=("a", "b"))))
        row = Account.objects.get(pk=account.pk)
        row = signing_keys.edit(
            **WHO, account=row, public_key=key.public_key, draft=wider, version=row.version
        )
        change = rolling_back.plan(make.COMMAND, row, 2)
        assert any("(“of-role”)" in line for line in change.consequences)
        row = back(row, 2)
        (entry,) = body(row).signing_keys
        assert (entry.role, entry.template) == ("one", template)

    def test_of_an_operator_likewise(self, account: Account) -> None:
        operator = account.operator
        row = operator_keys.add(**WHO, operator=operator, version=operator.version)
        (added,) = set(changes.claims_of(row).nats.signing_keys) - {account.issuer}
        row = operator_keys.remove(**WHO, operator=row, public_key=added, version=row.version)
        versions = rolling_back.versions(row).count()
        plain = rolling_back.roll_back_operator(**WHO, operator=row, number=versions - 1, version=row.version)
        assert changes.claims_of(plain).nats.signing_keys == (account.issuer,)
        assert plain.version == row.version  # nothing else differed
        again = rolling_back.roll_back_operator(
            **WHO, operator=row, number=versions - 1, version=row.version, revive=[added]
        )
        assert set(changes.claims_of(again).nats.signing_keys) == {account.issuer, added}
        assert Key.objects.get(public_key=added).deleted_at is None


def test_auth_callout_comes_back_with_the_curve_key_it_had(account: Account) -> None:
    user = make.user(account)
    callout = ExternalAuthorization(auth_users=(user.public_key,))
    row = auth_callout.update(**WHO, account=account, callout=callout, version=account.version, new_xkey=True)
    xkey = body(row).authorization.xkey
    row = auth_callout.update(**WHO, account=row, callout=ExternalAuthorization(), version=row.version)
    change = rolling_back.plan(make.COMMAND, row, 2)
    assert any("sealed to the curve key at once" in line for line in change.consequences)
    row = back(row, 2)
    assert body(row).authorization == replace(callout, xkey=xkey)
    assert Key.objects.get(public_key=xkey).deleted_at is None


def test_default_permissions_that_come_back_name_whom_they_meet(account: Account) -> None:
    make.user(account)
    row = account_settings.update_default_permissions(
        **WHO, account=account, permissions=Permissions(pub=Permission(deny=("x",))), version=account.version
    )
    (line,) = rolling_back.plan(make.COMMAND, row, 1).consequences
    assert "applies at once" in line


def test_a_name_that_somebody_else_has_meanwhile_is_refused(account: Account) -> None:
    row = accounts.update(**WHO, account=account, edit=AccountEdit(name="Renamed"), version=account.version)
    make.account(account.operator, "Orders")
    with pytest.raises(IdentityError, match="already has an account named “Orders”"):
        back(row, 1)


def test_limits_that_can_not_be_any_more_are_refused(account: Account) -> None:
    limits = replace(changes.claims_of(account).nats.limits, disallow_bearer=True)
    row = accounts.update_limits(**WHO, account=account, limits=limits, version=account.version)
    row = accounts.update_limits(
        **WHO, account=row, limits=replace(limits, disallow_bearer=False), version=row.version
    )
    make.user(row, "bearer", limits=replace(RULES, bearer_token=True))
    with pytest.raises(IdentityError, match="“bearer” is a bearer user"):
        back(row, 2)


def test_an_account_admin_brings_back_texts_and_nothing_that_the_operator_grants(account: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, account=account)
    row = described(account, "two")
    limits = replace(changes.claims_of(row).nats.limits, conn=7)
    row = accounts.update_limits(**WHO, account=row, limits=limits, version=row.version)
    with pytest.raises(Forbidden, match="operator admin"):
        rolling_back.roll_back_account(principal=admin, account=row, number=2, version=row.version)
    row = described(row, "three")
    row = rolling_back.roll_back_account(principal=admin, account=row, number=3, version=row.version)
    assert (body(row).description, body(row).limits.conn) == ("two", 7)
    row = rolling_back.roll_back_account(
        principal=admin, account=row, number=1, version=row.version, keep_granted=True
    )
    assert (body(row).description, body(row).limits.conn) == ("", 7)


def test_a_stale_roll_back_is_refused(account: Account) -> None:
    described(account, "two")
    with pytest.raises(changes.StaleWrite):
        rolling_back.roll_back_account(**WHO, account=account, number=1, version=account.version)


def test_the_current_version_brought_back_signs_nothing(account: Account) -> None:
    row = described(account, "two")
    assert back(row, 2).version == row.version


class TestUsers:
    def test_limits_name_tags_and_times_come_back(self, account: Account) -> None:
        rules = replace(RULES, pub=Permission(allow=("a",)))
        user = make.user(account, "first", limits=rules, tags=("team:a",))
        edit = UserEdit(name="second", limits=RULES, expires=clock.unix() + 900)
        row = users.update(**WHO, user=user, edit=edit, version=user.version)
        row = rolling_back.roll_back_user(**WHO, user=row, number=1, version=row.version)
        claims = changes.claims_of(row)
        assert (claims.name, claims.nats.limits, claims.exp, claims.nats.tags) == (
            "first",
            rules,
            0,
            ("team:a",),
        )
        assert claims.sub == user.public_key
        assert AuditEvent.objects.latest("seq").summary.startswith("Brought back version 1 of user “first”")

    def test_what_a_bearer_user_was_stays_sealed(self, account: Account) -> None:
        user = make.user(account, limits=replace(RULES, bearer_token=True))
        row = users.update(
            **WHO, user=user, edit=UserEdit(name=user.name, limits=RULES), version=user.version
        )
        with pytest.raises(IdentityError, match="stays sealed"):
            rolling_back.roll_back_user(**WHO, user=row, number=1, version=row.version)

    def test_one_that_a_role_issued_then_can_not_carry_that_under_a_plain_key(self, account: Account) -> None:
        row = make.user(account)
        User.objects.filter(pk=row.pk).update(pub_mode="role")
        row.refresh_from_db()
        with pytest.raises(IdentityError, match="Move it first"):
            rolling_back.plan(make.COMMAND, row, 1)


def test_an_operator_comes_back_with_what_that_means_for_its_servers(account: Account) -> None:
    operator = account.operator
    edit = OperatorEdit(name="Renamed", service_urls=("nats://a:4222",), assert_server_version="2.1.0")
    row = operators.update(**WHO, operator=operator, edit=edit, version=operator.version)
    again = operators.update(**WHO, operator=row, edit=OperatorEdit(name="Last"), version=row.version)
    number = rolling_back.versions(again).count()
    change = rolling_back.plan(make.COMMAND, again, number - 1)
    assert any("older than 2.1.0 does not start" in line for line in change.consequences)
    saved = rolling_back.roll_back_operator(**WHO, operator=again, number=number - 1, version=again.version)
    assert saved.name == "Renamed"
    assert changes.claims_of(saved).nats.operator_service_urls == ("nats://a:4222",)
    assert codec.decode(Operator.objects.get(pk=saved.pk).token.text).claims.iat > again.last_iat  # type: ignore[union-attr]


def _handle(account: Account) -> str:
    return sharing.export_handles(body(account).exports)[0]
