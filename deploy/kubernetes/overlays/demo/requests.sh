#!/bin/sh
# Makes the topics, then puts in a few requests a second, some for customers whom Care360 does not
# know. For Kafka's own image; deploy/compose.yaml uses it, too.
set -eu
bin=/opt/kafka/bin
broker=kafka:9092

for topic in care360.lookup-requests care360.lookup-results; do
    $bin/kafka-topics.sh --bootstrap-server $broker --create --if-not-exists --topic $topic --partitions 4
done

number=0
while number=$((number + 1)); do
    who=customer
    [ $((number % 5)) -ne 0 ] || who=nobody
    echo "r-$number|{\"requestId\": \"r-$number\", \"email\": \"$who.$number@example.org\"}"
    sleep 0.3
done | $bin/kafka-console-producer.sh --bootstrap-server $broker --topic care360.lookup-requests \
    --property parse.key=true --property key.separator='|'
