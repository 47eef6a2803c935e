"""What a rule can answer instead of doing its work.

Rules raise these; each dialect kit puts them into its own words and statuses. The detail is
either one sentence or a mapping of field names to lists of sentences, and it says how to put
the matter right. It never holds a secret.
"""

from collections.abc import Mapping, Sequence

Detail = str | Mapping[str, Sequence[str]]

ALL_FIELDS = "__all__"


class Refused(Exception):
    """The request is understood and cannot be done as asked: bad values, broken rules."""

    def __init__(self, detail: Detail, *, code: str = "invalid") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code

    @property
    def by_field(self) -> dict[str, list[str]]:
        """The detail as field → messages; one sentence alone stands under ``__all__``."""
        if isinstance(self.detail, str):
            return {ALL_FIELDS: [self.detail]}
        return {field: list(messages) for field, messages in self.detail.items()}

    def __str__(self) -> str:
        return " ".join(text for messages in self.by_field.values() for text in messages)


class Conflict(Refused):
    """The rows are in a state that forbids it now: already revoked, already applying."""


CONCURRENT_WRITE_MESSAGE = (
    "Another request wrote the same row at the same moment. Look at it, and try again."
)
"""What a violated constraint means where the rule had checked it before."""


class NotPermitted(Refused):
    """The actor can see the row but may not do this to it."""


class NotFound(Refused):
    """There is no such row, or none that the actor may know of."""


class NotAuthenticated(Refused):
    """It is not known, or not proven, who asks."""


class Locked(Refused):
    """Too many failures before; ``retry_after`` seconds from now it can be tried again."""

    def __init__(self, detail: Detail, *, retry_after: int) -> None:
        super().__init__(detail, code="locked")
        self.retry_after = retry_after


class Unreachable(Refused):
    """The device or service did not answer, so nothing was done there."""


class TimedOut(Unreachable):
    """It did not even accept the connection in time."""


class OutcomeUnknown(Refused):
    """The request reached the device, the answer did not come back: it may have been done."""
