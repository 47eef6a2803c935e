"""Health endpoints for probes, without authentication and details."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from controller.base.health import components, queues

UNAVAILABLE = 503


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Return the state of each component; always 200."""
    found = components()
    degraded = [name for name, state in found.items() if state != "healthy"]
    return JsonResponse(
        {
            "status": "degraded" if degraded else "healthy",
            "app": "Muster",
            "timestamp": timezone.now().isoformat(),
            "components": {name: {"status": state} for name, state in found.items()},
        }
    )


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Return 200: this process is alive."""
    return JsonResponse({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Return 200 if all components are healthy, else 503."""
    found = components()
    is_ready = all(state == "healthy" for state in found.values())
    return JsonResponse(
        {
            "status": "ready" if is_ready else "not ready",
            "components": found,
            "queues": queues(),
        },
        status=200 if is_ready else UNAVAILABLE,
    )
