from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from identities.claims.permissions import Permission
from identities.errors import IdentityError
from identities.models import AuditEvent, Cluster, Delivery, Key, Server, User
from identities.nkeys import SecretBytes
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.resolver.addresses import AddressRefused
from identities.resolver.drafts import ClusterDraft
from identities.resolver.errors import ResolverError
from identities.services import changes, cluster_users, clusters, links, rotation, secrets, system_users
from identities.services import users as users_service
from tests import make, pem

pytestmark = pytest.mark.django_db
URL = "nats://nats.example.com:4222"


def draft(**options: Any) -> ClusterDraft:
    return ClusterDraft(**{"name": "eu", "urls": (URL,), **options})


def create(**options: Any) -> Cluster:
    return clusters.create(principal=make.COMMAND, operator=make.operator(), draft=draft(**options))


def test_a_new_cluster_has_a_system_user_with_the_rights_that_are_used_and_no_more() -> None:
    cluster = create()
    user = cluster.user
    assert user is not None
    assert user.account.public_key == cluster.operator.system_account
    assert (user.name, user.has_seed, user.expires) == ("nscweb", True, 0)
    rights = changes.claims_of(user).nats.limits
    assert "$SYS.REQ.CLAIMS.UPDATE" in rights.pub.allow
    assert "$SYS.REQ.SERVER.*.KICK" in rights.pub.allow
    assert "_INBOX_nscweb.>" in rights.sub.allow
    assert not any(subject in (">", "$SYS.>", "_INBOX.>") for subject in rights.pub.allow + rights.sub.allow)
    assert not any("RELOAD" in subject or "PROFILEZ" in subject for subject in rights.pub.allow)
    assert system_users.lacking(user) == ()
    event = AuditEvent.objects.order_by("-seq")[0]
    assert (event.action, "“eu”" in event.summary) == ("cluster.create", True)


def test_a_new_cluster_is_to_get_every_live_account() -> None:
    operator = make.operator()
    account = make.account(operator)
    cluster = clusters.create(principal=make.COMMAND, operator=operator, draft=draft())
    waiting = Delivery.objects.filter(cluster=cluster, state="waiting").values_list("account_key", flat=True)
    assert set(waiting) == {account.public_key, operator.system_account}


def test_each_cluster_has_a_system_user_of_its_own_that_may_expire() -> None:
    operator = make.operator()
    first = clusters.create(principal=make.COMMAND, operator=operator, draft=draft(), expires=4_000_000_000)
    second = clusters.create(principal=make.COMMAND, operator=operator, draft=draft(name="us"))
    assert first.user is not None and second.user is not None
    assert (first.user.name, first.user.expires, second.user.name) == ("nscweb", 4_000_000_000, "nscweb-2")


def test_without_a_system_account_a_cluster_is_added_and_says_what_to_do() -> None:
    operator = make.operator(system_account=False)
    cluster = clusters.create(principal=make.COMMAND, operator=operator, draft=draft())
    assert cluster.user is None
    assert "has no system account" in system_users.obstacle(operator)
    with pytest.raises(system_users.NoSystemAccount, match="has no system account"):
        cluster_users.make(principal=make.COMMAND, cluster=cluster, version=cluster.version)


def test_where_the_system_accounts_seeds_are_elsewhere_an_existing_user_can_be_chosen() -> None:
    operator = make.operator()
    account = system_users.account_of(operator)
    assert account is not None
    for key in Key.objects.filter(account=account, user=None):
        Key.objects.filter(pk=key.pk).update(sealed=None)
    assert "can be signed here" in system_users.obstacle(operator)
    cluster = clusters.create(principal=make.COMMAND, operator=operator, draft=draft())
    assert cluster.user is None
    sys = User.objects.get(account=account, name="sys")
    chosen = cluster_users.choose(
        principal=make.COMMAND, cluster=cluster, public_key=sys.public_key, version=cluster.version
    )
    assert chosen.user == sys
    with pytest.raises(IdentityError, match="whose seed is here"):
        cluster_users.choose(
            principal=make.COMMAND,
            cluster=chosen,
            public_key=make.user().public_key,
            version=chosen.version,
        )


def test_under_a_strict_operator_a_signing_key_of_the_system_account_signs_it() -> None:
    cluster = clusters.create(
        principal=make.COMMAND, operator=make.operator(require_signing_keys=True), draft=draft()
    )
    assert cluster.user is not None
    assert cluster.user.issuer != cluster.user.account.public_key
    assert changes.claims_of(cluster.user).nats.issuer_account == cluster.user.account.public_key


def test_renewing_keeps_the_key_and_signs_a_later_jwt() -> None:
    cluster = create()
    before = cluster.user
    assert before is not None and before.token is not None
    renewed = cluster_users.renew(
        principal=make.COMMAND, cluster=cluster, version=cluster.version, expires=4_000_000_000
    ).user
    assert renewed is not None and renewed.token is not None
    assert (renewed.public_key, renewed.expires) == (before.public_key, 4_000_000_000)
    assert renewed.token.iat > before.token.iat
    assert renewed.token.replaces_id == before.token.pk
    again = cluster_users.renew(
        principal=make.COMMAND,
        cluster=Cluster.objects.get(),
        version=cluster.version + 1,
        expires=4_000_000_000,
    ).user
    assert again is not None and again.token is not None and again.token.iat > renewed.token.iat


def test_what_a_chosen_user_lacks_is_named() -> None:
    cluster = create()
    account = system_users.account_of(cluster.operator)
    assert account is not None
    from identities.claims.permissions import UserPermissionLimits

    limits = UserPermissionLimits(
        subs=-1, data=-1, payload=-1,
        pub=Permission(allow=("$SYS.REQ.>",), deny=("$SYS.REQ.SERVER.*.KICK",)),
        sub=Permission(allow=(">",)),
    )  # fmt: skip
    lacking = system_users.lacking(make.user(account, "narrow", limits=limits))
    assert lacking == ("$SYS.REQ.SERVER.*.KICK",)


def test_a_stale_edit_is_refused_and_an_edit_forgets_what_the_last_attempt_came_to() -> None:
    cluster = create()
    Cluster.objects.update(state="down", problem="Nothing listens.")
    renamed = clusters.update(
        principal=make.COMMAND, cluster=cluster, draft=draft(name="EU"), version=cluster.version
    )
    assert (renamed.name, renamed.version, renamed.state) == ("EU", 2, "down")
    other = draft(name="EU", urls=("nats://other.example.com",))
    saved = clusters.update(principal=make.COMMAND, cluster=renamed, draft=other, version=2)
    assert (saved.version, saved.state, saved.problem) == (3, "unknown", "")
    events = AuditEvent.objects.count()
    again = clusters.update(principal=make.COMMAND, cluster=saved, draft=other, version=3)
    assert (again.version, AuditEvent.objects.count()) == (3, events)
    with pytest.raises(changes.StaleWrite, match="was changed by"):
        clusters.update(principal=make.COMMAND, cluster=cluster, draft=draft(), version=cluster.version)


def test_a_name_is_taken_only_among_the_operators_live_clusters() -> None:
    cluster = create()
    with pytest.raises(IdentityError, match="already has a cluster named"):
        clusters.create(principal=make.COMMAND, operator=cluster.operator, draft=draft(name="EU"))
    clusters.create(principal=make.COMMAND, operator=make.operator(), draft=draft())
    clusters.delete(principal=make.COMMAND, cluster=cluster, version=cluster.version)
    assert not Cluster.objects.live().filter(operator=cluster.operator).exists()
    clusters.create(principal=make.COMMAND, operator=cluster.operator, draft=draft())


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        ((), "at least one"),
        (("http://a",), "Only nats, tls, ws and wss"),
        (("nats://169.254.169.254",), "link-local address or a cloud's metadata"),
        (("nats://a", "nats://[fe80::1]:4222"), "link-local"),
        (("nats://me:secret@h",), "Leave out the user and password"),
        (("nats://127.0.0.1:4222",), "loopback"),
        (tuple(f"nats://n{number}" for number in range(17)), "17 addresses"),
    ],
)
def test_addresses_that_may_not_be_connected_to_are_refused(
    urls: tuple[str, ...], words: str, settings: Any
) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = False
    with pytest.raises(AddressRefused, match=words) as refused:
        create(urls=urls)
    assert refused.value.field == "urls"
    assert "secret" not in refused.value.user_message


def test_loopback_is_taken_where_the_setting_allows_it(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True
    assert create(urls=("nats://127.0.0.1",)).urls == "nats://127.0.0.1:4222"


@pytest.mark.parametrize("seconds", [0.0, 0.05, 31, float("nan")])
def test_times_have_bounds(seconds: float) -> None:
    with pytest.raises(IdentityError, match=r"from 0\.1 to 30 seconds"):
        create(connect_seconds=seconds)


@pytest.fixture
def pair(tmp_path: Path) -> pem.Pair:
    return pem.authority(tmp_path)


def key_of(pair: pem.Pair) -> SecretBytes:
    return SecretBytes(pair.key_text.encode())


def test_a_private_key_is_sealed_kept_and_thrown_away_with_its_certificate(pair: pem.Pair) -> None:
    cluster = create(client_cert=pair.certificate_text, client_key=key_of(pair))
    assert cluster.client_key is not None
    assert pair.key_text.encode() not in bytes(cluster.client_key)
    with links.client_key(cluster) as key:
        assert key is not None and key.reveal().decode() == pair.key_text
    kept = clusters.update(
        principal=make.COMMAND,
        cluster=cluster,
        draft=draft(client_cert=pair.certificate_text),
        version=cluster.version,
    )
    with links.client_key(Cluster.objects.get()) as key:
        assert key is not None and key.reveal().decode() == pair.key_text
    clusters.update(principal=make.COMMAND, cluster=kept, draft=draft(), version=kept.version)
    assert Cluster.objects.get().client_key is None


def test_certificate_and_key_have_to_fit(pair: pem.Pair, tmp_path: Path) -> None:
    other = pem.authority(tmp_path, "other")
    for options, field, words in (
        ({"client_cert": pair.certificate_text}, "client_key", "needs its private key"),
        ({"client_key": key_of(pair)}, "client_cert", "needs its certificate"),
        ({"client_cert": pair.certificate_text, "client_key": key_of(other)}, "client_cert", "do not belong"),
        ({"ca_pem": "-----BEGIN CERTIFICATE-----\nx"}, "ca_pem", "not in PEM form"),
    ):
        with pytest.raises(IdentityError, match=words) as refused:
            create(**options)
        assert refused.value.field == field
    cluster = create(client_cert=pair.certificate_text, client_key=key_of(pair))
    with pytest.raises(ResolverError, match="do not belong"):
        clusters.update(
            principal=make.COMMAND,
            cluster=cluster,
            draft=draft(client_cert=other.certificate_text),
            version=cluster.version,
        )


def test_a_rotated_master_key_reseals_the_private_keys_of_clusters(
    pair: pem.Pair, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    cluster = create(client_cert=pair.certificate_text, client_key=key_of(pair))
    seen = []
    plain = secrets.reseal

    def reseal(blob: bytes, *, table: str, public_key: str, purpose: str) -> bytes:
        seen.append((table, public_key, purpose))
        return plain(blob, table=table, public_key=public_key, purpose=purpose)

    monkeypatch.setattr(secrets, "reseal", reseal)
    rotation.reseal_all(principal=make.COMMAND)
    assert ("cluster", str(cluster.pk), links.CLIENT_KEY) in seen
    with links.client_key(Cluster.objects.get()) as key:
        assert key is not None and key.reveal().decode() == pair.key_text


def test_a_forgotten_server_is_gone_from_the_roster() -> None:
    cluster = create()
    gone, stays = make.server(cluster, "n1"), make.server(cluster, "n2")
    clusters.forget_server(principal=make.COMMAND, cluster=cluster, server=gone)
    assert list(Server.objects.all()) == [stays]
    assert "Forgot server “n1”" in AuditEvent.objects.order_by("-seq")[0].summary


def test_clusters_are_for_administrators_of_the_operator() -> None:
    cluster = create()
    viewer = make.principal(Role.VIEWER)
    work: list[Any] = [
        lambda: clusters.create(principal=viewer, operator=cluster.operator, draft=draft(name="b")),
        lambda: clusters.update(principal=viewer, cluster=cluster, draft=draft(), version=1),
        lambda: clusters.delete(principal=viewer, cluster=cluster, version=1),
        lambda: cluster_users.make(principal=viewer, cluster=cluster, version=1),
        lambda: cluster_users.renew(principal=viewer, cluster=cluster, version=1),
        lambda: cluster_users.choose(principal=viewer, cluster=cluster, public_key="", version=1),
    ]
    for each in work:
        with pytest.raises(Forbidden):
            each()


def test_renewing_a_suspended_or_missing_user_says_so() -> None:
    from identities.services import suspensions

    cluster = create()
    assert cluster.user is not None
    suspensions.suspend(principal=make.COMMAND, user=cluster.user, version=cluster.user.version)
    with pytest.raises(IdentityError, match="suspended"):
        cluster_users.renew(principal=make.COMMAND, cluster=cluster, version=1)
    users_service.delete(
        principal=make.COMMAND, user=User.objects.get(pk=cluster.user.pk), version=cluster.user.version
    )
    with pytest.raises((IdentityError, changes.StaleWrite)):
        cluster_users.renew(principal=make.COMMAND, cluster=cluster, version=1)
