from __future__ import annotations

import pytest

from identities.claims import presets
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.claims.presets import BadPreset, Edition, Kind, Line
from identities.claims.presets_built_in import BUILT_IN
from identities.claims.recipes import Side

UNLIMITED = UserPermissionLimits.unlimited()


def line(subject: str, side: Side = Side.PUBLISH, *, deny: bool = False) -> Line:
    return Line(side=side, subject=subject, why="because", deny=deny)


def edition(*lines: Line, **more: int) -> Edition:
    return Edition(number=1, lines=lines, parameters=presets.parameters_of(lines), **more)


def test_a_side_without_any_subject_is_closed() -> None:
    filled = presets.fill(edition(line("a.${what}")), {"what": "b.*"})
    limits = filled.over(UNLIMITED)
    assert (limits.pub, limits.sub) == (Permission(allow=("a.b.*",)), Permission(deny=(">",)))
    assert filled.lines[-1].why == "It subscribes to nothing."


def test_it_replaces_permissions_and_leaves_the_rest() -> None:
    held = UserPermissionLimits(
        pub=Permission(allow=("old",), deny=("bad",), extra={"x": 1}), subs=7, src=("192.0.2.0/24",)
    )
    limits = presets.fill(edition(line("a"), line("b w", Side.SUBSCRIBE), answers=3), {}).over(held)
    assert limits.pub == Permission(allow=("a",), extra={"x": 1})
    assert limits.resp == ResponsePermission(max=3)
    assert (limits.subs, limits.src) == (7, ("192.0.2.0/24",))


def test_a_response_permission_that_fits_keeps_its_time() -> None:
    held = UserPermissionLimits(resp=ResponsePermission(max=1, ttl=5))
    filled = presets.fill(BUILT_IN["service"].newest, {"subject": "a"})
    assert filled.over(held).resp == ResponsePermission(max=1, ttl=5)
    assert filled.over(filled.over(held)) == filled.over(held)


def test_connection_types_and_bearer_come_with_a_device() -> None:
    limits = presets.fill(BUILT_IN["mqtt-device"].newest, {"outgoing": "a", "incoming": "b.c"}).over(
        UNLIMITED
    )
    assert limits.bearer_token
    assert limits.allowed_connection_types == ("MQTT", "MQTT_WS")
    assert limits.sub.allow == ("b.c",)


def test_parameters_are_found_in_lines_and_known_by_their_names() -> None:
    found = presets.parameters_of((line("$KV.${bucket}.${key}"), line("${inbox}.>", Side.SUBSCRIBE)))
    assert [(one.name, one.kind, one.required) for one in found] == [
        ("bucket", Kind.NAME, True),
        ("key", Kind.SUBJECT, True),
        ("inbox", Kind.INBOX, False),
    ]


@pytest.mark.parametrize(
    ("subject", "values", "field", "said"),
    [
        ("${what}", {}, "what", "Give the what."),
        ("${what}", {"what": "a b"}, "what", "no subject"),
        ("${what}.x", {"what": "a.>"}, "pub_allow", "is no subject"),
        ("${stream}", {"stream": "a.b"}, "stream", "one word"),
        ("${inbox}.>", {"inbox": "a.*"}, "inbox", "wildcards"),
        ("a b", {}, "pub_allow", "is no subject"),
    ],
)
def test_what_comes_out_as_no_subject_is_refused(
    subject: str, values: dict[str, str], field: str, said: str
) -> None:
    with pytest.raises(BadPreset, match=said) as refused:
        presets.fill(edition(line(subject)), values)
    assert refused.value.field == field


@pytest.mark.parametrize("subject", ["${Upper}", "${a b}", "a.${", "${}"])
def test_what_looks_like_a_parameter_and_is_none_is_refused(subject: str) -> None:
    with pytest.raises(BadPreset, match="is no parameter"):
        presets.check_lines(edition(line(subject)))


def test_lines_that_could_never_be_subjects_are_refused() -> None:
    with pytest.raises(BadPreset, match="is no subject"):
        presets.check_lines(edition(line("a..${what}")))
    presets.check_lines(edition(line("a.${what}.{{name()}}")))


@pytest.mark.parametrize("key", sorted(BUILT_IN))
def test_what_comes_built_in_can_be_filled_in_and_is_numbered(key: str) -> None:
    preset = BUILT_IN[key]
    values = {one.name: "x" for one in preset.newest.parameters}
    assert all(each.why for each in presets.fill(preset.newest, values).lines)
    assert [each.number for each in preset.editions] == list(range(1, len(preset.editions) + 1))
    assert all(each.news for each in preset.editions[1:])
    assert preset.edition(1) is preset.editions[0]
    assert preset.key == key
