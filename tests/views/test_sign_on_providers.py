"""The pages on which owners choose providers of single sign-on, and which of their groups are which teams."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.models import AuditEvent, Grant, Person, SignOnGroup, SignOnProvider, Team, TeamMember
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import clock, rotation, sign_on_providers
from tests import make
from tests.oidcprovider import CLIENT, SECRET, Provider
from tests.views.sign_on_pages import added, said, through

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner() -> Client:
    return make.client()


def url(row: SignOnProvider, name: str = "sign-on-provider", *more: object) -> str:
    return reverse(name, args=[row.pk, *more])


def sent(idp: Provider, **changed: Any) -> dict[str, Any]:
    values = {
        "name": "Company",
        "issuer": idp.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "is_enabled": "on",
        "scopes": "openid\nprofile",
        **changed,
    }
    return {name: value for name, value in values.items() if value is not None}


def team(name: str = "Ops") -> Team:
    return Team.objects.create(name=name, created_at=clock.now())


def test_without_a_provider_the_page_says_what_one_is_for(owner: Client) -> None:
    page = said(owner.get(reverse("sign-on-providers")))
    assert "No provider yet" in page
    assert reverse("sign-on-provider-create") in page
    assert reverse("sign-on-providers") in said(owner.get(reverse("team")))


def test_an_owner_adds_a_provider_and_is_told_what_to_register_there(owner: Client, idp: Provider) -> None:
    answer = owner.post(reverse("sign-on-provider-create"), sent(idp, email_domains="Example.com @b.org"))
    row = SignOnProvider.objects.get()
    assert answer["Location"] == url(row)
    assert row.email_domains.split() == ["example.com", "b.org"]
    assert not row.creates_people
    page = said(owner.get(url(row)))
    assert f"/sign-on/{row.pk}/back" in page
    assert "sealed here" in page
    assert "Company" in said(owner.get(reverse("sign-on-providers")))
    assert AuditEvent.objects.filter(action="sign-on.edit").get().summary == "Added sign-on through “Company”"


def test_the_secret_is_sealed_and_never_given_back(owner: Client, idp: Provider) -> None:
    refused = owner.post(reverse("sign-on-provider-create"), sent(idp, name=""))
    assert refused.status_code == 422
    assert SECRET.replace("&", "&amp;").replace("'", "&#x27;") not in said(refused)
    owner.post(reverse("sign-on-provider-create"), sent(idp))
    row = SignOnProvider.objects.get()
    assert SECRET.encode() not in bytes(row.client_secret)
    edit = said(owner.get(url(row, "sign-on-provider-edit")))
    assert "sealed here and not shown again" in edit
    owner.post(url(row, "sign-on-provider-edit"), sent(idp, client_secret="", version=1))  # empty: it stays
    with sign_on_providers.secret_of(SignOnProvider.objects.get()) as secret:
        assert secret is not None
        assert secret.reveal() == SECRET.encode()
    owner.post(url(row, "sign-on-provider-edit"), sent(idp, client_secret="", no_secret="on", version=2))
    with sign_on_providers.secret_of(SignOnProvider.objects.get()) as secret:
        assert secret is None


def test_a_rotated_master_key_reseals_the_secrets(idp: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    row, moved = added(idp), []
    plain = rotation.secrets.reseal

    def reseal(blob: bytes, *, table: str, public_key: str, purpose: str) -> bytes:
        moved.append((table, public_key, purpose))
        return plain(blob, table=table, public_key=public_key, purpose=purpose)

    monkeypatch.setattr(rotation.secrets, "reseal", reseal)
    rotation.reseal_all(principal=make.COMMAND)
    assert ("sign-on-provider", str(row.pk), "client-secret") in moved


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "required"),
        ("name", "taken", "already"),
        ("issuer", "", "required"),
        ("issuer", "http://login.example.com", "without TLS"),
        ("issuer", "https://x.example.com/.well-known/openid-configuration", "issuer alone"),
        ("issuer", "login.example.com", "http"),
        ("client_id", "", "required"),
        ("email_domains", "no domain", "no domain"),
        ("email_domains", "localhost", "no domain"),
        ("scopes", 'a"b', "no scope"),
    ],
)
def test_says_at_the_field_what_is_wrong(
    owner: Client, idp: Provider, field: str, value: str, words: str
) -> None:
    added(idp, name="Taken")
    answer = owner.post(reverse("sign-on-provider-create"), sent(idp, **{field: value}), headers=HTMX)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert words in str(answer.context["form"].errors[field])
    assert SignOnProvider.objects.count() == 1


def test_a_stale_edit_shows_both_values(owner: Client, idp: Provider) -> None:
    row = added(idp)
    owner.post(url(row, "sign-on-provider-edit"), sent(idp, version=1, name="theirs"))
    answer = owner.post(url(row, "sign-on-provider-edit"), sent(idp, version=1, name="mine"))
    assert answer.status_code == 409
    assert "theirs" in said(answer)
    assert "mine" in said(answer)


def test_people_stay_at_their_issuer(owner: Client, idp: Provider) -> None:
    row = added(idp)
    through(Client(), row, idp)
    there = "https://login.example.com"
    answer = owner.post(url(row, "sign-on-provider-edit"), sent(idp, version=1, issuer=there))
    assert "may be somebody else" in said(answer)
    row.refresh_from_db()
    assert row.issuer == idp.issuer


def test_a_kept_secret_does_not_follow_to_another_issuer(owner: Client, idp: Provider) -> None:
    row = added(idp)
    there = sent(idp, version=1, issuer="https://login.example.com", client_secret="")
    answer = owner.post(url(row, "sign-on-provider-edit"), there)
    assert answer.status_code == 422
    assert "would go to another issuer" in said(answer)
    assert owner.post(url(row, "sign-on-provider-edit"), {**there, "client_secret": "x"}).status_code == 302


def test_a_provider_is_tried_and_what_is_wrong_is_said(owner: Client, idp: Provider) -> None:
    row = added(idp)
    page = said(owner.post(url(row)))
    assert "It answers as it should" in page
    assert f"{idp.issuer}/token" in page
    idp.says = {"issuer": f"{idp.issuer}/"}
    page = said(owner.post(url(row)))
    assert "can&#x27;t be used" in page
    assert "a slash at the end too" in page
    idp.says = {}
    idp.answers["/keys"] = (200, {}, '{"keys": []}')
    assert "list of keys is empty" in said(owner.post(url(row)))


def test_addresses_inside_are_not_connected_to(owner: Client, idp: Provider) -> None:
    row = added(idp, issuer="https://169.254.169.254")
    assert "metadata" in said(owner.post(url(row)))
    assert "metadata" in said(Client().post(reverse("sign-on", args=[row.pk])))


def test_a_provider_is_removed_after_its_name_and_lets_nobody_in(owner: Client, idp: Provider) -> None:
    row = added(idp)
    through(Client(), row, idp)
    assert owner.post(url(row, "sign-on-provider-delete"), {"version": 1, "confirm": "x"}).status_code == 422
    answer = owner.post(url(row, "sign-on-provider-delete"), {"version": 1, "confirm": "Company"})
    assert answer["Location"] == reverse("sign-on-providers")
    row.refresh_from_db()
    assert row.client_secret is None
    assert not row.identities.exists()
    assert owner.get(url(row)).status_code == 404
    assert Client().post(reverse("sign-on", args=[row.pk])).status_code == 404
    assert added(idp).name == "Company"  # the name is free again


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_nobody_but_owners_sees_providers(idp: Provider, role: Role) -> None:
    row = added(idp)
    other = make.client(role)
    admin = make.client(operator=make.operator())
    for browser in (other, admin):
        assert browser.get(reverse("sign-on-providers")).status_code == 403
        assert browser.get(url(row)).status_code == 403
        assert browser.post(url(row, "sign-on-provider-edit"), sent(idp, version=1)).status_code == 403
    assert SignOnProvider.objects.get().version == 1


def test_the_list_asks_as_often_for_many_as_for_few(owner: Client, idp: Provider) -> None:
    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            owner.get(reverse("sign-on-providers"))
        return len(queries)

    added(idp, name="one")
    before = asked()
    for number in range(5):
        added(idp, name=f"more {number}")
    assert asked() == before


def mapped(owner: Client, row: SignOnProvider, group: str, to: Team) -> SignOnGroup:
    row.refresh_from_db()
    answer = owner.post(
        url(row, "sign-on-group-create"), {"group": group, "team": to.pk, "version": row.version}
    )
    assert answer.status_code == 302, said(answer)
    row.refresh_from_db()
    return SignOnGroup.objects.get(provider=row, group=group, team=to)


def members(of: Team) -> list[tuple[str, str]]:
    return list(TeamMember.objects.filter(team=of).values_list("person__username", "managed_by"))


def test_groups_of_the_provider_are_followed_at_every_sign_in(owner: Client, idp: Provider) -> None:
    row, ops, dev = added(idp, groups_claim="groups"), team("Ops"), team("Dev")
    mapped(owner, row, "nats-ops", ops)
    mapped(owner, row, "nats-dev", dev)
    idp.person["groups"] = ["nats-ops", "others"]
    through(Client(), row, idp)
    assert members(ops) == [("dana", "Company")]
    assert members(dev) == []
    event = AuditEvent.objects.filter(action="person.sign-on").latest("seq")
    assert event.summary.endswith("for the first time; joined “Ops”")
    assert event.targets.filter(key=ops.audit_key).exists()
    idp.person["groups"] = ["nats-dev"]
    through(Client(), row, idp)
    assert (members(ops), members(dev)) == ([], [("dana", "Company")])
    event = AuditEvent.objects.filter(action="person.sign-on").latest("seq")
    assert event.summary == "“Dana Doe (dana)” came in through “Company”; left “Ops”; joined “Dev”"
    del idp.person["groups"]
    through(Client(), row, idp)
    assert members(dev) == []


def test_a_role_of_the_team_is_held_by_whom_the_provider_puts_there(owner: Client, idp: Provider) -> None:
    row, ops = added(idp, groups_claim="realm_access.roles"), team()
    Grant.objects.create(team=ops, role=Role.VIEWER, scope_kind="installation", created_at=clock.now())
    mapped(owner, row, "ops", ops)
    idp.person["realm_access"] = {"roles": ["ops"]}
    browser = Client()
    through(browser, row, idp)
    assert browser.get("/").status_code == 200
    idp.person["realm_access"] = {"roles": []}
    through(browser, row, idp)
    assert browser.get("/").status_code == 403


def test_memberships_by_hand_are_left_alone(owner: Client, idp: Provider) -> None:
    row, ops = added(idp, groups_claim="groups"), team()
    mapped(owner, row, "ops", ops)
    through(Client(), row, idp)
    TeamMember.objects.create(team=ops, person=Person.objects.get(username="dana"), created_at=clock.now())
    through(Client(), row, idp)
    assert members(ops) == [("dana", "")]


def test_without_a_claim_groups_mean_nothing(owner: Client, idp: Provider) -> None:
    row, ops = added(idp), team()
    mapped(owner, row, "ops", ops)
    idp.person["groups"] = ["ops"]
    through(Client(), row, idp)
    assert members(ops) == []
    assert "No claim with groups is named" in said(owner.get(url(row)))


def test_a_group_that_is_taken_back_takes_its_members_along(owner: Client, idp: Provider) -> None:
    row, ops = added(idp, groups_claim="groups"), team()
    first, second = mapped(owner, row, "a", ops), mapped(owner, row, "b", ops)
    idp.person["groups"] = ["a"]
    through(Client(), row, idp)
    for group, left in ((second, [("dana", "Company")]), (first, [])):
        row.refresh_from_db()
        page = url(row, "sign-on-group-remove", group.pk)
        assert "Take it back" in said(owner.get(page))
        assert owner.post(page, {"version": row.version}).status_code == 302
        assert members(ops) == left
        assert owner.get(page).status_code == 404


def test_the_same_group_is_not_mapped_to_the_same_team_twice(owner: Client, idp: Provider) -> None:
    row, ops = added(idp), team()
    mapped(owner, row, "ops", ops)
    answer = owner.post(
        url(row, "sign-on-group-create"), {"group": "ops", "team": ops.pk, "version": row.version}
    )
    assert answer.status_code == 422
    stale = owner.post(url(row, "sign-on-group-create"), {"group": "more", "team": ops.pk, "version": 1})
    assert stale.status_code == 409


def test_who_is_put_into_teams_goes_on_under_the_providers_new_name(owner: Client, idp: Provider) -> None:
    row, ops = added(idp, groups_claim="groups"), team()
    mapped(owner, row, "ops", ops)
    idp.person["groups"] = ["ops"]
    through(Client(), row, idp)
    data = sent(idp, version=row.version, name="Firm", groups_claim="groups")
    assert owner.post(url(row, "sign-on-provider-edit"), data).status_code == 302
    assert members(ops) == [("dana", "Firm")]
    row.refresh_from_db()
    owner.post(url(row, "sign-on-provider-delete"), {"version": row.version, "confirm": "Firm"})
    assert members(ops) == []


def test_a_seed_is_no_client_secret(owner: Client, idp: Provider) -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    for text in (seed, f"key: {seed} ", f"{seed}\n"):
        answer = owner.post(reverse("sign-on-provider-create"), sent(idp, client_secret=text))
        assert answer.status_code == 422
        assert seed not in said(answer)
    looks = "SUAB" + "a" * 60
    assert owner.post(reverse("sign-on-provider-create"), sent(idp, client_secret=looks)).status_code == 302
