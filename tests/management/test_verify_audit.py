"""`manage.py verify_audit`: its words, its exit codes, and the end that is noted elsewhere."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from identities.models import AuditEvent, AuditHead, AuditTarget, append_only
from identities.services import secrets
from tests import make

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_whole_chain_is_told_with_its_last_seal() -> None:
    make.operator()
    head = AuditHead.objects.get()
    code, told = run()
    assert code == 0
    assert told == f"Every event fits the one before: {head.seq} events, last seal {head.hash}\n"


def test_a_changed_row_is_named_and_the_exit_code_says_so() -> None:
    make.operator("Acme")
    append_only.remove(connection)
    event = AuditEvent.objects.get(action="operator.create")
    AuditEvent.objects.filter(pk=event.pk).update(actor_name="somebody else")
    code, told = run()
    assert code == 1
    assert told.splitlines()[0] == f"event {event.seq} (row {event.pk}): changed: actor_name"
    code, told = run("--json")
    assert code == 1
    assert json.loads(told)["findings"] == [
        {"seq": event.seq, "row": event.pk, "text": "changed: actor_name"}
    ]


def test_a_cut_off_end_is_found_by_what_was_noted(tmp_path: Path) -> None:
    make.operator()
    make.operator()
    note = tmp_path / "head.json"
    assert run("--note-head", str(note))[0] == 0
    assert run("--head", str(note))[0] == 0
    last, before = AuditEvent.objects.order_by("-seq")[:2]
    append_only.remove(connection)
    AuditTarget.objects.filter(event=last).delete()
    last.delete()
    AuditHead.objects.update(seq=before.seq, hash=before.hash)
    assert run()[0] == 0
    code, told = run("--head", str(note))
    assert code == 1
    assert f"event {before.seq + 1}: missing" in told


@pytest.mark.parametrize("text", ["", "[]", '{"seq": "1", "hash": ""}', "{}"])
def test_a_file_that_holds_no_end_is_refused(tmp_path: Path, text: str) -> None:
    make.installation()
    note = tmp_path / "head.json"
    note.write_text(text)
    with pytest.raises(CommandError, match="no noted end") as refused:
        run("--head", str(note))
    assert refused.value.returncode == 2


def test_without_the_master_key_it_says_that_it_cant_tell(settings: Any) -> None:
    make.operator()
    settings.NSCWEB_MASTER_KEY = "other:" + "b3RoZXIxMjNvdGhlcjEyM290aGVyMTIzb3RoZXIxMjM="
    secrets.forget()
    with pytest.raises(CommandError, match="does not fit") as refused:
        run()
    assert refused.value.returncode == 2
