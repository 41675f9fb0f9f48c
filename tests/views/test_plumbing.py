"""What all pages share: paging by keyset, errors that become statuses, answers for htmx."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.test import RequestFactory

from identities import lookup
from identities.errors import IdentityError
from identities.forms.base import BaseForm
from identities.models import SubjectPattern
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services.secrets import SealedInstallation
from identities.views import guards, htmx, paging, shown
from tests import make

SORTS = paging.both_ways(name=paging.Sort("first_token"), text=paging.Sort("text", descending=True))
NOW = 1_800_000_000


def patterns(number: int) -> None:
    """Rows that share sort values, so that ties are decided by the id."""
    SubjectPattern.objects.bulk_create(
        SubjectPattern(text=f"s.{one:03}", first_token=f"t~{one % 3}") for one in range(number)
    )


def walk(sort: str, forward: str, start: str = "") -> tuple[list[str], str]:
    """Every page from `start` on, and the query of the last."""
    seen: list[str] = []
    query = start or f"?sort={sort}"
    while True:
        page = paging.page(SubjectPattern.objects.all(), QueryDict(query.lstrip("?")), sorts=SORTS, size=4)
        texts = [row.text for row in page.rows]
        seen = [*seen, *texts] if forward == "next" else [*texts, *seen]
        if not getattr(page, forward):
            return seen, query
        query = getattr(page, forward)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, 1, 4, 5, 8, 23])
@pytest.mark.parametrize("sort", ["name", "-name", "text", "-text"])
def test_pages_forward_and_back_show_every_row_once_in_order(sort: str, number: int) -> None:
    patterns(number)
    chosen = SORTS[sort]
    sign = "-" if chosen.descending else ""
    expected = list(
        SubjectPattern.objects.order_by(f"{sign}{chosen.column}", f"{sign}pk").values_list("text", flat=True)
    )
    forward, last = walk(sort, "next")
    assert forward == expected
    back, _ = walk(sort, "previous", last)
    assert back == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    ["after=x", "after=x~y", "after=~", "after=a%00~1", "before=~99999999999999999999", "sort=text;drop"],
)
def test_a_broken_cursor_or_unknown_sort_is_the_first_page(query: str) -> None:
    patterns(6)
    page = paging.page(SubjectPattern.objects.all(), QueryDict(query), sorts=SORTS, size=4)
    assert len(page.rows) == 4
    assert not page.previous


@pytest.mark.django_db
def test_links_keep_filter_and_sort_and_drop_the_place() -> None:
    patterns(9)
    query = QueryDict("q=s&sort=text&after=s.005~6")
    page = paging.page(SubjectPattern.objects.all(), query, sorts=SORTS, size=2)
    assert "q=s" in page.next
    assert "sort=text" in page.next
    heads = paging.headings(
        query, SORTS, [("Name", "name", ""), ("Text", "text", "wrap"), ("Other", "", "")], page.sort
    )
    assert [(head.aria_sort, head.query) for head in heads] == [
        ("", "?q=s&sort=name"),
        ("descending", "?q=s&sort=-text"),
        ("", ""),
    ]


@pytest.mark.django_db
def test_many_rows_are_counted_no_further_than_makes_sense() -> None:
    patterns(1005)
    assert paging.page(SubjectPattern.objects.all(), QueryDict(""), sorts=SORTS).total == "more than 1,000"
    assert (
        paging.page(SubjectPattern.objects.all(), QueryDict(""), sorts=SORTS, total=40000).total == "40,000"
    )


def raising(error: Exception) -> guards.View[[]]:
    @guards.page("GET", "POST")
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


def test_refusals_become_statuses() -> None:
    request = RequestFactory().get("/")
    with pytest.raises(Http404):
        raising(lookup.NotFound("none"))(request)
    with pytest.raises(PermissionDenied, match="no role"):
        raising(Forbidden("no role"))(request)
    sealed = raising(SealedInstallation("no key"))(request)
    assert sealed.status_code == 503
    assert b"no key" in sealed.content


def test_a_page_answers_only_to_its_methods() -> None:
    @guards.page()
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("x")

    assert view(RequestFactory().head("/")).status_code == 200
    assert view(RequestFactory().post("/")).status_code == 405


def test_a_refusal_without_a_field_stands_above_the_form() -> None:
    form = BaseForm(QueryDict(""))
    assert form.is_valid()
    with guards.errors_on(form):
        raise IdentityError("not so", field="elsewhere")
    assert form.non_field_errors() == ["not so"]
    assert form.status == 422


def test_a_form_does_not_swallow_what_is_not_its_own() -> None:
    form = BaseForm(QueryDict(""))
    assert form.is_valid()
    with pytest.raises(Forbidden), guards.errors_on(form):
        raise Forbidden("no")


def test_a_download_names_its_file_safely_and_is_kept_by_nobody() -> None:
    answer = htmx.download('a"b\r\nc.creds', "text", "text/plain")
    assert "\n" not in answer["Content-Disposition"]
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("expires", "not_before", "word"),
    [
        (0, 0, "Valid"),
        (NOW, 0, "Expired"),
        (NOW + 10, 0, "Expires in less than a minute"),
        (NOW + 3600, 0, "Expires in 1 hour"),
        (NOW + 86_399, 0, "Expires in 23 hours"),
        (NOW + 86_400, 0, "Expires in 1 day"),
        (NOW + 5 * 86_400, 0, "Expires in 5 days"),
        (NOW + 28 * 86_400, 0, "Expires in 28 days"),
        (NOW + 29 * 86_400, 0, "Valid"),
        (0, NOW + 1, "Not yet valid"),
    ],
)
def test_a_state_is_told_in_a_word(expires: int, not_before: int, word: str) -> None:
    assert shown.state(expires, not_before, NOW).word == word


def test_a_key_is_shown_short_and_kept_whole() -> None:
    key = "A" * 52 + "BCDE"
    assert (shown.chip(key).short, shown.chip(key).full) == ("AAAA…BCDE", key)
    assert shown.chip(key, long=True).short == key


@pytest.mark.parametrize("seconds", [0, 1, NOW, 253_402_300_799, 253_402_300_800, -1])
def test_any_time_of_a_claim_can_be_shown(seconds: int) -> None:
    assert bool(shown.unix(seconds)) == bool(seconds)


@pytest.mark.django_db
def test_the_pages_of_an_object_are_tabs_of_each_other() -> None:
    account = make.account(make.operator())
    user = make.user(account)
    tabs = shown.user_tabs(user, client_test=True)["tabs"]
    assert [tab.label for tab in tabs] == [
        "Overview",
        "Client test",
        "May it …?",
        "Connections",
        "Context for nats",
        "History",
    ]
    assert len(shown.user_tabs(user, client_test=False)["tabs"]) == 5
    number = '<span class="count">{}</span>'
    for name, url in ((f"Accounts {number.format(2)}", "accounts"), ("History", "operator-history")):
        page = make.client().get(shown.operator_url(url, account.operator)).content.decode()
        assert f'aria-current="page">{name}</a>' in page
    page = make.client().get(shown.account_url("account-history", account)).content.decode()
    assert f'{shown.account_url("users", account)}">Users {number.format(1)}' in page


@pytest.mark.django_db
def test_tabs_count_only_what_one_may_see() -> None:
    account = make.account(make.operator())
    viewer = make.client(Role.VIEWER, account=account)
    for name in ("operator", "accounts"):
        page = viewer.get(shown.operator_url(name, account.operator)).content.decode()
        assert 'Accounts <span class="count">1</span></a>' in page, name
