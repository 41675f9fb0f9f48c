"""The page of issued creds: who received what, what has become of it, for those alone who may know."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.claims.drafts import RoleDraft, ShortLivedDraft, SigningKeyDraft, UserEdit
from identities.models import (
    Account,
    AuditEvent,
    EventKind,
    Handover,
    IssuedToken,
    Key,
    Operator,
    ServerEvent,
    User,
)
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Principal, Role
from identities.queries import handed_out
from identities.services import accounts, clock, creds, exporting, keys, short_lived, signing_keys, users
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db

PAGE = "/activity/creds"
MOST_QUERIES = 8
"""Session, person, grants, the recipients, the rows, their number, last seen, and what every page asks."""


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(make.client())


def fresh(account: Account) -> Account:
    return Account.objects.select_related("operator").get(pk=account.pk)


def role_of(account: Account, name: str = "worker") -> Key:
    row = fresh(account)
    draft = SigningKeyDraft(role=RoleDraft(role=name))
    return signing_keys.add(principal=make.COMMAND, account=row, draft=draft, version=row.version)


def received(account: Account, name: str, *, by: Principal = make.COMMAND, **options: object) -> User:
    """A user whose creds `by` took away."""
    user = make.user(fresh(account), name, **options)
    creds.creds_file(principal=by, user=user)
    return user


def listed(page: Page) -> dict[str, str]:
    """The state of each credential on the page, by its name."""
    return {row.name: row.state.word for row in page.response.context["rows"]}


def only(visitor: Visitor, **wanted: str) -> set[str]:
    return set(listed(visitor.open(PAGE, wanted)))


def test_every_hand_over_is_listed_with_whom_way_role_and_end(visitor: Visitor, account: Account) -> None:
    role = role_of(account)
    alice = make.principal(Role.ADMINISTRATOR)
    make.user(fresh(account), "plain", expires=4_000_000_000)
    creds.creds_file(principal=alice, user=User.objects.select_related("token").get(name="plain"))
    short_lived.issue(principal=alice, role=role, draft=ShortLivedDraft(name="job"))
    page = visitor.open("/activity")
    page = visitor.open(page.link("Issued creds"))
    assert listed(page) == {"job": "Valid", "plain": "Valid"}
    text = page.text
    assert "short-lived creds" in text
    assert "creds file" in text
    assert "2096-10-02 07:06 UTC" in text
    assert "worker" in text
    assert alice.name in text


def test_states_say_what_has_become_of_each(visitor: Visitor, account: Account) -> None:
    now = clock.unix()
    received(account, "valid")
    revoked = received(account, "revoked")
    accounts.revoke(
        principal=make.COMMAND, account=fresh(account), entries={revoked.public_key: revoked.last_iat}
    )
    changed = received(account, "superseded")
    users.update(
        principal=make.COMMAND, user=changed, edit=UserEdit(name="superseded", tags=("a",)), version=1
    )
    role = role_of(account)
    received(account, "of-a-role", signer=role.public_key)
    row = fresh(account)
    signing_keys.remove(principal=make.COMMAND, account=row, public_key=role.public_key, version=row.version)
    other = make.account(account.operator, "Other")
    received(other, "gone")
    accounts.delete(principal=make.COMMAND, account=fresh(other), version=fresh(other).version)
    expiring = make.user(fresh(account), "expired", expires=now + 3600)
    creds.creds_file(principal=make.COMMAND, user=expiring)
    with pytest.MonkeyPatch.context() as later:
        later.setattr("identities.views.handed_out.clock.unix", lambda: now + 7200)
        page = visitor.open(PAGE)
    assert listed(page) == {
        "valid": "Valid",
        "revoked": "Revoked",
        "superseded": "Superseded",
        "of-a-role": "Key removed",
        "gone": "Account gone",
        "expired": "Expired",
    }


def test_filters_narrow_by_person_account_role_state_and_name(visitor: Visitor, account: Account) -> None:
    alice, bob = make.principal(Role.ADMINISTRATOR), make.principal(Role.ADMINISTRATOR)
    role = role_of(account)
    received(account, "a", by=alice)
    b = received(account, "b", by=bob, signer=role.public_key)
    other = make.account(account.operator, "Else")
    received(other, "c", by=bob)
    accounts.revoke(principal=make.COMMAND, account=fresh(other), entries={"*": clock.unix() + 60})
    assert only(visitor, to=alice.key) == {"a"}
    assert only(visitor, to=bob.key) == {"b", "c"}
    assert only(visitor, account="orders") == {"a", "b"}
    assert only(visitor, account=other.public_key) == {"c"}
    assert only(visitor, role="work") == {"b"}
    assert only(visitor, role=role.public_key) == {"b"}
    assert only(visitor, state="revoked") == {"c"}
    assert only(visitor, state="valid") == {"a", "b"}
    assert only(visitor, text=b.public_key) == {"b"}
    assert only(visitor, text="C") == {"c"}
    assert only(visitor, state="nonsense") == {"a", "b", "c"}
    assert "No credential fits" in visitor.open(PAGE, {"text": "nobody"}).text


def test_whoever_is_asked_for_is_named_in_the_filter_and_never_by_a_key(
    visitor: Visitor, account: Account
) -> None:
    received(account, "a")
    page = visitor.open(PAGE, {"to": make.COMMAND.key})
    chosen = [choice.label for choice in page.response.context["filters"]["recipients"] if choice.selected]
    assert chosen == [make.COMMAND.name]
    assert f"to {make.COMMAND.key}" not in page.text


def test_a_seed_is_told_apart_and_lives_as_long_as_its_key(visitor: Visitor, account: Account) -> None:
    spare = keys.generate(principal=make.COMMAND, operator=account.operator, kind=KeyKind.CURVE)
    keys.export_seed(principal=make.COMMAND, key=spare)
    page = visitor.open(PAGE)
    assert list(listed(page).values()) == ["Valid"]
    assert "not a user" in page.text
    assert "while the key is" in page.text
    Key.objects.filter(pk=spare.pk).update(deleted_at=clock.now())
    assert list(listed(visitor.open(PAGE)).values()) == ["Key removed"]


def test_when_a_client_was_last_seen_is_shown_where_servers_told(visitor: Visitor, account: Account) -> None:
    user = received(account, "seen")
    at = clock.now() - timedelta(hours=1)
    cluster = make.cluster(account.operator)
    for moment, kind in ((at, EventKind.DISCONNECTED), (at - timedelta(hours=1), EventKind.CONNECTED)):
        ServerEvent.objects.create(
            cluster=cluster,
            kind=kind,
            server="n1",
            account_key=account.public_key,
            user_key=user.public_key,
            at=moment,
        )
    assert f"{at:%Y-%m-%d %H:%M} UTC" in visitor.open(PAGE).text


def test_who_administers_one_account_sees_what_it_handed_out_alone(account: Account) -> None:
    received(account, "mine")
    other = make.account(account.operator, "Other")
    received(other, "theirs", by=make.principal(Role.ADMINISTRATOR))
    exporting.prepare(principal=make.COMMAND, operator=account.operator, with_keys=True)
    admin = Visitor(make.client(account=account))
    page = admin.open(PAGE)
    names = set(listed(page))
    assert "mine" in names
    assert "theirs" not in page.html
    assert other.public_key not in page.html
    assert not any("operator" in name for name in names)
    lines = admin.client.post("/activity/creds/export").getvalue().decode()
    assert other.public_key not in lines
    assert '"mine"' in lines


def test_a_viewer_knows_nothing_of_it(account: Account) -> None:
    received(account, "mine")
    for viewer in (make.client(Role.VIEWER), make.client(Role.VIEWER, account=account)):
        assert viewer.get(PAGE).status_code == 403
        assert viewer.post("/activity/creds/export").status_code == 403
    assert make.client(Role.AUDITOR).get(PAGE).status_code == 200


def test_the_export_holds_a_line_a_hand_over_no_secret_and_is_audited(
    visitor: Visitor, account: Account
) -> None:
    one = received(account, "one")
    received(account, "other")
    page = visitor.open(PAGE, {"text": "one"})
    form = page.form(action="/activity/creds/export")
    answer = visitor.client.post(form.action, form.values)
    assert 'filename="issued-creds.jsonl"' in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    (line,) = answer.getvalue().decode().splitlines()
    told = json.loads(line)
    assert (told["subject"], told["name"], told["state"], told["way"]) == (
        one.public_key,
        "one",
        "valid",
        "creds",
    )
    assert told["account"] == account.public_key
    assert "eyJ0eXAi" not in line
    event = AuditEvent.objects.latest("seq")
    assert event.action == "audit.export"
    assert "text “one”" in event.summary


def fill(account: Account, number: int) -> None:
    """Hand-overs as they would be after a while; triggers refuse updates, not inserts."""
    operator = Operator.objects.get(pk=account.operator_id)
    token = IssuedToken.objects.filter(subject=account.public_key).first()
    signer = Key.objects.get(public_key=account.public_key)
    at = clock.now()
    subject = KeyPair.create(KeyKind.USER).public.text
    Handover.objects.bulk_create(
        [
            Handover(
                operator=operator,
                account=account,
                token=token,
                kind="user",
                subject=f"{subject[:-6]}{place:06}",
                name=f"job-{place}",
                issuer=signer.public_key,
                way="short-lived",
                door="token",
                recipient=f"person:{place % 7}",
                recipient_name=f"p{place % 7}",
                by="person:1",
                by_name="p1",
                at=at - timedelta(seconds=place),
            )
            for place in range(number)
        ],
        batch_size=400,
    )


def test_the_page_asks_as_often_whatever_the_size(visitor: Visitor, account: Account) -> None:
    visitor.open(PAGE)
    counts = []
    for number in (60, 60):
        fill(account, number)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            page = visitor.open(PAGE)
        counts.append(len(asked))
    assert len(page.response.context["rows"]) == 50
    assert counts[0] == counts[1] <= MOST_QUERIES
    second = visitor.open(page.link("Next"))
    assert not set(listed(second)) & set(listed(page))


def test_reading_the_ledger_takes_three_queries(account: Account) -> None:
    fill(account, 10)
    who = make.principal(Role.AUDITOR)
    with CaptureQueriesContext(connection) as asked:
        rows = list(handed_out.handovers(who, handed_out.Wanted(state="valid"), now=clock.unix())[:50])
        handed_out.last_seen(rows)
        handed_out.recipients(who)
    assert len(rows) == 10
    assert len(asked) == 3


def test_a_filter_holds_no_sort_and_no_cursor_so_an_export_takes_all_that_fits() -> None:
    wanted = handed_out.Wanted.of({"to": "person:1", "after": "x~1", "sort": "newest", "state": "valid"})
    assert wanted.query() == {"to": "person:1", "state": "valid"}
