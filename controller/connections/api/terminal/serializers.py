from rest_framework import serializers

from controller.accounts.api.serializers import VisibleRelatedField
from controller.connections.models import Terminal
from controller.devices.models import Device


class TerminalSerializer(serializers.ModelSerializer[Terminal]):
    """A terminal. The ticket is only returned on creation."""

    device = VisibleRelatedField(queryset=Device.objects.all())
    reason = serializers.CharField(max_length=200)
    ticket = serializers.SerializerMethodField()

    class Meta:
        model = Terminal
        fields = [
            "id", "device", "reason", "ticket", "state", "actor", "address", "opened", "closed",
            "closed_because", "created",
        ]  # fmt: skip
        read_only_fields = [
            "state", "actor", "address", "opened", "closed", "closed_because", "created",
        ]  # fmt: skip

    def get_ticket(self, row: Terminal) -> str | None:
        """Return the ticket of a terminal that was just made; it is told once."""
        return getattr(row, "ticket", None)
