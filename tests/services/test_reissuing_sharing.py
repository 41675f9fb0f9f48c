"""Accounts that name an account under another key follow it: imports, activations, auth callout and the operator."""

from __future__ import annotations

import pytest

from identities.claims import codec, trust, validate
from identities.claims.account import ExternalAuthorization
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.models import Account, IssuedToken, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes, clock, reissue_plans, reissuing_accounts
from tests import make
from tests.reissued import claims, edited, plan, reissue, said, token_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def account(operator: Operator) -> Account:
    return make.account(operator, "App")


def activation(imported: Import | None) -> Claims[ActivationBody]:
    assert imported is not None
    return codec.decode(imported.token).claims


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
    assert "not kept here, or that you may not see" in said(foreseen.stays)
    assert "Far" not in said(foreseen.stays)
    done = reissuing_accounts.reissue(principal=narrow, account=account, version=account.version)
    assert claims(elsewhere).nats.imports[0].account == account.public_key != done.account.public_key
