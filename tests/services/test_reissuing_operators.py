"""An operator under another key, what follows it, and the configuration that trusts both."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from identities import lookup
from identities.claims import trust
from identities.claims.drafts import AccountEdit
from identities.errors import IdentityError
from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Account, AuditEvent, AuditTarget, IssuedToken, Job, Key, Operator, Purpose
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.queries import account_server
from identities.services import (
    accounts,
    audit,
    changes,
    configs,
    keys,
    operators,
    reissue_plans,
    reissuing_operators,
    resigning_accounts,
    signing_over,
)
from tests import make

pytestmark = pytest.mark.django_db
BY: dict[str, Any] = {"principal": make.COMMAND}
MEMORY = ServerConfig(resolver=Resolver.MEMORY, operator_name="", operator_jwt="")


@pytest.fixture
def bare(db: None) -> Operator:
    """An operator without a signing key, whose own key signs its accounts."""
    return make.operator("Bare", generate_signing_key=False)


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


def reissue(operator: Operator, **options: Any) -> Operator:
    row = Operator.objects.get(pk=operator.pk)
    return reissuing_operators.reissue(**BY, operator=row, version=row.version, **options).operator


def test_it_signs_itself_by_its_new_key_and_keeps_the_rest(operator: Operator) -> None:
    before = changes.claims_of(operator)
    after = reissue(operator)
    held = changes.claims_of(after)
    assert (held.sub, held.iss) == (after.public_key, after.public_key)
    assert after.public_key != operator.public_key
    assert (held.nats, held.name) == (before.nats, before.name)
    old = Key.objects.get(public_key=operator.public_key)
    assert old.deleted_at is not None
    assert old.sealed is not None


def test_accounts_by_a_signing_key_stay_as_they_are(operator: Operator) -> None:
    account = make.account(operator)
    after = reissue(operator)
    assert Account.objects.get(pk=account.pk).token_id == account.token_id
    assert trust.did_sign(changes.claims_of(after), changes.claims_of(account))


def test_accounts_by_its_own_key_are_signed_anew(bare: Operator) -> None:
    account, user = make.account(bare), make.user(make.account(bare))
    assert account.issuer == bare.public_key
    after = reissue(bare)
    for row in Account.objects.live().filter(operator=bare):
        assert row.issuer == after.public_key
        assert trust.did_sign(changes.claims_of(after), changes.claims_of(row))
    token = user.token_id
    user.refresh_from_db()
    assert user.token_id == token
    named = AuditTarget.objects.filter(event=AuditEvent.objects.latest("seq")).values_list("key", flat=True)
    assert {bare.public_key, after.public_key, account.public_key} <= set(named)
    assert audit.first_broken() is None


def test_converted_the_old_key_is_a_signing_key_and_nothing_else_changes(bare: Operator) -> None:
    account = make.account(bare)
    after = reissue(bare, convert=True)
    assert changes.claims_of(after).nats.signing_keys == (bare.public_key,)
    assert Account.objects.get(pk=account.pk).token_id == account.token_id
    assert trust.did_sign(changes.claims_of(after), changes.claims_of(account))
    old = Key.objects.get(public_key=bare.public_key)
    assert (old.purpose, old.deleted_at) == (Purpose.SIGNING, None)
    saved = accounts.update(**BY, account=account, edit=AccountEdit(name="New"), version=account.version)
    assert saved.issuer == bare.public_key


def test_under_a_strict_operator_a_signing_key_is_needed(db: None) -> None:
    strict = make.operator("Strict", require_signing_keys=True)
    make.account(strict)
    after = reissue(strict)
    assert trust.did_sign(
        changes.claims_of(after), changes.claims_of(Account.objects.filter(operator=strict)[0])
    )


def test_a_spare_key_can_be_the_next(operator: Operator) -> None:
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.OPERATOR)
    assert reissuing_operators.spare_keys(operator) == [spare]
    assert reissue(operator, public_key=spare.public_key).public_key == spare.public_key
    assert reissuing_operators.spare_keys(operator) == []


def test_a_public_key_alone_is_refused_with_the_remedy(operator: Operator) -> None:
    with pytest.raises(IdentityError, match="page “Keys”") as refused:
        reissue(operator, public_key=KeyPair.create(KeyKind.OPERATOR).public.text)
    assert refused.value.field == "public_key"


def test_an_operator_whose_seed_is_lost_gets_a_key_that_signs(operator: Operator) -> None:
    Key.objects.filter(public_key=operator.public_key).update(sealed=None)
    after = reissue(operator)
    edit = operators.OperatorEdit(name="Mended")
    assert operators.update(**BY, operator=after, edit=edit, version=after.version).name == "Mended"


def test_the_plan_counts_and_tells_of_the_way_over(bare: Operator) -> None:
    make.account(bare)
    foreseen = reissue_plans.of_operator(operator=bare, convert=False)
    assert foreseen.followers == 2
    assert "by the new key: 2 accounts" in " ".join(foreseen.moves)
    assert "trusts both" in " ".join(foreseen.stays)
    converted = reissue_plans.of_operator(operator=bare, convert=True)
    assert converted.followers == 0
    assert "stays, as a signing key" in " ".join(converted.moves)
    assert "Left as they are: 2 accounts" in " ".join(converted.stays)


def test_a_strict_operator_without_a_signing_seed_is_refused(db: None) -> None:
    strict = make.operator("Strict", require_signing_keys=True)
    account = make.account(strict)
    Account.objects.filter(pk=account.pk).update(issuer=strict.public_key)  # imported so
    Key.objects.filter(operator=strict, account=None, purpose=Purpose.SIGNING).update(sealed=None)
    with pytest.raises(IdentityError, match="page “Keys”"):
        reissue(strict)


def test_a_stale_page_and_a_viewer_change_nothing(operator: Operator) -> None:
    with pytest.raises(changes.StaleWrite):
        reissuing_operators.reissue(**BY, operator=operator, version=operator.version + 1)
    with pytest.raises(Forbidden):
        reissuing_operators.reissue(
            principal=make.principal(Role.VIEWER), operator=operator, version=operator.version
        )


def test_many_accounts_follow_by_the_worker(bare: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resigning_accounts, "CHUNK", 2)
    for number in range(4):
        make.account(bare, f"A{number}")
    row = Operator.objects.get(pk=bare.pk)
    done = reissuing_operators.reissue(**BY, operator=row, version=row.version)
    assert done.job is not None
    with pytest.raises(IdentityError, match="still being signed anew"):
        reissue(bare)
    call_command("worker", "--once")
    job = Job.objects.get(pk=done.job.pk)
    assert (job.state, job.done, job.total, job.error) == ("done", 5, 5, "")
    assert set(Account.objects.filter(operator=bare).values_list("issuer", flat=True)) == {
        done.operator.public_key
    }


def test_servers_get_a_configuration_that_trusts_both(bare: Operator) -> None:
    old_jwt = bare.token.text  # type: ignore[union-attr]
    after = reissue(bare)
    assert [token.text for token in reissuing_operators.earlier(after)] == [old_jwt]
    text = configs.write(
        **BY, operator=after, wanted=MEMORY, preload_all=True, earlier_key=bare.public_key
    ).text
    assert f"operator: [\n  {old_jwt},\n  {after.token.text}\n]\n" in text  # type: ignore[union-attr]
    alone = configs.write(**BY, operator=after, wanted=MEMORY, preload_all=True).text
    assert old_jwt not in alone
    with pytest.raises(IdentityError, match="never had the key"):
        configs.write(
            **BY, operator=after, wanted=MEMORY, preload_all=True, earlier_key=make.operator().public_key
        )


def test_the_account_server_answers_under_the_old_key(operator: Operator) -> None:
    after = reissue(operator)
    for key in (operator.public_key, after.public_key):
        served = account_server.served_operator(key)
        assert served is not None
        assert served.jwt == after.token.text  # type: ignore[union-attr]
    operators.delete(**BY, operator=after, version=after.version)
    assert account_server.served_operator(operator.public_key) is None


def test_the_old_key_leads_to_the_new_page_of_all_below(operator: Operator) -> None:
    user = make.user(make.account(operator))
    after = reissue(operator)
    asked = {
        "operator_key": operator.public_key,
        "account_key": user.account.public_key,
        "user_key": user.public_key,
    }
    assert lookup.moved(make.COMMAND, asked) == {**asked, "operator_key": after.public_key}


def test_accounts_are_signed_over_to_another_key(bare: Operator) -> None:
    account = make.account(bare)
    signing_key = keys.generate(**BY, operator=bare, kind=KeyKind.OPERATOR)
    row = Operator.objects.get(pk=bare.pk)
    with pytest.raises(IdentityError, match="may sign accounts"):
        signing_over.accounts_of(**BY, operator=row, source=bare.public_key, target=signing_key.public_key)
    operators.rewrite(
        **BY,
        operator=row,
        plan=lambda held: changes.plan(
            held, changes.edit_body(signing_keys=(signing_key.public_key,)), now=1
        ),
        version=row.version,
        done="Added a signing key to operator",
    )
    row.refresh_from_db()
    assert {one.key: one.number for one in signing_over.issuers_of_accounts(row)} == {bare.public_key: 2}
    done = signing_over.accounts_of(**BY, operator=row, source=bare.public_key, target=signing_key.public_key)
    assert (done.job, done.left, len(done.signed)) == (None, (), 2)
    account.refresh_from_db()
    assert account.issuer == signing_key.public_key
    assert IssuedToken.objects.filter(subject=account.public_key).count() == 2
