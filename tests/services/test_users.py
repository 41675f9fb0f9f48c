"""Users: issuing, editing, revoking, deleting, and what is handed out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.errors import IdentityError
from identities.models import AuditEvent, IssuedToken, Key, Mode, User
from identities.models import Permission as PermissionRow
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal
from identities.services import changes, creds, signing, users
from tests import make

pytestmark = pytest.mark.django_db

BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)


@pytest.fixture
def admin() -> Principal:
    make.installation()
    return make.principal("administrator")


def test_a_plain_user_is_what_nsc_writes(admin: Principal) -> None:
    account = make.account(make.operator())
    user = make.user(account, name="TestUser")
    claims = changes.claims_of(user)
    assert claims.nats.limits == UserPermissionLimits.unlimited()
    assert claims.iss == account.public_key
    assert claims.nats.issuer_account == ""


def test_every_permission_becomes_a_row(admin: Principal) -> None:
    limits = replace(
        UserPermissionLimits.unlimited(),
        pub=Permission(allow=("a.>", "b"), deny=("a.secret",)),
        sub=Permission(allow=("jobs workers",)),
    )
    user = make.user(make.account(make.operator()), limits=limits)
    rows = PermissionRow.objects.filter(user=user).values_list(
        "direction", "effect", "pattern__text", "queue"
    )
    assert set(rows) == {
        ("pub", "allow", "a.>", ""),
        ("pub", "allow", "b", ""),
        ("pub", "deny", "a.secret", ""),
        ("sub", "allow", "jobs", "workers"),
    }


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (UserPermissionLimits.unlimited(), (Mode.DEFAULT, Mode.DEFAULT)),
        (UserPermissionLimits(pub=Permission(allow=("a",))), (Mode.RULES, Mode.OPEN)),
        (UserPermissionLimits(sub=Permission(deny=("a",))), (Mode.OPEN, Mode.OPEN)),
        (UserPermissionLimits(resp=ResponsePermission(max=1)), (Mode.REPLIES, Mode.OPEN)),
        (
            UserPermissionLimits(resp=ResponsePermission(max=1), pub=Permission(allow=("a",))),
            (Mode.RULES, Mode.OPEN),
        ),
    ],
)
def test_a_row_says_where_its_rights_come_from(
    admin: Principal, limits: UserPermissionLimits, expected: tuple[str, str]
) -> None:
    user = make.user(make.account(make.operator()), limits=replace(limits, subs=-1, data=-1, payload=-1))
    assert (user.pub_mode, user.sub_mode) == expected


def test_many_users_take_the_same_number_of_queries_as_a_few(
    admin: Principal, django_assert_max_num_queries: object
) -> None:
    account = make.account(make.operator())
    for count in (3, 60):
        drafts = [UserDraft(name=f"u{count}-{number}") for number in range(count)]
        with django_assert_max_num_queries(30):  # type: ignore[operator]
            users.create_many(principal=admin, account=account, drafts=drafts)
    account.refresh_from_db()
    assert account.user_count == 63


def test_one_bad_name_of_many_leaves_nothing(admin: Principal) -> None:
    account = make.account(make.operator())
    with pytest.raises(IdentityError):
        users.create_many(
            principal=admin, account=account, drafts=[UserDraft(name="ok"), UserDraft(name="not/ok")]
        )
    assert not User.objects.filter(account=account).exists()
    assert not IssuedToken.objects.filter(kind="user", name="ok").exists()


@pytest.mark.parametrize("subject", ["a b c", "a..b", ".a", "a.", "a.>.b", ""])
def test_a_malformed_subject_is_refused_with_its_value(admin: Principal, subject: str) -> None:
    limits = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=(subject,)))
    with pytest.raises(changes.InvalidClaims):
        make.user(make.account(make.operator()), limits=limits)


def test_user_names_are_unique_exactly(admin: Principal) -> None:
    account = make.account(make.operator())
    make.user(account, name="bob")
    make.user(account, name="Bob")
    with pytest.raises(IdentityError, match="already has a user named"):
        make.user(account, name="bob")


def test_an_edit_keeps_the_issuer_and_everything_else(admin: Principal) -> None:
    user = make.user(make.account(make.operator()), tags=("team:a",))
    before = changes.claims_of(user)
    limits = replace(before.nats.limits, subs=7)
    edit = UserEdit(name=user.name, limits=limits, tags=before.nats.tags)
    user = users.update(principal=admin, user=user, edit=edit, version=user.version)
    after = changes.claims_of(user)
    assert replace(after.nats, limits=before.nats.limits) == before.nats
    assert (after.iss, after.nats.limits.subs) == (before.iss, 7)


def test_deleting_revokes_by_default_and_keeps_a_tombstone(admin: Principal) -> None:
    account = make.account(make.operator())
    user = make.user(account)
    users.delete(principal=admin, user=user, version=user.version)
    account.refresh_from_db()
    revoked = changes.claims_of(account).nats.revocations
    assert revoked[user.public_key] >= user.last_iat
    user.refresh_from_db()
    assert user.deleted_at is not None and not user.has_seed
    assert Key.objects.get(user=user).sealed is None


def test_deleting_without_revoking_is_said_in_the_audit(admin: Principal) -> None:
    account = make.account(make.operator())
    user = make.user(account)
    users.delete(principal=admin, user=user, version=user.version, revoke=False)
    account.refresh_from_db()
    assert not changes.claims_of(account).nats.revocations
    assert "without revoking" in AuditEvent.objects.latest("seq").summary


def test_earlier_versions_are_revoked_and_the_current_one_is_not(admin: Principal) -> None:
    account = make.account(make.operator())
    user = make.user(account)
    with pytest.raises(IdentityError, match="one JWT only"):
        users.revoke_earlier(principal=admin, user=user)
    old = user.last_iat
    edit = UserEdit(name="renamed", limits=UserPermissionLimits.unlimited())
    user = users.update(principal=admin, user=user, edit=edit, version=user.version)
    users.revoke_earlier(principal=admin, user=user)
    account.refresh_from_db()
    revoked_at = changes.claims_of(account).nats.revocations[user.public_key]
    assert old <= revoked_at < user.last_iat


def test_creds_hold_the_current_jwt_and_the_users_seed_and_are_audited(admin: Principal) -> None:
    user = make.user(make.account(make.operator()))
    handout = creds.creds_file(principal=admin, user=user)
    lines = handout.text.splitlines()
    assert codec.decode(lines[1]).claims.sub == user.public_key
    assert KeyPair.from_seed(lines[9]).public.text == user.public_key
    assert AuditEvent.objects.latest("seq").action == Action.CREDS_DOWNLOAD


def test_creds_are_not_for_viewers(admin: Principal) -> None:
    user = make.user(make.account(make.operator()))
    with pytest.raises(Forbidden):
        creds.creds_file(principal=make.principal("viewer"), user=user)


def test_a_user_with_its_own_key_has_a_jwt_but_no_creds(admin: Principal) -> None:
    pair = KeyPair.create(KeyKind.USER)
    user = make.user(make.account(make.operator()), public_key=pair.public.text)
    with pytest.raises(creds.NoSeed, match="public key only"):
        creds.creds_file(principal=admin, user=user)
    text = creds.user_jwt(principal=make.principal("viewer"), user=user).text
    assert codec.decode(text).claims.sub == pair.public.text


def test_a_bearer_jwt_is_sealed_and_only_an_administrator_takes_it(admin: Principal) -> None:
    user = make.user(make.account(make.operator()), limits=BEARER)
    assert user.token.text == ""
    with pytest.raises(Forbidden):
        creds.user_jwt(principal=make.principal("viewer"), user=user)
    text = creds.user_jwt(principal=admin, user=user).text
    assert codec.decode(text).claims.nats.limits.bearer_token
    assert AuditEvent.objects.latest("seq").action == Action.BEARER_DOWNLOAD


def test_swapped_seeds_are_found(admin: Principal) -> None:
    account = make.account(make.operator())
    one, two = make.user(account, name="one"), make.user(account, name="two")
    key_one, key_two = Key.objects.get(user=one), Key.objects.get(user=two)
    Key.objects.filter(pk=key_one.pk).update(sealed=key_two.sealed)
    with pytest.raises(IdentityError):
        creds.creds_file(principal=admin, user=one)
    with pytest.raises(IdentityError), signing.signer_for(Key.objects.get(pk=key_one.pk)):
        pass
