"""Update campaigns in waves: backup, update, health check and rollback.

Every step is recorded as an ordinary call, and each device's state is stored on its row, so
another worker can continue a campaign after a crash.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, User
from controller.base.errors import NotPermitted, Refused
from controller.base.leases import LeaseHolder
from controller.celery import enqueue_on_commit
from supervisor_proxy.engine.hassio import BACKUPS_SINCE, progress_of
from supervisor_proxy.engine.versions import older
from supervisor_proxy.models import CAMPAIGNS, CampaignDevice, Supervisor, UpdateCampaign
from supervisor_proxy.rules.call_execution import execute_all
from supervisor_proxy.rules.call_requests import CallJob, match_route, start

RUN = "supervisor_proxy.tasks.run_campaigns"
State = CampaignDevice.State
STEP_SECONDS = 3 * 3600.0
# After so long nobody waits any more for a device that does not say how far it is.
GIVE_UP = timedelta(hours=6)
NOT_FOUND_OUT = "The worker was lost, and the device did not say since how far it is."
GIVEN_UP: dict[str, str] = {
    State.WAITING: State.FAILED, State.BACKED_UP: State.UPDATED, State.BROKEN: State.BROKEN,
}  # fmt: skip

log = logging.getLogger(__name__)


class NotYet(Exception):
    """A device has to be waited for: the campaign goes on a little later."""


MOST_DEVICES = 500
TENTH = 10


@transaction.atomic
def start_campaign(
    user: User, supervisors: Sequence[Supervisor], *, organization: Organization,
    name: str, version: str = "",
) -> UpdateCampaign:  # fmt: skip
    """Start a Core update on these devices: one, then a tenth of them, then the rest."""
    if not 1 <= len(supervisors) <= MOST_DEVICES:
        raise Refused(
            {
                "devices": [
                    gettext("1 to %(most_devices)s devices are expected.")
                    % {"most_devices": MOST_DEVICES}
                ]
            }
        )
    for row in supervisors:
        if row.flavor != Supervisor.Flavor.HASSIO or row.owner_id != organization.pk:
            raise Refused(
                {
                    "devices": [
                        gettext("%(device)s is no Home Assistant device there.")
                        % {"device": row.device}
                    ]
                }
            )
        for verb in ("act", "backup", "manage"):
            if not user.has_perm_on(f"supervisor:{verb}", row):
                raise NotPermitted(
                    gettext("It needs supervisor:%(verb)s on %(device)s.")
                    % {"verb": verb, "device": row.device}
                )
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
    """Return the wave: 0 for the first device, 1 for the next tenth, 2 for the rest."""
    if place == 0:
        return 0
    return 1 if place <= max(1, total // TENTH) else 2


def run_due() -> int:
    """Go on with the campaigns that are due. Returns the number of them."""
    CAMPAIGNS.put_back()
    done = 0
    holder = LeaseHolder(CAMPAIGNS)
    while rows := holder.lease(1, UpdateCampaign.objects.select_related("user")):
        try:
            run(rows[0], holder)
        except NotYet as reason:
            holder.retry(rows[0])
            log.info("Campaign %s waits: %s", rows[0].pk, reason)
        done += 1
    return done


def run(campaign: UpdateCampaign, holder: LeaseHolder[UpdateCampaign]) -> None:
    """Run wave after wave, until all are done or a device was not well."""
    waves = sorted(set(campaign.devices.values_list("wave", flat=True)))
    for wave in waves:
        campaign.wave = wave
        holder.mine.filter(pk=campaign.pk).update(wave=wave)
        rows = list(campaign.devices.filter(wave=wave).select_related("supervisor__device"))
        Wave(campaign, rows, holder).run()
        bad = [
            row for row in rows if row.state in {State.FAILED, State.BROKEN, State.ROLLED_BACK}
        ]
        if bad:
            halt(campaign, bad, holder)
            return
    holder.end(campaign, state=UpdateCampaign.State.DONE, ended=timezone.now())


def halt(
    campaign: UpdateCampaign,
    bad: Sequence[CampaignDevice],
    holder: LeaseHolder[UpdateCampaign],
) -> None:
    """Stop the campaign: devices that have not begun are left as they are."""
    names = ", ".join(str(row.supervisor.device) for row in bad)
    ended = holder.end(
        campaign, state=UpdateCampaign.State.HALTED, ended=timezone.now(),
        reason=f"Not well in wave {campaign.wave}: {names}.",
    )  # fmt: skip
    if ended:
        campaign.devices.filter(state=State.WAITING).update(
            state=State.LEFT, reason="The campaign was halted before its turn."
        )


class Wave:
    """The devices of one wave. Each step runs on all of them in parallel."""

    def __init__(
        self,
        campaign: UpdateCampaign,
        rows: Sequence[CampaignDevice],
        holder: LeaseHolder[UpdateCampaign],
    ) -> None:
        if campaign.user is None:
            raise Refused(gettext("The user who started the campaign was deleted."))
        self.campaign, self.rows, self.user = campaign, rows, campaign.user
        self.holder = holder

    def run(self) -> None:
        self.verify()
        self.back_up()
        self.update()
        self.check_health()
        self.roll_back()

    def verify(self) -> None:
        """Ask the devices of a lost worker how far they are, before anything is repeated."""
        rows = [row for row in self.rows if row.sent is not None]
        works = self.ask(rows, "GET", "/jobs/info")
        infos = self.ask(rows, "GET", "/core/info")
        lists = self.ask(rows, "GET", "/backups")
        for (row, work), (_, info), (_, there) in zip(works, infos, lists, strict=True):
            age = timezone.now() - (row.sent or row.campaign.created)
            if age > GIVE_UP:
                self.move(row, GIVEN_UP[row.state], NOT_FOUND_OUT)
            elif is_at_work(work) or not is_good(info):
                raise NotYet(f"{row.supervisor.device} is at work or does not answer.")
            elif row.state == State.WAITING and (slug := slug_of(row, data(there))):
                row.backup = slug
                self.move(row, State.BACKED_UP)
            elif row.state == State.BACKED_UP and is_updated(row, info):
                self.move(row, State.UPDATED)
            else:
                self.move(row, row.state, row.reason)

    def back_up(self) -> None:
        rows = self.those(State.WAITING)
        for row, job in self.ask(rows, "GET", "/core/info"):
            row.before = str(data(job).get("version", ""))
            if not row.before:
                self.move(row, State.FAILED, why(job))
        rows = self.those(State.WAITING)
        for row, job in self.change(rows, "/backups/new/partial", named):
            row.backup = str(data(job).get("slug", ""))
            if row.backup:
                self.move(row, State.BACKED_UP)
            else:
                self.move(row, State.FAILED, f"No backup was made: {why(job)}")

    def update(self) -> None:
        version = {"version": self.campaign.version} if self.campaign.version else {}
        rows = self.those(State.BACKED_UP)
        for row, job in self.change(rows, "/core/update", lambda _: version):
            # Ignore the answer; the health check decides.
            self.move(row, State.UPDATED, why(job))

    def check_health(self) -> None:
        """Check for a new version, a running Core and no complaint of the supervisor."""
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
                complaint = "The supervisor reports an unhealthy system."
            self.move(row, State.BROKEN if complaint else State.DONE, complaint)

    def roll_back(self) -> None:
        rows = self.those(State.BROKEN)
        for row, job in self.change(
            rows, lambda row: f"/backups/{row.backup}/restore/partial", of_core
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

    # --- helpers

    def those(self, state: str) -> list[CampaignDevice]:
        return [row for row in self.rows if row.state == state]

    def ask(
        self, rows: Sequence[CampaignDevice], method: str, path: Any, body: Any = None,
        *, marks: bool = False,
    ) -> list[tuple[CampaignDevice, CallJob]]:  # fmt: skip
        made = []
        for row in rows:
            wanted = match_route(
                Supervisor.Flavor.HASSIO, method=method,
                path=path(row) if callable(path) else path,
                data=body(row) if body else None,
            )  # fmt: skip
            job = start(self.user, row.supervisor, wanted)
            job.on_send = partial(self.mark_sent, row) if marks else None
            made.append((row, job))
        execute_all(
            [job for _, job in made if job.is_ready],
            seconds=STEP_SECONDS, renew=self.holder.renew, hands_over=False,
        )  # fmt: skip
        return made

    def change(
        self, rows: Sequence[CampaignDevice], path: Any, body: Any
    ) -> Iterator[tuple[CampaignDevice, CallJob]]:
        """Make a call that changes something on each device, once.

        Yields the devices whose turn came. At the end NotYet is raised for the others.
        """
        made = self.ask(rows, "POST", path, body, marks=True)
        waiting = [(row, job) for row, job in made if has_to_wait(job)]
        yield from ((row, job) for row, job in made if not has_to_wait(job))
        if waiting:
            raise NotYet(f"{len(waiting)} devices were busy, or their turn did not come.")

    def mark_sent(self, row: CampaignDevice) -> bool:
        now = timezone.now()
        if not self.holder.mine.filter(pk=self.campaign.pk, leased_until__gte=now).exists():
            return False
        row.sent = now
        return bool(CampaignDevice.objects.filter(pk=row.pk).update(sent=now))

    def move(self, row: CampaignDevice, state: str, reason: str = "") -> None:
        row.state, row.reason, row.sent = state, reason, None
        row.save()


def has_to_wait(job: CallJob) -> bool:
    return job.is_late or (job.refusal is not None and job.refusal.code == "busy")


def is_at_work(job: CallJob) -> bool:
    """Return whether a device says, in its answer to jobs/info, that a job is not done."""
    return job.answer is not None and progress_of(job.answer) is not None


def is_updated(row: CampaignDevice, info: CallJob) -> bool:
    return str(data(info).get("version", "")) not in {"", row.before}


def device_name(row: CampaignDevice) -> str:
    """Return the name of a device's backup, by which it is found there again."""
    return f"Muster before update {row.pk.hex[:8]}"


def slug_of(row: CampaignDevice, told: Mapping[str, Any]) -> str:
    listed = told.get("backups") or told.get("snapshots") or []
    known = [one for one in listed if isinstance(one, dict)]
    slugs = (one.get("slug") for one in known if one.get("name") == device_name(row))
    return str(next(slugs, "") or "")[:64]


def of_core(row: CampaignDevice) -> dict[str, Any]:
    """Return the body of a backup of Core alone. Its format depends on the version."""
    if older(row.supervisor.version, BACKUPS_SINCE, unknown=False):
        return {"folders": ["homeassistant"], "addons": []}
    return {"homeassistant": True}


def named(row: CampaignDevice) -> dict[str, Any]:
    return {"name": device_name(row), **of_core(row)}


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
