"""Errors of the engine, by field, so that forms and APIs can assign them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

# Exceptions of the parser on malformed input.
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
    """Input that is invalid as a certificate or key, with messages by field."""

    def __init__(self, errors: Mapping[str, str | list[str]]) -> None:
        self.errors = {
            field: [text] if isinstance(text, str) else list(text)
            for field, text in errors.items()
        }
        super().__init__(
            "; ".join(f"{field}: {' '.join(t)}" for field, t in self.errors.items())
        )


class Collector:
    """Collects the errors of several fields to raise them together."""

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
