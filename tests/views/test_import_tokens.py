"""Every way in which the token of an import comes: pasted, uploaded, fetched; what is no token is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from identities.formats.creds import parse_creds
from identities.formats.decorated import decorated_jwt
from identities.models import Account, IssuedToken, Operator
from identities.services import changes, clock, creds
from tests import make
from tests.pages import Visitor
from tests.views.import_pages import STRANGER, held, new_import, token_for, url, values

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def operator() -> Operator:
    return make.operator("Test")


@pytest.fixture
def orders(operator: Operator) -> Account:
    return make.account(operator, "Orders")


@pytest.fixture
def billing(operator: Operator) -> Account:
    return make.account(operator, "Billing")


@pytest.mark.parametrize("dashes", [True, False], ids=["with dashes", "bare"])
def test_a_token_is_pasted(admin: Client, orders: Account, billing: Account, dashes: bool) -> None:
    make.export(orders, "orders.>", token_req=True)
    token = token_for(orders, billing.public_key)
    text = decorated_jwt(token, "activation") if dashes else f"  {token}\n"
    made = new_import(Visitor(admin), billing, account="Orders", subject="orders.new", token=text)
    assert "Added the import" in made.text
    assert held(billing)[0].token == token
    assert IssuedToken.objects.activations().count() == 1


def test_a_token_is_uploaded_and_kept_over_a_refusal(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    token = token_for(orders, billing.public_key)
    page = Visitor(admin).open(url("import-create", billing))
    sent = {**values(page, "account"), "account": "Orders", "subject": "a..b"}
    file = SimpleUploadedFile("token.jwt", decorated_jwt(token, "activation").encode())
    refused = admin.post(page.url, {**sent, "token_file": file})
    assert refused.status_code == 422
    assert token in refused.content.decode()
    again = admin.post(page.url, {**sent, "subject": "orders.new", "token": token})
    assert again.status_code == 302
    assert held(billing)[0].token == token


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x" * (64 * 1024 + 1), "larger than 64 KiB"),
        (b"\xff\xfe", "There is no JWT"),
        (b"", "There is no JWT"),
        (b"SAAB" + b"A" * 54, "That is a seed"),
    ],
    ids=["large", "binary", "empty", "seed"],
)
def test_a_bad_file_is_refused(admin: Client, billing: Account, content: bytes, said: str) -> None:
    sent = {
        "account": STRANGER, "type": "stream", "subject": "a", "minting": "if-asked", "version": billing.version,
        "token_file": SimpleUploadedFile("token.jwt", content),
    }  # fmt: skip
    answer = admin.post(url("import-create", billing), sent)
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors["token_file"])
    assert "SAAB" not in answer.content.decode()


def test_of_creds_pasted_by_mistake_the_seed_is_not_shown_again(admin: Client, billing: Account) -> None:
    user = make.user(billing)
    text = creds.creds_file(principal=make.COMMAND, user=user).text
    seed = parse_creds(text).seed
    assert seed is not None
    billing.refresh_from_db()
    refused = new_import(Visitor(admin), billing, account=STRANGER, subject="a", token=text)
    assert refused.status == 422
    assert "contains an invalid activation token" in refused.text
    assert seed.reveal().decode() not in refused.html


@pytest.fixture
def served() -> Iterator[list[bytes]]:
    """Answers of a web server on a loopback port; the last entry is its port."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked: list[int] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    if answers and answers[0] == b"end":
                        return
                    asked.append(1)
                    connection.sendall(answers[0])

        thread = Thread(target=serve)
        thread.start()
        served_at.update(port=int(listener.getsockname()[1]), asked=asked)
        yield answers
        answers[:] = [b"end"]
        with socket.create_connection(("127.0.0.1", served_at["port"])) as last:
            last.sendall(b"bye")
        thread.join(5)


served_at: dict[str, object] = {}


def test_a_token_is_fetched_once_when_the_import_is_saved(
    admin: Client, orders: Account, billing: Account, served: list[bytes]
) -> None:
    make.export(orders, "orders.>", token_req=True)
    token = token_for(orders, billing.public_key, exp := "orders.>", expires=clock.unix() + 3600)
    served[:] = [b"HTTP/1.0 200 OK\r\n\r\n" + decorated_jwt(token, "activation").encode()]
    at = f"http://127.0.0.1:{served_at['port']}/orders.jwt"
    visitor = Visitor(admin)
    form = visitor.open(url("import-create", billing))
    shown = visitor.send(form, account="Orders", subject=exp, token_url=at, preview="1")
    assert "The token is fetched when this is saved." in shown.text
    assert served_at["asked"] == []
    page = values(form, "account")
    sent = {**page, "account": "Orders", "subject": "elsewhere", "token_url": at}
    refused = admin.post(
        form.url, sent
    )  # the token does not fit: it is kept in the form, and not fetched again
    assert refused.status_code == 422
    assert token in refused.content.decode()
    assert at not in refused.content.decode()
    assert len(served_at["asked"]) == 1  # type: ignore[arg-type]
    made = visitor.send(form, account="Orders", subject=exp, token_url=at)
    assert "Added the import" in made.text
    assert held(billing)[0].token == token
    assert "token_url" not in str(changes.document(changes.claims_of(billing)))


def test_what_is_no_activation_is_not_shown_to_who_asked_for_it(
    admin: Client, orders: Account, billing: Account, served: list[bytes]
) -> None:
    other = IssuedToken.objects.get(pk=orders.token_id).text
    at = f"http://127.0.0.1:{served_at['port']}/secret"
    for answer, said in (
        (b"HTTP/1.0 200 OK\r\n\r\n" + other.encode(), "is no activation token"),
        (b"HTTP/1.0 200 OK\r\n\r\ntop secret", "There is no JWT in this"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "not followed"),
    ):
        served[:] = [answer]
        refused = new_import(Visitor(admin), billing, account=STRANGER, subject="a", token_url=at)
        assert refused.status == 422
        assert said in refused.text
        assert other not in refused.html
        assert "top secret" not in refused.html
    assert held(billing) == ()
