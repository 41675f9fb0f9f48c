"""The nsc tutorial, done by somebody who only sees the pages."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management import call_command

from tests.make import PASSWORD
from tests.pages import Page, Visitor


def become_first_administrator() -> Visitor:
    """Take the one-time link that the first start prints, and choose name and password."""
    printed = io.StringIO()
    call_command("first_admin", stdout=printed)
    visitor = Visitor()
    page = visitor.open(urlsplit(printed.getvalue().split()[-1]).path)
    page = visitor.send(page, username="alice", password=PASSWORD, again=PASSWORD)
    assert page.status == 200, page.text
    assert "alice" in page.text
    return visitor


@dataclass(slots=True)
class Tutorial:
    """Somebody doing the tutorial; files they download go to `folder`."""

    visitor: Visitor
    folder: Path
    operator: Page
    account: Page
    users: dict[str, Page] = field(default_factory=dict)

    @classmethod
    def begin(cls, folder: Path, **options: Any) -> Tutorial:
        """Create operator and account: `nsc add operator`, `nsc add account`."""
        visitor = become_first_administrator()
        page = visitor.open("/")
        page = visitor.open(visitor.open(page.link("Operators")).link("/operators/new"))
        operator = visitor.send(page, name="Test", **options)
        assert "Created operator “Test”" in operator.text, operator.text
        page = visitor.open(visitor.open(operator.link("/accounts/")).link("/accounts/new"))
        account = visitor.send(page, name="TestAccount")
        assert "Created account “TestAccount”" in account.text, account.text
        return cls(visitor, folder, operator, account)

    def add_user(self, name: str, **values: Any) -> Path | None:
        """`nsc add user`, then download the creds where the page offers them."""
        page = self.visitor.open(self.visitor.open(self.account.link("/users/")).link("/users/new"))
        made = self.visitor.send(page, name=name, **values)
        assert f"Created user “{name}”" in made.text, made.text
        self.users[name] = made
        return self.creds(made) if any(form.action.endswith("/creds") for form in made.forms) else None

    def creds(self, user: Page) -> Path:
        """Download the creds of a user."""
        return self.visitor.download(user, "/creds", self.folder)

    def system_creds(self) -> Path:
        """The creds of the system account's user, found by going there."""
        accounts = self.visitor.open(self.operator.link("/accounts/"))
        system = self.visitor.open(accounts.link("SYS"))
        users = self.visitor.open(system.link("/users/"))
        return self.creds(self.visitor.open(users.link("sys")))

    def config(self, **options: str) -> str:
        """The server configuration with these options, downloaded."""
        page = self.visitor.open(self.operator.link("/config"), options)
        assert page.status == 200, page.text
        return self.visitor.download(page, "/config/download", self.folder).read_text()

    def account_jwt(self) -> bytes:
        """The account's JWT as it is now, downloaded."""
        return self.visitor.download(self.account, "/jwt", self.folder).read_bytes()

    def delete_user(self, name: str) -> Page:
        """Delete a user by typing its name; revoking it is ticked already."""
        page = self.visitor.open(self.visitor.open(self.users[name].url).link("/delete"))
        page = self.visitor.send(page, confirm=name)
        assert f"Deleted and revoked user “{name}”" in page.text, page.text
        return page

    @property
    def account_key(self) -> str:
        """The account's public key, as its address says."""
        return urlsplit(self.account.url).path.rstrip("/").rpartition("/")[2]
