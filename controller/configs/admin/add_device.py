"""Pages that add a device: choose a kind, connect, watch the first push."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization
from controller.base.admin import RuleAdmin, admin_url
from controller.base.archive import unpacked
from controller.base.errors import Refused
from controller.configs.admin.add_device_form import ADD, SshDeviceForm
from controller.configs.models import Config, Push, Snapshot
from controller.configs.rules.device_onboarding import add_ssh_device
from controller.connections.models import DeviceConnection
from controller.connections.rules.connection_test import ConnectionReport, check_connection
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from controller.devices.rules import settings_of

LATEST = 5


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A kind of device, with the page that adds it."""

    key: str
    title: str | Promise
    text: str | Promise
    icon: str
    view: str = ""
    permission: str = ADD
    strategy: str = ""

    @property
    def url(self) -> str:
        view = self.view or f"devices_device_add_{self.key}"
        try:
            return reverse(f"admin:{view}")
        except NoReverseMatch:
            return ""


KINDS = (
    DeviceKind(
        "ssh", _("Linux host over SSH"),
        _("Debian, Ubuntu, Alpine and others. The portal signs in and writes files. "
        "Nothing is installed."),
        "terminal", strategy=DeviceConnection.Strategy.LINUX_FILES,
    ),
    DeviceKind(
        "agent", _("OpenWrt with its agent"),
        _("The device calls the portal, so this works behind NAT. You paste one command."),
        "router",
    ),
    DeviceKind(
        "uci", _("OpenWrt without an agent"),
        _("The portal signs in over SSH and sets UCI. Nothing is installed."),
        "router", strategy=DeviceConnection.Strategy.OPENWRT_UCI,
    ),
    DeviceKind(
        "appliance", _("balena or Home Assistant"),
        _("The portal calls the supervisor of the device, directly or through its add-on."),
        "developer_board", "supervisor_proxy_supervisor_add", "supervisor:create",
    ),
    DeviceKind(
        "gateway", _("Gateway of a vendor"),
        _("MikroTik, OPNsense, pfSense, UniFi, Omada or Proxmox, through its API."),
        "security", "networks_gateway_add", "gateway:create",
    ),
    DeviceKind(
        "scan", _("Find devices on a network"),
        _("Scan addresses, then choose which of the devices found to add."),
        "radar", "discovery_scan_add", "discovery:run",
    ),
)  # fmt: skip
BY_SSH = {kind.key: kind for kind in KINDS if kind.strategy}


class AddsDevices(RuleAdmin):
    """Device admin with a page for each kind of device."""

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_plain = request.GET or request.method != "GET"
        if is_plain or not self.has_add_permission(request):
            return super().add_view(request, *args, **kwargs)
        return self.add_page(request, "choose.html", {"kinds": self.kinds_of(request)})

    def kinds_of(self, request: HttpRequest) -> list[DeviceKind]:
        user: Any = request.user
        return [one for one in KINDS if one.url and user.has_perm_anywhere(one.permission)]

    def add_page(self, request: HttpRequest, name: str, more: dict[str, Any]) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": gettext("Add a device"),
            "crumb": gettext("Add a device"),
            "opts": self.opts,
        }
        response = TemplateResponse(request, f"admin/devices/device/{name}", context | more)
        response["Cache-Control"] = "no-store"
        return response

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        by_ssh = [
            path(
                f"add/{key}/", view(self.ssh_view), {"key": key},
                name=f"devices_device_add_{key}",
            )
            for key in BY_SSH
        ]  # fmt: skip
        return [
            *by_ssh,
            path("add/agent/", view(self.agent_view), name="devices_device_add_agent"),
            path(
                "add/agent/arrived/", view(self.arrived_view),
                name="devices_device_add_agent_arrived",
            ),
            path(
                "<uuid:pk>/first-push/", view(self.first_push_view),
                name="devices_device_first_push",
            ),
            *super().get_urls(),
        ]  # fmt: skip

    # --- SSH

    def ssh_view(self, request: HttpRequest, key: str) -> HttpResponse:
        """Test the address and login, and add the device if the test passes."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        kind, report = BY_SSH[key], None
        form = SshDeviceForm(request.POST or None, user=request.user)
        if request.method == "POST" and form.is_valid():
            try:
                report = tested(form, kind, skips="_untested" in request.POST)
                if "_test" not in request.POST and (
                    report.is_ok or "_untested" in request.POST
                ):
                    device = added(form, kind, report)
                    done = reverse("admin:devices_device_first_push", args=[device.pk])
                    return HttpResponseRedirect(done)
            except Refused as error:
                form.refuse(error)
        more = {"kind": kind, "form": form, "report": report, "place": form.place_fields()}
        return self.add_page(request, "add_ssh.html", more)

    # --- first push

    def first_push_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        device = self.row_for(request, str(pk), "read")
        context = {"device": device, "steps": first_steps(device)}
        context["is_done"] = not any(step["is_open"] for step in context["steps"])
        if "part" in request.GET:
            return render(request, "portal/first_push.html", context)
        return self.add_page(
            request,
            "first_push.html",
            context | {"title": gettext("%(device)s is added") % {"device": device.name}},
        )

    # --- agent

    def agent_view(self, request: HttpRequest) -> HttpResponse:
        """Show the command that installs the agent and points it at the portal."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        user: Any = request.user
        owners = [
            one for one in Organization.objects.visible_to(user)
            if user.has_perm_in(ADD, one.pk) and user.has_perm_in("organization:secret", one.pk)
        ]  # fmt: skip
        portal = settings.MUSTER_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
        wanted = request.GET.get("organization")
        chosen = next((one for one in owners if str(one.pk) == wanted), None)
        chosen = chosen or (owners[0] if owners else None)
        context = {
            "owners": owners,
            "chosen": chosen,
            "settings_url": admin_url(Organization, "change", chosen.pk) if chosen else "",
            "registers": bool(chosen) and settings_of(chosen).registration_enabled,  # type: ignore[arg-type]
            "command": agent_command(chosen, portal) if chosen else "",
            "portal": portal,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return self.add_page(request, "add_agent.html", context)

    def arrived_view(self, request: HttpRequest) -> HttpResponse:
        """Render the devices that have registered since the page was opened."""
        try:
            since = datetime.fromisoformat(request.GET.get("since", ""))
        except ValueError:
            since = datetime.now(UTC)
        if since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        rows = self.get_queryset(request).filter(created__gte=since).order_by("-created")
        return render(request, "portal/arrived.html", {"rows": rows[:LATEST]})


def tested(form: SshDeviceForm, kind: DeviceKind, *, skips: bool) -> ConnectionReport:
    """Return the report of the test; an empty one if the user skips it."""
    offered, _ = form.login()
    if skips:
        return ConnectionReport()
    return check_connection(form.target(), offered, kind.strategy)


def added(form: SshDeviceForm, kind: DeviceKind, report: ConnectionReport) -> Device:
    values = form.cleaned_data
    return add_ssh_device(
        by=form.user, login=form.login()[1], report=report, strategy=kind.strategy,
        port=values["port"], templates=list(values.get("templates") or ()),
        example=bool(values.get("example")), **form.device_values(),
    )  # fmt: skip


def agent_command(organization: Organization, portal: str) -> str:
    """Return the shell command that connects an OpenWrt device to this organization."""
    secret = settings_of(organization).shared_secret
    return "\n".join(
        (
            "{ command -v apk >/dev/null && apk update && apk add openwisp-config; } ||",
            "    { opkg update && opkg install openwisp-config; }",
            f"uci set openwisp.http.url='{portal}'",
            f"uci set openwisp.http.shared_secret='{secret}'",
            "uci commit openwisp && /etc/init.d/openwisp-config restart",
        )
    )


def first_steps(device: Device) -> list[dict[str, Any]]:
    """Return the steps from the new device to its applied configuration."""
    config: Config | None = Config.objects.filter(device=device).first()
    push = Push.objects.filter(config__device=device).first()
    steps = [step(gettext("Device added"), relative_time(device.created))]
    if config is None or config.desired is None:
        return [
            *steps,
            step(
                gettext("No configuration"), gettext("Choose templates on the device's page.")
            ),
        ]
    steps.append(step(gettext("Configuration prepared"), prepared(config.desired)))
    if config.status == Config.Status.APPLIED:
        return [
            *steps,
            step(gettext("Pushed")),
            step(gettext("Applied"), gettext("The device has its configuration.")),
        ]
    if config.status == Config.Status.ERROR:
        reason = config.render_error or config.error_reason
        return [*steps, step(gettext("Not applied"), reason, state="bad")]
    if push is None:
        waits = gettext("The device has no working connection, so nothing is pushed.")
        return [*steps, step(gettext("Not pushed"), waits, state="bad")]
    if push.reason and push.state == Push.State.QUEUED:
        return [
            *steps,
            step(gettext("Waiting for the next attempt"), push.reason, is_open=True),
        ]
    sending = push.state == Push.State.APPLYING
    return [
        *steps,
        step(gettext("Pushing") if sending else gettext("Waiting for a worker"), is_open=True),
        step(gettext("Applied"), state="later"),
    ]


def prepared(snapshot: Snapshot) -> str:
    count = len(list(unpacked(bytes(snapshot.archive))))
    return (
        f"{count} file{'s'[: count != 1]}"
        if count
        else gettext("No template is chosen: no files.")
    )


def step(
    title: str, text: str = "", *, state: str = "good", is_open: bool = False
) -> dict[str, Any]:
    return {
        "title": title, "text": text, "state": "busy" if is_open else state, "is_open": is_open
    }  # fmt: skip
