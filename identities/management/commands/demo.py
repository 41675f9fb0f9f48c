"""`manage.py demo`: the tutorial's operator, account, users and cluster, and the configuration of a nats-server."""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from identities.claims.drafts import AccountDraft, OperatorDraft, OperatorEdit, UserDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.errors import IdentityError
from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Account, Cluster, Operator, User
from identities.policy.principal import Principal
from identities.resolver.drafts import ClusterDraft
from identities.services import accounts, changes, clusters, configs, operators, secrets, users

OPERATOR, ACCOUNT, CLUSTER = "Test", "TestAccount", "demo"
HOST, PORT = "127.0.0.1", 4222
INBOX = "_INBOX.>"
_ALL = UserPermissionLimits.unlimited()
USERS = {
    "TestUser": _ALL,
    "TestService": replace(_ALL, pub=Permission(allow=(INBOX,)), sub=Permission(allow=("req.a",))),
    "TestClient": replace(_ALL, pub=Permission(allow=("req.a",)), sub=Permission(allow=(INBOX,))),
}
"""The users of the classic tutorial: one who may do everything, one who answers on req.a, one who asks there."""


class Command(BaseCommand):
    """Makes what is missing and leaves the rest as it is; a second run changes nothing but the configuration file."""

    help = (
        "Make the tutorial's operator Test with its account, users and cluster, "
        "and write a nats-server configuration."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The port of the local nats-server."""
        parser.add_argument(
            "--nats-port",
            type=int,
            default=PORT,
            help=f"port of the local nats-server (default {PORT}; 0 takes a free one)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the path of the configuration."""
        principal = Principal.command("demo")
        port = options["nats_port"] or _free_port()
        try:
            secrets.initialise()
            operator = _operator(principal, f"nats://{HOST}:{port}")
            _account(principal, operator)
            _cluster(principal, operator, f"nats://{HOST}:{port}")
            path = _write(principal, operator, port)
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        except DatabaseError as error:
            raise CommandError(f"The database can't be used: {error}. Run manage.py migrate first.") from None
        self.stdout.write(str(path))


def _operator(principal: Principal, url: str) -> Operator:
    operator = Operator.objects.live().filter(name=OPERATOR).first()
    if operator is None:
        return operators.create(principal=principal, draft=OperatorDraft(name=OPERATOR, service_urls=(url,)))
    if not operator.system_account:
        operator = operators.add_system_account(
            principal=principal, operator=operator, version=operator.version
        )
    claims = changes.claims_of(operator)
    if claims.nats.operator_service_urls[:1] != (url,):
        others = [
            other for other in claims.nats.operator_service_urls if not other.startswith(f"nats://{HOST}:")
        ]
        edit = OperatorEdit(
            name=operator.name,
            account_server_url=claims.nats.account_server_url,
            service_urls=(url, *others),
            require_signing_keys=claims.nats.strict_signing_key_usage,
            tags=claims.nats.tags,
            expires=claims.exp,
            not_before=claims.nbf,
        )
        operator = operators.update(
            principal=principal, operator=operator, edit=edit, version=operator.version
        )
    return operator


def _account(principal: Principal, operator: Operator) -> None:
    account = (
        Account.objects.live().filter(operator=operator, name=ACCOUNT).select_related("operator").first()
    )
    if account is None:
        account = accounts.create(principal=principal, operator=operator, draft=AccountDraft(name=ACCOUNT))
    there = set(User.objects.live().filter(account=account).values_list("name", flat=True))
    missing = [UserDraft(name=name, limits=limits) for name, limits in USERS.items() if name not in there]
    if missing:
        users.create_many(principal=principal, account=account, drafts=missing)


def _cluster(principal: Principal, operator: Operator, url: str) -> None:
    """The local server as a cluster, where this machine may be connected to at all."""
    if not settings.NSCWEB_ALLOW_LOOPBACK_SERVERS:
        return
    operator = Operator.objects.get(pk=operator.pk)
    row = Cluster.objects.live().filter(operator=operator, name=CLUSTER).select_related("operator").first()
    draft = ClusterDraft(name=CLUSTER, urls=(url,))
    if row is None:
        clusters.create(principal=principal, operator=operator, draft=draft)
    elif row.urls != url:
        clusters.update(principal=principal, cluster=row, draft=draft, version=row.version)


def _write(principal: Principal, operator: Operator, port: int) -> Path:
    """The configuration, in the data directory: full resolver that may delete accounts, every account preloaded."""
    directory = Path(settings.NSCWEB_DATA_DIR) / "demo"
    directory.mkdir(parents=True, exist_ok=True)
    operator = Operator.objects.select_related("token").get(pk=operator.pk)
    written = configs.write(
        principal=principal,
        operator=operator,
        wanted=ServerConfig(
            resolver=Resolver.FULL,
            operator_name="",
            operator_jwt="",
            system_account=operator.system_account,
            dir=str(directory / "jwt"),
            allow_delete=True,
        ),
        preload_all=True,
    )
    path = directory / "nats.conf"
    path.write_text(f"server_name: demo\nlisten: {HOST}:{port}\n\n{written.text}", encoding="utf-8")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
