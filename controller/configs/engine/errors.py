"""The one refusal every function of this engine raises."""

from __future__ import annotations


class InvalidConfig(ValueError):
    """A configuration which cannot become an archive, worded as OpenWISP users know it.

    `path` points into the merged configuration, such as `#/interfaces/0`; `reason` is the
    explanation alone. The text may quote the configuration: show it, never log it.
    """

    def __init__(self, reason: str, path: str = "#/") -> None:
        self.reason = reason
        self.path = path
        super().__init__(
            f'Invalid configuration triggered by "{path}", validator says:\n\n{reason}'
        )

    def below(self, key: object) -> InvalidConfig:
        """The same refusal, seen from one level further out."""
        rest = self.path.removeprefix("#/")
        return InvalidConfig(self.reason, f"#/{key}/{rest}" if rest else f"#/{key}")
