# weaver in a container: docker build -t weaver . && docker run -v crawl:/data weaver crawl https://example.org/
# Every step is a script under scripts/container/, and tests/e2e/test_container_steps.py runs them without docker.

FROM python:3.12-slim AS build
WORKDIR /source
COPY scripts/container scripts/container
RUN sh scripts/container/install_compiler.sh
COPY pyproject.toml hatch_build.py README.md requirements.lock ./
COPY scripts/build_native.py scripts/build_native.py
COPY weaver weaver
RUN bash scripts/container/build_wheel.sh /wheels
RUN bash scripts/container/install.sh /wheels /opt/weaver

FROM python:3.12-slim
COPY scripts/container/install_allocator.sh /opt/container/
RUN sh /opt/container/install_allocator.sh
COPY --from=build /opt/weaver /opt/weaver
COPY scripts/container/create_user.sh scripts/container/entrypoint.sh scripts/container/healthcheck.sh /opt/weaver/container/
COPY configs/container.toml /etc/weaver/container.toml
RUN sh /opt/weaver/container/create_user.sh weaver 10001 /data
# Where jemalloc is taken out by LD_PRELOAD=, two of glibc's arenas are enough for two threads.
ENV PATH=/opt/weaver/bin:$PATH WEAVER_DATA=/data WEAVER_CONFIG=/etc/weaver/container.toml PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
USER 10001:10001
VOLUME /data
WORKDIR /data
# SIGTERM drains: what is under way is finished and committed, so give it a moment (docker stop --time 40).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["sh", "/opt/weaver/container/healthcheck.sh"]
ENTRYPOINT ["sh", "/opt/weaver/container/entrypoint.sh"]
CMD ["--help"]
