"""The tutorial's last step, clicked: the worker connects to a real server, and the result page says what happened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests import natsserver
from tests.interop.tutorial import Tutorial
from tests.pages import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def tutorial(tmp_path: Path) -> Tutorial:
    tutorial = Tutorial.begin(tmp_path)
    tutorial.add_user("TestUser")
    tutorial.add_user("TestService", sub_allow="req.a", can_answer=True)
    tutorial.add_user("TestClient", pub_allow="req.a", can_request=True)
    return tutorial


def run(tutorial: Tutorial, name: str, **wish: Any) -> Page:
    """Fill in the form on a user's page, let a worker do what waits, and look at the result again."""
    form = tutorial.visitor.open(tutorial.users[name].link("/test"))
    waiting = tutorial.visitor.send(form, **wish)
    assert waiting.status == 200, waiting.text
    call_command("worker", "--once")
    return tutorial.visitor.open(waiting.url)


def test_a_pair_requests_and_answers_and_hears_what_was_published(
    tutorial: Tutorial, nats: natsserver.Stable
) -> None:
    url = nats.start(tutorial.config(resolver="memory")).url
    answered = run(
        tutorial,
        "TestService",
        trial="reply-request",
        other="TestClient",
        url=url,
        subject="req.a",
        payload="how are you?",
        reply="fine, thanks",
    )
    assert "It works." in answered.text, answered.text
    assert "fine, thanks" in answered.text
    heard = run(
        tutorial, "TestUser", trial="subscribe-publish", url=url, subject="hello", payload="hello, world"
    )
    assert "It works." in heard.text, heard.text
    assert "hello, world" in heard.text


def test_a_refusal_is_told_in_plain_words_and_in_the_servers_own(
    tutorial: Tutorial, nats: natsserver.Stable
) -> None:
    url = nats.start(tutorial.config(resolver="memory")).url
    refused = run(tutorial, "TestClient", trial="publish", url=url, subject="elsewhere", payload="x")
    assert "It did not work." in refused.text, refused.text
    assert "may not publish" in refused.text
    assert "Permissions Violation" in refused.text


def test_a_server_that_knows_nothing_of_the_account_says_why(
    tutorial: Tutorial, nats: natsserver.Stable
) -> None:
    stranger = nats.start(tutorial.config(resolver="full", preload="system"))
    refused = run(tutorial, "TestUser", trial="rtt", url=stranger.url)
    assert "It did not work." in refused.text, refused.text
    assert "Authorization Violation" in refused.text


def test_an_unreachable_server_is_a_clear_message_within_five_seconds(tutorial: Tutorial) -> None:
    url = f"nats://127.0.0.1:{natsserver.free_port()}"
    began = time.monotonic()
    page = run(tutorial, "TestUser", trial="publish", url=url, subject="hello")
    assert time.monotonic() - began < 5
    assert "It did not work." in page.text
    assert "could not connect" in page.text
