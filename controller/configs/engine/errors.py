"""The exception raised by all functions of this engine."""

from __future__ import annotations


class InvalidConfig(ValueError):
    """Configuration that cannot become an archive, with messages in OpenWISP's wording.

    `path` points into the merged configuration, such as `#/interfaces/0`; `reason` is the
    explanation alone. The message may quote the configuration: show it, never log it.
    """

    def __init__(self, reason: str, path: str = "#/") -> None:
        self.reason = reason
        self.path = path
        super().__init__(
            f'Invalid configuration triggered by "{path}", validator says:\n\n{reason}'
        )

    def below(self, key: object) -> InvalidConfig:
        """Return the same error with its path prefixed by `key`."""
        rest = self.path.removeprefix("#/")
        return InvalidConfig(self.reason, f"#/{key}/{rest}" if rest else f"#/{key}")
