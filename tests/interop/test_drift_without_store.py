"""What servers with a MEMORY or a URL resolver lack is told as missing once they were made to look for it in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from identities.claims import codec
from identities.formats.server_config import Resolver
from identities.models import Account, Cluster
from identities.services import attending, changes, comparing, drifting, links, outbox, signing
from tests import make, natsserver, nodes
from tests.interop.test_drift import compared, said, states

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


@pytest.mark.django_db(transaction=True)
def test_a_server_without_a_store_lacks_what_its_configuration_does_not_preload(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    make.account(operator, "team")
    one = nodes.start(nats, operator, resolver=Resolver.MEMORY, preload_all=True)
    make.account(operator, "later")
    cluster = nodes.cluster(one)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster) == {"n1": {"SYS": "same", "team": "same", "later": "missing"}}
    assert said(cluster, "later") == {"n1": comparing.NOT_GOT}
    outbox.wake_all(principal=make.COMMAND, cluster=cluster)
    attending.once()
    assert states(cluster)["n1"]["later"] == "lazy"  # not loaded, and nobody made it look for it
    assert compared(cluster)["later"] == "missing"
    assert drifting.deliver(principal=make.COMMAND, cluster=cluster) == 0  # it would take nothing over
    one[0].stop()
    again = nodes.start(nats, operator, resolver=Resolver.MEMORY, preload_all=True)
    Cluster.objects.update(urls="\n".join(again.urls))
    assert compared(Cluster.objects.get()) == {"SYS": "same", "team": "same", "later": "same"}
    assert said(cluster, "later") == {"n1": ""}


def test_a_server_with_a_url_lacks_what_it_can_not_fetch(nats: natsserver.Stable) -> None:
    operator = make.operator()
    rows = {name: make.account(operator, name) for name in ("served", "lost", "strange")}
    system = Account.objects.get(public_key=operator.system_account)
    stranger = make.operator()
    texts = {row.public_key: row.token.text for row in (system, rows["served"])}
    with signing.signer_for(signing.account_signer(stranger, changes.claims_of(stranger))) as pair:
        foreign = codec.encode(changes.claims_of(rows["strange"]), pair, rows["strange"].last_iat)
    texts[rows["strange"].public_key] = foreign.text
    with account_server(texts) as url:
        one = nodes.start(nats, operator, resolver=Resolver.URL, url=url)
        cluster = nodes.cluster(one)
        lacking = {"lost": "missing", "strange": "missing"}
        assert compared(cluster) == {"SYS": "same", "served": "same", **lacking}
        assert said(cluster, "lost") == said(cluster, "strange") == {"n1": comparing.NOT_GOT}
        texts[rows["lost"].public_key] = rows["lost"].token.text
        assert compared(cluster) == {"SYS": "same", "served": "same", "lost": "same", "strange": "missing"}


@contextmanager
def account_server(texts: Mapping[str, str]) -> Iterator[str]:
    """The address of an account server that has these JWTs by key, and no others."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = self.path.rpartition("/")[2]
            self.send_response(200 if not key or key in texts else 404)
            self.end_headers()
            self.wfile.write(texts.get(key, "").encode())

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jwt/v1/accounts/"
        finally:
            server.shutdown()
            thread.join()
