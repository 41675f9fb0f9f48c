"""Pages of who may do what: roles given and taken, what roles may, and why somebody may not."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities import lookup
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.models import Account, Grant, Key, Operator, Person
from identities.policy import powers, words
from identities.policy.actions import Action
from identities.policy.principal import Role, ScopeKind
from identities.services import grants, people, signing_keys, teams
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> Account:
    make.installation()
    return make.account(make.operator("Main"), "Orders")


def at(name: str, account: Account) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key])


def role_key(account: Account) -> str:
    draft = SigningKeyDraft(role=RoleDraft(role="device"))
    made = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    return made.public_key


def give(visitor: Visitor, page: str, **typed: str) -> Page:
    return visitor.send(visitor.open(page), **typed)


def test_an_account_admin_gives_a_role_on_the_account_and_takes_it(orders: Account) -> None:
    visitor, ann = Visitor(make.client(account=orders)), make.person(None, username="ann")
    page = visitor.open(at("account", orders))
    page = visitor.open(page.link("Access"))
    assert "Here and below" in page.text
    answer = give(visitor, page.link("Give a role"), kind="person", holder="ANN", role="user-manager")
    assert "“ann” is user manager of “Orders” now." in answer.text
    assert [held.role for held in lookup.person_principal(ann).roles] == ["user-manager"]
    grant = Grant.objects.get(person=ann)
    asked = visitor.open(reverse("grant-take", args=[grant.pk]))
    assert "“ann” is user manager of “Orders”." in asked.text
    done = visitor.send(asked, action=asked.url)
    assert "no more" in done.text
    assert lookup.person_principal(ann).roles == ()


def test_the_breadcrumb_of_a_form_leads_back_to_where_it_was_opened(orders: Account) -> None:
    key = Key.objects.select_related("account__operator").get(public_key=role_key(orders))
    operators, in_account = ["Operators", "Main"], ["Operators", "Main", "Accounts", "Orders"]
    ways: dict[str, tuple[grants.Place, list[str]]] = {
        reverse("team"): (None, ["Team & access"]),
        reverse("operator-access", args=[orders.operator.public_key]): (
            orders.operator,
            [*operators, "Access"],
        ),
        at("account-access", orders): (orders, [*in_account, "Access"]),
        reverse("role-access", args=[orders.operator.public_key, orders.public_key, key.public_key]): (
            key,
            [*in_account, "Signing keys", "Access to device"],
        ),
    }
    visitor = Visitor(make.client())
    for home, (place, steps) in ways.items():
        role = Role.ISSUER if isinstance(place, Key) else Role.VIEWER
        ann = make.person(None)
        given = grants.give(principal=make.COMMAND, holder=ann, role=role, place=place)
        page = visitor.open(home)
        forms = {"Give a role": page.link("/new"), "Take a role away": page.link(f"/{given.pk}/take")}
        if isinstance(place, Operator | Account):
            forms["Invite"] = page.link("Invite")
        for step, url in forms.items():
            crumbs = visitor.open(url).response.context["crumbs"]
            assert [crumb.label for crumb in crumbs] == [*steps, step]
            assert crumbs[-2].url == home
            assert all(visitor.open(crumb.url).status == 200 for crumb in crumbs[:-1])


def test_roles_that_one_does_not_hold_are_not_offered(orders: Account) -> None:
    form = Visitor(make.client(account=orders)).open(at("account-access-new", orders))
    assert [value for value, _ in form.response.context["form"].fields["role"].choices] == [
        "administrator",
        "user-manager",
        "viewer",
    ]
    sent = Visitor(make.client(account=orders)).client.post(
        at("account-access-new", orders), {"kind": "person", "holder": "x", "role": "auditor"}
    )
    assert sent.status_code == 422


@pytest.mark.parametrize("role", [Role.VIEWER, Role.USER_MANAGER])
def test_who_may_not_give_sees_who_may(orders: Account, role: Role) -> None:
    make.person(username="olga")
    make.grant(make.person(None, username="adam"), Role.ADMINISTRATOR, account=orders)
    visitor = Visitor(make.client(role, account=orders))
    page = visitor.open(at("account-access", orders))
    assert page.status == 200
    assert "Give a role" not in page.text
    assert "adam" in page.text
    assert "olga" in page.text
    assert not [words for words, _ in page.links if words.startswith("Take away")]
    refused = visitor.open(at("account-access-new", orders))
    assert refused.status == 403
    assert "Who can give it: adam and olga." in refused.text


def test_a_refusal_names_those_nearest_and_teams_by_name(orders: Account) -> None:
    make.staff(Role.ADMINISTRATOR, "Platform", operator=orders.operator)
    refused = Visitor(make.client(Role.VIEWER, account=orders)).open(at("account-edit", orders))
    assert refused.status == 403
    assert "tags, default permissions and tracing” needs the role owner, operator admin or account admin" in (
        refused.text
    )
    assert "Who can give it: the team “Platform”." in refused.text


def test_nobody_is_named_who_may_not_sign_in(orders: Account) -> None:
    gone = make.person(None, username="gone")
    make.grant(gone, Role.ADMINISTRATOR, account=orders)
    gone.is_active = False
    gone.save()
    refused = Visitor(make.client(Role.VIEWER, account=orders)).open(at("account-edit", orders))
    assert "gone" not in refused.text
    assert "Who can give it" not in refused.text


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"holder": "nobody-here"}, "holder", "Nobody signs in as “nobody-here”"),
        ({"kind": "team", "holder": "x"}, "holder", "There is no team “x”"),
        ({"kind": "service-account", "holder": "x"}, "holder", "There is no service account “x”"),
        ({"holder": ""}, "holder", "required"),
        ({"role": "king"}, "role", "king"),
    ],
)
def test_a_wrong_name_is_told_at_its_field(
    orders: Account, typed: dict[str, str], field: str, said: str
) -> None:
    make.person(None, username="ann")
    client = make.client(operator=orders.operator)
    url = reverse("operator-access-new", args=[orders.operator.public_key])
    answer = client.post(url, {"kind": "person", "holder": "ann", "role": "viewer", **typed})
    assert answer.status_code == 422
    assert said in " ".join(answer.context["form"].errors[field])


def test_nobody_gets_a_role_by_an_address_that_they_wrote_there_themselves(orders: Account) -> None:
    mallory = make.person(None, username="mallory")
    people.edit_profile(
        principal=lookup.person_principal(mallory), name="Mallory", email="new.chief@example.com"
    )
    refused = give(
        Visitor(make.client()),
        at("account-access-new", orders),
        kind="person",
        holder="new.chief@example.com",
        role="administrator",
    )
    assert refused.status == 422
    assert "Nobody signs in as “new.chief@example.com”" in refused.text
    assert not Grant.objects.filter(person=mallory).exists()


def test_an_issuer_is_bounded_by_names_and_tags(orders: Account) -> None:
    key, visitor = role_key(orders), Visitor(make.client(account=orders))
    make.person(None, username="ann")
    here = reverse("signing-key", args=[orders.operator.public_key, orders.public_key, key])
    page = visitor.open(visitor.open(here).link("Access"))
    typed = {
        "kind": "person",
        "holder": "ann",
        "role": "issuer",
        "names": "device-*",
        "tags": "site:a\nsite:b",
    }
    answer = give(visitor, page.link("Give a role"), **typed)
    assert "“ann” is issuer of a role of “device” in “Orders” now." in answer.text
    assert "names device-*, tags site:a, site:b" in answer.text
    grant = Grant.objects.get(role="issuer")
    assert (grant.names, grant.tags) == ("device-*", "site:a\nsite:b")
    refused = visitor.send(visitor.open(page.link("Give a role")), **{**typed, "names": "a b"})
    assert refused.status == 422
    assert "no pattern of names" in refused.text


def test_a_plain_key_has_no_page_of_access(orders: Account) -> None:
    made = signing_keys.add(
        principal=make.COMMAND, account=orders, draft=SigningKeyDraft(), version=orders.version
    )
    here = [orders.operator.public_key, orders.public_key, made.public_key]
    assert make.client().get(reverse("role-access", args=here)).status_code == 404


def test_the_last_owner_is_told_why_not(orders: Account) -> None:
    client = Client()
    ann = make.person(username="ann")
    client.force_login(ann)
    answer = client.post(reverse("grant-take", args=[Grant.objects.get(person=ann).pk]))
    assert answer.status_code == 422
    assert "nobody who owns the installation" in answer.content.decode()


def test_a_role_out_of_sight_is_not_there(orders: Account) -> None:
    other = make.grant(make.person(None), Role.VIEWER, account=make.account())
    client = make.client(operator=orders.operator)
    for method in (client.get, client.post):
        assert method(reverse("grant-take", args=[other.pk])).status_code == 404
    above = make.grant(make.person(None), Role.VIEWER)
    assert client.get(reverse("grant-take", args=[above.pk])).status_code == 404


def test_a_role_above_is_not_taken_from_below(orders: Account) -> None:
    above = make.grant(make.person(None), Role.VIEWER, operator=orders.operator)
    client = make.client(account=orders)
    assert client.get(reverse("grant-take", args=[above.pk])).status_code == 404


def test_what_is_deleted_has_no_roles_left_to_see(orders: Account) -> None:
    make.grant(make.person(None, username="ann"), Role.VIEWER, account=orders)
    client = make.client()
    assert "Orders of Main" in client.get(reverse("team")).content.decode()
    from identities.services import accounts

    accounts.delete(principal=make.COMMAND, account=orders, version=orders.version)
    assert "Orders of Main" not in client.get(reverse("team")).content.decode()


def test_the_list_is_filtered_by_who_and_where(orders: Account) -> None:
    make.grant(make.person(None, username="ann"), Role.VIEWER, account=orders)
    make.grant(make.person(None, username="bob"), Role.VIEWER, operator=make.operator("Other"))
    client = make.client()
    for text, there, gone in (("ann", "ann", "bob"), ("other", "bob", "ann"), ("orders", "ann", "bob")):
        page = client.get(reverse("team"), {"q": text}).content.decode().split('id="grant-list"')[1]
        assert there in page
        assert gone not in page
    assert "Nothing matches" in client.get(reverse("team"), {"q": "zzz\x00"}).content.decode()


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as caught:
        assert client.get(url).status_code == 200
    return len(caught)


@pytest.mark.parametrize("name", ["team", "people", "teams"])
def test_twice_the_rows_take_no_more_queries(orders: Account, name: str) -> None:
    client = make.client()

    def more() -> None:
        for _ in range(3):
            held = make.staff(account=orders)
            grants.give(principal=make.COMMAND, holder=held.person, role=Role.VIEWER, place=orders.operator)

    more()
    queries(client, reverse(name))
    before = queries(client, reverse(name))
    more()
    assert queries(client, reverse(name)) == before


def test_the_table_of_powers_tells_every_action_as_decisions_read_it(orders: Account) -> None:
    page = Visitor(make.client(Role.USER_MANAGER, account=orders)).open(reverse("powers"))
    for action, sentence in words.SENTENCES.items():
        assert (sentence in page.text) is (action not in words.NEVER_GRANTED), action
    told = {
        (row["sentence"], title): may
        for group in page.response.context["groups"]
        for row in group["rows"]
        for title, may in row["may"]
    }
    for which, title in powers.TITLES.items():
        for action in set(Action) - words.NEVER_GRANTED:
            assert told[words.SENTENCES[action], title] is (action in powers.POWERS[which])
    assert "User manager yours" in page.text


def test_why_not_names_the_roles_that_would_do_and_who_can_give_them(orders: Account) -> None:
    make.person(username="olga")
    make.staff(Role.ADMINISTRATOR, "Platform", operator=orders.operator)
    visitor = Visitor(make.client(Role.VIEWER, account=orders))
    where = orders.public_key
    answer = visitor.open(reverse("why"), {"action": Action.USER_CREATE.value, "where": where})
    assert "You may not, on Orders of Main." in answer.text
    assert "User manager, Account admin, Operator admin, Owner" in answer.text
    assert "the team “Platform” (Operator admin)" in answer.text
    assert "olga (Owner)" in answer.text
    limits = visitor.open(reverse("why"), {"action": Action.ACCOUNT_LIMITS_EDIT.value, "where": where})
    assert "Operator admin, Owner" in limits.text
    assert "Account admin" not in limits.text.split("would do:")[1]


def test_why_takes_a_name_where_just_one_thing_is_called_so(orders: Account) -> None:
    visitor = Visitor(make.client(Role.VIEWER, account=orders))
    asked = {"action": Action.USER_CREATE.value, "where": "Orders"}
    assert "You may not, on Orders of Main." in visitor.open(reverse("why"), asked).text
    make.account(make.operator("Quokka"), "Orders")
    assert "You may not, on Orders of Main." in visitor.open(reverse("why"), asked).text
    told = make.client().get(reverse("why"), asked)
    assert told.status_code == 422
    assert "Several are called “Orders”: give the public key." in told.content.decode()


def test_why_yes_names_the_role_and_the_team_that_holds_it(orders: Account) -> None:
    held = make.staff(Role.USER_MANAGER, "Ops", account=orders)
    client = Client()
    client.force_login(held.person)
    asked = {"action": Action.USER_CREATE.value, "where": orders.public_key}
    page = client.get(reverse("why"), asked).content.decode()
    assert "You may, on Orders of Main, as: User manager, by the team “Ops”." in page


def test_owners_ask_for_others_and_nobody_else_does(orders: Account) -> None:
    ann = make.person(Role.VIEWER, username="ann", account=orders)
    asked = {"action": Action.USER_CREATE.value, "where": orders.public_key, "person": "ann"}
    page = make.client().get(reverse("why"), asked).content.decode()
    assert "ann may not, on Orders of Main." in page
    page = make.client(account=orders).get(reverse("why"), asked).content.decode()
    assert "You may, on Orders of Main" in page
    assert str(ann) not in page.split("answer-title")[1]
    wrong = make.client().get(reverse("why"), {**asked, "person": "zoe"})
    assert "Nobody signs in as “zoe”" in wrong.content.decode()


def test_why_tells_nothing_of_what_is_out_of_sight(orders: Account) -> None:
    theirs = make.account(make.operator("Quokka"), "Quokka")
    client = make.client(account=orders)
    answers = [
        client.get(reverse("why"), {"action": Action.VIEW.value, "where": key})
        for key in (theirs.public_key, theirs.operator.public_key, "A" * 56)
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert "none that you may see" in answer.content.decode()
        assert "Quokka" not in answer.content.decode()
    assert client.get(reverse("why"), {"action": "king"}).status_code == 422


def test_people_and_teams_take_a_role_on_the_whole_installation_to_see(orders: Account) -> None:
    ann = make.person(None, username="ann")
    team = teams.create(principal=make.COMMAND, name="Quokkas")
    urls = [
        reverse("people"),
        reverse("teams"),
        reverse("person", args=[ann.pk]),
        reverse("team-detail", args=[team.pk]),
    ]
    for url in urls:
        assert make.client(operator=orders.operator).get(url).status_code == 403
        assert make.client(Role.VIEWER).get(url).status_code == 200
    page = make.client(operator=orders.operator).get(reverse("team")).content.decode()
    assert "Quokkas" not in page
    assert reverse("people") not in page


def test_every_grant_that_there_can_be_is_told_on_pages(orders: Account) -> None:
    key = Grant.signing_key.field.related_model.objects.select_related("account__operator").get(
        public_key=role_key(orders)
    )
    places: dict[ScopeKind, grants.Place] = {
        ScopeKind.INSTALLATION: None,
        ScopeKind.OPERATOR: orders.operator,
        ScopeKind.ACCOUNT: orders,
        ScopeKind.ROLE: key,
    }
    ann = Person.objects.get(pk=make.person(None, username="ann").pk)
    for kind, role in powers.POWERS:
        grants.give(principal=make.COMMAND, holder=ann, role=role, place=places[kind])
    page = Visitor(make.client()).open(reverse("person", args=[ann.pk]))
    assert all(title in page.text for title in powers.TITLES.values())
