import json
from typing import Any

import orjson
from rest_framework.renderers import JSONRenderer as BaseRenderer
from rest_framework.utils.encoders import JSONEncoder


class JSONRenderer(BaseRenderer):
    """JSON renderer using orjson: same output except spacing, several times faster."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        if data is None:
            return b""
        indent = self.get_indent(accepted_media_type or "", renderer_context or {})
        try:
            return orjson.dumps(
                data,
                default=JSONEncoder().default,
                option=orjson.OPT_NON_STR_KEYS
                | orjson.OPT_UTC_Z
                | (orjson.OPT_INDENT_2 if indent else 0),
            )
        except orjson.JSONEncodeError:
            # An error that repeats half a surrogate pair from a form.
            return json.dumps(data, cls=JSONEncoder, indent=indent).encode()
