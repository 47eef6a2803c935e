"""Actions of the buttons on a network's page: each returns a message, or a context to show once."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Refused
from controller.devices.models import Device
from networks.overlay import rules
from networks.overlay.admin import graph
from networks.overlay.engine.qr_codes import qr_code
from networks.overlay.models import Member, MemberSubnet, Network
from networks.overlay.rules import join_codes, renewal_links, subnets

Said = str | dict[str, Any]


def _add_device(network: Network, user: User, data: QueryDict) -> Said:
    try:
        device = Device.objects.visible_to(user).get(pk=UUID(data.get("device", "")))
    except (ValueError, Device.DoesNotExist):
        raise Refused(gettext("Choose a device.")) from None
    member = rules.add_device(network, by=user, device=device)
    return gettext("%(name)s is a member; it is configured within seconds.") % {
        "name": member.node.name
    }


def _add_link(network: Network, user: User, data: QueryDict) -> Said:
    rules.add_by_link(network, by=user, link=data.get("link", ""), name=data.get("name", ""))
    return gettext("%(data)s is a member.") % {"data": data.get("name")}


def _add_phone(network: Network, user: User, data: QueryDict) -> Said:
    system = join_codes.LINUX if data.get("system") == join_codes.LINUX else join_codes.APP
    member, text = join_codes.static_member(
        network, by=user, name=data.get("name", ""), system=system
    )
    return {"member": member, "config": text, "qr": qr_code(text), "title": member.node.name}


def _reissue(network: Network, user: User, data: QueryDict) -> Said:
    member = _member(network, data)
    text = join_codes.reissue(member, by=user)
    return {"member": member, "config": text, "qr": qr_code(text), "title": member.node.name}


def _renewal_link(network: Network, user: User, data: QueryDict) -> Said:
    member = _member(network, data)
    path = reverse("renewal", args=[renewal_links.create_link(member, by=user)])
    link = f"{settings.MUSTER_PUBLIC_URL}{path}"
    return {
        "member": member,
        "config": link,
        "is_link": True,
        "qr": qr_code(link),
        "title": member.node.name,
    }


def _end_renewal_link(network: Network, user: User, data: QueryDict) -> Said:
    renewal_links.revoke_link(_member(network, data), by=user)
    return gettext("The link has ended.")


def _member(network: Network, data: QueryDict) -> Member:
    pk = data.get("member", "")
    found = network.members.filter(pk=pk).first() if pk.isdecimal() else None
    if found is None:
        raise Refused(gettext("It is no member any more."))
    return found


def _remove(network: Network, user: User, data: QueryDict) -> Said:
    member = _member(network, data)
    rules.remove_member(member, by=user)
    return gettext("%(name)s has left the network.") % {"name": member.node.name}


def _approve(network: Network, user: User, data: QueryDict) -> Said:
    member = rules.approve(_member(network, data), by=user)
    return gettext("%(name)s is a member.") % {"name": member.node.name}


def _tag(network: Network, user: User, data: QueryDict) -> Said:
    member = _member(network, data)
    rules.update_member(member, by=user, tags=graph.words(data.get("tags", "")))
    return gettext("The tags of %(name)s are stored.") % {"name": member.node.name}


def _add_code(network: Network, user: User, data: QueryDict) -> Said:
    uses = data.get("max_uses", "")
    join_codes.create_code(
        network,
        by=user,
        label=data.get("label", ""),
        max_uses=int(uses) if uses.isdecimal() and len(uses) < len("1000000") else None,
        expires_at=graph.in_days(data.get("days", "")),
        needs_approval=bool(data.get("needs_approval")),
    )
    return gettext("Devices join with the new code from now on.")


def _revoke_code(network: Network, user: User, data: QueryDict) -> Said:
    pk = data.get("code", "")
    code = network.codes.filter(pk=pk).first() if pk.isdecimal() else None
    if code is None:
        raise Refused(gettext("This code is gone already."))
    if code.is_default:
        rules.rotate_code(network, by=user)
        return gettext("The usual code is replaced: the old one lets nobody in any more.")
    join_codes.revoke_code(code, by=user)
    return gettext("The code lets nobody in any more.")


def _add_share(network: Network, user: User, data: QueryDict) -> Said:
    rules.add_share(
        network, by=user, email=data.get("email"), permissions=data.get("permissions")
    )
    return gettext("%(data)s is invited.") % {"data": data.get("email")}


def _remove_share(network: Network, user: User, data: QueryDict) -> Said:
    rules.remove_share(network, by=user, email=data.get("email"))
    return gettext("%(data)s and their devices have left the network.") % {
        "data": data.get("email")
    }


def _add_subnet(network: Network, user: User, data: QueryDict) -> Said:
    row = subnets.add_subnet(
        _member(network, data), by=user, lan=data.get("lan", ""), name=data.get("name", ""),
        masquerade="masquerade" in data,
    )  # fmt: skip
    subnets.approve_subnet(row, by=user, prefix=data.get("prefix", "").strip())
    return gettext("Members reach %(lan)s as the policy allows.") % {"lan": row.lan}


def _subnet(network: Network, data: QueryDict) -> MemberSubnet:
    pk = data.get("subnet", "")
    found = subnets.of_network(network).filter(pk=pk).first() if pk.isdecimal() else None
    if found is None:
        raise Refused(gettext("This subnet is gone already."))
    return found


def _approve_subnet(network: Network, user: User, data: QueryDict) -> Said:
    row = subnets.approve_subnet(
        _subnet(network, data), by=user, prefix=data.get("prefix", "").strip()
    )
    return gettext("Members reach %(lan)s as the policy allows.") % {"lan": row.lan}


def _remove_subnet(network: Network, user: User, data: QueryDict) -> Said:
    row = _subnet(network, data)
    subnets.remove_subnet(row, by=user)
    return gettext("Nobody reaches %(lan)s any more.") % {"lan": row.lan}


def _policy(network: Network, user: User, data: QueryDict) -> Said:
    policy, tests = graph.read_policy(data)
    rules.set_policy(network, by=user, policy=policy, tests=tests)
    return gettext("The policy is stored, and kept within seconds.")


def _refresh(network: Network, user: User, data: QueryDict) -> Said:
    rules.refresh(network)
    return gettext("All members were looked after.")


ACTS: dict[str, Callable[[Network, User, QueryDict], Said]] = {
    "add-device": _add_device,
    "add-link": _add_link,
    "add-phone": _add_phone,
    "reissue": _reissue,
    "renewal-link": _renewal_link,
    "end-renewal-link": _end_renewal_link,
    "remove": _remove,
    "approve": _approve,
    "tag": _tag,
    "add-code": _add_code,
    "revoke-code": _revoke_code,
    "add-share": _add_share,
    "remove-share": _remove_share,
    "add-subnet": _add_subnet,
    "approve-subnet": _approve_subnet,
    "remove-subnet": _remove_subnet,
    "policy": _policy,
    "refresh": _refresh,
}
