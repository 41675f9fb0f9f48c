"""A person at the pages without a browser: reads the real HTML, follows its links, fills in and sends its forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.test import Client

from identities.policy.principal import Role
from tests import make

CLICKED = ("submit", "button", "reset", "file", "image")


@dataclass(slots=True)
class Form:
    """A form as it stands in the page: where it goes, what an untouched one sends, and what may be filled in."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Page:
    """An answer: its text, links (words and address) and forms."""

    url: str
    status: int
    html: str
    response: Any
    links: list[tuple[str, str]]
    forms: list[Form]

    @property
    def text(self) -> str:
        """The words of the page, blanks and line ends made one."""
        return " ".join(self.response_text.split())

    @property
    def response_text(self) -> str:
        """The words of the page as they stand."""
        reader = _Words()
        reader.feed(self.html)
        return "".join(reader.words)

    def link(self, words: str) -> str:
        """The address of the link that is called so, or whose address ends so.

        Raises: AssertionError with those that are there.
        """
        for text, address in self.links:
            if text == words or urlsplit(address).path.endswith(words):
                return urljoin(self.url, address)
        raise AssertionError(f"{self.url} has no link “{words}”, only {self.links}")

    def form(self, *names: str, action: str = "") -> Form:
        """The form that holds these fields, or that is sent to an address that ends in `action`."""
        for form in self.forms:
            ends = urlsplit(form.action).path.endswith(action) if action else True
            if form.names.issuperset(names) and ends and form.method == "post":
                return form
        raise AssertionError(f"{self.url} has no form with {names} to {action!r}: {self.forms}")


def saved_all_the_same(client: Client, url: str, values: dict[str, Any]) -> Any:
    """Send an edit, read what has to be accepted, and send it again with that ticked."""
    answer = client.post(url, values)
    assert answer.status_code == 422, answer.content.decode()
    preview = answer.context["form"].preview
    assert preview.to_accept
    answer = client.post(url, {**values, "accept": preview.code})
    assert answer.status_code == 302, answer.content.decode()
    return answer


class Visitor:
    """Somebody with a session. `visits` counts nothing and remembers nothing: every page is asked for anew."""

    def __init__(self, client: Client | None = None) -> None:
        self.client = client or Client()

    def open(self, url: str, query: dict[str, str] | None = None) -> Page:
        """Ask for a page, follow where it leads."""
        return self._page(self.client.get(url, query, follow=True), url)

    def send(self, page: Page, *, action: str = "", **values: Any) -> Page:
        """Fill `values` into the form of `page` that has such fields, send it, follow where it leads.

        `True` ticks a box and `False` unticks it; a list fills a field that takes several.
        """
        form = page.form(*values, action=action)
        sent = dict(form.values)
        for name, value in values.items():
            if value is False:
                sent.pop(name, None)
            else:
                sent[name] = ["on"] if value is True else [str(one) for one in _listed(value)]
        target = urljoin(page.url, form.action)
        return self._page(self.client.post(target, sent, follow=True), target)

    def download(self, page: Page, action: str, folder: Path) -> Path:
        """Press the button that sends to `action` or follow the link; the file that comes, in `folder`."""
        try:
            form = page.form(action=action)
            answer = self.client.post(urljoin(page.url, form.action), form.values)
        except AssertionError:
            answer = self.client.get(page.link(action))
        assert answer.status_code == 200, answer.content.decode()
        disposition = answer["Content-Disposition"]
        assert disposition.startswith("attachment"), disposition
        assert "no-store" in answer["Cache-Control"]
        path = folder / disposition.partition('filename="')[2].rstrip('"')
        path.write_bytes(answer.content)
        return path

    def _page(self, response: Any, url: str) -> Page:
        if response.redirect_chain:
            url = urljoin(url, response.redirect_chain[-1][0])
        html = response.content.decode()
        reader = _Reader()
        reader.feed(html)
        return Page(url, response.status_code, html, response, reader.links, reader.forms)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


class _Words(HTMLParser):
    """The words between the tags; those of scripts and icons are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.silent += tag in ("script", "svg", "head")
        self.words.append(" " if tag in ("p", "li", "td", "th", "dt", "dd", "div", "button", "a") else "")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "svg", "head")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)


class _Reader(HTMLParser):
    """Finds links and forms."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.forms: list[Form] = []
        self.form: Form | None = None
        self.link: str | None = None
        self.words: list[str] = []
        self.area = ""
        self.choice = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        held = {name: value if value is not None else "" for name, value in attrs}
        match tag:
            case "a" if "href" in held:
                self.link, self.words = held["href"], []
            case "form":
                self.form = Form(held.get("action", ""), held.get("method", "get").lower())
                self.forms.append(self.form)
            case "input":
                self._input(held)
            case "button" if held.get("name"):
                self._know(held["name"])
            case "textarea":
                self.area, self.words = held.get("name", ""), []
            case "select":
                self.choice = held.get("name", "")
                self._know(self.choice)
            case "option" if self.choice and "selected" in held:
                self._keep(self.choice, held.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "a" if self.link is not None:
                self.links.append((" ".join("".join(self.words).split()), self.link))
                self.link = None
            case "form":
                self.form = None
            case "textarea" if self.area:
                self._keep(self.area, "".join(self.words).removeprefix("\n"))
                self.area = ""
            case "select":
                self.choice = ""

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def _input(self, held: dict[str, str]) -> None:
        name, kind = held.get("name", ""), held.get("type", "text")
        if not name or kind in CLICKED or "disabled" in held:
            return
        if kind in ("checkbox", "radio"):
            self._know(name)
            if "checked" in held:
                self._keep(name, held.get("value", "on"))
            return
        self._keep(name, held.get("value", ""))

    def _know(self, name: str) -> None:
        if self.form is not None:
            self.form.names.add(name)

    def _keep(self, name: str, value: str) -> None:
        self._know(name)
        if self.form is not None:
            self.form.values.setdefault(name, []).append(value)


def named(username: str, role: Role = Role.ADMINISTRATOR, **scope: Any) -> Visitor:
    """Somebody new of this name with `role`, signed in."""
    return Visitor(make.client(role, username=username, **scope))
