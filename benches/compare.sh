#!/usr/bin/env bash
# fleetwatch and Debian's prometheus-mqtt-exporter side by side: the same Mosquitto, the same load, one after the other.
#
#   apt-get install mosquitto mosquitto-clients prometheus-mqtt-exporter curl
#   cargo build --release && benches/compare.sh [PATH_TO_FLEETWATCH]
#   EXPORTER=no benches/compare.sh    # fleetwatch alone
#
# Prints Markdown tables. Touches loopback and a temporary directory only, and ends what it starts. About two minutes;
# each wait is bounded. Every phase has its own Mosquitto (with deploy/mosquitto/loopback.conf), so that no session is
# left over from the one before.
#
# "reports/s" is all reports over the time from the first connection of the load until the consumer had every one: what the
# broker had to keep meanwhile is not left out. CPU is user and system time from /proc/PID/stat over the same time.
# 10,000 devices, because one may send at most 240 reports a minute.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")/.." && pwd)
fleetwatch=${1:-${CARGO_TARGET_DIR:-$here/target}/release/fleetwatch}
devices=10000
work=$(mktemp -d)
pids=()

clean_up() {
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT

fail() { echo "compare.sh: $*" >&2; exit 1; }
for program in mosquitto mosquitto_pub mosquitto_sub curl $([[ ${EXPORTER:-yes} == no ]] || echo prometheus-mqtt-exporter); do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || fail "$program is not installed"
done
PATH=$PATH:/usr/sbin
[[ -x $fleetwatch ]] || fail "$fleetwatch is not there: cargo build --release"

free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    fail "no free port"
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

now() { date +%s.%N; }
# User and system time in seconds. Field 2, the name, holds no space here.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f", ($14 + $15) / hz }' "/proc/$1/stat"; }
mib() { awk -v key="$2:" '$1 == key { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }

start_broker() {
    broker_port=$(free_port)
    local dir; dir=$(mktemp -d "$work/broker.XXXX")
    chmod 777 "$work" "$dir"
    sed -e "s|^listener .*|listener $broker_port 127.0.0.1|" -e "s|^persistence_location .*|persistence_location $dir/|" \
        "$here/deploy/mosquitto/loopback.conf" > "$dir/mosquitto.conf"
    mosquitto -c "$dir/mosquitto.conf" > "$dir/log" 2>&1 &
    broker=$!; pids+=("$broker"); broker_log=$dir/log
    wait_for 5 mosquitto_pub -p "$broker_port" -t ready -n || fail "Mosquitto does not start: $(cat "$dir/log")"
}

start_fleetwatch() {
    "$fleetwatch" serve --config "$state/fleetwatch.toml" 2>> "$state/log" &
    consumer=$!; pids+=("$consumer")
    wait_for 30 curl -fs "http://127.0.0.1:$http_port/readyz" || fail "fleetwatch is not ready: $(tail -3 "$state/log")"
}

# A new state each time.
configure_fleetwatch() {
    http_port=$(free_port)
    state=$(mktemp -d "$work/fleetwatch.XXXX")
    cat > "$state/fleetwatch.toml" <<END
[broker]
mode = "external"
[broker.external]
host = "127.0.0.1"
port = $broker_port
[journal]
dir = "$state/journal"
[checkpoint]
dir = "$state/checkpoint"
[store]
path = "$state/fleetwatch.sqlite"
[http]
listen = "127.0.0.1:$http_port"
device_metrics = "off"
[log]
level = "warn"
END
}

start_exporter() {
    http_port=$(free_port)
    state=$(mktemp -d "$work/exporter.XXXX")
    {
        cat <<END
mqtt:
  server: tcp://127.0.0.1:$broker_port
  client_id: exporter
  topic_path: utm/v1/+/report
  device_id_regex: "utm/v1/(?P<deviceid>[^/]+)/report"
  qos: 1
cache:
  timeout: 24h
metrics:
END
        for name in flows flagged canary canary_flagged; do
            printf '  - prom_name: https_%s\n    mqtt_name: traffic.https.%s\n    help: Of the newest report.\n    type: gauge\n' "$name" "$name"
        done
    } > "$state/exporter.yaml"
    prometheus-mqtt-exporter -config "$state/exporter.yaml" -listen-address 127.0.0.1 -listen-port "$http_port" \
        -log-level error > "$state/log" 2>&1 &
    consumer=$!; pids+=("$consumer")
    wait_for 10 grep -q "as exporter" "$broker_log" || fail "the exporter does not connect: $(tail -3 "$state/log")"
    sleep 1
}

stop() {
    kill -TERM "$1" 2>/dev/null || true
    wait_for 20 bash -c "! kill -0 $1" || kill -9 "$1"
    wait "$1" 2>/dev/null || true
}

# The sum of a metric over its labels.
metric() { curl -fs "http://127.0.0.1:$http_port/metrics" | awk -v name="$1" '$1 ~ "^"name"($|{)" { sum += $NF } END { printf "%.0f", sum }'; }
at_least() { (($(metric "$1") >= $2)); }
# The exporter's counter has a label for each topic, so asking costs it much: it is done when it has nothing more to do.
idle() { local before; before=$(cpu "$consumer"); sleep 0.4; [[ $(cpu "$consumer") == "$before" ]]; }

# run_load NAME ENCODING MESSAGES [OPTIONS...]: the load against the consumer that runs; prints a row.
run_load() {
    local name=$1 encoding=$2 messages=$3; shift 3
    local begun cpu_before broker_before
    begun=$(now); cpu_before=$(cpu "$consumer"); broker_before=$(cpu "$broker")
    timeout 100 "$fleetwatch" simulate load --broker "127.0.0.1:$broker_port" --devices "$devices" --messages "$messages" \
        --encoding "$encoding" --log-level warn "$@" > "$work/load.log" 2>&1 || fail "the load failed: $(cat "$work/load.log")"
    local sent; sent=$(calc %.2f "$(now) - $begun")
    local took
    if [[ $name == fleetwatch ]]; then
        # The birth of each device is journaled too.
        wait_for 60 at_least fleetwatch_journal_records_total $((messages + devices)) || fail "not everything was journaled"
        took=$(calc %.2f "$(now) - $begun")
    else
        wait_for 100 idle || fail "the exporter does not come to an end"
        took=$(calc %.2f "$(now) - $begun - 0.4")
    fi
    local used broker_used kept resident
    used=$(calc %.2f "($(cpu "$consumer") - $cpu_before) * 1e6 / $messages")
    broker_used=$(calc %.2f "($(cpu "$broker") - $broker_before) * 1e6 / $messages")
    resident=$(mib "$consumer" VmRSS)
    if [[ $name == fleetwatch ]]; then
        # The fleet's figures are those of the newest tick, which is at most ten seconds old.
        wait_for 25 at_least fleetwatch_reports_total "$messages" || true
        kept=$(metric fleetwatch_reports_total)
    else
        kept=$(metric received_messages)
    fi
    echo "| $name | $encoding | $messages | $sent | $took | $(calc %.0f "$messages / $took") | $kept | $used | $resident | $broker_used |"
}

echo "| consumer | encoding | reports sent | load's time, s | until all were taken, s | reports/s | taken | CPU s per million | resident MiB | Mosquitto: CPU s per million |"
echo "|---|---|---|---|---|---|---|---|---|---|"

if [[ ${EXPORTER:-yes} != no ]]; then
    start_broker
    start_exporter
    run_load exporter json 100000
    stop "$consumer"; stop "$broker"
fi

for shape in "json 500000" "json 200000 --rate 20000" "binary 200000 --rate 20000" "binary 1000000"; do
    # The last one, of a million, is looked at more closely below.
    start_broker
    configure_fleetwatch
    start_fleetwatch
    # shellcheck disable=SC2086  # words are meant
    run_load fleetwatch $shape
    [[ $shape == "binary 1000000" ]] || { stop "$consumer"; stop "$broker"; }
done

echo
echo "A million at QoS 1 through Mosquitto (the last row):"
echo
for name in reports_total reports_duplicate_total reports_missing reports_late_total messages_refused_total journal_records_total journal_written_bytes_total \
    ingest_busy_total broker_connects_total; do
    echo "- fleetwatch_$name $(metric "fleetwatch_$name")"
done
kill -9 "$consumer"; wait "$consumer" 2>/dev/null || true
begun=$(now)
start_fleetwatch
echo "- killed with -9 and started again, ready after $(calc %.2f "$(now) - $begun") s"
wait_for 25 at_least fleetwatch_reports_total 1000000 || true
echo "- then: fleetwatch_reports_total $(metric fleetwatch_reports_total), missing $(metric fleetwatch_reports_missing), duplicates $(metric fleetwatch_reports_duplicate_total)"
stop "$consumer"; stop "$broker"
