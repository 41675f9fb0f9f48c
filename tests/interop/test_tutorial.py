"""What people click together is accepted by a real nats-server and real clients, with every kind of resolver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from identities.nkeys import KeyKind, KeyPair
from tests import natsclient, natsserver
from tests.interop.tutorial import Tutorial

INBOX = "_INBOX.>"


@pytest.fixture
def begun(tmp_path: Path) -> Callable[..., Tutorial]:
    """The tutorial with its operator and account, in a folder for downloads."""

    def begin(**options: Any) -> Tutorial:
        folder = tmp_path / "downloads"
        folder.mkdir()
        return Tutorial.begin(folder, **options)

    return begin


def with_the_cast(tutorial: Tutorial) -> dict[str, Path]:
    """The tutorial's three users: one writes the subjects itself, the other uses the switches."""
    made = {
        "TestUser": tutorial.add_user("TestUser"),
        "TestService": tutorial.add_user("TestService", sub_allow="req.a", can_answer=True),
        "TestClient": tutorial.add_user("TestClient", pub_allow="req.a", can_request=True),
    }
    return {name: path for name, path in made.items() if path is not None}


def the_tutorial_works(url: str, creds: dict[str, Path]) -> None:
    assert natsclient.hear_yourself(url, creds["TestUser"]) == b"hello, world"
    assert natsclient.ask(url, creds["TestClient"], creds["TestService"]) == b"cba"
    said = natsclient.refusals_of_publishing(url, creds["TestClient"], "elsewhere")
    assert any("permissions violation for publish" in text.lower() for text in said), said


@pytest.mark.django_db
def test_with_the_memory_resolver_a_new_configuration_and_a_reload_lock_a_deleted_user_out(
    begun: Callable[..., Tutorial], nats: natsserver.Stable
) -> None:
    tutorial = begun()
    creds = with_the_cast(tutorial)
    server = nats.start(tutorial.config(resolver="memory"))
    the_tutorial_works(server.url, creds)

    tutorial.delete_user("TestUser")
    assert natsclient.lets_in(server.url, creds["TestUser"])  # no server has heard of it yet
    server.reload(tutorial.config(resolver="memory"))
    assert not natsclient.lets_in(server.url, creds["TestUser"])
    assert natsclient.lets_in(server.url, creds["TestClient"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bare", [True, False], ids=["the only operator", "the operator by its key"])
def test_with_the_url_resolver_servers_fetch_accounts_from_nscweb_itself(
    begun: Callable[..., Tutorial], nats: natsserver.Stable, live_server: Any, settings: Any, bare: bool
) -> None:
    settings.NSCWEB_URL = live_server.url
    tutorial = begun()
    creds = with_the_cast(tutorial)
    system = tutorial.system_creds()
    where = {"url": f"{live_server.url}/jwt/v1/accounts/"} if bare else {}
    server = nats.start(tutorial.config(resolver="url", **where))
    the_tutorial_works(server.url, creds)

    tutorial.delete_user("TestUser")
    assert natsclient.lets_in(
        server.url, creds["TestUser"]
    )  # the account is loaded: it is not asked for again
    answer = natsclient.request(
        server.url, system, f"$SYS.REQ.ACCOUNT.{tutorial.account_key}.CLAIMS.UPDATE", tutorial.account_jwt()
    )
    assert '"code":200' in answer, answer
    assert not natsclient.lets_in(server.url, creds["TestUser"])

    tutorial.delete_user("TestService")
    server.restart()
    assert not natsclient.lets_in(server.url, creds["TestService"])
    assert not natsclient.lets_in(server.url, creds["TestUser"])
    assert natsclient.lets_in(server.url, creds["TestClient"])


@pytest.mark.django_db
def test_with_the_full_resolver_a_pushed_account_locks_a_deleted_user_out(
    begun: Callable[..., Tutorial], nats: natsserver.Stable
) -> None:
    tutorial = begun()
    creds = with_the_cast(tutorial)
    system = tutorial.system_creds()
    server = nats.start(tutorial.config(resolver="full", preload="all"))
    the_tutorial_works(server.url, creds)

    tutorial.delete_user("TestUser")
    answer = natsclient.request(server.url, system, "$SYS.REQ.CLAIMS.UPDATE", tutorial.account_jwt())
    assert '"code":200' in answer, answer
    assert not natsclient.lets_in(server.url, creds["TestUser"])
    assert natsclient.lets_in(server.url, creds["TestClient"])


@pytest.mark.django_db
def test_a_full_server_with_the_system_account_alone_is_sent_the_rest(
    begun: Callable[..., Tutorial], nats: natsserver.Stable
) -> None:
    tutorial = begun()
    creds = with_the_cast(tutorial)
    system = tutorial.system_creds()
    server = nats.start(tutorial.config(resolver="full", preload="system", dir="./accounts"))
    assert not natsclient.lets_in(server.url, creds["TestUser"])
    natsclient.request(server.url, system, "$SYS.REQ.CLAIMS.UPDATE", tutorial.account_jwt())
    the_tutorial_works(server.url, creds)


@pytest.mark.django_db
def test_under_a_strict_operator_and_with_its_jwt_in_a_file_of_its_own(
    begun: Callable[..., Tutorial], nats: natsserver.Stable
) -> None:
    tutorial = begun(require_signing_keys=True)
    creds = with_the_cast(tutorial)
    jwt = tutorial.visitor.download(tutorial.operator, "/jwt", tutorial.folder)
    server = nats.start(tutorial.config(resolver="memory", operator_as="path", operator_path=str(jwt)))
    the_tutorial_works(server.url, creds)


@pytest.mark.django_db
def test_a_bearer_user_logs_in_with_its_jwt_alone_and_ones_own_key_with_its_seed(
    begun: Callable[..., Tutorial], nats: natsserver.Stable
) -> None:
    tutorial = begun()
    bearer_creds = tutorial.add_user("sensor", bearer_token=True, pub_allow="hello", sub_allow="hello")
    own = KeyPair.create(KeyKind.USER)
    assert tutorial.add_user("own", public_key=own.public.text) is None
    tutorial.add_user("plain")
    server = nats.start(tutorial.config(resolver="memory"))

    jwt = tutorial.visitor.download(tutorial.users["sensor"], "/jwt", tutorial.folder).read_text()
    assert natsclient.hear_yourself(server.url, jwt) == b"hello, world"
    assert bearer_creds is not None
    assert natsclient.lets_in(server.url, bearer_creds)
    plain = tutorial.visitor.download(tutorial.users["plain"], "/jwt", tutorial.folder).read_text()
    assert not natsclient.lets_in(server.url, plain)

    text = tutorial.visitor.download(tutorial.users["own"], "/jwt", tutorial.folder).read_text()
    put_together = tutorial.folder / "own.creds"
    put_together.write_text(
        f"-----BEGIN NATS USER JWT-----\n{text}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{own.seed().reveal().decode()}\n------END USER NKEY SEED------\n"
    )
    assert natsclient.hear_yourself(server.url, put_together) == b"hello, world"


@pytest.mark.django_db
def test_creds_from_before_an_edit_are_refused_once_they_are_revoked_and_new_ones_are_not(
    begun: Callable[..., Tutorial], nats: natsserver.Stable
) -> None:
    tutorial = begun()
    old = tutorial.add_user("TestUser")
    assert old is not None
    old = old.rename(old.with_name("old.creds"))
    visitor = tutorial.visitor
    page = visitor.open(tutorial.users["TestUser"].link("/edit"))
    page = visitor.send(page, pub_allow="only.this")
    assert "changes nothing for creds already handed out" in page.text
    page = visitor.send(visitor.open(page.link("/revoke-earlier")), action="/revoke-earlier")
    assert "Revoked earlier versions" in page.text
    new = tutorial.creds(page)
    server = nats.start(tutorial.config(resolver="memory"))
    assert not natsclient.lets_in(server.url, old)
    assert natsclient.refusals_of_publishing(server.url, new, "hello")


@pytest.mark.django_db
def test_an_operator_without_a_system_account_gets_one_later(
    begun: Callable[..., Tutorial], nats: natsserver.Stable
) -> None:
    tutorial = begun(system_account=False)
    creds = with_the_cast(tutorial)
    server = nats.start(tutorial.config(resolver="memory"))
    the_tutorial_works(server.url, creds)
    visitor = tutorial.visitor
    page = visitor.open(visitor.open(tutorial.operator.url).link("/system-account"))
    page = visitor.send(page, action="/system-account")
    assert "restart" in page.text
    server.restart(tutorial.config(resolver="memory"))
    the_tutorial_works(server.url, creds)
    answer = natsclient.request(server.url, tutorial.system_creds(), "$SYS.REQ.SERVER.PING", b"")
    assert '"server"' in answer
