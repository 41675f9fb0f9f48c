"""Every route stands in the permission table, and is what the table says for nobody, a viewer and an administrator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from identities.claims import sharing
from identities.claims.drafts import ActivationDraft, RoleDraft, SigningKeyDraft
from identities.claims.handles import handle
from identities.claims.mappings import WeightedMapping
from identities.models import Account, Cluster, Job, Operator, Server, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.powers import READING
from identities.policy.routes import ROUTES, Access
from identities.services import accounts, activations, changes, lockouts, mappings, signing_keys
from identities.services.kicking import Whom
from tests import make

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
            "revoked": "*",
            "token": "not-a-token",
            "key": self.account.public_key,
            "key_key": self.account.public_key,
            "rest": "nowhere",
            "preset": "observer",
        }
        needed = next(iter(get_resolver().reverse_dict.getlist(name)))[0][0][1]
        return reverse(name, kwargs={argument: arguments[argument] for argument in needed})


def mapped(account: Account) -> Account:
    targets = [WeightedMapping(subject="orders.new", weight=40)]
    return mappings.put(
        principal=make.COMMAND, account=account, source="orders", targets=targets, version=account.version
    )


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


SESSION = sorted(name for name, route in ROUTES.items() if route.access is Access.SESSION)
WRITING = sorted(name for name in SESSION if ROUTES[name].action not in {*READING, None})


@pytest.mark.parametrize("name", SESSION)
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_is_sent_to_sign_in(sample: Sample, name: str, method: str) -> None:
    answer = getattr(Client(), method)(sample.url(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_viewer_may_not_change_or_take_secrets(sample: Sample, name: str, method: str) -> None:
    client = Client()
    client.force_login(make.person("viewer"))
    answer = getattr(client, method)(sample.url(name))
    assert answer.status_code in (403, 405), name


@pytest.mark.parametrize("name", sorted(set(SESSION) - set(WRITING)))
def test_a_viewer_may_look(sample: Sample, name: str) -> None:
    client = Client()
    client.force_login(make.person("viewer"))
    answer = client.get(sample.url(name))
    assert answer.status_code in (200, 302, 405), name


@pytest.mark.parametrize("name", SESSION)
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_administrator_meets_no_refusal_and_no_fault(sample: Sample, name: str, method: str) -> None:
    client = Client()
    client.force_login(make.person("administrator"))
    answer = getattr(client, method)(sample.url(name))
    assert answer.status_code < 500 and answer.status_code != 403, name


@pytest.mark.parametrize(
    "name", sorted(name for name, route in ROUTES.items() if route.access is Access.PUBLIC)
)
def test_a_public_route_asks_for_no_session(sample: Sample, name: str) -> None:
    if name in {"account_inactive"}:
        return
    answer = Client().get(sample.url(name))
    assert answer.status_code in (200, 403, 404, 405, 410, 503), name


@pytest.mark.parametrize("name", SESSION)
def test_a_post_without_csrf_token_is_refused(sample: Sample, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make.person("administrator"))
    assert client.post(sample.url(name)).status_code in (403, 405)


@pytest.mark.parametrize(
    "name", [name for name in SESSION if "operator_key" in str(get_resolver().reverse_dict.getlist(name))]
)
def test_what_is_not_there_is_not_found(sample: Sample, name: str) -> None:
    client = Client()
    client.force_login(make.person("administrator"))
    url = sample.url(name).replace(sample.operator.public_key, "O" + "A" * 55)
    assert client.get(url).status_code in (404, 405)
