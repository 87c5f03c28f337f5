# The desk in one image; the same image is web, worker and release (see docker-compose.yml and docs/deploy.md).
FROM python:3.11-slim AS packages
WORKDIR /packages
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim
RUN groupadd --system --gid 10001 balcao \
    && useradd --system --uid 10001 --gid balcao --home-dir /data --no-create-home balcao \
    && install -d -o balcao -g balcao /data
COPY --from=packages /venv /venv
WORKDIR /desk
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APP_ENV=production \
    HOST=0.0.0.0 \
    PORT=5000 \
    INSTANCE_DIR=/data
USER balcao
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=4)"]
CMD ["gunicorn", "main:app", "-c", "gunicorn.conf.py"]
