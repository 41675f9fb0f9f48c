"""Drift is mended both ways with a real server: ours is delivered, theirs is adopted to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from identities.management.commands.worker import HANDLERS
from identities.models import Account, AuditEvent, Delivery, Holding, JobState
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import accounts, comparing, drifting, jobs, links
from tests import make, natsserver, nodes
from tests.interop.test_drift import push, signed, states

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def test_a_comparison_is_a_job_of_the_worker(nats: natsserver.Stable) -> None:
    operator = make.operator()
    make.account(operator, "missing")
    cluster = nodes.cluster(nodes.start(nats, operator))
    job = drifting.compare(principal=make.COMMAND, cluster=cluster)
    assert drifting.compare(principal=make.COMMAND, cluster=cluster) == job  # one at a time
    assert jobs.work_once(HANDLERS)
    done = drifting.latest(cluster)
    assert done is not None
    assert (done.state, jobs.result_of(done)) == (JobState.DONE, {"counts": {"same": 1, "missing": 1}})
    assert states(cluster) == {"n1": {"SYS": "same", "missing": "missing"}}
    cluster.refresh_from_db()
    assert cluster.compared_at is not None


def test_what_is_missing_or_older_is_delivered_and_nothing_else(nats: natsserver.Stable) -> None:
    operator = make.operator()
    rows = {name: make.account(operator, name) for name in ("same", "missing", "older", "newer", "gone")}
    one = nodes.start(nats, operator)
    push(
        one, 0, rows["same"].token.text, signed(rows["older"], -5), signed(rows["newer"], 5, name="theirs"),
        rows["gone"].token.text,
    )  # fmt: skip
    accounts.delete(principal=make.COMMAND, account=rows["gone"], version=rows["gone"].version)
    cluster = nodes.cluster(one)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    Delivery.objects.all().delete()
    assert drifting.deliver(principal=make.COMMAND, cluster=cluster) == 2
    assert set(Delivery.objects.values_list("account_key", flat=True)) == {
        rows["missing"].public_key,
        rows["older"].public_key,
    }
    assert "2 accounts" in AuditEvent.objects.latest("seq").summary


def test_a_newer_jwt_of_an_account_of_ours_is_adopted_to_the_byte(nats: natsserver.Stable) -> None:
    operator = make.operator()
    row = make.account(operator, "team")
    one = nodes.start(nats, operator)
    theirs = signed(row, 5, name="theirs")
    push(one, 0, theirs)
    cluster = nodes.cluster(one)
    job = drifting.adopt(principal=make.COMMAND, cluster=cluster, account_key=row.public_key)
    assert jobs.work_once(HANDLERS)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    row.refresh_from_db()
    assert row.token.text == theirs
    assert row.name == "theirs"
    assert drifting.adoption(cluster, row.public_key) == job


def test_an_account_that_was_never_here_is_adopted_and_a_deleted_one_is_not(nats: natsserver.Stable) -> None:
    operator = make.operator()
    deleted = make.account(operator, "deleted")
    public = KeyPair.create(KeyKind.ACCOUNT).public.text
    text = signed(deleted, 0, sub=public, name="made with nsc", source=None)
    one = nodes.start(nats, operator)
    push(one, 0, text, deleted.token.text)
    accounts.delete(principal=make.COMMAND, account=deleted, version=deleted.version)
    cluster = nodes.cluster(one)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert set(Holding.objects.filter(state="extra").values_list("account_key", flat=True)) == {
        public,
        deleted.public_key,
    }
    for key in (public, deleted.public_key):
        drifting.adopt(principal=make.COMMAND, cluster=cluster, account_key=key)
        assert jobs.work_once(HANDLERS)
    assert Account.objects.live().get(public_key=public).token.text == text
    assert not Account.objects.live().filter(public_key=deleted.public_key).exists()
    job = drifting.adoption(cluster, deleted.public_key)
    assert job is not None
    assert "its key belonged to the deleted account" in jobs.result_of(job)["notes"][0]["message"]


def test_what_no_server_holds_can_not_be_adopted(nats: natsserver.Stable) -> None:
    operator = make.operator()
    cluster = nodes.cluster(nodes.start(nats, operator))
    job = drifting.adopt(principal=make.COMMAND, cluster=cluster, account_key=make.account().public_key)
    assert jobs.work_once(HANDLERS)
    job.refresh_from_db()
    assert (job.state, "No server gave a JWT" in job.error) == (JobState.FAILED, True)


def test_a_cluster_that_is_down_is_told_of(nats: natsserver.Stable) -> None:
    operator = make.operator()
    one = nodes.start(nats, operator)
    cluster = nodes.cluster(one)
    one[0].stop()
    job = drifting.compare(principal=make.COMMAND, cluster=cluster)
    assert jobs.work_once(HANDLERS)
    job.refresh_from_db()
    assert (job.state, "Nothing listens" in job.error) == (JobState.FAILED, True)


def test_viewers_change_nothing(nats: natsserver.Stable) -> None:
    operator = make.operator()
    cluster = nodes.cluster(nodes.Nodes(operator, []))
    viewer = make.principal(Role.VIEWER)
    for doing in (
        lambda: drifting.compare(principal=viewer, cluster=cluster),
        lambda: drifting.deliver(principal=viewer, cluster=cluster),
        lambda: drifting.adopt(principal=viewer, cluster=cluster, account_key=operator.system_account),
    ):
        with pytest.raises(Forbidden):
            doing()
