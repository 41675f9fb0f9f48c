"""The builder's page: what a task needs, shown and explained, then added."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import User
from identities.policy.principal import Role
from identities.services import changes
from tests import make

pytestmark = pytest.mark.django_db
LIMITS = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=("x",)), sub=Permission(allow=("y",)))


@pytest.fixture
def user() -> User:
    return make.user(make.account(make.operator("Op"), "Shop"), "ann", limits=LIMITS)


def url(user: User, name: str = "user-allow") -> str:
    return reverse(name, args=[user.account.operator.public_key, user.account.public_key, user.public_key])


def send(user: User, browser: Client | None = None, **values: str) -> tuple[int, str]:
    sent = {"version": str(user.version), **values}
    answer = (browser or make.client()).post(url(user), sent)
    return answer.status_code, answer.content.decode()


def test_the_subjects_are_shown_with_what_each_is_for_and_nothing_is_saved(user: User) -> None:
    status, page = send(user, task="kv-read", name="cfg", preview="1")
    assert status == 200
    for said in (
        "$JS.API.STREAM.INFO.KV_cfg",
        "Opens the bucket.",
        "$JS.API.DIRECT.GET.KV_cfg.&gt;",
        "_INBOX.&gt;",
    ):
        assert said in page
    assert User.objects.get(pk=user.pk).version == user.version


def test_a_bucket_that_does_not_answer_directly_is_read_the_other_way(user: User) -> None:
    _, page = send(user, task="kv-read", name="cfg", preview="1", indirect="on")
    assert "$JS.API.STREAM.MSG.GET.KV_cfg" in page
    assert "$JS.API.DIRECT.GET" not in page


def test_they_are_added(user: User) -> None:
    status, _ = send(user, task="stream-publish", subject="orders.>")
    assert status == 302
    limits = changes.claims_of(User.objects.get(pk=user.pk)).nats.limits
    assert (limits.pub.allow, limits.sub.allow) == (("x", "orders.>"), ("y", "_INBOX.>"))


def test_what_it_takes_away_is_accepted_first(user: User) -> None:
    free = make.user(user.account, "free")
    status, page = send(free, task="request", subject="a")
    assert "publish everywhere" in page
    assert "Nothing was saved yet" in page
    assert status == 422
    assert User.objects.get(pk=free.pk).version == free.version


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"task": "request"}, "Which subject?"),
        ({"task": "kv-read", "name": "a.b"}, "What is it called?"),
        ({"task": "stream-consume", "name": "S"}, "Which consumer?"),
        ({"task": "fly"}, "valid choice"),
    ],
)
def test_what_is_missing_is_asked_for_beside_its_field(user: User, values: dict[str, str], said: str) -> None:
    status, page = send(user, **values)
    assert status == 422
    assert said in page


def test_what_it_may_already_do_signs_nothing(user: User) -> None:
    send(user, task="request", subject="a")
    again = User.objects.select_related("account__operator").get(pk=user.pk)
    send(again, task="request", subject="a")
    assert User.objects.get(pk=user.pk).version == again.version


def test_a_stale_page_is_told_so(user: User) -> None:
    send(user, task="request", subject="a")
    status, page = send(user, task="request", subject="b")
    assert status == 409
    assert "was changed by" in page


def test_viewers_see_no_button_and_no_page(user: User) -> None:
    viewer = make.client(Role.VIEWER)
    assert url(user) not in viewer.get(url(user, "user-explain")).content.decode()
    assert viewer.get(url(user)).status_code == 403
    assert url(user) in make.client().get(url(user, "user-explain")).content.decode()
