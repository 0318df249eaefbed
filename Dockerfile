# The image of care360-lookup: built on Debian 13, run without a compiler, as a user without rights.
FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc cmake ninja-build pkg-config libc6-dev librdkafka-dev libcurl4-openssl-dev libjson-c-dev \
        libconfig-dev libmicrohttpd-dev libevent-dev libssl-dev uthash-dev
COPY CMakeLists.txt LICENSE README.md /source/
COPY include /source/include
COPY src /source/src
COPY config /source/config
COPY tests/CMakeLists.txt /source/tests/
RUN cmake -G Ninja -S /source -B /build -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build /build && DESTDIR=/image cmake --install /build --strip

FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates librdkafka1 libcurl4t64 libjson-c5 libconfig11 libmicrohttpd12t64 \
        libevent-2.1-7t64 libevent-openssl-2.1-7t64 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /image/usr /usr
USER 10001:10001
ENV CARE360_LOOKUP_SERVER_LISTEN=[::]:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["care360-lookup"]
CMD ["run"]
