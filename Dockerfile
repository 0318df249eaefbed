# The image of care360-lookup: built on Debian 13, run without a compiler, as a user without rights.
#
#	deploy/image                       as releases are made: the base named by its digest, versions and times set
#	docker build .                     the same on whatever the base's tag stands for
#	docker build --target test .       builds with all warnings as errors, and runs the units
#
# It needs no writable directory, no capability and no right to gain any.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
COPY deploy/packages /source/deploy/packages
RUN apt-get update && /source/deploy/packages install build package && apt-get satisfy -y --no-install-recommends \
        "librdkafka-dev (>= 2.8), librdkafka-dev (<< 3), libcurl4-openssl-dev (>= 8.14), libcurl4-openssl-dev (<< 9), \
         libjson-c-dev (>= 0.18), libjson-c-dev (<< 1), libconfig-dev (>= 1.7), libconfig-dev (<< 2), \
         libmicrohttpd-dev (>= 1.0), libmicrohttpd-dev (<< 2), libevent-dev (>= 2.1.12), libevent-dev (<< 3)"
COPY . /source
ARG SOURCE_DATE_EPOCH
RUN cmake -G Ninja -S /source -B /build -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX=/usr -DCARE360_WERROR=ON \
    && cmake --build /build --target package

FROM build AS test
RUN apt-get update && /source/deploy/packages install units
RUN cmake -S /source -B /build -DBUILD_TESTING=ON && cmake --build /build \
    && ctest --test-dir /build -j 8 --output-on-failure -E '^lint/|mutations'

FROM ${BASE}
# The package says which libraries it needs, and from which version on.
COPY --from=build /build/care360-lookup_*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends \
        -o Dpkg::Options::=--path-exclude=/usr/share/doc/* -o Dpkg::Options::=--path-exclude=/usr/share/man/* \
        -o Dpkg::Options::=--path-exclude=/usr/lib/systemd/* /tmp/care360-lookup_*.deb \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /var/lib/dpkg/*-old /tmp/*
USER 10001:10001
ENV CARE360_LOOKUP_SERVER_LISTEN=[::]:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["care360-lookup", "health"]
ENTRYPOINT ["care360-lookup"]
CMD ["run"]

ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="care360-lookup" \
      org.opencontainers.image.description="Answers look-up requests from Kafka with a customer's latest Care360 case ID" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}"
