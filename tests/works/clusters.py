"""Clusters, what is delivered to them, and webhooks."""

from __future__ import annotations

from typing import Any

from identities.models import Delivery, User
from identities.nkeys import KeyKind, KeyPair
from identities.resolver.drafts import ClusterDraft, WebhookDraft
from identities.services import (
    biting,
    choosing,
    client_tests,
    cluster_tests,
    cluster_users,
    clusters,
    drifting,
    removing,
    stakes,
    webhook_messages,
    webhooks,
)
from identities.services.delivering_checks import digest
from tests import make
from tests.works.sample import WHO, Sample, Work

HOOK = WebhookDraft(name="Other", url="https://example.com/other")
CLUSTER = ClusterDraft(name="New", urls=("nats://nats.example.com:4222",))


def _choose_system_user(at: Sample) -> object:
    key = User.objects.get(operator=at.operator, name="sys").public_key
    return cluster_users.choose(**WHO, cluster=at.cluster, public_key=key, version=at.cluster.version)


def _client_test(at: Sample) -> object:
    wish = client_tests.Wish(trial=client_tests.Trial.RTT, url="nats://localhost:4222")
    return client_tests.start(**WHO, user=at.user, wish=wish)


def _held(at: Sample) -> dict[str, Any]:
    """The account of which servers hold a newer JWT."""
    row = Delivery.objects.get(account_key=at.other.public_key)
    return {**WHO, "account": at.other, "cluster": at.cluster, "found": digest(row.found)}


WORKS: dict[str, Work] = {
    "webhooks.create": lambda at: make.webhook(at.operator),
    "webhooks.edit": lambda at: webhooks.edit(**WHO, hook=at.hook, draft=HOOK),
    "webhooks.switch": lambda at: webhooks.switch(**WHO, hook=at.hook, on=False),
    "webhooks.new_secret": lambda at: webhooks.new_secret(**WHO, hook=at.hook),
    "webhooks.delete": lambda at: webhooks.delete(**WHO, hook=at.hook),
    "webhook_messages.try_out": lambda at: webhook_messages.try_out(**WHO, hook=at.hook),
    "webhook_messages.send_again": lambda at: webhook_messages.send_again(
        **WHO, hook=at.hook, number=at.message
    ),
    "client_tests.start": _client_test,
    "cluster_tests.start": lambda at: cluster_tests.start(**WHO, cluster=at.cluster),
    "biting.disconnect": lambda at: biting.disconnect(**WHO, user=at.user),
    "biting.again": lambda at: biting.again(**WHO, account=at.account, job=at.lockout),
    "clusters.create": lambda at: clusters.create(**WHO, operator=at.operator, draft=CLUSTER),
    "clusters.update": lambda at: clusters.update(
        **WHO, cluster=at.cluster, draft=CLUSTER, version=at.cluster.version
    ),
    "clusters.delete": lambda at: clusters.delete(**WHO, cluster=at.cluster, version=at.cluster.version),
    "clusters.forget_server": lambda at: clusters.forget_server(
        **WHO, cluster=at.cluster, server=at.cluster.servers.get()
    ),
    "cluster_users.make": lambda at: cluster_users.make(
        **WHO, cluster=at.cluster, version=at.cluster.version
    ),
    "cluster_users.renew": lambda at: cluster_users.renew(
        **WHO, cluster=at.cluster, version=at.cluster.version
    ),
    "cluster_users.choose": _choose_system_user,
    "choosing.deliver_now": lambda at: choosing.deliver_now(**WHO, account=at.account),
    "choosing.keep_theirs": lambda at: choosing.keep_theirs(**_held(at)),
    "choosing.replace_theirs": lambda at: choosing.replace_theirs(**_held(at)),
    "drifting.compare": lambda at: drifting.compare(**WHO, cluster=at.cluster),
    "drifting.deliver": lambda at: drifting.deliver(**WHO, cluster=at.cluster),
    "drifting.adopt": lambda at: drifting.adopt(
        **WHO, cluster=at.cluster, account_key=KeyPair.create(KeyKind.ACCOUNT).public.text
    ),
    "stakes.ask": lambda at: stakes.ask(**WHO, operator=at.operator, public_key=at.account.public_key),
    "removing.remove": lambda at: removing.remove(
        **WHO, operator=at.operator, public_key=KeyPair.create(KeyKind.ACCOUNT).public.text
    ),
}
