from __future__ import annotations

import json
import logging

import pytest
from django.urls import reverse

from identities.policy.principal import Role
from nscweb import logging as nscweb_logging
from tests import make

SEED = "SU" + "A" * 56
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJBQUFBIn0.c2lnbmF0dXJl"
CREDS = f"-----BEGIN NATS USER JWT-----\n{JWT}\n------END NATS USER JWT------\n"


@pytest.mark.parametrize(
    "secret",
    [
        SEED,
        SEED.lower(),
        SEED[:50],
        SEED[:50].lower(),
        JWT,
        JWT[:40],
        "P" + "B" * 107,
        CREDS,
        "-----BEGIN PRIVATE KEY-----\nabc",
    ],
)
def test_a_secret_is_cut_out_of_text(secret: str) -> None:
    redacted = nscweb_logging.redact(f"before {secret} after")
    assert secret not in redacted
    assert redacted.startswith("before [redacted]")


def test_a_public_key_stays_readable() -> None:
    key = "ACJ5" + "A" * 48 + "Q3LM"
    assert nscweb_logging.redact(key) == key


def test_tracebacks_of_the_standard_library_are_redacted_and_json_stays_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nscweb_logging.configure(log_format="json", level="INFO")
    try:
        try:
            raise ValueError(f"bad value {SEED} in {CREDS}")
        except ValueError:
            logging.getLogger("some.library").exception("failed with %s", JWT, extra={"seed": SEED})
    finally:
        nscweb_logging.configure(log_format="console", level="WARNING")
    line = capsys.readouterr().err.strip()
    assert SEED not in line
    assert "eyJ" not in line
    event = json.loads(line)
    assert event["event"] == "failed with [redacted]"
    assert "ValueError" in event["exception"]


@pytest.mark.django_db
def test_a_refusal_is_one_line_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    account = make.account()
    visitor = make.client(Role.USER_MANAGER, account=account)
    refused = visitor.get(reverse("operator-config", args=[account.operator.public_key]))
    assert refused.status_code == 403
    (line,) = [record for record in caplog.records if record.name == "django.request"]
    assert line.getMessage() == "Forbidden (Permission denied): /operators/<key:operator_key>/config"
    assert line.exc_info is None
    assert "Traceback" not in caplog.text
