# The desk in one image; the same image is web, worker and release (see docker-compose.yml and docs/deploy.md).
FROM python:3.11-slim AS made
WORKDIR /desk
COPY requirements.txt .
# The base's pip installs into it: the image that runs needs none.
RUN python -m venv --without-pip /venv \
    && python -m pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY . .
# Nothing can be written beside the code later, and compiling it at each start takes seconds.
RUN python -m compileall -q --invalidation-mode unchecked-hash .

FROM python:3.11-slim
RUN groupadd --gid 10001 balcao \
    && useradd --uid 10001 --gid balcao --home-dir /data --no-create-home --shell /usr/sbin/nologin balcao \
    && install -d -m 700 -o balcao -g balcao /data
COPY --from=made /venv /venv
COPY --from=made /desk /desk
WORKDIR /desk
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APP_ENV=production \
    HOST=0.0.0.0 \
    PORT=5000 \
    INSTANCE_DIR=/data
USER balcao
# No VOLUME: Railway refuses it. Whoever runs the image mounts /data.
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["gunicorn", "main:app", "-c", "gunicorn.conf.py"]
