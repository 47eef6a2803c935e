"""Search over all models from the admin's menu."""

from operator import attrgetter

from django.contrib.admin import site
from django.http import HttpRequest

from controller.base.admin.pages import admin_url
from controller.base.admin.scoped import ScopedAdmin
from controller.base.admin.unfold import SearchResult

MOST_FOUND = 8


def search_results(request: HttpRequest, term: str) -> list[SearchResult]:
    """Return matches of every admin class with a ``search_rank`` that the user may view."""
    admins = [one for one in site._registry.values() if isinstance(one, ScopedAdmin)]
    results = []
    for model_admin in sorted(admins, key=attrgetter("search_rank")):
        if not (model_admin.search_rank and model_admin.has_view_permission(request)):
            continue
        rows = model_admin.get_queryset(request)
        rows, _ = model_admin.get_search_results(request, rows, term)
        results += [
            SearchResult(
                title=str(row),
                description=str(row._meta.verbose_name).capitalize(),
                link=admin_url(type(row), "change", row.pk),
                icon=model_admin.search_icon,
            )
            for row in rows[:MOST_FOUND]
        ]
    return results
