# The product as one image: web server, worker and one-shot preparation are different commands of it.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/nscweb
COPY requirements.txt .
RUN /opt/nscweb/bin/pip install -r requirements.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /srv/nscweb --shell /usr/sbin/nologin nscweb \
    && install -d -o nscweb -g nscweb -m 0700 /var/lib/nscweb
COPY --from=build /opt/nscweb /opt/nscweb
COPY manage.py /srv/nscweb/
COPY nscweb /srv/nscweb/nscweb
COPY identities /srv/nscweb/identities
COPY templates /srv/nscweb/templates
COPY static /srv/nscweb/static
WORKDIR /srv/nscweb
ENV PATH=/opt/nscweb/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=nscweb.settings \
    NSCWEB_DATA_DIR=/var/lib/nscweb \
    NSCWEB_HOST=0.0.0.0 \
    NSCWEB_LOG_FORMAT=json
USER nscweb
VOLUME /var/lib/nscweb
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
# Web server and worker under one supervisor; `--web` or `manage.py worker` run them apart.
CMD ["python", "-m", "nscweb.serve"]
