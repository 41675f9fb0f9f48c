"""Two people at the same moment: the second is refused in words, or waits; nobody meets a fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from identities.claims.drafts import (
    AccountDraft,
    AccountEdit,
    ImportDraft,
    Minting,
    OperatorDraft,
    UserDraft,
)
from identities.claims.imports import Import
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.services import accounts, audit, changes, imports, operators, users
from tests import make
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _whole_chain() -> Iterator[None]:
    make.installation()
    yield
    assert audit.first_broken() is None


def words(raised: list[Exception]) -> str:
    assert all(isinstance(error, IdentityError) for error in raised), raised
    return " ".join(str(error) for error in raised)


def test_two_operators_of_one_name() -> None:
    raised = at_once(
        *[lambda: operators.create(principal=make.COMMAND, draft=OperatorDraft(name="Acme"))] * 2
    )
    assert len(raised) == 1
    assert "name" in words(raised)
    assert Operator.objects.count() == 1
    assert Account.objects.count() == 1


def test_two_accounts_of_one_name() -> None:
    operator = make.operator()
    raised = at_once(
        *[lambda: accounts.create(principal=make.COMMAND, operator=operator, draft=AccountDraft(name="A"))]
        * 2
    )
    assert len(raised) == 1
    assert "name" in words(raised)


def test_two_accounts_renamed_to_one_name() -> None:
    operator = make.operator()

    def rename(account: Account) -> Account:
        return accounts.update(
            principal=make.COMMAND, account=account, edit=AccountEdit(name="Same"), version=account.version
        )

    one, other = make.account(operator, "One"), make.account(operator, "Other")
    raised = at_once(lambda: rename(one), lambda: rename(other))
    assert len(raised) == 1
    assert "name" in words(raised)
    assert (
        sorted(Account.objects.filter(name__in=["One", "Other", "Same"]).values_list("name", flat=True))[1]
        == "Same"
    )


def test_two_users_of_one_name_or_one_key() -> None:
    account = make.account()
    other = make.account(account.operator)
    raised = at_once(
        *[lambda: users.create(principal=make.COMMAND, account=account, draft=UserDraft(name="U"))] * 2
    )
    assert len(raised) == 1
    assert "U" in words(raised)
    key = KeyPair.create(KeyKind.USER).public.text
    raised = at_once(
        *[
            lambda here=here: users.create(
                principal=make.COMMAND, account=here, draft=UserDraft(name="V", public_key=key)
            )
            for here in (account, other)
        ]
    )
    assert len(raised) == 1
    assert "key" in words(raised)
    assert User.objects.filter(public_key=key).count() == 1


def test_an_operator_deleted_while_users_are_made_and_deleted() -> None:
    operator = make.operator()
    account = make.account(operator)
    doomed = make.user(account)
    raised = at_once(
        lambda: operators.delete(principal=make.COMMAND, operator=operator, version=operator.version),
        lambda: make.many_users(account, [f"u{number}" for number in range(20)]),
        lambda: users.delete(principal=make.COMMAND, user=doomed, version=doomed.version),
    )
    assert all(isinstance(error, changes.StaleWrite) for error in raised), raised
    assert not User.objects.live().filter(operator=operator).exists()


def test_many_events_at_once_make_one_chain() -> None:
    operator = make.operator()
    many = [make.account(operator) for _ in range(6)]

    def edit(account: Account) -> None:
        for number in range(4):
            account = accounts.update(
                principal=make.COMMAND,
                account=account,
                edit=AccountEdit(name=account.name, description=f"{number}"),
                version=account.version,
            )

    assert at_once(*[lambda account=account: edit(account) for account in many]) == []
    assert AuditEvent.objects.filter(action=Action.ACCOUNT_EDIT).count() == 24


def test_of_two_edits_of_one_version_one_is_stale() -> None:
    account = make.account()
    limits = changes.claims_of(account).nats.limits

    def edit(conn: int) -> None:
        accounts.update_limits(
            principal=make.COMMAND,
            account=account,
            limits=replace(limits, conn=conn),
            version=account.version,
        )

    raised = at_once(lambda: edit(1), lambda: edit(2))
    assert [type(error) for error in raised] == [changes.StaleWrite]
    account.refresh_from_db()
    assert account.version == 2


def test_two_accounts_that_import_from_each_other_with_tokens_do_not_wait_in_a_ring() -> None:
    operator = make.operator()
    one, other = make.account(operator, "One"), make.account(operator, "Other")
    make.export(one, "of.one", token_req=True)
    make.export(other, "of.other", token_req=True)

    def take(into: Account, of: Account, subject: str) -> Account:
        imported = Import(subject=subject, account=of.public_key, type="stream")
        draft = ImportDraft(imported=imported, minting=Minting.IF_ASKED)
        return imports.add(principal=make.COMMAND, account=into, draft=draft, version=into.version)

    raised = at_once(lambda: take(one, other, "of.other"), lambda: take(other, one, "of.one"))
    assert raised == []
    for account in (one, other):
        account.refresh_from_db()
        assert changes.claims_of(account).nats.imports[0].token
