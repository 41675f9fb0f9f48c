"""What validation finds: nsc's rules, imports and rings over several accounts, and what only servers know."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.claims import codec
from identities.claims.account import ExternalAuthorization
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.report import Grade
from identities.models import Account, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import accounts, changes, clock, operators, validating, validating_users
from identities.services.validating_users import Finding
from tests import make
from tests.reissued import BEARER, edited, token_for, with_key

pytestmark = pytest.mark.django_db
BY: dict[str, Any] = {"principal": make.COMMAND}


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def account(operator: Operator) -> Account:
    return make.account(operator, "App")


def check(operator: Operator, principal: Principal = make.COMMAND) -> dict[str, tuple[Finding, ...]]:
    operator = Operator.objects.get(pk=operator.pk)
    found = validating.check(principal=principal, operator=operator, now=clock.unix())
    return {one.name: one.findings for one in found}


def said(operator: Operator, name: str) -> list[tuple[Grade, str, str]]:
    return [(one.grade, one.path, one.message) for one in check(operator)[name]]


def forge(row: Operator | Account | User, change: Callable[[dict[str, Any]], None]) -> None:
    """Claims that no service here would sign: as an import or a hand at the database leaves them."""
    row.refresh_from_db()
    document = changes.document(changes.claims_of(row))
    change(document)
    type(row).objects.filter(pk=row.pk).update(claims=json.dumps(document))


def test_an_installation_in_order_has_no_findings(operator: Operator, account: Account) -> None:
    make.user(account)
    assert check(operator) == {"Op": (), "SYS": (), "App": ()}


def test_an_account_that_the_operator_does_not_stand_behind(operator: Operator, account: Account) -> None:
    stranger = make.operator().public_key
    forge(account, lambda held: held.update(iss=stranger))
    assert said(operator, "App") == [(Grade.ERROR, "iss", validating.NSC_ISSUER)]


def test_under_a_strict_operator_identity_keys_sign_neither_accounts_nor_users(
    operator: Operator, account: Account
) -> None:
    user = make.user(account, "ann")
    assert user.issuer == account.public_key
    forge(operator, lambda held: held["nats"].update(strict_signing_key_usage=True))
    assert said(operator, "App") == [(Grade.ERROR, "iss", validating_users.NSC_STRICT)]
    forge(account, lambda held: held.update(iss=operator.public_key))
    assert (Grade.ERROR, "iss", validating.NSC_ISSUER) in said(operator, "App")


def test_jetstream_on_the_system_account(operator: Operator) -> None:
    system = Account.objects.get(operator=operator)
    forge(system, lambda held: held["nats"]["limits"].update(disk_storage=-1))
    assert said(operator, "SYS") == [(Grade.ERROR, "nats.limits.mem_storage", validating.NSC_JETSTREAM)]


def test_an_operator_that_another_key_signed(operator: Operator) -> None:
    other = make.operator().public_key
    forge(operator, lambda held: held.update(iss=other))
    assert (Grade.ERROR, "iss", validating.NSC_ITSELF) in said(operator, "Op")


def test_a_system_account_that_is_not_kept_here(operator: Operator, account: Account) -> None:
    stranger = make.account().public_key
    forge(operator, lambda held: held["nats"].update(system_account=stranger))
    ((grade, path, message),) = said(operator, "Op")
    assert (grade, path) == (Grade.WARNING, "nats.system_account")
    assert "not kept here" in message


def test_expired_users_and_accounts_are_time_checks(operator: Operator, account: Account) -> None:
    user = make.user(account)
    for row in (account, user):
        forge(row, lambda held: held.update(exp=1000))
    assert [(grade, message) for grade, _, message in said(operator, "App")] == [
        (Grade.TIMECHECK, "claim is expired"),
        (Grade.TIMECHECK, "claim is expired"),
    ]


def test_what_go_says_and_what_we_say_besides(operator: Operator, account: Account) -> None:
    forge(account, lambda held: held["nats"]["limits"].update(conn=0, leaf=-5))
    found = {path: grade for grade, path, _ in said(operator, "App")}
    assert found == {"nats.limits.leaf": Grade.WARNING, "nats.limits.conn": Grade.WARNING}
    forge(account, lambda held: held["nats"].update(cluster_traffic="x"))
    assert (Grade.ERROR, "nats.cluster_traffic", 'unknown cluster traffic option: "x"') in said(
        operator, "App"
    )


def test_what_go_says_twice_is_said_once(operator: Operator, account: Account) -> None:
    account = edited(
        account, imports=(Import(subject="a", account=account.operator.system_account, type="stream"),)
    )
    forge(account, lambda held: held["nats"]["limits"].update(imports=0))
    messages = [message for _, _, message in said(operator, "App")]
    assert messages.count("the account contains more imports than allowed by the operator") == 1


def test_imports_are_checked_against_the_exports_that_they_name(operator: Operator, account: Account) -> None:
    exporter = make.account(operator, "Exporter")
    exporter = edited(
        exporter,
        exports=(
            Export(name="n", subject="news.>", type="stream"),
            Export(name="p", subject="private.>", type="stream", token_req=True),
        ),
    )
    token = token_for(exporter, account, "private.>")
    good = Import(name="n", subject="news.a", account=exporter.public_key, type="stream")
    private = Import(name="p", subject="private.a", account=exporter.public_key, type="stream", token=token)
    edited(account, imports=(good, private))
    assert check(operator)["App"] == ()
    missing = replace(good, subject="old.a")
    edited(account, imports=(missing, replace(private, token="")))
    assert said(operator, "App") == [
        (
            Grade.WARNING,
            "nats.imports[0].subject",
            "“Exporter” exports no stream that covers old.a: servers leave this import out until it does.",
        ),
        (
            Grade.WARNING,
            "nats.imports[1].token",
            "The export private.> of “Exporter” is private: servers leave this out without a token.",
        ),
    ]


def test_exporters_under_another_operator_are_known_too(operator: Operator, account: Account) -> None:
    far = make.account(make.operator("Far"), "Exporter")
    far = edited(far, exports=(Export(name="n", subject="news", type="stream"),))
    held = Import(name="n", subject="news", account=far.public_key, type="stream")
    edited(account, imports=(held,))
    ((_, path, message),) = said(operator, "App")
    assert path == "nats.imports[0].account"
    assert message == "“Exporter” belongs to the operator “Far”: only servers that trust both know both."
    edited(account, imports=(replace(held, subject="else"),))
    assert [path for _, path, _ in said(operator, "App")] == [
        "nats.imports[0].account",
        "nats.imports[0].subject",
    ]


def test_an_exporter_that_nobody_knows_is_said_so(operator: Operator, account: Account) -> None:
    stranger = KeyPair.create(KeyKind.ACCOUNT).public.text
    edited(account, imports=(Import(name="n", subject="news", account=stranger, type="stream"),))
    ((grade, path, message),) = said(operator, "App")
    assert (grade, path) == (Grade.WARNING, "nats.imports[0].account")
    assert message == f"{stranger} is not known here: whether it exports news is not checked"


def test_rings_of_imports_are_found_in_each_account_of_them(operator: Operator, account: Account) -> None:
    other = make.account(operator, "Other")
    for one, next_one in ((account, other), (other, account)):
        edited(
            one,
            exports=(Export(name="x", subject="x", type="service"),),
            imports=(Import(name="x", subject="x", account=next_one.public_key, type="service"),),
        )
    for name in ("App", "Other"):
        ((grade, path, message),) = said(operator, name)
        assert (grade, path) == (Grade.ERROR, "nats.imports[0].subject")
        assert message.startswith("this import leads back to where it came from: “")


def test_an_auth_callout_that_names_nobody(operator: Operator, account: Account) -> None:
    user, stranger = make.user(account), make.user(make.account(operator)).public_key
    unknown = make.account(make.operator()).public_key
    Account.objects.filter(public_key=unknown).update(deleted_at=clock.now())
    edited(
        account,
        authorization=ExternalAuthorization(
            auth_users=(user.public_key, stranger), allowed_accounts=(account.public_key, unknown)
        ),
    )
    found = said(operator, "App")
    assert [(grade, path) for grade, path, _ in found] == [
        (Grade.WARNING, "nats.authorization.auth_users[1]"),
        (Grade.WARNING, "nats.authorization.allowed_accounts"),
    ]


def test_bearer_users_where_they_are_forbidden(operator: Operator, account: Account) -> None:
    make.user(account, "sensor", limits=BEARER)
    forge(account, lambda held: held["nats"]["limits"].update(disallow_bearer=True))
    ((grade, _, message),) = said(operator, "App")
    assert grade is Grade.ERROR
    assert "which its account forbids" in message


def test_revoked_users_are_told_of_and_named(operator: Operator, account: Account) -> None:
    user = make.user(account, "ann")
    make.user(account, "bob")
    accounts.revoke(**BY, account=account, entries={user.public_key: user.last_iat})
    (found,) = check(operator)["App"]
    assert (found.grade, found.count, found.users) == (Grade.WARNING, 1, (("ann", user.public_key),))
    accounts.revoke(**BY, account=account, entries={"*": clock.unix() + 10})
    (found,) = check(operator)["App"]
    assert [name for name, _ in found.users] == ["ann", "bob"]


def test_a_roles_user_with_limits_of_its_own(operator: Operator, account: Account) -> None:
    role = with_key(account, role="clerk")
    user = make.user(Account.objects.get(pk=account.pk), "ann", signer=role.public_key)
    assert check(operator)["App"] == ()
    forge(user, lambda held: held["nats"].update(subs=5))
    assert (Grade.ERROR, "nats", "scoped users require no permissions or limits set") in said(operator, "App")


def test_what_a_template_becomes_for_a_user(operator: Operator, account: Account) -> None:
    template = replace(
        UserPermissionLimits.unlimited(),
        pub=Permission(allow=("a.{{tag(team)}}",)),
        sub=Permission(allow=("b.{{name()}}",), deny=("c.{{tag(secret)}}",)),
    )
    role = with_key(account, role="clerk", template=template)
    row = Account.objects.get(pk=account.pk)
    make.user(row, "fine", signer=role.public_key, tags=("team:x", "secret:y"))
    assert check(operator)["App"] == ()
    make.user(row, "no-secret", signer=role.public_key, tags=("team:x",))
    make.user(row, "no-team", signer=role.public_key, tags=("secret:y",))
    make.user(row, "a.b", signer=role.public_key, tags=("team:x", "secret:y"))
    found = {one.users[0][0]: (one.grade, one.path) for one in check(operator)["App"]}
    assert found == {
        "no-secret": (Grade.ERROR, "nats.tags"),
        "no-team": (Grade.WARNING, "nats.pub.allow"),
        "a.b": (Grade.WARNING, "name"),
    }


def test_an_accounts_name_is_of_interest_only_where_a_role_pastes_it(
    operator: Operator, account: Account
) -> None:
    other = make.account(operator, "two words")
    assert check(operator)["two words"] == ()
    template = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=("a.{{account-name()}}",)))
    with_key(other, role="clerk", template=template)
    assert [path for _, path, _ in said(operator, "two words")] == ["name"]


def test_users_of_whom_the_same_is_said_stand_together_and_only_the_first_are_named(
    operator: Operator, account: Account
) -> None:
    made = make.many_users(account, [f"u{number:03}" for number in range(30)])
    accounts.revoke(**BY, account=account, entries={user.public_key: user.last_iat for user in made})
    (found,) = check(operator)["App"]
    assert found.count == 30
    assert len(found.users) == validating_users.NAMED


def test_more_accounts_and_users_take_no_more_queries(operator: Operator, account: Account) -> None:
    counts = []
    for round_ in range(2):
        with CaptureQueriesContext(connection) as asked:
            check(operator)
        counts.append(len(asked))
        for number in range(3):
            make.many_users(make.account(operator), [f"u{round_}{number}{one}" for one in range(5)])
    assert counts[0] == counts[1] <= 8, counts


def test_an_account_of_more_than_a_mebibyte_is_refused_by_nats(operator: Operator, account: Account) -> None:
    text = "x" * 8000
    exports = tuple(
        Export(name=f"e{number}", subject=f"e.{number}", type="stream", description=text)
        for number in range(110)
    )
    edited(account, exports=exports)
    assert any("larger than 1 MiB" in message for _, _, message in said(operator, "App"))
    token = Account.objects.select_related("token").get(pk=account.pk).token
    assert token is not None
    with pytest.raises(codec.ClaimsError, match="too large"):
        codec.decode(token.text)


def test_everybody_validates_what_they_see(operator: Operator, account: Account) -> None:
    other = make.account(operator, "Hidden")
    accounts.update_limits(**BY, account=other, limits=OperatorLimits.unlimited(), version=other.version)
    assert set(check(operator, make.principal(Role.VIEWER))) == {"Op", "SYS", "App", "Hidden"}
    assert set(check(operator, make.principal(Role.VIEWER, account=account))) == {"Op", "App"}
    with pytest.raises(Forbidden):
        check(operator, make.principal(Role.VIEWER, operator=make.operator()))


def test_deleted_accounts_and_users_are_left_out(operator: Operator, account: Account) -> None:
    user = make.user(account, limits=BEARER)
    forge(user, lambda held: held.update(exp=1))
    accounts.delete(**BY, account=account, version=Account.objects.get(pk=account.pk).version)
    assert set(check(operator)) == {"Op", "SYS"}
    assert operators.target(operator).key == operator.public_key
