"""What the engine refuses, told per field so that a form can show it where it belongs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

# What the parser raises for bytes that are not what their label says.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    OverflowError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class Rejected(ValueError):
    """Input that cannot become, or be accepted as, a certificate or a key."""

    def __init__(self, errors: Mapping[str, str | list[str]]) -> None:
        self.errors = {
            field: [text] if isinstance(text, str) else list(text)
            for field, text in errors.items()
        }
        super().__init__(
            "; ".join(f"{field}: {' '.join(t)}" for field, t in self.errors.items())
        )


class Collector:
    """Gathers the refusals of several fields, so that one answer names them all."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    @contextmanager
    def field(self) -> Iterator[None]:
        try:
            yield
        except Rejected as rejected:
            for field, texts in rejected.errors.items():
                self.errors.setdefault(field, []).extend(texts)

    def finish(self) -> None:
        if self.errors:
            raise Rejected(self.errors)
