"""The pages of an account's mappings: seen, made, edited, tried on a subject, deleted, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims.handles import handle
from identities.claims.mappings import WeightedMapping
from identities.models import Account, IssuedToken
from identities.policy.principal import Role
from identities.services import changes, mappings
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def to(subject: str, weight: int = 0, cluster: str = "") -> WeightedMapping:
    return WeightedMapping(subject=subject, weight=weight, cluster=cluster)


def put(account: Account, source: str, *targets: WeightedMapping) -> Account:
    return mappings.put(
        principal=make.COMMAND, account=account, source=source, targets=targets, version=account.version
    )


@pytest.fixture
def shop(db: None) -> Account:
    return put(make.account(make.operator("Test"), "Shop"), "orders.*", to("new.$1", 60), to("old.$1", 30))


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


def url(name: str, account: Account, *more: str) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def form(visitor: Visitor, account: Account, source: str = "orders.*") -> Page:
    return visitor.open(url("mapping-edit", account, handle(source)))


def held(account: Account) -> dict[str, tuple[WeightedMapping, ...]]:
    found = changes.claims_of(Account.objects.get(pk=account.pk)).nats.mappings
    return dict(found)


def test_the_page_shows_each_mapping_with_its_sum_and_what_stays(visitor: Visitor, shop: Account) -> None:
    page = visitor.open(visitor.open(url("account", shop)).link("Mappings"))
    assert "orders.*" in page.text
    assert "60 % new.$1" in page.text
    assert "10 % stays where it was published" in page.text
    assert "90 % mapped" in page.text
    assert page.link("New mapping")


def test_a_subject_is_tried_on_all_mappings(visitor: Visitor, shop: Account) -> None:
    page = visitor.open(url("mappings", shop), {"try": "orders.eu"})
    assert "60 % new.$1 here new.eu" in page.text
    assert "10 % stays where it was published here orders.eu" in page.text
    assert "Several mappings" not in page.text
    put(Account.objects.get(pk=shop.pk), "orders.eu", to("x"))
    assert "Several mappings match it" in visitor.open(url("mappings", shop), {"try": "orders.eu"}).text
    assert "No mapping matches it" in visitor.open(url("mappings", shop), {"try": "else"}).text
    assert "is no subject to publish on" in visitor.open(url("mappings", shop), {"try": "a.*"}).text


def test_the_list_is_filtered_by_source_and_destination(visitor: Visitor, shop: Account) -> None:
    put(shop, "other", to("elsewhere"))
    assert "orders.*" in visitor.open(url("mappings", shop), {"q": "old."}).text
    page = visitor.open(url("mappings", shop), {"q": "elsewhere"})
    assert "other" in page.text
    assert "orders.*" not in page.text
    assert "Nothing matches" in visitor.open(url("mappings", shop), {"q": "nowhere"}).text


def test_an_account_without_mappings_says_what_they_are(visitor: Visitor) -> None:
    page = visitor.open(url("mappings", make.account()))
    assert "A mapping delivers what is published on one subject on others" in page.text


def test_a_mapping_is_made(visitor: Visitor, shop: Account) -> None:
    page = visitor.open(visitor.open(url("mappings", shop)).link("New mapping"))
    values = {
        "source": "a.*.b",
        "to-0": "x.$1",
        "weight-0": "20",
        "to-2": "y.{{partition(3,1)}}",
        "cluster-2": "east",
    }
    page = visitor.send(page, **values)
    assert "Saved the mapping of “a.*.b”" in page.text, page.text
    assert "Now tell the servers" in page.text
    assert held(shop)["a.*.b"] == (to("x.$1", 20), to("y.{{partition(3,1)}}", 0, "east"))


def test_a_mapping_is_edited_renamed_and_a_row_cleared(visitor: Visitor, shop: Account) -> None:
    page = visitor.send(
        form(visitor, shop), source="sales.*", **{"to-0": "", "weight-0": "", "weight-1": "100", "to-2": ""}
    )
    assert "Saved the mapping" in page.text, page.text
    assert held(shop) == {"sales.*": (to("old.$1", 100),)}


def test_a_weight_is_cleared_to_not_set(visitor: Visitor, shop: Account) -> None:
    visitor.send(form(visitor, shop), **{"to-0": "", "weight-0": "", "weight-1": ""})
    assert held(shop) == {"orders.*": (to("old.$1"),)}
    assert '"weight"' not in Account.objects.get(pk=shop.pk).claims


def test_what_was_not_changed_is_not_signed(visitor: Visitor, shop: Account) -> None:
    signed = IssuedToken.objects.count()
    page = visitor.send(form(visitor, shop), sample="orders.eu")
    assert "Nothing was changed" in page.text
    assert IssuedToken.objects.count() == signed


def test_what_another_tool_wrote_into_a_destination_survives(visitor: Visitor, shop: Account) -> None:
    text = shop.claims.replace('"weight":60', '"weight":60,"note":"mine"').replace(
        '"weight":30', '"weight":30,"x":0'
    )
    Account.objects.filter(pk=shop.pk).update(claims=text)
    visitor.send(form(visitor, shop), **{"weight-0": "50"})
    claims = Account.objects.get(pk=shop.pk).claims
    assert '"weight":50,"note":"mine"' in claims
    assert '"weight":30,"x":0' in claims


def test_the_sum_and_the_sample_are_shown_before_saving(visitor: Visitor, shop: Account) -> None:
    page = visitor.send(form(visitor, shop), sample="orders.eu", preview="1", **{"weight-0": "70"})
    assert "100 % mapped" in page.text
    assert "70 % new.$1 here new.eu" in page.text
    assert "nats.mappings[orders.*][new.$1].weight 60 70" in page.text
    assert held(shop)["orders.*"][0].weight == 60
    page = visitor.send(form(visitor, shop), sample="else", preview="1")
    assert "This mapping does not match else" in page.text


def test_more_rows_are_given_without_losing_or_judging_what_was_typed(
    visitor: Visitor, shop: Account
) -> None:
    page = visitor.open(url("mapping-create", shop))
    assert "to-3" not in page.form("to-0").names
    more = visitor.send(page, more="1", **{"to-1": "x.y", "weight-1": "x"})
    assert more.status == 200
    assert "to-5" in more.form("to-0").names
    assert more.form("to-0").values["to-1"] == ["x.y"]
    assert more.form("to-0").values["weight-1"] == ["x"]
    assert "required" not in more.text
    assert more.response.context["form"].fields["to-3"].widget.attrs["autofocus"]
    done = visitor.send(more, source="a", **{"to-5": "c", "weight-1": "10", "weight-5": "20"})
    assert "Saved the mapping" in done.text
    assert held(shop)["a"] == (to("x.y", 10), to("c", 20))


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("source", {"source": ""}, "required"),
        ("source", {"source": "orders.*"}, "is mapped already"),
        ("source", {"source": "a..b"}, "consecutive"),
        ("source", {"source": "a.>.b"}, "nats-server takes no subject"),
        ("to-0", {"to-0": ""}, "Give at least one destination"),
        ("to-0", {"to-0": "", "weight-0": "5"}, "Give the subject that this share goes to"),
        ("to-0", {"to-0": "b.$1"}, "stands for no"),
        (
            "to-2",
            {"weight-0": "10", "to-2": "b.{{joker(1)}}", "weight-2": "1"},
            "is no function of nats-server",
        ),
        ("to-2", {"weight-0": "10", "to-2": "b", "weight-2": "10"}, "stands twice"),
        ("weight-0", {"weight-0": "0"}, "greater than or equal to 1"),
        ("weight-0", {"weight-0": "many"}, "whole number"),
        ("weight-2", {"weight-0": "60", "to-2": "c", "weight-2": "50"}, "come to 110 %"),
        ("weight-2", {"weight-0": "60", "to-2": "c"}, "come to 160 %"),
        ("weight-0", {"weight-0": "120"}, "come to 120 %"),
        ("sample", {"sample": "a.*"}, "write one without wildcards"),
    ],
)
def test_what_can_not_be_is_refused_beside_its_field(
    visitor: Visitor, shop: Account, field: str, values: dict[str, str], said: str
) -> None:
    signed = IssuedToken.objects.count()
    page = visitor.send(visitor.open(url("mapping-create", shop)), **{"source": "a", "to-0": "b", **values})
    assert page.status == 422
    assert said in " ".join(page.response.context["form"].errors[field])
    assert IssuedToken.objects.count() == signed


def test_clusters_have_sums_of_their_own(visitor: Visitor, shop: Account) -> None:
    values = {"source": "a", "to-0": "b", "to-1": "c", "cluster-1": "east"}
    page = visitor.send(visitor.open(url("mapping-create", shop)), preview="1", **values)
    assert page.status == 200
    assert "in other clusters 100 % mapped" in page.text
    assert "in cluster east 100 % mapped" in page.text


def test_sources_that_overlap_are_accepted_first(visitor: Visitor, shop: Account) -> None:
    page = visitor.send(visitor.open(url("mapping-create", shop)), source="orders.>", **{"to-0": "b.>"})
    assert page.status == 422
    assert "left to chance" in page.text


def test_two_at_once_see_both_versions(visitor: Visitor, shop: Account) -> None:
    mine = form(visitor, shop)
    visitor.send(form(visitor, shop), **{"weight-0": "10"})
    stale = visitor.send(mine, **{"weight-1": "20"})
    assert stale.status == 409
    assert "Weight 1 in % 10" in stale.text
    saved = visitor.send(stale, action="/edit")
    assert "Saved the mapping" in saved.text
    assert held(shop)["orders.*"] == (to("new.$1", 10), to("old.$1", 20))


def test_a_mapping_is_deleted_once_it_was_shown_what_that_does(visitor: Visitor, shop: Account) -> None:
    page = visitor.open(url("mapping-delete", shop, handle("orders.*")))
    assert "who listens on “new.$1”, “old.$1” gets none of them any more" in page.text
    page = visitor.send(page, action="/delete")
    assert "Deleted the mapping of “orders.*”" in page.text
    assert held(shop) == {}


def test_a_mapping_that_is_gone_is_not_found(visitor: Visitor, shop: Account) -> None:
    page = visitor.open(url("mapping-edit", shop, handle("other")))
    assert page.status == 404
    assert "It may have been deleted" in page.text


def test_a_viewer_sees_mappings_and_changes_none(shop: Account) -> None:
    viewer = Visitor(make.client(Role.VIEWER))
    page = viewer.open(url("mappings", shop))
    assert "new.$1" in page.text
    assert not [
        address for _, address in page.links if "/mappings/" in address and address != url("mappings", shop)
    ]
    for name in ("mapping-edit", "mapping-delete"):
        assert viewer.open(url(name, shop, handle("orders.*"))).status == 403
    assert viewer.open(url("mapping-create", shop)).status == 403


def test_who_sees_another_account_only_sees_no_mappings(shop: Account) -> None:
    elsewhere = Visitor(make.client(account=make.account()))
    assert elsewhere.open(url("mappings", shop)).status == 404
    assert elsewhere.open(url("mapping-edit", shop, handle("orders.*"))).status == 404


def test_htmx_gets_the_form_alone(shop: Account) -> None:
    answer = make.client().get(url("mapping-create", shop), headers=HTMX)
    assert answer.content.decode().lstrip().startswith("<section")


def test_twice_the_mappings_take_as_many_queries(
    shop: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client: Client = make.client()
    with django_assert_max_num_queries(9) as few:
        client.get(url("mappings", shop))
    more = {f"s{number}": (to("x"),) for number in range(20)}
    claims = changes.claims_of(shop)
    put(shop, "s", to("x"))
    Account.objects.filter(pk=shop.pk).update(
        claims=changes.codec.payload_text(replace(claims, nats=replace(claims.nats, mappings=more)))
    )
    with django_assert_max_num_queries(9) as many:
        assert "20 mappings" in client.get(url("mappings", shop)).content.decode()
    assert len(many) == len(few)
