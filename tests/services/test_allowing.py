"""Letting a user do one task more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import explain, recipes
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.explain_types import Question, Verb, Verdict
from identities.claims.permissions import Permission, Permissions, ResponsePermission, UserPermissionLimits
from identities.claims.recipes import Side, Task, Wish
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, User
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.queries import situations
from identities.services import accounts, allowing, changes, clock, signing_keys
from tests import make

pytestmark = pytest.mark.django_db

UNLIMITED = UserPermissionLimits.unlimited()
ANSWER = Wish(task=Task.ANSWER, subject="req.a", queue="workers")


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Op"), "Shop")


def user(account: Account, **limits: object) -> User:
    made = make.user(account, "ann", limits=replace(UNLIMITED, **limits))  # type: ignore[arg-type]
    return User.objects.select_related("account__operator").get(pk=made.pk)


def limits_of(row: User) -> UserPermissionLimits:
    limits: UserPermissionLimits = changes.claims_of(User.objects.get(pk=row.pk)).nats.limits
    return limits


def test_the_subjects_are_added_and_the_tester_agrees(account: Account) -> None:
    ann = user(account, pub=Permission(allow=("x",)), sub=Permission(allow=("y",)))
    wish = Wish(task=Task.STREAM_CONSUME, name="ORDERS", consumer="C")
    saved = allowing.allow(principal=make.COMMAND, user=ann, wish=wish, version=ann.version)
    assert limits_of(saved).pub.allow[0] == "x"
    assert limits_of(saved).sub.allow == ("y", "_INBOX.>")
    fresh = User.objects.select_related("account__operator").get(pk=saved.pk)
    situation = situations.of(make.COMMAND, fresh, now=clock.unix())
    for line in recipes.lines(wish):
        if line.side is Side.PUBLISH:
            subject = line.subject.replace(">", "1")
            assert explain.ask(situation, Question(verb=Verb.REQUEST, subject=subject)).verdict is Verdict.YES
    event = AuditEvent.objects.latest("seq")
    assert event.summary.startswith("Allowed stream-consume")


def test_what_is_there_already_is_not_added_and_nothing_is_signed(account: Account) -> None:
    ann = user(account, pub=Permission(allow=("req.>",)), sub=Permission(allow=("_INBOX.>",)))
    wish = Wish(task=Task.REQUEST, subject="req.a")
    assert allowing.plan_allow(ann, wish).is_empty
    assert (
        allowing.allow(principal=make.COMMAND, user=ann, wish=wish, version=ann.version).version
        == ann.version
    )


def test_an_answer_keeps_the_response_permission_that_is_there(account: Account) -> None:
    ann = user(account, resp=ResponsePermission(max=5, ttl=1), sub=Permission(allow=("z",)))
    saved = allowing.allow(principal=make.COMMAND, user=ann, wish=ANSWER, version=ann.version)
    assert limits_of(saved).resp == ResponsePermission(max=5, ttl=1)
    assert limits_of(saved).sub.allow == ("z", "req.a workers")


@pytest.mark.parametrize(
    ("limits", "wish", "said"),
    [
        (
            {},
            Wish(task=Task.REQUEST, subject="a"),
            ["publish everywhere; then only to", "subscribe everywhere"],
        ),
        ({}, ANSWER, ["it may publish answers only", "subscribe everywhere"]),
        ({"pub": Permission(allow=("x",)), "sub": Permission(allow=("y",))}, ANSWER, []),
        (
            {"pub": Permission(allow=("x",), deny=("a",)), "sub": Permission(allow=("y",))},
            Wish(task=Task.REQUEST, subject="a"),
            ["`a` is denied"],
        ),
    ],
)
def test_what_is_taken_away_is_said_before(
    account: Account, limits: dict[str, object], wish: Wish, said: list[str]
) -> None:
    told = allowing.plan_allow(user(account, **limits), wish).consequences
    assert len(told) == len(said)
    assert all(part in line for part, line in zip(said, told, strict=True))


def test_default_permissions_end_where_rules_of_ones_own_begin(account: Account) -> None:
    defaults = changes.edit_body(default_permissions=Permissions(pub=Permission(allow=("d",))))
    accounts.rewrite(
        principal=make.COMMAND,
        account=account,
        plan=lambda row: changes.plan(row, defaults, now=clock.unix()),
        version=account.version,
        done="Set defaults",
    )
    account.refresh_from_db()
    (told,) = allowing.plan_allow(user(account), Wish(task=Task.REQUEST, subject="a")).consequences
    assert "default permissions said what “ann” may do" in told


def test_a_user_of_a_role_is_left_to_its_role(account: Account) -> None:
    draft = SigningKeyDraft(role=RoleDraft(role="service"))
    role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    bob = make.user(account, "bob", signer=role.public_key, limits=None)
    with pytest.raises(IdentityError, match="A role issued “bob”"):
        allowing.plan_allow(User.objects.select_related("account__operator").get(pk=bob.pk), ANSWER)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish(task=Task.REQUEST), "subject"),
        (Wish(task=Task.STREAM_PUBLISH, subject="a b"), "subject"),
        (Wish(task=Task.STREAM_CONSUME, name="a.b", consumer="C"), "name"),
        (Wish(task=Task.STREAM_CONSUME, name="A"), "consumer"),
        (Wish(task=Task.KV_READ, name="*"), "name"),
        (Wish(task=Task.ANSWER, subject="a", queue="q q"), "queue"),
        (Wish(task=Task.REQUEST, subject="a", inbox="x.>"), "inbox"),
    ],
)
def test_a_wish_that_names_nothing_is_refused(account: Account, wish: Wish, field: str) -> None:
    with pytest.raises(recipes.BadWish) as refused:
        allowing.plan_allow(user(account), wish)
    assert refused.value.field == field


def test_a_viewer_may_not(account: Account) -> None:
    ann = user(account)
    with pytest.raises(Forbidden):
        allowing.allow(principal=make.principal(Role.VIEWER), user=ann, wish=ANSWER, version=ann.version)
    with pytest.raises(changes.StaleWrite):
        allowing.allow(principal=make.COMMAND, user=ann, wish=ANSWER, version=ann.version + 1)
