from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nscweb import checks, configuration, keyfile, private, sqlite

ROOT = Path(__file__).parents[2]


def _settings(tmp_path: Path, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("NSCWEB_", "DATABASE_"))
    }
    return subprocess.run(
        [sys.executable, "-c", f"from nscweb import settings as s; {code}"],
        cwd=ROOT,
        env={**kept, "NSCWEB_DATA_DIR": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_documentation_lists_exactly_the_settings_that_are_read() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([A-Z_]+)`", text, flags=re.MULTILINE)
    assert sorted(documented) == sorted(setting.name for setting in configuration.SETTINGS)


def test_the_documentation_tells_the_default_of_each_setting() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    for setting in configuration.SETTINGS:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{setting.name}`"))
        if setting.default:
            assert setting.default in row


def test_no_other_code_reads_an_nscweb_name() -> None:
    for path in [*ROOT.glob("nscweb/*.py"), *ROOT.glob("identities/**/*.py")]:
        for name in re.findall(r"environ[^\n]*?\"(NSCWEB_[A-Z_]+)\"", path.read_text(encoding="utf-8")):
            assert name in configuration.names(), f"{path}: {name}"


def test_an_unknown_name_is_reported_with_the_nearest_known_one() -> None:
    assert configuration.unknown_names({"NSCWEB_DATADIR": "x", "NSCWEB_URL": "y", "HOME": "z"}) == [
        "NSCWEB_DATADIR"
    ]
    assert configuration.unknown_name_message("NSCWEB_DATADIR").endswith("Did you mean NSCWEB_DATA_DIR?")


def test_an_unknown_name_is_printed_at_start_and_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _settings(tmp_path, "pass", NSCWEB_COLOUR="red")
    assert "NSCWEB_COLOUR is set" in done.stderr
    monkeypatch.setenv("NSCWEB_COLOUR", "red")
    assert [warning.id for warning in checks.unknown_environment_names(None)] == ["nscweb.W001"]


def test_the_newline_at_the_end_of_a_secret_file_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k1:abc\n", encoding="utf-8")
    assert configuration.read("NSCWEB_MASTER_KEY", {"NSCWEB_MASTER_KEY_FILE": str(path)}) == "k1:abc"


def test_the_installation_page_never_gets_a_secret(tmp_path: Path) -> None:
    environ = {
        "NSCWEB_SECRET_KEY": "hidden",
        "DATABASE_URL": "postgres://u:hidden@h/d",
        "NSCWEB_URL": "https://n.example",
    }
    rows = {row.name: row for row in configuration.rows(environ)}
    assert "hidden" not in repr(rows)
    assert rows["NSCWEB_URL"].value == "https://n.example"
    assert rows["NSCWEB_URL"].origin == "environment"
    assert rows["NSCWEB_SECRET_KEY"].value == "set"
    assert rows["PORT"].origin == "default"


def test_a_default_that_depends_on_other_settings_is_shown_as_it_comes_out() -> None:
    rows = {row.name: row for row in configuration.rows({"PORT": "8123", "NSCWEB_DATA_DIR": "/srv/n"})}
    assert rows["NSCWEB_URL"].value == "http://localhost:8123"
    assert rows["DATABASE_URL"].value == "sqlite:////srv/n/nscweb.sqlite3"


@pytest.mark.parametrize("text", ["maybe", "2"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NSCWEB_DEBUG"):
        configuration.flag("NSCWEB_DEBUG", {"NSCWEB_DEBUG": text})


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        configuration.integer("PORT", environ={"PORT": "eight"})
    with pytest.raises(ValueError, match="below 1"):
        configuration.integer("NSCWEB_WORKERS", minimum=1, environ={"NSCWEB_WORKERS": "0"})


def test_https_hardens_the_cookies(tmp_path: Path) -> None:
    code = (
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0)"
    )
    https = _settings(tmp_path, code, NSCWEB_URL="https://nscweb.example.com")
    assert https.stdout.split() == ["__Host-nscweb_session", "__Host-nscweb_csrf", "True", "True"]
    http = _settings(tmp_path, code)
    assert http.stdout.split() == ["nscweb_session", "nscweb_csrf", "False", "False"]


def test_plain_http_is_for_loopback_only(tmp_path: Path) -> None:
    done = _settings(tmp_path, "pass", NSCWEB_URL="http://nscweb.example.com")
    assert done.returncode != 0
    assert "plain http is accepted for a loopback name only" in done.stderr


def test_a_database_we_do_not_know_is_refused(tmp_path: Path) -> None:
    done = _settings(tmp_path, "pass", DATABASE_URL="mysql://u@h/d")
    assert done.returncode != 0
    assert "SQLite" in done.stderr


def test_the_secret_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    first = keyfile.read_or_create(tmp_path / "keys" / "secret.key")
    assert keyfile.read_or_create(tmp_path / "keys" / "secret.key") == first
    assert len(first) >= 64
    assert stat.S_IMODE((tmp_path / "keys" / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["secret.key"]


def test_the_database_and_the_keys_are_closed_also_where_the_directory_is_open(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    code = "import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'nscweb.settings'; "
    code += "django.setup(); from django.db import connection as c; x = c.cursor(); x.execute('CREATE TABLE t (a)'); "
    code += "print(*sorted(f'{p.name}:{p.stat().st_mode & 0o777:o}' for p in s.DATA_DIR.iterdir()))"
    for journal, beside in (("on", ("wal", "shm")), ("off", ("journal",))):
        data = tmp_path / journal
        data.mkdir(mode=0o755)
        done = _settings(data, code, NSCWEB_SQLITE_WAL=journal)
        assert done.returncode == 0, done.stderr
        modes = dict(each.split(":") for each in done.stdout.split())
        names = ["secret.key", "nscweb.sqlite3", *(f"nscweb.sqlite3-{each}" for each in beside)]
        assert modes == dict.fromkeys(names, "600")


def test_what_was_left_open_is_closed_at_the_next_start(tmp_path: Path) -> None:
    names = ("secret.key", "master.key", "nscweb.sqlite3", "nscweb.sqlite3-wal", "nscweb.sqlite3-journal")
    for name in names:
        (tmp_path / name).touch(mode=0o644)
        (tmp_path / name).chmod(0o644)
    (tmp_path / "secret.key").write_text("x" * 64)
    done = _settings(tmp_path, "pass")
    assert done.returncode == 0, done.stderr
    assert "open to others" not in done.stderr
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names} == {0o600}


def test_what_belongs_to_somebody_else_is_told_and_does_not_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(path)

    path = tmp_path / "theirs"
    path.touch()
    path.chmod(0o640)
    monkeypatch.setattr(Path, "chmod", refuse)
    assert private.close(path, tmp_path / "missing") == [path]


def test_a_database_in_memory_or_in_a_directory_that_is_missing_is_not_made(tmp_path: Path) -> None:
    assert private.database(":memory:") == []
    private.database(str(tmp_path / "missing" / "nscweb.sqlite3"))
    assert not list(tmp_path.iterdir())


def test_an_sqlite_library_with_the_wal_bug_gets_no_wal() -> None:
    assert sqlite.wal_refusal("auto", (3, 51, 3)) is None
    assert "WAL-reset bug" in str(sqlite.wal_refusal("auto", (3, 51, 2)))
    assert sqlite.wal_refusal("on", (3, 40, 1)) is None
    assert sqlite.wal_refusal("off", (3, 53, 4)) is not None
    with pytest.raises(ValueError, match="none of auto, on, off"):
        sqlite.wal_refusal("perhaps", (3, 53, 4))


def test_sqlite_runs_with_the_chosen_settings(tmp_path: Path) -> None:
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'nscweb.settings'; import django; django.setup(); "
        "from django.db import connection as c; x = c.cursor(); "
        "print(*[x.execute('PRAGMA ' + p).fetchone()[0] for p in "
        "('journal_mode', 'synchronous', 'foreign_keys', 'cache_size', 'trusted_schema')])"
    )
    assert _settings(tmp_path, code).stdout.split() == ["wal", "2", "1", "-20000", "0"]
    assert _settings(tmp_path, code, NSCWEB_SQLITE_WAL="off").stdout.split()[0] == "truncate"


def test_the_file_system_of_a_path_is_the_longest_mount_above_it() -> None:
    mounts = "overlay / overlay rw 0 0\nserver:/x /data nfs4 rw 0 0\ntmpfs /data/local tmpfs rw 0 0\n"
    assert checks.file_system(Path("/data/nscweb.sqlite3"), mounts) == "nfs4"
    assert checks.file_system(Path("/data/local/nscweb.sqlite3"), mounts) == "tmpfs"
    assert checks.file_system(Path("/var/nscweb.sqlite3"), mounts) == "overlay"


def test_the_replacing_library_tells_its_limits_as_the_standard_one_does() -> None:
    import sqlite3

    chosen = sqlite.options("WAL")
    connection = sqlite3.connect(":memory:", factory=chosen.get("factory", sqlite3.Connection))  # type: ignore[call-overload]
    assert connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) >= 999
    connection.close()
