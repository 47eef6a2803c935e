"""Admin of firmware rollouts: who is reached, progress, and state changes."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    ScopedRelatedFilter,
    action,
    admin_url,
    badge,
    display,
    stacked_bar,
)
from controller.configs.admin.waves import WaveAdmin
from controller.devices.models import Device
from controller.firmware.admin import all_rollouts
from controller.firmware.admin.rollout_forms import (
    BUILD_FIELDS,
    PACKAGE_FIELDS,
    PackageRolloutForm,
    RolloutForm,
)
from controller.firmware.admin.upgrades import row_of
from controller.firmware.engine.options import CHOICES
from controller.firmware.models import FirmwareRollout, Upgrade
from controller.firmware.rules import approvals, post_upgrade_checks, rollouts

State = FirmwareRollout.State
Of = Upgrade.State
VERBS: dict[str, Any] = {
    "approve": approvals.approve_rollout,
    "start": rollouts.start,
    "pause": rollouts.pause,
    "resume": rollouts.resume,
    "stop": rollouts.stop,
    "retry": rollouts.retry_failed,
}
PARTS: list[tuple[tuple[str, ...], str | Promise, str]] = [
    ((Of.CONFIRMED,), _("Installed"), "good"), ((Of.FAILED, Of.ABORTED), _("Failed"), "bad"),
    ((Of.UNKNOWN,), _("Unknown"), "warn"), (tuple(Upgrade.BEFORE), _("Being prepared"), "busy"),
    ((Of.FLASHING, Of.AWAY, Of.BACK), _("Flashing"), "busy"),
    ((Of.LEFT, Of.CANCELLED), _("Left out"), "mute"), ((Of.WAITING,), _("In later waves"), "faint"),
]  # fmt: skip
MOST_SHOWN = 200
ATTENTION = gettext_noop("Needs attention")
TABS: dict[str, tuple[str, ...]] = {
    ATTENTION: (Of.UNKNOWN, Of.FAILED, Of.ABORTED),
    gettext_noop("In progress"): (*Upgrade.BEFORE, Of.FLASHING, Of.AWAY, Of.BACK),
    gettext_noop("Waiting"): (Of.WAITING,),
    gettext_noop("Done"): (Of.CONFIRMED,),
    gettext_noop("Left out"): (Of.LEFT, Of.CANCELLED),
}


def parts_of(rollout: FirmwareRollout) -> list[tuple[tuple[str, ...], str | Promise, str]]:
    """Return the states with their names and tones; packages are not flashed."""
    if not rollout.packages:
        return PARTS
    return [
        (states, _("Installing") if Of.FLASHING in states else label, tone)
        for states, label, tone in PARTS
    ]


def create(**values: Any) -> FirmwareRollout:
    """Create a draft of either kind."""
    if "packages" in values:
        return rollouts.create_package_rollout(**values)
    return rollouts.create_rollout(**values)


@admin.register(FirmwareRollout)
class FirmwareRolloutAdmin(WaveAdmin):
    empty_hint = _("A rollout upgrades devices to a build in waves, a few devices first.")
    resource = "firmware"
    verbs = VERBS
    move_action = "upgrade"
    progress_template = "portal/firmware_rollout.html"
    form = RolloutForm
    create_rule = create
    delete_rule = rollouts.discard
    list_display = ["name", "owner", "status", "begun", "over"]
    list_filter = [("organization", ScopedRelatedFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["build__category", "organization"]
    search_fields = ["build__version", "build__category__name"]
    change_form_template = "admin/firmware/rollout/change_form.html"
    actions_list = ["update_hosts"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("build__category", "organization", "group", "location")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if obj is None and "packages" in request.GET:
            kwargs["form"] = PackageRolloutForm
        form, user = super().get_form(request, obj, **kwargs), request.user
        may_in = staticmethod(lambda owner: user.has_perm_in("firmware:upgrade", owner))  # type: ignore[union-attr]
        return type(form.__name__, (form,), {"may_in": may_in})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            return []
        return PACKAGE_FIELDS if "packages" in request.GET else BUILD_FIELDS

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.all_rollouts)
        return [path("all/", view, name="firmware_all_rollouts"), *super().get_urls()]

    def all_rollouts(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return all_rollouts.page(request, self.admin_site)

    @action(description=_("Update Debian hosts"), icon="deployed_code_update")
    def update_hosts(self, request: HttpRequest) -> HttpResponse:
        """Lead to the form of a rollout of packages."""
        return HttpResponseRedirect(f"{admin_url(FirmwareRollout, 'add')}?packages=")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "upgrade")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and self.may(request, "upgrade")

    @display(description=_("Firmware"))
    def name(self, obj: FirmwareRollout) -> str:
        return obj.cargo

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: FirmwareRollout) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("All"), "busy")

    def page_of(self, request: HttpRequest, rollout: FirmwareRollout) -> dict[str, Any]:
        shows = self.forecast if rollout.is_draft else self.results
        user: Any = request.user
        is_asked = rollout.is_draft and approvals.is_needed(rollout)
        return (
            super().page_of(request, rollout)
            | {
                "chosen": [gettext(CHOICES[one]) for one in rollout.options if one in CHOICES],
                "waits_for_approval": is_asked and rollout.approved_by is None,
                "may_approve": is_asked and user.pk != rollout.author_id,
            }
            | shows(request, rollout)
        )

    def carry_out(self, request: HttpRequest, rollout: Any, do: Any) -> None:
        user: Any = request.user
        if do is approvals.approve_rollout:
            do(rollout, by=user)
        elif do is rollouts.retry_failed:
            do(rollout, author=user)
        else:
            do(rollout)

    def forecast(self, request: HttpRequest, rollout: FirmwareRollout) -> dict[str, Any]:
        """Return the included devices, and the excluded ones with reasons."""
        mine = set(Device.objects.visible_to(request.user).values_list("pk", flat=True))
        found = [one for one in rollouts.candidates(rollout) if one.device.pk in mine]
        rows = [
            {
                "device": one.device,
                "link": admin_url(Device, "change", one.device.pk),
                "image": one.image,
                "reasons": " ".join(why.text for why in one.reasons),
            }
            for one in found
        ]
        reached = [row for row in rows if not row["reasons"]]
        left = [row for row in rows if row["reasons"]]
        return {
            "reached": reached[:MOST_SHOWN],
            "reached_count": len(reached),
            "left": left[:MOST_SHOWN],
            "left_count": len(left),
        }

    def results(self, request: HttpRequest, rollout: FirmwareRollout) -> dict[str, Any]:
        mine = Upgrade.objects.visible_to(request.user).filter(rollout=rollout)
        found = rollouts.by_wave(rollout)
        every = f"{admin_url(Upgrade, 'changelist')}?rollout__id__exact={rollout.pk}"
        parts = [
            {
                "label": label,
                "count": sum(row.get(state, 0) for row in found for state in states),
                "tone": tone,
                "link": every,
            }
            for states, label, tone in parts_of(rollout)
        ]
        tab = request.GET.get("show", "")
        counts = {name: mine.filter(state__in=states).count() for name, states in TABS.items()}
        tab = tab if tab in TABS else next((one for one in TABS if counts[one]), ATTENTION)
        rows = mine.filter(state__in=TABS[tab]).select_related("device")
        rows = rows.order_by("wave", "device__name")
        return {
            "per_wave": [
                {
                    "wave": row["wave"],
                    "total": row["total"],
                    "card": stacked_bar(
                        [
                            {
                                "label": label,
                                "tone": tone,
                                "link": every,
                                "count": sum(row.get(one, 0) for one in states),
                            }
                            for states, label, tone in parts_of(rollout)
                        ]
                    ),
                }
                for row in found
            ],
            "card": stacked_bar(parts),
            "rows": [row_of(row) for row in rows[:MOST_SHOWN]],
            "tabs": [(name, gettext(name), counts[name], name == tab) for name in TABS],
            "retryable": rollouts.retryable(rollout).count(),
            "unit": gettext("devices"),
            "health": post_upgrade_checks.compare(mine),
            "unwell": mine.filter(is_well=False).count(),
        }
