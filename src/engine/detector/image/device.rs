//! One device, as the bytes of an image.

use bincode::Encode;
use bincode::config::standard;

use crate::engine::detector::facts::About;
use crate::engine::detector::known_illness::KnownIllness;
use crate::engine::detector::tracked::{State, Tracked};
use crate::engine::fleet::Device;
use crate::engine::time::{Minute, Timestamp};

/// Writes a device down; `at` is the last tick that has run.
pub(in crate::engine::detector) fn write_device(tracked: &Tracked, at: Timestamp, out: &mut Vec<u8>) {
    let parts = (&tracked.state, &tracked.dirty_from, &tracked.about, &tracked.known_illness);
    write_parts(&tracked.device, parts, at.max(tracked.seen_through), out);
}

pub(in crate::engine::detector) fn write_parts(
    device: &Device,
    (state, dirty_from, about, known_illness): (&State, &Option<Minute>, &About, &Option<Box<KnownIllness>>),
    seen_through: Timestamp,
    out: &mut Vec<u8>,
) {
    write_record(out, |out| {
        write(&(device.index() as u32), out);
        write(&seen_through, out);
        write(&device.capture(), out);
        write(state, out);
        write(dirty_from, out);
        write(about, out);
        write(known_illness, out);
    });
}

pub(in crate::engine::detector) fn write_record(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    content(out);
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

pub(in crate::engine::detector) fn write(value: &impl Encode, bytes: &mut Vec<u8>) {
    // Encoding into memory fails only for types that this state does not hold.
    if bincode::encode_into_std_write(value, bytes, standard()).is_err() {
        unreachable!("the state is made of encodable types");
    }
}
