#!/usr/bin/env bash
# 100,000 devices through Mosquitto as fast as it takes them: how long checkpoints hold the engine's lock, and whether the
# session survives the broker's overload.
#
#   apt-get install mosquitto mosquitto-clients curl
#   cargo build --release && benches/hundred_thousand.sh [PATH_TO_FLEETWATCH [SECONDS]]
#
# Prints a Markdown table. Touches loopback and a temporary directory only, and ends what it starts. About SECONDS (150) and
# one more minute; several GB of disk below TMPDIR. Each device is on the list of expected ones, as a fleet of this size
# should be.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin

here=$(cd "$(dirname "$0")/.." && pwd)
fleetwatch=${1:-${CARGO_TARGET_DIR:-$here/target}/release/fleetwatch}
seconds=${2:-150}
work=$(mktemp -d)
pids=()

clean_up() {
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT

fail() { echo "hundred_thousand.sh: $*" >&2; exit 1; }
for program in mosquitto mosquitto_pub curl; do command -v "$program" >/dev/null || fail "$program is not installed"; done
[[ -x $fleetwatch ]] || fail "$fleetwatch is not there: cargo build --release"

free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    fail "no free port"
}

wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

broker_port=$(free_port) http_port=$(free_port)
mkdir "$work/broker"; chmod 777 "$work" "$work/broker"
sed -e "s|^listener .*|listener $broker_port 127.0.0.1|" -e "s|^persistence_location .*|persistence_location $work/broker/|" \
    "$here/deploy/mosquitto/loopback.conf" > "$work/mosquitto.conf"
mosquitto -c "$work/mosquitto.conf" > "$work/mosquitto.log" 2>&1 &
pids+=($!)
wait_for 5 mosquitto_pub -p "$broker_port" -t ready -n || fail "Mosquitto does not start: $(cat "$work/mosquitto.log")"

{ echo device; seq -f 'B-%04.0f' 1 100000; } > "$work/devices.csv"
cat > "$work/fleetwatch.toml" <<END
[broker]
mode = "external"
[broker.external]
host = "127.0.0.1"
port = $broker_port
[devices]
expected = "$work/devices.csv"
[journal]
dir = "$work/journal"
[checkpoint]
dir = "$work/checkpoint"
[store]
path = "$work/fleetwatch.sqlite"
[http]
listen = "127.0.0.1:$http_port"
device_metrics = "off"
[log]
level = "warn"
END
"$fleetwatch" serve --config "$work/fleetwatch.toml" 2> "$work/log" &
consumer=$!; pids+=("$consumer")
wait_for 60 curl -fs "http://127.0.0.1:$http_port/readyz" || fail "fleetwatch is not ready: $(tail -3 "$work/log")"

scrape() { curl -fs "http://127.0.0.1:$http_port/metrics" > "$work/metrics"; }
metric() { awk -v name="$1" '$1 ~ "^"name"($|{)" { sum += $NF } END { printf "%.0f", sum }' "$work/metrics"; }
# How many observations of a histogram lie at or below a bound.
below() { awk -v name="$1_bucket" -v bound="$2" '$1 ~ "^"name"{" && match($1, /le="[^"]*"/) {
    le = substr($1, RSTART + 4, RLENGTH - 5); if (le != "+Inf" && le + 0 <= bound + 0 && $NF > most) most = $NF } END { printf "%.0f", most }' "$work/metrics"; }

"$fleetwatch" simulate load --broker "127.0.0.1:$broker_port" --devices 100000 --for "${seconds}s" --log-level warn \
    > "$work/load.log" 2>&1 || fail "the load failed: $(tail -3 "$work/load.log")"
# What is on its way, and a checkpoint that was begun.
drained() {
    local before after
    scrape; before=$(metric fleetwatch_messages_received_total); sleep 2; scrape
    after=$(metric fleetwatch_messages_received_total)
    [[ $before == "$after" ]]
}
wait_for 60 drained || true
wait_for 90 bash -c "curl -fs http://127.0.0.1:$http_port/metrics | grep -q '^fleetwatch_checkpoints_total [1-9]'" || true
scrape

holds=$(metric fleetwatch_checkpoint_hold_seconds_count)
echo "| what | figure |"
echo "|---|---|"
echo "| devices | $(metric fleetwatch_fleet_expected_devices) |"
echo "| messages received | $(metric fleetwatch_messages_received_total) in $seconds s of load |"
echo "| connections made to the broker | $(metric fleetwatch_broker_connects_total) |"
echo "| reports that had been taken before | $(metric fleetwatch_reports_duplicate_total) |"
echo "| checkpoints saved, failed | $(metric fleetwatch_checkpoints_total), $(metric fleetwatch_checkpoint_failures_total) |"
echo "| size of the last, MB | $(($(metric fleetwatch_checkpoint_size_bytes) / 1000000)) |"
for bound in 0.008 0.016 0.032 0.064 0.128; do
    echo "| slices that held the engine's lock for at most $bound s | $(below fleetwatch_checkpoint_hold_seconds $bound) of $holds |"
done
echo "| ticks of at most 0.512 s | $(below fleetwatch_tick_duration_seconds 0.512) of $(metric fleetwatch_tick_duration_seconds_count) |"
echo "| resident, MiB | $(awk '$1 == "VmRSS:" { printf "%.0f", $2 / 1024 }' "/proc/$consumer/status") |"
