"""Moving users between the identity key, plain keys and roles of their account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.trust import has_empty_permissions
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, Key, Mode, User
from identities.models import Permission as PermissionRow
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.services import changes, moves, signing, signing_keys
from identities.services.moves import Move, Start
from tests import make

pytestmark = pytest.mark.django_db

WHO = {"principal": make.COMMAND}
UNLIMITED = UserPermissionLimits.unlimited()
OWN = replace(UNLIMITED, pub=Permission(allow=("mine.>",)), subs=5)
TEMPLATE = replace(
    UNLIMITED, pub=Permission(allow=("a.{{name()}}", "{{tag(team)}}.>")), payload=1000, src=("192.0.2.0/24",)
)


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


def fresh(user: User) -> User:
    return User.objects.select_related("account__operator", "operator", "token").get(pk=user.pk)


def key_of(account: Account, **draft: object) -> Key:
    row = Account.objects.select_related("operator").get(pk=account.pk)
    return signing_keys.add(**WHO, account=row, draft=SigningKeyDraft(**draft), version=row.version)


def role_of(account: Account, template: UserPermissionLimits = TEMPLATE, name: str = "service") -> Key:
    return key_of(account, role=RoleDraft(role=name, template=template))


def user_of(account: Account, name: str = "bob", **draft: object) -> User:
    return make.user(Account.objects.select_related("operator").get(pk=account.pk), name, **draft)


def moved(user: User, signer: str, start: Start | None = None, *, revoke: bool = False) -> User:
    row = fresh(user)
    wanted = Move(signer=signer, start=start, revoke=revoke)
    moves.move(**WHO, user=row, wanted=wanted, version=row.version)
    return fresh(user)


def limits_of(user: User) -> UserPermissionLimits:
    found: UserPermissionLimits = changes.claims_of(user).nats.limits
    return found


def test_between_identity_key_and_plain_key_nothing_but_the_issuer_changes(account: Account) -> None:
    user = user_of(account, limits=OWN, tags=("team:a",))
    key = key_of(account).public_key
    there = moved(user, key)
    assert (there.issuer, limits_of(there), changes.claims_of(there).nats.tags) == (key, OWN, ("team:a",))
    assert changes.claims_of(there).nats.issuer_account == account.public_key
    back = moved(user, account.public_key)
    assert (back.issuer, limits_of(back)) == (account.public_key, OWN)
    assert changes.claims_of(back).nats.issuer_account == ""


def test_into_a_role_its_own_rights_go_and_the_diff_says_so(account: Account) -> None:
    user = user_of(account, limits=OWN)
    key = role_of(account)
    change = moves.plan(fresh(user), Move(signer=key.public_key))
    gone = {field.path: field.before for field in change.diff if not field.after}
    assert gone == {
        "nats.pub.allow": "mine.>",
        "nats.subs": "5",
        "nats.data": "unlimited",
        "nats.payload": "unlimited",
    }
    assert change.consequences[0].startswith("From now on the role “service” alone says what “bob” may do")
    there = moved(user, key.public_key)
    assert has_empty_permissions(changes.claims_of(there))
    assert (there.pub_mode, there.sub_mode) == (Mode.ROLE, Mode.ROLE)
    assert not PermissionRow.objects.filter(user=user).exists()


def test_between_roles(account: Account) -> None:
    one, two = role_of(account, name="one"), role_of(account, name="two")
    there = moved(user_of(account, signer=one.public_key), two.public_key)
    assert there.issuer == two.public_key
    assert has_empty_permissions(changes.claims_of(there))


def test_out_of_a_role_somebody_has_to_say_what_it_starts_from(account: Account) -> None:
    user = user_of(account, signer=role_of(account).public_key)
    with pytest.raises(IdentityError, match="Choose what it starts from") as refused:
        moved(user, account.public_key)
    assert refused.value.field == "start"


def test_out_of_a_role_as_nsc_starts_a_user(account: Account) -> None:
    there = moved(user_of(account, signer=role_of(account).public_key), account.public_key, Start.UNLIMITED)
    assert limits_of(there) == UNLIMITED
    assert (there.pub_mode, there.issuer) == (Mode.DEFAULT, account.public_key)


def test_out_of_a_role_with_a_copy_of_what_the_template_became(account: Account) -> None:
    user = user_of(account, signer=role_of(account).public_key, tags=("team:blue", "team:red"))
    there = moved(user, account.public_key, Start.TEMPLATE)
    assert limits_of(there) == replace(
        UNLIMITED,
        pub=Permission(allow=("a.bob", "blue.>", "red.>")),
        payload=1000,
        src=("192.0.2.0/24",),
    )
    rows = PermissionRow.objects.filter(user=user).values_list("pattern__text", flat=True)
    assert set(rows) == {"a.bob", "blue.>", "red.>"}


def test_nothing_can_be_copied_that_refuses_the_login(account: Account) -> None:
    role = role_of(account, replace(UNLIMITED, pub=Permission(deny=("{{tag(none)}}",))))
    user = user_of(account, signer=role.public_key)
    with pytest.raises(IdentityError, match="nothing to copy") as refused:
        moved(user, account.public_key, Start.TEMPLATE)
    assert refused.value.field == "start"


def test_a_role_that_would_refuse_it_is_said_before(account: Account) -> None:
    role = role_of(account, replace(UNLIMITED, pub=Permission(deny=("{{tag(none)}}",))))
    told = moves.plan(fresh(user_of(account)), Move(signer=role.public_key)).consequences
    assert any("nats-server would refuse “bob” under this role" in line for line in told)


def test_the_jwt_from_before_goes_on_working_unless_it_is_revoked(account: Account) -> None:
    user, key = user_of(account), key_of(account).public_key
    told = moves.plan(fresh(user), Move(signer=key)).consequences
    assert told[-1].startswith("The JWT that “bob” has now goes on working")
    there = moved(user, key)
    assert not changes.claims_of(there.account).nats.revocations
    last = there.last_iat
    back = moved(user, account.public_key, revoke=True)
    revoked = changes.claims_of(back.account).nats.revocations[user.public_key]
    assert last <= revoked < back.last_iat


def test_where_it_cannot_go(account: Account) -> None:
    user = user_of(account)
    with pytest.raises(IdentityError, match="issued “bob” already"):
        moved(user, account.public_key)
    with pytest.raises(IdentityError, match="no signing key of this account"):
        moved(user, KeyPair.create(KeyKind.ACCOUNT).public.text)
    public = KeyPair.create(KeyKind.ACCOUNT).public.text
    with pytest.raises(signing.NoSigner):
        moved(user, key_of(account, public_key=public).public_key)


def test_under_a_strict_operator_the_identity_key_issues_nobody() -> None:
    account = make.account(make.operator(require_signing_keys=True))
    with pytest.raises(IdentityError, match="no signing key of this account"):
        moved(user_of(account), account.public_key)


def test_a_bearer_role_seals_the_new_jwt(account: Account) -> None:
    role = role_of(account, replace(UNLIMITED, bearer_token=True))
    there = moved(user_of(account), role.public_key)
    assert there.bearer
    assert there.token.text == "" and there.token.sealed is not None


def test_the_audit_says_where_to_and_viewers_may_not(account: Account) -> None:
    user, role = user_of(account), role_of(account)
    with pytest.raises(Forbidden):
        moves.move(
            principal=make.principal("viewer"),
            user=user,
            wanted=Move(signer=role.public_key),
            version=user.version,
        )
    moved(user, role.public_key, revoke=True)
    event = AuditEvent.objects.latest("seq")
    assert event.action == Action.USER_MOVE
    assert (
        event.summary
        == "Moved user “bob” of “Orders” to the role “service”, and revoked its earlier versions"
    )
