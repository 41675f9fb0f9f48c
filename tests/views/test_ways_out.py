"""Other ways out: Helm values, Kubernetes Secrets, profiles, diagrams."""

from __future__ import annotations

import base64
import json

import pytest
import yaml
from pytest_django import DjangoAssertNumQueries

from identities.models import Account, AuditEvent, User
from identities.policy.principal import Role
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make.user(make.account(make.operator("Op"), "Team Blue"), "ann")


def home(user: User, more: str) -> str:
    account = user.account
    return f"/operators/{account.operator.public_key}/accounts/{account.public_key}/users/{user.public_key}/{more}"


def test_helm_values_follow_the_options_of_the_configuration(user: User) -> None:
    operator = user.account.operator
    page = f"/operators/{operator.public_key}/config"
    browser = make.client()
    query = "?resolver=full&allow_delete=on&preload=all"
    assert f"{page}/helm{query.replace('&', '&amp;')}" in browser.get(page + query).content.decode()
    answer = browser.get(f"{page}/helm{query}")
    assert answer["Content-Disposition"] == 'attachment; filename="values.yaml"'
    values = yaml.safe_load(answer.content)["config"]
    assert values["resolver"]["merge"]["allow_delete"] is True
    assert values["merge"]["operator"] == operator.token.text
    assert set(values["merge"]["resolver_preload"]) == set(
        Account.objects.values_list("public_key", flat=True)
    )
    bad = browser.get(f"{page}/helm?resolver=url&url=nonsense")
    assert "text/html" in bad["Content-Type"]


def test_creds_leave_as_a_secret_as_they_leave_as_a_file(user: User) -> None:
    browser = make.client()
    answer = browser.post(home(user, "secret"), {"name": "nats-ann", "namespace": "prod"})
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Disposition"] == 'attachment; filename="nats-ann.yaml"'
    manifest = yaml.safe_load(answer.content)
    creds = browser.post(home(user, "creds")).content
    assert base64.b64decode(manifest["data"]["nats.creds"]) == creds
    events = AuditEvent.objects.filter(action="creds.download")
    assert events.count() == 2


def test_a_name_that_kubernetes_refuses_hands_nothing_out(user: User) -> None:
    answer = make.client().post(home(user, "secret"), {"name": "No Good"})
    assert answer.status_code == 422
    assert "is no name for Kubernetes" in answer.content.decode()
    assert not AuditEvent.objects.filter(action="creds.download").exists()


def test_viewers_get_no_secret(user: User) -> None:
    assert make.client(Role.VIEWER).post(home(user, "secret"), {"name": "a"}).status_code == 403
    assert "Kubernetes" not in make.client(Role.VIEWER).get(home(user, "context")).content.decode()


def test_the_page_offers_a_name(user: User) -> None:
    assert 'value="nats-team-blue-ann-creds"' in make.client().get(home(user, "context")).content.decode()


def test_a_profile_names_creds_and_servers(user: User) -> None:
    answer = make.client().get(home(user, "context") + "?download=profile&creds=~/a.creds")
    assert json.loads(answer.content) == {"user_creds": "~/a.creds"}


def test_the_diagram_shows_and_says_who_shares_what(
    user: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    giver, taker = user.account, make.account(user.account.operator, "Taker")
    make.account(giver.operator, "Alone")
    make.export(giver, "news.>")
    make.imported(taker, "news.a", of=giver, local_subject="in.a")
    browser = make.client()
    address = f"/operators/{giver.operator.public_key}/diagram"
    with django_assert_max_num_queries(8):
        page = browser.get(address).content.decode()
    assert "<svg" in page
    assert "in.a" in page
    assert "Alone" not in page
    assert page.count('class="arrow') == 1
    plain = browser.get(f"{address}/download?kind=components")
    assert "filename=" in plain["Content-Disposition"]
    assert f'..> {giver.public_key}_news._G_ : "news.a"' in plain.content.decode()
    assert "@enduml" in browser.get(f"{address}/download?kind=objects").content.decode()
    assert browser.get(f"{address}/download?kind=x").status_code == 404


def test_the_diagram_of_one_account(user: User) -> None:
    giver, taker = user.account, make.account(user.account.operator, "Taker")
    make.export(giver, "news.>")
    make.imported(taker, "news.a", of=giver)
    stranger = make.account(giver.operator, "Stranger")
    make.export(stranger, "x")
    address = f"/operators/{giver.operator.public_key}/diagram?account={stranger.public_key}"
    assert "Nothing is shared" in make.client().get(address).content.decode()
