"""What the validation says of imports is what a real nats-server does with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Account, Operator, User
from identities.services import accounts, changes, clock, configs, creds, validating
from tests import make, natsclient, natsserver
from tests.reissued import BEARER, edited, token_for, with_key

pytestmark = pytest.mark.django_db
Build = Callable[[Account, Account], None]


def public(importer: Account, exporter: Account, kind: str, subject: str, exports: str) -> None:
    edited(exporter, exports=(Export(name="e", subject=exports, type=kind),))
    edited(importer, imports=(Import(name="i", subject=subject, account=exporter.public_key, type=kind),))


def private(importer: Account, exporter: Account, **times: Any) -> None:
    edited(exporter, exports=(Export(name="e", subject="p.>", type="stream", token_req=True),))
    token = token_for(exporter, importer, "p.>", **times) if times else ""
    held = Import(name="i", subject="p.a", account=exporter.public_key, type="stream", token=token)
    edited(importer, imports=(held,))


def revoked(importer: Account, exporter: Account) -> None:
    private(importer, exporter, exp=clock.unix() + 1000)
    export = Export(
        name="e",
        subject="p.>",
        type="stream",
        token_req=True,
        revocations={importer.public_key: clock.unix()},
    )
    edited(exporter, exports=(export,))


def positioned(importer: Account, exporter: Account, subject: str) -> None:
    edited(exporter, exports=(Export(name="e", subject="by.*.>", type="stream", account_token_position=2),))
    held = Import(name="i", subject=subject, account=exporter.public_key, type="stream")
    edited(importer, imports=(held,))


def ring(first: Account, second: Account, kind: str, subject: str) -> None:
    for one, other in ((first, second), (second, first)):
        edited(
            one,
            exports=(Export(name="e", subject=subject, type=kind),),
            imports=(Import(name="i", subject=subject, account=other.public_key, type=kind),),
        )


CASES: dict[str, Build] = {
    "public stream": lambda a, b: public(a, b, "stream", "news.a", "news.>"),
    "public service": lambda a, b: public(a, b, "service", "ask", "ask"),
    "no such export": lambda a, b: public(a, b, "stream", "old.a", "news.>"),
    "wider than the export": lambda a, b: public(a, b, "service", "ask.>", "ask.*"),
    "activated": lambda a, b: private(a, b, exp=clock.unix() + 1000),
    "no token": lambda a, b: private(a, b),
    "expired token": lambda a, b: private(a, b, exp=clock.unix() - 1000),
    "revoked": revoked,
    "own key in its place": lambda a, b: positioned(a, b, f"by.{a.public_key}.x"),
    "own key not in its place": lambda a, b: positioned(a, b, f"by.{b.public_key}.x"),
    "wildcard in its place": lambda a, b: positioned(a, b, "by.*.>"),
}
RINGS: dict[str, Build] = {
    "ring of services": lambda a, b: ring(a, b, "service", "ask"),
    "ring of streams": lambda a, b: ring(a, b, "stream", "news"),
}


def config_of(operator: Operator) -> str:
    """A configuration that carries every account."""
    wanted = ServerConfig(
        resolver=Resolver.MEMORY, operator_name="", operator_jwt="", system_account=operator.system_account
    )
    row = Operator.objects.get(pk=operator.pk)
    return configs.write(principal=make.COMMAND, operator=row, wanted=wanted, preload_all=True).text


def creds_of(user: User, folder: Path) -> Path:
    """The user's creds file."""
    user = User.objects.select_related("account__operator", "token").get(pk=user.pk)
    path = folder / f"{user.account.name}-{user.name}.creds"
    path.write_text(creds.creds_file(principal=make.COMMAND, user=user).text)
    return path


class Served:
    """Two accounts on a server, which is asked what it made of their imports."""

    def __init__(self, nats: natsserver.Stable, folder: Path, build: Build) -> None:
        self.operator = make.operator("Op")
        self.accounts = [make.account(self.operator, name) for name in ("Importer", "Exporter")]
        users = [make.user(account, "ann") for account in self.accounts]
        build(*self.accounts)
        self.server = nats.start(config_of(self.operator))
        self.system = creds_of(User.objects.get(account__name="SYS"), folder)
        for user in users:  # a server loads an account when somebody comes
            assert natsclient.lets_in(self.server.url, creds_of(user, folder))

    def complete(self, account: Account) -> bool:
        """Whether the server took every import of the account."""
        subject = f"$SYS.REQ.ACCOUNT.{account.public_key}.INFO"
        told = json.loads(natsclient.request(self.server.url, self.system, subject, b""))["data"]
        invalid = [one for one in told.get("imports") or () if one.get("invalid")]
        return bool(told.get("complete")) and not invalid

    def refused(self) -> dict[str, bool]:
        """By account, whether validation finds fault with one of its imports."""
        found = validating.check(
            principal=make.COMMAND, operator=Operator.objects.get(pk=self.operator.pk), now=clock.unix()
        )
        return {one.name: any("imports" in finding.path for finding in one.findings) for one in found}


@pytest.mark.parametrize("name", CASES)
def test_fault_is_found_with_an_import_exactly_where_the_server_drops_it(
    name: str, nats: natsserver.Stable, tmp_path: Path
) -> None:
    served = Served(nats, tmp_path, CASES[name])
    refused = served.refused()
    assert not refused["Exporter"]
    assert served.complete(served.accounts[0]) is not refused["Importer"], served.server.log


@pytest.mark.parametrize("name", RINGS)
def test_of_a_ring_the_server_drops_what_would_close_it(
    name: str, nats: natsserver.Stable, tmp_path: Path
) -> None:
    served = Served(nats, tmp_path, RINGS[name])
    refused = served.refused()
    assert refused["Importer"] and refused["Exporter"]
    assert not all(served.complete(account) for account in served.accounts)


def test_a_user_is_an_error_or_revoked_exactly_where_the_server_lets_it_not_in(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    account = make.account(make.operator("Op"), "App")
    limits = replace(UserPermissionLimits.unlimited(), sub=Permission(deny=("x.{{tag(team)}}",)))
    role, plain, gone = with_key(account, role="clerk", template=limits), with_key(account), with_key(account)
    row = Account.objects.get(pk=account.pk)
    made = {
        "fine": make.user(row, "fine", signer=plain.public_key),
        "in a team": make.user(row, "in a team", signer=role.public_key, tags=("team:a",)),
        "in no team": make.user(row, "in no team", signer=role.public_key),
        "of a key that is gone": make.user(row, "of a key that is gone", signer=gone.public_key),
        "a bearer": make.user(row, "a bearer", signer=plain.public_key, limits=BEARER),
        "revoked": make.user(row, "revoked", signer=plain.public_key),
    }
    accounts.revoke(principal=make.COMMAND, account=row, entries={made["revoked"].public_key: clock.unix()})
    held = changes.claims_of(Account.objects.get(pk=account.pk)).nats
    keys = tuple(key for key in held.signing_keys if key.key != gone.public_key)
    edited(account, signing_keys=keys, limits=replace(held.limits, disallow_bearer=True))
    operator = Operator.objects.get(pk=account.operator_id)
    found = validating.check(principal=make.COMMAND, operator=operator, now=clock.unix())
    refused = {
        name
        for one in found
        for finding in one.findings
        if finding.grade == "error" or "is revoked" in finding.message
        for name, _ in finding.users
    }
    server = nats.start(config_of(operator))
    kept_out = {
        name for name, user in made.items() if not natsclient.lets_in(server.url, creds_of(user, tmp_path))
    }
    assert refused == kept_out == set(made) - {"fine", "in a team"}
