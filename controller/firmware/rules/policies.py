"""Policies of organizations for upgrades, and the keys that they trust."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from controller.base import object_store
from controller.base.errors import NotPermitted, Refused
from controller.base.leases import for_each
from controller.celery import enqueue_on_commit
from controller.firmware.engine.images import inspect
from controller.firmware.engine.options import Options
from controller.firmware.engine.signatures import PublicKey, read_public_key
from controller.firmware.models import FirmwarePolicy, Image, TrustedKey
from controller.firmware.rules.image_storage import local_file


def policy_of(organization_id: UUID | None) -> FirmwarePolicy:
    """Return the policy of an organization; the default, unsaved, if it has none."""
    found = FirmwarePolicy.objects.filter(organization=organization_id).first()
    return found or FirmwarePolicy()


def create_policy(**values: Any) -> FirmwarePolicy:
    row = FirmwarePolicy(**values).checked()
    row.save()
    return row


def update_policy(row: FirmwarePolicy, **values: Any) -> FirmwarePolicy:
    for name, value in values.items():
        setattr(row, name, value)
    row.checked().save()
    return row


def check_switches(options: Options, organization_id: UUID) -> None:
    """Raise NotPermitted for switches that the organization does not allow."""
    wanted = "stop_services" in options.switches
    if wanted and not policy_of(organization_id).may_stop_services:
        raise NotPermitted(
            gettext("The organization does not allow that services are stopped.")
        )


def trusted_keys(organization_id: UUID | None) -> list[PublicKey]:
    """Return the keys trusted for images of an organization: its own, and those of all."""
    rows = TrustedKey.objects.filter(Q(organization=None) | Q(organization=organization_id))
    lines = [*settings.MUSTER_FIRMWARE_KEYS, *rows.values_list("public_key", flat=True)]
    return [read_public_key(line) for line in lines]


@transaction.atomic
def add_key(**values: Any) -> TrustedKey:
    """Add a trusted key, and verify the signatures of stored images again."""
    row = TrustedKey(**values).checked()
    known = {one.id for one in trusted_keys(row.organization_id)}
    if read_public_key(row.public_key).id in known:
        raise Refused({"public_key": [gettext("A key with this id is trusted already.")]})
    row.save()
    _judge_images(row.organization_id, Image.Signature.UNKNOWN_KEY)
    return row


@transaction.atomic
def remove_key(row: TrustedKey) -> None:
    """Remove a trusted key, and verify the signatures of stored images again."""
    owner = row.organization_id
    row.delete()
    _judge_images(owner, Image.Signature.VALID)


def _judge_images(owner: UUID | None, signature: str) -> None:
    rows = Image.objects.select_related("build__category").filter(signature=signature)
    for image in rows.filter(build__category__organization=owner) if owner else rows:
        judge_signature(image)
    if object_store.is_set():
        enqueue_on_commit("controller.firmware.tasks.judge_signatures")


def judge_signature(image: Image) -> None:
    """Verify the signature of a stored image with the keys that are trusted now.

    Without its file on this machine, no key is known until judge_waiting has fetched it.
    """
    if image.path.exists():
        keys = trusted_keys(image.build.category.organization_id)
        image.signature = inspect(image.path, keys).signature.value
    elif object_store.is_set():
        image.signature = Image.Signature.UNKNOWN_KEY
    else:
        return
    image.save(update_fields=["signature", "modified"])


def judge_waiting() -> int:
    """Judge images of the object store whose key was not known. Returns their number."""
    if not object_store.is_set():
        return 0
    rows = Image.objects.select_related("build__category")
    return for_each(
        rows.filter(signature=Image.Signature.UNKNOWN_KEY).order_by("pk"),
        _fetch_and_judge,
        name="judge_signatures",
    )


def _fetch_and_judge(image: Image) -> None:
    local_file(image)
    judge_signature(image)
