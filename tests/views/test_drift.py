"""The page of drift: what every server holds, who should look at what, and mending it both ways."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from identities.models import Account, AuditEvent, Cluster, Delivery, Holding, HoldingState, Job, Key, Server
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import accounts, clock, comparing, drifting
from identities.views import shown
from tests import make, nodes

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


def roster(cluster: Cluster, *names: str) -> list[Server]:
    moment = clock.now()
    return [
        Server.objects.create(cluster=cluster, name=name, first_seen_at=moment, seen_at=moment)
        for name in names
    ]


def held(server: Server, account: Account | str, state: HoldingState, iat: int = 0) -> None:
    key = account if isinstance(account, str) else account.public_key
    Holding.objects.create(server=server, account_key=key, state=state, iat=iat, at=clock.now())


@pytest.fixture
def cluster() -> Cluster:
    operator = make.operator()
    made = nodes.cluster(nodes.Nodes(operator, []), name="East", compared_at=clock.now())
    rows = {name: make.account(operator, name) for name in ("fine", "behind", "ahead", "gone")}
    n1, n2 = roster(made, "n1", "n2")
    for server in (n1, n2):
        held(server, rows["fine"], HoldingState.SAME)
    held(n1, rows["behind"], HoldingState.SAME)
    held(n2, rows["behind"], HoldingState.MISSING)
    held(n1, rows["ahead"], HoldingState.NEWER, iat=1_700_000_000)
    held(n1, rows["gone"], HoldingState.EXTRA)
    held(n2, STRANGER, HoldingState.EXTRA)
    accounts.delete(principal=make.COMMAND, account=rows["gone"], version=rows["gone"].version)
    return made


def address(cluster: Cluster, more: str = "") -> str:
    return f"/operators/{cluster.operator.public_key}/clusters/{cluster.pk}/drift{more}"


def page(cluster: Cluster, more: str = "", browser: Any = None) -> str:
    return (browser or make.client()).get(address(cluster, more)).content.decode()  # type: ignore[no-any-return]


def test_another_one_there_is_delivered_again_so_that_somebody_chooses(cluster: Cluster) -> None:
    assert "Deliver again" not in page(cluster)
    Holding.objects.filter(state=HoldingState.NEWER).update(state=HoldingState.DIFFERENT)
    assert "Deliver again" in page(cluster)


def test_every_server_is_counted_and_drifting_accounts_are_listed(cluster: Cluster) -> None:
    text = page(cluster)
    assert "behind" in text
    assert "ahead" in text
    assert "deleted here" in text
    assert "not here" in text
    assert ">fine<" not in text
    assert "1 missing there" in text
    assert "issued" in text


def test_of_a_server_that_does_not_answer_it_is_said_that_this_is_what_was_seen_last(
    cluster: Cluster,
) -> None:
    browser = make.client()
    assert "does not answer" not in page(cluster, browser=browser)
    cluster.servers.filter(name="n2").update(seen_at=clock.now() - timedelta(minutes=1))
    assert page(cluster, browser=browser).count("does not answer: as it was last seen") == 1


def test_one_state_can_be_looked_at_alone(cluster: Cluster) -> None:
    text = page(cluster, "?state=newer")
    assert "ahead" in text
    assert ">behind<" not in text
    assert ">fine<" in page(cluster, "?state=same")
    assert "No account is in this state" in page(cluster, "?state=refused")
    assert page(cluster, "?state=nonsense").count("</tr>") == page(cluster).count("</tr>")


def test_only_what_can_be_taken_over_is_offered(cluster: Cluster) -> None:
    text = page(cluster)
    ahead = Account.objects.get(name="ahead")
    gone = Account.objects.get(name="gone")
    assert address(cluster, f"/{ahead.public_key}/adopt") in text
    assert address(cluster, f"/{STRANGER}/adopt") in text
    assert address(cluster, f"/{gone.public_key}/adopt") not in text


def test_what_was_deleted_there_is_delivered_again_or_deleted_here(cluster: Cluster) -> None:
    fine = Account.objects.get(name="fine")
    home = f"/operators/{cluster.operator.public_key}/accounts/{fine.public_key}"
    assert home not in page(cluster)
    Holding.objects.filter(account_key=fine.public_key, server__name="n2").update(state="deleted", digest="")
    text = page(cluster)
    assert "1 deleted there" in text
    assert f"{home}/delivery/now" in text
    assert f"{home}/delete" in text
    assert "Deliver what is missing, deleted there or older" in text
    assert ">fine<" in page(cluster, "?state=deleted")
    viewer = page(cluster, browser=make.client(Role.VIEWER))
    assert "1 deleted there" in viewer
    assert f"{home}/delivery/now" not in viewer
    assert f"{home}/delete" not in viewer
    Delivery.objects.all().delete()
    make.client().post(address(cluster, "/deliver"))
    assert fine.public_key in Delivery.objects.values_list("account_key", flat=True)
    told = make.client().get(f"{home}/delivery").content.decode()
    assert "Deleted there" in told
    assert "Deliver it again, or delete the account here too." in told


def test_what_expired_there_is_drift_where_a_newer_one_is_here(cluster: Cluster) -> None:
    fine = Account.objects.get(name="fine")
    brief = make.account(cluster.operator, "brief", expires=clock.unix() + 60)
    n2 = cluster.servers.get(name="n2")
    held(n2, brief, HoldingState.EXPIRED)
    Account.objects.filter(pk=brief.pk).update(expires=clock.unix() - 1)
    home = f"/operators/{cluster.operator.public_key}/accounts"
    text = page(cluster)
    assert "All drift 4<" in text
    assert ">brief<" not in text  # nothing is to be delivered in its place
    assert ">brief<" in page(cluster, "?state=expired")
    assert "/delivery/now" not in page(cluster, "?state=expired")
    Holding.objects.filter(account_key=fine.public_key, server=n2).update(
        state="expired", digest="", iat=1_699_990_000, exp=1_700_000_000
    )
    text = page(cluster)
    assert "All drift 5<" in text
    assert "2 expired, removed" in text
    assert f"ended {shown.unix(1_700_000_000).text}" in text
    assert ">fine<" in text
    assert f"{home}/{fine.public_key}/delivery/now" in text
    assert f"{home}/{fine.public_key}/delete" not in text
    Holding.objects.filter(state="missing").delete()
    assert "Deliver what is missing" in page(cluster)
    Delivery.objects.all().delete()
    make.client().post(address(cluster, "/deliver"))
    assert list(Delivery.objects.values_list("account_key", flat=True)) == [fine.public_key]
    told = make.client().get(f"{home}/{fine.public_key}/delivery").content.decode()
    assert "Expired there" in told
    assert "it removed it by itself" in told


def test_what_was_deleted_here_or_has_another_key_can_be_deleted_there(cluster: Cluster) -> None:
    gone, ahead = Account.objects.get(name="gone"), Account.objects.get(name="ahead")
    former = KeyPair.create(KeyKind.ACCOUNT).public.text
    Key.objects.create(
        operator=cluster.operator,
        account=ahead,
        public_key=former,
        kind="account",
        purpose="identity",
        created_at=clock.now(),
        deleted_at=clock.now(),
    )
    held(cluster.servers.get(name="n1"), former, HoldingState.EXTRA)
    text = page(cluster)
    home = f"/operators/{cluster.operator.public_key}/removals"
    assert f"{home}/{gone.public_key}" in text
    assert f"{home}/{former}" in text
    assert "has another key now" in text
    assert f"{home}/{STRANGER}" not in text
    assert address(cluster, f"/{former}/adopt") not in text


def test_long_lists_go_on(cluster: Cluster) -> None:
    server = cluster.servers.get(name="n1")
    for _ in range(60):
        held(server, KeyPair.create(KeyKind.ACCOUNT).public.text, HoldingState.EXTRA)
    browser = make.client()
    first = page(cluster, "?state=extra", browser)
    assert "More accounts" in first
    after = first.split("after=")[-1].split('"')[0]
    second = page(cluster, f"?state=extra&after={after}", browser)
    assert second.count("Adopt theirs") + first.count("Adopt theirs") == 61
    assert "More accounts" not in second


def test_the_buttons_start_what_they_say(cluster: Cluster) -> None:
    browser = make.client()
    assert browser.post(address(cluster, "/compare")).status_code == 302
    assert Job.objects.filter(kind=drifting.COMPARE).count() == 1
    assert "The servers are being asked" in page(cluster, browser=browser)
    assert browser.post(address(cluster, "/deliver")).status_code == 302
    assert (
        list(Delivery.objects.filter(state="waiting").values_list("account_key", flat=True))
        == [Account.objects.get(name="behind").public_key]
        or Delivery.objects.filter(account_key=Account.objects.get(name="behind").public_key).exists()
    )
    assert browser.post(address(cluster, f"/{STRANGER}/adopt")).status_code == 302
    assert Job.objects.filter(kind=drifting.ADOPT).count() == 1


def test_a_viewer_looks_and_starts_nothing(cluster: Cluster) -> None:
    browser = make.client(Role.VIEWER)
    text = page(cluster, browser=browser)
    assert "Compare now" not in text
    assert "Adopt theirs" not in text
    for more in ("/compare", "/deliver", f"/{STRANGER}/adopt"):
        assert browser.post(address(cluster, more)).status_code == 403


def test_nothing_is_sent_while_nothing_changes(cluster: Cluster) -> None:
    browser = make.client()
    text = page(cluster, browser=browser)
    seen = text.split("seen=")[1].split('"')[0]
    asked = {"HTTP_HX_REQUEST": "true"}
    again = address(cluster, f"?state=&after=&seen={seen}")
    assert browser.get(again, **asked).status_code == 204
    held(cluster.servers.get(name="n2"), Account.objects.get(name="ahead"), HoldingState.OLDER)
    assert browser.get(again, **asked).status_code == 200


def test_a_worker_compares_again_when_the_last_comparison_is_old(cluster: Cluster, settings: Any) -> None:
    assert drifting.when_due(cluster) is None
    cluster.compared_at = clock.now() - timedelta(minutes=16)
    before = AuditEvent.objects.count()
    job = drifting.when_due(cluster)
    assert job is not None
    assert job.kind == drifting.COMPARE
    assert drifting.when_due(cluster) is None  # it was begun just now
    Job.objects.all().delete()
    cluster.compared_at = None
    assert drifting.when_due(cluster) is not None
    Job.objects.all().delete()
    settings.NSCWEB_COMPARE_MINUTES = 0
    assert drifting.when_due(cluster) is None
    assert AuditEvent.objects.count() == before


def test_what_a_server_without_a_store_was_not_configured_with_is_missing_and_not_delivered(
    cluster: Cluster,
) -> None:
    Holding.objects.filter(state="missing").update(said=comparing.NOT_GOT)
    assert "Deliver what is missing" in page(cluster)
    cluster.servers.filter(name="n2").update(resolver="other")
    text = page(cluster)
    assert "Deliver what is missing" not in text
    assert "1 missing there" in text
    assert "A MEMORY resolver has only what its configuration preloads" in text
    assert drifting.deliver(principal=make.COMMAND, cluster=cluster) == 0


def test_the_page_costs_few_queries(
    cluster: Cluster, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = make.client()
    with django_assert_max_num_queries(11):
        page(cluster, browser=browser)
