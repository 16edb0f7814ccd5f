# Trocar with all it needs.  Build: docker build -t trocar .
# A plan:       docker run --init --rm -v "$PWD":/work:ro trocar plan /work --target ... --json
# The service:  docker run --init --rm --network host trocar
# It listens on the loopback address; sharing the host's network (Linux) makes it the host's. To
# publish a port it must listen elsewhere, which needs keys, a volume for them, and TLS in front:
#   docker run --init --rm -v trocar:/var/lib/trocar trocar keys add NAME
#   docker run --init --rm -v trocar:/var/lib/trocar -p 8000:8000 --read-only --tmpfs /tmp \
#     -v trocar-kernels:/var/cache/trocar --cap-drop ALL \
#     --security-opt no-new-privileges trocar serve --host 0.0.0.0 --port 8000 --behind-proxy
FROM node:22-slim AS viewer
WORKDIR /viewer
COPY viewer/package.json viewer/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY viewer ./
RUN npm run build

FROM python:3.13-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /trocar
# Packages first: they change seldom, and this layer is the slow one.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --all-extras --no-install-project
COPY . .
COPY --from=viewer /viewer/dist ./viewer/dist
RUN uv sync --frozen --no-dev --all-extras --no-editable

FROM python:3.13-slim
# Pictures are drawn by VTK through EGL, in software.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libegl1 libgl1-mesa-dri \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home trocar \
    && install -d -m 700 -o trocar -g trocar /var/cache/trocar /var/lib/trocar
COPY --from=build /trocar/.venv /trocar/.venv
# numba compiles on first use. Its cache must be writable, also where the root is read-only, and by
# nobody else, since it is executed.
ENV PATH=/trocar/.venv/bin:$PATH NUMBA_CACHE_DIR=/var/cache/trocar PYTHONUNBUFFERED=1 \
    TROCAR_DATA_FOLDER=/var/lib/trocar
USER trocar
WORKDIR /var/lib/trocar
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["trocar"]
CMD ["serve", "--port", "8000"]
