from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import Account, Job, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import clock, jobs
from tests import make

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
URL = "nats://nats.example.com:4222"
SENT = {"trial": "publish", "url": URL, "subject": "hello", "payload": "hi"}


@pytest.fixture
def account() -> Account:
    return make.account(make.operator(service_urls=(URL,)), "TestAccount")


@pytest.fixture
def user(account: Account) -> User:
    return make.user(account, "TestUser")


@pytest.fixture
def admin() -> Client:
    return make.client()


def url(user: User, name: str = "user-test", *more: object) -> str:
    keys = [user.account.operator.public_key, user.account.public_key, user.public_key]
    return reverse(name, args=[*keys, *more])


def ended(job: Job, **result: object) -> None:
    whole = {
        "ok": True,
        "summary": "TestUser published.",
        "seconds": 0.25,
        "server": "one 2.15",
        "events": [],
        **result,
    }
    Job.objects.filter(pk=job.pk).update(state="done", result=json.dumps(whole), finished_at=clock.now())


def event(kind: str, **more: object) -> dict[str, object]:
    return {
        "kind": kind,
        "at": 0.1,
        "who": "TestUser",
        "text": "",
        "subject": "",
        "data": "",
        "size": 0,
        "said": "",
        **more,
    }


def test_the_form_begins_with_the_operators_first_server_and_names_other_users(
    admin: Client, user: User
) -> None:
    make.user(user.account, "TestClient")
    make.user(make.account(user.account.operator, "Elsewhere"), "far")
    page = admin.get(url(user)).content.decode()
    assert f'value="{URL}"' in page
    assert '<option value="TestClient">' in page
    assert '<option value="Elsewhere/far">' in page


def test_sending_it_starts_a_test_and_leads_to_its_result(admin: Client, user: User) -> None:
    answer = admin.post(url(user), SENT)
    job = Job.objects.get()
    assert answer["Location"] == url(user, "user-test-result", job.pk)
    assert json.loads(job.payload)["wish"]["payload"] == "hi"
    assert admin.post(url(user), SENT, headers=HTMX)["HX-Redirect"].startswith(url(user))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trial", "destroy"),
        ("url", ""),
        ("url", "http://example.com"),
        ("subject", ""),
        ("subject", "a b"),
        ("messages", "0"),
        ("messages", "many"),
        ("seconds", "3600"),
        ("inbox_prefix", "a.>"),
        ("ca_pem", "not a certificate"),
    ],
)
def test_says_at_the_field_what_is_wrong(admin: Client, user: User, field: str, value: str) -> None:
    answer = admin.post(url(user), {**SENT, field: value}, headers=HTMX)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert "<html" not in answer.content.decode()
    assert not Job.objects.exists()


def test_an_unknown_other_user_is_refused_at_its_field(admin: Client, user: User) -> None:
    answer = admin.post(url(user), {**SENT, "trial": "subscribe-publish", "other": "nobody"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["other"]


def test_a_private_key_among_the_certificates_is_thrown_away(admin: Client, user: User) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----"
    answer = admin.post(url(user), {**SENT, "ca_pem": pem})
    assert answer.status_code == 422
    assert "MC4CAQAwBQYDK2Vw" not in answer.content.decode()


def test_without_a_seed_the_page_says_that_nobody_can_connect(admin: Client, account: Account) -> None:
    user = make.user(account, "own", public_key=KeyPair.create(KeyKind.USER).public.text)
    assert "nobody can connect as it from here" in admin.get(url(user)).content.decode()
    assert admin.post(url(user), SENT).status_code == 422


def test_while_it_waits_the_page_asks_again_and_has_a_link_for_it(admin: Client, user: User) -> None:
    admin.post(url(user), SENT)
    address = url(user, "user-test-result", Job.objects.get().pk)
    whole, part = admin.get(address).content.decode(), admin.get(address, headers=HTMX).content.decode()
    for page in (whole, part):
        assert f'hx-get="{address}"' in page
        assert f'href="{address}"' in page
    assert "<html" in whole
    assert "<html" not in part
    assert "No worker seems to be running" not in whole


def test_says_when_no_worker_is_there(admin: Client, user: User) -> None:
    admin.post(url(user), SENT)
    Job.objects.update(created_at=clock.now() - timedelta(seconds=10))
    address = url(user, "user-test-result", Job.objects.get().pk)
    assert "No worker seems to be running" in admin.get(address).content.decode()
    jobs.beat("one")
    assert "No worker seems to be running" not in admin.get(address).content.decode()


def test_shows_what_arrived_and_stops_asking(admin: Client, user: User) -> None:
    admin.post(url(user), SENT)
    job = Job.objects.get()
    ended(job, events=[event("received", text="Received a message on hello.", data="<b>hi</b>", size=9)])
    page = admin.get(url(user, "user-test-result", job.pk)).content.decode()
    assert "It works." in page
    assert "&lt;b&gt;hi&lt;/b&gt;" in page
    assert 'hx-trigger="load' not in page
    assert f"?again={job.pk}" in page


def test_shows_a_refusal_in_plain_words_and_in_the_servers_own(admin: Client, user: User) -> None:
    admin.post(url(user), SENT)
    job = Job.objects.get()
    said = 'Permissions Violation for Publish to "hello"'
    ended(job, ok=False, summary="The user may not publish to hello.", events=[event("refused", said=said)])
    page = admin.get(url(user, "user-test-result", job.pk)).content.decode()
    assert "It did not work." in page
    assert "may not publish to hello" in page
    assert "Permissions Violation" in page


def test_shows_what_has_happened_so_far(admin: Client, user: User) -> None:
    admin.post(url(user), SENT)
    jobs.claim({"client-test": jobs.Handler(run=lambda lease: {})})
    Job.objects.update(result=json.dumps({"events": [event("subscribed", text="Listening on hello.")]}))
    page = admin.get(url(user, "user-test-result", Job.objects.get().pk)).content.decode()
    assert "Listening on hello." in page
    assert "Running" in page


def test_a_test_can_be_filled_in_again(admin: Client, user: User) -> None:
    other = make.user(user.account, "TestClient")
    sent = {**SENT, "trial": "reply-request", "subject": "req.a", "reply": "ho", "other": "TestClient"}
    admin.post(url(user), sent)
    form = admin.get(url(user), {"again": Job.objects.get().pk}).context["form"]
    assert (form["trial"].value(), form["subject"].value(), form["reply"].value()) == (
        "reply-request",
        "req.a",
        "ho",
    )
    assert (form["other"].value(), form["seconds"].value()) == (other.public_key, "5")
    assert admin.get(url(user), {"again": "99999"}).status_code == 200


def test_another_users_test_is_not_found(admin: Client, user: User) -> None:
    admin.post(url(user), SENT)
    job = Job.objects.get()
    assert admin.get(url(make.user(user.account), "user-test-result", job.pk)).status_code == 404
    assert admin.get(url(user, "user-test-result", job.pk + 1)).status_code == 404


def test_is_not_for_viewers(user: User, admin: Client) -> None:
    viewer = make.client(Role.VIEWER)
    admin.post(url(user), SENT)
    assert viewer.get(url(user)).status_code == 403
    assert viewer.post(url(user), SENT).status_code == 403
    assert viewer.get(url(user, "user-test-result", Job.objects.get().pk)).status_code == 403


def test_a_user_out_of_sight_is_not_there(user: User) -> None:
    elsewhere = make.client(Role.ADMINISTRATOR, account=make.account())
    assert elsewhere.get(url(user)).status_code == 404
    assert elsewhere.post(url(user), SENT).status_code == 404


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nats://169.254.169.254", "a link-local address or a cloud&#x27;s metadata service"),
        ("nats://169.254.169.254:80", "metadata service"),
        ("tls://[fe80::1]:4222", "link-local"),
        ("ws://[::ffff:169.254.169.254]:80", "metadata service"),
        ("nats://[fd00:ec2::254]", "metadata service"),
        ("nats://100.100.100.200", "metadata service"),
        ("nats://0.0.0.0", "stands for no host"),
    ],
)
def test_an_address_that_nobody_may_be_led_to_is_refused_at_its_field(
    admin: Client, user: User, address: str, words: str
) -> None:
    answer = admin.post(url(user), {**SENT, "url": address})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["url"]
    assert words in answer.content.decode()
    assert "is not connected to" in answer.content.decode()
    assert not Job.objects.exists()


def test_loopback_is_refused_at_its_field_where_the_setting_says_so(
    admin: Client, user: User, settings: Any
) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = False
    answer = admin.post(url(user), {**SENT, "url": "nats://127.0.0.1:4222"})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["url"])


def test_a_cluster_can_be_chosen_in_the_place_of_an_address(admin: Client, user: User) -> None:
    assert 'name="cluster"' not in admin.get(url(user)).content.decode()
    cluster = make.cluster(user.account.operator, "Production", urls=("tls://n1.example.com:4333",))
    make.cluster(name="Elsewhere")
    page = admin.get(url(user)).content.decode()
    assert f'<option value="{cluster.pk}" selected>cluster Production</option>' in page
    assert "Elsewhere" not in page
    answer = admin.post(url(user), {**SENT, "cluster": str(cluster.pk), "url": ""})
    assert answer.status_code == 302
    wish = json.loads(Job.objects.get().payload)["wish"]
    assert (wish["cluster"], wish["url"]) == (cluster.pk, "tls://n1.example.com:4333")
    again = admin.get(url(user), {"again": Job.objects.get().pk}).context["form"]
    assert again["cluster"].value() == cluster.pk
    assert admin.post(url(user), {**SENT, "cluster": "", "url": ""}).status_code == 422


def test_whoever_has_no_sight_of_clusters_is_offered_none(user: User) -> None:
    cluster = make.cluster(user.account.operator, "Production")
    own = make.client(Role.ADMINISTRATOR, account=user.account)
    assert "Production" not in own.get(url(user)).content.decode()
    assert own.post(url(user), {**SENT, "cluster": str(cluster.pk)}).status_code == 302
    assert json.loads(Job.objects.get().payload)["wish"]["cluster"] == 0
