"""Keys, validation and a reissue by clicking, with a script and without: a seed in, a seed out, a plan, a new key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, expect

from identities.claims.limits import OperatorLimits
from identities.models import Account, Key, Operator, User
from identities.nkeys import KeyKind, KeyPair
from tests import make
from tests.e2e import crawl
from tests.e2e.walk import Walk, fill, worker

pytestmark = pytest.mark.django_db(transaction=True)
OpenContext = Callable[..., BrowserContext]


@dataclass(frozen=True)
class Sample:
    """An operator with an account; the seed of its user is elsewhere."""

    operator: Operator
    account: Account
    user: User
    pair: KeyPair

    def url(self, name: str) -> str:
        return reverse(name, args=[self.operator.public_key])

    def account_url(self, name: str = "account") -> str:
        return reverse(name, args=[self.operator.public_key, self.account.public_key])


@pytest.fixture
def sample(live_server: Any) -> Sample:
    make.installation()
    make.person(username="alice")
    operator, pair = make.operator("Op"), KeyPair.create(KeyKind.USER)
    account = make.account(operator, "App", limits=replace(OperatorLimits.unlimited(), leaf=0))
    return Sample(operator, account, make.user(account, "ann", public_key=pair.public.text), pair)


@pytest.fixture(params=[True, False], ids=["with a script", "without a script"])
def walk(request: pytest.FixtureRequest, sample: Sample, open_context: OpenContext, tmp_path: Path) -> Walk:
    scripted = bool(request.param)
    page = open_context(java_script_enabled=scripted).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    return Walk(page, tmp_path, scripted)


def test_a_seed_comes_in_and_goes_out(walk: Walk, sample: Sample) -> None:
    page, seed = walk.page, sample.pair.seed().reveal().decode()
    page.goto(sample.url("keys"))
    walk.titled("Keys")
    walk.choose(page.get_by_label("Seed", exact=True), "seed missing", "Filter")
    expect(page.locator("#key-list tbody tr")).to_have_count(1)
    panel = walk.form(page.get_by_role("link", name="Add seed"))
    fill(panel, {"Seed": seed.replace("A", "B")})
    walk.send(panel, "Add seed")
    expect(page.get_by_role("alert")).to_be_visible()
    assert not crawl.SEED.search(page.content())
    panel = page.locator(".form-panel")
    fill(panel, {"Seed": f"\n {seed} \n"})
    walk.send(panel, "Add seed")
    walk.told("Added the seed of user “ann”.")
    assert not crawl.SEED.search(page.content())
    page.goto(f"{sample.url('keys')}?kind=user&q=ann")
    page.get_by_role("link", name="Export").click()
    walk.titled("Export a seed")
    fill(page.get_by_role("main"), {"Your password": make.PASSWORD})
    path = walk.download(page.get_by_role("button", name="Download the seed"))
    assert (path.name, path.read_text()) == (f"{sample.user.public_key}.nk", seed)
    assert not crawl.SEED.search(page.content())


def test_a_key_is_generated_and_becomes_the_accounts_next(walk: Walk, sample: Sample) -> None:
    page = walk.page
    page.goto(sample.url("keys"))
    panel = walk.form(walk.link("Generate a key"))
    walk.send(panel, "Generate")
    expect(page.locator("#toasts")).to_contain_text("Generated a spare account key")
    spare = Key.objects.get(operator=sample.operator, purpose="spare").public_key
    expect(page.locator("#key-list")).to_contain_text("spare, not used yet")

    page.goto(sample.account_url())
    walk.menu("Reissue").click()
    walk.titled("Reissue account App")
    field = page.get_by_label("Next public key")
    field.fill(sample.user.public_key)
    if walk.scripted:
        field.blur()
    else:
        page.get_by_role("button", name="Show the plan").click()
    expect(page.locator(".form-preview")).to_contain_text("This can't be done as it stands")
    crawl.shoot(page, f"reissue-refused-{'script' if walk.scripted else 'plain'}")
    page.get_by_label("Next public key").fill(spare)
    if walk.scripted:
        page.get_by_label("Next public key").blur()
    else:
        page.get_by_role("button", name="Show the plan").click()
    expect(page.locator(".form-preview")).not_to_contain_text("This can't be done")
    expect(page.locator(".form-preview")).to_contain_text(
        "Signed anew, with the rights that they have: 1 user."
    )
    page.get_by_label("Type “App” to confirm").fill("App")
    page.get_by_role("button", name="Reissue account").click()
    walk.told("Reissued account “App”.")
    sample.account.refresh_from_db()
    assert sample.account.public_key == spare
    assert page.url.split("?")[0].endswith(sample.account_url())


def test_the_worker_signs_many_and_the_page_follows(
    walk: Walk, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identities.services.reissuing.AT_ONCE", 0)
    page = walk.page
    page.goto(sample.account_url("account-reissue"))
    page.get_by_label("Type “App” to confirm").fill("App")
    page.get_by_role("button", name="Reissue account").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    with worker():
        pass
    walk.refresh()
    expect(page.get_by_text("Signed anew: 1 user.")).to_be_visible()
    walk.link("On to App, and how servers learn of it").click()
    walk.titled("App")


def test_an_operators_reissue_leads_to_the_configuration_that_trusts_both(walk: Walk, sample: Sample) -> None:
    page = walk.page
    page.goto(sample.url("operator"))
    walk.menu("Reissue").click()
    walk.titled("Reissue operator Op")
    page.get_by_label("Keep the present key as a signing key").check()
    if not walk.scripted:
        page.get_by_role("button", name="Show the plan").click()
    expect(page.locator(".form-preview")).to_contain_text("Its present key stays, as a signing key")
    page.get_by_label("Type “Op” to confirm").fill("Op")
    page.get_by_role("button", name="Reissue operator").click()
    walk.told("Reissued operator “Op”.")
    walk.link("Server configuration").click()
    walk.link("configuration that trusts both keys").click()
    expect(page.locator("#config-text")).to_contain_text("operator: [")


def test_a_finding_leads_to_the_page_that_mends_it(walk: Walk, sample: Sample) -> None:
    page = walk.page
    page.goto(sample.url("operator"))
    walk.link("Validate").click()
    walk.titled("Validate")
    expect(page.locator("#validation")).to_contain_text("No issues found")
    user = make.user(sample.account, "gone")
    User.objects.filter(pk=user.pk).update(claims=user.claims.replace('"subs":-1', '"exp":1,"subs":-1'))
    Account.objects.filter(pk=sample.account.pk).update(
        claims=sample.account.claims.replace('"payload":-1', '"payload":-7')
    )
    page.get_by_role("button", name="Check again").click()
    expect(page.locator("#validation")).to_contain_text("-7 is no limit")
    walk.choose(page.get_by_label("Show", exact=True), "what servers or nsc refuse", "Check again")
    expect(page.locator("#validation")).not_to_contain_text("-7 is no limit")
    walk.choose(page.get_by_label("Show", exact=True), "everything", "Check again")
    walk.link("Limits").click()
    walk.titled("Limits of account App")
