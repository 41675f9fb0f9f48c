"""What a server refuses a user is told plainly: subjects, inboxes, logins."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace

import pytest

from identities.nkeys import KeyKind, KeyPair
from identities.resolver.client import run
from identities.resolver.plan import Act, ClientResult, EventKind, Step, TestUser
from tests.resolver.client_plans import Users, plan
from tests.resolver.conftest import GOLDEN, StartServer, golden_user

pytestmark = pytest.mark.server
ACCOUNT_SEED = (
    "SAAG4TUTBZRTTDXRMHVDUABAJZIJ7KICJSENXKT2DJ33OZE2ZQ32TIZ63Q"  # TestAccount of the golden basics
)


@pytest.mark.parametrize(
    ("who", "act", "subject", "plain", "said"),
    [
        (
            "TestClient",
            Act.PUBLISH,
            "Other.Subject",
            "may not publish to Other.Subject",
            "Permissions Violation for Publish",
        ),
        (
            "TestClient",
            Act.SUBSCRIBE,
            "req.a",
            "may not subscribe to req.a",
            "Permissions Violation for Subscription",
        ),
        (
            "TestService",
            Act.REQUEST,
            "req.a",
            "may not listen on its inbox _INBOX.",
            "Permissions Violation for Subscription",
        ),
        (
            "TestService",
            Act.REPLY,
            "req.b",
            "may not subscribe to req.b",
            "Permissions Violation for Subscription",
        ),
    ],
)
def test_what_the_server_refuses_is_told_plainly_and_in_its_own_words(
    basics: str, users: Users, who: str, act: Act, subject: str, plain: str, said: str
) -> None:
    result = run(plan(basics, Step(user=users[who], act=act, subject=subject)))
    assert not result.ok
    assert plain in result.summary
    assert result.events[-1].kind is EventKind.REFUSED
    assert result.events[-1].said.startswith(said)
    assert result.seconds < 3


def test_an_inbox_that_is_not_allowed_is_told_and_another_prefix_can_be_used(
    basics: str, users: Users
) -> None:
    def request(prefix: str) -> ClientResult:
        step = Step(user=users["TestClient"], act=Act.REQUEST, subject="req.a")
        answer = Step(user=users["TestService"], act=Act.REPLY, subject="req.a", seconds=1)
        return run(plan(basics, step, answer, inbox_prefix=prefix))

    assert request("_INBOX.mine").ok
    refused = request("_MINE")
    assert not refused.ok
    assert "may not" in refused.summary
    assert "_MINE." in refused.summary


def test_a_wrong_seed_and_an_unknown_user_are_refused_at_login(basics: str, users: Users) -> None:
    for seed in (KeyPair.create(KeyKind.USER).seed(), None):
        result = run(plan(basics, Step(user=replace(users["TestUser"], seed=seed), act=Act.RTT)))
        assert not result.ok
        assert result.summary.startswith("TestUser could not connect to nats://127.0.0.1:")
        assert result.events[-1].said == "Authorization Violation"


def test_a_bearer_user_logs_in_with_the_jwt_alone_and_a_revoked_one_not_at_all(
    start_server: StartServer, users: Users
) -> None:
    url = f"nats://127.0.0.1:{start_server((GOLDEN / 'full/out/server-mem-resolver.conf').read_text())}"
    bearer = replace(golden_user("full/out/creds/Billing-bearer.creds"), seed=None)
    assert run(plan(url, Step(user=bearer, act=Act.RTT))).ok
    revoked = run(plan(url, Step(user=golden_user("full/out/creds/Analytics-a1.creds"), act=Act.RTT)))
    assert not revoked.ok
    assert revoked.events[-1].said == "Authorization Violation"
    assert "was revoked" in revoked.summary


def test_a_user_whose_jwt_expires_meanwhile_is_told(basics: str) -> None:
    account = KeyPair.from_seed(ACCOUNT_SEED)
    pair = KeyPair.create(KeyKind.USER)

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def jwt(expires: int) -> str:
        body = {
            "exp": expires,
            "iat": expires - 60,
            "iss": account.public.text,
            "sub": pair.public.text,
            "jti": "x",
            "nats": {
                "type": "user",
                "version": 2,
                "pub": {},
                "sub": {},
                "subs": -1,
                "data": -1,
                "payload": -1,
            },
        }
        text = f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part(body)}"
        return f"{text}.{base64.urlsafe_b64encode(account.sign(text.encode())).decode().rstrip('=')}"

    def listen(expires: int) -> ClientResult:
        user = TestUser(name="Brief", jwt=jwt(expires), seed=pair.seed())
        return run(plan(basics, Step(user=user, act=Act.SUBSCRIBE, subject="x", seconds=8)))

    meanwhile = listen(int(time.time()) + 2)
    assert meanwhile.events[-1].said == "User Authentication Expired"
    assert "later expiry and new creds" in meanwhile.summary
    assert not listen(int(time.time()) - 5).ok


def test_a_server_without_an_operator_is_told(start_server: StartServer, users: Users) -> None:
    result = run(plan(f"nats://127.0.0.1:{start_server('')}", Step(user=users["TestUser"], act=Act.RTT)))
    assert "lets anybody in" in result.summary
