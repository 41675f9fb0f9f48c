"""A cluster of real nats-servers of one operator: each node can be stopped and come back with what it had stored."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from identities.formats.creds import parse_creds
from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Cluster, Operator, User
from identities.resolver.plan import TestUser
from identities.resolver.system import SystemLink, Target
from identities.services import clock, configs, creds
from tests import make, natsserver

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Nodes:
    """The servers, in the order of their names n1, n2 …"""

    operator: Operator
    servers: list[natsserver.NatsServer]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients connect, n1 first."""
        return tuple(server.url for server in self.servers)

    def __getitem__(self, index: int) -> natsserver.NatsServer:
        return self.servers[index]


def start(
    nats: natsserver.Stable,
    operator: Operator,
    count: int = 1,
    *,
    resolver: Resolver = Resolver.FULL,
    others: Resolver | None = None,
    allow_delete: bool = True,
    preload_all: bool = False,
    extra: str = "",
    url: str = "",
) -> Nodes:
    """Start `count` servers that know each other; every one has a store of its own and the system account preloaded.

    `others`: the resolver of all but the first. `url`: where a URL resolver fetches accounts.
    """
    routes = [natsserver.free_port() for _ in range(count)]
    first, rest = (
        config(operator, resolver=one, allow_delete=allow_delete, preload_all=preload_all, url=url)
        for one in (resolver, others or resolver)
    )
    started = [
        nats.start(
            f"server_name: n{number}\n{extra}\n{_cluster(routes, number)}\n{first if number == 1 else rest}"
        )
        for number in range(1, count + 1)
    ]
    nodes = Nodes(operator, started)
    if count > 1:
        natsserver.eventually(lambda: _routed(nodes), "the servers finding each other", 20)
    return nodes


def config(
    operator: Operator,
    *,
    resolver: Resolver = Resolver.FULL,
    allow_delete: bool = True,
    preload_all: bool = False,
    url: str = "",
) -> str:
    """What a node of this operator runs with, but for its name and its neighbours."""
    operator = Operator.objects.select_related("token").get(pk=operator.pk)
    full = {"allow_delete": allow_delete} if resolver is Resolver.FULL else {}
    wanted = ServerConfig(
        resolver=resolver,
        operator_name="",
        operator_jwt="",
        system_account=operator.system_account,
        url=url,
        dir="" if resolver in (Resolver.MEMORY, Resolver.URL) else "./jwt",
        **full,
    )
    written = configs.write(principal=make.COMMAND, operator=operator, wanted=wanted, preload_all=preload_all)
    return written.text


def system_user(operator: Operator) -> TestUser:
    """The user that `nsc add operator --sys` makes, as it logs in."""
    parsed = parse_creds(creds.creds_file(principal=make.COMMAND, user=_sys(operator)).text)
    return TestUser(name="sys", jwt=parsed.jwt, seed=parsed.seed)


@contextmanager
def linked(nodes: Nodes, at: int = 0) -> Iterator[SystemLink]:
    """A system connection to one node."""
    target = Target(urls=(nodes[at].url,), allow_loopback=True)
    with SystemLink(target, system_user(nodes.operator)) as link:
        yield link


def _cluster(routes: Sequence[int], number: int) -> str:
    if len(routes) == 1:
        return ""
    others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    return f'cluster {{ name: test, listen: "127.0.0.1:{routes[number - 1]}", routes: [{others}] }}'


def _routed(nodes: Nodes) -> bool:
    with linked(nodes) as link:
        found = link.ask("$SYS.REQ.SERVER.PING.IDZ", expect=len(nodes.servers), seconds=0.3)
    return len(found.payloads) == len(nodes.servers)


def cluster(nodes: Nodes, name: str = "", **columns: Any) -> Cluster:
    """The row of a cluster that is reached at the first node, as the user `sys`; columns as given."""
    moment = clock.now()
    values = {
        "name": name or "Test cluster",
        "name_fold": (name or "Test cluster").casefold(),
        "urls": "\n".join(nodes.urls),
        "user": _sys(nodes.operator),
        "created_at": moment,
        "updated_at": moment,
        "updated_by": "test",
        **columns,
    }
    return Cluster.objects.create(operator=nodes.operator, **values)


def _sys(operator: Operator) -> User:
    return User.objects.select_related("account__operator", "operator", "token").get(
        operator=operator, account__public_key=operator.system_account, name="sys"
    )
