"""Error pages of the portal, for people; each dialect has errors of its own for programs."""

from typing import Any

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from controller.base.request_context import current_context

SIGNED_IN, SIGNED_OUT = "admin/base_site.html", "unfold/layouts/unauthenticated.html"


def error_page(request: HttpRequest, status: int, title: str, explanation: str) -> HttpResponse:
    """Return a page of the portal with the way back to the list of the same kind."""
    context: dict[str, Any] = {"title": title, "explanation": explanation, "layout": SIGNED_OUT}
    user: Any = getattr(request, "user", None)
    if user is not None and user.is_active and user.is_staff:
        context |= site.each_context(request) | {"layout": SIGNED_IN, "title": title}
        context |= list_of(request)
    return render(request, "portal/error_page.html", context, status=status)


def list_of(request: HttpRequest) -> dict[str, Any]:
    """Return address and name of the list that the requested address belongs to, if any."""
    parts = request.path_info.strip("/").split("/")
    for model, model_admin in site._registry.items():
        meta = model._meta
        if parts[1:3] == [meta.app_label, meta.model_name]:
            if not model_admin.has_view_permission(request):
                return {}
            address = f"/admin/{meta.app_label}/{meta.model_name}/"
            return {"list_url": address, "list_name": meta.verbose_name_plural}
    return {}


def server_error_page() -> HttpResponse:
    page = loader.render_to_string("500.html", {"request_id": current_context().request_id})
    return HttpResponse(page, status=500)
