"""What every form promises: no seed is kept or shown again, findings find their fields, nothing changes by itself."""

from __future__ import annotations

import base64

import pytest
from django.http import QueryDict

from identities.claims.report import Grade, Issue, Report
from identities.errors import IdentityError
from identities.forms.accounts import AccountCreateForm, AccountEditForm
from identities.forms.base import SEED_REFUSED, ConfirmForm, VersionForm
from identities.forms.limits import LimitsForm
from identities.forms.operators import OperatorCreateForm, OperatorEditForm
from identities.nkeys import KeyKind, KeyPair


def data(**values: str) -> QueryDict:
    made = QueryDict(mutable=True)
    made.update(values)
    return made


@pytest.mark.parametrize("field", ["public_key", "name", "description", "tags", "unknown"])
@pytest.mark.parametrize("spoilt", ["{}", " key={} ", "{}X"])
def test_a_pasted_seed_is_refused_wherever_it_stands_and_never_shown_again(field: str, spoilt: str) -> None:
    seed = KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode()
    form = AccountCreateForm(data(**{"name": "Orders", field: spoilt.format(seed)}))
    assert not form.is_valid()
    assert SEED_REFUSED in str(form.errors.as_data())
    assert seed not in f"{form.as_p()}{form.data}{form.errors}{form.cleaned_data}"


def test_a_lower_case_seed_is_refused_too() -> None:
    seed = KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode().lower()
    form = AccountCreateForm(data(name=seed))
    assert not form.is_valid()
    assert seed not in form.as_p()


def test_a_seed_broken_over_lines_or_in_base64_is_refused_too() -> None:
    seed = KeyPair.create(KeyKind.ACCOUNT).seed().reveal()
    for text in (f"{seed[:30].decode()}\n{seed[30:].decode()}", base64.b64encode(seed).decode()):
        form = AccountCreateForm(data(name="Orders", description=text))
        assert not form.is_valid()
        assert SEED_REFUSED in str(form.errors["description"].as_data())
        assert text not in f"{form.as_p()}{form.data}{form.errors}{form.cleaned_data}"


def test_a_csrf_token_that_happens_to_look_like_a_seed_is_none() -> None:
    token = "SU" + "A" * 62
    assert AccountCreateForm(data(name="Orders", csrfmiddlewaretoken=token)).is_valid()


def test_each_error_of_a_report_stands_at_its_field_and_the_rest_above_the_form() -> None:
    form = OperatorCreateForm(data(name="Test"))
    assert form.is_valid()
    form.place_issues(
        Report.of(
            [
                Issue(Grade.ERROR, "nats.operator_service_urls[1]", "bad url"),
                Issue(Grade.ERROR, "nats.something.else", "odd"),
                Issue(Grade.WARNING, "name", "a warning"),
            ]
        )
    )
    remedy = OperatorCreateForm.remedies["service_urls"]
    assert form.errors["service_urls"] == [f"Bad url. {remedy}"]
    assert form.non_field_errors() == ["Odd"]
    assert form.warnings == ["A warning"]
    assert form.status == 422


def test_limits_find_their_fields_flat_and_by_tier() -> None:
    form = LimitsForm(tiers=("R2",))
    assert form.field_of("nats.limits.conn") == "conn"
    assert form.field_of("nats.limits.tiered_limits.R2.streams") == "R2-streams"
    assert form.field_of("nats.limits.tiered_limits") == ""
    assert form.field_of("nats.imports[3]") == "imports"


def test_what_nobody_changed_keeps_its_old_value_to_the_letter() -> None:
    initial = {
        "name": "Test",
        "service_urls": ("nats://b:4222", "nats://a:4222"),
        "tags": ("z", "a"),
        "account_server_url": " nats://x ",
        "expires": 253_402_300_800,
        "version": 3,
    }
    shown = OperatorEditForm(initial=initial)
    typed = data(**{field.html_name: str(field.value() or "") for field in shown})
    typed["name"] = "New"
    form = OperatorEditForm(typed, initial=initial)
    assert form.is_valid(), form.errors
    edit = form.to_edit()
    assert edit.name == "New"
    assert (edit.service_urls, edit.tags) == (initial["service_urls"], initial["tags"])
    assert (edit.account_server_url, edit.expires) == (" nats://x ", 253_402_300_800)


def test_a_stale_form_shows_both_values_and_carries_the_new_version() -> None:
    form = AccountEditForm(data(name="Mine", description="same", version="1"))
    assert form.is_valid()
    current = {
        "name": "Theirs",
        "description": "same",
        "tags": ("x",),
        "info_url": "",
        "expires": 0,
        "not_before": 0,
    }
    form.mark_stale(by="viewer", version=7, current=current, message="changed meanwhile")
    assert form.status == 409
    assert [(one.label, one.theirs, one.yours) for one in form.differences] == [
        ("Name", "Theirs", "Mine"),
        ("Tags", "x", ""),
    ]
    assert 'name="version" value="7"' in str(form["version"])
    assert "Mine" in str(form["name"])


def test_a_limit_below_minus_one_is_refused_unless_it_was_there() -> None:
    new = data(**{name: "-1" for name in LimitsForm().fields if not name.endswith("max_bytes_required")})
    new["version"] = "1"
    new["conn"] = "-5"
    form = LimitsForm(new)
    assert not form.is_valid()
    assert "-5 is below -1" in form.errors["conn"][0]
    assert "conn" not in LimitsForm(new, initial={"conn": -5}).errors


def test_the_name_must_be_typed_exactly() -> None:
    assert ConfirmForm(data(confirm="Orders", version="1"), name="Orders").is_valid()
    assert "confirm" in ConfirmForm(data(confirm="orders", version="1"), name="Orders").errors


def test_300_kilobytes_are_refused_and_not_shown_in_the_message() -> None:
    form = AccountCreateForm(data(name="a" * 300_000))
    assert not form.is_valid()
    assert len(form.errors["name"][0]) < 200


def test_a_refusal_can_be_placed_on_a_form_that_was_not_sent_yet() -> None:
    form = VersionForm(initial={"version": 1})
    form.place_error(IdentityError("Nothing to revoke."))
    assert "Nothing to revoke." in str(form.non_field_errors())
    assert form.status == 200
