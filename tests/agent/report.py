#!/usr/bin/env python3
"""A device agent's writer, made from fixtures/wire/README.md alone; standard library only.

It shares no code with fleetwatch, so what it writes proves that the description is enough. As a library, it offers
binary_report, binary_status, json_report, json_status, hdr_v2 and hdr_v2_deflate. As a program, it writes a set of
messages, each with what has to be read from it:

    report.py DIRECTORY

    NAME.bin or NAME.json    a payload
    NAME.expected.json       what it says
    refused.jsonl            payloads that must be refused, and why
    left-out.jsonl           payloads that must be taken without one of their fields, and what is left of them
"""

import base64
import json
import pathlib
import struct
import sys
import zlib

CLASSES = ["https", "http", "dns", "mail", "voip", "vpn", "file", "other"]
MAX_US = 60_000_000


# --- the binary form -------------------------------------------------------------------------------------------------

def varint(n):
    """An unsigned integer in bincode's variable encoding."""
    if n < 251:
        return bytes([n])
    if n < 1 << 16:
        return b"\xfb" + struct.pack("<H", n)
    if n < 1 << 32:
        return b"\xfc" + struct.pack("<I", n)
    return b"\xfd" + struct.pack("<Q", n)


def signed(n):
    """A signed integer: zigzag first, so that -1 is 1 and 1 is 2."""
    return varint(2 * n if n >= 0 else -2 * n - 1)


def text(s):
    raw = s.encode("utf-8")
    return varint(len(raw)) + raw


def option(value, write):
    return b"\x00" if value is None else b"\x01" + write(value)


def binary_latency(latency):
    """latency: ("samples", [us]), ("counts", [(us, count)]) or ("hdr", bytes)."""
    form, data = latency
    if form == "samples":
        return varint(0) + varint(len(data)) + b"".join(varint(us) for us in data)
    if form == "counts":
        return varint(1) + varint(len(data)) + b"".join(varint(us) + varint(n) for us, n in data)
    return varint(2) + varint(len(data)) + data


def binary_report(report):
    out = [b"\x01", text(report["device"])]
    out += [varint(report[key]) for key in ("boot", "seq", "uptime_ms")]
    out += [signed(report["start"]), varint(report["period_ms"]), varint(len(report["traffic"]))]
    for name, traffic in report["traffic"].items():
        out += [varint(CLASSES.index(name)), option(traffic.get("latency"), binary_latency)]
        out += [varint(traffic.get(key, 0)) for key in ("flows", "flagged", "canary", "canary_flagged", "released")]
        rules = traffic.get("rules", {})
        out += [varint(len(rules))] + [text(rule) + varint(count) for rule, count in rules.items()]
    return b"".join(out)


def binary_status(status):
    out = [b"\x01", text(status["device"]), bytes([status["online"]]), varint(status["boot"])]
    out.append(option(status.get("at"), signed))
    out += [option(status.get(key), text) for key in ("model", "branch", "customer", "firmware", "update")]
    out.append(option(status.get("update_installed_at"), signed))
    packages = status.get("packages", {})
    out.append(varint(len(packages)))
    for name, package in packages.items():
        out += [text(name), text(package["version"]), option(package.get("installed_at"), signed)]
    workaround = status.get("workaround")
    out.append(option(workaround, lambda w: option(w.get("id"), text) + bytes([w["active"]])))
    return b"".join(out)


# --- the JSON form ---------------------------------------------------------------------------------------------------

def json_latency(latency):
    form, data = latency
    return {form: base64.b64encode(data).decode() if form == "hdr" else data}


def json_report(report):
    traffic = {}
    for name, parts in report["traffic"].items():
        parts = dict(parts)
        if "latency" in parts:
            parts["latency"] = json_latency(parts["latency"])
        traffic[name] = parts
    return json.dumps({"v": 1, **report, "traffic": traffic}, separators=(",", ":")).encode()


def json_status(status):
    return json.dumps({"v": 1, **status}, separators=(",", ":")).encode()


# --- HdrHistogram V2 -------------------------------------------------------------------------------------------------

class Hdr:
    """Where a value is counted in a histogram of `digits` significant digits from `lowest` on."""

    def __init__(self, digits=1, lowest=1, highest=MAX_US):
        self.digits, self.lowest, self.highest = digits, lowest, highest
        self.unit = lowest.bit_length() - 1
        sub = (2 * 10 ** digits - 1).bit_length()
        self.half = 1 << (sub - 1)
        self.sub = sub
        self.counts = {}

    def index(self, value):
        units = value >> self.unit
        shift = max(units.bit_length() - self.sub, 0)
        return shift * self.half + (units >> shift)

    def middle(self, index):
        shift = max(index // self.half - 1, 0)
        width = 1 << (shift + self.unit)
        return ((index - shift * self.half) << (shift + self.unit)) + width // 2

    def record(self, value, count=1):
        self.counts[self.index(value)] = self.counts.get(self.index(value), 0) + count


def leb128(n):
    """Zigzag LEB128 of at most nine bytes, the last of which carries eight bits."""
    n = 2 * n if n >= 0 else -2 * n - 1
    out = bytearray()
    while n > 0x7F and len(out) < 8:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def hdr_v2(hdr):
    body, index = b"", 0
    for at in sorted(hdr.counts):
        if at > index:
            body += leb128(index - at)
        body += leb128(hdr.counts[at])
        index = at + 1
    return struct.pack(">IIIIQQd", 0x1C849313, len(body), 0, hdr.digits, hdr.lowest, hdr.highest, 1.0) + body


def hdr_v2_deflate(hdr):
    stream = zlib.compress(hdr_v2(hdr))
    return struct.pack(">II", 0x1C849314, len(stream)) + stream


# --- what a reader has to make of them -------------------------------------------------------------------------------

LAYOUT = Hdr()


def bucket(us):
    """The lowest value of the bucket, of fleetwatch's layout, that counts `us`."""
    index = LAYOUT.index(min(us, MAX_US))
    shift = max(index // LAYOUT.half - 1, 0)
    return (index - shift * LAYOUT.half) << shift


def buckets(pairs):
    sums = {}
    for us, count in pairs:
        if count:
            sums[bucket(us)] = sums.get(bucket(us), 0) + count
    return [list(item) for item in sorted(sums.items())]


def expected_report(report, pairs_of):
    classes = []
    for name, parts in report["traffic"].items():
        entry = {"class": name, "buckets": buckets(pairs_of.get(name, []))}
        entry.update({key: parts.get(key, 0) for key in ("flows", "flagged", "canary", "canary_flagged", "released")})
        entry["rules"] = [[rule, count] for rule, count in parts.get("rules", {}).items()]
        classes.append(entry)
    head = {key: report[key] for key in ("device", "boot", "seq", "uptime_ms", "start", "period_ms")}
    return {"kind": "report", **head, "classes": classes}


def expected_status(status):
    full = dict.fromkeys(("model", "branch", "customer", "firmware", "update", "update_installed_at", "workaround"))
    full.update({key: value for key, value in status.items() if value != ""})
    full["at"] = full.get("at") or 0
    full["packages"] = [
        {"name": name, "version": p["version"], "installed_at": p.get("installed_at")}
        for name, p in status.get("packages", {}).items()
    ]
    if full["workaround"]:
        full["workaround"] = {"id": full["workaround"].get("id") or None, "active": full["workaround"]["active"]}
    return {"kind": "status", **full}


# --- the set of messages ---------------------------------------------------------------------------------------------

PAIRS = [(900, 3), (1200, 7), (1215, 2), (1400, 9), (31, 1), (32, 1), (33, 1), (0, 4), (59_999_999, 1), (75_000_000, 2),
         (4_000_000_000, 1), (250_000, 260), (300_000, 70_000), (5_000, 0)]


def base_report(**traffic):
    return {"device": "B-0042", "boot": 7, "seq": 1234, "uptime_ms": 86_400_000, "start": 1_795_305_600_000,
            "period_ms": 10_000, "traffic": traffic}


def counters(**more):
    return {"flows": 1840, "flagged": 12, "canary": 20, "canary_flagged": 1, "released": 2, **more}


def reports():
    """(name, report, {class: pairs})"""
    https = counters(latency=("counts", PAIRS), rules={"2100498": 12})
    yield ("report-counts", base_report(https=https), {"https": PAIRS})

    samples = [900, 1200, 1200, 1215, 31, 0, 250_000, 75_000_000]
    yield ("report-samples", base_report(https=counters(latency=("samples", samples))),
           {"https": [(us, 1) for us in samples]})

    for digits, lowest in ((1, 1), (2, 1), (3, 1), (5, 1), (3, 1000)):
        hdr = Hdr(digits, lowest, 3_600_000_000)
        for us, count in PAIRS:
            if count:
                hdr.record(us, count)
        pairs = [(hdr.middle(index), count) for index, count in hdr.counts.items()]
        name = f"report-hdr{digits}" + ("" if lowest == 1 else "-ms")
        yield (name, base_report(https=counters(latency=("hdr", hdr_v2(hdr)))), {"https": pairs})
        yield (name + "-deflate", base_report(https=counters(latency=("hdr", hdr_v2_deflate(hdr)))), {"https": pairs})

    # What libraries write into headers: an offset that is none, the ratio as an integer, lowest 0, a highest that is too small.
    for name, cut, put in (("offset", slice(8, 12), struct.pack(">I", 1)), ("ratio", slice(32, 40), struct.pack(">Q", 1)),
                           ("lowest", slice(16, 24), bytes(8)), ("highest", slice(24, 32), struct.pack(">Q", 2))):
        hdr = Hdr(3, 1, 3_600_000_000)
        hdr.record(1200, 3)
        data = bytearray(hdr_v2(hdr))
        data[cut] = put
        yield (f"report-hdr-odd-{name}", base_report(https=counters(latency=("hdr", bytes(data) + b"\0\0"))),
               {"https": [(1200, 3)]})

    every = {name: {"flows": index + 1} for index, name in enumerate(CLASSES)}
    every["mail"]["latency"] = ("counts", [(20_000, 5)])
    every["dns"]["latency"] = ("hdr", hdr_v2(Hdr()))
    yield ("report-classes", base_report(**every), {"mail": [(20_000, 5)]})

    # The library that wrote this one holds 6 million counters (49 MB); reading it needs none of them.
    wide = Hdr(5, 1, 2 ** 62)
    wide.record(1200, 3)
    yield ("report-hdr5-wide", base_report(https=counters(latency=("hdr", hdr_v2(wide)))), {"https": [(1200, 3)]})

    yield ("report-empty",
           {"device": "B_1", "boot": 0, "seq": 0, "uptime_ms": 0, "start": 0, "period_ms": 1, "traffic": {}}, {})

    most = [(2 ** 32 - 1, 600_000_000)]
    other = {"flows": 600_000_000, "flagged": 600_000_000, "latency": ("counts", most),
             "rules": {"規則": 250, "r" * 128: 251}}
    yield ("report-extremes",
           {"device": "x" * 64, "boot": 2 ** 64 - 1, "seq": 2 ** 64 - 1, "uptime_ms": 253_402_300_799_999,
            "start": -253_402_300_799_999, "period_ms": 60_000, "traffic": {"other": other}},
           {"other": most})


def statuses():
    yield ("status-birth", {
        "device": "B-0042", "online": True, "boot": 7, "at": 1_795_305_600_000, "model": "B200", "branch": "sapporo-03",
        "customer": "C-00123", "firmware": "5.2.1", "update": "2026.11.21", "update_installed_at": 1_795_300_000_000,
        "packages": {"signatures": {"version": "9.9.1", "installed_at": 1_795_299_000_000}, "engine": {"version": "4"}},
        "workaround": {"id": "WA-1", "active": True}})
    yield ("status-will", {"device": "B-0042", "online": False, "boot": 7})
    yield ("status-empty-texts", {
        "device": "B-0042", "online": True, "boot": 8, "at": -1, "model": "", "branch": "札幌",
        "workaround": {"id": "", "active": False}})
    # One name in the writing of a Mac, of an old terminal, of a C string, and with a mark that turns the line around.
    written = {"device": "B-0042", "online": True, "boot": 9, "model": " Ｂ２００\0", "branch": "シ\u3099ャハ\u309aン支店\u3000",
               "customer": "ｶﾌﾞｼｷ  ｶﾞｲｼｬ", "firmware": "5.2.1\u202e", "update": "\ufeff2026.11.21\u200b",
               "packages": {"engine ": {"version": "４"}}}
    meant = {**written, "model": "B200", "branch": "ジャパン支店", "customer": "カブシキ ガイシャ", "firmware": "5.2.1",
             "update": "2026.11.21", "packages": {"engine": {"version": "4"}}}
    yield ("status-forms", written, meant)


def good(**changes):
    return {**base_report(https=counters(latency=("counts", [(1200, 3)]))), **changes}


def https(**changes):
    return base_report(https=counters(**changes))


def raw(old, new):
    return json_report(good()).replace(old, new, 1)


WILL = {"device": "B-0042", "online": True, "boot": 1}


def refused():
    """(name, kind, payload, reason): one payload for each reason for which a whole message is refused."""
    yield "no bytes", "report", b"", "empty"
    yield "an array", "report", b"[]", "unknown_encoding"
    yield "binary version 2", "report", b"\x02" + binary_report(good())[1:], "unknown_encoding"
    yield "JSON version 2", "report", raw(b'"v":1', b'"v":2'), "unsupported_version"
    yield "JSON cut short", "report", json_report(good())[:-1], "truncated"
    yield "binary cut short", "report", binary_report(good())[:-1], "truncated"
    yield "a length beyond the payload", "report", b"\x01\xfd" + b"\xff" * 8, "truncated"
    yield "NaN", "report", raw(b"1840", b"NaN"), "malformed"
    yield "nesting without end", "report", raw(b'"v":1', b'"x":' + b"[" * 10_000), "malformed"
    yield "a byte after the binary report", "report", binary_report(good()) + b"x", "trailing_bytes"
    yield "a second object", "report", json_report(good()) + b"{}", "trailing_bytes"
    yield "a boot that is true", "report", raw(b'"boot":7', b'"boot":true'), "wrong_type"
    yield "traffic that is a list", "report", raw(b'"traffic":{', b'"traffic":[],"x":{'), "wrong_type"
    yield "no seq", "report", raw(b'"seq":1234,', b""), "missing_field"
    yield "seq twice", "report", raw(b'"seq":1234,', b'"seq":1234,"seq":1234,'), "duplicate_field"
    yield "another device", "report", binary_report(good(device="B-0043")), "device_mismatch"
    yield "half a seq", "report", raw(b"1234", b"1234.5"), "not_an_integer"
    yield "a negative boot", "report", raw(b'"boot":7', b'"boot":-7'), "out_of_range"
    yield "400 digits", "report", raw(b"1840", b"9" * 400), "out_of_range"
    yield "1e400", "report", raw(b"1840", b"1e400"), "out_of_range"
    yield "period 0", "report", binary_report(good(period_ms=0)), "out_of_range"
    yield "a status without boot", "status", b'{"v":1,"device":"B-0042","online":true}', "missing_field"
    yield "online 2", "status", b"\x01\x06B-0042\x02\x07", "wrong_type"
    yield "boot twice", "status", b'{"v":1,"device":"B-0042","online":true,"boot":1,"boot":2}', "duplicate_field"


def left_out():
    """(name, kind, payload, fields, reason of the first, what is left)."""
    def rest(field=None, **changes):
        traffic = counters(**changes)
        for name in {"flagged": ("flows", "flagged"), "canary_flagged": ("canary", "canary_flagged")}.get(field, (field,)):
            traffic.pop(name, None)
        return traffic

    def of(traffic, pairs=(), **head):
        return expected_report({**base_report(https=traffic), **head}, {"https": pairs})

    one = [(1200, 3)]
    whole = of(counters(), one)

    def hdr(data):
        return binary_report(https(latency=("hdr", data)))

    plain = hdr_v2(Hdr())
    bomb = zlib.compress(struct.pack(">IIIIQQd", 0x1C849313, 0, 0, 5, 1, 2 ** 62, 1.0) + bytes(5_000_000), 9)
    beyond = leb128(-368) + leb128(1)
    beyond = struct.pack(">IIIIQQd", 0x1C849313, len(beyond), 0, 1, 1, MAX_US, 1.0) + beyond
    yield "a class of nobody", "report", json_report(base_report(quic=counters(), https=counters())), {"class": 1}, \
        "unknown_class", of(counters())
    yield "https twice", "report", raw(b'"traffic":{', b'"traffic":{"https":{},'), {"class": 1}, "duplicate_class", \
        expected_report(base_report(https={}), {})
    yield "a start that is a date", "report", raw(b'"start":1795305600000', b'"start":"2026-11-21"'), {"start": 1}, \
        "wrong_type", of(counters(), one, start=0)
    yield "a fraction of a flow", "report", raw(b"1840", b"1840.5"), {"flows": 1, "flagged": 1}, "not_an_integer", \
        of(rest("flagged"), one)
    yield "a negative count", "report", raw(b'"released":2', b'"released":-2'), {"released": 1}, "out_of_range", \
        of(rest("released"), one)
    yield "flows twice", "report", raw(b'"flows":1840', b'"flows":1840,"flows":7'), {"flows": 1}, "duplicate_field", whole
    yield "more flows than a box passes", "report", binary_report(https(flows=100_000_001)), {"flows": 1}, \
        "out_of_range", of(rest("flagged"))
    yield "a count of more than 32 bits", "report", binary_report(https(released=2 ** 32)), {"released": 1}, \
        "out_of_range", of(rest("released"))
    yield "more flagged than flows", "report", json_report(https(flows=3, flagged=4)), {"flagged": 1}, "inconsistent", \
        of(rest("flagged"))
    yield "more flagged canaries than canaries", "report", binary_report(https(canary_flagged=21)), \
        {"canary_flagged": 1}, "inconsistent", of(rest("canary_flagged"))
    yield "5,000 samples", "report", binary_report(https(latency=("samples", [1] * 5_000))), {"latency": 1}, \
        "too_many", of(counters())
    yield "65 rules", "report", json_report(https(rules={str(n): 1 for n in range(65)})), {"rules": 1}, "too_many", \
        of(counters(rules={str(n): 1 for n in range(64)}))
    yield "a rule twice", "report", raw(b'"flows"', b'"rules":{"1":2,"1":3},"flows"'), {"rules": 1}, \
        "duplicate_name", of(counters(rules={"1": 2}), one)
    yield "a rule without a name", "report", binary_report(https(rules={"": 1, "2": 3})), {"rules": 1}, "bad_text", \
        of(counters(rules={"2": 3}))
    yield "two forms of latency", "report", raw(b'"latency":{', b'"latency":{"samples":[5],'), {"latency": 1}, \
        "latency_forms", of(counters(), [(5, 1)])
    yield "a pair of three", "report", raw(b"[1200,3]", b"[1,2,3],[1200,3]"), {"latency": 1}, "wrong_type", whole
    yield "a negative latency", "report", raw(b"[1200,3]", b"[-1,2],[1200,3]"), {"latency": 1}, "out_of_range", whole
    yield "not base64", "report", raw(b'{"counts":[[1200,3]]}', b'{"hdr":"*"}'), {"latency": 1}, "hdr_base64", \
        of(counters())
    for name, data, reason in (
            ("an HDR of six digits", plain[:12] + struct.pack(">I", 6) + plain[16:], "hdr_header"),
            ("an HDR that announces 4 GiB", plain[:4] + b"\xff" * 4 + plain[8:], "hdr_length"),
            ("an HDR with a count beyond its range", beyond, "hdr_counts"),
            ("an HDR that does not inflate", struct.pack(">II", 0x1C849314, 8) + b"\0" * 8, "hdr_inflate"),
            ("a deflate bomb", struct.pack(">II", 0x1C849314, len(bomb)) + bomb, "hdr_length")):
        yield name, "report", hdr(data), {"latency": 1}, reason, of(counters())
    packages = {str(n): {"version": "1"} for n in range(33)}
    first = {str(n): {"version": "1"} for n in range(32)}
    yield "a model of 129 characters", "status", json_status({**WILL, "model": "型" * 129, "branch": "b"}), \
        {"model": 1}, "bad_text", expected_status({**WILL, "branch": "b"})
    yield "a branch in Shift_JIS", "status", b'{"v":1,"device":"B-0042","online":true,"boot":1,"branch":"\x8eD\x96y"}', \
        {"branch": 1}, "bad_text", expected_status(WILL)
    yield "33 packages", "status", json_status({**WILL, "packages": packages}), {"packages": 1}, "too_many", \
        expected_status({**WILL, "packages": first})
    yield "a package without a version", "status", json_status({**WILL, "packages": {"a": {}, "b": {"version": "1"}}}), \
        {"packages": 1}, "missing_field", expected_status({**WILL, "packages": {"b": {"version": "1"}}})
    yield "a workaround without active", "status", json_status({**WILL, "workaround": {"id": "WA-1"}, "update": "1"}), \
        {"workaround": 1}, "missing_field", expected_status({**WILL, "update": "1"})
    yield "an install time beyond all years", "status", \
        json_status({**WILL, "update": "1", "update_installed_at": 2 ** 62}), {"update_installed_at": 1}, \
        "out_of_range", expected_status({**WILL, "update": "1"})


def main(directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)

    def write(name, binary, json_form, expected):
        (directory / f"{name}.bin").write_bytes(binary)
        (directory / f"{name}.json").write_bytes(json_form + b"\n")
        lines = json.dumps(expected, indent=1, ensure_ascii=False)
        (directory / f"{name}.expected.json").write_text(lines + "\n", encoding="utf-8")

    for name, report, pairs_of in reports():
        write(name, binary_report(report), json_report(report), expected_report(report, pairs_of))
    for name, status, *meant in statuses():
        write(name, binary_status(status), json_status(status), expected_status(*meant or [status]))
    with open(directory / "refused.jsonl", "w", encoding="utf-8") as lines:
        for name, kind, payload, reason in refused():
            payload = base64.b64encode(payload).decode()
            line = {"name": name, "kind": kind, "device": "B-0042", "reason": reason, "payload_b64": payload}
            lines.write(json.dumps(line) + "\n")
    with open(directory / "left-out.jsonl", "w", encoding="utf-8") as lines:
        for name, kind, payload, fields, reason, expected in left_out():
            payload = base64.b64encode(payload).decode()
            line = {"name": name, "kind": kind, "device": "B-0042", "fields": fields, "reason": reason,
                    "expected": expected, "payload_b64": payload}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
