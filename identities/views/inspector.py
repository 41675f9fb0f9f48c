"""The inspector: any JWT or creds file, decoded and judged; nothing is stored."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters

from identities.forms.inspector import InspectorForm
from identities.lookup import principal_for
from identities.services import clock, inspection
from identities.views import guards, htmx, inspector_shown, shown


@sensitive_post_parameters()
@guards.page("GET", "POST")
def inspector(request: HttpRequest) -> HttpResponse:
    """Show what a pasted or uploaded JWT says, who stands behind it, and what is wrong with it."""
    principal = principal_for(request)
    now = clock.unix()
    form = InspectorForm(request.POST, files=request.FILES) if request.method == "POST" else InspectorForm()
    found = None
    if form.is_valid():
        with guards.errors_on(form):
            text = form.cleaned_data["text"]
            found = inspection.inspect(principal=principal, text=text, now=now)
    context = shown.frame(
        title="Inspector",
        nav="inspector",
        crumbs=[shown.Crumb(label="Inspector")],
        form=form.emptied(),
        found=inspector_shown.shown_inspection(found, now) if found else None,
    )
    return htmx.render(request, "identities/inspector/index.html", context, status=form.status)
