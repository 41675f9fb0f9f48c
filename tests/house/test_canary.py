"""No seed, no bearer user's JWT and no master key leaves by anything but the download that is made for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.core.management import call_command
from django.urls import reverse

from identities.models import Job, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.policy.routes import ROUTES, Access
from identities.services import accounts, client_tests, configs, creds, inspection, secrets, users
from identities.views import proving
from nscweb import health
from tests import make, natsserver
from tests.e2e import sample, starts
from tests.house import canary, story
from tests.house.canary import Answer, Songs, WatchedClient
from tests.pages import Visitor

pytestmark = pytest.mark.django_db(transaction=True)
PACKED = {"POST operator-store", "POST account-creds"}
"""They hand out the secrets of many at once: first without keys, then three times with them."""


@pytest.fixture
def songs(monkeypatch: pytest.MonkeyPatch) -> Songs:
    return canary.hear_of_everything(monkeypatch)


@pytest.fixture
def ann(songs: Songs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[story.Story]:
    make.installation()
    monkeypatch.setattr(proving, "FRESH_SECONDS", 24 * 3600)  # the walk is long, and asked nowhere who it is
    stable = natsserver.Stable(tmp_path)
    yield story.Story(stable, tmp_path)
    stable.stop()


@pytest.mark.server
@pytest.mark.slow
def test_a_secret_leaves_by_its_download_and_by_nothing_else(
    songs: Songs, ann: story.Story, capfd: pytest.CaptureFixture[str]
) -> None:
    for password in (make.PASSWORD, story.NEW_PASSWORD):
        songs.learn(password.encode(), f"password {password}")
    with canary.listening() as lines:
        ann.become_administrator()
        ann.make_everything()
        files = ann.hand_out()
        ann.keep_keys()
        ann.take_along()
        ann.inspect(files)
        ann.try_clients()
        ann.sign_in_and_out()
        visited = look_around(ann)
        ann.delete()
        for _ in ann.walk(ann.ann, "/", reverse("activity")):
            pass

    pages = {name for name, row in ROUTES.items() if row.access is Access.SESSION} - story.NO_PAGES
    assert visited >= pages, f"nobody looked at {pages - visited}"
    assert len(ann.pasted) > 200
    assert sorted(set(ann.taken)) == []
    assert not canary.open_everything(songs), "the canary does not know these"
    assert songs.heard_in(ann.cookie.encode()) == {canary.SESSION}
    assert ann.ann.open("/").status == 200, "that session is alive"

    only_the_downloads(songs, ann.answers)
    songs.learn(ann.token.encode(), "one-time link")  # which its own page held
    for name, written in lines.items():  # "bare" too: nothing had to be cut out
        assert len(written.getvalue()) > 10_000
        assert not songs.heard_in(written.getvalue().encode()), f"log, {name}"
    assert not songs.heard_in("".join(capfd.readouterr()).encode())
    nothing_in_the_database(songs)


def look_around(ann: story.Story) -> set[str]:
    """Every page as administrator, pasting seeds into it, as viewer, and as nobody; the names of the routes."""
    visited, places = set(), (*ann.starts(), *starts.everywhere(sample.fill()))
    for name, page in ann.walk(ann.ann, *places):
        visited.add(name)
        ann.paste_everywhere(ann.ann, name, page)
    viewer, nobody = ann.stranger(), ann.stranger()
    viewer.client.force_login(make.person(Role.VIEWER))
    for _ in ann.walk(viewer, *places):
        pass
    ann.paste_everywhere(nobody, "account_login", nobody.open(reverse("account_login")))
    user = User.objects.get(name="plain")
    for name, row in ROUTES.items():
        if row.access is Access.PUBLIC and name != "account_inactive":
            for key in (user.account.public_key, ann.paste()):
                nobody.open(story.public_address(name, user, key))
    return visited


def only_the_downloads(songs: Songs, answers: list[Answer]) -> None:
    """Each creds file holds its own seed (and a bearer's JWT), each bearer's JWT file its JWT, no other answer any."""
    found = canary.heard(songs, answers)
    assert set(found) == {"POST user-creds", "POST user-jwt", "POST key-export", *PACKED}
    with_secret = [answer for answer in answers if answer.request in found and answer.status == 200]
    packed = [
        answer for answer in with_secret if answer.request in PACKED and "attachment" in str(answer.headers)
    ]
    assert [bool(songs.heard_in(answer.content)) for answer in packed[:4]] == [False, True, True, True]
    assert not any(songs.heard_in(answer.content) for answer in packed[4:])
    assert all("no-store" in answer.headers["Cache-Control"] for answer in packed)
    with_secret = [answer for answer in with_secret if answer.request not in PACKED]
    bearers = 0
    for answer in with_secret:
        names = songs.heard_in(answer.content)
        assert names == songs.heard_in(answer.everything)
        assert len({name.split()[-1] for name in names}) == 1, names  # all of one user
        bearer = {name for name in names if name.startswith("bearer")}
        assert names - bearer or answer.request == "POST user-jwt"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert "no-store" in answer.headers["Cache-Control"]
        bearers += bool(bearer)
    assert (len(with_secret), bearers) == (8, 4), (
        "five creds, two of them bearers', these two's JWTs, and a seed"
    )


def nothing_in_the_database(songs: Songs) -> None:
    """Neither in rows nor in the bytes of the files; and that these are read is seen by what is no secret."""
    seen = set()
    for name, held in canary.database():
        assert not songs.heard_in(held), name
        seen |= {name} if b"Orders of the shop." in held else set()
    assert "identities_account" in seen
    assert seen & {name for name, _ in canary.files()}, "the raw files are not those of this database"


SEED = KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode()
FAULTS: dict[str, tuple[Any, str]] = {
    "account-create": (accounts, "create"),
    "account-edit": (accounts, "update"),
    "user-create": (users, "create"),
    "user-creds": (creds, "creds_file"),
    "operator-config": (configs, "write"),
    "inspector": (inspection, "inspect"),
}


def faulty(*args: Any, **kwargs: Any) -> Any:
    """Fails with a seed in hand, in the error, in its cause, and in the names around it."""
    seed = SEED
    try:
        raise ValueError({"seed": seed})
    except ValueError as cause:
        raise RuntimeError(f"can't use {seed}") from cause


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_shows_no_secret_in_its_page_or_in_the_log(
    songs: Songs, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.learn_seed(SEED.encode(), "the seed")
    user = make.user(make.account(make.operator("Main"), "Orders"), "plain")
    answers: list[Answer] = []
    visitor = Visitor(WatchedClient(answers))
    visitor.client.force_login(make.person())
    monkeypatch.setattr(*FAULTS[name], faulty)
    with canary.listening() as lines:
        typed = {"name": "x", "text": "a.b.c", "version": "1"}
        send = visitor.client.get if name == "operator-config" else visitor.client.post
        answer = send(story.some_address(name, user), typed)
    assert answer.status_code == 500
    assert not canary.heard(songs, answers)
    only_cut_out(songs, lines)


def test_a_fault_of_the_worker_leaves_no_secret_in_its_job_or_in_the_log(
    songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.learn_seed(SEED.encode(), "the seed")
    wish = client_tests.Wish(trial=client_tests.Trial.RTT, url="nats://localhost:4222")
    client_tests.start(principal=make.COMMAND, user=make.user(), wish=wish)
    monkeypatch.setattr("identities.resolver.client.run", faulty)
    with canary.listening() as lines:
        call_command("worker", "--once")
    assert Job.objects.get().state == "failed"
    only_cut_out(songs, lines)
    for name, held in canary.database():
        assert not songs.heard_in(held), name


LOGGED: dict[str, Callable[[], object]] = {
    "structlog": lambda: structlog.get_logger("a").warning("b", seed=SEED, held=[{"seed": SEED.encode()}]),
    "structlog, the event": lambda: structlog.get_logger("a").error(f"b {SEED.lower()} {SEED}"),
    "an argument": lambda: logging.getLogger("library").error("used %s", SEED),
    "an extra": lambda: logging.getLogger("library").error("used", extra={"key": SEED}),
    "a warning": lambda: logging.getLogger("py.warnings").warning("%s", f"UserWarning: do not use {SEED}"),
    "the stack": lambda: logging.getLogger("library").error("used", stack_info=bool(SEED)),
}


@pytest.mark.parametrize("way", sorted(LOGGED))
def test_whatever_is_logged_by_whomever_is_written_without_its_secret(songs: Songs, way: str) -> None:
    songs.learn_seed(SEED.encode(), "the seed")
    with canary.listening() as lines:
        LOGGED[way]()
    only_cut_out(songs, lines, held=way != "the stack")


def only_cut_out(songs: Songs, lines: dict[str, Any], *, held: bool = True) -> None:
    """What is written holds no secret, and would have held one."""
    for name in canary.FORMATS:
        assert not songs.heard_in(lines[name].getvalue().encode()), name
        assert "[redacted]" in lines[name].getvalue() or not held
    assert songs.heard_in(lines["bare"].getvalue().encode()) or not held


@pytest.mark.parametrize(
    "given", ["other:{}", "{}", "other:{}=", "tests:{}", "other:{},tests:{}", "\u00e9:{}"]
)
def test_a_sealed_installation_shows_nothing_of_its_master_key(
    songs: Songs, settings: Any, given: str
) -> None:
    make.installation()
    wrong = "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb28="
    songs.learn(b"other-other-other-other-other-oo", "another master key")
    settings.NSCWEB_MASTER_KEY = given.format(wrong, wrong)
    secrets.forget()
    health.forget()
    answers: list[Answer] = []
    with canary.listening() as lines:
        for address in ("/", "/readyz", "/account/login/"):
            assert WatchedClient(answers).get(address).status_code == 503
    assert not canary.heard(songs, answers)
    for name, written in lines.items():
        assert not songs.heard_in(written.getvalue().encode()), name
