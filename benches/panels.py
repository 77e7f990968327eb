#!/usr/bin/env python3
"""How long a panel's query takes over a day of 1,000 devices.

    fleetwatch demo --http-port 8080 &                     # until the incident is declared
    curl -s localhost:8080/metrics > /tmp/metrics.txt
    benches/panels.py /tmp/metrics.txt                     # needs Debian's package prometheus

A day is back-filled from the scrape: every series of the fleet, of open events and of the process each 15 s; what the recording rules
make, each minute; the ladder of an incident; one device for the whole day, all devices for the last ten minutes, which is what tables of
the present read. Values do not matter for the time, so they are made up. Then each query of each panel is asked three times over the
24 hours, at steps of a minute (heatmaps: of five, as they say themselves), and the middle time counts. The processor time of Prometheus
is told beside it: on a busy machine it is the better figure.
"""
import json, math, os, pathlib, random, re, statistics, subprocess, sys, tempfile, time, urllib.parse, urllib.request

HERE = pathlib.Path(__file__).resolve().parent.parent
PORT = int(os.environ.get("PORT", "19191"))
END = int(time.time()) // 60 * 60 - 60
START = END - 86_400
BOUNDS = "0.000512 0.001024 0.001536 0.002048 0.003072 0.004096 0.006144 0.008192 0.012288 0.016384 0.024576 0.032768 " \
         "0.065536 0.131072 0.262144 1.048576 +Inf".split()
CLASSES = "https dns mail voip".split()
STEPS = "affected contacted workaround_claimed workaround_verified fix_installed workaround_reverted quality_verified done excepted"
JOB = 'job="fleetwatch",instance="f"'


def series_of(text):
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            base, _, labels = name.partition("{")
            yield base, labels.rstrip("}"), float(value)


def recorded(updates, branches):
    of = lambda **labels: ",".join(f'{key}="{value}"' for key, value in labels.items())
    for group in [dict(**{"class": c}, update=u) for c in CLASSES for u in updates]:
        for le in BOUNDS:
            yield "class_update:fleetwatch_cohort_latency_seconds_bucket:rate5m", of(**group, le=le)
        for what in ("latency_seconds:p50_5m", "latency_seconds:p95_5m", "latency_seconds:p99_5m", "probes:flagged_ratio30m",
                     "flows:flagged_ratio5m"):
            yield f"class_update:fleetwatch_cohort_{what}", of(**group)
    yield "class_update:fleetwatch_second_opinion:slow", of(**{"class": "https"}, update=updates[-1])
    for c in CLASSES:
        yield "class:fleetwatch_cohort_latency_seconds:p95_5m", of(**{"class": c})
    for branch in branches:
        for le in BOUNDS:
            yield "branch:fleetwatch_cohort_latency_seconds_bucket:rate5m", of(branch=branch, le=le)
        yield "branch:fleetwatch_cohort_latency_seconds:p95_5m", of(branch=branch)
        yield "branch:fleetwatch_cohort_probes:flagged_ratio30m", of(branch=branch)
    for step in STEPS.split():
        yield "incident_step:fleetwatch_incident_ladder_devices:sum", of(incident="INC-2026-0001", step=step)
    yield "fleet:fleetwatch_cohort_probes:flagged_ratio30m", ""
    for model in ("B100", "B200", "B300"):
        yield "model:fleetwatch_device_latency_seconds:p95_median", of(model=model)


def incident(branches, event, device):
    own = 'incident="INC-2026-0001"'
    yield "fleetwatch_incident_info", f'{own},event="{event}",state="fixing",severity="major",scope="fleet",cause="u",cause_kind="update"'
    for name in ("started", "declared", "promise", "forecast_end"):
        yield f"fleetwatch_incident_{name}_timestamp_seconds", own
    for branch in branches:
        for step in STEPS.split():
            yield "fleetwatch_incident_ladder_devices", f'{own},branch="{branch}",step="{step}"'
    for milestone in ("declared", "workaround_available", "fix_available", "closed"):
        yield "fleetwatch_incident_milestone_timestamp_seconds", f'{own},milestone="{milestone}"'
    for role in ("commander", "development", "support", "communications"):
        yield "fleetwatch_muster_roles", f'{own},role="{role}",status="joined"'
    yield "fleetwatch_device_ladder_step", f'{own},device="{device}"'


def backfill(scrape, out):
    series = list(series_of(scrape))
    label = lambda labels, name: (re.search(rf'(?:^|,){name}="([^"]*)"', labels) or [None, None])[1]
    of = lambda name: [(labels, value) for base, labels, value in series if base == name]
    branches = sorted({label(labels, "branch") for labels, _ in of("fleetwatch_branch_devices")} - {"", "other"})
    updates = sorted({label(labels, "update") for labels, _ in of("fleetwatch_update_devices")} - {"", "other"})
    members = of("fleetwatch_device_event_info")
    device, event = (label(members[0][0], "device"), label(members[0][0], "event")) if members else ("B-0001", "E-0001")
    count = 0
    with open(out, "w") as file:
        def put(name, labels, value, start, step):
            nonlocal count
            series = f"{name}{{{labels + ',' if labels else ''}{JOB}}}"
            grows, value = name.endswith(("_total", "_count", "_sum", "_bucket")), value if math.isfinite(value) else 1.0
            # A thousand different values, in turn: chunks must not be of one value only.
            noise = [1 + random.random() * 0.05 for _ in range(97)]
            for at in range(start, END + 1, step):
                shown = value + (at - START) * 3 if grows else value * noise[at // step % 97]
                file.write(f"{series} {shown:.6g} {at}\n")
                count += 1
        for base, labels, value in sorted(series):
            if base.startswith("fleetwatch_cohort_"):
                continue
            if base.startswith("fleetwatch_device_"):
                whole = label(labels, "device") == device
                put(base, labels, value, START if whole else END - 600, 15)
            else:
                put(base, labels, value, START, 15)
        for name, labels in recorded(updates, branches):
            put(name, labels, 0.002 + random.random() * 0.01, START, 60)
        for name, labels in incident(branches, event, device):
            put(name, labels, 3.0, START, 15)
        for name in ("up", "scrape_duration_seconds"):
            put(name, "", 1.0, START, 15)
        file.write("# EOF\n")
    return count, {"$branch": ".*", "$model": ".*", "$device": device, "$incident": "INC-2026-0001", "$class": "https",
                   "$update": updates[-1], "$against": updates[0], "$__rate_interval": "75s", "$__range": "24h"}


def ask(expr, instant, step=60):
    base = f"http://127.0.0.1:{PORT}/api/v1/"
    query = {"query": expr, "time": END} if instant else {"query": expr, "start": START, "end": END, "step": step}
    began = time.monotonic()
    with urllib.request.urlopen(base + ("query" if instant else "query_range") + "?" + urllib.parse.urlencode(query)) as answer:
        result = json.load(answer)["data"]["result"]
    return time.monotonic() - began, len(result)


def main():
    scrape = pathlib.Path(sys.argv[1]).read_text()
    with tempfile.TemporaryDirectory() as place:
        samples, chosen = backfill(scrape, f"{place}/day.om")
        print(f"{samples:,} samples", flush=True)
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h", f"{place}/day.om", f"{place}/data"],
                       check=True, stdout=subprocess.DEVNULL)
        os.remove(f"{place}/day.om")
        pathlib.Path(f"{place}/p.yml").write_text("global: {}\n")
        server = subprocess.Popen(["prometheus", f"--config.file={place}/p.yml", f"--storage.tsdb.path={place}/data",
                                   "--storage.tsdb.retention.time=10d", f"--web.listen-address=127.0.0.1:{PORT}"],
                                  stderr=subprocess.DEVNULL)
        try:
            for _ in range(300):
                try:
                    ask("up", True)
                    break
                except OSError:
                    time.sleep(0.2)
            measure(chosen, server.pid)
        finally:
            server.terminate()
            server.wait()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(chosen, pid):
    rows = []
    for path in sorted((HERE / "grafana/dashboards/en").glob("*.json")):
        dashboard = json.loads(path.read_text())
        queries = [(p["title"], t["refId"], t["expr"], t["instant"], 300 if "interval" in p else 60) for p in dashboard["panels"] for t in p["targets"]]
        queries += [(a["name"], "mark", a["expr"], False, 60) for a in dashboard["annotations"]["list"]]
        for title, ref, expr, instant, step in queries:
            # The longest names first: $update is no beginning of another, but a new variable may be.
            for name in sorted(chosen, key=len, reverse=True):
                # On the fleet dashboard the update is one of many.
                value = ".*" if (path.stem, name) == ("fleet", "$update") else chosen[name]
                expr = expr.replace(name, value)
            before = cpu_seconds(pid)
            times = [ask(expr, instant, step) for _ in range(3)]
            cpu = (cpu_seconds(pid) - before) / 3
            rows.append((statistics.median(t for t, _ in times), cpu, times[0][1], f"{path.stem}: {title} {ref}"))
    rows.sort(reverse=True)
    empty = [name for *_, series, name in rows if series == 0]
    print(f"{len(rows)} queries, the slowest:")
    for seconds, cpu, series, name in rows[:10]:
        print(f"{seconds * 1000:7.0f} ms  {cpu * 1000:5.0f} ms of processor  {series:4} series  {name}")
    print(f"median {statistics.median(row[0] for row in rows) * 1000:.1f} ms; without data: {empty}")


main()
