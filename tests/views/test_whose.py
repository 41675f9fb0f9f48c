"""“What is this key?”: a key, a JWT or lines of a log lead to whose it is, and nothing of them reaches an address."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims.permissions import UserPermissionLimits
from identities.formats import mentions
from identities.models import User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import signing, user_keys, users
from tests import make

pytestmark = pytest.mark.django_db
BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)


def asked(text: str, client: Client | None = None) -> str:
    answer = (client or make.client(Role.VIEWER)).post(reverse("whose"), {"text": text})
    assert answer.status_code == 200
    return html.unescape(" ".join(answer.content.decode().split()))


def jwt_of(user: User) -> str:
    assert user.token is not None
    with signing.token_text(user.token) as text:
        return text


def test_lines_of_a_log_lead_to_the_user_the_account_and_the_server() -> None:
    user = make.user(make.account(name="Orders"), "alice")
    server = KeyPair.create(KeyKind.SERVER).public.text
    cluster = make.cluster(user.operator)
    make.server(cluster, "n7", server_id=server)
    line = (
        f"[1] 2026/11/26 [ERR] [::1]:4222 - cid:7 - authentication error - Nkey “{user.public_key}” in "
        f"{user.account.public_key}, told by {server}"
    )
    shown = asked(line)
    keys = [user.operator.public_key, user.account.public_key]
    assert reverse("user", args=[*keys, user.public_key]) in shown
    assert ">alice</a>" in shown
    assert ">Orders</a>" in shown
    assert ">n7</a>" in shown
    assert line not in shown  # it is not shown again


def test_a_jwt_tells_whom_it_is_for_and_who_issued_it_and_stays_out_of_the_page() -> None:
    user = make.user(make.account(name="Orders"), "beeper", limits=BEARER)
    text = jwt_of(user)
    shown = asked(f"  {text}\n")
    assert "whom a JWT is for" in shown
    assert "who issued a JWT" in shown
    assert ">beeper</a>" in shown
    assert text not in shown
    assert "eyJ0eXAi" not in shown


def test_former_and_deleted_holders_are_named() -> None:
    user, gone = make.user(name="moved"), make.user(name="gone")
    before = user.public_key
    user_keys.rotate(principal=make.COMMAND, user=user, version=user.version)
    users.delete(principal=make.COMMAND, user=gone, version=gone.version)
    shown = asked(f"{before} {gone.public_key}")
    assert "former key" in shown
    assert ">moved</a>" in shown
    assert "(deleted)" in shown


def test_strangers_and_texts_without_a_key_say_so() -> None:
    stranger = KeyPair.create(KeyKind.USER).public.text
    assert "not known here" in asked(stranger)
    assert "No public key in it" in asked(
        f"hello {stranger[:-1]}{'B' if stranger.endswith('A') else 'A'} world"
    )
    user = make.user()
    elsewhere = make.client(Role.VIEWER, operator=make.operator())
    assert "not known here" in asked(user.public_key, elsewhere)


def test_a_seed_is_refused_and_not_shown_again() -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    answer = make.client().post(reverse("whose"), {"text": seed})
    assert answer.status_code == 422
    assert seed not in answer.content.decode()


def test_a_jwt_in_the_search_box_is_dropped() -> None:
    user = make.user(limits=BEARER)
    answer = make.client().get(reverse("search"), {"q": jwt_of(user)})
    assert answer.status_code == 422
    assert "What is this key?" in answer.content.decode()
    assert "eyJ0eXAi" not in answer.content.decode()


def test_every_key_is_found_once_and_no_more_than_fifty() -> None:
    pairs = [KeyPair.create(KeyKind.USER).public.text for _ in range(60)]
    found = mentions.find(" ".join([*pairs, *pairs]))
    assert [one.key for one in found] == pairs[:50]
    assert mentions.find("x" * 200_000 + pairs[0]) == ()
