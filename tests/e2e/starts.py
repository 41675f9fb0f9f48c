"""Where a walk through the whole sample begins: pages that few links lead to, and those that have most to show."""

from __future__ import annotations

from django.urls import reverse

from identities.models import Account, Cluster, Job, Offer, Operator, Person, Proposal, User
from identities.services import client_tests, cluster_tests, import_jobs, reissuing
from tests.e2e import (
    coming_in_sample,
    delivery_sample,
    live_sample,
    presets_sample,
    sharing_sample,
    staff_sample,
)


def everywhere(user: User) -> tuple[str, ...]:
    """The account whose lists are full, and pages that have more to show than the first of their kind."""
    full = User.objects.get(name="full")
    job = Job.objects.filter(kind=client_tests.KIND).latest("pk")
    here = [user.operator.public_key, user.account.public_key]
    lists = [reverse(name, args=here) for name in ("account", "mappings", "revocations")]
    signing = reverse("operator-keys", args=here[:1])
    bare = reverse("operator-system-account", args=[Operator.objects.get(name="Bare").public_key])
    of_role, suspended = User.objects.get(name="picker"), User.objects.get(name="on leave")
    orphan = User.objects.get(name="orphan")
    role = [of_role.operator.public_key, of_role.account.public_key, of_role.issuer]
    keys = [orphan.operator.public_key, orphan.account.public_key]
    return (
        "/",
        url(user, "user-test-result", job.pk),
        reverse("confirm"),
        reverse("recovery-codes"),
        reverse("person-factors-remove", args=[Person.objects.latest("pk").pk]),
        reverse("person-password-link", args=[Person.objects.latest("pk").pk]),
        reverse("sessions-end-others"),
        url(full),
        url(full, "user-edit"),
        url(full, "user-links"),
        reverse("handed-out"),
        f"{reverse('take-back')}?to=command:test",
        reverse("role-creds", args=role),
        reverse("role-terms", args=role),
        *lists,
        signing,
        bare,
        url(of_role, "user-move"),
        url(suspended, "user-lift"),
        reverse("signing-keys", args=keys),
        reverse("signing-key", args=role),
        reverse("role-edit", args=role),
        reverse("signing-key-remove", args=role),
        f"{url(of_role, 'user-explain')}?verb=subscribe&subject=orders.%3E",
        f"/compare?first={full.public_key}&second={of_role.issuer}",
        f"{reverse('who-can', args=here)}?deed=subscribe&subject=orders.%3E",
        *sharing_sample.shared_pages(),
        *sharing_sample.asked_pages(),
        *presets_sample.pages(),
        *staff_sample.pages(),
        *reissues(),
        reverse("importing-job", args=[Job.objects.filter(kind=import_jobs.PLAN).latest("pk").pk]),
        reverse("operator-validate", args=here[:1]),
        reverse("operator-manifest", args=here[:1]),
        reverse("operator-diagram", args=here[:1]),
        reverse("findings", args=here),
        *waiting(),
        *proposed(),
        *earlier(user),
        reverse("person-activate", args=[Person.objects.filter(is_active=False)[0].pk]),
        *pushed(),
        *reached(),
        *coming_in_sample.pages(),
        *live_sample.pages(),
        *delivery_sample.pages(),
        reverse("cluster-drift", args=[here[0], Cluster.objects.get(name="East").pk]),
    )


def reached() -> tuple[str, ...]:
    """A cluster, forgetting one of its servers, and what its connection test found."""
    cluster = Cluster.objects.select_related("operator").get(name="Production")
    here = [cluster.operator.public_key, cluster.pk]
    job = Job.objects.filter(kind=cluster_tests.KIND).latest("pk")
    return (
        reverse("cluster", args=here),
        reverse("cluster-edit", args=here),
        reverse("cluster-delete", args=here),
        reverse("cluster-user-make", args=here),
        reverse("cluster-user-renew", args=here),
        reverse("cluster-user-choose", args=here),
        reverse("cluster-forget-server", args=[*here, cluster.servers.order_by("-name")[0].pk]),
        reverse("cluster-test-result", args=[*here, job.pk]),
    )


def proposed() -> tuple[str, ...]:
    """An edit that waits for a second person."""
    made = Proposal.objects.select_related("operator").latest("pk")
    return (reverse("proposal", args=[made.operator.public_key, made.pk]),)


def earlier(user: User) -> tuple[str, ...]:
    """The first version of each kind of object, to be brought back."""
    keys = [user.operator.public_key, user.account.public_key, user.public_key]
    kinds = ("operator", "account", "user")
    return tuple(
        reverse(f"{kind}-roll-back", args=[*keys[:depth], 1]) for depth, kind in enumerate(kinds, start=1)
    )


def waiting() -> tuple[str, ...]:
    """Edits that wait for a signature elsewhere."""
    account = Account.objects.get(name="Waits")
    keys = [account.operator.public_key, account.public_key]
    return reverse("operator-unsigned", args=keys[:1]), reverse("account-unsigned", args=keys)


def pushed() -> tuple[str, ...]:
    """Who may push account JWTs, and one that waits."""
    offer = Offer.objects.select_related("operator").get()
    return (
        reverse("operator-pushes", args=[offer.operator.public_key]),
        reverse("operator-offer", args=[offer.operator.public_key, offer.account_key]),
    )


def reissues() -> tuple[str, ...]:
    """An operator's configuration after a reissue, and how far the worker is with what follows one."""
    account = Account.objects.get(name="Moved")
    keys = [account.operator.public_key, account.public_key]
    below, of_account = Job.objects.filter(kind=reissuing.KIND).order_by("-pk")
    return (
        reverse("operator-config", args=keys[:1]),
        reverse("operator-reissue-progress", args=[*keys[:1], below.pk]),
        reverse("account-reissue-progress", args=[*keys, of_account.pk]),
    )


def url(user: User, name: str = "user", *more: object) -> str:
    return reverse(name, args=[user.operator.public_key, user.account.public_key, user.public_key, *more])
