"""Bad input through the real forms: each value gets its own message, stays in the form, and changes nothing at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django import forms
from django.db import connection
from django.urls import reverse

from identities.models import Account, Cluster, Operator, User
from identities.nkeys import KeyKind
from tests import make
from tests.house.bad_input import ANYTHING_GOES, CONFIG, NEVER_SHOWN, PEM, SEEDS, SHEETS, public
from tests.pages import Page, Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

PASTED = "x" * (300 * 1024)
LONGEST_MESSAGE = 400
ONLY_SHOWN = 60


@pytest.fixture
def user() -> User:
    operator = make.operator("Main")
    make.operator("Taken", system_account=False)
    make.account(operator, "Taken")
    account = make.account(operator, "Orders")
    make.user(account, "taken")
    make.cluster(operator, "Main")
    make.cluster(operator, "Taken")
    return make.user(account, "plain")


@pytest.fixture
def visitor(user: User) -> Visitor:
    return Visitor(make.client())


def address(name: str, user: User) -> str:
    keys = [user.operator.public_key, user.account.public_key, user.public_key]
    if name.startswith("cluster"):
        here = () if name == "cluster-create" else (Cluster.objects.get(name="Main").pk,)
        return reverse(name, args=[keys[0], *here])
    kinds = {"operator": 1, "preset": 1, "account": 2, "user": 3}
    depth = kinds[name.partition("-")[0]] - name.endswith("-create")
    return reverse(name, args=keys[:depth])


def everything() -> dict[str, str]:
    """A digest of every row of every table of the database."""
    digests = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            rows = sorted(repr([_plain(value) for value in row]) for row in cursor.fetchall())
            digests[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return digests


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def messages(answer: Page) -> dict[str, str]:
    return {name: " ".join(said) for name, said in answer.response.context["form"].errors.items()}


def kept(answer: Page, target: str, name: str) -> str:
    return answer.form(name, action=target).values.get(name, [""])[0]


CELLS = [(name, field) for name, sheet in SHEETS.items() for field in sheet.fields]


@pytest.mark.parametrize(("name", "field"), CELLS)
def test_a_bad_value_is_named_with_what_to_write_stays_there_and_changes_nothing(
    visitor: Visitor, user: User, name: str, field: str
) -> None:
    sheet, target = SHEETS[name], address(name, user)
    page = visitor.open(target)
    before = everything()
    for value, words in sheet.fields[field].items():
        answer = visitor.send(page, action=target, **{**sheet.filled, field: value})
        assert answer.status == 422, f"{value!r} was taken"
        assert list(messages(answer)) == [field], value
        said = messages(answer)[field]
        for word in words:
            assert word in said, (value, said)
        if value.isprintable() and 0 < len(value) <= ONLY_SHOWN and field not in PEM:
            assert value.strip() in said or any(quoted in said for quoted in words if '"' in quoted), said
        assert len(said) < LONGEST_MESSAGE
        assert 'aria-invalid="true"' in answer.html
        if "\x00" not in value and field not in NEVER_SHOWN:
            assert kept(answer, target, field) == value
        for other, typed in sheet.filled.items():
            if other != field:
                assert kept(answer, target, other) == typed
    assert everything() == before


@pytest.mark.parametrize("name", SHEETS)
def test_three_hundred_kilobytes_are_refused_in_each_field_of_text(
    visitor: Visitor, user: User, name: str
) -> None:
    sheet, target = SHEETS[name], address(name, user)
    page = visitor.open(target)
    fields = page.response.context["form"].fields
    texts = [each for each, field in fields.items() if _takes_text(field)]
    assert set(texts) - set(sheet.fields) <= ANYTHING_GOES, "these fields are missing in the table"
    assert set(sheet.fields) <= set(texts)
    before = everything()
    for field in texts:
        answer = visitor.send(page, action=target, **{**sheet.filled, field: PASTED})
        assert answer.status == 422, field
        assert list(messages(answer)) == [field]
        assert 0 < len(messages(answer)[field]) < LONGEST_MESSAGE
        assert kept(answer, target, field) == ("" if field in NEVER_SHOWN else PASTED)
    assert everything() == before


def _takes_text(field: forms.Field) -> bool:
    widget = forms.TextInput | forms.Textarea | forms.NumberInput
    return isinstance(field.widget, widget)


@pytest.mark.parametrize(
    ("name", "field"),
    [cell for cell in CELLS if cell[1] in ("public_key", "name", "pub_allow", "description")],
)
def test_a_seed_is_refused_wherever_it_is_pasted_and_neither_shown_nor_logged(
    visitor: Visitor, user: User, name: str, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    sheet, target = SHEETS[name], address(name, user)
    page = visitor.open(target)
    before = everything()
    for seed in SEEDS:
        answer = visitor.send(page, action=target, **{**sheet.filled, field: seed})
        assert answer.status == 422
        assert "That is a seed" in messages(answer)[field]
        assert "Give the public key instead" in messages(answer)[field]
        assert kept(answer, target, field) == ""
        assert seed not in answer.html
        assert seed not in caplog.text
    assert everything() == before


@pytest.mark.parametrize(
    "name", [name for name in SHEETS if name.split("-")[1] in ("edit", "limits", "delete")]
)
@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30])
def test_a_form_without_its_version_saves_nothing_and_says_so(
    visitor: Visitor, user: User, name: str, version: str
) -> None:
    target = address(name, user)
    page = visitor.open(target)
    before = everything()
    typed = {"confirm": "Main"} if name.endswith("delete") else {}
    answer = visitor.send(page, action=target, **{**SHEETS[name].filled, **typed, "version": version})
    assert answer.status in (409, 422)
    assert "alert" in answer.html
    assert everything() == before


MAKE_BAD: Mapping[str, tuple[str, Callable[[User], dict[str, Any]], str]] = {
    "a signer that is none": (
        "user-create",
        lambda user: {"name": "new", "signer": "A" * 56},
        "valid choice",
    ),
    "an unknown connection type": (
        "user-create",
        lambda user: {"name": "new", "connection_types": "PIGEON"},
        "valid choice",
    ),
    "an unknown trial": ("user-test", lambda user: {"trial": "destroy", "url": "nats://h:1"}, "valid choice"),
    "the key of another user": (
        "user-create",
        lambda user: {"name": "new", "public_key": user.public_key},
        "already",
    ),
    "the key of another account": (
        "account-create",
        lambda user: {"name": "new", "public_key": user.account.public_key},
        "already",
    ),
    "strict without signing keys": (
        "operator-create",
        lambda user: {"name": "new", "require_signing_keys": True, "generate_signing_key": False},
        "also generate a signing key",
    ),
    "a second system account": ("operator-system-account", lambda user: {}, "already"),
    "nothing to revoke": ("user-revoke-earlier", lambda user: {}, "one JWT only"),
    "an expiry before the start": (
        "user-create",
        lambda user: {"name": "new", "expires": "1d", "not_before": "2d"},
        "before",
    ),
    "storage whole and by tier": (
        "account-limits",
        lambda user: {"jetstream": True, "disk_storage": "1 GiB", "R1-disk_storage": "1 GiB"},
        "one or the other",
    ),
    "limits of JetStream that is off": (
        "account-limits",
        lambda user: {"R1-streams": "5"},
        "JetStream is off",
    ),
}


@pytest.mark.parametrize("what", MAKE_BAD)
def test_what_does_not_go_together_is_refused_and_changes_nothing(
    visitor: Visitor, user: User, what: str
) -> None:
    name, typed, said = MAKE_BAD[what]
    target = address(name, user)
    page = visitor.open(target)
    before = everything()
    answer = visitor.send(page, action=target, **typed(user))
    assert answer.status == 422
    assert said in " ".join(messages(answer).values())
    assert everything() == before


def test_a_user_may_differ_from_another_by_case_alone(visitor: Visitor, user: User) -> None:
    target = address("user-create", user)
    assert visitor.send(visitor.open(target), action=target, name="TAKEN").status == 200
    assert User.objects.live().filter(account=user.account, name="TAKEN").exists()


def test_the_default_operator_is_one_of_those_that_are_there(visitor: Visitor) -> None:
    target = reverse("installation-default-operator")
    page = visitor.open(target)
    before = everything()
    answer = visitor.send(page, action=target, operator=public(KeyKind.OPERATOR))
    assert answer.status == 422
    assert "valid choice" in messages(answer)["operator"]
    assert everything() == before


@pytest.mark.parametrize("field", CONFIG)
def test_a_bad_option_of_a_configuration_is_refused_beside_it(
    visitor: Visitor, user: User, field: str
) -> None:
    target = reverse("operator-config", args=[user.operator.public_key])
    before = everything()
    for value, words in {**CONFIG[field], PASTED: ()}.items():
        query = {"resolver": "full", "operator_as": "path", "operator_path": "/op.jwt", field: value}
        answer = visitor.open(target, query)
        assert answer.status == 422, value
        said = messages(answer)
        assert list(said) == [field], value
        assert all(word in said[field] for word in words), said
        assert len(said[field]) < LONGEST_MESSAGE
        inputs = [form.values for form in answer.forms if field in form.names]
        assert inputs[0][field] == [value]
    assert everything() == before


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4, 0.7, 0.95, 0.999])
def test_a_truncated_jwt_is_refused_in_words_and_not_shown_again(
    visitor: Visitor, user: User, share: float
) -> None:
    jwts = [
        model.objects.get(pk=row.pk).token.text  # type: ignore[union-attr]
        for model, row in ((User, user), (Account, user.account), (Operator, user.operator))
    ]
    page = visitor.open(reverse("inspector"))
    before = everything()
    for jwt in jwts:
        cut = jwt[: int(len(jwt) * share)]
        answer = visitor.send(page, action=reverse("inspector"), text=cut)
        told = answer.status == 422 and "There is no JWT in this" in answer.text
        assert told or (answer.status == 200 and "Refused" in answer.text), answer.text
        assert cut[20:] not in answer.html or len(cut) < 40
    assert everything() == before
