from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.diff import FieldChange, diff
from identities.claims.limits import OperatorLimits


def _account(**nats: Any) -> dict[str, Any]:
    return {"iat": 1, "jti": "J", "sub": "A", "nats": {"type": "account", **nats}}


def _changes(before: Any, after: Any) -> list[tuple[str, str, str]]:
    return [(change.path, change.before, change.after) for change in diff(before, after)]


def test_what_every_signing_changes_is_no_change() -> None:
    assert diff(_account(), {**_account(), "iat": 2, "jti": "K"}) == ()


def test_something_new_is_all_additions() -> None:
    assert diff(None, _account(tags=["b", "a"])) == (
        FieldChange("nats.tags", "", "a"),
        FieldChange("nats.tags", "", "b"),
        FieldChange("nats.type", "", "account"),
        FieldChange("sub", "", "A"),
    )


def test_limits_read_as_words_and_an_absent_one_as_zero() -> None:
    before = _account(limits={"conn": -1, "wildcards": True, "payload": 5})
    after = _account(limits={"conn": 10, "subs": -1})
    assert _changes(before, after) == [
        ("nats.limits.conn", "unlimited", "10"),
        ("nats.limits.payload", "5 B", "0"),
        ("nats.limits.subs", "0", "unlimited"),
        ("nats.limits.wildcards", "yes", "no"),
    ]


def test_exports_are_known_by_subject_and_type_not_by_place() -> None:
    first = {"subject": "a", "type": "stream"}
    second = {"subject": "a", "type": "service", "response_threshold": 1500000000}
    before, after = _account(exports=[first, second]), _account(exports=[second | {"token_req": True}, first])
    assert _changes(before, after) == [("nats.exports[a service].token_req", "", "yes")]


def test_an_import_s_token_is_told_but_not_shown() -> None:
    imported = {"subject": "a", "type": "stream", "account": "AX"}
    ((path, before, after),) = _changes(
        _account(imports=[imported]), _account(imports=[imported | {"token": "eyJsecret"}])
    )
    assert (path, before) == ("nats.imports[a stream AX].token", "")
    assert after.startswith("a token, SHA-256 ")


def test_signing_keys_are_known_by_key() -> None:
    scope = {"kind": "user_scope", "key": "AS", "role": "r", "template": {"pub": {"allow": ["a"]}}}
    changed = {**scope, "role": "s", "template": {"pub": {"allow": ["a", "b"]}}}
    assert _changes(_account(signing_keys=["AP", scope]), _account(signing_keys=[changed, "AQ"])) == [
        ("nats.signing_keys[AP]", "present", ""),
        ("nats.signing_keys[AQ]", "", "present"),
        ("nats.signing_keys[AS].role", "r", "s"),
        ("nats.signing_keys[AS].template.pub.allow", "", "b"),
    ]


def test_maps_are_known_by_their_keys_and_times_are_dates() -> None:
    before = _account(revocations={"U1": 1795468972}, mappings={"a.b": [{"subject": "x", "weight": 50}]})
    after = _account(
        revocations={"U1": 1795468973, "*": 1}, mappings={"a.b": [{"subject": "x"}, {"subject": "y"}]}
    )
    assert _changes({**before, "exp": 1}, after) == [
        ("exp", "1970-01-01 00:00:01 UTC", ""),
        ("nats.mappings[a.b][x].weight", "50", ""),
        ("nats.mappings[a.b][y]", "", "subject y"),
        ("nats.revocations[*]", "", "1970-01-01 00:00:01 UTC"),
        ("nats.revocations[U1]", "2026-11-23 21:22:52 UTC", "2026-11-23 21:22:53 UTC"),
    ]


def test_permissions_are_sets() -> None:
    before = _account(
        default_permissions={"pub": {"allow": ["a", "b"]}, "resp": {"max": 1, "ttl": 2 * 10**9}}
    )
    after = _account(default_permissions={"pub": {"allow": ["c", "b"]}, "resp": {"max": 1, "ttl": 10**9}})
    assert _changes(before, after) == [
        ("nats.default_permissions.pub.allow", "a", ""),
        ("nats.default_permissions.pub.allow", "", "c"),
        ("nats.default_permissions.resp.ttl", "2s", "1s"),
    ]


def test_equal_entries_are_counted() -> None:
    one = {"subject": "a", "type": "stream"}
    assert [path for path, _, _ in _changes(_account(exports=[one]), _account(exports=[one, one]))] == [
        "nats.exports[a stream #2]",
    ]


def test_sizes_read_as_people_write_them() -> None:
    before = _account(limits={"disk_storage": -1, "payload": 65536, "conn": 65536})
    after = _account(limits={"disk_storage": 2**30, "payload": 1_000_001, "conn": 65537})
    assert _changes(before, after) == [
        ("nats.limits.conn", "65536", "65537"),
        ("nats.limits.disk_storage", "unlimited", "1 GiB"),
        ("nats.limits.payload", "64 KiB", "1,000,001 B"),
    ]


def test_an_entry_that_came_or_went_is_one_line_that_says_all_of_it() -> None:
    role = {"kind": "user_scope", "key": "AS", "role": "r", "template": {"pub": {"allow": ["a", "b"]}}}
    export = {"subject": "a", "type": "service", "response_threshold": 1_500_000_000, "token_req": True}
    assert _changes(_account(signing_keys=[role]), _account(exports=[export])) == [
        ("nats.exports[a service]", "", "subject a, type service, response_threshold 1.5s, token_req yes"),
        ("nats.signing_keys[AS]", "kind user_scope, key AS, role r, template.pub.allow a b", ""),
    ]


def test_documents_as_the_codec_writes_them_can_be_compared() -> None:
    plain = Claims(nats=AccountBody(limits=OperatorLimits.unlimited()), sub="A")
    named = Claims(nats=AccountBody(limits=OperatorLimits.unlimited(), description="x"), sub="A")
    assert _changes(*(json.loads(codec.payload_text(claims)) for claims in (plain, named))) == [
        ("nats.description", "", "x")
    ]


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["exports", "mappings", "tags", "x"]), trees))
def test_any_document_equals_itself_and_can_be_told_whole(document: dict[str, object]) -> None:
    assert diff({"nats": document}, {"nats": document}) == ()
    assert diff(None, {"nats": document}) is not None


@pytest.mark.parametrize("path", ["iss", "name", "nbf"])
def test_the_common_claims_are_compared(path: str) -> None:
    ((found, _, _),) = _changes(_account(), {**_account(), path: 5})
    assert found == path
