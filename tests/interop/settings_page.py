"""Somebody at an account's pages, with a real nats-server that is told of each change they make."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from identities.models import Account
from tests import natsclient, natsserver
from tests.interop.tutorial import Tutorial
from tests.pages import Page

JETSTREAM = '\njetstream { store_dir: "./jetstream", max_mem: 64M, max_file: 64M }\n'


@dataclass(slots=True)
class Setting:
    """Somebody who sets things on the account's pages, and a server that is told of each change."""

    tutorial: Tutorial
    server: natsserver.NatsServer
    system: Path
    creds: Path
    more: dict[str, Path] = field(default_factory=dict)

    def page(self, ending: str) -> Page:
        """A dialog of the account, by its address."""
        return self.tutorial.visitor.open(urlsplit(self.tutorial.account.url).path + ending)

    def save(self, ending: str, **values: Any) -> Page:
        """Fill in a dialog, accept what it says, and give the server the account's new JWT."""
        path = urlsplit(self.tutorial.account.url).path + ending
        page = self.tutorial.visitor.send(self.page(ending), action=path, **values)
        if page.status == 422 and (preview := page.response.context["form"].preview):
            page = self.tutorial.visitor.send(page, accept=preview.code)
        assert page.status == 200, page.text
        self.push()
        return page

    def push(self) -> None:
        """Give the server the account's JWT as it is now."""
        jwt = self.tutorial.account_jwt()
        answer = natsclient.request(self.server.url, self.system, "$SYS.REQ.CLAIMS.UPDATE", jwt)
        assert '"code":200' in answer, answer

    def info(self) -> dict[str, Any]:
        """What the server says about the account."""
        subject = f"$SYS.REQ.ACCOUNT.{self.tutorial.account_key}.INFO"
        told: dict[str, Any] = json.loads(natsclient.request(self.server.url, self.system, subject, b""))
        found: dict[str, Any] = told["data"]
        return found

    def account(self) -> Account:
        """The account's row."""
        return Account.objects.select_related("operator").get(public_key=self.tutorial.account_key)


def begun(tmp_path: Path, nats: natsserver.Stable) -> Setting:
    """The tutorial's account with a user that may do everything, on a server with JetStream and a full resolver."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    tutorial = Tutorial.begin(folder)
    creds = tutorial.add_user("TestUser")
    assert creds is not None
    server = nats.start(tutorial.config(resolver="full", preload="all") + JETSTREAM)
    return Setting(tutorial, server, tutorial.system_creds(), creds)


async def until(true: Any) -> None:
    """Wait until something is true, and not longer than a client waits."""
    for _ in range(int(natsclient.PATIENCE * 100)):
        if true():
            return
        await asyncio.sleep(0.01)
