"""Operators as nsc makes them, and what may not be done to them."""

from __future__ import annotations

import pytest

from identities.claims.drafts import OperatorDraft, OperatorEdit
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, Key, Operator, Purpose, User
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal
from identities.services import accounts, changes, operators
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Principal:
    make.installation()
    return make.principal("administrator")


def edit_of(operator: Operator, **changed: object) -> OperatorEdit:
    claims = changes.claims_of(operator)
    fields = {
        "name": claims.name,
        "account_server_url": claims.nats.account_server_url,
        "service_urls": claims.nats.operator_service_urls,
        "require_signing_keys": claims.nats.strict_signing_key_usage,
        "tags": claims.nats.tags,
        "expires": claims.exp,
        "not_before": claims.nbf,
    }
    return OperatorEdit(**{**fields, **changed})


def test_a_new_operator_signs_itself_and_names_its_system_account(admin: Principal) -> None:
    operator = operators.create(principal=admin, draft=OperatorDraft(name="Test"))
    claims = changes.claims_of(operator)
    system = Account.objects.get(operator=operator)
    assert (claims.iss, claims.sub) == (operator.public_key, operator.public_key)
    assert claims.nats.system_account == system.public_key == operator.system_account
    assert len(claims.nats.signing_keys) == 1
    assert system.issuer == claims.nats.signing_keys[0]


def test_the_system_account_is_what_nsc_makes(admin: Principal) -> None:
    operator = operators.create(principal=admin, draft=OperatorDraft(name="Test"))
    system = Account.objects.get(operator=operator)
    body = changes.claims_of(system).nats
    assert system.name == "SYS"
    assert [export.subject for export in body.exports] == ["$SYS.ACCOUNT.*.>", "$SYS.REQ.ACCOUNT.*.*"]
    user = User.objects.get(account=system)
    assert user.name == "sys"
    assert user.issuer == body.signing_keys[0].key
    assert changes.claims_of(user).nats.issuer_account == system.public_key


def test_an_operator_without_options_is_as_bare_as_nsc_writes_it(admin: Principal) -> None:
    operator = operators.create(
        principal=admin, draft=OperatorDraft(name="Bare", generate_signing_key=False, system_account=False)
    )
    assert operator.claims.endswith('"nats":{"type":"operator","version":2}}')
    assert list(Key.objects.values_list("purpose", flat=True)) == [Purpose.IDENTITY]


def test_requiring_signing_keys_without_one_is_refused(admin: Principal) -> None:
    with pytest.raises(IdentityError, match="at least one"):
        operators.create(
            principal=admin,
            draft=OperatorDraft(name="S", generate_signing_key=False, require_signing_keys=True),
        )
    assert not Operator.objects.exists()


def test_under_a_strict_operator_a_new_account_gets_a_signing_key(admin: Principal) -> None:
    operator = make.operator(require_signing_keys=True)
    account = make.account(operator)
    claims = changes.claims_of(account)
    assert len(claims.nats.signing_keys) == 1
    assert claims.iss in changes.claims_of(operator).nats.signing_keys
    user = make.user(account)
    assert user.issuer == claims.nats.signing_keys[0].key


def test_names_are_unique_ignoring_case(admin: Principal) -> None:
    make.operator(name="Prod")
    with pytest.raises(IdentityError, match="already an operator named"):
        make.operator(name="PROD")


@pytest.mark.parametrize("name", ["a/b", "a\\b", ".", "..", " a", "a ", "a\nb", "a\x00b"])
def test_a_name_that_nsc_cannot_store_is_refused(admin: Principal, name: str) -> None:
    with pytest.raises(IdentityError):
        make.operator(name=name)
    assert not Operator.objects.exists()


def test_an_edit_reissues_with_a_later_iat_and_keeps_the_ledger(admin: Principal) -> None:
    operator = make.operator()
    first = operator.token
    edited = operators.update(
        principal=admin, operator=operator, edit=edit_of(operator, name="Renamed"), version=operator.version
    )
    assert edited.name == "Renamed"
    assert edited.last_iat > first.iat
    assert edited.token.replaces_id == first.pk
    assert IssuedToken.objects.filter(subject=operator.public_key).count() >= 2


def test_an_edit_that_changes_nothing_signs_nothing(admin: Principal) -> None:
    operator = make.operator()
    before = IssuedToken.objects.count(), AuditEvent.objects.count()
    operators.update(principal=admin, operator=operator, edit=edit_of(operator), version=operator.version)
    assert (IssuedToken.objects.count(), AuditEvent.objects.count()) == before


def test_the_second_of_two_editors_is_told_who_was_first(admin: Principal) -> None:
    operator = make.operator()
    stale = operator.version
    operators.update(principal=admin, operator=operator, edit=edit_of(operator, name="First"), version=stale)
    with pytest.raises(changes.StaleWrite, match=admin.name):
        operators.update(
            principal=admin, operator=operator, edit=edit_of(operator, name="Second"), version=stale
        )
    operator.refresh_from_db()
    assert operator.name == "First"


def test_turning_strict_on_is_refused_while_an_account_is_signed_by_the_identity(admin: Principal) -> None:
    operator = make.operator(generate_signing_key=False, system_account=False)
    make.account(operator, name="Old")
    with pytest.raises(IdentityError, match="at least one"):
        operators.update(
            principal=admin,
            operator=operator,
            edit=edit_of(operator, require_signing_keys=True),
            version=operator.version,
        )


def test_turning_strict_on_is_refused_while_a_user_is_signed_by_an_identity(admin: Principal) -> None:
    operator = make.operator(system_account=False)
    make.user(make.account(operator, name="Old"), name="u")
    with pytest.raises(IdentityError, match="still signed by the account's identity key"):
        operators.update(
            principal=admin,
            operator=operator,
            edit=edit_of(operator, require_signing_keys=True),
            version=operator.version,
        )


def test_a_bad_service_url_is_refused_with_the_value(admin: Principal) -> None:
    with pytest.raises(changes.InvalidClaims, match="http://x"):
        make.operator(service_urls=("http://x",))


def test_an_expiry_in_the_past_is_refused(admin: Principal) -> None:
    with pytest.raises(changes.InvalidClaims, match="in the past"):
        make.operator(expires=1)


def test_a_system_account_can_come_later(admin: Principal) -> None:
    operator = make.operator(system_account=False)
    make.account(operator, name="sys")
    operator = operators.add_system_account(principal=admin, operator=operator, version=operator.version)
    assert Account.objects.get(public_key=operator.system_account).name == "SYS-2"
    with pytest.raises(IdentityError, match="already has a system account"):
        operators.add_system_account(principal=admin, operator=operator, version=operator.version)


def test_deleting_an_operator_leaves_tombstones_without_user_seeds(admin: Principal) -> None:
    operator = make.operator()
    user = make.user(make.account(operator))
    operators.delete(principal=admin, operator=operator, version=operator.version)
    assert not Operator.objects.live().exists()
    assert not User.objects.live().exists()
    assert Key.objects.get(user=user).sealed is None
    make.operator(name=operator.name)


def test_a_viewer_may_not_create_an_operator(admin: Principal) -> None:
    with pytest.raises(Forbidden):
        operators.create(principal=make.principal("viewer"), draft=OperatorDraft(name="No"))


def test_the_system_account_in_use_cannot_be_deleted(admin: Principal) -> None:
    operator = make.operator()
    system = Account.objects.get(operator=operator)
    with pytest.raises(IdentityError, match="system account"):
        accounts.delete(principal=admin, account=system, version=system.version)
