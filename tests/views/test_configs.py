"""The server configuration page: options, preview, download, how to start a server, and what is refused."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.formats import server_config
from identities.models import Account, Operator
from identities.policy.principal import Role
from identities.services import configs
from tests import make

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def operator() -> Operator:
    operator = make.operator("Op")
    make.account(operator, "Shop")
    return operator


def page(browser: Client, operator: Operator, **query: str) -> str:
    return browser.get(reverse("operator-config", args=[operator.public_key]), query).content.decode()


def download(browser: Client, operator: Operator, **query: str) -> str:
    answer = browser.get(reverse("operator-config-download", args=[operator.public_key]), query)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Disposition"] == 'attachment; filename="server.conf"'
    return answer.content.decode()


def expected(operator: Operator, resolver: str, *names: str, **options: object) -> str:
    rows = Account.objects.filter(operator=operator, name__in=names)
    return server_config.render(
        server_config.ServerConfig(
            resolver=server_config.Resolver(resolver),
            operator_name=operator.name,
            operator_jwt=Operator.objects.get(pk=operator.pk).token.text,  # type: ignore[union-attr]
            system_account=operator.system_account,
            preload=[(row.name, row.public_key, row.token.text) for row in rows],  # type: ignore[union-attr]
            **options,  # type: ignore[arg-type]
        )
    )


def test_each_resolver_is_written_as_nsc_writes_it(operator: Operator) -> None:
    browser = make.client(Role.VIEWER)
    assert download(browser, operator, resolver="memory") == expected(operator, "memory", "SYS", "Shop")
    assert download(browser, operator, resolver="full", preload="system") == expected(operator, "full", "SYS")
    assert download(browser, operator, resolver="cache", preload="system") == expected(
        operator, "cache", "SYS"
    )
    assert download(browser, operator, resolver="full") == expected(operator, "full", "SYS", "Shop")


def test_the_url_resolver_asks_this_installation_or_another(operator: Operator) -> None:
    browser = make.client()
    text = download(browser, operator, resolver="url")
    assert f'resolver: URL("http://localhost:8000/o/{operator.public_key}/jwt/v1/accounts/")' in text
    other = download(browser, operator, resolver="url", url="https://nsc.example.com/jwt/v1/accounts/")
    assert 'URL("https://nsc.example.com/jwt/v1/accounts/")' in other


def test_options_reach_the_file(operator: Operator) -> None:
    text = download(
        make.client(),
        operator,
        resolver="full",
        dir="/data/jwt",
        allow_delete="on",
        interval="5m",
        limit="100",
        timeout="3s",
        operator_as="path",
        operator_path="/etc/nats/op.jwt",
    )
    for line in ("dir: '/data/jwt'", "allow_delete: true", 'interval: "5m"', "limit: 100", 'timeout: "3s"'):
        assert line in text
    assert "operator: '/etc/nats/op.jwt'" in text


def test_options_of_another_resolver_are_left_out(operator: Operator) -> None:
    text = download(make.client(), operator, resolver="memory", interval="5m", dir="/x")
    assert "interval" not in text  # not the value: two letters stand in a JWT by chance


def test_the_page_shows_the_file_and_how_to_start_a_server(operator: Operator) -> None:
    text = page(make.client(), operator)
    assert "resolver_preload" in text
    assert "nats-server -c server.conf" in text
    assert "docker run" in text
    assert 'data-copy-from="config-text"' in text
    assert reverse("operator-config-download", args=[operator.public_key]) in text


def test_an_operator_without_a_system_account_begins_with_memory() -> None:
    operator = make.operator("Bare", system_account=False)
    make.account(operator, "Shop")
    assert "resolver: MEMORY" in page(make.client(), operator)
    answer = make.client().get(
        reverse("operator-config", args=[operator.public_key]), {"resolver": "full", "system_account": ""}
    )
    assert answer.status_code == 422
    assert "needs a system account" in answer.content.decode()


def test_an_operator_without_accounts_is_told_above_the_options_what_is_missing() -> None:
    operator = make.operator("Bare", system_account=False)
    assert "the operator has none. Create one first." in page(make.client(), operator)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"interval": "x"}, "is no duration"),
        ({"limit": "0"}, "greater than or equal to 1"),
        ({"limit": "1"}, "Raise the limit"),
        ({"dir": "a\x07b"}, "control character"),
        ({"operator_as": "path"}, "Write where the server finds"),
        ({"resolver": "url", "url": "ftp://x"}, "no address of an account server"),
        ({"resolver": "url", "url": 'http://x"){'}, "no address of an account server"),
        ({"resolver": "odd"}, "not one of the available choices"),
        ({"system_account": "x"}, "not one of the available choices"),
    ],
)
def test_what_would_not_work_is_refused_beside_the_option(
    operator: Operator, query: dict[str, str], said: str
) -> None:
    browser = make.client()
    for name in ("operator-config", "operator-config-download"):
        answer = browser.get(reverse(name, args=[operator.public_key]), {"resolver": "full"} | query)
        assert answer.status_code == 422
        assert said in answer.content.decode()


def test_a_long_file_is_cut_in_the_preview_only(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configs, "IN_PREVIEW", 500)
    text = page(make.client(), operator)
    assert "Cut here" in text
    assert 'data-copy-from="config-text"' not in text  # half a file would be pasted
    assert "resolver_preload: {" not in text
    assert "resolver_preload: {" in download(make.client(), operator)


def test_the_page_comes_whole_and_in_part_to_those_who_may_see_the_operator(operator: Operator) -> None:
    address = reverse("operator-config", args=[operator.public_key])
    assert "<html" in make.client(Role.VIEWER).get(address).content.decode()
    assert 'id="config"' in make.client().get(address, headers=HTMX).content.decode()  # which htmx takes out
    other = make.operator("Other")
    for name in ("operator-config", "operator-config-download"):
        stranger = make.client(Role.VIEWER, operator=other)
        assert stranger.get(reverse(name, args=[operator.public_key])).status_code == 404
        assert make.client(None).get(reverse(name, args=[operator.public_key])).status_code == 403
        assert Client().get(reverse(name, args=[operator.public_key])).status_code == 302


def test_twice_the_accounts_take_as_many_queries(
    operator: Operator, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = make.client()
    for round_ in range(2):
        for number in range(5):
            make.account(operator, f"account-{round_}-{number}")
        with django_assert_max_num_queries(8):
            page(browser, operator)
