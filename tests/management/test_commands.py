"""`manage.py first_admin`, `demo` and `inspect`."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from identities.models import Account, Cluster, IssuedToken, Operator, User
from identities.services import changes, creds, links, roster
from tests import make, natsserver

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "invalid/cases.json").read_text())


def run(name: str, *args: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(name, *args, stdout=out, **options)
    return out.getvalue()


# --- first_admin


@pytest.mark.django_db
def test_first_admin_prints_a_link_until_there_is_an_administrator() -> None:
    first = re.findall(r"http://localhost:8000(/first/\S+)", run("first_admin"))[0]
    second = re.findall(r"http://localhost:8000(/first/\S+)", run("first_admin"))[0]
    assert Client().get(first).status_code == 404  # replaced by the second
    assert Client().get(second).status_code == 200
    make.person()
    with pytest.raises(CommandError, match="There is an administrator already"):
        run("first_admin")


# --- demo


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.NSCWEB_DATA_DIR = tmp_path
    return tmp_path


@pytest.mark.django_db
def test_the_demo_is_the_tutorial(data_dir: Path) -> None:
    path = Path(run("demo").strip())
    assert path == data_dir / "demo" / "nats.conf"
    operator = Operator.objects.get()
    assert operator.name == "Test"
    assert changes.claims_of(operator).nats.operator_service_urls == ("nats://127.0.0.1:4222",)
    assert set(Account.objects.values_list("name", flat=True)) == {"SYS", "TestAccount"}
    service = changes.claims_of(User.objects.get(name="TestService")).nats.limits
    assert (service.pub.allow, service.sub.allow) == (("_INBOX.>",), ("req.a",))
    client = changes.claims_of(User.objects.get(name="TestClient")).nats.limits
    assert (client.pub.allow, client.sub.allow) == (("req.a",), ("_INBOX.>",))
    text = path.read_text()
    assert "allow_delete: true" in text
    assert "listen: 127.0.0.1:4222" in text
    assert all(account.public_key in text for account in Account.objects.all())


@pytest.mark.django_db
def test_a_second_demo_changes_nothing(data_dir: Path) -> None:
    run("demo")
    before = list(IssuedToken.objects.values_list("pk", flat=True))
    run("demo")
    assert list(IssuedToken.objects.values_list("pk", flat=True)) == before


@pytest.mark.django_db
def test_the_demo_takes_another_port_and_a_free_one(data_dir: Path) -> None:
    run("demo")
    path = Path(run("demo", "--nats-port", "4333").strip())
    assert "listen: 127.0.0.1:4333" in path.read_text()
    assert changes.claims_of(Operator.objects.get()).nats.operator_service_urls == ("nats://127.0.0.1:4333",)
    run("demo", "--nats-port", "0")
    assert "listen: 127.0.0.1:0" not in path.read_text()


@pytest.mark.django_db
def test_the_demo_s_server_is_a_cluster_that_is_reached(data_dir: Path, nats: natsserver.Stable) -> None:
    path = Path(run("demo").strip())
    cluster = Cluster.objects.select_related("user").get()
    assert (cluster.name, cluster.urls) == ("demo", "nats://127.0.0.1:4222")
    assert cluster.user is not None and cluster.user.name == "nscweb"
    run("demo", "--nats-port", "4333")
    assert Cluster.objects.get().urls == "nats://127.0.0.1:4333"
    assert User.objects.filter(name__startswith="nscweb").count() == 1
    server = nats.start(path.read_text())
    Cluster.objects.update(urls=server.url)
    with links.linked(Cluster.objects.select_related("operator").get()) as link:
        assert [row.name for row in roster.refresh(cluster, link)] == ["demo"]


@pytest.mark.django_db
def test_where_this_machine_may_not_be_connected_to_the_demo_has_no_cluster(
    data_dir: Path, settings: Any
) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = False
    run("demo")
    assert not Cluster.objects.exists()


@pytest.mark.django_db
def test_nats_server_takes_the_demo_s_configuration(data_dir: Path) -> None:
    path = run("demo").strip()
    server = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if server is None:
        pytest.skip("no nats-server here")
    checked = subprocess.run([server, "-t", "-c", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


# --- inspect


def lines_of(tokens: list[str], tmp_path: Path) -> tuple[list[dict[str, Any]], int]:
    path = tmp_path / "tokens"
    path.write_text("\n".join(tokens))
    out = io.StringIO()
    code = 0
    try:
        call_command("inspect", "--lines", str(path), stdout=out)
    except SystemExit as ended:
        code = int(str(ended.code))
    return [json.loads(line) for line in out.getvalue().splitlines()], code


def test_inspect_judges_every_token_as_the_go_library_does(tmp_path: Path) -> None:
    usable = [case for case in CASES if case["token"].strip() and "\n" not in case["token"]]
    found, code = lines_of([case["token"] for case in usable], tmp_path)
    assert code == 1
    assert len(found) == len(usable)
    for case, said in zip(usable, found, strict=True):
        expected = case["expected"]
        error = expected.get("decode_error", "")
        if error and not error.startswith("PANIC"):
            assert not said["ok"], case["name"]
            assert said["decode_error"], case["name"]
            continue
        assert said["ok"], (case["name"], said["decode_error"])
        assert said["type"] == expected["type"], case["name"]
        assert said["claims"]["sub"], case["name"]
        if error:
            assert said["blocking"], case["name"]  # where Go panics
            continue
        for verdict in ("blocking", "blocking_with_time_checks"):
            assert said[verdict] == expected[verdict], (case["name"], verdict, said["issues"])
        assert all(set(issue) == {"level", "path", "message"} for issue in said["issues"])


def test_good_tokens_end_with_success(tmp_path: Path) -> None:
    token = (GOLDEN / "basics/stores/Test/Test.jwt").read_text().strip()
    found, code = lines_of([token, "", token], tmp_path)
    assert (code, len(found)) == (0, 2)
    assert found[0]["decode_error"] is None


@pytest.mark.django_db
def test_a_known_user_is_told_in_words_and_as_json(tmp_path: Path) -> None:
    user = make.user(make.account(make.operator("Op"), "Shop"), "ann")
    text = creds.creds_file(principal=make.COMMAND, user=user).text
    path = tmp_path / "ann.creds"
    path.write_text(text)
    words = run("inspect", str(path))
    for said in (
        "user JWT, version 2",
        "the seed beside it fits",
        "Signed by account “Shop”",
        '"name": "ann"',
    ):
        assert said in words
    seed = next(line for line in text.splitlines() if line.startswith("SU"))
    assert seed not in words
    said = json.loads(run("inspect", "--json", str(path)))
    assert said["ok"]
    assert said["names"][user.public_key] == "ann"
    assert [link["grade"] for link in said["chain"]] == ["ok"] * 4


@pytest.mark.django_db
def test_what_holds_no_jwt_ends_with_failure(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("hello")
    with pytest.raises(SystemExit):
        run("inspect", str(path))
    with pytest.raises(SystemExit):
        run("inspect", "--json", str(path))
    with pytest.raises(CommandError, match="No such file"):
        run("inspect", str(tmp_path / "missing"))
