"""Admin pages of overlay networks: members, paths, policy, shares and join codes."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import BooleanField, Count, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.accounts.models import User
from controller.base.admin import RuleAdmin, RuleForm, admin_url, badge, display
from controller.base.errors import Refused
from controller.devices.models import Device
from networks.overlay import rules
from networks.overlay.admin import graph
from networks.overlay.admin.network_actions import ACTS
from networks.overlay.engine.qr_codes import qr_code
from networks.overlay.engine.roles import can
from networks.overlay.models import Member, Network
from networks.overlay.rules import (
    direct_path_status,
    join_codes,
    plans,
    ranges,
    shares,
    subnets,
)
from networks.overlay.rules.members import ownership
from networks.overlay.rules.networks import share_token

MOST_DEVICES = 500


class NetworkForm(RuleForm):
    user: Any = None

    class Meta:
        model = Network
        fields = ["name", "master", "ipv4_range", "has_resolver"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            self.fields.pop("master", None)
            self.fields.pop("ipv4_range", None)
            self.fields.pop("has_resolver", None)
        elif "master" in self.fields:
            rows = self.instance.members.active().select_related("node", "network")
            field: Any = self.fields["master"]
            field.queryset, field.label_from_instance = rows, lambda row: row.node.name

    def apply_rule(self) -> Network:
        values = self.rule_values()
        user: User = self.user
        if self.instance._state.adding:
            return rules.create_network(user, name=values["name"])
        if "master" in values:
            values["master"] = values["master"] and values["master"].pk
        changed = {name: one for name, one in values.items() if name in self.changed_data}
        return rules.update_network(self.row(), by=user, **changed)


@admin.register(Network)
class NetworkAdmin(RuleAdmin):
    empty_hint = _(
        "Members of an overlay network reach each other from anywhere. Create a network, and join devices with its code."
    )
    search_rank = 4
    search_icon = "hub"
    resource = "network"
    form = NetworkForm
    list_display = ["name", "owner", "part", "there", "created"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__username", "members__node__name"]
    ordering = ["name"]
    fields = [("name", "master"), ("ipv4_range", "has_resolver")]
    change_form_template = "admin/networks/network/change_form.html"
    list_before_template = "portal/network_invitations.html"
    delete_rule = staticmethod(lambda _network: None)

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Check the user's role in the network. Every active user may create networks."""
        user: Any = request.user
        if not user.is_authenticated or not user.is_active:
            return False
        if obj is None or obj._state.adding:
            return True
        action: Any = {"read": "see", "update": "change"}.get(verb, verb)
        return can(rules.role_of(user, obj), action) == "yes"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Hide the master field of a new network, which has no members yet."""
        return super().get_fields(request, obj) if obj else ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        user: Any = request.user
        active = Q(members__state=Member.State.ACTIVE)
        return (
            super().get_queryset(request)
            .annotate(
                is_shared=ExpressionWrapper(~Q(owner=user), output_field=BooleanField()),
                member_count=Count("members", filter=active),
                online_count=Count("members", filter=active & Q(members__node__online=True)),
            )
        )  # fmt: skip

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        waiting = [
            {"row": row, "link": reverse("invitation", args=[shares.token_of(row)])}
            for row in rules.waiting_for(as_user(request))
        ]
        return super().changelist_view(request, (extra_context or {}) | {"waiting": waiting})

    @display(description=_("Your role"))
    def part(self, obj: Any) -> str:
        return badge(gettext("Shared with you"), "busy") if obj.is_shared else gettext("Owner")

    @display(description=_("Members"), ordering="member_count")
    def there(self, obj: Any) -> str:
        return (
            gettext("%(online_count)s of %(member_count)s online")
            % {"online_count": obj.online_count, "member_count": obj.member_count}
            if obj.member_count
            else gettext("none")
        )

    def delete_model(self, request: HttpRequest, obj: Network) -> None:
        rules.delete_network(obj, by=as_user(request))

    def deletion_effects(self, obj: Network) -> list[str]:
        return [
            gettext(
                "Its members can no longer reach each other. The devices stay in the inventory."
            )
        ]

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "networks_network"
        return [
            path("<int:pk>/picture/", view(self.picture), name=f"{name}_picture"),
            path("<int:pk>/do/<slug:verb>/", view(require_POST(self.act)), name=f"{name}_do"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        network = kw.get("obj")
        if network is not None:
            context |= self.page_of(request, network)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, network: Network) -> dict[str, Any]:
        user = as_user(request)
        role = rules.role_of(user, network)
        codes = [
            {"row": one, "text": text, "qr": qr_code(text)}
            for one in network.codes.filter(revoked=None)
            if (text := join_codes.join_code(one, plans.relay()))
        ]
        return self.live_part(request, network) | {
            "network": network,
            "role": role,
            "manages": role in {"owner", "admin"},
            "choices": addable(user, network),
            "codes": codes,
            "shares": network.shares.all(),
            "subnets": subnets.of_network(network).select_related("member__node"),
            "leading": network.members.active()
            .select_related("node")
            .order_by("node__name")[:MOST_DEVICES],
            "invitation": share_token(network),
            "policy": graph.policy_rows(network.policy),
            "tests": graph.test_rows(network.policy_tests),
            "default": network.policy.get("default", "allow"),
            "matrix": graph.matrix(network),
            "portal": request.build_absolute_uri("/").rstrip("/"),
            "relay": plans.relay(),
            "conflicts": ranges.conflicts(network, user),
            "lacking": plans.lacking("dnsmasq") if network.has_resolver else [],
        }

    def live_part(self, request: HttpRequest, network: Network) -> dict[str, Any]:
        user = as_user(request)
        return {
            "network": network,
            "mesh": graph.mesh(network),
            "members": [
                {
                    "row": row,
                    "state": graph.state(row),
                    "removable": can(
                        rules.role_of(user, network), "delete_member", whose=ownership(row, user)
                    ) == "yes",
                }
                for row in network.members.select_related("node__device", "node__owner", "network")
                .defer("node__private_key")
                .order_by("node__name")[:MOST_DEVICES]
            ],
            "manages": rules.role_of(user, network) in {"owner", "admin"},
            "ways": direct_path_status.describe(
                list(direct_path_status.pairs_of(network)[: direct_path_status.MOST_SHOWN])
            ),
        }  # fmt: skip

    def picture(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Render the live part of the page (drawing and members) for polling."""
        network = self.row_for(request, str(pk), "read")
        return render(request, "portal/mesh.html", self.live_part(request, network))

    def act(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        network = self.row_for(request, str(pk), "read")
        back = HttpResponseRedirect(admin_url(Network, "change", network.pk))
        do = ACTS.get(verb)
        if do is None:
            return back
        try:
            said = do(network, as_user(request), request.POST)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return back
        if isinstance(said, str):
            self.message_user(request, said)
            return back
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "network": network,
        }
        response = TemplateResponse(request, "portal/phone.html", context | said)
        response["Cache-Control"] = "no-store"
        return response


def as_user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - the admin's pages are for users
    return request.user


def addable(user: User, network: Network) -> list[Device]:
    """Return devices the user may configure that are not members (MOST_DEVICES)."""
    rows = Device.objects.visible_to(user, "device:update").filter(is_deactivated=False)
    inside = network.members.filter(node__device__isnull=False).values("node__device")
    return list(rows.filter(config__isnull=False).exclude(pk__in=inside).order_by("name")[:MOST_DEVICES])  # fmt: skip
