"""Second factors in a real browser: an app, recovery codes, passkeys of chromium's own virtual authenticator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from playwright.sync_api import BrowserContext, Page, expect

from identities.lookup import person_principal
from identities.management.commands.worker import HANDLERS
from identities.models import Installation, Person
from identities.services import jobs, second_factors
from identities.views import proving
from tests import make
from tests.authenticators import App, app_of
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)
CODE = re.compile(r"[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}")
NARROW = {"width": 390, "height": 844}
BY_SIZE = (
    "color-contrast",
    "target-size",
    "scrollable-region-focusable",
    "label",
    "button-name",
    "link-name",
)


@pytest.fixture
def alice(live_server: Any, settings: Any) -> Person:
    settings.NSCWEB_URL = live_server.url
    make.installation()
    return make.person(username="alice")


@pytest.fixture
def look(accessible: Callable[..., None]) -> Callable[[Page, str], None]:
    """Judges a page in a wide and a narrow window, light and dark."""

    def judge(page: Page, name: str) -> None:
        before = page.viewport_size
        accessible(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for size in (before, NARROW):
                page.set_viewport_size(size)  # type: ignore[arg-type]
                accessible(page, *BY_SIZE)
                wide = page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wide <= 0, f"{name} is {wide} px too wide"
                crawl.shoot(page, f"{name}-{scheme}-{'wide' if size is before else 'narrow'}")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(before)  # type: ignore[arg-type]

    return judge


def password(page: Page) -> None:
    page.goto("/account/login/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    page.context.clear_cookies()


def set_up(page: Page, look: Callable[[Page, str], None] = lambda page, name: None) -> tuple[App, list[str]]:
    """An app by its pages, and the recovery codes that are shown."""
    page.goto("/account/")
    page.get_by_role("link", name="Manage second factors").click()
    page.get_by_role("link", name="Authenticator app").click()
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    page.wait_for_load_state("load")  # the picture is a request of its own
    assert page.evaluate("document.querySelector('main img').naturalWidth") > 0
    look(page, "second-factor-app")
    app = App(page.request.get("/account/second-factors/app/key.txt").text().replace(" ", "").strip())
    assert app.key not in page.content().replace(" ", "")
    page.get_by_label("Code").fill(app.code())
    page.get_by_role("button", name="Add the app").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    look(page, "recovery-codes")
    codes = CODE.findall(page.locator("main").inner_text())
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 left")).to_be_visible()
    return app, codes


def test_an_app_is_set_up_and_asked_for_and_a_recovery_code_opens_once(
    page: Page, alice: Person, look: Callable[[Page, str], None]
) -> None:
    password(page)
    page.wait_for_url("/")
    app, codes = set_up(page, look)
    assert len(codes) == second_factors.CODES
    look(page, "second-factors")
    page.goto("/account/")
    look(page, "you")
    page.goto("/account/sessions/")
    look(page, "sessions")
    sign_out(page)
    password(page)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    look(page, "second-step")
    page.get_by_label("Code").fill(app.code(1))
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("/")
    for times, opens in enumerate([True, False]):
        sign_out(page)
        password(page)
        page.get_by_label("Code").fill(codes[0])
        page.get_by_role("button", name="Go on").click()
        if opens:
            page.wait_for_url("/")
        else:
            expect(page.get_by_text("That code is wrong, was used already")).to_be_visible()
        assert times <= 1


def test_an_app_is_set_up_and_asked_for_without_javascript(plain_page: Page, alice: Person) -> None:
    password(plain_page)
    plain_page.wait_for_url("/")
    app, _ = set_up(plain_page)
    sign_out(plain_page)
    password(plain_page)
    plain_page.get_by_label("Code").fill(app.code(1))
    plain_page.get_by_role("button", name="Go on").click()
    plain_page.wait_for_url("/")


def authenticator(page: Page) -> Any:
    """A phone that holds passkeys and checks a finger."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    return session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def test_a_passkey_is_made_signs_in_alone_and_is_a_second_step(
    page: Page, alice: Person, look: Callable[[Page, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator(page)
    password(page)
    page.wait_for_url("/")
    page.goto("/account/second-factors/")
    page.get_by_role("link", name="Passkey").click()
    page.get_by_label("Name").fill("This computer")
    look(page, "second-factor-passkey")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    page.goto("/account/second-factors/passkey/")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_text("This passkey is among yours already.")).to_be_visible()

    sign_out(page)
    page.goto("/account/sessions/")
    page.get_by_role("link", name="Sign in with a passkey").click()
    expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
    look(page, "passkey")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("/account/sessions/")

    sign_out(page)
    password(page)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("/")

    monkeypatch.setattr(proving, "FRESH_SECONDS", 0)
    page.goto("/account/edit/")
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    look(page, "confirm")
    monkeypatch.setattr(proving, "FRESH_SECONDS", 900)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("/account/edit/")

    page.goto("/account/second-factors/")
    page.get_by_role("link", name="Remove This computer").click()
    expect(page.get_by_role("button", name="Remove")).to_be_visible()
    look(page, "second-factor-remove")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No second factor yet")).to_be_visible()


def test_a_passkey_that_is_not_used_says_so(page: Page, alice: Person) -> None:
    session, held = authenticator(page)
    session.send("WebAuthn.setUserVerified", {"authenticatorId": held, "isUserVerified": False})
    page.goto("/account/passkey/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("No passkey was used")).to_be_visible()
    expect(page.get_by_role("button", name="Use a passkey")).to_be_enabled()


def test_a_sensitive_dialog_leads_to_the_question_and_back(
    page: Page, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    password(page)
    page.wait_for_url("/")
    page.goto("/account/")
    monkeypatch.setattr(proving, "FRESH_SECONDS", 0)
    page.get_by_role("link", name="Edit", exact=False).first.click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Confirm by password").click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    monkeypatch.setattr(proving, "FRESH_SECONDS", 900)
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Confirm by password").click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_hidden()


def test_other_sessions_are_ended_from_the_list(
    page: Page, open_context: Callable[..., BrowserContext], alice: Person
) -> None:
    other = open_context().new_page()
    for each in (page, other):
        password(each)
        each.wait_for_url("/")
    page.goto("/account/sessions/")
    page.get_by_role("button", name="Sign out Chrome on Linux").click()
    expect(page.get_by_text("That session has ended.")).to_be_visible()
    other.goto("/account/")
    expect(other.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_a_page_with_an_app_of_somebody_shows_no_secret(page: Page, alice: Person) -> None:
    app, codes = app_of(person_principal(alice))
    password(page)
    page.get_by_label("Code").fill(app.code(1))
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("/")
    for address in ("/account/", "/account/second-factors/", "/account/confirm/", "/activity"):
        page.goto(address)
        content = page.content()
        assert app.key not in content
        assert not any(code in content for code in codes)


def test_who_must_have_one_is_led_to_it_and_goes_on_with_it(
    page: Page, alice: Person, look: Callable[[Page, str], None]
) -> None:
    Installation.objects.update(second_factor="everybody")
    password(page)
    page.wait_for_url("/account/second-factors/")
    expect(page.get_by_text("This installation asks you for a second factor.")).to_be_visible()
    look(page, "second-factors-demanded")
    page.goto("/operators/")
    page.wait_for_url("/account/second-factors/")
    page.get_by_role("link", name="Authenticator app").click()
    app = App(page.request.get("/account/second-factors/app/key.txt").text().replace(" ", "").strip())
    page.get_by_label("Code").fill(app.code())
    page.get_by_role("button", name="Add the app").click()
    page.get_by_role("link", name="I have kept them").click()
    page.goto("/installation")
    page.get_by_role("link", name="Edit Second factors").click()
    page.get_by_label("Nobody").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A second factor is demanded of nobody.")).to_be_visible()


def test_a_forgotten_password_is_set_anew_without_javascript(
    plain_page: Page, alice: Person, settings: Any
) -> None:
    settings.EMAIL_CONFIGURED = True
    Person.objects.update(email="alice@example.com")
    plain_page.goto("/account/login/")
    plain_page.get_by_role("link", name="Forgotten your password?").click()
    plain_page.get_by_label("Name or e-mail address").fill("alice")
    plain_page.get_by_role("button", name="Send the link").click()
    expect(plain_page.get_by_text("a link is on its way")).to_be_visible()
    while jobs.work_once(HANDLERS):
        pass
    link = re.search(r"http://\S+/account/new-password/\S+", str(mail.outbox[-1].body))
    assert link is not None
    plain_page.goto(link[0])
    new = "a quite different passphrase"
    plain_page.get_by_label("Password", exact=True).fill(new)
    plain_page.get_by_label("Password again").fill(new)
    plain_page.get_by_role("button", name="Set the password").click()
    plain_page.get_by_label("Username").fill("alice")
    plain_page.get_by_label("Password").fill(new)
    plain_page.get_by_role("button", name="Sign in", exact=True).click()
    plain_page.wait_for_url("/")
