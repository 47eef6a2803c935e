"""Saved filters: save, share with an organization, delete."""

from urllib.parse import parse_qsl, urlencode

from django.utils.translation import gettext

from controller.accounts.models import Organization, SavedFilter, User
from controller.base.errors import Conflict, NotPermitted, Refused

# Page number and popup parameters do not affect which rows are shown.
LEFT_OUT = {"p", "e", "all", "_popup", "_to_field", "_changelist_filters", "_facets"}
MOST = 30
SHARE = "filter:share"


def canonical(query: str) -> str:
    """Return the query string without irrelevant parameters, sorted."""
    pairs = parse_qsl(query)
    return urlencode(sorted((name, value) for name, value in pairs if name not in LEFT_OUT))


def save_filter(
    user: User, *, page: str, name: str, query: str, organization: Organization | None = None
) -> SavedFilter:
    """Save a list's filters; with an organization, shared with its members."""
    if organization is not None and not user.has_perm_in(SHARE, organization.pk):
        raise NotPermitted(
            gettext("Your role in %(organization)s does not permit this.")
            % {"organization": organization}
        )
    kept = canonical(query)
    if not kept:
        raise Refused(gettext("Filter, search or sort the list first: this shows all of it."))
    if SavedFilter.objects.filter(user=user, page=page).count() >= MOST:
        raise Conflict(
            gettext("You have %(most)s filters on this list, which is the most. Delete one.")
            % {"most": MOST}
        )
    row = SavedFilter(user=user, page=page, name=name, query=kept, organization=organization)
    row.checked().save()
    return row


def may_delete(user: User, row: SavedFilter) -> bool:
    """Return whether the user owns the filter or manages its organization."""
    shared = row.organization_id is not None
    return row.user_id == user.pk or (
        shared and user.has_perm_in("organization:update", row.organization_id)
    )


def delete_filter(row: SavedFilter) -> None:
    row.delete()
