"""Every route × every role × own and others' objects × looking and sending: what the tables of policy say, no more.

What is expected follows from `policy/routes` and `policy/powers` alone; whoever may is answered as the owner is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django.urls import get_resolver, reverse

from identities.models import Account, AuditEvent, Key, Person
from identities.policy import powers
from identities.policy.actions import Action
from identities.policy.principal import Role, Scope, ScopeKind
from identities.policy.routes import ROUTES, Access
from identities.queries import access
from identities.services import grants, teams
from identities.views import proving
from nscweb import errors
from tests import make
from tests.house import realms
from tests.house.realms import Realm

pytestmark = pytest.mark.django_db

METHODS = ("get", "post")
SESSION = sorted(name for name, row in ROUTES.items() if row.access is Access.SESSION)
LEFT_OUT = {"account_logout", "account_change_password", "my-sign-on-link", "confirm-sign-on"}
"""Pages of the sign-in library, and the way to a provider that is not there: they have tests of their own."""
WHOLE = {
    *("people", "person", "teams", "team-detail", "installation", "invitation-create", "grant-new"),
    *("service-accounts", "service-account"),
}
"""Routes without an object whose action has to be held on the whole installation, though narrower roles hold it too."""
ANSWERING = ("activation-request-grant", "activation-request-decline")
"""Routes of requests that others made; the other routes are tried with a request of the place itself."""
NUMBERS_OF_NOTHING = (
    *(
        "session_id",
        "factor_id",
        "identity_id",
        "link_id",
        "invitation_id",
        "rule_id",
        "webhook_id",
        "message_id",
    ),
)
NOTHING_THERE = {
    *("webhook", "webhook-edit", "webhook-switch", "webhook-test", "webhook-again", "webhook-secret"),
    *("webhook-delete", "workload-rule-edit", "workload-rule-delete"),
    *(
        "account-unsigned",
        "account-unsigned-claims",
        "account-unsigned-discard",
        "account-unsigned-self-signed",
    ),
    *("operator-unsigned", "operator-unsigned-claims", "operator-unsigned-discard"),
    *("account-removal", "account-removal-ask", "account-delivery-choose", "account-reissue-progress"),
    *("operator-offer", "operator-offer-decline", "operator-reissue-progress", "cluster-test-result"),
    *("user-link-revoke", "invitation-revoke", "session-end", "second-factor-remove", "my-sign-on-unlink"),
    *("token-revoke", "handover-mine", "take-back", "second-factor-app-key", "second-factor-app-qr"),
    *("importing-job", "importing-start", "importing-discard", "preset-edit", "preset-delete"),
    "activation-request-jwt",
}
"""Routes of what a realm has none of, so that the owner finds nothing: no edit that waits for a signature, no import,
nothing newer on servers, no preset of its own, no link, no request granted, nobody named whose creds are taken back.
"""
FOREIGN = (
    *("account_key", "user_key", "signing_key", "key_key", "cluster_id", "server_id", "job_id", "token_id"),
    *("export_handle", "import_handle", "proposal_id", "request_id"),
)
"""Arguments whose value belongs to one realm: of another, it leads nowhere."""


@dataclass(frozen=True)
class Who:
    """Somebody with one role, and where they hold it."""

    called: str
    client: Client
    kind: ScopeKind | None = None
    role: Role | None = None
    scope: Scope = Scope()

    @property
    def allowed(self) -> frozenset[Action]:
        """All that their role may."""
        if self.kind is None or self.role is None:
            return frozenset()
        return powers.POWERS[self.kind, self.role]

    def sees(self, place: Realm, name: str, names: tuple[str, ...]) -> bool:
        """Whether an address with these arguments is about something in their sight."""
        if self.kind is ScopeKind.INSTALLATION or "operator_key" not in names:
            return True
        if name == "role-creds" and self.kind is ScopeKind.ROLE:
            return self.scope.account == place.account.pk
        if {"account_key", "key_key", "proposal_id"} & set(names):
            own = self.kind is ScopeKind.ACCOUNT and self.scope.account == place.account.pk
            return own or (self.kind is ScopeKind.OPERATOR and self.scope.operator == place.operator.pk)
        if "cluster_id" in names:
            return self.kind is ScopeKind.OPERATOR and self.scope.operator == place.operator.pk
        return self.scope.operator == place.operator.pk

    def may(self, action: Action, place: Realm, name: str, names: tuple[str, ...]) -> bool:
        """Whether they may take the route's action there."""
        if action not in self.allowed:
            return False
        if name == "proposal-approve":  # it would take the account's expiry away, which its operator grants
            return Action.ACCOUNT_LIMITS_EDIT in self.allowed
        if name == "proposal-decline":  # a say has who may do it themselves
            return Action.ACCOUNT_EDIT in self.allowed
        if {"account_key", "cluster_id", "key_key", "proposal_id"} & set(names):
            return True  # they see it, so their role reaches it
        if name == "operator-validate" and self.kind is ScopeKind.ROLE:
            return False  # it validates accounts, of which an issuer sees none
        if "operator_key" in names:
            return action is Action.VIEW or self.kind in (ScopeKind.INSTALLATION, ScopeKind.OPERATOR)
        return self.kind is ScopeKind.INSTALLATION or name not in WHOLE


@dataclass(frozen=True)
class Stage:
    """My operator with two accounts, another operator, and everybody who asks."""

    places: Mapping[str, Realm]
    owner: Who
    everybody: tuple[Who, ...]
    proposals: Mapping[str, int]
    asked_of: Mapping[str, int]
    """Of each place, a request for what it exports."""
    extra: Mapping[str, Any]

    def url(self, name: str, place: Realm, **other: object) -> str | None:
        held = {**place.arguments(), **self.extra, "proposal_id": self.proposals[place.word], **other}
        if name in ANSWERING and "request_id" not in other:
            held["request_id"] = self.asked_of[place.word]
        if name == "user-test-result" and "job_id" not in other:
            held["job_id"] = place.trial.pk
        needed = arguments(name)
        if not held.keys() >= set(needed):
            return None
        return reverse(name, kwargs={argument: held[argument] for argument in needed})


def arguments(name: str) -> tuple[str, ...]:
    return tuple(next(iter(get_resolver().reverse_dict.getlist(name)))[0][0][1])


def staged() -> Stage:
    make.installation()
    operator = realms.operator("mine")
    other = realms.key()
    mine = realms.reached(realms.realm("mine", operator, other=other, takes="shared.a", offers="shared.b"))
    realms.of_operator(mine)
    beside = realms.realm(
        "beside",
        mine.operator,
        public_key=other,
        other=mine.account.public_key,
        takes="shared.b",
        offers="shared.a",
    )
    theirs = realms.reached(
        realms.realm("theirs", realms.operator("theirs"), takes="shared.c", offers="shared.d")
    )
    realms.of_operator(theirs)
    places: dict[ScopeKind, grants.Place] = {
        ScopeKind.INSTALLATION: None,
        ScopeKind.OPERATOR: mine.operator,
        ScopeKind.ACCOUNT: mine.account,
        ScopeKind.ROLE: Key.objects.select_related("account__operator").get(
            public_key=mine.role, operator=mine.operator
        ),
    }
    team = teams.create(principal=make.COMMAND, name="Plain")
    somebody = make.person(None, username="somebody")
    teams.add_member(principal=make.COMMAND, team=team, person=somebody)
    everybody = [Who("anonymous", Client()), Who("without a role", signed_in(make.person(None)))]
    for kind, role in powers.POWERS:
        scope = grants.scope_of(places[kind])
        alone = make.person(None)
        grants.give(principal=make.COMMAND, holder=alone, role=role, place=places[kind])
        everybody.append(Who(f"{kind}/{role}", signed_in(alone), kind, role, scope))
        if role is Role.ADMINISTRATOR:
            held = teams.create(principal=make.COMMAND, name=f"{kind} admins")
            member = make.person(None)
            teams.add_member(principal=make.COMMAND, team=held, person=member)
            grants.give(principal=make.COMMAND, holder=held, role=role, place=places[kind])
            everybody.append(Who(f"{kind}/{role} by a team", signed_in(member), kind, role, scope))
    owner = Who("owner", signed_in(make.person()), ScopeKind.INSTALLATION, Role.ADMINISTRATOR)
    taken = grants.give(principal=make.COMMAND, holder=somebody, role=Role.VIEWER)
    found = {"mine": mine, "beside": beside, "theirs": theirs}
    proposals = {
        word: make.proposal(Account.objects.get(pk=each.account.pk)).pk for word, each in found.items()
    }
    asked_of = {
        word: make.activation_request(make.account(each.operator), each.account, f"{word}.>").pk
        for word, each in found.items()
    }
    provider, token = make.sign_on_provider(), make.api_token()
    extra = {
        "grant_id": taken.pk,
        "person_id": somebody.pk,
        "team_id": team.pk,
        "provider_id": provider.pk,
        "group_id": make.sign_on_group(provider).pk,
        "machine_id": token.service_account_id,
        "api_token_id": token.pk,
        "seq": AuditEvent.objects.filter(action=Action.TEAM_EDIT).values_list("seq", flat=True)[0],
        "number": 1,
        **dict.fromkeys(NUMBERS_OF_NOTHING, 4711),
        "token": "not-a-token",
    }
    return Stage(found, owner, tuple(everybody), proposals, asked_of, extra)


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def asked(client: Client, method: str, url: str) -> int:
    """The status of an answer; what a sent form would change is taken back."""
    with transaction.atomic():
        answer = getattr(client, method)(url)
        status: int = answer.status_code
        if status == 302 and "/account/login" in answer["Location"]:
            status = 401
        transaction.set_rollback(True)
    return status


def expected(who: Who, name: str, place: Realm, answered: int) -> int:
    """The status for `who`, where the owner got `answered`."""
    action = ROUTES[name].action
    if who.called == "anonymous":
        return 401
    if action is not None and action not in who.allowed:
        return 403
    if answered == 405:
        return 405
    names = arguments(name)
    if not who.sees(place, name, names):
        return 404
    if name in ("grant-take", "activity-event"):  # the grant and the event are of the whole installation
        return answered if who.kind is ScopeKind.INSTALLATION else 404
    if action is not None and not who.may(action, place, name, names):
        return 403
    return answered


def cells(stage: Stage) -> Iterator[tuple[str, Realm, str]]:
    """Name, realm and address of all there is to ask."""
    for name in SESSION:
        if name in LEFT_OUT:
            continue
        for called, place in stage.places.items():
            if called != "mine" and not arguments(name):
                continue
            url = stage.url(name, place)
            if url is None:
                assert called == "beside", f"{name} needs an argument that this test does not know"
                continue
            yield name, place, url


def worth_asking(who: Who, name: str, place: Realm, stage: Stage) -> bool:
    """Whether this place can be answered otherwise than mine: what is refused at the door, is everywhere."""
    if place is stage.places["mine"]:
        return True
    if who.kind in (None, ScopeKind.INSTALLATION) or "by a team" in who.called:
        return False
    action = ROUTES[name].action
    if action is not None and action not in who.allowed:
        return False
    return place is stage.places["theirs"] or who.kind is not ScopeKind.OPERATOR


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pages look like is tested elsewhere; here their status is."""
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", property(lambda _: ""))
    monkeypatch.setattr(errors.loader, "render_to_string", lambda *_, **__: "")
    monkeypatch.setattr(access, "explained", lambda _, refused, __: refused.user_message)
    monkeypatch.setattr(proving, "is_fresh", lambda _: True)


@pytest.mark.parametrize("method", METHODS)
def test_every_route_answers_every_role_as_the_tables_say(unrendered: None, method: str) -> None:
    stage = staged()
    surprises, number = [], 0
    for name, place, url in cells(stage):
        answered = asked(stage.owner.client, method, url)
        if answered not in (200, 302, 405, 409, 422) and not (answered == 404 and name in NOTHING_THERE):
            surprises.append(f"owner {method} {name} of {place.word}: {answered}")
        for who in stage.everybody:
            if not worth_asking(who, name, place, stage):
                continue
            number += 1
            status, wanted = asked(who.client, method, url), expected(who, name, place, answered)
            if status != wanted:
                surprises.append(f"{who.called} {method} {name} of {place.word}: {status}, not {wanted}")
    assert number > 3000
    assert surprises == [], f"{len(surprises)} of {number}:\n" + "\n".join(surprises)


def test_what_is_somebody_elses_is_not_found_under_what_is_mine(unrendered: None) -> None:
    stage, found, number = staged(), [], 0
    mine, theirs = stage.places["mine"], stage.places["theirs"].arguments()
    for name in SESSION:
        for argument in set(FOREIGN) & set(arguments(name)):
            other = {**theirs, "proposal_id": stage.proposals["theirs"]}[argument]
            if (name, argument) == ("user-test-result", "job_id"):
                other = stage.places["theirs"].trial.pk
            url = stage.url(name, mine, **{argument: other})
            assert url is not None
            for method in METHODS:
                number += 1
                status = asked(stage.owner.client, method, url)
                if status not in (404, 405):
                    found.append(f"{method} {name} with {argument} of another: {status}")
    assert number > 300
    assert found == []
