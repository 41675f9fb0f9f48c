"""A second factor that an installation demands: who is led to set one up, and that nothing else opens before."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities.errors import IdentityError
from identities.lookup import person_principal
from identities.models import AuditEvent, Installation, Person
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.policy.routes import ROUTES, WITHOUT_FACTOR, Access
from identities.policy.second_factor import Demand
from identities.services import second_factors
from tests import make
from tests.authenticators import app_of
from tests.house.test_routes import OWN, Sample, sample
from tests.pages import Visitor
from tests.views.test_second_factors import setting_up

pytestmark = pytest.mark.django_db
__all__ = ["sample"]
SETUP, SETTING = "/account/second-factors/", "/installation/second-factor"


@pytest.fixture
def owner() -> Person:
    make.installation()
    return make.person(username="owner")


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def demand(of_whom: str) -> None:
    Installation.objects.update(second_factor=of_whom)


def test_an_owner_demands_it_on_the_installation_page(owner: Person) -> None:
    app_of(person_principal(owner))
    visitor = Visitor(signed_in(owner))
    page = visitor.open("/installation")
    assert "Demanded of nobody" in page.text
    page = visitor.send(visitor.open(SETTING), of_whom="everybody")
    assert "A second factor is demanded of everybody." in page.text
    assert "Demanded of everybody" in page.text
    event = AuditEvent.objects.order_by("-seq")[0]
    assert (event.action, event.summary) == ("installation.edit", "Demanded a second factor of everybody")


def test_who_has_none_does_not_demand_it_of_themselves(owner: Person) -> None:
    for of_whom in (Demand.ADMINISTRATORS, Demand.EVERYBODY):
        with pytest.raises(IdentityError, match="Add one to your account first"):
            second_factors.demand(principal=person_principal(owner), of_whom=of_whom)
    assert second_factors.demanded() is Demand.NOBODY
    second_factors.demand(principal=make.COMMAND, of_whom=Demand.EVERYBODY)
    assert second_factors.demanded() is Demand.EVERYBODY


def test_choosing_what_is_chosen_already_tells_nothing(owner: Person) -> None:
    before = AuditEvent.objects.count()
    second_factors.demand(principal=make.COMMAND, of_whom=Demand.NOBODY)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_only_owners_demand_it(owner: Person, role: Role) -> None:
    person = make.person(role)
    assert signed_in(person).get(SETTING).status_code == 403
    with pytest.raises(Forbidden):
        second_factors.demand(principal=person_principal(person), of_whom=Demand.EVERYBODY)


@pytest.mark.parametrize("of_whom", ["", "nonsense", "Everybody"])
def test_another_choice_is_refused(owner: Person, of_whom: str) -> None:
    assert signed_in(owner).post(SETTING, {"of_whom": of_whom}).status_code == 422
    assert second_factors.demanded() is Demand.NOBODY


@pytest.mark.parametrize(
    ("of_whom", "role", "led"),
    [
        ("nobody", Role.ADMINISTRATOR, False),
        ("administrators", Role.ADMINISTRATOR, True),
        ("administrators", Role.VIEWER, False),
        ("everybody", Role.ADMINISTRATOR, True),
        ("everybody", Role.VIEWER, True),
        ("everybody", None, True),
    ],
)
def test_who_is_asked_and_has_none_is_led_to_it(
    owner: Person, of_whom: str, role: Role | None, led: bool
) -> None:
    client = signed_in(make.person(role))
    demand(of_whom)
    answer = client.get("/")
    assert (answer.status_code == 302 and answer["Location"] == SETUP) is led


def test_an_operators_admins_are_asked_and_an_accounts_are_not(owner: Person) -> None:
    account = make.account(make.operator())
    demand("administrators")
    of_operator = signed_in(make.person(operator=account.operator))
    of_account = signed_in(make.person(account=account))
    assert of_operator.get("/")["Location"] == SETUP
    assert of_account.get("/").status_code == 200


def test_htmx_is_told_to_load_it_as_a_page(owner: Person) -> None:
    client = signed_in(owner)
    demand("everybody")
    assert client.get("/", headers={"HX-Request": "true"})["HX-Redirect"] == SETUP


def test_with_an_app_everything_opens(owner: Person) -> None:
    client = signed_in(owner)
    demand("everybody")
    page = client.get(SETUP).content.decode()
    assert "nothing else opens before" in page
    app = setting_up(client)
    assert client.post("/account/second-factors/app/", {"code": app.code()}).status_code == 200
    assert client.get("/").status_code == 200
    assert "nothing else opens before" not in client.get(SETUP).content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_other_page_opens_before(sample: Sample, method: str) -> None:
    client = make.client()
    demand("everybody")
    for name in sorted(name for name, route in ROUTES.items() if route.access is Access.SESSION):
        answer = getattr(client, method)(sample.url(name))
        led = answer.status_code == 302 and answer["Location"] == SETUP
        if name in WITHOUT_FACTOR:
            assert not led or name == "second-factors" or method == "post", name
            if name == "account_logout" and method == "post":
                client = make.client()
        else:
            assert led, (name, answer.status_code)
    assert OWN


def test_an_owner_removes_the_factors_of_somebody_who_lost_them(owner: Person) -> None:
    bob = make.person(Role.VIEWER, username="bob")
    app_of(person_principal(bob))
    bobs = signed_in(bob)
    visitor = Visitor(signed_in(owner))
    page = visitor.open(reverse("person", args=[bob.pk]))
    page = visitor.open(page.link("Remove second factors"))
    page = visitor.send(page, action="second-factors/remove")
    assert "Removed all second factors of “bob”." in page.text
    assert "Remove second factors" not in page.text
    assert not second_factors.has_one(bob)
    assert bobs.get("/").status_code == 302
    assert AuditEvent.objects.order_by("-seq")[0].summary == "Removed all second factors of “bob”"


def test_nobody_else_removes_factors_of_others(owner: Person) -> None:
    app_of(person_principal(owner))
    url = reverse("person-factors-remove", args=[owner.pk])
    for role in (Role.VIEWER, Role.AUDITOR):
        assert make.client(role).post(url).status_code == 403
    assert second_factors.has_one(owner)


def test_there_is_nothing_to_remove_of_somebody_without(owner: Person) -> None:
    bob = make.person(username="bob")
    with pytest.raises(IdentityError, match="no second factor"):
        second_factors.take_all(principal=person_principal(owner), person=bob)
