"""Where no key that may sign is here, saving leads to a page that hands out claims and takes the signed JWT back."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.models import Account, Operator, Unsigned
from identities.nkeys import KeyKind, KeyPair, looks_like_seed
from identities.services import adopting, clock, importing
from tests import make, nscfiles
from tests.elsewhere import Elsewhere
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(db: None) -> Elsewhere:
    make.installation()
    elsewhere = Elsewhere()
    elsewhere.adopted(seeds={elsewhere.account.public.text: elsewhere.account.seed()})
    return elsewhere


@pytest.fixture
def client(there: Elsewhere) -> Client:
    return make.client()


@pytest.fixture
def visitor(client: Client) -> Visitor:
    return Visitor(client)


def url(name: str = "") -> str:
    operator = Operator.objects.get()
    return reverse(f"operator{name}", args=[operator.public_key])


def account_url(name: str = "") -> str:
    account = Account.objects.select_related("operator").get()
    return reverse(f"account{name}", args=[account.operator.public_key, account.public_key])


def signed(there: Elsewhere, claims: str, **more: object) -> str:
    wanted = codec.from_payload(claims)
    if more:
        tree = json.loads(claims)
        tree["nats"].update(more)
        wanted = codec.from_payload(json.dumps(tree))
    return codec.encode(wanted, there.operator, clock.unix()).text


def edited(visitor: Visitor, address: str) -> Page:
    return visitor.send(
        visitor.open(f"{address}/edit" if not address.endswith("/") else f"{address}edit"), tags="env:prod"
    )


def test_the_form_says_that_what_is_saved_waits(visitor: Visitor) -> None:
    for address in (url(), account_url()):
        assert (
            "No key that may sign this has its seed here. What you save waits"
            in visitor.open(f"{address}edit").text
        )


@pytest.mark.parametrize("kind", ["operator", "account"])
def test_an_edit_is_downloaded_signed_elsewhere_and_brought_back(
    visitor: Visitor, client: Client, there: Elsewhere, kind: str
) -> None:
    address = url() if kind == "operator" else account_url()
    page = edited(visitor, address)
    assert "an edit waits for its signature" in page.text
    assert "env:prod" in page.text
    home = visitor.open(address)
    assert "An edit waits for its signature" in home.text
    answer = client.get(page.link("Claims to sign"))
    assert answer["Content-Disposition"].startswith("attachment")
    assert json.loads(answer.content)["nats"]["tags"] == ["env:prod"]
    text = signed(there, answer.content.decode())
    done = visitor.send(visitor.open(home.link("Go on with it")), text=text)
    assert "Took the signed JWT of" in done.text
    row = Operator.objects.get() if kind == "operator" else Account.objects.get()
    assert row.token is not None
    assert row.token.text == text
    assert "An edit waits" not in visitor.open(address).text


def test_a_file_does_as_well_as_a_text(visitor: Visitor, client: Client, there: Elsewhere) -> None:
    page = edited(visitor, url())
    text = signed(there, Unsigned.objects.get().claims)
    answer = client.post(page.url, {"file": SimpleUploadedFile("op.jwt", text.encode())})
    assert answer.status_code == 302
    assert not Unsigned.objects.exists()


def test_one_that_differs_is_shown_before_it_is_taken(visitor: Visitor, there: Elsewhere) -> None:
    page = edited(visitor, url())
    text = signed(there, Unsigned.objects.get().claims, account_server_url="https://other.example.com/jwt/v1")
    refused = visitor.send(page, text=text)
    assert refused.status == 422
    assert "It is not what was wanted: nats.account_server_url differ" in refused.text
    assert "https://other.example.com/jwt/v1" in refused.text
    assert "Where the signed JWT differs" in refused.text
    taken = visitor.send(refused, text=text, differing=True)
    assert "Took the signed JWT of" in taken.text


def test_what_is_no_jwt_or_another_s_is_refused_on_the_field(visitor: Visitor) -> None:
    page = edited(visitor, url())
    for given, words in (
        ("", "Paste the signed JWT"),
        ("nonsense", "no JWT in this"),
        (Elsewhere().operator_jwt(), "is not that of"),
    ):
        refused = visitor.send(page, text=given)
        assert refused.status == 422
        assert words in refused.text
    assert Operator.objects.get().version == 1


def test_a_jwt_whose_letters_look_like_a_seed_is_read_all_the_same(visitor: Visitor) -> None:
    texts = (Elsewhere().operator_jwt() for _ in range(2000))
    text = next(text for text in texts if looks_like_seed(text))  # about one in thirty
    refused = visitor.send(edited(visitor, url()), text=text)
    assert "is not that of" in refused.text
    seed = KeyPair.create(KeyKind.OPERATOR).seed().reveal().decode()
    refused = visitor.send(refused, text=f"{text}\n{seed}")
    assert "That is a seed" in refused.text and seed not in refused.html


def test_a_second_edit_is_refused_while_one_waits(visitor: Visitor) -> None:
    edited(visitor, url())
    again = edited(visitor, url())
    assert again.status == 422
    assert "waits for its signature already" in again.text


def test_it_can_be_given_up(visitor: Visitor) -> None:
    page = edited(visitor, account_url())
    assert "Gave up the edit" in visitor.send(page, action="/discard").text
    assert not Unsigned.objects.exists()
    assert visitor.open(account_url("-unsigned")).status == 404


def test_an_edit_of_nothing_does_not_wait(visitor: Visitor) -> None:
    page = visitor.send(visitor.open(f"{url()}edit"), tags="")
    assert "Nothing was changed, so there is nothing to sign." in page.text
    assert not Unsigned.objects.exists()


def test_an_account_hands_out_the_jwt_that_it_signed_itself(visitor: Visitor, client: Client) -> None:
    page = edited(visitor, account_url())
    answer = client.post(page.url + "/self-signed")
    token = codec.decode(answer.content.decode())
    assert token.claims.iss == token.claims.sub == Account.objects.get().public_key
    assert "no-store" in answer["Cache-Control"]
    assert Unsigned.objects.exists()


def test_limits_mappings_exports_and_revocations_wait_too(visitor: Visitor, client: Client) -> None:
    limits = visitor.open(f"{account_url()}limits")
    assert "an edit waits" in visitor.send(limits, conn="5").text
    client.post(account_url("-unsigned-discard"))
    mapping = visitor.open(reverse("mapping-create", args=_keys()))
    assert "What you save waits" in mapping.text
    export = visitor.open(reverse("export-create", args=_keys()))
    assert "an edit waits" in visitor.send(export, subject="orders.>").text


def _keys() -> list[str]:
    account = Account.objects.select_related("operator").get()
    return [account.operator.public_key, account.public_key]


def test_a_jwt_that_came_by_an_import_meanwhile_is_noticed(visitor: Visitor, there: Elsewhere) -> None:
    page = edited(visitor, url())
    text = signed(there, Unsigned.objects.get().claims)
    importing.perform(principal=make.COMMAND, collected=nscfiles.texts(text))
    assert "stands in the present JWT already" in visitor.open(page.url).text


def test_a_viewer_sees_nothing_of_it(visitor: Visitor, there: Elsewhere) -> None:
    edited(visitor, url())
    viewer = make.client("viewer")  # type: ignore[arg-type]
    for name in ("-unsigned", "-unsigned-claims"):
        assert viewer.get(url(name)).status_code == 403


def test_with_the_key_here_everything_is_signed_at_once(db: None) -> None:
    make.installation()
    there = Elsewhere()
    seeds = {there.operator.public.text: there.operator.seed()}
    adopting.adopt_operator(principal=make.COMMAND, text=there.operator_jwt(), seeds=seeds)
    visitor = Visitor(make.client())
    page = edited(visitor, url())
    assert "Saved operator" in page.text
    assert Operator.objects.get().version == 2
