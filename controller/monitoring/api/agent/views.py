"""What a device's agent posts, where it is not taken before Django is entered."""

import time
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from controller.monitoring.rules.reports import Answer, Posted, receive


def take(request: Request, pk: UUID) -> Response:
    """Keep one report and answer as its agent expects: 200 with nothing in it."""
    query = request.query_params
    found: Answer = receive(
        [
            Posted(
                device=pk,
                key=query.get("key", ""),
                body=request.body,
                arrived=time.time(),
                time=query.get("time", ""),
                address=request.META.get("REMOTE_ADDR") or "",
            )
        ]
    )[0]
    answer = Response(found.body, found.status)
    if found.body is None:
        # An agent keeps the body of an answer in a file, and there is none.
        answer.content_type = "text/plain"
    return answer
