# The portal: web, worker and beat are the same image with another command.
FROM debian:bookworm-slim AS build
RUN apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv
COPY requirements.lock /muster/
RUN python3 -m venv /muster/.venv && /muster/.venv/bin/pip install --no-cache-dir --require-hashes -r /muster/requirements.lock

FROM debian:bookworm-slim
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends python3 libsqlite3-mod-spatialite gdal-bin \
        ieee-data gettext tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/muster muster
COPY --from=build /muster/.venv /muster/.venv
COPY . /muster
WORKDIR /muster
ENV PATH=/muster/.venv/bin:$PATH PYTHONUNBUFFERED=1 LOG_FORMAT=json \
    MUSTER_DATA_DIR=/var/lib/muster MUSTER_STATIC_DIR=/muster/static.collected
RUN script/translate compile
# These files hold no secrets, but the settings want some to start at all.
RUN SECRET_KEY=only-to-collect-files MUSTER_ENCRYPTION_KEYS=only-to-collect-files \
    MUSTER_DATA_DIR=/tmp/data python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf /tmp/data
USER muster
VOLUME /var/lib/muster
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8000/health/live', headers={'Host': os.environ['ALLOWED_HOSTS'].split(',')[0]}))"]
CMD ["granian", "--interface", "asgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--respawn-failed-workers", "--no-access-log", "controller.asgi:application"]
