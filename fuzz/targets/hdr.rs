//! A histogram as libraries write it, plain and deflated, within a report that is otherwise sound.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleetwatch::engine::wire::{Decoder, Limits};

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let hdr = STANDARD.encode(data);
    let payload = format!(
        r#"{{"v":1,"device":"B-1","boot":1,"seq":1,"uptime_ms":60000,"start":1795305600000,"period_ms":10000,"traffic":{{"https":{{"latency":{{"hdr":"{hdr}"}},"flows":9}}}}}}"#
    );
    let _ = Decoder::new(Limits::default()).report("B-1", payload.as_bytes());
}
