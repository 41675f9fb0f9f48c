"""Everything that a person can do through the pages, done once, by somebody whose every answer is kept."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import NoReverseMatch, Resolver404, get_resolver, resolve, reverse

from identities.models import Account, AuditEvent, Cluster, Job, Key, Operator, ServiceAccount, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import client_tests, presets
from tests import make, natsserver, pem
from tests.house.canary import Answer, WatchedClient
from tests.pages import Page, Visitor

NEW_PASSWORD = "quite another passphrase of mine"
NO_PAGES = {
    "account_logout",
    "activity-export",
    "webhook-switch",
    "webhook-test",
    "webhook-again",
    "operator-jwt",
    "account-jwt",
    "activation-jwt",
    "user-creds",
    "user-jwt",
    "operator-config-download",
    "importing-start",
    "importing-discard",
    "cluster-compare",
    "cluster-deliver",
    "cluster-adopt",
    "handed-out-export",
    "openapi",
    "token-revoke",
    "user-link-revoke",
    "handover-mine",
    "operator-config-helm",
    "operator-diagram-download",
    "operator-manifest-download",
    "user-secret",
    "operator-pushes-open",
    "operator-pushes-close",
    "operator-offer-decline",
    "operator-four-eyes",
    "proposal-approve",
    "proposal-decline",
    "proposal-withdraw",
    "proposal-comment",
    "proposal-again",
    "activation-request-grant",
    "activation-request-decline",
    "activation-request-withdraw",
    "activation-request-jwt",
    "operator-unsigned-claims",
    "operator-unsigned-discard",
    "account-unsigned-claims",
    "account-unsigned-discard",
    "account-unsigned-self-signed",
    "cluster-test",
    "second-factor-app-qr",
    "second-factor-app-key",
    "second-factor-remove",
    "person-factors-remove",
    "session-end",
    "lockout-again",
    "sign-on",
    "sign-on-back",
    "my-sign-on-link",
    "my-sign-on-unlink",
    "join-with",
    "confirm-sign-on",
    "invitation-revoke",
    "account-delivery-now",
    "account-removal-ask",
    "account-creds",
}
"""Routes that are posted to, or that answer with a file."""
MOST_OF_A_KIND = 2
BUTTONS = {"convert", "more", "preview"}
"""They show the form again and save nothing, whatever it holds."""
MAY_GET_SEEDS = {"importing", "inspector", "account_login", "account_change_password"}
"""Pages that don't refuse a seed: one is made to be given seeds, the others take it for a wrong password."""


USERS: dict[str, dict[str, Any]] = {
    "plain": {"pub_allow": "hello\norders.>", "expires": "30d"},
    "beeper": {"bearer_token": True},
    "turned": {},
    "turned back": {"bearer_token": True},
    "limited": {
        "sub_allow": "req.a q",
        "can_answer": True,
        "src": "192.0.2.0/24",
        "times": "8:00-18:00",
        "subs": "5",
    },
}
EDITS: dict[str, dict[str, Any]] = {
    "plain": {"pub_deny": "secret.>"},
    "beeper": {"sub_allow": "updates.>"},
    "turned": {"bearer_token": True},
    "turned back": {"bearer_token": False},
}


@dataclass
class Story:
    """Ann does it. `pasted` are the seeds that came into a form, `taken` the fields that did not refuse one."""

    nats: natsserver.Stable
    folder: Path
    answers: list[Answer] = field(default_factory=list)
    ann: Visitor = field(init=False)
    pasted: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    token: str = ""

    def __post_init__(self) -> None:
        self.ann = Visitor(WatchedClient(self.answers))

    def stranger(self) -> Visitor:
        """Somebody new at the pages, not signed in."""
        return Visitor(WatchedClient(self.answers))

    def paste(self, kind: KeyKind = KeyKind.USER) -> str:
        """A seed that somebody has in the clipboard."""
        seed = KeyPair.create(kind).seed().reveal().decode()
        self.pasted.append(seed)
        return seed

    def become_administrator(self) -> None:
        """By the one-time link, not at the first attempt."""
        printed = io.StringIO()
        call_command("first_admin", stdout=printed)
        link = urlsplit(printed.getvalue().split()[-1]).path
        self.token = link.rpartition("/")[2]
        page = self.ann.open(link)
        for attempt in ({"username": self.paste()}, {"password": self.paste()}, {"again": self.paste()}):
            typed = {"username": "ann", "password": make.PASSWORD, "again": make.PASSWORD} | attempt
            assert self.ann.send(page, **typed).status == 422
        page = self.ann.send(page, username="ann", password=make.PASSWORD, again=make.PASSWORD)
        assert "You administer this installation" in page.text

    @property
    def cookie(self) -> str:
        """The secret of the session that is open at the moment."""
        return str(self.ann.client.cookies[settings.SESSION_COOKIE_NAME].value)

    def made(self, route: str, *keys: str, **typed: Any) -> Page:
        """Fill in a form and send it: it is taken."""
        url = reverse(route, args=keys)
        page = self.ann.send(self.ann.open(url), action=url, **typed)
        assert page.status == 200, page.text
        return page

    def make_everything(self) -> None:
        """Operators, accounts and users of every kind, edited."""
        self.made("operator-create", name="Main", service_urls="nats://127.0.0.1:4222", tags="env:test")
        self.made("operator-create", name="Anns strict", require_signing_keys=True)
        self.made("operator-create", name="Anns bare", system_account=False, generate_signing_key=False)
        self.made("operator-create", name="Anns barer", system_account=False)
        self.made("operator-create", name="Gone")
        main, bare = key(Operator, "Main"), key(Operator, "Anns bare")
        self.made("operator-edit", main, expires="5y")
        self.made("operator-system-account", bare)
        self.made("account-create", main, name="Shop", description="Orders of the shop.")
        self.made("account-create", main, name="Far", public_key=public(KeyKind.ACCOUNT))
        self.made("account-create", main, name="Doomed")
        self.made("account-create", key(Operator, "Anns strict"), name="Strictly")
        orders = (main, key(Account, "Shop"))
        self.made("account-edit", *orders, tags="team:a")
        self.made("account-limits", *orders, conn="100", payload="64 KiB")
        for name, typed in USERS.items():
            self.made("user-create", *orders, name=name, **typed)
        self.made("user-create", *orders, name="foreign", public_key=public(KeyKind.USER))
        self.made("user-create", main, key(Account, "Doomed"), name="lost", bearer_token=True)
        for name, typed in EDITS.items():
            self.made("user-edit", *orders, key(User, name), **typed)
        self.made("user-revoke-earlier", *orders, key(User, "plain"))
        self.made("service-account-create", name="shop pipeline", description="Deploys the shop")
        machine = str(ServiceAccount.objects.get(name="shop pipeline").pk)
        self.made("service-account-token", machine, name="runner", expires="30d")
        self.made("token-create", name="laptop", read_only=True)
        self.made("preset-create", name="Anns devices", pub_allow="devices.${name} # What it says")
        self.made("installation-default-operator", operator=main)
        asked = self.ann.send(self.ann.open(reverse("installation")), action="/installation")
        assert "events fit" not in asked.text  # the worker looks
        call_command("worker", "--once")
        assert f"All {AuditEvent.objects.count()} events fit" in self.ann.open(reverse("installation")).text

    def hand_out(self) -> dict[str, Path]:
        """Every file that can be taken away; the creds by the user's name."""
        files = {}
        for user in User.objects.live().filter(account__name="Shop").order_by("pk"):
            page = self.ann.open(address(user))
            if user.has_seed:
                files[user.name] = self.ann.download(page, "/creds", self.folder)
            self.ann.download(page, "/jwt", self.folder)
            self.ann.open(address(user, "user-context"), {"download": "1"})
        for account in Account.objects.live():
            self.ann.open(reverse("account-jwt", args=[account.operator.public_key, account.public_key]))
        for operator in Operator.objects.live():
            self.ann.open(reverse("operator-jwt", args=[operator.public_key]))
            for resolver in ("memory", "limited", "cache", "url"):
                self.ann.open(
                    reverse("operator-config-download", args=[operator.public_key]), {"resolver": resolver}
                )
        return files

    def keep_keys(self) -> None:
        """A key made ahead and erased again, a seed taken away by password, and one that comes in later."""
        main, shop = key(Operator, "Main"), key(Account, "Shop")
        self.made("key-generate", main, kind="account")
        spare = Key.objects.filter(account=None, kind="account").latest("pk").public_key
        export = reverse("key-export", args=[main, shop])
        for password in ("wrong", self.paste()):
            assert self.ann.send(self.ann.open(export), action=export, password=password).status == 422
        taken = self.ann.client.post(export, {"password": make.PASSWORD})
        assert taken["Content-Disposition"].startswith("attachment"), taken.content
        later = KeyPair.create(KeyKind.ACCOUNT)
        self.made("account-create", main, name="Later", public_key=later.public.text)
        seed, add = later.seed().reveal().decode(), reverse("key-seed", args=[main, later.public.text])
        for text in (self.paste(KeyKind.ACCOUNT), f"{seed} {self.paste()}", seed[:-1], seed.lower()):
            assert self.ann.send(self.ann.open(add), action=add, seed=text).status == 422
            file = SimpleUploadedFile(f"{self.paste()}.nk", text.encode())
            assert self.ann.client.post(add, {"file": file}).status_code == 422
        assert "Added the seed" in self.ann.send(self.ann.open(add), action=add, seed=f" {seed}\n").text
        self.made("key-erase", main, spare, confirm=spare[-8:])

    def take_along(self) -> None:
        """A store without keys, none for a wrong password, then in both shapes with keys; all creds of an account."""
        main, shop = key(Operator, "Main"), key(Account, "Shop")
        store = reverse("operator-store", args=[main])
        for password in ("wrong", self.paste()):
            sent = {"shape": "store", "keys": "on", "password": password}
            assert self.ann.client.post(store, sent).status_code == 422
        with_keys = {"keys": "on", "password": make.PASSWORD}
        for sent in ({"shape": "store"}, {"shape": "store", **with_keys}, {"shape": "flat", **with_keys}):
            assert self.ann.client.post(store, sent)["Content-Type"] == "application/zip"
        creds = reverse("account-creds", args=[main, shop])
        assert self.ann.client.post(creds)["Content-Type"] == "application/zip"

    def inspect(self, files: dict[str, Path]) -> None:
        """Creds with their seeds, bearer JWTs, seeds alone, pasted and uploaded."""
        inspector = reverse("inspector")
        texts = [path.read_text() for path in files.values()]
        texts += [self.paste(), f"-----BEGIN USER NKEY SEED-----\n{self.paste()}\n------END", texts[0][:-400]]
        for text in texts:
            answer = self.ann.client.post(inspector, {"text": text})
            assert answer.status_code in (200, 422)
            self.ann.client.post(
                inspector, {"file": SimpleUploadedFile(f"{self.paste()}.creds", text.encode())}
            )

    def try_clients(self) -> None:
        """As a user with a seed, as a bearer, as a pair, and where nobody answers; the worker does it."""
        main = Operator.objects.get(name="Main")
        config = self.ann.open(
            reverse("operator-config-download", args=[main.public_key]), {"resolver": "memory"}
        )
        url = self.nats.start(config.html).url
        for name, typed in {
            "plain": {"trial": "publish", "url": url, "subject": "hello", "payload": "x"},
            "beeper": {"trial": "subscribe-publish", "url": url, "subject": "updates.a", "other": "plain"},
            "turned": {
                "trial": "publish",
                "url": f"nats://127.0.0.1:{natsserver.free_port()}",
                "subject": "a",
            },
        }.items():
            waiting = self.ann.send(self.ann.open(address(User.objects.get(name=name), "user-test")), **typed)
            assert waiting.status == 200, waiting.text
            call_command("worker", "--once")
            self.results.append(self.ann.open(waiting.url).url)
        tried = Job.objects.filter(kind=client_tests.KIND).order_by("pk")
        assert [job.state for job in tried] == ["done"] * 3
        self.try_cluster(url)

    def try_cluster(self, url: str) -> None:
        """A cluster with a certificate of our own, reached by the system user that is made for it."""
        main, pair = key(Operator, "Main"), pem.authority(self.folder)
        typed = {"name": "Anns cluster", "urls": url, "expires": "1y"}
        self.made(
            "cluster-create", main, **typed, client_cert=pair.certificate_text, client_key=pair.key_text
        )
        cluster = Cluster.objects.get()
        here = reverse("cluster", args=[main, cluster.pk])
        self.made("cluster-edit", main, str(cluster.pk), client_cert="", request_seconds="1")
        waiting = self.ann.send(self.ann.open(here), action=reverse("cluster-test", args=[main, cluster.pk]))
        call_command("worker", "--once")
        told = self.ann.open(waiting.url)
        assert "1 server answered" in told.text, told.text
        self.results.append(told.url)

    def sign_in_and_out(self) -> None:
        """A seed typed as name, as password and as where to go on; then a new password."""
        somebody, login = self.stranger(), reverse("account_login")
        somebody.send(somebody.open(login), login=self.paste(), password="wrong")
        somebody.send(somebody.open(login), login="ann", password=self.paste())
        somebody.open(login, {"next": f"/search?q={self.paste()}"})
        somebody.open(reverse("search"), {"q": self.paste()})
        headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver/search?q={self.paste()}"}
        somebody.client.get(reverse("dashboard"), headers=headers)
        change = self.ann.open(reverse("account_change_password"))
        self.ann.send(change, oldpassword=self.paste(), password1=NEW_PASSWORD, password2=NEW_PASSWORD)
        self.ann.send(change, oldpassword=make.PASSWORD, password1=self.paste(), password2=NEW_PASSWORD)
        done = self.ann.send(
            change, oldpassword=make.PASSWORD, password1=NEW_PASSWORD, password2=NEW_PASSWORD
        )
        assert done.status == 200, done.text
        self.ann.send(self.ann.open("/"), action=reverse("account_logout"))
        self.ann.send(self.ann.open(login), login="ann", password=NEW_PASSWORD)

    def delete(self) -> None:
        """Users with and without revocation, an account, an operator."""
        for name in ("turned", "turned back"):
            user = User.objects.get(name=name)
            page = self.ann.open(address(user, "user-delete"))
            self.ann.send(page, confirm=name, revoke=name == "turned")
        doomed = Account.objects.get(name="Doomed")
        self.made("account-delete", doomed.operator.public_key, doomed.public_key, confirm="Doomed")
        self.made("operator-delete", key(Operator, "Gone"), confirm="Gone")
        assert not User.objects.live().filter(name__in=["turned", "turned back", "lost"]).exists()

    def starts(self) -> list[str]:
        """Where to begin a walk: pages that no link leads to, or of which the first of a kind holds too little."""
        main, orders = key(Operator, "Main"), key(Account, "Shop")
        return [
            "/",
            *(address(user, name) for user in User.objects.live() for name in ("user", "user-edit")),
            *self.results,
            reverse("operator-system-account", args=[key(Operator, "Anns barer")]),
            reverse("account-delete", args=[main, orders]),
            reverse("installation-default-operator"),
            reverse("confirm"),
            *(
                reverse(name, args=[presets.known()[-1].key])
                for name in ("preset", "preset-edit", "preset-delete", "preset-renew")
            ),
        ]

    def walk(self, visitor: Visitor, *starts: str) -> Iterator[tuple[str, Page]]:
        """Every page that links lead to, some of each kind, whole and in parts; with the name of its route."""
        seen: Counter[str] = Counter()
        known, waiting = set(starts), list(starts)
        while waiting:
            url = waiting.pop(0)
            name = route(url)
            if name is None or name in NO_PAGES or seen[name] >= MOST_OF_A_KIND:
                continue
            seen[name] += 1
            page = visitor.open(url)
            visitor.client.get(url, headers={"HX-Request": "true"})
            yield name, page
            found = {urljoin(page.url, link) for _, link in page.links} - known
            known |= found
            waiting += sorted(found)

    def paste_everywhere(self, visitor: Visitor, name: str, page: Page) -> None:
        """Each field of each form of a page gets a seed, one after the other, in the ways in which it gets there."""
        ways = ("{}", "key: {} ", "{}\n")
        for form in page.forms:
            send = getattr(visitor.client, form.method)
            target = urljoin(page.url, form.action)
            for number, held in enumerate(sorted(form.names - BUTTONS - {"csrfmiddlewaretoken"})):
                sent = {**form.values, held: ways[number % len(ways)].format(self.paste())}
                status = send(target, sent).status_code
                if status not in (400, 422) and name not in MAY_GET_SEEDS:
                    self.taken.append(f"{name}: {held} ({status})")
                for button in form.names & BUTTONS:
                    send(target, {**sent, button: "1"})


def key(model: Any, name: str) -> str:
    return str(model.objects.live().get(name=name).public_key)


def public(kind: KeyKind) -> str:
    return KeyPair.create(kind).public.text


def address(user: User, name: str = "user") -> str:
    return reverse(name, args=[user.operator.public_key, user.account.public_key, user.public_key])


def route(url: str) -> str | None:
    try:
        return resolve(urlsplit(url).path).url_name
    except Resolver404:
        return None


def some_address(name: str, user: User) -> str:
    """The page of this route about a user, its account or its operator."""
    keys = [user.operator.public_key, user.account.public_key, user.public_key]
    for number in range(4):
        try:
            return reverse(name, args=keys[:number])
        except NoReverseMatch:
            continue
    raise AssertionError(f"{name} has no page")


def public_address(name: str, user: User, key: str) -> str:
    """A page that is open to everybody, asked for `key`."""
    held: dict[str, object] = {
        "operator_key": user.operator.public_key,
        "key": key,
        "rest": key,
        "token": key,
    }
    held |= {"person_id": 1, "provider_id": 1}
    needed = get_resolver().reverse_dict.getlist(name)[0][0][0][1]
    return reverse(name, kwargs={argument: held[argument] for argument in needed})
