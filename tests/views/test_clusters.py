from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import Cluster, Job, Server, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import clock, jobs
from tests import make, pem

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
SENT = {
    "name": "eu",
    "urls": "nats://n1.example.com\ntls://n2.example.com:4333",
    "connect_seconds": "3",
    "request_seconds": "2",
}


@pytest.fixture
def cluster() -> Cluster:
    return make.cluster(name="Production")


@pytest.fixture
def admin() -> Client:
    return make.client()


def url(cluster: Cluster, name: str = "cluster", *more: object) -> str:
    return reverse(name, args=[cluster.operator.public_key, cluster.pk, *more])


def test_an_operator_without_clusters_explains_what_they_are(admin: Client) -> None:
    operator = make.operator()
    page = admin.get(reverse("clusters", args=[operator.public_key])).content.decode()
    assert "No clusters yet" in page
    assert "A cluster is a set of nats-servers" in page
    assert reverse("cluster-create", args=[operator.public_key]) in page


def test_the_form_begins_with_the_operators_service_urls(admin: Client) -> None:
    operator = make.operator(service_urls=("nats://a.example.com:4222",))
    page = admin.get(reverse("cluster-create", args=[operator.public_key])).content.decode()
    assert "nats://a.example.com:4222" in page


def test_a_cluster_is_added_with_its_system_user_and_stands_in_the_list(admin: Client) -> None:
    operator = make.operator()
    answer = admin.post(reverse("cluster-create", args=[operator.public_key]), {**SENT, "expires": "1y"})
    cluster = Cluster.objects.select_related("operator").get()
    assert answer["Location"] == url(cluster)
    assert cluster.urls.split() == ["nats://n1.example.com:4222", "tls://n2.example.com:4333"]
    user = User.objects.get(name="nscweb")
    assert user.expires > clock.unix()
    page = admin.get(url(cluster)).content.decode()
    assert "nscweb" in page
    assert "No worker has reached it yet" in page
    listed = admin.get(reverse("clusters", args=[operator.public_key])).content.decode()
    assert "nats://n1.example.com:4222" in listed
    assert "and 1 more" in listed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a/b"),
        ("urls", ""),
        ("urls", "http://example.com"),
        ("urls", "nats://169.254.169.254"),
        ("ca_pem", "no PEM"),
        ("client_cert", "no PEM"),
        ("client_key", "no PEM"),
        ("connect_seconds", "0"),
        ("request_seconds", "31"),
        ("expires", "2001-01-01"),
    ],
)
def test_says_at_the_field_what_is_wrong(admin: Client, field: str, value: str) -> None:
    operator = make.operator()
    answer = admin.post(
        reverse("cluster-create", args=[operator.public_key]), {**SENT, field: value}, headers=HTMX
    )
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Cluster.objects.exists()


def test_a_private_key_is_never_shown_again(admin: Client, cluster: Cluster, tmp_path: Path) -> None:
    pair = pem.authority(tmp_path)
    secret = pair.key_text.splitlines()[1]
    sent = {**SENT, "version": "1", "client_cert": pair.certificate_text, "client_key": pair.key_text}
    refused = admin.post(url(cluster, "cluster-edit"), {**sent, "urls": "nonsense"})
    assert refused.status_code == 422
    assert secret not in refused.content.decode()
    assert admin.post(url(cluster, "cluster-edit"), sent).status_code == 302
    page = admin.get(url(cluster, "cluster-edit")).content.decode()
    assert "A key is sealed here and not shown again" in page
    assert secret not in page
    misplaced = admin.post(url(cluster, "cluster-edit"), {**sent, "version": "2", "ca_pem": pair.key_text})
    assert misplaced.status_code == 422
    assert secret not in misplaced.content.decode()
    assert "It was thrown away" in misplaced.content.decode()


@pytest.mark.parametrize("field", ["ca_pem", "client_cert", "client_key"])
def test_a_seed_that_was_pasted_among_certificates_is_thrown_away(
    admin: Client, cluster: Cluster, field: str, tmp_path: Path
) -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    for text in (seed, f"{pem.authority(tmp_path).certificate_text}\n{seed}", "x" * 70_000 + f" {seed}"):
        answer = admin.post(url(cluster, "cluster-edit"), {**SENT, "version": "1", field: text})
        assert answer.status_code == 422
        assert seed not in answer.content.decode()


def test_certificates_whose_letters_look_like_a_seed_are_taken(admin: Client, cluster: Cluster) -> None:
    looks = "SUAB" + "A" * 60
    text = f"-----BEGIN CERTIFICATE-----\n{looks}\n-----END CERTIFICATE-----\n"
    answer = admin.post(url(cluster, "cluster-edit"), {**SENT, "version": "1", "ca_pem": text})
    assert "is a seed" not in answer.content.decode()
    assert "not in PEM form" in answer.content.decode()  # it is none, but not for that


def test_a_stale_edit_shows_both_values(admin: Client, cluster: Cluster) -> None:
    admin.post(url(cluster, "cluster-edit"), {**SENT, "version": "1", "name": "theirs"})
    answer = admin.post(url(cluster, "cluster-edit"), {**SENT, "version": "1", "name": "mine"}, headers=HTMX)
    assert answer.status_code == 409
    assert "theirs" in answer.content.decode()
    assert "mine" in answer.content.decode()


def test_the_servers_are_sent_again_only_when_something_changed(admin: Client, cluster: Cluster) -> None:
    make.server(cluster, "n1", version="2.15.0", resolver="full", allow_delete=False)
    Cluster.objects.update(state="up", checked_at=clock.now())
    jobs.beat("one")
    whole = admin.get(url(cluster))
    assert "n1" in whole.content.decode()
    seen = whole.context["seen"]
    assert admin.get(url(cluster), {"seen": seen}, headers=HTMX).status_code == 204
    later = clock.now() + timedelta(seconds=70)  # somebody looked again: they answer still
    Server.objects.update(seen_at=later)
    Cluster.objects.update(checked_at=later)
    assert admin.get(url(cluster), {"seen": seen}, headers=HTMX).status_code == 204
    make.server(cluster, "n2")
    part = admin.get(url(cluster), {"seen": seen}, headers=HTMX)
    assert part.status_code == 200
    assert "n2" in part.content.decode()
    assert "<html" not in part.content.decode()


def test_a_server_that_was_silent_is_marked_absent_and_can_be_forgotten(
    admin: Client, cluster: Cluster
) -> None:
    now = clock.now()
    make.server(cluster, "n1", seen_at=now)
    gone = make.server(cluster, "n2", seen_at=now - timedelta(minutes=5))
    Cluster.objects.update(state="up", checked_at=now)
    page = admin.get(url(cluster)).content.decode()
    assert page.count("Absent") == 1
    assert "Answers" in page
    address = url(cluster, "cluster-forget-server", gone.pk)
    assert "Nothing waits for it any more" in admin.get(address, headers=HTMX).content.decode()
    assert admin.post(address, {"version": "1"}).status_code == 302
    assert [row.name for row in cluster.servers.all()] == ["n1"]
    assert admin.get(address).status_code == 404


def test_what_is_wrong_with_a_cluster_that_is_down_stands_there(admin: Client, cluster: Cluster) -> None:
    Cluster.objects.update(state="down", problem="Nothing listens at this address.", checked_at=clock.now())
    page = admin.get(url(cluster)).content.decode()
    assert "Not reached" in page
    assert "Nothing listens at this address." in page


def test_removing_asks_for_the_name_and_says_what_goes(admin: Client, cluster: Cluster) -> None:
    page = admin.get(url(cluster, "cluster-delete"), headers=HTMX).content.decode()
    assert "not the system user “nscweb”" in page
    wrong = admin.post(url(cluster, "cluster-delete"), {"version": "1", "confirm": "no"})
    assert wrong.status_code == 422
    admin.post(url(cluster, "cluster-delete"), {"version": "1", "confirm": "Production"})
    assert admin.get(url(cluster)).status_code == 404
    assert User.objects.live().filter(name="nscweb").exists()


def test_the_system_user_is_renewed_made_anew_or_chosen(admin: Client, cluster: Cluster) -> None:
    assert (
        admin.post(url(cluster, "cluster-user-renew"), {"version": "1", "expires": "30d"}).status_code == 302
    )
    assert User.objects.get(name="nscweb").expires > clock.unix()
    assert admin.post(url(cluster, "cluster-user-make"), {"version": "2"}).status_code == 302
    cluster.refresh_from_db()
    assert cluster.user is not None and cluster.user.name == "nscweb-2"
    sys = User.objects.get(name="sys", operator=cluster.operator)
    page = admin.get(url(cluster, "cluster-user-choose"), headers=HTMX).content.decode()
    assert sys.public_key in page
    sent = {"version": "3", "user": sys.public_key}
    assert admin.post(url(cluster, "cluster-user-choose"), sent).status_code == 302
    cluster.refresh_from_db()
    assert cluster.user == sys


def test_deleting_the_system_user_warns_that_a_cluster_logs_in_as_it(admin: Client, cluster: Cluster) -> None:
    user = cluster.user
    assert user is not None
    keys = [cluster.operator.public_key, user.account.public_key, user.public_key]
    for name in ("user-delete", "user-suspend"):
        page = admin.get(reverse(name, args=keys), headers=HTMX).content.decode()
        assert "nscweb logs in to the cluster “Production” as this user" in page


def test_without_a_system_account_the_page_says_what_to_do(admin: Client) -> None:
    cluster = make.cluster(make.operator(system_account=False))
    page = admin.get(url(cluster)).content.decode()
    assert "There is nobody to log in as" in page
    assert "has no system account" in page


def test_a_viewer_looks_and_changes_nothing(cluster: Cluster) -> None:
    make.server(cluster)
    viewer = make.client(Role.VIEWER)
    page = viewer.get(url(cluster)).content.decode()
    assert "Production" in page
    assert "Forget server" not in page
    assert viewer.post(url(cluster, "cluster-edit"), SENT).status_code == 403


def test_a_cluster_out_of_sight_is_not_there(cluster: Cluster) -> None:
    elsewhere = make.client(Role.ADMINISTRATOR, operator=make.operator())
    assert elsewhere.get(url(cluster)).status_code == 404
    account = make.account(cluster.operator)
    of_account = make.client(Role.ADMINISTRATOR, account=account)
    assert of_account.get(url(cluster)).status_code == 404


def test_more_servers_cost_no_more_queries(admin: Client, cluster: Cluster) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    make.server(cluster, "n0")
    admin.get(url(cluster))
    with CaptureQueriesContext(connection) as few:
        admin.get(url(cluster))
    for number in range(1, 6):
        make.server(cluster, f"n{number}")
    with CaptureQueriesContext(connection) as many:
        admin.get(url(cluster))
    assert len(many) == len(few)


def test_a_connection_test_is_started_polled_and_told(admin: Client, cluster: Cluster) -> None:
    answer = admin.post(url(cluster, "cluster-test"))
    job = Job.objects.get()
    result = url(cluster, "cluster-test-result", job.pk)
    assert answer["Location"] == result
    waiting = admin.get(result).content.decode()
    assert "Waiting for a worker" in waiting
    assert f'hx-get="{result}"' in waiting
    assert f'href="{result}"' in waiting
    step = {"name": "login", "ok": False, "text": "Refused <b>.", "said": "Authorization Violation"}
    at = {"url": "nats://n1:4222", "ok": False, "server": "n1", "steps": [step], "reasons": ["Another key."]}
    finding = {"grade": "warn", "text": "Cache resolver."}
    server = {"name": "n1", "cluster": "eu", "version": "2.15.0", "findings": [finding]}
    told = {"ok": False, "summary": "No address works.", "at": [at], "servers": [server], "seconds": 1.2}
    Job.objects.update(state="done", result=json.dumps(told), finished_at=clock.now())
    part = admin.get(result, headers=HTMX).content.decode()
    for words in (
        "No address works.",
        "Refused &lt;b&gt;.",
        "Authorization Violation",
        "Another key.",
        "Cache",
    ):
        assert words in part
    assert "hx-trigger" not in part
    assert "<html" not in part
    assert admin.get(url(make.cluster(cluster.operator), "cluster-test-result", job.pk)).status_code == 404


def test_without_a_system_user_a_connection_test_says_why_it_does_not_start(admin: Client) -> None:
    cluster = make.cluster(make.operator(system_account=False))
    answer = admin.post(url(cluster, "cluster-test"), follow=True)
    assert "Make or choose one first" in answer.content.decode()
    assert not Job.objects.exists()


def test_connection_tests_are_not_for_viewers(admin: Client, cluster: Cluster) -> None:
    admin.post(url(cluster, "cluster-test"))
    viewer = make.client(Role.VIEWER)
    assert viewer.post(url(cluster, "cluster-test")).status_code == 403
    assert viewer.get(url(cluster, "cluster-test-result", Job.objects.get().pk)).status_code == 403
