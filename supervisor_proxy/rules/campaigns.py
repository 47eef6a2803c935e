"""Updates in waves: a backup before, a look at the device's health after, and the way back.

Every step is a call like any other, recorded as such, and the state of each device stands on
its row: a campaign whose worker died goes on where the rows say.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import NotPermitted, Refused
from controller.celery import enqueue_on_commit
from supervisor_proxy.engine.hassio import BACKUPS_SINCE
from supervisor_proxy.engine.versions import older
from supervisor_proxy.models import CampaignDevice, Supervisor, UpdateCampaign
from supervisor_proxy.rules.call_execution import execute_all
from supervisor_proxy.rules.call_requests import CallJob, match_route, start

RUN = "supervisor_proxy.tasks.run_campaigns"
State = CampaignDevice.State
LEASE = timedelta(hours=4)
STEP_SECONDS = 3 * 3600.0
MOST_DEVICES = 500
TENTH = 10


@transaction.atomic
def start_campaign(
    user: User, supervisors: Sequence[Supervisor], *, organization: Organization,
    name: str, version: str = "",
) -> UpdateCampaign:  # fmt: skip
    """Have Core updated on these devices: one, then a tenth of them, then the rest."""
    if not 1 <= len(supervisors) <= MOST_DEVICES:
        raise Refused({"devices": [f"1 to {MOST_DEVICES} devices are expected."]})
    for row in supervisors:
        if row.flavor != Supervisor.Flavor.HASSIO or row.owner_id != organization.pk:
            raise Refused({"devices": [f"{row.device} is no Home Assistant device there."]})
        for verb in ("act", "backup", "manage"):
            if not user.has_perm_on(f"supervisor:{verb}", row):
                raise NotPermitted(f"It needs supervisor:{verb} on {row.device}.")
    campaign = UpdateCampaign(
        organization=organization, name=name, version=version, user=user
    ).checked()
    campaign.save()
    CampaignDevice.objects.bulk_create(
        CampaignDevice(campaign=campaign, supervisor=row, wave=wave_of(at, len(supervisors)))
        for at, row in enumerate(supervisors)
    )
    enqueue_on_commit(RUN)
    return campaign


def wave_of(place: int, total: int) -> int:
    """0 is the first device alone, 1 the next tenth of all, 2 the rest."""
    if place == 0:
        return 0
    return 1 if place <= max(1, total // TENTH) else 2


def run_due() -> int:
    done = 0
    while (campaign := take()) is not None:
        run(campaign)
        done += 1
    return done


@transaction.atomic
def take() -> UpdateCampaign | None:
    now = timezone.now()
    row: UpdateCampaign | None = (
        UpdateCampaign.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(Q(leased_until=None) | Q(leased_until__lt=now), state="running")
        .order_by("created")
        .first()
    )
    if row is not None:
        row.leased_until = now + LEASE
        row.save(update_fields=["leased_until"])
    return row


def run(campaign: UpdateCampaign) -> None:
    """Wave after wave, until all are done or one was not well."""
    waves = sorted(set(campaign.devices.values_list("wave", flat=True)))
    for wave in waves:
        campaign.wave = wave
        campaign.save(update_fields=["wave", "modified"])
        rows = list(campaign.devices.filter(wave=wave).select_related("supervisor__device"))
        Wave(campaign, rows).run()
        bad = [
            row for row in rows if row.state in {State.FAILED, State.BROKEN, State.ROLLED_BACK}
        ]
        if bad:
            halt(campaign, bad)
            return
    end(campaign, UpdateCampaign.State.DONE, "")


def halt(campaign: UpdateCampaign, bad: Sequence[CampaignDevice]) -> None:
    """The gate: what has not begun does not."""
    campaign.devices.filter(state=State.WAITING).update(
        state=State.LEFT, reason="The campaign was halted before its turn."
    )
    names = ", ".join(str(row.supervisor.device) for row in bad)
    end(campaign, UpdateCampaign.State.HALTED, f"Not well in wave {campaign.wave}: {names}.")


def end(campaign: UpdateCampaign, state: str, reason: str) -> None:
    campaign.state, campaign.reason = state, reason
    campaign.ended, campaign.leased_until = timezone.now(), None
    campaign.save()


class Wave:
    """The devices of one wave, step by step, each step side by side."""

    def __init__(self, campaign: UpdateCampaign, rows: Sequence[CampaignDevice]) -> None:
        if campaign.user is None:
            raise Refused("Who began the campaign is gone.")
        self.campaign, self.rows, self.user = campaign, rows, campaign.user

    def run(self) -> None:
        self.back_up()
        self.update()
        self.check_health()
        self.roll_back()

    def back_up(self) -> None:
        rows = self.those(State.WAITING)
        for row, job in self.ask(rows, "GET", "/core/info"):
            row.before = str(data(job).get("version", ""))
            if not row.before:
                self.move(row, State.FAILED, why(job))
        rows = self.those(State.WAITING)
        for row, job in self.ask(rows, "POST", "/backups/new/partial", of_core):
            row.backup = str(data(job).get("slug", ""))
            if row.backup:
                self.move(row, State.BACKED_UP)
            else:
                self.move(row, State.FAILED, f"No backup was made: {why(job)}")

    def update(self) -> None:
        version = {"version": self.campaign.version} if self.campaign.version else {}
        rows = self.those(State.BACKED_UP)
        for row, job in self.ask(rows, "POST", "/core/update", lambda _: version):
            # Whatever it answered: what counts is how the device is afterwards.
            self.move(row, State.UPDATED, why(job))

    def check_health(self) -> None:
        """Well is: another version than before, Core answers, the supervisor has no complaint."""
        rows = self.those(State.UPDATED)
        found = {row.pk: [job] for row, job in self.ask(rows, "GET", "/core/info")}
        for path in ("/core/stats", "/supervisor/info"):
            for row, job in self.ask(rows, "GET", path):
                found[row.pk].append(job)
        for row in rows:
            info, stats, supervisor = found[row.pk]
            row.after = str(data(info).get("version", ""))
            complaint = ""
            if row.after in {"", row.before} and row.before != self.campaign.version:
                complaint = row.reason or f"Its version is still {row.before}."
            elif not is_good(stats):
                complaint = f"Core does not run: {why(stats)}"
            elif data(supervisor).get("healthy") is False:
                complaint = "Its supervisor calls the system unhealthy."
            self.move(row, State.BROKEN if complaint else State.DONE, complaint)

    def roll_back(self) -> None:
        rows = self.those(State.BROKEN)
        for row, job in self.ask(
            rows, "POST", lambda row: f"/backups/{row.backup}/restore/partial", of_core
        ):
            if is_good(job):
                self.move(row, State.ROLLED_BACK, row.reason)
            else:
                self.move(
                    row, State.BROKEN, f"{row.reason} It could not be restored: {why(job)}"
                )
        restored = self.those(State.ROLLED_BACK)
        for row, job in self.ask(restored, "GET", "/core/info"):
            row.after = str(data(job).get("version", ""))
            row.save()

    # --- how

    def those(self, state: str) -> list[CampaignDevice]:
        return [row for row in self.rows if row.state == state]

    def ask(
        self, rows: Sequence[CampaignDevice], method: str, path: Any, body: Any = None
    ) -> list[tuple[CampaignDevice, CallJob]]:
        made = []
        for row in rows:
            wanted = match_route(
                Supervisor.Flavor.HASSIO, method=method,
                path=path(row) if callable(path) else path,
                data=body(row) if body else None,
            )  # fmt: skip
            made.append((row, start(self.user, row.supervisor, wanted)))
        execute_all([job for _, job in made if job.is_ready], seconds=STEP_SECONDS)
        return made

    def move(self, row: CampaignDevice, state: str, reason: str = "") -> None:
        row.state, row.reason = state, reason
        row.save()


def of_core(row: CampaignDevice) -> dict[str, Any]:
    """What a backup of Core alone is called: a folder once, a part of its own today."""
    if older(row.supervisor.version, BACKUPS_SINCE, unknown=False):
        return {"folders": ["homeassistant"], "addons": []}
    return {"homeassistant": True}


def is_good(job: CallJob) -> bool:
    return job.answer is not None and job.answer.is_good


def data(job: CallJob) -> Mapping[str, Any]:
    value = job.answer.value if is_good(job) and job.answer else None
    found = value.get("data") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def why(job: CallJob) -> str:
    if job.refusal is not None:
        return str(job.refusal)
    if job.answer is None or job.answer.is_good:
        return ""
    value = job.answer.value
    return str(value.get("message", "")) if isinstance(value, dict) else job.answer.text[:200]
