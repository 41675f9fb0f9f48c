"""Four eyes: an edit becomes a proposal, which a second person approves, and nothing is signed before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from identities import lookup
from identities.claims.drafts import AccountEdit, SigningKeyDraft, UserDraft
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, Key, Operator, Person, Proposal, User
from identities.nkeys import SecretBytes
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import (
    accounts,
    api_tokens,
    audit,
    changes,
    creds,
    four_eyes,
    keys,
    manifests,
    parameters,
    proposals,
    proposing,
    signing_keys,
    users,
)
from tests import make

pytestmark = pytest.mark.django_db
COMMAND: dict[str, Any] = {"principal": make.COMMAND}


@pytest.fixture
def account(db: None) -> Account:
    """An account of an operator that asks for four eyes of everybody."""
    account = make.account(make.operator("Main"), "Orders")
    make.four_eyes(account.operator)
    return account


def limited(account: Account, who: Principal, conn: int = 7) -> Proposal:
    """Somebody wants to change the account's limits."""
    limits = replace(changes.claims_of(account).nats.limits, conn=conn)
    with pytest.raises(proposing.Proposed) as made:
        accounts.update_limits(principal=who, account=account, limits=limits, version=account.version)
    return made.value.proposal


def fresh(account: Account) -> Account:
    row: Account = Account.objects.select_related("operator").get(pk=account.pk)
    return row


def test_an_edit_signs_nothing_and_waits_with_what_it_changes(account: Account) -> None:
    author = make.principal()
    tokens = IssuedToken.objects.count()
    made = limited(account, author)
    assert IssuedToken.objects.count() == tokens
    assert fresh(account).version == account.version
    shown = json.loads(made.shown)
    assert [change["name"] for change in shown["changes"]] == ["Orders"]
    assert shown["changes"][0]["fields"] == [["nats.limits.conn", "unlimited", "7"]]
    assert made.summary == "Edited limits of account “Orders”: nats.limits.conn"
    assert (made.by, made.state, made.subject, made.base_version) == (
        author.key,
        "open",
        account.public_key,
        1,
    )
    event = AuditEvent.objects.latest("seq")
    assert event.summary.startswith(f"Proposed number {made.pk}: Edited limits")
    assert audit.first_broken() is None


def test_a_second_person_approves_which_signs_and_the_audit_names_both(account: Account) -> None:
    author, second = make.principal(), make.principal()
    made = limited(account, author)
    decided = proposals.approve(principal=second, proposal=made)
    assert (decided.state, decided.decided_by) == ("approved", second.name)
    row = fresh(account)
    assert changes.claims_of(row).nats.limits.conn == 7
    assert (row.version, row.updated_by) == (2, second.name)
    said, edited = AuditEvent.objects.order_by("-seq")[:2]
    assert said.summary.startswith(
        f"Approved what “{author.name}” proposed as number {made.pk}: Edited limits"
    )
    assert (said.actor, edited.actor) == (second.key, second.key)
    with pytest.raises(proposals.Decided):
        proposals.approve(principal=make.principal(), proposal=made)


def test_nobody_approves_their_own_not_even_with_a_token_or_by_a_command(account: Account) -> None:
    author = make.principal()
    made = limited(account, author)
    for who in (author, replace(author, token_id=5), replace(make.principal(), token_id=5), make.COMMAND):
        with pytest.raises(IdentityError, match=r"second person|A person has to approve"):
            proposals.approve(principal=who, proposal=made)
    made.refresh_from_db()
    assert made.state == "open"


def test_the_second_person_needs_the_right_to_do_it_alone(account: Account) -> None:
    made = limited(account, make.principal())
    for who in (
        make.principal(Role.VIEWER),
        make.principal(Role.ADMINISTRATOR, account=account),  # limits are the operator's
        make.principal(Role.ADMINISTRATOR, operator=make.operator()),
    ):
        with pytest.raises(Forbidden):
            proposals.approve(principal=who, proposal=made)
    assert fresh(account).version == 1
    with pytest.raises(Forbidden):  # nor does a proposal need less
        limited(account, make.principal(Role.ADMINISTRATOR, account=account))


@pytest.mark.parametrize("lost", ["switched off", "grant taken", "machine switched off"])
def test_what_somebody_proposed_who_may_not_do_it_any_more_is_not_approved(
    account: Account, lost: str
) -> None:
    token = make.api_token(by=make.principal())
    holder = token.service_account if lost.startswith("machine") else make.person(None)
    assert holder is not None
    grant = make.grant(holder, Role.ADMINISTRATOR, operator=account.operator)
    author = (
        lookup.person_principal(holder)
        if isinstance(holder, Person)
        else api_tokens.narrowed(lookup.service_account_principal(holder), token)
    )
    made = limited(account, author)
    if lost == "grant taken":
        grant.delete()
    else:
        holder.is_active = False
        holder.save()
    second = make.principal()
    with pytest.raises(IdentityError, match="may not do this any more"):
        proposals.approve(principal=second, proposal=made)
    assert fresh(account).version == 1
    if lost == "grant taken":
        make.grant(holder, Role.ADMINISTRATOR, operator=account.operator)
    else:
        holder.is_active = True
        holder.save()
    assert proposals.approve(principal=second, proposal=made).state == "approved"


def test_what_an_account_s_admin_proposed_by_a_manifest_is_approved(account: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, account=account)
    text = manifests.text(admin, account.operator).replace("name: Orders", "name: Orders\n    description: x")
    with pytest.raises(proposing.Proposed) as made:
        manifests.apply(principal=admin, operator=account.operator, data=text)
    decided = proposals.approve(principal=make.principal(), proposal=made.value.proposal)
    assert decided.state == "approved"


def test_a_proposal_of_what_changed_meanwhile_is_stale_and_says_what_changed(account: Account) -> None:
    author = make.principal()
    made = limited(account, author)
    edit = AccountEdit(name="Orders", description="new")
    accounts.update(**COMMAND, account=account, edit=edit, version=1)
    assert proposals.is_stale(made)
    assert [field.path for field in proposals.changed_since(made)] == ["nats.description"]
    decided = proposals.approve(principal=make.principal(), proposal=made)
    assert decided.state == "stale"
    assert "was changed by" in decided.note
    assert changes.claims_of(fresh(account)).nats.limits.conn == -1
    again = proposals.again(principal=author, proposal=decided)
    assert (again.state, again.base_version) == ("open", 2)
    assert proposals.approve(principal=make.principal(), proposal=again).state == "approved"
    claims = changes.claims_of(fresh(account))
    assert (claims.nats.limits.conn, claims.nats.description) == (7, "new")


def test_what_would_do_something_else_than_is_shown_is_not_done(account: Account) -> None:
    made = limited(account, make.principal())
    forged = json.loads(made.parameters)
    forged["limits"]["fields"]["conn"] = 1000
    Proposal.objects.filter(pk=made.pk).update(parameters=json.dumps(forged))
    made.refresh_from_db()
    decided = proposals.approve(principal=make.principal(), proposal=made)
    assert decided.state == "stale"
    assert "something else than what is shown" in decided.note
    assert fresh(account).version == 1


def test_what_is_gone_can_not_be_approved(account: Account) -> None:
    user = make.user(account)
    with pytest.raises(proposing.Proposed) as made:
        users.delete(principal=make.principal(), user=user, version=user.version)
    assert User.objects.live().filter(pk=user.pk).exists()
    users.delete(**COMMAND, user=user, version=user.version)
    decided = proposals.approve(principal=make.principal(), proposal=made.value.proposal)
    assert (decided.state, decided.note) == ("stale", "What it is about is not there any more.")
    with pytest.raises(IdentityError, match="only they"):
        proposals.again(principal=make.principal(), proposal=decided)


def test_keys_are_made_at_approval_and_none_is_kept_before(account: Account) -> None:
    held = Key.objects.count()
    author = make.principal()
    with pytest.raises(proposing.Proposed) as made:
        signing_keys.add(principal=author, account=account, draft=SigningKeyDraft(), version=1)
    with pytest.raises(proposing.Proposed) as another:
        users.create(principal=author, account=account, draft=UserDraft(name="new"))
    assert Key.objects.count() == held
    for proposal in (made.value.proposal, another.value.proposal):
        assert four_eyes.NEW_KEY in proposal.shown
    proposals.approve(principal=make.principal(), proposal=another.value.proposal)
    proposals.approve(principal=make.principal(), proposal=made.value.proposal)
    assert User.objects.get(name="new").has_seed
    (entry,) = changes.claims_of(fresh(account)).nats.signing_keys
    assert Key.objects.get(public_key=entry.key).sealed is not None


def test_declined_and_withdrawn_stay_undone(account: Account) -> None:
    author, second = make.principal(), make.principal()
    one, other = limited(account, author, 1), limited(account, author, 2)
    proposals.comment(principal=second, proposal=one, text="Why so few?")
    assert proposals.decline(principal=second, proposal=one, note="Too few").note == "Too few"
    with pytest.raises(IdentityError, match="only they"):
        proposals.withdraw(principal=second, proposal=other)
    assert proposals.withdraw(principal=author, proposal=other).state == "withdrawn"
    for proposal in (one, other):
        with pytest.raises(proposals.Decided):
            proposals.approve(principal=make.principal(), proposal=proposal)
    assert fresh(account).version == 1
    assert one.comments.get().text == "Why so few?"
    with pytest.raises(Forbidden):
        proposals.comment(principal=make.principal(Role.VIEWER), proposal=one, text="x")


def test_lockouts_do_not_wait(account: Account) -> None:
    user = make.user(account)
    accounts.revoke(principal=make.principal(), account=account, entries={user.public_key: 50})
    assert changes.claims_of(fresh(account)).nats.revocations == {user.public_key: 50}


def test_what_can_not_be_proposed_is_refused(account: Account) -> None:
    alone = make.principal()
    key = Key.objects.get(public_key=account.public_key)
    with pytest.raises(four_eyes.SecondPersonNeeded, match="asks for four eyes"):
        keys.export_seed(principal=alone, key=key)
    with pytest.raises(four_eyes.SecondPersonNeeded):
        creds.issue(principal=alone, account=account, drafts=[UserDraft(name="x")])
    with pytest.raises(four_eyes.SecondPersonNeeded):  # an edit that nobody thought of
        accounts.rewrite(
            principal=alone,
            account=account,
            plan=lambda row: changes.plan(row, changes.edit_body(description="x"), now=0),
            version=1,
            done="Edited",
        )
    assert not Proposal.objects.exists()


def test_a_manifest_is_one_proposal_whose_plan_is_shown_to_whoever_asks(account: Account) -> None:
    author = make.principal()
    text = "operator: {name: Main}\naccounts: [{name: Orders, description: new}, {name: Bills}]"
    plan = manifests.plan(principal=author, operator=account.operator, data=text)
    assert not Proposal.objects.exists()
    with pytest.raises(proposing.Proposed) as made:
        manifests.apply(principal=author, operator=account.operator, data=text, token=plan.token)
    assert not Account.objects.filter(name="Bills").exists()
    names = {change["name"] for change in json.loads(made.value.proposal.shown)["changes"]}
    assert names == {"Orders", "Bills"}
    decided = proposals.approve(principal=make.principal(), proposal=made.value.proposal)
    assert decided.state == "approved", decided.note
    assert changes.claims_of(fresh(account)).nats.description == "new"
    assert Account.objects.filter(name="Bills").exists()


def test_an_edit_that_changes_nothing_is_none(account: Account) -> None:
    limits = changes.claims_of(account).nats.limits
    row = accounts.update_limits(principal=make.principal(), account=account, limits=limits, version=1)
    assert row.version == 1
    assert not Proposal.objects.exists()


def test_admins_are_left_out_where_only_members_are_asked(account: Account) -> None:
    make.four_eyes(account.operator, "members")
    for who in (make.principal(), make.principal(Role.ADMINISTRATOR, operator=account.operator)):
        row = fresh(account)
        edit = AccountEdit(name="Orders", description=who.key)
        assert (
            accounts.update(principal=who, account=row, edit=edit, version=row.version).version > row.version
        )
    member = make.principal(Role.ADMINISTRATOR, account=account)
    row = fresh(account)
    with pytest.raises(proposing.Proposed):
        accounts.update(principal=member, account=row, edit=AccountEdit(name="Orders"), version=row.version)


class TestSwitch:
    def test_it_goes_on_at_once_and_off_by_two(self) -> None:
        operator = make.operator()
        alone, second = make.principal(), make.principal()
        row = proposals.choose_mode(principal=alone, operator=operator, mode="everybody")
        assert row.four_eyes == "everybody"
        with pytest.raises(proposing.Proposed) as made:
            proposals.choose_mode(principal=alone, operator=row, mode="")
        assert Operator.objects.get(pk=row.pk).four_eyes == "everybody"
        proposals.approve(principal=second, proposal=made.value.proposal)
        assert Operator.objects.get(pk=row.pk).four_eyes == ""

    def test_it_takes_the_right_to_edit_the_operator(self) -> None:
        account = make.account()
        with pytest.raises(Forbidden):
            proposals.choose_mode(
                principal=make.principal(Role.ADMINISTRATOR, account=account),
                operator=account.operator,
                mode="members",
            )
        with pytest.raises(IdentityError):
            proposals.choose_mode(**COMMAND, operator=account.operator, mode="some")


def test_of_what_one_may_not_see_there_is_no_proposal(account: Account) -> None:
    made = limited(account, make.principal())
    other = make.account(account.operator)
    for who in (make.principal(Role.VIEWER), make.principal(Role.VIEWER, account=account)):
        assert proposals.find(who, account.operator, made.pk).pk == made.pk
    for who in (
        make.principal(Role.ADMINISTRATOR, account=other),
        make.principal(Role.ADMINISTRATOR, operator=make.operator()),
        make.principal(None),
    ):
        with pytest.raises(lookup.NotFound):
            proposals.find(who, account.operator, made.pk)


def test_a_seed_can_not_be_written_into_a_proposal_nor_a_class_of_others_read() -> None:
    with pytest.raises(parameters.Unwritable):
        parameters.dumps({"seed": SecretBytes(b"SU")})
    for text in (
        '{"a":{"of":"os:environ","fields":{}}}',
        '{"a":{"of":"identities.services.clock:now","fields":{}}}',
        '{"a":{"enum":"identities.claims.drafts:UserDraft","value":1}}',
        '{"a":{"strange":1}}',
    ):
        with pytest.raises(parameters.Unwritable):
            parameters.loads(text)
