import io
import re
from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser as BaseParser  # noqa: TID251 - the one that derives from it

UNHOLDABLE = re.compile("[\0\ud800-\udfff]")


class JSONParser(BaseParser):
    """JSON parser that refuses characters databases and answers cannot represent."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        body = stream.read()
        try:
            found = super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        # Such characters come in by escapes only, so most bodies need no scan.
        if b"\\u" in body:
            check(found)
        return found


def check(body: Any) -> None:
    """Raise ValidationError, keyed by member, with DRF's wording for text fields."""
    members = body.items() if isinstance(body, dict) else [("non_field_errors", body)]
    for name, value in members:
        for text in texts(value):
            if found := UNHOLDABLE.search(text):
                raise ValidationError({printable(name): [words(found[0])]})
        if UNHOLDABLE.search(name):
            raise ValidationError({printable(name): [words(name)]})


def words(char: str) -> str:
    if "\0" in char:
        return "Null characters are not allowed."
    return f"Surrogate characters are not allowed: {printable(char)}."


def printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def texts(value: Any) -> Iterator[str]:
    """Yield all strings in a JSON value, including member names."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
