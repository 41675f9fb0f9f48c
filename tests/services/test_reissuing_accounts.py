"""An account under another key: all that names it follows, nobody comes back, and the plan says what does not move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command

from identities import lookup
from identities.claims import codec, trust, validate
from identities.claims.account import AccountBody, ExternalAuthorization
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.drafts import UserEdit
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, AuditTarget, IssuedToken, Job, Key, Operator, Purpose, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import (
    accounts,
    audit,
    changes,
    clock,
    creds,
    jobs,
    keys,
    reissue_plans,
    reissuing,
    reissuing_accounts,
    secrets,
    signing,
    suspensions,
    users,
)
from identities.services.reissuing_accounts import Reissued
from tests import make

pytestmark = pytest.mark.django_db
BY: dict[str, Any] = {"principal": make.COMMAND}
BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def account(operator: Operator) -> Account:
    return make.account(operator, "App")


def edited(account: Account, **body: object) -> Account:
    account = Account.objects.get(pk=account.pk)
    saved = accounts.rewrite(
        **BY,
        account=account,
        plan=lambda row: changes.plan(row, changes.edit_body(**body), now=clock.unix()),
        version=account.version,
        done="Edited account",
    )
    return Account.objects.get(pk=saved.pk)


def with_key(account: Account, *, role: str = "", template: UserPermissionLimits | None = None) -> Key:
    """One more signing key of the account, whose seed is here; a role when it is named."""
    key, pair = signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.SIGNING)
    pair.wipe()
    key.operator, key.account = account.operator, account
    key.save()
    entry = SigningKey(key=key.public_key)
    if role:
        entry = replace(
            entry, kind=USER_SCOPE, role=role, template=template or UserPermissionLimits.unlimited()
        )
    held = changes.claims_of(Account.objects.get(pk=account.pk)).nats.signing_keys
    edited(account, signing_keys=(*held, entry))
    return Key.objects.get(pk=key.pk)


def reissue(account: Account, public_key: str = "") -> Reissued:
    account = Account.objects.get(pk=account.pk)
    return reissuing_accounts.reissue(**BY, account=account, public_key=public_key, version=account.version)


def plan(account: Account, public_key: str = "") -> reissuing.Plan:
    return reissue_plans.of_account(**BY, account=Account.objects.get(pk=account.pk), public_key=public_key)


def said(lines: tuple[str, ...]) -> str:
    return " ".join(lines)


def claims(row: Account | User) -> Claims[Any]:
    row.refresh_from_db()
    return changes.claims_of(row)


def token_for(exporter: Account, importer: Account, subject: str, kind: str = "stream", **more: Any) -> str:
    """An activation token by the exporter's first key that may."""
    key = signing.user_signer(exporter, claims(exporter), strict=False)
    own = key.public_key == exporter.public_key
    body = ActivationBody(subject=subject, kind=kind, issuer_account="" if own else exporter.public_key)
    with signing.signer_for(key) as signer:
        made: str = codec.encode(
            Claims(nats=body, sub=importer.public_key, name=subject, **more), signer, clock.unix()
        ).text
    return made


def activation(imported: Import | None) -> Claims[ActivationBody]:
    assert imported is not None
    return codec.decode(imported.token).claims


def test_the_account_keeps_everything_but_its_key(account: Account) -> None:
    with_key(account)
    account = edited(account, limits=replace(OperatorLimits.unlimited(), conn=7), description="About")
    before = claims(account)
    after = reissue(account).account
    now = claims(after)
    assert now.sub == after.public_key != before.sub
    assert now.nats == before.nats
    assert (now.name, after.pk, after.version) == ("App", account.pk, account.version + 1)
    assert not validate.validate(now, now=clock.unix()).blocking
    old, new = (Key.objects.get(public_key=key) for key in (before.sub, now.sub))
    assert old.deleted_at is not None
    assert new.deleted_at is None and new.sealed is not None and new.purpose == Purpose.IDENTITY
    assert after.token is not None and after.token.replaces is not None
    assert after.token.replaces.subject == before.sub


def test_users_stand_behind_the_new_key_with_the_rights_that_they_had(account: Account) -> None:
    plain = make.user(account, "plain", limits=replace(BEARER, pub=Permission(allow=("a.>",))), tags=("x:y",))
    signing_key = with_key(account)
    role = with_key(account, role="clerk")
    by_key = make.user(Account.objects.get(pk=account.pk), "by-key", signer=signing_key.public_key)
    by_role = make.user(Account.objects.get(pk=account.pk), "by-role", signer=role.public_key)
    before = {user.pk: claims(user) for user in (plain, by_key, by_role)}
    after = reissue(account).account
    for user in (plain, by_key, by_role):
        held = claims(user)
        assert trust.did_sign(claims(after), held), user.name
        assert replace(held.nats, issuer_account="") == replace(before[user.pk].nats, issuer_account="")
        assert (held.sub, held.name, held.iat > before[user.pk].iat) == (user.public_key, user.name, True)
        assert user.token is not None and user.token.replaces is not None
        assert user.token.replaces.iat == before[user.pk].iat
    assert by_key.issuer == signing_key.public_key
    assert by_role.issuer == role.public_key
    scope = trust.signing_key(claims(after).nats, role.public_key)
    assert scope is not None and trust.scoped_signer_issues(scope, claims(by_role)) == []
    assert plain.token is not None and plain.token.sealed is not None  # a bearer's JWT stays a secret


def test_creds_are_written_from_the_new_jwt(account: Account) -> None:
    user = make.user(account)
    after = reissue(account).account
    user = User.objects.select_related("token", "account").get(pk=user.pk)
    assert user.has_seed
    text = creds.creds_file(**BY, user=user).text
    held = codec.decode(text.split("\n")[1]).claims
    assert held.iss == after.public_key


def test_nobody_comes_back_by_it(account: Account) -> None:
    revoked, everybody, deleted, fine = (
        make.user(account, name) for name in ("revoked", "all", "gone", "fine")
    )
    accounts.revoke(**BY, account=account, entries={revoked.public_key: revoked.last_iat})
    users.delete(**BY, user=deleted, version=deleted.version)
    accounts.revoke(**BY, account=account, entries={"*": everybody.last_iat})
    fine = users.update(
        **BY, user=fine, edit=UserEdit(name="fine, again"), version=User.objects.get(pk=fine.pk).version
    )
    late = User.objects.get(pk=fine.pk).last_iat
    assert late > everybody.last_iat
    after = reissue(account).account
    body = claims(after).nats
    for user in (revoked, everybody):
        held = claims(user)
        assert trust.did_sign(claims(after), held)
        assert held.iat <= max(body.revocations.get(user.public_key, 0), body.revocations["*"]), user.name
    assert claims(fine).iat > max(body.revocations.get(fine.public_key, 0), body.revocations["*"])
    assert body.revocations[deleted.public_key] >= deleted.last_iat
    assert claims(deleted).iss != after.public_key


def test_a_suspended_user_stays_suspended_and_comes_in_again_once_that_is_lifted(account: Account) -> None:
    user = make.user(account)
    user = suspensions.suspend(**BY, user=user, version=user.version)
    after = reissue(account).account
    held, revocations = claims(user), claims(after).nats.revocations
    assert user.suspended_at is not None
    assert trust.did_sign(claims(after), held)
    assert held.iat <= revocations[user.public_key]
    user = User.objects.get(pk=user.pk)
    suspensions.lift(**BY, user=user, version=user.version)
    assert user.public_key not in claims(after).nats.revocations


def test_a_user_whom_no_key_stands_behind_is_left_out(account: Account) -> None:
    cut_off = with_key(account)
    user = make.user(Account.objects.get(pk=account.pk), "cut-off", signer=cut_off.public_key)
    edited(account, signing_keys=())
    assert "1 user that none of its keys signed" in said(plan(account).stays)
    reissue(account)
    assert claims(user).iss == cut_off.public_key
    assert claims(user).nats.issuer_account == account.public_key


def test_accounts_that_import_from_it_name_the_new_key(operator: Operator, account: Account) -> None:
    other = make.account(operator, "Other")
    account = edited(
        account,
        exports=(
            Export(name="news", subject="news.>", type="stream"),
            Export(name="private", subject="private.*", type="stream", token_req=True),
        ),
    )
    token = token_for(account, other, "private.*", exp=clock.unix() + 1000)
    other = edited(
        other,
        imports=(
            Import(
                name="n", subject="news.a", account=account.public_key, type="stream", local_subject="x.a"
            ),
            Import(name="p", subject="private.*", account=account.public_key, type="stream", token=token),
        ),
    )
    foreseen = plan(account)
    assert "1 account here, “Other”" in said(foreseen.moves)
    assert "1 activation token" in said(foreseen.moves)
    after = reissue(account).account
    public, private = claims(other).nats.imports
    assert (public.account, public.local_subject) == (after.public_key, "x.a")
    held = activation(private)
    assert trust.did_sign(claims(after), held)
    assert (held.sub, held.nats.subject, held.exp) == (other.public_key, "private.*", activation_exp(token))
    assert not validate.validate(claims(other), now=clock.unix()).blocking
    assert IssuedToken.objects.filter(kind="activation", subject=other.public_key, jti=held.jti).exists()


def activation_exp(token: str) -> int:
    return codec.decode(token).claims.exp


def test_its_own_imports_get_tokens_for_the_new_key(operator: Operator, account: Account) -> None:
    exporter = make.account(operator, "Exporter")
    exporter = edited(
        exporter,
        exports=(
            Export(name="p", subject="private.>", type="service", token_req=True),
            Export(name="pos", subject="by.*.>", type="stream", account_token_position=2),
        ),
    )
    token = token_for(exporter, account, "private.>", "service")
    own = f"by.{account.public_key}.x"
    account = edited(
        account,
        imports=(
            Import(name="p", subject="private.a", account=exporter.public_key, type="service", token=token),
            Import(
                name="pos", subject=own, local_subject="mine.x", account=exporter.public_key, type="stream"
            ),
        ),
    )
    after = reissue(account).account
    held = {one.name: one for one in claims(after).nats.imports}
    assert held["pos"].subject == f"by.{after.public_key}.x"
    assert held["pos"].local_subject == "mine.x"
    assert activation(held["p"]).sub == after.public_key
    assert trust.did_sign(claims(exporter), activation(held["p"]))
    assert not validate.validate(claims(after), now=clock.unix()).blocking


@pytest.mark.parametrize("who", ["importer", "*"])
def test_a_revoked_activation_is_not_signed_anew(operator: Operator, account: Account, who: str) -> None:
    other = make.account(operator, "Other")
    key = other.public_key if who == "importer" else "*"
    account = edited(account, exports=(Export(name="p", subject="p.>", type="stream", token_req=True),))
    token = token_for(account, other, "p.>")
    export = Export(
        name="p", subject="p.>", type="stream", token_req=True, revocations={key: clock.unix() + 5}
    )
    account = edited(account, exports=(export,))
    edited(
        other,
        imports=(Import(name="p", subject="p.>", account=account.public_key, type="stream", token=token),),
    )
    assert "“p” of “Other”: its activation is revoked" in said(plan(account).stays)
    after = reissue(account).account
    (imported,) = claims(other).nats.imports
    assert (imported.account, imported.token) == (after.public_key, "")


def test_an_exporter_that_is_not_kept_here_leaves_an_import_without_its_token(account: Account) -> None:
    stranger = KeyPair.create(KeyKind.ACCOUNT)
    body = ActivationBody(subject="p.>", kind="stream")
    token = codec.encode(Claims(nats=body, sub=account.public_key, name="p.>"), stranger, clock.unix()).text
    imported = Import(name="p", subject="p.>", account=stranger.public.text, type="stream", token=token)
    account = edited(account, imports=(imported,))
    assert "its exporter is not kept here" in said(plan(account).stays)
    after = reissue(account).account
    (held,) = claims(after).nats.imports
    assert (held.account, held.token) == (stranger.public.text, "")


def test_auth_callout_of_other_accounts_allows_the_new_key(operator: Operator, account: Account) -> None:
    callout = make.account(operator, "Callout")
    service = make.user(callout, "service")
    edited(
        callout,
        authorization=ExternalAuthorization(
            auth_users=(service.public_key,), allowed_accounts=(account.public_key,)
        ),
    )
    after = reissue(account).account
    assert claims(callout).nats.authorization.allowed_accounts == (after.public_key,)


def test_the_system_account_takes_the_operator_with_it(operator: Operator) -> None:
    system = Account.objects.get(operator=operator)
    assert "every server needs a new configuration" in said(plan(system).moves)
    after = reissue(system).account
    operator.refresh_from_db()
    assert operator.system_account == after.public_key
    assert changes.claims_of(operator).nats.system_account == after.public_key


def test_accounts_of_another_operator_follow_where_one_may(operator: Operator, account: Account) -> None:
    elsewhere = make.account(make.operator("Elsewhere"), "Far")
    account = edited(account, exports=(Export(name="n", subject="news", type="stream"),))
    edited(elsewhere, imports=(Import(name="n", subject="news", account=account.public_key, type="stream"),))
    narrow = make.principal(Role.ADMINISTRATOR, operator=operator)
    foreseen = reissue_plans.of_account(principal=narrow, account=account)
    assert "that you may not edit" in said(foreseen.stays)
    done = reissuing_accounts.reissue(principal=narrow, account=account, version=account.version)
    assert claims(elsewhere).nats.imports[0].account == account.public_key != done.account.public_key


def test_a_key_may_be_given_and_a_spare_one_brings_its_seed(operator: Operator, account: Account) -> None:
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.ACCOUNT)
    make.user(account)
    after = reissue(account, spare.public_key).account
    assert after.public_key == spare.public_key
    assert Key.objects.get(pk=spare.pk).account == after


def test_under_a_public_key_alone_a_signing_key_has_to_sign_the_users(account: Account) -> None:
    given = KeyPair.create(KeyKind.ACCOUNT).public.text
    user = make.user(account)
    with pytest.raises(IdentityError, match="Add a signing key first"):
        reissue(account, given)
    signing_key = with_key(account)
    after = reissue(account, given).account
    assert after.public_key == given
    user.refresh_from_db()
    assert (user.issuer, claims(user).nats.issuer_account) == (signing_key.public_key, given)


def test_a_role_without_its_seed_stands_against_it_with_the_remedy(account: Account) -> None:
    role = with_key(account, role="clerk")
    make.user(Account.objects.get(pk=account.pk), signer=role.public_key)
    Key.objects.filter(pk=role.pk).update(sealed=None)
    (refusal,) = plan(account).refusals
    assert "The role “clerk” signs 1 user" in refusal
    assert "page “Keys”" in refusal
    with pytest.raises(IdentityError, match="The role “clerk”"):
        reissue(account)
    assert Account.objects.get(pk=account.pk).public_key == account.public_key


def test_without_an_operator_key_nothing_is_signed(account: Account) -> None:
    Key.objects.filter(operator=account.operator, account=None).update(sealed=None)
    assert "page “Keys”" in said(plan(account).refusals)
    with pytest.raises(IdentityError, match="can't be signed"):
        reissue(account)


@pytest.mark.parametrize("which", ["own", "user", "taken", "former", "seed"])
def test_a_key_that_can_not_be_the_next_is_refused(operator: Operator, account: Account, which: str) -> None:
    former = account.public_key
    if which == "former":
        account = reissue(account).account
    given = {
        "own": account.public_key,
        "user": make.user(account).public_key,
        "taken": make.account(operator).public_key,
        "former": former,
        "seed": KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode(),
    }[which]
    with pytest.raises(IdentityError) as refused:
        reissue(account, given)
    assert refused.value.field == "public_key" or which in ("user", "seed")
    if which == "seed":
        assert given not in str(refused.value)


def test_a_stale_page_changes_nothing(account: Account) -> None:
    with pytest.raises(changes.StaleWrite):
        reissuing_accounts.reissue(**BY, account=account, version=account.version + 1)


def test_only_who_administers_the_operator_may(account: Account) -> None:
    for who in (make.principal(Role.VIEWER), make.principal(Role.ADMINISTRATOR, account=account)):
        with pytest.raises(Forbidden):
            reissuing_accounts.reissue(principal=who, account=account, version=account.version)


def test_the_event_names_old_and_new_key_and_everybody_signed(operator: Operator, account: Account) -> None:
    user = make.user(account)
    after = reissue(account).account
    event = AuditEvent.objects.latest("seq")
    assert event.action == "account.reissue"
    named = set(AuditTarget.objects.filter(event=event).values_list("key", flat=True))
    assert {account.public_key, after.public_key, user.public_key} <= named
    assert audit.first_broken() is None


def test_the_old_key_leads_to_the_new_page(operator: Operator, account: Account) -> None:
    after = reissue(account).account
    asked = {"operator_key": operator.public_key, "account_key": account.public_key}
    assert lookup.moved(make.COMMAND, asked) == {**asked, "account_key": after.public_key}
    assert lookup.moved(make.COMMAND, {**asked, "account_key": after.public_key}) is None
    stranger = make.principal(Role.VIEWER, operator=make.operator())
    assert lookup.moved(stranger, asked) is None


def test_the_plan_names_what_does_not_move(operator: Operator, account: Account) -> None:
    make.user(account, "creds")
    make.user(account, "bearer", limits=BEARER)
    make.user(account, "own", public_key=KeyPair.create(KeyKind.USER).public.text)
    make.user(
        account,
        "watcher",
        limits=replace(
            UserPermissionLimits.unlimited(),
            sub=Permission(allow=(f"$SYS.ACCOUNT.{account.public_key}.>",)),
        ),
    )
    account = edited(
        account,
        limits=replace(OperatorLimits.unlimited(), disk_storage=-1),
        exports=(Export(name="n", subject="news", type="stream"),),
    )
    text = said(plan(account).stays)
    for words in (
        "2 users, for whom new ones can be downloaded",
        "Bearer JWTs, wherever they are: 1 user",
        "1 user with a seed that is elsewhere",
        "JetStream",
        "Importers that are not kept here",
        "1 subject in permissions that hold the old key",
        "until it is deleted there",
    ):
        assert words in text, (words, text)
    assert IssuedToken.objects.filter(reason=reissuing_accounts.REASON).count() == 0


def test_many_users_follow_by_the_worker_and_a_second_reissue_waits(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 3)
    monkeypatch.setattr("identities.services.resigning.CHUNK", 2)
    made = make.many_users(account, [f"u{number}" for number in range(5)])
    done = reissue(account)
    assert done.job is not None
    assert User.objects.get(pk=made[0].pk).issuer == account.public_key
    with pytest.raises(IdentityError, match="still being signed anew"):
        reissue(account)
    early = User.objects.get(pk=made[4].pk)
    early.chosen_signer = done.account.public_key
    meanwhile = users.update(**BY, user=early, edit=UserEdit(name="edited"), version=early.version)
    call_command("worker", "--once")
    job = Job.objects.get(pk=done.job.pk)
    assert (job.state, job.done, job.total) == ("done", 4, 5)
    after = claims(done.account)
    for user in made:
        assert trust.did_sign(after, claims(user)), user.name
    assert User.objects.get(pk=meanwhile.pk).version == meanwhile.version
    assert audit.first_broken() is None


def test_a_job_that_is_begun_again_passes_over_what_is_done(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 1)
    monkeypatch.setattr("identities.services.resigning.CHUNK", 2)
    make.many_users(account, [f"u{number}" for number in range(5)])
    done = reissue(account)
    lease = jobs.claim({reissuing.KIND: reissuing.HANDLER})
    assert lease is not None
    reissuing.run(lease)
    signed = IssuedToken.objects.count()
    assert reissuing.run(lease) == {"signed": 0, "left": [], "left_count": 0}
    assert IssuedToken.objects.count() == signed
    assert done.account.public_key != account.public_key


def test_a_job_whose_account_is_deleted_ends_and_says_so(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 0)
    make.user(account)
    done = reissue(account)
    accounts.delete(**BY, account=done.account, version=done.account.version)
    call_command("worker", "--once")
    job = Job.objects.get()
    assert (job.state, job.error) == ("failed", "“App” was deleted meanwhile: there is nothing left to sign.")


def test_who_is_revoked_while_the_worker_signs_stays_revoked(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 1)
    made = make.many_users(account, ["a", "b", "c"])
    done = reissue(account)
    row = Account.objects.get(pk=account.pk)
    accounts.revoke(**BY, account=row, entries={made[1].public_key: made[1].last_iat})
    while jobs.work_once({reissuing.KIND: reissuing.HANDLER}):
        pass
    body: AccountBody = claims(done.account).nats
    assert claims(made[1]).iat <= body.revocations[made[1].public_key]
    assert claims(made[0]).iat > body.revocations.get(made[0].public_key, 0)


def test_sealed_seeds_of_the_old_key_can_be_erased_afterwards(operator: Operator, account: Account) -> None:
    reissue(account)
    old = keys.find(make.COMMAND, operator, account.public_key)
    assert keys.erase(**BY, key=old).sealed is None
    assert secrets.is_sealed() is False
