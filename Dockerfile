# ikevd in a container. The kernel does IPsec, so the container needs the host's networks or its own, and the capability:
#   docker build -t ikevd .
#   docker run -d --name ikevd --network host --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_BIND_SERVICE \
#     --read-only -v /etc/ikevd:/etc/ikevd:ro -v ikevd-run:/run/ikevd ikevd
# The volume keeps the journal of what ikevd installed in the kernel: with `--network host` that outlives the container.
# Only what the operator asks for is written elsewhere (`--key-log`): mount a volume at /var/lib/ikevd for it.
# Without NET_ADMIN the program does not start at all ("operation not permitted"), nor under `no-new-privileges`.
# The configuration and its keys must belong to user 500 with mode 600, or to root with mode 0440 and group 500, as
# Docker's and Kubernetes' secrets can (docs/configuration.md); no secret is in the image.

FROM debian:12-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
# --copies: an interpreter of our own, so that capabilities on it are ikevd's alone.
RUN python3 -m venv --copies /opt/ikevd
# Exactly what the locks name, with hashes; what builds the wheel stays behind.
COPY requirements /src/requirements
RUN python3 -m venv /builder \
 && /builder/bin/pip install --no-cache-dir --require-hashes -r /src/requirements/build.lock \
 && /opt/ikevd/bin/pip install --no-cache-dir --require-hashes -r /src/requirements/run.lock
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY ikevd ikevd
COPY man man
RUN /builder/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheel . \
 && /opt/ikevd/bin/pip install --no-cache-dir --no-deps --no-index /wheel/ikevd-*.whl \
 && /opt/ikevd/bin/pip uninstall -y pip setuptools \
 && /opt/ikevd/bin/python3 -m compileall -q /opt/ikevd/lib

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 500 ikevd \
 && useradd --system --uid 500 --gid ikevd --home-dir /etc/ikevd --no-create-home --shell /usr/sbin/nologin ikevd \
 && install -d -o ikevd -g ikevd -m 0750 /run/ikevd /etc/ikevd /var/lib/ikevd
COPY --from=build /opt/ikevd /opt/ikevd
# Here and not in the first stage: not every builder keeps file capabilities when it copies. Each name of the interpreter
# is a copy of its own; only the one that ikevd names in its first line gets them, and only for ikevd's group.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcap2-bin \
 && python=$(sed -n '1s/^#!//p' /opt/ikevd/bin/ikevd) \
 && chgrp ikevd "$python" && chmod 0750 "$python" \
 && setcap cap_net_admin,cap_net_bind_service+ep "$python" \
 && apt-get purge -y --auto-remove libcap2-bin \
 && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/ikevd/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER ikevd
VOLUME /run/ikevd
EXPOSE 500/udp 4500/udp
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["ikevd", "status", "--json"]
ENTRYPOINT ["ikevd"]
CMD ["run", "--config", "/etc/ikevd/ikevd.yaml", "--log-format", "json"]
