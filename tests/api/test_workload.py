"""A machine's own token for short-lived creds: signed by a real provider on loopback, sent to the API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import jwt
import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse

from identities.api import document
from identities.claims import codec
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.formats import creds as creds_format
from identities.models import (
    Account,
    AuditEvent,
    AuditTarget,
    Handover,
    IssuedToken,
    Key,
    SignInFailure,
    WorkloadRule,
    WorkloadToken,
)
from identities.nkeys import KeyKind, KeyPair
from identities.resolver.oidc_drafts import WorkloadDraft
from identities.services import clock, refusals, signing_keys, workload_rules
from tests import make, oidcprovider
from tests.oidckeys import rsa_key, token
from tests.oidcprovider import Provider

pytestmark = pytest.mark.django_db
AUDIENCE = "https://nscweb.example.com"
ROLE = KeyPair.create(KeyKind.ACCOUNT).public.text
CLAIMS = {"repository": "acme/shop", "ref": "refs/heads/main", "sub": "repo:acme/shop:ref:refs/heads/main"}


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with oidcprovider.running() as provider:
        yield provider


@pytest.fixture
def ci(running: Provider) -> Provider:
    """A provider as CIs have it: it signs, and nobody can sign in there."""
    running.__init__(running.issuer)  # type: ignore[misc]  # as good as new for each test
    running.answers["/.well-known/openid-configuration"] = (
        200,
        {},
        json.dumps({"issuer": running.issuer, "jwks_uri": f"{running.issuer}/keys"}),
    )
    cache.clear()
    return running


@pytest.fixture
def role() -> Key:
    account = make.account()
    template = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=("deploy.{{name()}}",)))
    draft = SigningKeyDraft(role=RoleDraft(role="deployer", template=template))
    return signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)


def added(role: Key, ci: Provider, **options: Any) -> WorkloadRule:
    values = {
        "name": "Shop",
        "issuer": ci.issuer,
        "audience": AUDIENCE,
        "conditions": (("repository", "acme/shop"), ("ref", "refs/heads/*")),
        "user_name": "ci-{repository}",
        "seconds": 600,
        **options,
    }
    return workload_rules.create(principal=make.COMMAND, role=role, draft=WorkloadDraft(**values))


def of_job(ci: Provider, *, key: Any = None, kid: str | None = "k1", **changed: Any) -> str:
    """The token of a CI job."""
    now = int(time.time())
    claims = {"iss": ci.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 300, "jti": str(now), **CLAIMS}
    kept = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return token(kept, key=key or ci.key, kid=kid)


def sent(text: str, *, role: str = "", **more: Any) -> Any:
    """What a job gets for its token; of the one role, unless it names another."""
    wanted = role or Key.objects.get(role="deployer").public_key
    body = {"token": text, "role": wanted, **more}
    answer: Any = Client(enforce_csrf_checks=True).post(
        reverse("api-workload-creds"), body, content_type="application/json"
    )
    answer.data = json.loads(answer.content)
    return answer


def refused(text: str, **more: Any) -> str:
    answer = sent(text, **more)
    assert answer.status_code == 401, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.data["code"] == "workload-refused"
    assert text not in answer.content.decode()
    return str(answer.data["detail"])


def test_a_job_gets_creds_of_the_role_that_log_in_for_a_while(ci: Provider, role: Key) -> None:
    rule = added(role, ci)
    answer = sent(of_job(ci))
    assert answer.status_code == 201, answer.content
    assert answer["Cache-Control"] == "no-store"
    claims = codec.decode(answer.data["jwt"]).claims
    assert (claims.name, claims.iss) == ("ci-acme_shop", role.public_key)
    assert claims.exp - claims.iat == answer.data["lifetime"] == 600
    held = creds_format.parse_creds(answer.data["creds"])
    assert held.seed is not None
    assert KeyPair.from_seed(held.seed).public.text == answer.data["public_key"] == claims.sub
    given = Handover.objects.get(subject=claims.sub)
    assert (given.recipient, given.way) == (f"workload:{rule.pk}", "short-lived")
    assert given.recipient_name == f"Shop: {CLAIMS['sub']}"
    event = AuditEvent.objects.get(action="creds.issue")
    assert event.actor == f"workload:{rule.pk}"
    assert "to “ci-acme_shop” for 600 s" in event.summary
    rule.refresh_from_db()
    assert rule.last_used_at is not None


def test_nothing_of_the_token_is_kept(ci: Provider, role: Key) -> None:
    added(role, ci)
    text = of_job(ci)
    sent(text)
    kept = WorkloadToken.objects.get()
    for row in (kept, *AuditEvent.objects.all(), *Handover.objects.all(), *IssuedToken.objects.all()):
        assert text not in repr(vars(row))
        assert text.rpartition(".")[2] not in repr(vars(row))


def test_the_jobs_own_key_is_certified_and_nothing_secret_leaves(ci: Provider, role: Key) -> None:
    added(role, ci)
    own = KeyPair.create(KeyKind.USER).public.text
    answer = sent(of_job(ci), public_key=own, lifetime=90)
    assert (answer.data["public_key"], answer.data["creds"], answer.data["lifetime"]) == (own, "", 90)


def test_a_job_asks_for_less_time_and_never_for_more(ci: Provider, role: Key) -> None:
    added(role, ci)
    assert sent(of_job(ci), lifetime=100_000).data["lifetime"] == 600


def test_a_token_is_exchanged_once_however_it_is_written(ci: Provider, role: Key) -> None:
    added(role, ci)
    text = of_job(ci)
    assert sent(text).status_code == 201
    assert "exchanged already" in refused(text)
    signed, _, signature = text.rpartition(".")
    again = jwt.encode(
        jwt.decode(text, options={"verify_signature": False}),
        ci.key,
        algorithm="RS256",
        headers={"kid": "k1"},
    )
    assert again.rpartition(".")[0] == signed  # RS256 is deterministic: the same text again
    for ending in ("=", "==", signature[-1]):
        assert sent(f"{signed}.{signature}{ending}").status_code == 401
    assert Handover.objects.count() == 1
    with time_machine.travel(clock.now() + timedelta(days=2)):
        assert sent(of_job(ci)).status_code == 201
    assert WorkloadToken.objects.count() == 1  # those that expired are forgotten


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"iss": "https://evil.example.com"}, "No rule of this role trusts"),
        ({"iss": None}, "No rule of this role trusts"),
        ({"aud": "https://other.example.com"}, "made for somebody else"),
        ({"aud": [AUDIENCE, "https://other.example.com"]}, "for others too"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "when it was made"),
        ({"iat": None}, "when it was made"),
        ({"nbf": 2**33}, "not good yet"),
        ({"sub": None}, "who it is about"),
        ({"repository": "acme/shop2"}, "claim “repository” does not fit"),
        ({"repository": "evil/acme/shop"}, "claim “repository” does not fit"),
        ({"repository": "Acme/Shop"}, "claim “repository” does not fit"),
        ({"repository": None}, "claim “repository” does not fit"),
        ({"repository": {"acme/shop": True}}, "claim “repository” does not fit"),
        ({"ref": "refs/tags/v1"}, "claim “ref” does not fit"),
        ({"ref": "\nrefs/heads/main"}, "claim “ref” does not fit"),
    ],
    ids=str,
)
def test_a_token_that_says_something_else_gets_nothing(
    ci: Provider, role: Key, changed: dict[str, Any], words: str
) -> None:
    added(role, ci)
    assert words in refused(of_job(ci, **changed))
    assert not Handover.objects.exists()
    assert not WorkloadToken.objects.exists()


def test_a_good_token_that_fits_no_rule_is_audited_and_garbage_is_not(ci: Provider, role: Key) -> None:
    rule = added(role, ci)
    before = AuditEvent.objects.count()
    for garbage in ("x", "a.b.c", of_job(ci, key=rsa_key(number=1)), of_job(ci, iss="https://x.example.com")):
        refused(garbage)
    assert AuditEvent.objects.count() == before
    refused(of_job(ci, ref="refs/tags/v1"))
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor) == ("api-token.refused", f"workload:{rule.pk}")


def test_whoever_has_a_good_token_of_a_public_ci_does_not_fill_the_audit_by_it(
    ci: Provider, role: Key
) -> None:
    rule = added(role, ci)
    told = AuditEvent.objects.filter(action="api-token.refused")
    others, target = AuditEvent.objects.exclude(action="api-token.refused").count(), f"workload:{rule.pk}"
    for number in range(refusals.MOST + 5):
        refused(of_job(ci, repository=f"evil/{number}", sub=f"repo:evil/{number}"))
    assert told.count() == AuditTarget.objects.filter(key=target).count() == refusals.MOST
    assert told.latest("seq").summary.endswith("More of these within the hour are only counted.")
    assert SignInFailure.objects.count() == 1
    assert AuditEvent.objects.exclude(action="api-token.refused").count() == others
    assert sent(of_job(ci)).status_code == 201  # who fits comes in all the while
    added(role, ci, name="Another", audience="https://another.example.com")
    refused(of_job(ci, aud="https://another.example.com", ref="refs/tags/v1"))
    assert told.count() == refusals.MOST + 1
    with time_machine.travel(clock.now() + timedelta(minutes=61)):
        refused(of_job(ci, repository="evil/again"))
        refused(of_job(ci, repository="evil/again"))
    first, second = told.order_by("seq")[refusals.MOST + 1 :]
    assert first.summary.endswith("does not fit. Before that, 5 more were refused and only counted.")
    assert second.summary.endswith("claim “repository” does not fit.")


def test_nothing_unsigned_or_signed_by_another_key_is_taken(ci: Provider, role: Key) -> None:
    added(role, ci)
    claims = jwt.decode(of_job(ci), options={"verify_signature": False})
    assert "private key" in refused(jwt.encode(claims, None, algorithm="none"))
    shared = jwt.encode(claims, "s" * 40, algorithm="HS256", headers={"kid": "k1"})
    assert "private key" in refused(shared)
    assert "signature" in refused(of_job(ci, key=rsa_key(number=1)))
    assert "does not list" in refused(of_job(ci, kid="k9"))


def test_a_key_that_the_provider_changed_is_asked_for_at_most_every_ten_seconds(
    ci: Provider, role: Key
) -> None:
    added(role, ci)
    assert sent(of_job(ci)).status_code == 201
    ci.key, ci.kid = rsa_key(number=1), "k2"
    assert sent(of_job(ci, kid="k2")).status_code == 201
    asked = ci.asked.count("/keys")
    for number in range(5):
        refused(of_job(ci, kid=f"unknown-{number}"))
    assert ci.asked.count("/keys") == asked


def test_a_rule_that_is_off_or_of_a_role_that_is_gone_gives_nothing(ci: Provider, role: Key) -> None:
    rule = added(role, ci)
    WorkloadRule.objects.update(is_enabled=False)
    assert "No rule of this role trusts" in refused(of_job(ci))
    WorkloadRule.objects.update(is_enabled=True)
    Key.objects.filter(pk=role.pk).update(deleted_at=clock.now())
    assert "No rule of this role trusts" in refused(of_job(ci))
    Key.objects.filter(pk=role.pk).update(deleted_at=None)
    Account.objects.filter(pk=role.account_id).update(deleted_at=clock.now())
    assert "No rule of this role trusts" in refused(of_job(ci))
    Account.objects.filter(pk=role.account_id).update(deleted_at=None)
    workload_rules.delete(principal=make.COMMAND, rule=rule, version=rule.version)
    assert "No rule of this role trusts" in refused(of_job(ci))


def test_of_several_rules_that_fit_one_is_named(ci: Provider, role: Key) -> None:
    added(role, ci)
    added(role, ci, name="Anything of acme", conditions=(("repository", "acme/*"),), user_name="any")
    assert "name the one" in refused(of_job(ci))
    assert sent(of_job(ci), rule="anything OF acme").data["name"] == "any"
    assert "no rule fits" in refused(of_job(ci), rule="no such rule")
    assert sent(of_job(ci, repository="acme/other")).data["name"] == "any"


def test_what_others_trust_elsewhere_changes_nothing(ci: Provider, role: Key) -> None:
    rule = added(role, ci)
    make.account(role.operator, "Greedy")
    greedy = signing_keys.add(
        principal=make.COMMAND,
        account=(account := Account.objects.get(name="Greedy")),
        draft=SigningKeyDraft(role=RoleDraft(role="grabber")),
        version=account.version,
    )
    added(greedy, ci)  # of the same name, too: names are the role's own
    claims = codec.decode(sent(of_job(ci)).data["jwt"]).claims
    assert claims.iss == role.public_key
    workload_rules.delete(principal=make.COMMAND, rule=rule, version=rule.version)
    assert "No rule of this role trusts" in refused(of_job(ci, jti="again"))
    assert not Handover.objects.filter(recipient_name__contains="grabber").exists()


def test_a_token_without_a_role_is_told_that_one_is_missing(ci: Provider, role: Key) -> None:
    added(role, ci)
    answer = Client().post(
        reverse("api-workload-creds"), {"token": of_job(ci)}, content_type="application/json"
    )
    assert answer.status_code == 422
    assert "role" in str(json.loads(answer.content)["errors"])


def test_a_name_that_would_reach_beyond_its_place_in_a_subject_is_refused(ci: Provider, role: Key) -> None:
    added(role, ci, user_name="{ref}", conditions=(("repository", "acme/shop"),))
    for bad in ("a.b", "*", ">", "a b"):
        answer = sent(of_job(ci, ref=bad))
        assert answer.status_code == 422, answer.content
    assert "no single “ref”" in refused(of_job(ci, ref=None))
    assert "no single “ref”" in refused(of_job(ci, ref=["a", "b"]))
    assert not Handover.objects.exists()
    assert not WorkloadToken.objects.exists()  # what gave nothing may be sent again


def test_claims_deep_in_objects_and_of_other_kinds_are_compared_too(ci: Provider, role: Key) -> None:
    conditions = (("kubernetes.io.namespace", "prod"), ("protected", "true"), ("run", "7"), ("groups", "ops"))
    added(role, ci, conditions=conditions, user_name="pod")
    good = {"kubernetes": {"io": {"namespace": "prod"}}, "protected": True, "run": 7, "groups": ["x", "ops"]}
    assert sent(of_job(ci, **good)).status_code == 201
    assert "claim “protected” does not fit" in refused(of_job(ci, **{**good, "protected": False}))
    assert "claim “groups” does not fit" in refused(of_job(ci, **{**good, "groups": ["x"]}))


def test_a_provider_that_can_not_be_asked_is_said_so_without_what_it_sent(ci: Provider, role: Key) -> None:
    added(role, ci)
    ci.answers["/keys"] = (500, {}, "s3cret")
    answer = sent(of_job(ci))
    assert answer.status_code == 422
    assert answer.data["code"] == "fetch-failed"
    assert "s3cret" not in answer.content.decode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "bad-input"),
        ({"token": "x"}, 422, "bad-input"),
        ({"token": "x", "role": "deployer"}, 422, "bad-input"),
        ({"role": ROLE, "token": ""}, 422, "bad-input"),
        ({"role": ROLE, "token": 3}, 422, "bad-input"),
        ({"role": ROLE, "token": "x" * 70_000}, 422, "bad-input"),
        ({"role": ROLE, "token": "x", "more": 1}, 422, "bad-input"),
        ({"role": ROLE, "token": "x", "public_key": "A" * 56}, 422, "bad-input"),
        ({"role": ROLE, "token": "x", "lifetime": 0}, 422, "bad-input"),
        ([], 422, "bad-input"),
        ("{", 400, "bad-request"),
        ({"role": ROLE, "token": KeyPair.create(KeyKind.USER).seed().reveal().decode()}, 400, "seed"),
    ],
)
def test_what_can_not_be_read_is_a_problem(body: Any, status: int, code: str) -> None:
    make.installation()
    raw = body if isinstance(body, str) else json.dumps(body)
    answer = Client().post(reverse("api-workload-creds"), raw, content_type="application/json")
    assert (answer.status_code, json.loads(answer.content)["code"]) == (status, code)


def test_only_posts_of_json_are_taken() -> None:
    make.installation()
    url = reverse("api-workload-creds")
    assert Client().get(url).status_code == 405
    assert Client().post(url, {"token": "x"}).status_code == 415


def test_the_document_tells_of_it(ci: Provider, role: Key) -> None:
    told = document.document()["paths"][reverse("api-workload-creds")]["post"]
    assert told["security"] == []
    assert "201" in told["responses"]
    assert "token" in told["requestBody"]["content"]["application/json"]["schema"]["properties"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_bring_the_same_token_at_once_one_gets_creds(ci: Provider, role: Key) -> None:
    added(role, ci)
    sent(of_job(ci, jti="warm"))  # the provider's keys are known
    text, statuses = of_job(ci, jti="raced"), []

    def bring() -> None:
        try:
            statuses.append(sent(text).status_code)
        finally:
            connection.close()

    threads = [Thread(target=bring) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(statuses) == [201, 401, 401, 401]
    assert Handover.objects.count() == 2
