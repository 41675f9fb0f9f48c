"""Twenty people edit one account at once, through the web server as `make run` starts it: no edit is lost, none fails,
and whoever was overtaken is told.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.models import Account, IssuedToken
from identities.services import audit
from nscweb.serve import web_command
from tests import make, natsserver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ROOT = Path(__file__).parents[2]
EDITORS = 20
_FIELD = re.compile(r'<input type="hidden" name="(csrfmiddlewaretoken|version)" value="([^"]*)"')
_TEXT = re.compile(r'<textarea[^>]*name="description"[^>]*>\s*([^<]*)</textarea>')
HURRIED = """
from nscweb.wsgi import application
from identities.services import signing

signing.MOST_AHEAD = 86_400
"""
"""The same server, in which one account may be signed more than once a second for as long as the test takes."""


@dataclass
class Editor:
    """Somebody with a session who reads the number in the account's description and saves the next one."""

    name: str
    session: str
    url: str
    port: int
    csrf: str = ""
    answers: Counter[int] = field(default_factory=Counter)
    saved: list[int] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def edit_until(self, deadline: float) -> None:
        """Read, save, and when overtaken read again."""
        server = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            while time.monotonic() < deadline:
                self._edit(server)
        except Exception as error:  # noqa: BLE001  the test looks at it
            self.broken.append(repr(error))
        finally:
            server.close()

    def _edit(self, server: http.client.HTTPConnection) -> None:
        status, page = self._ask(server, "GET")
        if status != 200:
            self.broken.append(f"{status} to GET")
            return
        hidden = dict(_FIELD.findall(page))
        text = _TEXT.search(page)
        assert text is not None
        number = int(unescape(text[1]).split()[0]) + 1
        body = {**hidden, "name": "Shared", "description": f"{number} by {self.name}"}
        status, page = self._ask(server, "POST", urlencode(body))
        self.answers[status] += 1
        if status == 302:
            self.saved.append(number)
        elif status == 409 and "meanwhile" not in page:
            self.untold.append(page[:200])

    def _ask(self, server: http.client.HTTPConnection, method: str, body: str = "") -> tuple[int, str]:
        cookies = f"{settings.SESSION_COOKIE_NAME}={self.session}"
        if self.csrf:
            cookies += f"; {settings.CSRF_COOKIE_NAME}={self.csrf}"
        headers = {
            "Cookie": cookies,
            "Origin": f"http://localhost:{self.port}",
            "Host": f"localhost:{self.port}",
        }
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        server.request(method, self.url, body or None, headers)
        answer = server.getresponse()
        page = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            found = re.match(rf"{settings.CSRF_COOKIE_NAME}=([^;]+)", cookie)
            if found:
                self.csrf = found[1]
        return answer.status, page


def database_url() -> str:
    """The test's own database, as DATABASE_URL."""
    held = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{held['NAME']}"
    return (
        f"postgres://{held['USER']}@{quote(str(held['HOST']), safe='')}:{held['PORT'] or ''}/{held['NAME']}"
    )


@contextmanager
def web_server(folder: Path, *, hurried: bool) -> Iterator[int]:
    """Granian over the test's database, on a free port."""
    port = natsserver.free_port()
    command = web_command("127.0.0.1", port)
    (folder / "hurried.py").write_text(HURRIED)
    if hurried:
        command[-1] = "hurried:application"
    metrics = folder / "metrics"
    metrics.mkdir()
    environ = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "NSCWEB_URL": f"http://localhost:{port}",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
    }
    log = (folder / "web.log").open("w")
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        natsserver.eventually(lambda: _answers(port), "the web server", 60)
        yield port
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _answers(port: int) -> bool:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        server.request("GET", "/livez", headers={"Host": f"localhost:{port}"})
        return server.getresponse().status == 200
    except OSError:
        return False
    finally:
        server.close()


def session_of(name: str) -> str:
    client = Client()
    client.force_login(make.person(username=name))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.mark.parametrize("hurried", [True, False], ids=["as fast as it goes", "as delivered"])
def test_twenty_people_edit_one_account_and_no_edit_is_lost(
    tmp_path: Path, full: bool, hurried: bool
) -> None:
    seconds = 30 if full else 3
    account = make.account(make.operator("Main"), "Shared", description="0 by nobody")
    url = reverse("account-edit", args=[account.operator.public_key, account.public_key])
    sessions = {f"editor-{number}": session_of(f"editor-{number}") for number in range(EDITORS)}
    with web_server(tmp_path, hurried=hurried) as port:
        editors = [Editor(name, session, url, port) for name, session in sessions.items()]
        deadline = time.monotonic() + seconds
        threads = [threading.Thread(target=each.edit_until, args=(deadline,)) for each in editors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 90)
    answers = sum((each.answers for each in editors), Counter[int]())
    assert [each.broken for each in editors if each.broken] == []
    assert [each.untold for each in editors if each.untold] == []
    refusals = {302, 409} if hurried else {302, 409, 422}  # 422: signed several times within seconds
    assert set(answers) <= refusals, (answers, (tmp_path / "web.log").read_text()[-2000:])
    saved = sorted(number for each in editors for number in each.saved)
    assert saved == list(range(1, len(saved) + 1)), "two saved over each other"
    assert len(saved) == answers[302] >= 2
    assert answers[409] >= 1
    tokens = IssuedToken.objects.filter(subject=account.public_key).order_by("iat", "pk")
    kept = [codec.decode(token.text).claims.nats.description for token in tokens]
    by = {number: each.name for each in editors for number in each.saved}
    assert kept == ["0 by nobody", *(f"{number} by {by[number]}" for number in saved)]
    row = Account.objects.get(pk=account.pk)
    assert row.version == len(saved) + 1
    assert audit.first_broken() is None
    print(f"{connection.vendor}, {seconds} s: {len(saved)} saved, {dict(answers)}")
