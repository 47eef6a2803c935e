"""Sites and site grants."""

import ipaddress
import json
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext

from controller.accounts.models import Membership, Organization, Site, SiteGrant
from controller.accounts.rules.ranks import By, check_can_grant_site
from controller.base.errors import Conflict, Refused

MOST_SUBNETS = 200
LARGEST_SETTINGS = 32 * 1024
HIGHEST_VLAN = 4094


def create_site(*, organization: Organization, **values: Any) -> Site:
    """Create a site; raise Conflict if its slug is taken in the organization."""
    site = Site(organization=organization, **values)
    return _saved(site)


def update_site(site: Site, **values: Any) -> Site:
    for name, value in values.items():
        setattr(site, name, value)
    return _saved(site)


def _saved(site: Site) -> Site:
    _check_subnets(site.subnets)
    if not isinstance(site.settings, dict) or len(json.dumps(site.settings)) > LARGEST_SETTINGS:
        raise Refused({"settings": [gettext("A JSON object of at most 32 KiB is expected.")]})
    twins = Site.objects.filter(organization=site.organization, slug=site.slug)
    if twins.exclude(pk=site.pk).exists():
        raise Conflict(gettext("A site with this slug exists already."))
    site.checked().save()
    return site


def _check_subnets(subnets: Any) -> None:
    if not isinstance(subnets, list) or len(subnets) > MOST_SUBNETS:
        raise Refused(
            {
                "subnets": [
                    gettext("A list of at most %(most_subnets)s is expected.")
                    % {"most_subnets": MOST_SUBNETS}
                ]
            }
        )
    for one in subnets:
        if not isinstance(one, dict):
            raise Refused(
                {"subnets": [gettext('Each is an object, as in {"cidr": "10.0.0.0/24"}.')]}
            )
        try:
            # As text: ip_network would convert a number to an address.
            network = ipaddress.ip_network(str(one.get("cidr", "")), strict=False)
        except ValueError as error:
            raise Refused({"subnets": [str(error)]}) from error
        if (
            network.prefixlen == 0
            or "/" not in str(one["cidr"])
            or network.is_multicast
            or network.is_loopback
        ):
            raise Refused(
                {
                    "subnets": [
                        gettext("%(network)s is nothing that a site can have.")
                        % {"network": network}
                    ]
                }
            )
        vlan = one.get("vlan_id")
        if vlan is not None and not (isinstance(vlan, int) and 1 <= vlan <= HIGHEST_VLAN):
            raise Refused(
                {
                    "subnets": [
                        gettext("A VLAN is a number from 1 to %(highest_vlan)s.")
                        % {"highest_vlan": HIGHEST_VLAN}
                    ]
                }
            )


@transaction.atomic
def delete_site(site: Site) -> None:
    """Delete a site; raise Conflict while devices are in it."""
    try:
        site.delete()
    except ProtectedError as error:
        raise Conflict(
            gettext("Move the devices of this site elsewhere, then delete it.")
        ) from error


@transaction.atomic
def grant(membership: Membership, site: Site, level: str, *, by: By) -> SiteGrant:
    """Grant a member read, write or full access to a site."""
    if site.organization_id != membership.organization_id:
        raise Refused({"site": [gettext("The site is of another organization.")]})
    check_can_grant_site(by, membership.role, site, level)
    row = SiteGrant.objects.filter(membership=membership, site=site).first()
    row = row or SiteGrant(membership=membership, site=site)
    row.level = level
    row.checked().save()
    return row


def revoke_grant(row: SiteGrant, *, by: By) -> None:
    check_can_grant_site(by, row.membership.role, row.site, row.level)
    row.delete()
