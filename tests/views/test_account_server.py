"""The account server: nats-account-server's recorded answers, replayed; operators side by side; sealed; deleted."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from identities.models import Account, Installation, IssuedToken, Operator
from identities.services import clock, pushes, secrets
from tests import make

FIXTURES = json.loads(
    (Path(__file__).parents[1] / "golden" / "http-account-server" / "fixtures.json").read_text(
        encoding="utf-8"
    )
)
BY_NAME = {case["name"]: case for case in FIXTURES}
SLIPS = {"account-head"}
"""nats-account-server answers 405 to HEAD; we answer it."""
OTHERS_STATE = {"get-before-push", "get-future-exp", "root", "healthz", "help"}
WRITES = {
    name for name, case in BY_NAME.items() if case["request"]["method"] not in {"GET", "HEAD", "OPTIONS"}
}
NOT_SERVED = {name for name in BY_NAME if name.startswith("pack")}
READS = sorted(set(BY_NAME) - SLIPS - OTHERS_STATE - WRITES - NOT_SERVED)

pytestmark = pytest.mark.django_db


def payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def stored(token: str, *, operator: Operator | None = None) -> Any:
    """A row with exactly this token as its current one."""
    claims = payload(token)
    moment = clock.now()
    entry = IssuedToken.objects.create(
        operator=operator,
        kind=claims["nats"]["type"],
        subject=claims["sub"],
        name=claims["name"],
        issuer=claims["iss"],
        jti=claims["jti"],
        iat=claims["iat"],
        exp=claims.get("exp", 0),
        text=token,
        origin="imported",
        by="test",
        by_name="test",
        reason="test",
        created_at=moment,
    )
    common = {
        "public_key": claims["sub"],
        "name": claims["name"],
        "name_fold": claims["name"].casefold(),
        "claims": json.dumps(claims),
        "token": entry,
        "issuer": claims["iss"],
        "last_iat": claims["iat"],
        "expires": claims.get("exp", 0),
        "created_at": moment,
        "updated_at": moment,
        "updated_by": "test",
    }
    if operator is None:
        return Operator.objects.create(**common)
    return Account.objects.create(operator=operator, **common)


@pytest.fixture
def golden() -> Operator:
    make.installation()
    operator = stored(BY_NAME["operator"]["response"]["body"])
    for line in BY_NAME["pack"]["response"]["body"].splitlines():
        stored(line.partition("|")[2], operator=operator)
    return operator  # type: ignore[no-any-return]


def ask(case: dict[str, Any], prefix: str = "") -> Any:
    request = case["request"]
    headers = {name.replace("-", "_").upper(): value for name, value in request["headers"].items()}
    extra = {f"HTTP_{name}": value for name, value in headers.items()}
    return Client().generic(request["method"], prefix + request["path"], **extra)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("bare", [True, False])
def test_answers_what_nats_account_server_answered(golden: Operator, name: str, bare: bool) -> None:
    case = BY_NAME[name]
    answer = ask(case, "" if bare else f"/o/{golden.public_key}")
    expected = case["response"]
    assert answer.status_code == expected["status"]
    assert answer.content.decode() == expected["body"]
    for header, value in expected["headers"]:
        if header in {"Date", "Content-Length", "Transfer-Encoding", "Vary"}:
            continue
        if header == "Cache-Control":
            value = value.replace("max-age=-1795472585", "max-age=0")
        assert answer[header] == value, header
    assert "Origin" in answer["Vary"]


def test_says_for_how_long_an_expiring_jwt_may_be_kept(golden: Operator) -> None:
    token = BY_NAME["get-future-exp"]["response"]["body"]
    Account.objects.filter(name="TestAccount").delete()
    account = stored(token, operator=golden)
    answer = Client().get(f"/jwt/v1/accounts/{account.public_key}")
    seconds = int(answer["Cache-Control"].split(",")[0].removeprefix("max-age="))
    assert abs(seconds - (payload(token)["exp"] - clock.unix())) <= 1
    assert answer.content.decode() == token


def test_an_expired_jwt_is_served_unless_checked_and_never_with_a_negative_age(golden: Operator) -> None:
    account = Account.objects.get(name="TestAccount")
    Account.objects.filter(pk=account.pk).update(token=None)
    token = BY_NAME["account"]["response"]["body"]
    entry = IssuedToken.objects.create(
        operator=golden,
        kind="account",
        subject=account.public_key,
        name=account.name,
        issuer=golden.public_key,
        jti="OLD",
        iat=1,
        exp=2,
        text=token,
        by="test",
        by_name="test",
        reason="test",
        created_at=clock.now(),
    )
    Account.objects.filter(pk=account.pk).update(token=entry)
    path = f"/jwt/v1/accounts/{account.public_key}"
    assert Client().get(path)["Cache-Control"].startswith("max-age=0,")
    checked = Client().get(path + "?check=true")
    assert (checked.status_code, checked.content) == (404, b"")


def test_head_is_answered_like_get_without_the_body(golden: Operator) -> None:
    case = BY_NAME["account-head"]
    answer = ask(case)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["ETag"] == dict(BY_NAME["account"]["response"]["headers"])["Etag"]
    assert answer["Content-Length"] == "716"


@pytest.mark.parametrize("name", sorted(WRITES))
def test_writing_is_not_allowed_here(golden: Operator, name: str) -> None:
    answer = ask(BY_NAME[name])
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert answer.content == b"Method Not Allowed\n"


OLDER_THAN_OURS = {"post-future-exp"}
"""nats-account-server puts an older JWT over a newer one; we don't."""


@pytest.mark.parametrize(
    "name", sorted(name for name in WRITES - OLDER_THAN_OURS if name.startswith("post-"))
)
def test_where_pushes_are_taken_they_are_answered_as_nats_account_server_did(
    golden: Operator, name: str
) -> None:
    password = pushes.open_door(principal=make.COMMAND, operator=golden, self_signed=False)
    request = BY_NAME[name]["request"]
    signed_in = "Basic " + base64.b64encode(f"nsc:{password}".encode()).decode()
    answer = Client().post(
        request["path"],
        request.get("body") or "",
        content_type="application/jwt",
        headers={"Authorization": signed_in},
    )
    assert answer.status_code == BY_NAME[name]["response"]["status"], answer.content
    assert bool(answer.content) == (answer.status_code != 200)


def test_writing_is_not_stopped_by_the_form_token_either(golden: Operator) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert (
        browser.post("/jwt/v1/accounts/" + "A" * 56, "x", content_type="application/jwt").status_code == 405
    )


def test_help_says_what_can_be_asked(golden: Operator) -> None:
    answer = Client().get("/jwt/v1/help")
    assert answer["Content-Type"] == "text/plain"
    assert b"/jwt/v1/accounts/<pubkey>" in answer.content
    assert Client().get(f"/o/{golden.public_key}/jwt/v1/help").content == answer.content


def test_asking_for_one_version_is_not_implemented(golden: Operator) -> None:
    account = Account.objects.get(name="TestAccount")
    assert Client().get(f"/jwt/v1/accounts/{account.public_key}?jti=x").status_code == 501


def test_a_deleted_account_is_gone_for_servers(golden: Operator) -> None:
    account = Account.objects.get(name="TestAccount")
    Account.objects.filter(pk=account.pk).update(deleted_at=clock.now())
    answer = Client().get(f"/jwt/v1/accounts/{account.public_key}")
    assert (answer.status_code, answer.content) == (404, b"no matching account JWT\n")


def test_a_deleted_operator_is_gone_with_all_its_accounts(golden: Operator) -> None:
    account = Account.objects.get(name="TestAccount")
    Operator.objects.filter(pk=golden.pk).update(deleted_at=clock.now())
    assert Client().get(f"/o/{golden.public_key}/jwt/v1/accounts/{account.public_key}").status_code == 404
    assert Client().get("/jwt/v1/operator").status_code == 404
    assert Client().get("/jwt/v1/accounts/").status_code == 404


def test_each_operator_serves_its_own_accounts_only(golden: Operator) -> None:
    other = stored(forged(golden))
    account = Account.objects.get(name="TestAccount")
    assert Client().get(f"/o/{golden.public_key}/jwt/v1/accounts/{account.public_key}").status_code == 200
    assert Client().get(f"/o/{other.public_key}/jwt/v1/accounts/{account.public_key}").status_code == 404


def test_of_several_operators_the_chosen_one_answers_under_the_bare_address(golden: Operator) -> None:
    other = stored(forged(golden))
    unclear = Client().get("/jwt/v1/operator")
    assert unclear.status_code == 404
    assert b"/o/<operator key>/jwt/v1/" in unclear.content
    for chosen in (golden, other):
        Installation.objects.update(default_operator=chosen)
        assert payload(Client().get("/jwt/v1/operator").content.decode())["sub"] == chosen.public_key


def test_servers_are_answered_while_sealed(golden: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account.objects.get(name="TestAccount")
    monkeypatch.setattr(secrets, "is_sealed", lambda: True)
    assert Client().get(f"/jwt/v1/accounts/{account.public_key}").status_code == 200
    assert Client().get("/jwt/v1/operator").status_code == 200
    assert Client().get("/jwt/v1/accounts/").status_code == 200


def test_any_host_name_and_plain_http_will_do(golden: Operator, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = Client().get("/jwt/v1/operator", headers={"host": "nats.internal:8000"})
    assert answer.status_code == 200


def test_an_account_costs_two_queries_and_one_under_its_operator_is_no_dearer(
    golden: Operator, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    account = Account.objects.get(name="TestAccount")
    secrets.is_sealed()
    with django_assert_num_queries(2):
        answer = Client().get(f"/jwt/v1/accounts/{account.public_key}")
    assert not answer.cookies
    with django_assert_num_queries(2):
        Client().get(f"/o/{golden.public_key}/jwt/v1/accounts/{account.public_key}")
    with django_assert_num_queries(1):
        Client().get("/jwt/v1/operator")


def test_activation_tokens_are_unpacked_for_people() -> None:
    from identities.formats.decoded_jwt import decoded_text

    def token(claims: dict[str, Any]) -> str:
        def part(value: object) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        return f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part(claims)}.sig"

    inner = token({"sub": "A", "nats": {}})
    text = decoded_text(
        token({"exp": 4102444800, "iat": 0, "nats": {"imports": [{"token": inner, "type": "s"}]}})
    )
    assert '"exp": 4102444800 (2100-01-01),' in text
    assert '"sub": "A"' in text
    assert inner not in text


def forged(like: Operator) -> str:
    """An operator JWT with another subject; nobody checks signatures of what is already stored."""
    text = BY_NAME["operator"]["response"]["body"]
    header, _, signature = text.split(".")
    claims = payload(text) | {"sub": "O" + like.public_key[:0:-1], "name": "Other", "jti": "OTHER"}
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{part}.{signature}"
