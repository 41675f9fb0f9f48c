"""Whatever somebody changes in the tables of the audit, past the program and its triggers, is found and named."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, connection, transaction

from identities.claims.diff import FieldChange
from identities.models import AuditEvent, AuditHead, AuditTarget, append_only
from identities.policy.actions import Action
from identities.services import audit, audit_checking, bulk, clock
from identities.services.audit_checking import Finding, Head
from identities.services.audit_sealing import KEY_ID, sealing
from tests import make

pytestmark = pytest.mark.django_db

EVENTS = 30
TAMPERINGS = 100
EVENT_TEXTS = (
    "actor",
    "actor_name",
    "way",
    "address",
    "action",
    "summary",
    "key_id",
    "prev",
    "hash",
    "canonical",
)
TARGET_TEXTS = ("kind", "key", "name", "operator_key")


@pytest.fixture
def chain() -> list[AuditEvent]:
    make.installation()
    who = make.principal()
    for number in range(EVENTS):
        targets = [
            audit.Target(kind="account", key=f"A{number}{letter}", name=f"name {letter}", operator_key="O")
            for letter in string.ascii_lowercase[: number % 4]
        ]
        told = [FieldChange(f"nats.limits.{number}", "1", "2 ü")] if number % 3 else []
        with transaction.atomic():
            audit.record(who, Action.ACCOUNT_EDIT, targets, f"did “{number}”", changes=told)
    append_only.remove(connection)
    assert audit_checking.check().findings == ()
    return list(AuditEvent.objects.order_by("seq"))


def run(statement: str, *given: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        assert cursor.rowcount > 0, statement


def another(text: str, dice: random.Random) -> str:
    """`text` with one character changed, put in or taken out."""
    at = dice.randrange(len(text) + 1)
    new = dice.choice([letter for letter in string.ascii_letters if text[at : at + 1] != letter])
    return dice.choice([text[:at] + new + text[at + 1 :], text[:at] + new + text[at:]])


def edit_event(events: list[AuditEvent], dice: random.Random) -> set[int]:
    event, column = dice.choice(events), dice.choice(EVENT_TEXTS)
    held = getattr(event, column)
    new = another(held, dice)[: AuditEvent._meta.get_field(column).max_length]
    if new == held:
        new = f"x{held[1:]}"
    run(f"UPDATE identities_auditevent SET {column} = %s WHERE id = %s", new, event.pk)
    return {event.seq}


def move_event(events: list[AuditEvent], dice: random.Random) -> set[int]:
    event = dice.choice(events)
    later = bulk.moment(clock.at(int(event.at.timestamp()) + dice.randrange(1, 10**6)))
    run("UPDATE identities_auditevent SET at = %s WHERE id = %s", later, event.pk)
    return {event.seq}


def renumber_event(events: list[AuditEvent], dice: random.Random) -> set[int]:
    event = dice.choice(events)
    run("UPDATE identities_auditevent SET seq = %s WHERE id = %s", event.seq + 1000, event.pk)
    return {event.seq, event.seq + 1000, EVENTS + 1}


def delete_event(events: list[AuditEvent], dice: random.Random) -> set[int]:
    event = dice.choice(events)
    if AuditTarget.objects.filter(event=event).exists():
        run("DELETE FROM identities_audittarget WHERE event_id = %s", event.pk)
    run("DELETE FROM identities_auditevent WHERE id = %s", event.pk)
    return {event.seq}


def swap_events(events: list[AuditEvent], dice: random.Random) -> set[int]:
    one, other = dice.sample(events, 2)
    for seq, pk in ((-1, one.pk), (one.seq, other.pk), (other.seq, one.pk)):
        run("UPDATE identities_auditevent SET seq = %s WHERE id = %s", seq, pk)
    return {one.seq, other.seq}


def one_target(dice: random.Random) -> AuditTarget:
    return dice.choice(list(AuditTarget.objects.order_by("pk")))


def edit_target(_: list[AuditEvent], dice: random.Random) -> set[int]:
    target, column = one_target(dice), dice.choice(TARGET_TEXTS)
    held = getattr(target, column)
    new = another(held, dice)[: AuditTarget._meta.get_field(column).max_length]
    run(f"UPDATE identities_audittarget SET {column} = %s WHERE id = %s", new, target.pk)
    return {target.seq}


def renumber_target(_: list[AuditEvent], dice: random.Random) -> set[int]:
    target = one_target(dice)
    run("UPDATE identities_audittarget SET seq = seq + 7 WHERE id = %s", target.pk)
    return {target.seq}


def delete_target(_: list[AuditEvent], dice: random.Random) -> set[int]:
    target = one_target(dice)
    run("DELETE FROM identities_audittarget WHERE id = %s", target.pk)
    return {target.seq}


def give_target(events: list[AuditEvent], dice: random.Random) -> set[int]:
    target = one_target(dice)
    to = dice.choice([event for event in events if event.pk != target.event_id])
    run("UPDATE identities_audittarget SET event_id = %s, seq = %s WHERE id = %s", to.pk, to.seq, target.pk)
    return {target.seq, to.seq}


def swap_targets(_: list[AuditEvent], dice: random.Random) -> set[int]:
    one = dice.choice([target for target in AuditTarget.objects.order_by("pk") if target.key[-1] == "b"])
    other = AuditTarget.objects.get(event=one.event_id, key=f"{one.key[:-1]}a")
    for target, becomes in ((one, other), (other, one)):
        run("UPDATE identities_audittarget SET key = %s WHERE id = %s", becomes.key, target.pk)
    return {one.seq}


def edit_head(events: list[AuditEvent], dice: random.Random) -> set[int]:
    column, new = dice.choice([("seq", 3), ("seq", 300), ("hash", "0" * 64), ("hash", "")])
    run(f"UPDATE identities_audithead SET {column} = %s", new)
    return {4} if new == 3 else {EVENTS + 1} if new == 300 else {EVENTS}


HANDS: tuple[Callable[[list[AuditEvent], random.Random], set[int]], ...] = (
    edit_event,
    edit_event,
    edit_event,
    move_event,
    renumber_event,
    delete_event,
    swap_events,
    edit_target,
    renumber_target,
    delete_target,
    give_target,
    swap_targets,
    edit_head,
)


def test_a_hundred_tamperings_are_found_and_the_row_is_named(chain: list[AuditEvent]) -> None:
    rows = {event.seq: event.pk for event in chain}
    for number in range(TAMPERINGS):
        dice = random.Random(number)
        hand = HANDS[number % len(HANDS)]
        with transaction.atomic():
            touched = hand(chain, dice)
            found = audit_checking.check().findings
            transaction.set_rollback(True)
        named = {one.seq for one in found}
        assert touched <= named, (number, hand.__name__, touched, found)
        assert named <= touched | {seq + 1 for seq in touched}, (number, hand.__name__, touched, found)
        there = {rows.get(seq % 1000) for seq in named}
        assert {one.row for one in found if one.row} <= there, (number, hand.__name__, touched, found)
    assert audit_checking.check().findings == ()


def tampered(statement: str, *given: object) -> tuple[Finding, ...]:
    run(statement, *given)
    return audit_checking.check().findings


def test_only_the_row_in_question_is_named(chain: list[AuditEvent]) -> None:
    found = tampered("UPDATE identities_auditevent SET summary = 'x' WHERE id = %s", chain[7].pk)
    assert found == (Finding(seq=8, row=chain[7].pk, text="changed: summary"),)


def test_a_rewritten_text_is_found_with_the_event_that_it_was_sealed_into(chain: list[AuditEvent]) -> None:
    said = json.loads(chain[4].canonical)
    assert said["changes"] == [["nats.limits.4", "1", "2 ü"]]
    said["changes"][0][2] = "3"
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    found = tampered("UPDATE identities_auditevent SET canonical = %s WHERE id = %s", text, chain[4].pk)
    assert [(one.seq, one.text) for one in found] == [(5, "changed: its seal does not fit its text")]


def test_missing_events_are_told_as_a_range(chain: list[AuditEvent]) -> None:
    run("DELETE FROM identities_audittarget WHERE seq IN (4, 5, 6)")
    found = tampered("DELETE FROM identities_auditevent WHERE seq IN (4, 5, 6)")
    assert found == (Finding(seq=4, row=None, text="missing: there is no event 4 to 6"),)


def test_an_end_that_was_cut_off_and_mended_is_found_by_a_seal_noted_elsewhere(
    chain: list[AuditEvent],
) -> None:
    noted = Head(chain[-1].seq, chain[-1].hash)
    run("DELETE FROM identities_audittarget WHERE event_id = %s", chain[-1].pk)
    run("DELETE FROM identities_auditevent WHERE id = %s", chain[-1].pk)
    AuditHead.objects.update(seq=chain[-2].seq, hash=chain[-2].hash)
    assert audit_checking.check().findings == ()
    found = audit_checking.check(noted=noted).findings
    assert [(one.seq, one.text) for one in found] == [
        (30, "missing: event 30 was noted elsewhere, and is not here any more")
    ]
    audit.record(make.COMMAND, Action.SIGN_OUT, [], "put in its place")
    found = audit_checking.check(noted=noted).findings
    assert [one.seq for one in found] == [30]
    assert "another seal than the one that was noted" in found[0].text


def test_events_of_the_first_version_still_fit(chain: list[AuditEvent]) -> None:
    """They name no version and hold no changes; their objects are in no order."""
    head = AuditHead.objects.get()
    said = {"seq": 31, "at": clock.now().isoformat(), "actor": "a", "actor_name": "b", "way": "page"}
    said |= {"address": "", "action": "user.edit", "summary": "did", "targets": [["user", "U", "u", "O"]]}
    canonical = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    with sealing() as seal:
        fields: dict[str, Any] = {name: value for name, value in said.items() if name != "targets"}
        fields["hash"] = seal(head.hash, canonical)
    old = AuditEvent.objects.create(prev=head.hash, canonical=canonical, key_id=KEY_ID, **fields)
    AuditTarget.objects.create(event=old, seq=31, kind="user", key="U", name="u", operator_key="O")
    AuditHead.objects.update(seq=31, hash=old.hash)
    assert audit_checking.check().findings == ()
    assert audit.changes_of(old.canonical) == ()
    AuditTarget.objects.filter(seq=31).update(name="x")
    assert [one.seq for one in audit_checking.check().findings] == [31]


def test_what_no_version_would_write_does_not_end_the_walk(chain: list[AuditEvent]) -> None:
    if connection.vendor == "postgresql":
        with pytest.raises(DataError), transaction.atomic():
            run("UPDATE identities_auditevent SET at = 'no time' WHERE seq = 5")
        return
    run("UPDATE identities_auditevent SET summary = CAST(x'ff00fe' AS TEXT) WHERE seq = 3")
    run("UPDATE identities_auditevent SET at = 'no time' WHERE seq = 5")
    run("UPDATE identities_auditevent SET canonical = x'7b7d' WHERE seq = 7")
    run("UPDATE identities_auditevent SET seq = 'nine' WHERE seq = 9")
    run("UPDATE identities_auditevent SET seq = -4 WHERE seq = 12")
    found = audit_checking.check().findings
    assert {one.seq for one in found} == {-4, 3, 5, 7, 9, 12, 31}
    assert {one.row for one in found if one.row} == {chain[n - 1].pk for n in (3, 5, 7, 9, 12)}


def test_long_changes_are_cut_and_very_many_are_counted() -> None:
    make.installation()
    told = [FieldChange(f"path {number}", "x" * 600, "") for number in range(103)]
    with transaction.atomic():
        event = audit.record(make.COMMAND, Action.USER_EDIT, [], "much", changes=told)
    kept = audit.changes_of(event.canonical)
    assert len(kept) == 101
    assert kept[0].before == "x" * 500 + "…"
    assert kept[-1].path == "… and 3 more"
    assert audit_checking.check().findings == ()


def test_an_edit_leaves_what_was_there_before_and_after() -> None:
    account = make.account(name="Alpha")
    make.export(account, "orders.>")
    event = AuditEvent.objects.order_by("-seq")[0]
    assert event.action == "export.edit"
    assert [one.path for one in audit.changes_of(event.canonical)] == ["nats.exports[orders.> stream]"]
