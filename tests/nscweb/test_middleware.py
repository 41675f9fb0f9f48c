from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from identities.models import Person
from identities.nkeys import KeyKind, KeyPair
from identities.policy import routes
from identities.policy.actions import Action
from identities.services import secrets
from nscweb import errors, middleware


def _page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the page")


def _broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("SU" + "A" * 56)


SEED = KeyPair.create(KeyKind.USER).seed().reveal().decode()

urlpatterns = [
    path("page", _page, name="t-page"),
    path("danger", _page, name="t-danger"),
    path("open", _page, name="t-open"),
    path("broken", _broken, name="t-broken"),
    path("unlisted", _page, name="t-unlisted"),
    path("jwt/v1/operator", _page, name="t-open"),
    path("", include("nscweb.urls")),
]
handler404 = "nscweb.errors.not_found"
handler500 = "nscweb.errors.server_error"

pytestmark = [pytest.mark.urls("tests.nscweb.test_middleware"), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch, unsealed: None) -> None:
    table: Mapping[str, routes.Route] = {
        **routes.ROUTES,
        "t-page": routes.Route(routes.Access.SESSION, Action.VIEW),
        "t-danger": routes.Route(routes.Access.SESSION, Action.OPERATOR_DELETE),
        "t-open": routes.Route(routes.Access.PUBLIC),
        "t-broken": routes.Route(routes.Access.PUBLIC),
    }
    monkeypatch.setattr(routes, "ROUTES", table)


def test_a_route_missing_in_the_table_does_not_exist(signed_in: Client) -> None:
    assert signed_in.get("/unlisted").status_code == 404


def test_nobody_is_sent_to_sign_in_and_back(client: Client) -> None:
    response = client.get("/page?q=1")
    assert response.status_code == 302
    assert response["Location"] == "/account/login/?next=/page%3Fq%3D1"


def test_htmx_is_told_to_load_the_sign_in_page(client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/page?q=1"}
    response = client.get("/page", headers=headers)
    assert response.status_code == 200
    assert response["HX-Redirect"] == "/account/login/?next=%2Fpage%3Fq%3D1"
    assert b"the page" not in response.content


def test_a_post_without_a_session_comes_back_to_the_start(client: Client) -> None:
    assert client.post("/page")["Location"] == "/account/login/?next=/"


def test_a_viewer_reads_but_a_writing_route_says_why_not(client: Client, victor: Person) -> None:
    client.force_login(victor)
    assert client.get("/page").status_code == 200
    response = client.get("/danger")
    assert response.status_code == 403
    assert "needs the role owner or operator admin here" in response.content.decode()


def test_a_person_switched_off_is_out_with_the_next_request(signed_in: Client, alice: Person) -> None:
    assert signed_in.get("/page").status_code == 200
    Person.objects.filter(pk=alice.pk).update(is_active=False)
    assert signed_in.get("/page").status_code == 302


@pytest.mark.parametrize("address", ["/page", "/open", "/nothing", "/livez", "/account/login/", "/unlisted"])
def test_every_answer_carries_the_headers(signed_in: Client, address: str) -> None:
    response = signed_in.get(address)
    assert response["Content-Security-Policy"] == middleware.CONTENT_SECURITY_POLICY
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "no-store"
    assert "HX-Request" in response["Vary"]
    assert "Permissions-Policy" in response
    assert len(response["X-Request-ID"]) == 16


def test_a_mistake_of_ours_shows_no_internals_and_logs_no_seed(
    client: Client, capfd: pytest.CaptureFixture[str], settings: Any
) -> None:
    from nscweb import logging as nscweb_logging

    nscweb_logging.configure(log_format="console", level="WARNING")
    client.raise_request_exception = False
    response = client.get("/broken")
    assert response.status_code == 500
    assert b"RuntimeError" not in response.content
    logged = capfd.readouterr().err
    assert "RuntimeError: [redacted]" in logged
    assert "A" * 56 not in logged


def test_a_log_line_names_the_route_because_a_path_may_hold_a_one_time_link(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.raise_request_exception = False
    client.get("/secret-link/token-in-the-path")
    client.get("/broken")
    said = [record.getMessage() for record in caplog.records]
    assert "Not Found: [no route]" in said
    assert "Internal Server Error: /broken" in said
    assert "token-in-the-path" not in " ".join(said)


def test_nats_servers_and_probes_reach_us_under_any_name(client: Client) -> None:
    for address in ("/jwt/v1/operator", "/livez", "/readyz"):
        assert client.get(address, headers={"Host": "nats.internal:9"}).status_code == 200
    assert client.get("/open", headers={"Host": "nats.internal:9"}).status_code == 400


def test_https_is_asked_for_everywhere_but_by_nats_servers_and_probes(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/open").status_code == 301
    for address in ("/jwt/v1/operator", "/livez"):
        assert client.get(address).status_code == 200


def test_sealed_answers_503_before_sessions(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(secrets, "is_sealed", lambda: True)
    monkeypatch.setattr(secrets, "sealed_reason", lambda: "The master key does not fit.")
    with django_assert_num_queries(0):
        for address in ("/page", "/open", "/account/login/", "/nothing"):
            response = client.get(address)
            assert response.status_code == 503
            assert "The master key does not fit." in response.content.decode()
        assert client.post("/jwt/v1/operator").status_code == 503
        assert client.get("/jwt/v1/operator").status_code == 200
        assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize(
    "query", ["q={}", "sort={}", "{}=1", "next=/search?q={}", "a=key:%20{}", "a=1&a={}", "a=%53{tail}"]
)
@pytest.mark.parametrize("address", ["/page", "/open", "/account/login/", "/livez", "/jwt/v1/operator"])
def test_a_seed_in_an_address_is_refused_and_not_shown_again(
    signed_in: Client, address: str, query: str
) -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    response = signed_in.get(f"{address}?{query.format(seed, tail=seed[1:])}")
    page = response.content.decode()
    assert response.status_code == 400
    assert "That is a seed" in page
    assert "<p data-error>" in page  # what htmx shows
    assert seed not in f"{page}{response.headers}"


def test_a_seed_is_refused_before_the_redirect_to_https(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/open", {"q": SEED}).status_code == 400


def test_a_query_that_holds_keys_and_long_names_is_no_seed(signed_in: Client) -> None:
    query = {"q": KeyPair.create(KeyKind.ACCOUNT).public.text, "after": f"production-{'x' * 60}~7"}
    assert signed_in.get("/page", query).status_code == 200


@pytest.mark.parametrize(("field", "shown"), [("login", False), ("next", False), ("password", True)])
def test_a_seed_in_the_sign_in_form_is_refused_except_as_a_wrong_password(
    client: Client, field: str, shown: bool
) -> None:
    response = client.post("/account/login/", {"login": "alice", "password": "x", field: SEED})
    assert response.status_code == (200 if shown else 400)
    assert SEED not in response.content.decode()


def test_a_csrf_token_that_looks_like_a_seed_is_none(client: Client) -> None:
    sent = {"login": "alice", "password": "x", "csrfmiddlewaretoken": SEED}
    assert client.post("/account/login/", sent).status_code == 200


def test_who_searched_for_a_seed_is_sent_to_sign_in_and_back_without_it(client: Client) -> None:
    assert client.get("/search", {"q": SEED})["Location"] == "/account/login/?next=/search"
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver/search?q={SEED}"}
    assert client.get("/page", headers=headers)["HX-Redirect"] == "/account/login/?next=%2Fsearch"


def test_the_search_box_says_itself_what_is_wrong_with_a_seed(signed_in: Client) -> None:
    assert signed_in.get("/search", {"q": SEED}).status_code == 422
    assert signed_in.get("/search", {"q": "a", "look": SEED}).status_code == 400


def test_signing_out_empties_the_browser_cache(signed_in: Client) -> None:
    response = signed_in.post("/account/logout/")
    assert response.status_code == 302
    assert response["Clear-Site-Data"] == '"cache"'
    assert signed_in.get("/page").status_code == 302


def test_the_error_pages_say_something_even_without_templates() -> None:
    request = HttpRequest()
    assert errors.bad_request(request).status_code == 400
    assert errors.server_error(request).status_code == 500


def test_a_database_that_is_away_is_503_not_500() -> None:
    try:
        raise OperationalError("connection refused")
    except OperationalError:
        response = errors.server_error(HttpRequest())
    assert response.status_code == 503
