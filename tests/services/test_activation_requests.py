"""Requests for activations: asked without a right on the exporter, answered by who has one, granted as both may."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities import lookup
from identities.claims import codec
from identities.claims.imports import Import
from identities.claims.sharing import export_handles
from identities.errors import IdentityError
from identities.models import Account, ActivationRequest, AuditEvent, Grant, IssuedToken, Person
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.queries import reach
from identities.services import (
    accounts,
    activation_requests,
    audit,
    changes,
    clock,
    exports,
    proposals,
    proposing,
    reissuing_accounts,
    secrets,
)
from tests import make

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


@pytest.fixture
def orders(db: None) -> Account:
    """Exports `orders.>` privately."""
    account = make.account(make.operator("Test"), "Orders")
    make.export(account, "orders.>", token_req=True)
    return account


@pytest.fixture
def billing(orders: Account) -> Account:
    return make.account(orders.operator, "Billing")


def held(account: Account) -> tuple[Import, ...]:
    row = Account.objects.get(pk=account.pk)
    found: tuple[Import, ...] = changes.claims_of(row).nats.imports
    return found


def asked(billing: Account, of: Account | str, subject: str = "orders.new", **more: Any) -> ActivationRequest:
    return make.activation_request(billing, of, subject, **more)


def granted(orders: Account, request: ActivationRequest, **more: Any) -> ActivationRequest:
    who = more.pop("by", None) or make.principal(account=orders)
    return activation_requests.grant(principal=who, account=orders, request=request, **more)


def tokens() -> int:
    return IssuedToken.objects.count()


def test_a_request_waits_signs_nothing_and_keeps_what_was_asked(orders: Account, billing: Account) -> None:
    before, asker = tokens(), make.principal(account=billing)
    made = asked(billing, orders, by=asker, local_subject="from.orders", reason="Monthly reports")
    assert (made.state, made.kind, made.subject, made.local_subject) == (
        "open",
        "stream",
        "orders.new",
        "from.orders",
    )
    assert (made.by, made.by_name, made.reason) == (asker.key, asker.name, "Monthly reports")
    assert (made.importer, made.importer_name, made.exporter_key) == (billing, "Billing", orders.public_key)
    assert (tokens(), held(billing)) == (before, ())
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor) == ("activation.ask", asker.key)
    assert "Orders" not in event.canonical
    assert list(ActivationRequest.objects.asked_of(orders)) == [made]
    assert list(ActivationRequest.objects.asked_by(billing)) == [made]


def test_a_grant_issues_the_token_and_puts_the_import_there_as_the_askers_edit(
    orders: Account, billing: Account
) -> None:
    asker, granter = make.principal(account=billing), make.principal(account=orders)
    made = asked(billing, orders, by=asker, local_subject="from.orders")
    end = clock.unix() + 3600
    done = granted(orders, made, by=granter, expires=end, note="Until the audit is over")
    (one,) = held(billing)
    assert (one.subject, one.local_subject, one.account) == ("orders.new", "from.orders", orders.public_key)
    claims = codec.decode(one.token).claims
    assert (claims.sub, claims.nats.subject, claims.exp) == (billing.public_key, "orders.new", end)
    assert (done.state, done.placed, done.obstacle, done.decided_by) == ("granted", True, "", granter.name)
    assert (done.note, done.token.text if done.token else "") == ("Until the audit is over", one.token)
    by_action = {event.action: event for event in AuditEvent.objects.order_by("-seq")[:3]}
    assert {action: event.actor for action, event in by_action.items()} == {
        "import.edit": asker.key,
        "activation.issue": granter.key,
        "activation.answer": granter.key,
    }
    assert Account.objects.get(pk=billing.pk).updated_by == asker.name
    assert audit.first_broken() is None
    with pytest.raises(activation_requests.Answered, match="granted by"):
        granted(orders, made)


def test_a_grant_gives_the_import_that_waits_without_a_token_its_token(
    orders: Account, billing: Account
) -> None:
    asker = make.principal(
        account=billing
    )  # who does not see the exporter: the import stands without a token
    make.imported(billing, "orders.new", of=orders, by=asker, local_subject="from.orders", name="kept")
    granted(orders, asked(billing, orders, by=asker, local_subject="from.orders", name="other"))
    (one,) = held(billing)
    assert one.name == "kept"
    assert codec.decode(one.token).claims.sub == billing.public_key


def test_of_a_wildcard_export_only_what_was_asked_for_is_opened(orders: Account, billing: Account) -> None:
    done = granted(orders, asked(billing, orders, "orders.eu.*"))
    assert done.token is not None
    assert codec.decode(done.token.text).claims.nats.subject == "orders.eu.*"
    wide = asked(billing, orders.public_key, "other.>")
    with pytest.raises(IdentityError, match="nothing to open"):
        granted(orders, wide)
    assert ActivationRequest.objects.get(pk=wide.pk).state == "open"


@pytest.mark.parametrize("gone", ["grant", "person"])
def test_without_the_askers_right_the_token_is_only_handed_over(
    orders: Account, billing: Account, gone: str
) -> None:
    asker = make.principal(account=billing)
    made = asked(billing, orders, by=asker)
    if gone == "grant":
        Grant.objects.filter(person=asker.person_id).delete()
    else:
        Person.objects.filter(pk=asker.person_id).update(is_active=False)
    done = granted(orders, made)
    assert (done.state, done.placed, held(billing)) == ("granted", False, ())
    assert "may not edit what this account imports any more" in done.obstacle
    assert done.token is not None
    assert codec.decode(done.token.text).claims.sub == billing.public_key


def test_what_stands_in_the_way_at_the_asker_is_told_there_and_leaves_the_grant(
    orders: Account, billing: Account
) -> None:
    made = asked(billing, orders)
    limits = replace(changes.claims_of(billing).nats.limits, imports=0)
    accounts.update_limits(principal=make.COMMAND, account=billing, limits=limits, version=billing.version)
    before = AuditEvent.objects.count()
    done = granted(orders, made)
    assert (done.state, done.placed, held(billing)) == ("granted", False, ())
    assert "import" in done.obstacle
    assert AuditEvent.objects.count() == before + 2  # issued and answered; no edit that did not happen


def test_a_machine_asks_like_a_person(orders: Account, billing: Account) -> None:
    machine = make.api_token(name="deployer").service_account
    assert machine is not None
    make.grant(machine, Role.ADMINISTRATOR, account=billing)
    made = asked(billing, orders, by=lookup.service_account_principal(machine))
    assert (made.service_account, made.person, made.by_name) == (machine, None, "deployer")
    assert granted(orders, made).placed
    machine.is_active = False
    machine.save()
    assert not granted(
        orders, asked(billing, orders, by=make.COMMAND)
    ).placed  # a command asked: nobody's right
    assert len(held(billing)) == 1


def test_only_who_may_issue_answers_and_only_at_the_account_that_was_asked(
    orders: Account, billing: Account
) -> None:
    made = asked(billing, orders)
    other = make.account(orders.operator, "Other")
    for who in (
        make.principal(account=billing),
        make.principal(Role.VIEWER, account=orders),
        make.principal(Role.USER_MANAGER, account=orders),
        make.principal(Role.AUDITOR, operator=orders.operator),
    ):
        with pytest.raises(Forbidden):
            granted(orders, made, by=who)
        with pytest.raises(Forbidden):
            activation_requests.decline(principal=who, account=orders, request=made)
        assert activation_requests.waiting_for(who, orders) == 0
    with pytest.raises(lookup.NotFound):
        granted(other, made)
    with pytest.raises(lookup.NotFound):
        activation_requests.decline(principal=make.COMMAND, account=other, request=made)
    assert activation_requests.waiting_for(make.principal(account=orders), orders) == 1
    assert activation_requests.waiting_for(make.principal(account=other), other) == 0


def test_asking_needs_the_right_to_edit_the_importer(orders: Account, billing: Account) -> None:
    for role in (Role.VIEWER, Role.USER_MANAGER):
        with pytest.raises(Forbidden):
            asked(billing, orders, by=make.principal(role, account=billing))
    with pytest.raises(Forbidden):
        asked(billing, orders, by=make.principal(account=orders))


def test_it_is_declined_with_words_or_withdrawn_and_then_can_be_asked_again(
    orders: Account, billing: Account
) -> None:
    asker, granter = make.principal(account=billing), make.principal(account=orders)
    first = asked(billing, orders, by=asker)
    with pytest.raises(IdentityError, match=f"request {first.pk} waits"):
        asked(billing, orders)
    asked(billing, orders, "orders.old")  # another subject is another request
    done = activation_requests.decline(
        principal=granter, account=orders, request=first, note="Use the public one"
    )
    assert (done.state, done.note, done.decided_by) == ("declined", "Use the public one", granter.name)
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor) == ("activation.answer", granter.key)
    assert "Billing" not in event.canonical
    second = asked(billing, orders, by=asker)
    for who in (make.principal(Role.VIEWER, account=billing), granter):
        with pytest.raises(Forbidden):
            activation_requests.withdraw(principal=who, request=second)
    assert activation_requests.withdraw(principal=asker, request=second).state == "withdrawn"
    third = asked(billing, orders, by=asker)
    colleague = make.principal(account=billing)
    assert activation_requests.withdraw(principal=colleague, request=third).decided_by == colleague.name
    with pytest.raises(activation_requests.Answered):
        granted(orders, third)
    assert held(billing) == ()


def seen_of(request: ActivationRequest) -> dict[str, Any]:
    """All of a request that its asker's side is told, but what differs from one to the next."""
    own = {"id", "exporter_key", "handle", "created_at"}
    row = ActivationRequest.objects.values().get(pk=request.pk)
    return {name: value for name, value in row.items() if name not in own}


def test_asking_a_key_that_is_not_here_and_one_that_may_not_be_seen_is_the_same(
    orders: Account, billing: Account
) -> None:
    """Nothing tells whether the account stands here, whether it exports that, nor whether it is private."""
    asker = make.principal(account=billing)
    deleted = make.account(orders.operator, "Deleted")
    accounts.delete(principal=make.COMMAND, account=deleted, version=deleted.version)
    foreign = make.account(make.operator(), "Foreign")
    asked(billing, STRANGER, "orders.warm", by=asker)
    seen = []
    for key in (STRANGER, orders.public_key, deleted.public_key, foreign.public_key):
        with CaptureQueriesContext(connection) as caught:
            made = asked(billing, key, "orders.x", by=asker)
        event = AuditEvent.objects.latest("seq")
        told = (
            reach.audit_events(asker).filter(seq=event.seq).exists(),
            reach.partly_hidden(asker, [event.pk]),
        )
        said = event.summary.replace(key, "").replace(str(made.pk), "")
        seen.append((seen_of(made), told, said, len(caught)))
    assert all(one == seen[0] for one in seen)
    assert seen[0][1] == (True, frozenset())


def test_of_an_account_that_one_sees_only_what_a_token_opens_can_be_asked_for(
    orders: Account, billing: Account
) -> None:
    make.export(orders, "public.>")
    both = make.person(account=billing)
    make.grant(both, Role.VIEWER, account=orders)
    asker = lookup.person_principal(both)
    with pytest.raises(IdentityError, match="asks for no token"):
        asked(billing, orders, "public.a", by=asker)
    with pytest.raises(IdentityError, match="no stream that covers"):
        asked(billing, orders, "none.a", by=asker)
    assert asked(billing, orders, by=asker).export_subject == "orders.>"
    blind = asked(billing, orders, "public.a")  # who does not see it is told nothing, and neither is the row
    assert blind.export_subject == ""
    with pytest.raises(IdentityError, match="is public"):
        granted(orders, blind)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"of": "Axyz"}, "account"),
        ({"of": "own"}, "account"),
        ({"subject": "a..b"}, "subject"),
        ({"type": "bucket"}, "type"),
    ],
)
def test_what_can_never_be_granted_is_refused_at_its_field(
    billing: Account, wanted: dict[str, Any], field: str
) -> None:
    values = {"of": STRANGER, "subject": "orders.new", **wanted}
    of = billing.public_key if values["of"] == "own" else values["of"]
    with pytest.raises(IdentityError) as refused:
        asked(billing, of, **{name: value for name, value in values.items() if name != "of"})
    assert refused.value.field == field
    assert not ActivationRequest.objects.exists()


def test_so_many_requests_may_wait_and_no_more(
    orders: Account, billing: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation_requests, "MOST_OPEN", 2)
    person = make.person(account=billing)
    make.grant(person, Role.ADMINISTRATOR, account=(third := make.account(orders.operator, "Third")))
    asker = lookup.person_principal(person)
    first, _ = asked(billing, STRANGER, "a", by=asker), asked(billing, STRANGER, "b", by=asker)
    with pytest.raises(IdentityError, match="2 requests of “Billing” wait already"):
        asked(billing, STRANGER, "c")
    with pytest.raises(IdentityError, match="2 requests of yours wait already"):
        asked(third, STRANGER, "c", by=asker)
    activation_requests.withdraw(principal=asker, request=first)
    asked(third, STRANGER, "c", by=asker)


def test_it_finds_the_account_under_its_later_key_and_the_asker_under_theirs(
    orders: Account, billing: Account
) -> None:
    made = asked(billing, orders)
    for account in (orders, billing):
        row = Account.objects.select_related("operator").get(pk=account.pk)
        reissuing_accounts.reissue(principal=make.COMMAND, account=row, version=row.version)
    now = Account.objects.select_related("operator").get(pk=orders.pk)
    assert now.public_key != made.exporter_key
    done = granted(now, made)
    (one,) = held(billing)
    assert (done.placed, one.account) == (True, now.public_key)
    assert (
        codec.decode(one.token).claims.sub
        == Account.objects.get(pk=billing.pk).public_key
        != billing.public_key
    )


def test_of_two_accounts_with_one_key_the_one_beside_the_asker_is_asked(
    orders: Account, billing: Account
) -> None:
    copy = make.account(make.operator(), "Copy", public_key=orders.public_key)
    beside = asked(billing, orders)
    assert list(ActivationRequest.objects.asked_of(copy)) == []
    away = asked(make.account(copy.operator), orders)
    assert list(ActivationRequest.objects.asked_of(orders)) == [beside]
    assert list(ActivationRequest.objects.asked_of(copy)) == [away]


def test_of_an_account_that_is_gone_nothing_waits(orders: Account, billing: Account) -> None:
    made = asked(billing, orders)
    found = activation_requests.find(orders, made.pk, of_us=True)
    billing.refresh_from_db()
    accounts.delete(principal=make.COMMAND, account=billing, version=billing.version)
    assert not ActivationRequest.objects.asked_of(orders).exists()
    with pytest.raises(lookup.NotFound):
        granted(orders, made)
    with pytest.raises(activation_requests.Answered, match="not there any more") as told:
        activation_requests._locked(orders, found)
    assert "Billing" not in told.value.user_message


def test_under_four_eyes_a_grant_is_proposed_and_the_askers_edit_is_left_to_them(
    orders: Account, billing: Account
) -> None:
    author, second = make.principal(account=orders), make.principal(account=orders)
    made = asked(billing, orders)
    make.four_eyes(orders.operator)
    before = tokens()
    with pytest.raises(proposing.Proposed) as proposed:
        granted(orders, made, by=author)
    assert tokens() == before
    assert ActivationRequest.objects.get(pk=made.pk).state == "open"
    assert proposals.approve(principal=second, proposal=proposed.value.proposal).state == "approved"
    done = ActivationRequest.objects.get(pk=made.pk)
    assert (done.state, done.placed, held(billing)) == ("granted", False, ())
    assert "by a proposal of the exporting account" in done.obstacle


def test_where_the_asker_needs_a_second_person_and_the_granter_none_the_edit_is_left_to_them(
    orders: Account, billing: Account
) -> None:
    make.four_eyes(orders.operator, "members")
    done = granted(orders, asked(billing, orders), by=make.principal(operator=orders.operator))
    assert (done.state, done.placed, held(billing)) == ("granted", False, ())
    assert "need a second person" in done.obstacle


def test_a_proposal_to_grant_tells_nothing_of_the_account_that_asked(orders: Account) -> None:
    elsewhere = make.account(make.operator("Elsewhere"), "Secretive")  # which asks for no four eyes
    made = asked(elsewhere, orders)
    make.four_eyes(orders.operator)
    with pytest.raises(proposing.Proposed) as proposed:
        granted(orders, made)
    proposal = proposed.value.proposal
    assert "Secretive" not in proposal.shown + proposal.summary + proposal.parameters
    assert proposals.approve(principal=make.principal(account=orders), proposal=proposal).state == "approved"
    assert not ActivationRequest.objects.get(pk=made.pk).placed


def test_revoked_in_advance_is_refused_and_the_request_waits_on(orders: Account, billing: Account) -> None:
    made = asked(billing, orders)
    exports.revoke(
        principal=make.COMMAND,
        account=orders,
        handle=export_handles(changes.claims_of(orders).nats.exports)[0],
        target="*",
        at=clock.unix() + 10_000,
        version=orders.version,
    )
    before = tokens()
    with pytest.raises(IdentityError, match="revoked for this account"):
        granted(Account.objects.select_related("operator").get(pk=orders.pk), made)
    assert (tokens(), ActivationRequest.objects.get(pk=made.pk).state) == (before, "open")


def test_sealed_it_neither_asks_nor_answers(
    orders: Account, billing: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = asked(billing, orders)
    monkeypatch.setattr(secrets, "_unseal", lambda: None)
    secrets.forget()
    for work in (
        lambda: asked(billing, STRANGER),
        lambda: granted(orders, made),
        lambda: activation_requests.withdraw(principal=make.COMMAND, request=made),
        lambda: activation_requests.decline(principal=make.COMMAND, account=orders, request=made),
    ):
        with pytest.raises(secrets.SealedInstallation):
            work()
    assert ActivationRequest.objects.get().state == "open"
