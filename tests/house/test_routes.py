"""Every route stands in the permission table, and is what the table says for nobody, a viewer and an administrator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from identities.claims import sharing
from identities.claims.drafts import ActivationDraft, RoleDraft, SigningKeyDraft
from identities.claims.handles import handle
from identities.claims.mappings import WeightedMapping
from identities.models import (
    Account,
    ApiToken,
    Cluster,
    IssuedToken,
    Job,
    Operator,
    Server,
    SignOnGroup,
    SignOnProvider,
    User,
    Webhook,
)
from identities.nkeys import KeyKind, KeyPair
from identities.policy.powers import READING
from identities.policy.principal import Role
from identities.policy.routes import ROUTES, SENSITIVE, Access
from identities.services import accounts, activations, changes, lockouts, mappings, signing_keys
from identities.services.kicking import Whom
from tests import make
from tests.make import Staff

pytestmark = pytest.mark.django_db
ELSEWHERE = KeyPair.create(KeyKind.ACCOUNT).public.text


@dataclass(frozen=True)
class Sample:
    """One of everything, for the arguments of routes."""

    operator: Operator
    account: Account
    user: User
    role: str
    export_handle: str
    import_handle: str
    token_id: int
    cluster: Cluster
    server: Server
    lockout: Job
    provider: SignOnProvider
    group: SignOnGroup
    proposal: int
    request: int
    staff: Staff
    webhook: Webhook
    api_token: ApiToken

    def url(self, name: str) -> str:
        arguments = {
            "operator_key": self.operator.public_key,
            "account_key": self.account.public_key,
            "user_key": self.user.public_key,
            "signing_key": self.role,
            "offered_key": ELSEWHERE,
            "removed_key": ELSEWHERE,
            "adopted_key": ELSEWHERE,
            "job_id": self.lockout.pk,
            "cluster_id": self.cluster.pk,
            "server_id": self.server.pk,
            "mapping": handle("orders"),
            "entry": handle("*"),
            "operator_signing_key": handle(changes.claims_of(self.operator).nats.signing_keys[0]),
            "export_handle": self.export_handle,
            "import_handle": self.import_handle,
            "token_id": self.token_id,
            "number": 1,
            "proposal_id": self.proposal,
            "request_id": self.request,
            "revoked": "*",
            "token": "not-a-token",
            "seq": 1,
            "link_id": 1,
            "key": self.account.public_key,
            "key_key": self.account.public_key,
            "rest": "nowhere",
            "session_id": 4711,
            "factor_id": 4711,
            "preset": "observer",
            "provider_id": self.provider.pk,
            "group_id": self.group.pk,
            "identity_id": 1,
            "invitation_id": 1,
            "rule_id": 1,
            "grant_id": self.staff.grant.pk,
            "person_id": self.staff.person.pk,
            "team_id": self.staff.team.pk,
            "webhook_id": self.webhook.pk,
            "message_id": 4711,
            "machine_id": self.api_token.service_account_id,
            "api_token_id": self.api_token.pk,
        }
        needed = next(iter(get_resolver().reverse_dict.getlist(name)))[0][0][1]
        return reverse(name, kwargs={argument: arguments[argument] for argument in needed})


def mapped(account: Account) -> Account:
    targets = [WeightedMapping(subject="orders.new", weight=40)]
    return mappings.put(
        principal=make.COMMAND, account=account, source="orders", targets=targets, version=account.version
    )


def granted(account: Account, token: IssuedToken) -> int:
    """A request of the account, with the token that it was granted."""
    request = make.activation_request(account, ELSEWHERE, by=make.COMMAND)
    request.state, request.token = "granted", token
    request.save()
    return request.pk


@pytest.fixture
def sample(db: None) -> Sample:
    make.installation()
    operator = make.operator()
    account = mapped(make.account(operator))
    account = accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 1})
    draft = SigningKeyDraft(role=RoleDraft(role="service"))
    role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    export = make.export(account, "orders.>", token_req=True, revocations={"*": 1})
    imported = make.imported(account, "other.>", of=ELSEWHERE)
    shared = sharing.export_handles((export,))[0]
    wanted = ActivationDraft(target=ELSEWHERE, subject="orders.>")
    token = activations.issue(principal=make.COMMAND, account=account, handle=shared, draft=wanted)
    cluster = make.cluster(operator)
    return Sample(
        operator,
        account,
        make.user(account),
        role.public_key,
        export_handle=shared,
        import_handle=sharing.import_handles((imported,))[0],
        token_id=token.pk,
        cluster=cluster,
        server=make.server(cluster),
        lockout=lockouts.enqueue(
            principal=make.COMMAND, account=account, whom=Whom(entries={"*": 1}), reason="Revoked"
        ),
        provider=(provider := make.sign_on_provider()),
        group=make.sign_on_group(provider),
        proposal=make.proposal(account).pk,
        request=granted(account, token),
        staff=make.staff(),
        webhook=make.webhook(operator),
        api_token=make.api_token(),
    )


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def test_every_route_stands_in_the_table_and_every_row_is_a_route() -> None:
    known = set(names(get_resolver().url_patterns))
    assert {name for name in known if name not in ROUTES} == set()
    assert {name for name in ROUTES if name not in known} <= {"account_inactive"}


def test_every_sensitive_route_asks_again_who_is_there() -> None:
    sensitive = {name for name, route in ROUTES.items() if route.action in SENSITIVE}
    assert sensitive >= {"user-creds", "account-creds", "key-export", "operator-key-create"}
    assert {name for name in sensitive if not ROUTES[name].fresh} == set()
    assert all(ROUTES[name].fresh for name in ("operator-store", "second-factor-remove", "you-edit"))


SESSION = sorted(name for name, route in ROUTES.items() if route.access is Access.SESSION)
OWN = {"second-factor-remove", "second-factor-app-qr", "second-factor-app-key", "handover-mine"}
"""What nobody has who has not made it, and nobody sees of others."""
WRITING = sorted(name for name in SESSION if ROUTES[name].action not in {*READING, None})


UNDER_OPERATORS = [
    name for name in SESSION if "operator_key" in str(get_resolver().reverse_dict.getlist(name))
]
methods = pytest.mark.parametrize("method", ["get", "post"])


def asked(client: Client, method: str, urls: Mapping[str, str]) -> Iterator[tuple[str, HttpResponse]]:
    """What each route answers, one after the other; what a sent form does is taken back before the next is asked."""
    cookies = deepcopy(client.cookies)
    for name, url in urls.items():
        with transaction.atomic():
            yield name, getattr(client, method)(url)
            transaction.set_rollback(True)
        client.cookies = deepcopy(cookies)  # of whoever was signed out, too


def signed_in(role: Role, *, checks: bool = False) -> Client:
    client = Client(enforce_csrf_checks=checks)
    client.force_login(make.person(role))
    return client


def addresses(sample: Sample, names: Iterable[str]) -> dict[str, str]:
    return {name: sample.url(name) for name in names}


@methods
def test_nobody_is_sent_to_sign_in(sample: Sample, method: str) -> None:
    sign_in = reverse("account_login")
    let_in = {
        name: answer.status_code
        for name, answer in asked(Client(), method, addresses(sample, SESSION))
        if answer.status_code != 302 or not answer["Location"].startswith(sign_in)
    }
    assert let_in == {}


@methods
def test_a_viewer_may_not_change_or_take_secrets(sample: Sample, method: str) -> None:
    answers = asked(signed_in(Role.VIEWER), method, addresses(sample, WRITING))
    assert {n: answer.status_code for n, answer in answers if answer.status_code not in (403, 405)} == {}


def test_a_viewer_may_look(sample: Sample) -> None:
    answers = asked(signed_in(Role.VIEWER), "get", addresses(sample, sorted(set(SESSION) - set(WRITING))))
    surprises = {
        name: answer.status_code
        for name, answer in answers
        if answer.status_code not in ((404,) if name in OWN else (200, 302, 405))
    }
    assert surprises == {}


@methods
def test_an_administrator_meets_no_refusal_and_no_fault(sample: Sample, method: str) -> None:
    answers = asked(signed_in(Role.ADMINISTRATOR), method, addresses(sample, SESSION))
    surprises = {
        name: answer.status_code
        for name, answer in answers
        if answer.status_code >= 500 or answer.status_code == 403
    }
    assert surprises == {}


def test_a_public_route_asks_for_no_session(sample: Sample) -> None:
    names = sorted(name for name, route in ROUTES.items() if route.access is Access.PUBLIC)
    surprises = {}
    for name, answer in asked(Client(), "get", addresses(sample, set(names) - {"account_inactive"})):
        if name == "mfa_authenticate":  # opens for those whose password was right just now
            expected = answer.status_code == 302 and answer["Location"] == reverse("account_login")
        else:
            expected = answer.status_code in (200, 403, 404, 405, 410, 503)
        if not expected:
            surprises[name] = answer.status_code
    assert surprises == {}


def test_a_post_without_csrf_token_is_refused(sample: Sample) -> None:
    client = signed_in(Role.ADMINISTRATOR, checks=True)
    answers = asked(client, "post", addresses(sample, SESSION))
    assert {n: answer.status_code for n, answer in answers if answer.status_code not in (403, 405)} == {}


def test_what_is_not_there_is_not_found(sample: Sample) -> None:
    there = addresses(sample, UNDER_OPERATORS)
    missing = {name: url.replace(sample.operator.public_key, "O" + "A" * 55) for name, url in there.items()}
    answers = asked(signed_in(Role.ADMINISTRATOR), "get", missing)
    assert {n: answer.status_code for n, answer in answers if answer.status_code not in (404, 405)} == {}
