"""An edit of a JWT that was made elsewhere changes its field, `iat` and `jti`, and nothing else: for every valid golden
token and every field that can be edited, through the services.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from identities.claims import codec, gojson
from identities.errors import IdentityError
from identities.models import Account, Operator, User
from identities.services import accounts, changes, clock, operators, signing, users
from tests import make
from tests.conftest import FULL
from tests.fidelity import documents, edits, fields, rows, tokens
from tests.fidelity.edits import Edit
from tests.fidelity.tokens import Token

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}


def _as_version_2(token: Token, tree: Any) -> Any:
    """The upgraded claims as Go writes them; version 1 of the JSON is laid out otherwise."""
    if token.decoded.version == 2:
        return tree
    upgraded = replace(token.claims, nats=replace(token.claims.nats, version=2))
    return gojson.loads(codec.payload_text(upgraded).encode())


def _signing_keys_once(token: Token, tree: Any) -> Any:
    """Of two entries with one key the later stays, in the place of the first."""
    keys = tree["nats"].get("signing_keys")
    if token.kind != "account" or not keys:
        return tree
    kept = {key if isinstance(key, str) else key["key"]: key for key in keys}
    return {**tree, "nats": {**tree["nats"], "signing_keys": list(kept.values())}}


NORMALISED = {"version 1 becomes version 2": _as_version_2, "a signing key stands once": _signing_keys_once}
"""What Go does to every token that it writes, beside the sorting of an edited list, which `documents.expected` knows.

Its others we do without until somebody edits that very field: a sampling of 0 stays 0, tags keep their case, `src`
stays a text, a role's 0 stays one.
"""

NEVER_EMPTIED = {
    "aud": ("account",),  # no golden account has one
    "nats.authorization.auth_users": ("account",),  # all of them allow accounts as well, which needs users
    "nats.exports[].service_latency.results": ("account",),
    "nats.exports[].subject": ("account",),
    "nats.exports[].type": ("account",),
    "nats.imports[].account": ("account",),
    "nats.imports[].subject": ("account",),
    "nats.imports[].type": ("account",),
    "nats.limits.times[].end": ("user",),
    "nats.limits.times[].start": ("user",),
    "nats.mappings{}[].subject": ("account",),
    "nats.signing_keys[].key": ("account",),
    **{
        f"nats.signing_keys[].template.{name}": ("account",) for name in ("subs", "data", "payload")
    },  # 0 reads as -1
    **{f"nats.signing_keys[].template.times[].{name}": ("account",) for name in ("start", "end")},
    "nats.trace.dest": ("account",),
}
"""Fields that can't be emptied by themselves: NATS refuses the whole then, unless something else is said."""

ALL = (*tokens.tokens(), *tokens.sprinkled())
LEAST, SOME = 4, 12
"""In the reduced run each field is edited so many times, and besides every how many-th edit of a token; with unknown
fields in every other token.
"""


def everything(token: Token) -> list[Edit]:
    """Another value for each field, and each field emptied where NATS takes it."""
    return [*edits.edits(token), *(edit for edit in edits.cleared(token) if not refused(token, edit))]


def refused(token: Token, edit: Edit) -> bool:
    try:
        return changes.check(edit.apply(token.claims), token.claims, now=clock.unix()).blocking
    except IdentityError:  # can't even be written, such as an export of no type
        return True


def tried() -> list[tuple[Token, list[Edit]]]:
    if FULL:
        return [(token, everything(token)) for token in ALL]
    with_unknown = {token.name: token for token in tokens.sprinkled()}
    times: Counter[tuple[str, str]] = Counter()
    found = []
    for number, plain in enumerate(tokens.tokens()):
        token = with_unknown.get(plain.name, plain) if number % 2 else plain
        some = []
        for place, edit in enumerate(everything(token)):
            if times[token.kind, edit.field] < LEAST or place % SOME == number % SOME:
                times[token.kind, edit.field] += 1
                some.append(edit)
        found.append((token, some))
    return found


TRIED = tried()


@pytest.mark.parametrize("kind", tokens.BODIES)
def test_every_field_is_edited_or_stands_on_the_list_with_its_reason(kind: str) -> None:
    known = set(fields.fields_of(kind))
    edited = Counter(edit.field for token in ALL if token.kind == kind for edit in edits.edits(token))
    assert known - set(edited) - set(fields.NOT_EDITED) == set()
    assert set(edited) <= known
    assert not set(edited) & set(fields.NOT_EDITED)
    assert all(fields.NOT_EDITED.values())
    everywhere = {name for other in tokens.BODIES for name in fields.fields_of(other)}
    assert set(fields.NOT_EDITED) <= everywhere


def test_the_reduced_run_too_edits_every_field() -> None:
    for kind in tokens.BODIES:
        edited = {edit.field for token, some in TRIED if token.kind == kind for edit in some}
        assert edited == set(fields.fields_of(kind)) - set(fields.NOT_EDITED)


def test_no_edit_that_is_tried_is_one_that_nats_refuses() -> None:
    for token in ALL:
        for edit in edits.edits(token):
            assert not refused(token, edit), (token, edit.field)


def test_most_fields_can_be_emptied() -> None:
    for kind in tokens.BODIES:
        of_kind = [(token, edit) for token in ALL if token.kind == kind for edit in edits.cleared(token)]
        emptied = {edit.field for token, edit in of_kind if not refused(token, edit)}
        left = set(fields.fields_of(kind)) - set(fields.NOT_EDITED) - emptied
        assert left == {field for field, where in NEVER_EMPTIED.items() if kind in where}


def test_the_golden_data_holds_what_it_is_meant_to_hold() -> None:
    counted = Counter((token.kind, token.decoded.version) for token in tokens.tokens())
    assert counted["operator", 2] >= 25
    assert counted["account", 2] >= 60
    assert counted["user", 2] >= 75
    assert all(counted[kind, 1] for kind in tokens.BODIES)
    assert len(tokens.sprinkled()) >= 130


@pytest.mark.parametrize("named", NORMALISED)
def test_what_go_does_to_tokens_is_met_in_the_golden_data(named: str) -> None:
    assert any(NORMALISED[named](token, raw(token)) != raw(token) for token in ALL)


@pytest.mark.parametrize(("token", "wanted"), TRIED, ids=[str(token) for token, _ in TRIED])
def test_an_edit_changes_its_field_and_nothing_else(token: Token, wanted: list[Edit]) -> None:
    make.installation()
    row, signer = rows.adopted(token)
    same = rewritten(row, lambda claims: replace(claims, name=str(claims.name)), "")
    assert (same.version, same.token_id, same.claims) == (row.version, row.token_id, token.decoded.payload)
    if signer is None:
        refuses_for_want_of_a_seed(row, token)
        return
    old = before(token)
    for edit in wanted:
        with undone():
            saved = edited(row, edit, signer)
            check(token, edit, old, text_of(saved), signer)
            assert saved.version == row.version + 1
            assert saved.token is not None and saved.token.replaces_id == row.token_id


def raw(token: Token) -> Any:
    return gojson.loads(token.decoded.payload.encode())


def before(token: Token) -> Any:
    """The JSON that an edit starts from, after what Go does to every token."""
    tree = raw(token)
    for normalise in NORMALISED.values():
        tree = normalise(token, tree)
    return tree


def check(token: Token, edit: Edit, old: Any, text: str, signer: str) -> None:
    """Everything that can be said about the JSON before and after."""
    after = codec.decode(text)
    new = gojson.loads(after.payload.encode())
    wanted = documents.expected(old, token.claims, edit.apply(token.claims), edit.path)
    assert new["iat"] > token.claims.iat
    assert new["jti"] != token.claims.jti
    issuer = token.claims.sub if token.kind == "operator" else token.claims.iss  # an operator signs itself
    assert new["iss"] == (signer or issuer)
    wanted |= {"iat": new["iat"], "jti": new["jti"], "iss": new["iss"]}
    if signer and token.kind == "user":
        home = token.claims.nats.issuer_account or token.claims.iss
        wanted["nats"] = {**wanted["nats"], "issuer_account": home}
    assert new == wanted, edit
    assert new != old
    documents.same_order(old, new)
    if documents.as_go_writes(codec.from_payload(gojson.dumps(old))) == gojson.dumps(documents.sown(old)):
        assert gojson.dumps(documents.sown(new)) == documents.as_go_writes(after.claims)


@contextmanager
def undone() -> Iterator[None]:
    """Whatever happens inside did not."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def text_of(row: Operator | Account | User) -> str:
    assert row.token is not None
    with signing.token_text(row.token) as text:
        assert codec.decode(text).payload == row.claims
        return text


def edited(row: Any, edit: Edit, signer: str) -> Any:
    return rewritten(row, edit.apply, signer)


def rewritten(row: Any, apply: Any, signer: str) -> Any:
    """Through the service that every editor of such an object ends in."""

    def plan(current: Any) -> changes.Change:
        return changes.plan(current, apply, now=clock.unix())

    how: Any = {**WHO, "plan": plan, "version": row.version, "done": "Edited"}
    if isinstance(row, Operator):
        return operators.rewrite(operator=row, **how)
    if isinstance(row, Account):
        return accounts.rewrite(account=row, signer=signer, **how)
    return users.rewrite(user=row, signer=signer, **how)


def refuses_for_want_of_a_seed(row: Any, token: Token) -> None:
    """Where nobody can sign, that is said, and nothing is written."""
    for edit in list(edits.edits(token))[:1]:
        with pytest.raises(signing.NoSigner, match="page “Keys”"):
            edited(row, edit, "")
    row.refresh_from_db()
    assert row.claims == token.decoded.payload
