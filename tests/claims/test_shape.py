"""Dataclasses and JSON are turned into one another by Go's rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims import gojson
from identities.claims.bodies import CLAIMS, SHAPES
from identities.claims.errors import ClaimsError
from identities.claims.patching import patch
from identities.claims.shape import Misfit, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    n: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str = "default"
    on: bool = False
    inner: Inner = Inner()
    maybe: Inner | None = None
    many: tuple[Inner | None, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    pass_: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


KNOWN: dict[type, Shape[Any]] = {Inner: Shape(Inner, {})}
SHAPE = Shape(Outer, KNOWN, always=("words",))


def test_absent_is_go_s_zero_value_whatever_the_dataclass_s_default() -> None:
    assert SHAPE.read({}) == Outer(name="")


def test_empty_values_are_left_out_unless_always_written_and_structs_never() -> None:
    assert SHAPE.write(Outer(name="")) == {"inner": {}, "words": []}


def test_everything_set_comes_out_in_order_with_the_unknown_last() -> None:
    tree = {
        "name": "a",
        "on": True,
        "inner": {"n": 1, "x": None},
        "maybe": {},
        "many": [None, {"n": 2}],
        "counts": {"a": 1, "b": 2},
        "words": ["w"],
        "pass": "p",
        "unknown": [1],
    }
    value = SHAPE.read(json.loads(json.dumps(tree)))
    assert value.maybe == Inner()
    assert value.many == (None, Inner(n=2))
    assert value.inner.extra == {"x": None}
    assert json.dumps(SHAPE.write(value)) == json.dumps(tree)


def test_maps_are_sorted_by_bytes() -> None:
    written = SHAPE.write(Outer(counts={"é": 1, "a": 2, "Z": 3, "\U0001f600": 4, "\uffff": 5}))
    assert list(written["counts"]) == sorted(written["counts"], key=str.encode)


def test_an_unknown_field_cannot_take_the_place_of_a_known_one() -> None:
    assert SHAPE.write(Outer(name="a", extra={"NAME": "b", "name": "c", "y": 1})) == {
        "name": "a",
        "inner": {},
        "words": [],
        "y": 1,
    }


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ([], "cannot unmarshal array into Go value of type object"),
        ({"name": 1}, "number 1 into Go struct field name of type string"),
        ({"inner": {"n": True}}, "bool into Go struct field inner.n of type int64"),
        ({"many": [{}, {"n": "1"}]}, "string into Go struct field many.1.n of type int64"),
        ({"counts": {"a": {}}}, "object into Go struct field counts.a of type int64"),
        ({"counts": []}, "array into Go struct field counts of type map"),
        ({"words": {}}, "object into Go struct field words of type array"),
        ({"name": "a", "NAME": "b"}, "stands twice"),
        ({"NAME": "a", "Name": "b"}, "stands twice"),
    ],
)
def test_a_misfit_says_what_and_where(tree: Any, words: str) -> None:
    with pytest.raises(Misfit) as caught:
        SHAPE.read(tree)
    assert words in caught.value.words


def test_a_key_in_another_case_is_read_and_renamed_in_the_tree() -> None:
    tree = {"x": 1, "NAME": "a", "Words": ["b"]}
    assert SHAPE.read(tree) == Outer(name="a", words=("b",), extra={"x": 1})
    assert list(tree) == ["x", "name", "words"]


def test_every_shape_knows_every_field_of_its_dataclass() -> None:
    for cls, shape in [*SHAPES.items(), (CLAIMS.cls, CLAIMS)]:
        names = {item.name for item in fields(cls)} - {"extra", "source"}  # type: ignore[arg-type]
        assert set(shape.fields) | {"limits"} >= names, cls


@pytest.mark.parametrize(
    ("source", "before", "after", "wanted"),
    [
        ({"a": 0, "x": 1}, {}, {"a": 2}, {"a": 2, "x": 1}),
        ({"x": 1, "b": 5}, {"b": 5}, {"a": 2, "b": 5}, {"a": 2, "x": 1, "b": 5}),
        ({"a": 1, "x": 1}, {"a": 1}, {}, {"x": 1}),
        ({"a": None}, {"a": {}}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"x": 1}, {"a": {}}, {"a": {}, "c": 1}, {"c": 1, "x": 1}),
        (
            {"l": [{"subject": "a", "z": 0}, {"subject": "b", "z": 0}]},
            {"l": [{"subject": "a"}, {"subject": "b"}]},
            {"l": [{"subject": "0"}, {"subject": "b", "n": 1}]},
            {"l": [{"subject": "0", "z": 0}, {"subject": "b", "n": 1, "z": 0}]},
        ),
        ({"l": ["b", "a"]}, {"l": ["b", "a"]}, {"l": ["a", "c"]}, {"l": ["a", "c"]}),
        ({"l": "a,b"}, {"l": ["a", "b"]}, {"l": ["a"]}, {"l": ["a"]}),
    ],
)
def test_a_patch_changes_what_differs_and_nothing_else(
    source: Any, before: Any, after: Any, wanted: Any
) -> None:
    kept = json.dumps([source, before, after])
    assert json.dumps(patch(source, before, after)) == json.dumps(wanted)
    assert json.dumps([source, before, after]) == kept


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ('{"a":1.50,"b":-1e5,"c":0.0,"d":12345678901234567890123}', None),
        ('"<>&\u2028\u2029é\U0001f600"', '"\\u003c\\u003e\\u0026\\u2028\\u2029é\U0001f600"'),
        ('"\\u0001\\b\\f\\n\\r\\t\\"\\\\\x7f\\/"', '"\\u0001\\b\\f\\n\\r\\t\\"\\\\\x7f/"'),
        ('"\\ud83d\\ude00 \\ud800 \\udc00\\ud800 \\\\ud800"', '"\U0001f600 \ufffd \ufffd\ufffd \\\\ud800"'),
        (' [ 1 , "" ] ', '[1,""]'),
    ],
)
def test_json_is_written_as_go_writes_it(text: str, again: str | None) -> None:
    assert gojson.dumps(gojson.loads(text.encode())) == (again or text)


def test_bytes_that_are_no_text_become_one_replacement_each() -> None:
    assert gojson.loads(b'"a\xff\xe2\x82\xed\xa0\x80b"') == "a" + "\ufffd" * 6 + "b"
    assert gojson.dumps("a\udcffb") == '"a\ufffdb"'


def test_numbers_in_a_role_pass_through_a_float_as_in_go() -> None:
    def read(text: str) -> object:
        return gojson.through_float(gojson.loads(text.encode()))

    assert read('{"a":[1e3,5.0,9007199254740993,1234567890123456789]}') == {
        "a": [1000, 5, 9007199254740992, 1234567890123456800]
    }
    assert read("9223372036854775807") == 9223372036854776000
    kept = gojson.loads(b'{"a":[1,"x",{"b":true}]}')
    assert gojson.through_float(kept) is kept
    assert str(read("1.5")) == "1.5"


def test_a_number_kept_by_its_letters_shows_them() -> None:
    (number,) = gojson.loads(b"[1.50]")  # type: ignore[misc]
    assert f"{number} {number!r} {number!s:>5}" == "1.50 1.50  1.50"


@given(
    st.text() | st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.none() | st.booleans())
)
def test_any_json_comes_back(value: Any) -> None:
    text = gojson.dumps(value)
    assert gojson.loads(text.encode()) == value
    assert not set("<>&\u2028\u2029") & set(text)


@given(st.binary(max_size=40))
def test_any_bytes_raise_nothing_but_claims_errors(data: bytes) -> None:
    with suppress(ClaimsError):
        gojson.loads(data)
