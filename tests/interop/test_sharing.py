"""Three accounts share streams and services, clicked together, and a real nats-server carries the messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import natsclient, natsserver
from tests.interop.tutorial import Tutorial
from tests.pages import Page

pytestmark = pytest.mark.django_db


@dataclass(slots=True)
class Market:
    """Orders offers, Billing and Audit take; `creds` of one user in each."""

    tutorial: Tutorial
    accounts: dict[str, Page]
    creds: dict[str, Path]

    def open(self, account: str, *links: str) -> Page:
        """A page of an account, found by its links."""
        page = self.tutorial.visitor.open(self.accounts[account].url)
        for link in links:
            page = self.tutorial.visitor.open(page.link(link))
        return page

    def export(self, account: str, **values: Any) -> Page:
        """Add an export by its page."""
        page = self.tutorial.visitor.send(self.open(account, "Exports", "New export"), **values)
        assert "Added the export" in page.text, page.text
        return page

    def take(self, account: str, offered: str, /, **values: Any) -> Page:
        """Choose an export of another account from the list, and import it."""
        page = self.open(account, "Imports", "Exports to import")
        form = self.tutorial.visitor.open(page.link(f"Import {offered} of Orders"))
        made = self.tutorial.visitor.send(form, action="/imports/new", **values)
        assert "Added the import" in made.text, made.text
        return made

    def key(self, account: str) -> str:
        """The account's public key, as its address says."""
        return self.accounts[account].url.partition("?")[0].rstrip("/").rpartition("/")[2]

    def jwt(self, account: str) -> bytes:
        """The account's JWT as it is now, downloaded."""
        folder = self.tutorial.folder
        return self.tutorial.visitor.download(self.accounts[account], "/jwt", folder).read_bytes()


@pytest.fixture
def market(tmp_path: Path) -> Market:
    folder = tmp_path / "downloads"
    folder.mkdir()
    tutorial = Tutorial.begin(folder)
    accounts, creds = {}, {}
    for name in ("Orders", "Billing", "Audit"):
        form = tutorial.visitor.open(
            tutorial.visitor.open(tutorial.operator.link("/accounts/")).link("/accounts/new")
        )
        accounts[name] = tutorial.visitor.send(form, name=name)
        tutorial.account = accounts[name]
        made = tutorial.add_user(f"user-of-{name}")
        assert made is not None
        creds[name] = made
    return Market(tutorial, accounts, creds)


def test_streams_and_services_reach_the_accounts_that_import_them_under_their_own_names(
    market: Market, nats: natsserver.Stable
) -> None:
    market.export("Orders", type="stream", subject="orders.*.*")
    market.export("Orders", type="service", subject="api.>", token_req=True)
    market.export("Orders", type="service", subject="own.*.ask", account_token_position="2")
    market.take("Billing", "orders.*.*", subject="orders.eu.*", local_subject="")
    market.take("Audit", "orders.*.*", local_subject="seen.$2.by.$1")
    taken = market.take("Billing", "api.>", subject="api.price.*", local_subject="price.$1")
    assert "Valid" in taken.text
    market.take("Audit", "own.*.ask")
    url = nats.start(market.tutorial.config(resolver="memory")).url
    orders, billing, audit = (market.creds[name] for name in ("Orders", "Billing", "Audit"))

    assert natsclient.hears(url, billing, "orders.>", orders, "orders.eu.new") == "orders.eu.new"
    assert natsclient.hears(url, billing, "orders.>", orders, "orders.us.new") is None
    assert natsclient.hears(url, audit, "seen.>", orders, "orders.us.new") == "seen.new.by.us"
    assert natsclient.hears(url, orders, "orders.>", billing, "orders.eu.new") is None
    assert natsclient.answers(url, billing, "price.apple", orders, "api.>") == "api.price.apple"
    assert natsclient.answers(url, audit, "price.apple", orders, "api.>") is None
    assert natsclient.answers(url, audit, "own.ask", orders, "own.*.ask") == f"own.{market.key('Audit')}.ask"
    assert natsclient.answers(url, billing, "own.ask", orders, "own.*.ask") is None


def push(market: Market, url: str, *accounts: str) -> None:
    """Send the new JWTs of accounts to the servers, as the page after a change says."""
    system = market.tutorial.system_creds()
    for name in accounts:
        answer = natsclient.request(url, system, "$SYS.REQ.CLAIMS.UPDATE", market.jwt(name))
        assert '"code":200' in answer, answer


@pytest.mark.parametrize("kind", ["stream", "service"])
def test_a_revoked_activation_stops_the_import_until_it_is_renewed(
    market: Market, nats: natsserver.Stable, kind: str
) -> None:
    market.export("Orders", type=kind, subject="orders.new", token_req=True)
    market.take("Billing", "orders.new")
    market.take("Audit", "orders.new")
    url = nats.start(market.tutorial.config(resolver="full", preload="all")).url
    orders, billing, audit = (market.creds[name] for name in ("Orders", "Billing", "Audit"))

    def reaches(importer: Path) -> bool:
        if kind == "stream":
            return natsclient.hears(url, importer, "orders.new", orders, "orders.new") is not None
        return natsclient.answers(url, importer, "orders.new", orders, "orders.new") is not None

    assert reaches(billing)
    assert reaches(audit)

    visitor = market.tutorial.visitor
    tokens = market.open("Orders", "Exports", "Activations")
    assert tokens.text.count("in use") == 2
    form = visitor.open(link_of(tokens, market.key("Billing"), "Revoke activation"))
    assert "“Billing” can no longer import orders.new" in form.text
    visitor.send(form, action="/revoke")
    push(market, url, "Orders")
    assert not reaches(billing)
    assert reaches(audit)

    listed = market.open("Billing", "Imports")
    assert "Revoked" in listed.text
    renewed = visitor.send(visitor.open(listed.link("Renew the token of orders.new")), token_expires="1d")
    assert "Renewed the token" in renewed.text
    push(market, url, "Billing")
    assert reaches(billing)


def link_of(page: Page, key: str, words: str) -> str:
    """The first link so called in the table row that shows this key."""
    row = next(part for part in page.html.split("<tr>") if key in part)
    return next(link for text, link in page.links if text.startswith(words) and f'href="{link}"' in row)


def test_an_activation_that_was_handed_over_as_a_file_opens_the_export(
    market: Market, nats: natsserver.Stable
) -> None:
    page = market.export("Orders", type="stream", subject="orders.>", token_req=True)
    visitor, key = market.tutorial.visitor, market.key("Billing")
    form = visitor.open(page.link("New activation"))
    page = visitor.send(form, target=key, subject="orders.eu.>", expires="1d")
    file = visitor.download(page, "/jwt", market.tutorial.folder)
    form = market.open("Billing", "Imports", "New import")
    made = visitor.send(
        form, account=market.key("Orders"), type="stream", subject="orders.eu.new", token=file.read_text()
    )
    assert "Added the import" in made.text, made.text
    url = nats.start(market.tutorial.config(resolver="memory")).url
    orders, billing = market.creds["Orders"], market.creds["Billing"]
    assert natsclient.hears(url, billing, ">", orders, "orders.eu.new") == "orders.eu.new"


def test_what_the_pages_call_broken_the_server_leaves_out(market: Market, nats: natsserver.Stable) -> None:
    """Each of these is accepted with its warning, and nats-server says nothing but does nothing either."""
    market.export("Orders", type="stream", subject="private", token_req=True)
    visitor = market.tutorial.visitor
    for subject in ("private", "nowhere"):
        form = market.open("Billing", "Imports", "New import")
        first = visitor.send(form, account="Orders", type="stream", subject=subject, minting="none")
        assert first.status == 422
        accepted = visitor.send(first, accept=first.response.context["form"].preview.code)
        assert "Added the import" in accepted.text, accepted.text
    assert market.open("Billing", "Imports").text.count("Warning") == 2
    url = nats.start(market.tutorial.config(resolver="memory")).url
    for subject in ("private", "nowhere"):
        assert (
            natsclient.hears(url, market.creds["Billing"], subject, market.creds["Orders"], subject) is None
        )
