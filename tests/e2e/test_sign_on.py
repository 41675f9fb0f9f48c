"""Single sign-on in a real browser, through the provider of PyPI `oidc-provider-mock` on another site than ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from identities.models import Person, SignOnProvider, Team, TeamMember
from identities.nkeys import SecretBytes
from identities.services import clock
from tests import make
from tests.e2e import coming_in_sample, crawl

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib.*"),
]


@pytest.fixture
def issuer(live_server: Any, settings: Any) -> Iterator[str]:
    settings.NSCWEB_URL = live_server.url
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library under the library
        import oidc_provider_mock
    dana = oidc_provider_mock.User(
        sub="dana-1", claims={"name": "Dana Doe", "preferred_username": "dana", "groups": ["nats-ops"]}
    )
    with oidc_provider_mock.run_server_in_thread(user_claims=[dana]) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def without_styles(context: BrowserContext) -> None:
    """The provider's page fetches its style sheet from the net."""
    context.route(
        "https://cdn.jsdelivr.net/**",
        lambda route: route.fulfill(status=200, content_type="text/css", body=""),
    )


def add_provider(page: Page, issuer: str, look: Callable[..., None] | None = None) -> None:
    """As an owner: from “Team & access” to a provider that was tried, and a group that is a team."""
    page.goto(reverse("team"))
    page.get_by_role("link", name="Single sign-on").click()
    page.get_by_role("link", name="New provider").first.click()
    page.get_by_label("Name").fill("Company")
    page.get_by_label("Issuer").fill(issuer)
    page.get_by_label("Client ID").fill("nscweb")
    page.get_by_label("Client secret").fill("a secret of the client")
    page.get_by_label("Whoever it lets in").check()
    page.get_by_label("Claim with the groups").fill("groups")
    if look:
        look(page)
    page.get_by_role("button", name="Add provider").click()
    expect(page.get_by_role("heading", name="Company")).to_be_visible()
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("It answers as it should")).to_be_visible()
    page.get_by_role("link", name="Add").click()
    page.get_by_label("Group at the provider").fill("nats-ops")
    page.get_by_label("Team here").select_option("Operations")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="nats-ops", exact=True)).to_be_visible()
    if look:
        page.reload()  # without the message that fades away
        look(page)


def come_in(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign in with Company").click()
    page.get_by_role("button", name="dana-1").click()
    page.wait_for_url("/")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


@pytest.fixture
def team(live_server: Any) -> Team:
    make.installation()
    make.person(username="alice")
    made = Team.objects.create(name="Operations", created_at=clock.now())
    made.grants.create(role="viewer", scope_kind="installation", created_at=clock.now())
    return made


def test_an_owner_adds_a_provider_and_people_come_in_through_it(
    page: Page,
    open_context: Callable[..., BrowserContext],
    accessible: Callable[..., None],
    team: Team,
    issuer: str,
) -> None:
    crawl.sign_in(page, "alice", make.PASSWORD)
    add_provider(page, issuer, accessible)
    context = open_context(answers=(403,))
    without_styles(context)
    other = context.new_page()
    other.goto("/")
    expect(other.get_by_role("button", name="Sign in with Company")).to_be_visible()
    accessible(other)
    other.get_by_role("button", name="Sign in with Company").click()
    other.get_by_role("button", name="Deny").click()
    expect(other.get_by_role("heading", name="You were not signed in")).to_be_visible()
    accessible(other)
    come_in(other)
    person = Person.objects.get(username="dana")
    assert TeamMember.objects.get(team=team).person == person
    other.goto(reverse("my-sign-on"))
    expect(other.get_by_role("button", name="Unlink Company")).to_be_visible()
    accessible(other)
    page.goto(reverse("sign-on-providers"))
    expect(page.get_by_role("row", name="Company").get_by_role("cell", name="1", exact=True)).to_be_visible()
    accessible(page)


def test_all_of_it_works_without_javascript(
    plain_page: Page, open_context: Callable[..., BrowserContext], team: Team, issuer: str
) -> None:
    crawl.sign_in(plain_page, "alice", make.PASSWORD)
    add_provider(plain_page, issuer)
    context = open_context(java_script_enabled=False, answers=(403,))
    without_styles(context)
    other = context.new_page()
    come_in(other)
    assert TeamMember.objects.filter(team=team, person__username="dana").exists()
    provider = SignOnProvider.objects.get()
    plain_page.goto(reverse("sign-on-provider", args=[provider.pk]))
    plain_page.get_by_role("link", name="Take back : nats-ops").click()
    plain_page.get_by_role("button", name="Take it back").click()
    expect(plain_page.get_by_text("leads into no team by that any more")).to_be_visible()
    assert not TeamMember.objects.exists()
    assert other.goto("/").status == 403  # type: ignore[union-attr]  # a page answered


def test_somebody_is_invited_and_joins_by_a_password_or_through_the_provider(
    page: Page,
    open_context: Callable[..., BrowserContext],
    accessible: Callable[..., None],
    team: Team,
    issuer: str,
) -> None:
    make.sign_on_provider("Company", issuer=issuer, client_secret=SecretBytes(b"a secret of the client"))
    crawl.sign_in(page, "alice", make.PASSWORD)
    links = []
    for name in ("Ann Lee", "Dana Doe"):
        page.goto(reverse("team"))
        page.get_by_role("link", name="Invitations").click()
        page.get_by_role("link", name="Invite somebody").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Operations").check()
        accessible(page)
        page.get_by_role("button", name="Make the link").click()
        expect(page.get_by_text("It is shown this once")).to_be_visible()
        links.append(page.get_by_role("button", name="Copy the link").get_attribute("data-copy"))
    accessible(page)
    context = open_context()
    without_styles(context)
    ann = context.new_page()
    ann.goto(links[0] or "")
    accessible(ann)
    ann.get_by_label("Name to sign in with").fill("ann")
    ann.get_by_label("Password", exact=True).fill(make.PASSWORD)
    ann.get_by_label("Password again").fill(make.PASSWORD)
    ann.get_by_role("button", name="Join by password").click()
    expect(ann.get_by_text("Welcome, Ann Lee.")).to_be_visible()
    context = open_context(java_script_enabled=False)
    without_styles(context)
    dana = context.new_page()
    dana.goto(links[1] or "")
    dana.get_by_role("button", name="Join with Company").click()
    dana.get_by_role("button", name="dana-1").click()
    dana.wait_for_url("/")
    expect(dana.get_by_role("heading", name="Dashboard")).to_be_visible()
    names = Person.objects.filter(memberships__team=team).order_by("username")
    assert [person.username for person in names] == ["ann", "dana"]
    page.goto(reverse("invitations"))
    expect(page.get_by_text("Used", exact=True)).to_have_count(2)
    accessible(page)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_each_of_its_pages_is_accessible_and_fits(
    open_context: Callable[..., BrowserContext],
    accessible: Callable[..., None],
    live_server: Any,
    width: int,
    scheme: str,
) -> None:
    make.installation()
    make.person(username="alice")
    coming_in_sample.fill(make.account())
    page = open_context(viewport={"width": width, "height": 844}, color_scheme=scheme).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    for url in coming_in_sample.pages():
        answer = page.goto(url)
        assert answer is not None and answer.status == 200, url
        accessible(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{url} is {wide} px too wide"
