"""The pages on which it is said which machines get creds of a role."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.models import Account, AuditEvent, Key, WorkloadRule
from identities.policy.principal import Role
from identities.services import signing_keys
from tests import make
from tests.views.sign_on_pages import said

pytestmark = pytest.mark.django_db
SENT = {
    "name": "Shop",
    "issuer": "https://token.actions.githubusercontent.com",
    "audience": "https://nscweb.example.com",
    "conditions": "repository = acme/shop\nref=refs/heads/*",
    "user_name": "ci-{repository}",
    "seconds": "600",
    "is_enabled": "on",
    "version": "0",
}


@pytest.fixture
def role() -> Key:
    account = make.account()
    draft = SigningKeyDraft(role=RoleDraft(role="deployer"))
    return signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)


@pytest.fixture
def admin(role: Key) -> Client:
    return make.client(account=account_of(role))


def account_of(role: Key) -> Account:
    return Account.objects.select_related("operator").get(pk=role.account_id)


def url(role: Key, name: str = "workload-rules", *more: object) -> str:
    account = account_of(role)
    return reverse(name, args=[account.operator.public_key, account.public_key, role.public_key, *more])


def added(admin: Client, role: Key, **changed: Any) -> WorkloadRule:
    answer = admin.post(url(role, "workload-rule-create"), {**SENT, **changed})
    assert answer.status_code == 302, said(answer)
    return WorkloadRule.objects.latest("pk")


def test_an_account_admin_adds_a_rule_from_the_roles_page(admin: Client, role: Key) -> None:
    assert url(role) in said(admin.get(url(role, "signing-key")))
    assert "No rules yet" in said(admin.get(url(role)))
    assert "{&quot;" not in said(admin.get(url(role, "workload-rule-create")))
    rule = added(admin, role)
    assert rule.wanted == (("repository", "acme/shop"), ("ref", "refs/heads/*"))
    page = said(admin.get(url(role)))
    assert "repository = acme/shop" in page
    assert "/api/v1/workload/creds" in page
    event = AuditEvent.objects.get(action="workload.edit")
    assert event.summary.startswith("Added the rule “Shop”: machines of https://token.actions")
    assert event.targets.filter(key=account_of(role).public_key).exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "required"),
        ("name", "taken", "already"),
        ("issuer", "http://token.example.com", "without TLS"),
        ("issuer", "token.example.com", "http"),
        ("audience", "", "required"),
        ("conditions", "", "required"),
        ("conditions", "repository", "no condition"),
        ("conditions", "repository =", "no condition"),
        ("conditions", "= acme/shop", "no condition"),
        ("conditions", "repository = *", "more than who signed"),
        ("conditions", "sub = **\nref = *", "more than who signed"),
        ("conditions", "ref = a\nref = b", "stands twice"),
        ("conditions", "a b = c", "no condition"),
        ("user_name", "", "required"),
        ("user_name", "ci-{repository", "between { and }"),
        ("user_name", "ci-{}", "between { and }"),
        ("seconds", "0", "greater than or equal"),
        ("seconds", "soon", "whole number"),
    ],
)
def test_says_at_the_field_what_is_wrong(
    admin: Client, role: Key, field: str, value: str, words: str
) -> None:
    added(admin, role, name="Taken")
    answer = admin.post(url(role, "workload-rule-create"), {**SENT, field: value})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert words in str(answer.context["form"].errors[field])
    assert WorkloadRule.objects.count() == 1


def test_a_rule_is_edited_and_a_stale_page_shows_both_values(admin: Client, role: Key) -> None:
    rule = added(admin, role)
    page = url(role, "workload-rule-edit", rule.pk)
    assert "repository = acme/shop" in said(admin.get(page))
    answer = admin.post(page, {**SENT, "version": 1, "conditions": "repository = acme/theirs"})
    assert answer.status_code == 302
    rule.refresh_from_db()
    assert rule.wanted == (("repository", "acme/theirs"),)
    stale = admin.post(page, {**SENT, "version": 1, "conditions": "repository = acme/mine"})
    assert stale.status_code == 409
    assert "acme/theirs" in said(stale)
    assert "acme/mine" in said(stale)


def test_a_form_that_is_sent_back_as_it_was_shown_keeps_the_rule(admin: Client, role: Key) -> None:
    rule = added(admin, role)
    answer = admin.post(url(role, "workload-rule-edit", rule.pk), {**SENT, "version": 1})
    assert answer.status_code == 302
    again = WorkloadRule.objects.get()
    assert (again.conditions, again.user_name, again.seconds) == (
        rule.conditions,
        rule.user_name,
        rule.seconds,
    )


def test_a_rule_is_removed_after_its_name(admin: Client, role: Key) -> None:
    rule = added(admin, role)
    page = url(role, "workload-rule-delete", rule.pk)
    assert admin.post(page, {"version": 1, "confirm": "x"}).status_code == 422
    assert admin.post(page, {"version": 1, "confirm": "Shop"}).status_code == 302
    assert "No rules yet" in said(admin.get(url(role)))
    assert admin.get(page).status_code == 404
    assert added(admin, role).name == "Shop"  # the name is free again


def test_only_who_administers_the_account_says_whom_it_trusts(admin: Client, role: Key) -> None:
    rule = added(admin, role)
    account = account_of(role)
    pages = (url(role), url(role, "workload-rule-create"), url(role, "workload-rule-edit", rule.pk))
    for held in (Role.USER_MANAGER, Role.VIEWER):
        browser = make.client(held, account=account)
        assert [browser.get(page).status_code for page in pages] == [403, 403, 403]
        assert browser.post(pages[2], {**SENT, "version": 1}).status_code == 403
    foreign = make.client(account=make.account())
    assert [foreign.get(page).status_code for page in pages] == [404, 404, 404]
    assert foreign.post(pages[2], {**SENT, "version": 1}).status_code == 404
    assert WorkloadRule.objects.get().version == 1


def test_a_rule_is_found_under_its_own_role_alone(admin: Client, role: Key) -> None:
    rule = added(admin, role)
    account = account_of(role)
    draft = SigningKeyDraft(role=RoleDraft(role="other"))
    other = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    assert admin.get(url(other, "workload-rule-edit", rule.pk)).status_code == 404
    assert "No rules yet" in said(admin.get(url(other)))
