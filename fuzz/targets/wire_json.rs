//! What a device may send as JSON, as report and as status.

use fleetwatch::engine::wire::{Decoder, Limits};

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let mut payload = vec![b'{'];
    payload.extend_from_slice(data.strip_prefix(b"{").unwrap_or(data));
    let mut decoder = Decoder::new(Limits::default());
    let _ = decoder.report("B-0042", &payload);
    let _ = decoder.status("B-0042", &payload);
}
