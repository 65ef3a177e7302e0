# The service as a container. Build: docker build --tag orcid-sync --build-arg VERSION=… --build-arg REVISION=… .
# The final image has Python and the service: no pip, no build tools. It runs as a user without a name, needs no
# capability, and writes nowhere: --read-only --cap-drop ALL, with a tmpfs on /tmp if you like.
FROM python:3.13-slim AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# What changes seldom comes first. Wheels only: the hashes cover everything that runs.
COPY deploy/locks/build.txt deploy/locks/runtime.txt deploy/locks/
RUN python -m venv tools \
    && tools/bin/python -m pip install --require-hashes --only-binary :all: --requirement deploy/locks/build.txt \
    && python -m venv --without-pip /opt/orcid-sync \
    && python -m pip --python /opt/orcid-sync/bin/python install \
        --require-hashes --only-binary :all: --requirement deploy/locks/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY orcid_sync orcid_sync
RUN tools/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/orcid-sync/bin/python install --no-deps dist/*.whl
COPY deploy/healthcheck.py /opt/orcid-sync/healthcheck.py


FROM python:3.13-slim

# The base brings an installer; nothing here needs one.
RUN rm -rf /usr/local/bin/pip* /usr/local/bin/idle* \
        /usr/local/lib/python3.13/site-packages/* /usr/local/lib/python3.13/ensurepip

COPY --from=builder /opt/orcid-sync /opt/orcid-sync
# The base comes without compiled modules, and a read-only root can never keep any: compile what the service imports.
# It is also the proof that all of it can be imported here.
RUN /opt/orcid-sync/bin/python -c "import orcid_sync.cli.main, orcid_sync.daemon.serve, orcid_sync.simulator.serve; orcid_sync.cli.main.make_app()"

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="orcid-sync" \
      org.opencontainers.image.description="Your researchers' ORCID records, live in your own PostgreSQL." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

ENV PATH=/opt/orcid-sync/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# Notifications come in here. The internal listener (health, metrics) stays on the container's own loopback.
EXPOSE 8080

USER 65532:65532
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["python", "/opt/orcid-sync/healthcheck.py"]
ENTRYPOINT ["orcid-sync"]
CMD ["serve"]
