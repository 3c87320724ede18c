FROM python:3.12-slim

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir . \
    && rm -rf /src \
    && useradd --uid 10001 --create-home mnemolog \
    && install -d -o mnemolog -g mnemolog -m 0700 /data

USER mnemolog
WORKDIR /home/mnemolog
ENV MNEMOLOG_DATA=/data PYTHONUNBUFFERED=1
VOLUME /data

ENTRYPOINT ["mnemolog"]
CMD ["--help"]
