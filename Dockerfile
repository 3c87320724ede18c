FROM python:3.12-slim-bookworm AS build

WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/mnemolog \
    && /opt/mnemolog/bin/pip install --no-cache-dir /wheels/*.whl \
    && /opt/mnemolog/bin/pip uninstall --yes pip

FROM python:3.12-slim-bookworm

RUN useradd --uid 10001 --create-home mnemolog \
    && install -d -o mnemolog -g mnemolog -m 0700 /data
COPY --from=build /opt/mnemolog /opt/mnemolog

USER 10001:10001
WORKDIR /home/mnemolog
ENV PATH=/opt/mnemolog/bin:$PATH \
    MNEMOLOG_DATA=/data \
    PYTHONUNBUFFERED=1

# Whether a writer runs for every space that is at home here; compose.yaml has other questions for other parts.
HEALTHCHECK --interval=30s --timeout=15s --start-period=120s CMD ["mnemolog", "home", "list", "--check"]

ENTRYPOINT ["mnemolog"]
CMD ["--help"]
