"""Ways between members, as last reported. They change by themselves and are not audited."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from networks.overlay.models.networks import Node


class PairQuerySet(models.QuerySet[Any]):
    def of_nodes(self, ids: Iterable[int]) -> Self:
        nodes = list(ids)
        return self.filter(Q(low__in=nodes) | Q(high__in=nodes))

    def told(self) -> Self:
        """Filter to the pairs whose ends know of each other."""
        return self.filter(state__in=[Pair.State.TRYING, Pair.State.DIRECT])

    def due(self, now: datetime) -> Self:
        return self.filter(due_at__lte=now)


class Pair(models.Model):
    """Two members that talk to each other, and how."""

    class State(models.TextChoices):
        IDLE = "idle", _("New")
        TRYING = "trying", _("Trying a direct way")
        DIRECT = "direct", _("Direct")
        RELAY = "relay", _("By the relay")

    low = models.ForeignKey(Node, models.CASCADE, related_name="+")
    high = models.ForeignKey(Node, models.CASCADE, related_name="+")
    state = models.CharField(max_length=6, choices=State, default=State.IDLE)
    round = models.PositiveIntegerField(default=0, help_text=_("Number of the current try."))
    started = models.DateTimeField(null=True, help_text=_("Begin of the current try."))
    since = models.DateTimeField(
        null=True, help_text=_("Time of the last change of the state.")
    )
    tries = models.PositiveIntegerField(default=0, help_text=_("Failed tries in a row."))
    next_try = models.DateTimeField(null=True)
    used = models.DateTimeField(help_text=_("Last time that traffic was seen."))
    due_at = models.DateTimeField(null=True, help_text=_("When the pair is looked at next."))
    reason = models.CharField(max_length=24, blank=True)
    signature = models.TextField(blank=True)
    # Evidence of each end: what it says, about which try, when, where, and the round trip.
    low_evidence = models.JSONField(default=dict)
    high_evidence = models.JSONField(default=dict)

    objects = PairQuerySet.as_manager()

    class Meta:
        verbose_name = _("pair of overlay devices")
        constraints = [
            models.UniqueConstraint(fields=["low", "high"], name="pair_once"),
            models.CheckConstraint(condition=Q(low__lt=F("high")), name="pair_low_high"),
        ]
        indexes = [models.Index(fields=["due_at"], name="pair_due")]

    def __str__(self) -> str:
        return f"{self.low} and {self.high}"


class Sighting(models.Model):
    """Address and port at which a relay sees a member's interface for direct ways."""

    node = models.ForeignKey(Node, models.CASCADE, related_name="sightings")
    relay = models.ForeignKey(Node, models.CASCADE, related_name="+")
    endpoint = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "relay"], name="sighted_once")]

    def __str__(self) -> str:
        return f"{self.node} at {self.endpoint}"


class WayMeasures(models.Model):
    """What a member measured last on its direct ways: one row for all its pairs."""

    node = models.OneToOneField(
        Node, models.CASCADE, primary_key=True, related_name="way_measures"
    )
    at = models.DateTimeField()
    # By pair: round trip, loss, age of the handshake, bytes received and sent.
    pairs = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"Measures of {self.node}"
