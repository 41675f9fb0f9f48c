"""Listens for secrets: knows each in every form it may take, looks for it in answers, log lines and the database."""

from __future__ import annotations

import base64
import io
import logging
import pickle
import re
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from copy import deepcopy
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from identities.models import IssuedToken, Key
from identities.nkeys import KeyPair, SecretBytes
from identities.services import secrets, signing
from identities.vault import envelope
from nscweb import logging as nscweb_logging
from nscweb.session_store import SessionStore

FORMATS = ("json", "console")
ENOUGH = 24
SESSION = "secret of a session"
_RUN = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % ENOUGH)


@dataclass
class Songs:
    """Every secret that was heard of, by each form it may take. Of a text its first `ENOUGH` characters give it away.

    `anyhow` holds texts in upper case, which are found however they are written.
    """

    raw: dict[bytes, str] = field(default_factory=dict)
    exact: dict[bytes, str] = field(default_factory=dict)
    anyhow: dict[bytes, str] = field(default_factory=dict)

    def learn(self, secret: bytes, name: str) -> None:
        """Bytes, which may stand as they are, in hexadecimal digits, or within base64 at any place."""
        self.raw[secret] = name
        self.anyhow[secret.hex().upper().encode()[:ENOUGH]] = name
        for place in range(3):
            inner = base64.b64encode(b"\0" * place + secret)[(0, 2, 3)[place] :][:ENOUGH]
            self.exact[inner] = self.exact[inner.replace(b"+", b"-").replace(b"/", b"_")] = name

    def learn_seed(self, seed: bytes, name: str) -> None:
        """A seed: its letters, these in base64, and its 32 bytes."""
        self.anyhow[seed[:ENOUGH]] = name
        for place in range(3):
            self.exact[base64.b64encode(b"\0" * place + seed)[(0, 2, 3)[place] :][:ENOUGH]] = name
        self.learn(base64.b32decode(seed + b"=" * (-len(seed) % 8))[2:34], name)

    def learn_jwt(self, jwt: bytes, name: str) -> None:
        """A JWT that logs in alone, by its signature: what it says is no secret, and stands on the pages."""
        signature = jwt.rpartition(b".")[2]
        self.exact[signature[:ENOUGH]] = name
        self.learn(base64.urlsafe_b64decode(signature + b"=="), name)

    def learn_session(self, secret: str) -> None:
        """What a browser holds of its session: its letters, and the bytes that they stand for."""
        self.exact[secret[:ENOUGH].encode()] = SESSION
        self.learn(secret.encode(), SESSION)
        self.learn(base64.urlsafe_b64decode(secret + "="), SESSION)

    def knows(self, text: bytes) -> bool:
        """Whether this seed or JWT was heard of."""
        return text[:ENOUGH] in self.anyhow or text.rpartition(b".")[2][:ENOUGH] in self.exact

    def heard_in(self, text: bytes) -> set[str]:
        """The names of the secrets that `text` holds."""
        binary = not _is_text(text)  # what is text holds no bytes that are none
        found = {name for secret, name in self.raw.items() if (binary or _is_text(secret)) and secret in text}
        for run in _RUN.findall(text):
            upper = run.upper()
            for start in range(len(run) - ENOUGH + 1):
                end = start + ENOUGH
                name = self.exact.get(run[start:end]) or self.anyhow.get(upper[start:end])
                if name is not None:
                    found.add(name)
        return found


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass
class Answer:
    """What came back for one request: everything that left the server."""

    request: str
    status: int
    content: bytes
    headers: dict[str, str]

    @property
    def everything(self) -> bytes:
        """Headers, cookies and content."""
        return f"{self.status} {self.headers}".encode() + b"\n" + self.content


class WatchedClient(Client):
    """A browser whose every answer is kept; a fault of the server is an answer like any other."""

    answers: list[Answer]

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(raise_request_exception=False)
        self.answers = answers

    def request(self, **request: Any) -> Any:
        """Ask, and keep what came."""
        response = super().request(**request)
        headers = {**response.headers, "Set-Cookie": _without_session(response.cookies)}
        match = response.wsgi_request.resolver_match
        what = f"{request['REQUEST_METHOD']} {match.view_name if match else 'nowhere'}"
        content = response.getvalue() if response.streaming else response.content
        if response.get("Content-Type") == "application/zip":
            content = _unpacked(content)
        self.answers.append(Answer(what, response.status_code, content, headers))
        return response


def _without_session(cookies: SimpleCookie) -> str:
    """Cookies as they are sent, but for the session's own secret, which may go this way and no other."""
    sent = deepcopy(cookies)
    if settings.SESSION_COOKIE_NAME in sent:
        sent[settings.SESSION_COOKIE_NAME] = "its own"
    return sent.output()


def _unpacked(data: bytes) -> bytes:
    """All that a zip file holds: packed, no secret would be heard in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"\n".join(name.encode() + b"\n" + archive.read(name) for name in archive.namelist())


def heard(songs: Songs, answers: list[Answer]) -> dict[str, set[str]]:
    """Which kinds of requests were answered with which secrets; first all answers are looked at as one text."""
    found: dict[str, set[str]] = {}
    if songs.heard_in(b"\n".join(answer.everything for answer in answers)):
        for answer in answers:
            if names := songs.heard_in(answer.everything):
                found.setdefault(answer.request, set()).update(names)
    return found


def hear_of_everything(monkeypatch: pytest.MonkeyPatch) -> Songs:
    """Every key and session that is made and everything that is sealed from now on, and the installation's keys."""
    songs = Songs()
    create, seal, draw = KeyPair.create, envelope.seal, SessionStore._get_new_session_key

    def heard_create(cls: type[KeyPair], kind: Any) -> KeyPair:
        pair = create(kind)
        songs.learn_seed(pair.seed().reveal(), f"seed of {kind} {pair.public.text[:8]}")
        return pair

    def heard_seal(ring: Any, plain: SecretBytes, *, table: str, public_key: str, purpose: str) -> bytes:
        if purpose == "bearer":
            songs.learn_jwt(plain.reveal(), f"bearer JWT of {public_key[:8]}")
        elif purpose == "audit":
            songs.learn(plain.reveal(), "key of the audit chain")
        return seal(ring, plain, table=table, public_key=public_key, purpose=purpose)

    def heard_draw(store: SessionStore) -> str:
        session_key = draw(store)
        songs.learn_session(store.secret)
        return session_key

    monkeypatch.setattr(SessionStore, "_get_new_session_key", heard_draw)
    monkeypatch.setattr(KeyPair, "create", classmethod(heard_create))
    monkeypatch.setattr(envelope, "seal", heard_seal)
    songs.learn(base64.b64decode(settings.NSCWEB_MASTER_KEY.partition(":")[2]), "master key")
    songs.learn(settings.SECRET_KEY.encode(), "Django's key")
    return songs


def open_everything(songs: Songs) -> set[str]:
    """Open every seed and bearer JWT that the database holds; the names of those that nobody had heard of."""
    unknown = set()
    for key in Key.objects.exclude(sealed=None):
        with secrets.opened(
            key.sealed or b"", table="key", public_key=key.public_key, purpose="seed"
        ) as seed:
            unknown |= set() if songs.knows(seed.reveal()) else {key.public_key}
    for token in IssuedToken.objects.exclude(sealed=None):
        with signing.token_text(token) as text:
            unknown |= set() if songs.knows(text.encode()) else {token.subject}
    return unknown


@contextmanager
def listening() -> Iterator[dict[str, io.StringIO]]:
    """All log lines in both renderings, and under "bare" what would be written if nothing were cut out."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    lines = {name: io.StringIO() for name in (*FORMATS, "bare")}
    templates = logging.getLogger("django.template")
    try:
        templates.setLevel("INFO")  # at DEBUG every variable that is not there is a page of text
        for name in FORMATS:
            with redirect_stderr(lines[name]):
                nscweb_logging.configure(log_format=name, level="DEBUG")
            root.handlers[-1].name = f"canary {name}"  # so that the next one does not take its place
        bare = logging.StreamHandler(lines["bare"])
        bare.setFormatter(_Bare())
        root.addHandler(bare)
        yield lines
    finally:
        templates.setLevel("NOTSET")
        for handler in [each for each in root.handlers if each not in before]:
            root.removeHandler(handler)
        nscweb_logging.configure(log_format="console", level=logging.getLevelName(level))


class _Bare(logging.Formatter):
    """A line with all that came along with it."""

    def format(self, record: logging.LogRecord) -> str:
        extras = {name: value for name, value in vars(record).items() if isinstance(value, str)}
        return f"{super().format(record)} {extras}"


def database() -> Iterator[tuple[str, bytes]]:
    """The whole database: each table as its columns hold it, sessions and cache unpacked, and the raw files."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            rows = cursor.fetchall()
            yield table, b"\n".join(_bytes(value) for row in rows for value in row)
        cursor.execute("SELECT value FROM nscweb_cache WHERE value <> ''")
        for (value,) in cursor.fetchall():
            yield "nscweb_cache, unpacked", repr(pickle.loads(base64.b64decode(value))).encode()
    for session in Session.objects.all():
        yield "django_session, unpacked", repr(session.get_decoded()).encode()
    yield from files()


def files() -> Iterator[tuple[str, bytes]]:
    """The bytes that the database has written: SQLite's file with its journals, or PostgreSQL's directory.

    SQLite's are read by another process: closing them here would let go of the locks that this one's connections hold.
    """
    if connection.vendor == "sqlite":
        name = Path(str(connection.settings_dict["NAME"]))
        for path in sorted(name.parent.glob(f"{name.name}*")):
            yield path.name, subprocess.run(["cat", str(path)], stdout=subprocess.PIPE, check=True).stdout
        return
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute(
            "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
        )
        directory, oid = cursor.fetchone()
    for folder in (Path(directory) / "base" / str(oid), Path(directory) / "pg_wal"):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file():
                yield f"{folder.name}/{path.name}", path.read_bytes()


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
