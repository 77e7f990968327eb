//! The golden vectors in `fixtures/wire` are read as their expected files say, and refused as `refused.jsonl` says.

use std::path::Path;

use fleetwatch::engine::wire::{DecodeError, Decoder, Limits, encode};

#[path = "support/wire_vectors.rs"]
mod wire_vectors;

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wire"))
}

#[test]
fn golden_vectors_are_read_as_expected() {
    let checked = wire_vectors::check_accepted(fixtures());
    assert!(checked >= 36, "only {checked} payloads were found");
}

#[test]
fn golden_refusals_cover_every_reason_that_a_payload_can_have() {
    let met = wire_vectors::check_refused(fixtures());
    for reason in DecodeError::REASONS {
        // A bad topic is not a payload's, and 64 KiB of nothing need not be kept in a file.
        let elsewhere = ["bad_topic", "too_large"].contains(reason);
        assert!(elsewhere || met.iter().any(|met| met == reason), "no vector for `{reason}`");
    }
    let met = wire_vectors::check_left_out(fixtures());
    for reason in DecodeError::LEFT_OUT_REASONS {
        assert!(met.iter().any(|met| met == reason), "no vector of a field left out for `{reason}`");
    }
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.report("B-0042", &[b'{'; 65_537]).map(drop), Err(DecodeError::TooLarge));
    assert_eq!(decoder.status("B-0042", &[b'{'; 65_537]), Err(DecodeError::TooLarge));
}

#[test]
fn our_writer_writes_the_same_bytes_of_a_status() {
    for name in ["status-birth", "status-will"] {
        let payload = std::fs::read(fixtures().join(name).with_extension("bin")).unwrap();
        let status = Decoder::new(Limits::default()).status("B-0042", &payload).unwrap();
        assert_eq!(encode::status_binary("B-0042", &status), payload, "{name}");
    }
}
