"""What a manifest says is what a real nats-server then does: across accounts, for roles, with and without a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Account, Operator, User
from identities.services import configs, creds, manifests
from tests import make, natsclient, natsserver

pytestmark = [pytest.mark.django_db, pytest.mark.server]

WHO: Any = {"principal": make.COMMAND}
TEXT = """\
operator: {name: acme}
accounts:
  - name: billing
    imports:
      - {subject: orders.>, type: stream, account: orders, local_subject: seen.>}
      - {subject: api.price, type: service, account: orders, local_subject: price}
    users: [{name: clerk}]
  - name: audit
    users: [{name: reader}]
  - name: orders
    signing_keys:
      - plain
      - role: worker
        template: {pub: {allow: ["orders.{{name()}}"]}, sub: {allow: [_INBOX.>]}}
    exports:
      - {subject: orders.>, type: stream}
      - {subject: api.price, type: service, token_req: true}
    users:
      - {name: server}
      - {name: alice, role: worker}
"""


def creds_of(operator: Operator, name: str, folder: Path) -> Path:
    user = User.objects.live().select_related("account__operator").get(operator=operator, name=name)
    path = folder / f"{name}.creds"
    path.write_text(creds.creds_file(**WHO, user=user).text)
    return path


def test_an_applied_manifest_carries_messages_across_accounts(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    acme = make.operator("acme", require_signing_keys=True)
    manifests.apply(**WHO, operator=acme, data=TEXT)
    acme.refresh_from_db()
    wanted = ServerConfig(
        resolver=Resolver.FULL, operator_name="", operator_jwt="", system_account=acme.system_account
    )
    text = configs.write(**WHO, operator=acme, wanted=wanted, preload_all=True).text
    url = nats.start(text).url
    server, alice, clerk, reader, system = (
        creds_of(acme, name, tmp_path) for name in ("server", "alice", "clerk", "reader", "sys")
    )
    assert natsclient.hears(url, clerk, "seen.>", server, "orders.new") == "seen.new"
    assert natsclient.hears(url, clerk, "seen.>", alice, "orders.alice") == "seen.alice"
    assert natsclient.hears(url, clerk, "seen.>", alice, "orders.bob") is None, "the role says by whom"
    assert natsclient.answers(url, clerk, "price", server, "api.price") == "api.price"
    assert natsclient.hears(url, reader, "seen.>", server, "orders.new") is None

    more = TEXT.replace(
        "  - name: audit\n",
        "  - name: audit\n    imports: [{subject: orders.>, type: stream, account: orders, local_subject: log.>}]\n",
    ).replace(
        "    imports:\n      - {subject: orders.>, type: stream, account: orders, local_subject: seen.>}\n",
        "    imports:\n",
    )
    done = manifests.apply(**WHO, operator=acme, data=more, prune=True)
    assert [one.name for one in done.edits] == ["billing", "audit"]
    for name in ("billing", "audit"):
        account = Account.objects.get(operator=acme, name=name)
        assert account.token is not None
        answer = natsclient.request(url, system, "$SYS.REQ.CLAIMS.UPDATE", account.token.text.encode())
        assert '"code":200' in answer, answer
    assert natsclient.hears(url, reader, "log.>", server, "orders.new") == "log.new"
    assert natsclient.hears(url, clerk, "seen.>", server, "orders.new") is None
    assert natsclient.answers(url, clerk, "price", server, "api.price") == "api.price", "its token stayed"
