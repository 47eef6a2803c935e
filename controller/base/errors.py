"""Exceptions that rules raise instead of doing their work.

Each dialect maps them to its own messages and status codes. The detail is either one
sentence
or a mapping of field names to lists of sentences, says how to fix the problem, and never
contains a secret.
"""

from collections.abc import Mapping, Sequence

Detail = str | Mapping[str, Sequence[str]]

ALL_FIELDS = "__all__"


class Refused(Exception):
    """Request that is understood but invalid: bad values or violated rules."""

    def __init__(self, detail: Detail, *, code: str = "invalid") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code

    @property
    def by_field(self) -> dict[str, list[str]]:
        """Return the detail as field → messages; a single sentence is under ``__all__``."""
        if isinstance(self.detail, str):
            return {ALL_FIELDS: [self.detail]}
        return {field: list(messages) for field, messages in self.detail.items()}

    def __str__(self) -> str:
        return " ".join(text for messages in self.by_field.values() for text in messages)


class Conflict(Refused):
    """Request that the rows' current state forbids: already revoked, being applied."""


CONCURRENT_WRITE_MESSAGE = (
    "Another request wrote the same row at the same moment. Look at it, and try again."
)
"""What a violated constraint means where the rule had checked it before."""


class NotPermitted(Refused):
    """Action that the actor may not perform on a row the actor can see."""


class NotFound(Refused):
    """Row that does not exist or is not visible to the actor."""


class NotAuthenticated(Refused):
    """Missing or invalid credentials."""


class Locked(Refused):
    """Lockout after too many failures; retry after ``retry_after`` seconds."""

    def __init__(self, detail: Detail, *, retry_after: int) -> None:
        super().__init__(detail, code="locked")
        self.retry_after = retry_after


class Unreachable(Refused):
    """Device or service that did not answer, so nothing was changed there."""


class TimedOut(Unreachable):
    """Device or service that did not accept the connection in time."""


class OutcomeUnknown(Refused):
    """Request that reached the device, but without an answer: it may have been executed."""
