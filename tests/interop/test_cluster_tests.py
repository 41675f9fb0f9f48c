"""The connection test against real nats-servers: what is wrong is said in plain words, and what is right too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from identities.claims.drafts import AccountDraft
from identities.formats.server_config import Resolver
from identities.models import Cluster, Job, Operator, Server, User
from identities.nkeys import SecretBytes
from identities.resolver import claims_requests, client_events, holdings, monitoring, surveying
from identities.resolver.connection import Refused
from identities.services import (
    accounts,
    client_tests,
    cluster_tests,
    jobs,
    links,
    operator_keys,
    roster,
    system_accounts,
    system_users,
)
from tests import make, natsserver, nodes, pem

pytestmark = pytest.mark.django_db
FAST = {"connect_seconds": 3.0, "request_seconds": 1.0}


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def outcome(cluster: Cluster) -> dict[str, Any]:
    """What the worker finds."""
    cluster = Cluster.objects.select_related("operator", "user__account").get(pk=cluster.pk)
    job = cluster_tests.start(principal=make.COMMAND, cluster=cluster)
    assert jobs.work_once({cluster_tests.KIND: cluster_tests.HANDLER})
    job = Job.objects.get(pk=job.pk)
    assert job.state == "done", job.error
    assert "SU" + "A" not in job.result and "eyJ" not in job.result
    return jobs.result_of(job)


def texts(found: dict[str, Any], server: int = 0) -> str:
    return " ".join(one["text"] for one in found["servers"][server]["findings"])


def test_all_is_well_with_a_cluster_of_three(nats: natsserver.Stable) -> None:
    three = nodes.start(nats, make.operator(), 3)
    cluster = make.cluster(three.operator, urls=three.urls, **FAST)
    found = outcome(cluster)
    assert (found["ok"], found["summary"]) == (True, "It works. 3 servers answered.")
    assert [at["ok"] for at in found["at"]] == [True, True, True]
    assert {server["name"] for server in found["servers"]} == {"n1", "n2", "n3"}
    assert "runs with this operator's current JWT" in texts(found)
    assert "Full resolver" in texts(found)
    assert "Accounts can be deleted there" in texts(found)
    assert [row.name for row in Server.objects.filter(cluster=cluster).order_by("name")] == ["n1", "n2", "n3"]


@pytest.mark.parametrize(
    ("resolver", "options", "words"),
    [
        (Resolver.FULL, {"allow_delete": False}, "can't be deleted there: set “allow_delete: true”"),
        (Resolver.CACHE, {}, "Cache resolver"),
        (Resolver.MEMORY, {"preload_all": True}, "MEMORY or URL resolver"),
    ],
)
def test_what_there_is_to_know_about_a_resolver_is_said(
    nats: natsserver.Stable, resolver: Resolver, options: dict[str, bool], words: str
) -> None:
    one = nodes.start(nats, make.operator(), resolver=resolver, **options)
    found = outcome(make.cluster(one.operator, urls=one.urls, **FAST))
    assert (found["ok"], found["summary"]) == (True, "It works, with something to know. 1 server answered.")
    assert words in texts(found)


def test_another_operators_key_is_the_likeliest_reason_and_the_search_for_the_account_proves_it(
    nats: natsserver.Stable,
) -> None:
    other = nodes.start(nats, make.operator())
    cluster = make.cluster(make.operator(), urls=other.urls, **FAST)
    found = outcome(cluster)
    assert not found["ok"]
    assert "No address leads to a server that lets us in" in found["summary"]
    (at,) = found["at"]
    assert at["steps"][-1]["said"] == "Authorization Violation"
    assert "It searched for" in at["reasons"][0]
    assert "another operator's key" in at["reasons"][0]
    assert cluster.operator.public_key in at["reasons"][0]


def test_where_the_refusal_comes_at_once_the_reasons_stand_in_their_order(nats: natsserver.Stable) -> None:
    other = nodes.start(nats, make.operator(), resolver=Resolver.MEMORY, preload_all=True)
    cluster = make.cluster(make.operator(), urls=other.urls, **FAST)
    (at,) = outcome(cluster)["at"]
    assert at["reasons"][0].startswith("It runs with another operator's key")
    assert len(at["reasons"]) >= 2


def test_a_server_without_an_operator_is_told(nats: natsserver.Stable) -> None:
    bare = nats.start("server_name: bare\nauthorization { token: secret }")
    cluster = make.cluster(urls=(bare.url,), **FAST)
    (at,) = outcome(cluster)["at"]
    assert "does not run with an operator" in at["steps"][-1]["text"]


def test_a_server_with_another_system_account_of_the_operator_is_told(nats: natsserver.Stable) -> None:
    operator = make.operator()
    cluster = make.cluster(operator, **FAST)
    other = accounts.create(principal=make.COMMAND, operator=operator, draft=AccountDraft(name="SYS2"))
    operator = Operator.objects.get(pk=operator.pk)
    system_accounts.choose(
        principal=make.COMMAND, operator=operator, account=other.public_key, version=operator.version
    )
    one = nodes.start(nats, operator, resolver=Resolver.MEMORY, preload_all=True)
    Cluster.objects.filter(pk=cluster.pk).update(urls=one.urls[0])
    (at,) = outcome(cluster)["at"]
    assert at["steps"][-1]["name"] == "account"
    assert "is not the system account of this server" in at["steps"][-1]["text"]


def test_an_older_operator_jwt_on_the_server_is_told(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    cluster = make.cluster(one.operator, urls=one.urls, **FAST)
    operator = Operator.objects.get(pk=one.operator.pk)
    operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    assert "older JWT of the operator" in texts(outcome(cluster))


def test_an_expired_or_revoked_system_user_is_told_as_what_is_known_here(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    cluster = make.cluster(one.operator, urls=one.urls, **FAST)
    assert cluster.user is not None
    account = system_users.account_of(one.operator)
    assert account is not None
    entries = {cluster.user.public_key: cluster.user.last_iat + 1}
    account = accounts.revoke(principal=make.COMMAND, account=account, entries=entries)
    with nodes.linked(one) as link:
        assert account.token is not None
        (answer,) = link.ask("$SYS.REQ.CLAIMS.UPDATE", account.token.text.encode()).answers
        assert answer.words == "jwt updated"
    (at,) = outcome(cluster)["at"]
    assert not at["ok"]
    assert any("revoked" in text for text in (*at["reasons"], at["steps"][-1]["text"]))


def test_several_addresses_of_which_one_is_dead(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    dead = f"nats://127.0.0.1:{natsserver.free_port()}"
    found = outcome(make.cluster(one.operator, urls=(dead, *one.urls), **FAST))
    assert (found["ok"], found["summary"]) == (False, "1 of 2 addresses work. 1 server answered.")
    assert "Nothing listens" in found["at"][0]["steps"][-1]["text"]


@pytest.mark.parametrize("first", [False, True])
def test_a_real_server_with_tls_wants_its_authority_and_our_certificate(
    nats: natsserver.Stable, tmp_path: Path, first: bool
) -> None:
    ca = pem.authority(tmp_path)
    here, mine = pem.issued(tmp_path, ca, "here", "IP:127.0.0.1"), pem.issued(tmp_path, ca, "mine")
    operator = make.operator()
    tls = (
        f'tls {{ cert_file: "{here.certificate}", key_file: "{here.key}", ca_file: "{ca.certificate}", '
        f"verify: true, handshake_first: {str(first).lower()} }}"
    )
    server = nats.start(f"server_name: n1\n{tls}\n{nodes.config(operator)}")
    url = f"tls://127.0.0.1:{server.port}"
    ours = {"client_cert": mine.certificate_text, "client_key": SecretBytes(mine.key_text.encode())}
    every = {"ca_pem": ca.certificate_text, "tls_first": first, **ours}
    cluster = make.cluster(operator, urls=(url,), **every, **FAST)
    assert outcome(cluster)["ok"]
    with links.linked(cluster) as link:
        assert link.is_up
    (wrong,) = outcome(make.cluster(operator, urls=(url,), **{**every, "ca_pem": ""}, **FAST))["at"]
    assert "not signed by an authority that is trusted" in wrong["steps"][-1]["text"]
    (bare,) = outcome(
        make.cluster(operator, urls=(url,), ca_pem=ca.certificate_text, tls_first=first, **FAST)
    )["at"]
    assert "client certificate" in bare["steps"][-1]["text"]
    (other,) = outcome(make.cluster(operator, urls=(url,), **{**every, "tls_first": not first}, **FAST))["at"]
    assert ("TLS first" in other["steps"][-1]["text"]) and not other["ok"]


def test_the_rights_of_the_system_user_suffice_for_all_that_is_asked_and_go_no_further(
    nats: natsserver.Stable,
) -> None:
    account = make.account()
    one = nodes.start(nats, account.operator)
    cluster = make.cluster(one.operator, urls=one.urls, **FAST)
    assert account.token is not None
    key, text = account.public_key, account.token.text
    with links.linked(cluster) as link:
        link.listen(client_events.SUBJECTS, lambda subject, payload: None)
        (row,) = roster.refresh(cluster, link)
        assert claims_requests.push(link, [(key, text)], servers=1, one_by_one=False)
        assert claims_requests.push(link, [(key, text)], servers=1, one_by_one=True)
        assert claims_requests.look_up(link, [key], servers=1)[0].texts == (text,)
        assert key in next(iter(claims_requests.listed(link, servers=1).values()))
        assert holdings.observe(link, [key]).servers
        assert claims_requests.in_force(link, [key], servers=1)
        claims_requests.stakes(link, key, servers=1)
        told = link.ask_all(
            [monitoring.statz(key), monitoring.jsz(key), monitoring.info(key), monitoring.varz()]
        )
        assert told[0].answers and told[3].answers
        assert monitoring.connections(link, account=cluster.operator.system_account, expect=1)[0].connections
        (refused,) = link.ask_all([monitoring.kick(row.server_id, 999_999)])[0].answers
        assert "no such client" in refused.error
        assert claims_requests.delete(link, surveying.empty_deletion(), servers=1)
        assert link.refusals == ()
        for forbidden in (
            f"$SYS.REQ.SERVER.{row.server_id}.RELOAD",
            "$SYS.REQ.SERVER.PING.PROFILEZ",
            "orders",
        ):
            with pytest.raises(Refused, match="may not publish"):
                link.ask(forbidden, b"{}", seconds=2)


def test_a_cluster_without_a_system_user_can_not_be_tested() -> None:
    cluster = make.cluster(make.operator(system_account=False))
    with pytest.raises(links.NoSystemUser):
        cluster_tests.start(principal=make.COMMAND, cluster=cluster)


def test_a_client_test_reaches_a_cluster_by_its_addresses_and_certificates(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    ca = pem.authority(tmp_path)
    here, mine = pem.issued(tmp_path, ca, "here", "IP:127.0.0.1"), pem.issued(tmp_path, ca, "mine")
    operator = make.operator()
    user = make.user(make.account(operator))
    files = f'cert_file: "{here.certificate}", key_file: "{here.key}", ca_file: "{ca.certificate}"'
    tls = f"tls {{ {files}, verify: true }}"
    memory = nodes.config(operator, resolver=Resolver.MEMORY, preload_all=True)
    server = nats.start(f"server_name: n1\n{tls}\n{memory}")
    dead = f"tls://127.0.0.1:{natsserver.free_port()}"
    cluster = make.cluster(
        operator,
        urls=(dead, f"tls://127.0.0.1:{server.port}"),
        ca_pem=ca.certificate_text,
        client_cert=mine.certificate_text,
        client_key=SecretBytes(mine.key_text.encode()),
        **FAST,
    )
    wish = client_tests.Wish(trial=client_tests.Trial.RTT, url="", cluster=cluster.pk)
    user = User.objects.select_related("account__operator").get(pk=user.pk)
    client_tests.start(principal=make.COMMAND, user=user, wish=wish)
    assert jobs.work_once({client_tests.KIND: client_tests.HANDLER})
    job = Job.objects.get(kind=client_tests.KIND)
    found = jobs.result_of(job)
    assert found["ok"], found.get("summary", job.error)
    assert f"tls://127.0.0.1:{server.port}" in found["events"][0]["text"]
    assert "PRIVATE KEY" not in job.payload + job.result
