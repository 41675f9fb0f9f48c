"""Pages of an import: bring it, look at the plan, watch it, read the report."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from identities.forms.base import VersionForm
from identities.forms.importing import ChoicesForm, ImportForm
from identities.lookup import principal_for
from identities.models import Job, JobState, Operator
from identities.services import import_jobs, importing, uploads
from identities.services.import_items import Choices
from identities.views import guards, htmx, importing_shown, shown
from identities.views.uploading import SealingHandler

NAV = "importing"
PASTED = "pasted text"


@csrf_exempt  # the token is checked in `_sent`: before that, what comes has to be sealed from its first byte on
@sensitive_post_parameters()
@guards.page("GET", "POST")
def index(request: HttpRequest) -> HttpResponse:
    """Bring a store, keys, files, text or an address; the imports of late."""
    importing.require(principal_for(request))
    if request.method != "POST":
        return _page(request, ImportForm(operators=_operators(request)))
    handler = SealingHandler(request)
    request.upload_handlers = [handler]
    try:
        answer = _sent(request)
    except BaseException:
        uploads.forget(handler.upload)
        raise
    if answer.status_code != 302:
        uploads.forget(handler.upload)
    return answer


@csrf_protect
def _sent(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST, files=request.FILES, operators=_operators(request))
    if form.is_valid():
        with guards.errors_on(form):
            handler: Any = request.upload_handlers[0]
            handler.upload = handler.upload or uploads.begin()
            if text := form.cleaned_data["text"].strip():
                uploads.add(handler.upload, PASTED, text.encode())
            job = import_jobs.begin(
                principal=principal_for(request),
                upload=handler.upload,
                url=form.cleaned_data["url"].strip(),
                under=form.cleaned_data["under"],
            )
            return redirect("importing-job", job.pk)
    return _page(request, form.emptied())


@guards.page()
def job(request: HttpRequest, job_id: int) -> HttpResponse:
    """A plan with what it asks, an import with its report; while one of them runs, how far it is."""
    found = import_jobs.of(principal_for(request), job_id)
    return _job_page(request, found, None)


@guards.page("POST")
def start(request: HttpRequest, job_id: int) -> HttpResponse:
    """Bring in what was planned, as chosen."""
    principal = principal_for(request)
    plan = import_jobs.of(principal, job_id)
    if plan.kind != import_jobs.PLAN or plan.state != JobState.DONE:
        return redirect("importing-job", plan.pk)
    form = ChoicesForm(request.POST, plan=importing_shown.plan_of(plan))
    if form.is_valid():
        with guards.errors_on(form):
            choices = Choices(renames=form.renames(), resign=form.resign(), leave=form.leave())
            started = import_jobs.start(principal=principal, plan=plan, choices=choices)
            return redirect("importing-job", started.pk)
    return _job_page(request, plan, form)


@guards.page("POST")
def discard(request: HttpRequest, job_id: int) -> HttpResponse:
    """Throw away what was uploaded."""
    principal = principal_for(request)
    plan = import_jobs.of(principal, job_id)
    form = VersionForm()
    with guards.errors_on(form):
        import_jobs.discard(principal=principal, plan=plan)
        return htmx.done(request, reverse("importing"), "What was uploaded is gone. Nothing was imported.")
    return redirect("importing-job", plan.pk)


def _page(request: HttpRequest, form: ImportForm) -> HttpResponse:
    context = shown.frame(
        title="Import",
        nav=NAV,
        crumbs=[shown.Crumb(label="Import")],
        form=form,
        recent=importing_shown.recent(import_jobs.of_late(principal_for(request))),
    )
    return htmx.render(request, "identities/importing/index.html", context, status=form.status)


def _job_page(request: HttpRequest, found: Job, form: ChoicesForm | None) -> HttpResponse:
    crumbs = [shown.Crumb(label="Import", url=reverse("importing")), shown.Crumb(label=f"No. {found.pk}")]
    context = {
        **shown.frame(title=importing_shown.title(found), nav=NAV, crumbs=crumbs),
        **importing_shown.outcome(found, form),
        "url": reverse("importing-job", args=[found.pk]),
        "start_url": reverse("importing-start", args=[found.pk]),
        "discard_url": reverse("importing-discard", args=[found.pk]),
    }
    status = 200 if form is None else form.status
    part = "identities/importing/outcome.html"
    return htmx.render(request, "identities/importing/job.html", context, part=part, status=status)


def _operators(request: HttpRequest) -> list[tuple[str, str]]:
    rows = Operator.objects.visible_to(principal_for(request)).live().order_by("name")
    return list(rows.values_list("public_key", "name"))
