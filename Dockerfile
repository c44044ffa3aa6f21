# One image for every part: web, worker, scheduler, prepare (see docker-compose.yml), or all in one with `python -m config.launch`.
FROM python:3.11.13-slim-bookworm AS packages
RUN apt-get update && apt-get install --yes --no-install-recommends gcc make libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11.13-slim-bookworm
# bubblewrap confines the commands of code tasks; git is one of their tools.
RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap git && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app regente && install -d -o regente -g regente /data
COPY --from=packages /opt/venv /opt/venv
COPY . /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/data HOST=0.0.0.0 PORT=8000
USER regente
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "config.launch"]
