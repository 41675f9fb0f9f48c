"""What nats-servers since 2.9 and nats.go said when they refused, recorded from them, is understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from identities.formats import denials
from identities.formats.denials import Denial, Kind
from tests.goldens import GOLDEN

FOLDER = GOLDEN / "denials"
SERVERS = sorted(path.stem for path in FOLDER.glob("nats-server-*.json"))
CLIENTS = sorted(path.stem for path in FOLDER.glob("nats.go-*.json"))
SUBJECTS: dict[str, tuple[Kind, str, str]] = {
    "publish": (Kind.PUBLISH, "No.subject", ""),
    "subscribe": (Kind.SUBSCRIBE, "No.subject", ""),
    "queue": (Kind.SUBSCRIBE, "No.>", "group"),
    "reply": (Kind.REPLY, "_R_.x", ""),
    "jetstream": (Kind.PUBLISH, "$JS.API.STREAM.INFO.x", ""),
    "answer unasked": (Kind.PUBLISH, "r.1", ""),
}
ENDS = {
    "subscriptions": Kind.SUBSCRIPTIONS,
    "payload": Kind.PAYLOAD,
    "connections": Kind.CONNECTIONS,
    "expired": Kind.EXPIRED,
}
LOGINS = {
    "login expired": Kind.EXPIRED,
    "login stranger": Kind.ISSUER,
    "login network": Kind.SOURCE,
    "login hours": Kind.HOURS,
    "login kind": Kind.CONNECTION_TYPE,
    "login bearer": Kind.BEARER,
    "login revoked": Kind.REVOKED,
    "login seed": Kind.SIGNATURE,
}
OFF, MISSING, NOBODY = Kind.JETSTREAM_OFF, Kind.JETSTREAM_MISSING, Kind.NO_RESPONDERS
NOT_KNOWN = {"EOF"}
"""A connection that ended says nothing of why, and nothing is made of it."""
GO: dict[str, tuple[Kind, ...]] = {
    "connect": (Kind.AUTHORIZATION,),
    "request nobody": (NOBODY,),
    "request denied": (Kind.TIMEOUT,),
    "context: request denied": (Kind.TIMEOUT,),
    "account info: legacy jetstream": (OFF,),
    "account info: jetstream": (OFF,),
    **{
        f"{what}: {api}": (NOBODY, MISSING)
        for api in ("legacy jetstream", "jetstream")
        for what in ("stream info", "stream", "consumer", "bucket", "objects")
    },
    "publish: legacy jetstream": (Kind.TIMEOUT,),
    "publish: jetstream": (Kind.TIMEOUT,),
    "create: jetstream": (Kind.TIMEOUT,),
    "handler: jetstream": (Kind.PUBLISH,),
    "handler: request denied": (Kind.PUBLISH,),
    "closed: end": (Kind.PUBLISH,),
    **{f"{way}: {what}": (kind,) for way in ("handler", "last", "closed") for what, kind in ENDS.items()},
    "payload": (Kind.PAYLOAD,),
}
"""What each text of nats.go is about; its words for subjects are those of `SUBJECTS`."""


def recorded(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def told(denial: Denial) -> tuple[Kind, str, str]:
    return denial.kind, denial.subject, denial.queue


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_s_words_are_understood_at_the_client_and_in_its_log(name: str) -> None:
    entries = {entry["what"]: entry for entry in recorded(name)}
    assert set(entries) == {*SUBJECTS, *ENDS, *LOGINS}
    for what, wanted in SUBJECTS.items():
        assert [told(one) for one in denials.parse("\n".join(entries[what]["client"]))] == [wanted], what
        if what != "answer unasked":
            (in_log,) = denials.parse("\n".join(entries[what]["log"]))
            assert told(in_log) == wanted, what
            assert in_log.user.startswith("U"), what
    for what, kind in ENDS.items():
        assert [one.kind for one in denials.parse("\n".join(entries[what]["client"]))] == [kind], what
    for what, kind in LOGINS.items():
        (at_client,) = denials.parse("\n".join(entries[what]["client"]))
        assert at_client.kind is Kind.AUTHORIZATION, what
        assert kind in {one.kind for one in denials.parse("\n".join(entries[what]["log"]))}, what


@pytest.mark.parametrize("name", CLIENTS)
def test_the_words_of_nats_go_are_understood(name: str) -> None:
    entries = recorded(name)
    for entry in entries:
        what, text = entry["what"], entry["text"]
        if text in NOT_KNOWN:
            assert denials.parse(text) == (), what
            continue
        (found,) = denials.parse(text)
        subject = what.partition(": ")[2]
        if what in GO:
            assert found.kind in GO[what], (what, text)
        else:
            assert told(found) == SUBJECTS[subject], (what, text)
        assert not found.small, "nats.go leaves a subject's capitals"
    kinds = {one.kind for entry in entries for one in denials.parse(entry["text"])}
    assert {
        *(Kind.PUBLISH, Kind.SUBSCRIBE, Kind.REPLY, Kind.AUTHORIZATION, Kind.EXPIRED),
        *(Kind.SUBSCRIPTIONS, Kind.PAYLOAD, NOBODY, Kind.TIMEOUT, OFF, MISSING),
    } <= kinds


def test_every_minor_version_since_2_9_is_recorded() -> None:
    recordings = {name.removeprefix("nats-server-").rpartition(".")[0] for name in SERVERS}
    assert recordings >= {"2.9", "2.10", "2.11", "2.12", "2.14", "2.15"}  # there is no 2.13
    assert CLIENTS
