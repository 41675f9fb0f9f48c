from __future__ import annotations

import pytest

from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.templates import Expansion, LoginRefused, expand_template, expansions, template_problem


def _expand(
    *,
    allow: tuple[str, ...] = (),
    deny: tuple[str, ...] = (),
    name: str = "bob",
    tags: tuple[str, ...] = ("team:blue", "team:red", "region:eu"),
) -> Permission:
    limits = UserPermissionLimits(subs=5, sub=Permission(allow=allow, deny=deny))
    expanded = expand_template(limits, name, "UKEY", "Orders", "AKEY", tags, ("tier:gold",))
    assert expanded.subs == 5
    assert expanded.pub == limits.pub
    return expanded.sub


@pytest.mark.parametrize(
    ("template", "subjects"),
    [
        ("a.{{name()}}.{{subject()}}", ("a.bob.UKEY",)),
        ("{{account-name()}}.{{account-subject()}}.>", ("Orders.AKEY.>",)),
        ("{{ NAME() }}", ("bob",)),
        ("x-{{name()}}-y", ("x-bob-y",)),
        ("{{tag(team)}}.{{tag(Region)}}", ("blue.eu", "red.eu")),
        ("{{account-tag(tier)}}.{{name()}}", ("gold.bob",)),
        ("{{tag(team)}}.{{tag(team)}}", ("blue.blue", "blue.blue", "red.red", "red.red")),
    ],
)
def test_a_template_becomes_the_subjects_of_its_user(template: str, subjects: tuple[str, ...]) -> None:
    assert _expand(allow=(template,)).allow == subjects


def test_what_cannot_be_allowed_is_dropped_and_nothing_left_denies_everything() -> None:
    assert _expand(allow=("a", "{{tag(none)}}")).allow == ("a",)
    nothing = _expand(allow=("{{tag(none)}}",), deny=("x",))
    assert (nothing.allow, nothing.deny) == ((), ("x", ">"))
    assert _expand(allow=("a.{{name()}}",), name="two words").deny == (">",)


def test_queue_groups_survive_only_where_the_list_has_no_template() -> None:
    assert _expand(allow=("a q",)).allow == ("a q",)
    assert _expand(allow=("a q", "{{name()}}")).allow == ("bob",)


def test_upper_case_tag_asks_for_a_tag_of_another_name() -> None:
    assert _expand(allow=("{{TAG(team)}}",)).deny == (">",)
    assert "lower case" in template_problem("{{TAG(team)}}")


@pytest.mark.parametrize("deny", ["{{tag(none)}}", "a.{{name()}}", "{{nme()}}", "a.{{oops}}"])
def test_what_cannot_be_denied_refuses_the_login(deny: str) -> None:
    with pytest.raises(LoginRefused):
        _expand(deny=(deny,), name="two words")


def test_an_unknown_operation_refuses_the_login_even_in_an_allow_list() -> None:
    with pytest.raises(LoginRefused):
        _expand(allow=("{{user()}}",))
    assert "not known" in template_problem("a.{{user()}}")
    assert template_problem("a.{{name()}}.{{tag(x)}}.{{account-tag(x)}}") == ""


def test_too_many_combinations_refuse_the_login() -> None:
    tags = tuple(f"t:{number}" for number in range(65))
    with pytest.raises(LoginRefused):
        _expand(allow=("{{tag(t)}}.{{tag(t)}}",), tags=tags)


def test_a_name_is_pasted_raw() -> None:
    assert _expand(allow=("a.{{name()}}",), name=">").allow == ("a.>",)


def _told(*, allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), name: str = "bob") -> list[Expansion]:
    limits = UserPermissionLimits(pub=Permission(allow=allow, deny=deny))
    return list(expansions(limits, name, "UKEY", "Orders", "AKEY", ("team:blue", "team:red"), ()))


def test_each_subject_is_told_with_what_it_becomes() -> None:
    assert _told(allow=("plain.>", "a.{{tag(team)}}")) == [
        Expansion(place="pub.allow", subject="plain.>", becomes=("plain.>",)),
        Expansion(place="pub.allow", subject="a.{{tag(team)}}", becomes=("a.blue", "a.red")),
    ]


def test_what_is_dropped_is_told_and_so_is_a_missing_tag() -> None:
    dropped, missing, queue = _told(
        allow=("a.{{name()}}", "{{account-tag(tier)}}", "jobs workers"), name="two words"
    )
    assert (dropped.becomes, dropped.dropped) == ((), ("a.two words",))
    assert (missing.becomes, missing.dropped, missing.refused) == ((), (), "")
    assert queue.dropped == ("jobs workers",)


def test_what_would_refuse_the_login_is_told_and_the_rest_goes_on() -> None:
    unknown, fine = _told(allow=("{{user()}}", "x.{{name()}}"))
    assert "nats-server does not know" in unknown.refused
    assert fine.becomes == ("x.bob",)
    assert "needs a tag that is not there" in _told(deny=("{{tag(none)}}",))[0].refused
    assert "which is no subject" in _told(deny=("a.{{name()}}",), name="two words")[0].refused
