from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from nscweb import serve
from tests import natsserver

ROOT = Path(__file__).parents[2]
KEY = "k1:" + "QUFB" * 10 + "QUE="
OTHER_KEY = "k1:" + "QkJC" * 10 + "QkI="


def _environ(directory: Path, **more: str) -> dict[str, str]:
    dropped = ("NSCWEB_", "DATABASE_", "DJANGO_SETTINGS", "PORT", "_NSCWEB")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "NSCWEB_DATA_DIR": str(directory), **more}


def _prepare(directory: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nscweb.prepare"]
    done = subprocess.run(
        command, cwd=ROOT, env=_environ(directory, **more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def _run(family: list[serve.Child], stop: threading.Event) -> int:
    settled = serve.Announcement("127.0.0.1", 1, done=True)
    return serve.supervise(family, settled, dict(os.environ), stop)


def test_a_helper_that_dies_is_started_again_with_growing_pauses(capsys: pytest.CaptureFixture[str]) -> None:
    child = serve.Child("helper", [sys.executable, "-c", "raise SystemExit(3)"])
    pauses = []
    for _ in range(3):
        child.due = 0.0
        assert child.tend(dict(os.environ)) is None
        assert child.process is not None
        child.process.wait()
        assert child.tend(dict(os.environ)) is None
        pauses.append(child.pause)
    assert pauses == [2.0, 4.0, 8.0]
    assert "helper ended with code 3; starting it again in 2 s" in capsys.readouterr().out


def test_a_helper_is_not_started_before_its_pause_is_over() -> None:
    child = serve.Child("helper", [sys.executable, "-c", "pass"], due=time.monotonic() + 60)
    assert child.tend(dict(os.environ)) is None
    assert child.process is None


def test_everything_ends_when_the_web_server_does() -> None:
    helper = serve.Child("helper", [sys.executable, "-c", "import time; time.sleep(60)"])
    web = serve.Child("web server", [sys.executable, "-c", "raise SystemExit(7)"], vital=True)
    assert _run([web, helper], threading.Event()) == 7
    assert helper.process is None or helper.process.poll() is not None


def test_a_port_in_use_is_told_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        with pytest.raises(serve.StartRefused, match="PORT=8001 make run"):
            serve.listen_address()


def test_plain_http_is_not_offered_to_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSCWEB_HOST", "0.0.0.0")
    monkeypatch.setenv("PORT", str(natsserver.free_port()))
    monkeypatch.delenv("NSCWEB_URL", raising=False)
    with pytest.raises(serve.StartRefused, match="NSCWEB_TRUSTED_PROXIES"):
        serve.listen_address()
    monkeypatch.setenv("NSCWEB_URL", "https://nscweb.example.com")
    assert serve.listen_address()[0] == "0.0.0.0"


@pytest.mark.slow
def test_the_first_start_prints_a_link_and_makes_private_keys(tmp_path: Path) -> None:
    done = _prepare(tmp_path)
    assert "http://localhost:8000/first/" in done.stdout
    for name in ("secret.key", "master.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_a_second_start_finds_its_static_files_collected(tmp_path: Path) -> None:
    _prepare(tmp_path)
    manifest = tmp_path / "static" / "staticfiles.json"
    before = manifest.stat().st_mtime_ns
    _prepare(tmp_path)
    assert manifest.stat().st_mtime_ns == before
    assert any((tmp_path / "static").rglob("*.br"))


@pytest.mark.slow
def test_a_wrong_or_missing_master_key_seals_and_writes_nothing(tmp_path: Path) -> None:
    _prepare(tmp_path, NSCWEB_MASTER_KEY=KEY)
    database = tmp_path / "nscweb.sqlite3"
    before = database.read_bytes()
    for more in ({"NSCWEB_MASTER_KEY": OTHER_KEY}, {"NSCWEB_MASTER_KEY": "nonsense"}, {}):
        done = _prepare(tmp_path, **more)
        assert "SEALED" in done.stderr
        assert "/first/" not in done.stdout
        assert database.read_bytes() == before
        assert not (tmp_path / "master.key").exists()


@pytest.mark.server
@pytest.mark.slow
def test_web_workers_end_at_once_also_while_they_are_loading(tmp_path: Path) -> None:
    (tmp_path / "loads_for_long.py").write_text(
        "import os, pathlib, time\npathlib.Path(f'{os.getpid()}.loading').touch()\ntime.sleep(60)\n"
    )
    *command, _application = serve.web_command("127.0.0.1", natsserver.free_port())
    with subprocess.Popen(
        [*command, "loads_for_long:application"],
        cwd=tmp_path,
        env={**_environ(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            natsserver.eventually(
                lambda: len(list(tmp_path.glob("*.loading"))) == 2, "loading in both workers", 30
            )
        finally:
            process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Killing" not in said


@pytest.mark.server
@pytest.mark.slow
def test_the_whole_server_starts_answers_and_ends_cleanly(tmp_path: Path) -> None:
    port = natsserver.free_port()
    environ = _environ(tmp_path, PORT=str(port), NSCWEB_WORKERS="2")
    with subprocess.Popen(
        [sys.executable, "-m", "nscweb.serve"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if "ready. Open" in line:
                    break
            address = f"http://127.0.0.1:{port}"
            with urllib.request.urlopen(f"{address}/readyz", timeout=5) as ready:
                assert json.load(ready)["status"] == "ok"
            for _ in range(9):  # several processes answer, and each adds to the same figures
                urllib.request.urlopen(f"{address}/livez", timeout=5).close()
            with urllib.request.urlopen(f"{address}/metrics", timeout=5) as figures:
                text = figures.read().decode()
            assert _livez_count(text) >= 10
            kept = socket.create_connection(("127.0.0.1", port), timeout=5)
            kept.sendall(
                b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )  # and stays open, as a browser's does
            assert kept.recv(100).startswith(b"HTTP/1.1 200")
        finally:
            process.send_signal(signal.SIGTERM)
            said += process.stdout.readlines()
        kept.close()
        assert process.wait(20) == 0, "".join(said)
        assert "illing" not in "".join(said), said  # everything ended by itself
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def _livez_count(text: str) -> float:
    line = 'nscweb_requests_total{method="GET",status="200",view="livez"} '
    return next(float(each.removeprefix(line)) for each in text.splitlines() if each.startswith(line))
