"""Site of the admin: django-unfold's, with a menu that costs little on each page.

unfold compares every link of the menu with every tab, resolves the address of the index for each,
and collects the permissions on all models for a list of apps that the theme never shows: together
a third of the time of a page. What is shown stays the same.
"""

from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qs, urlparse

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from unfold.sites import UnfoldAdminSite

Query = dict[str, list[str]]


@lru_cache(maxsize=1024)
def _parsed(link: str) -> tuple[str, Query]:
    parts = urlparse(link)
    return parts.path, parse_qs(parts.query)


class PortalAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        build = super().get_app_list
        return SimpleLazyObject(lambda: build(request, app_label))

    @cached_property
    def _index_path(self) -> str:
        return reverse(f"{self.name}:index")

    def _get_is_active(self, request: HttpRequest, link: Any, is_tab: bool = False) -> bool:  # noqa: FBT001, FBT002 - unfold's signature
        path, query = _parsed(str(link))
        if path == self._index_path:
            return request.path == path
        if not path or path not in request.path:
            return False
        if not is_tab or not query:
            return True
        asked = parse_qs(request.GET.urlencode())
        return all(asked.get(name) == value for name, value in query.items())

    @cached_property
    def _neighbors(self) -> dict[str, list[str]]:
        """The other tabs beside each tab, by links; computed links belong to no menu entry."""
        found: dict[str, list[str]] = {}
        for tab in self._get_config("TABS") or []:
            links = [str(one["link"]) for one in tab["items"] if not callable(one["link"])]
            for link in links:
                found.setdefault(link, []).extend(one for one in links if one != link)
        return found

    def _get_is_tab_active(self, request: HttpRequest, tabs: Any, link: Any) -> bool:
        del tabs  # the same on every page
        return any(
            self._get_is_active(request, one) for one in self._neighbors.get(str(link), ())
        )
