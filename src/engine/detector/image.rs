//! The engine's state as bytes: what a checkpoint holds, device by device.
//!
//! The image is made between two ticks while ingest goes on. Each device's part is consistent in itself (its admission,
//! open slots and verdicts belong together), so that replaying the journal from where the checkpoint began is exact:
//! what the image already holds is dropped as a duplicate.

use std::sync::Arc;

use bincode::config::standard;
use bincode::{Decode, Encode};
use thiserror::Error;

use crate::engine::fleet::DeviceImage;
use crate::engine::time::{Minute, Timestamp};

use super::Engine;
use super::events::Events;
use super::tracked::{About, State, Tracked};

/// First bytes of an image: the layout's version. An image of another version is refused, not guessed at ...
const VERSION: u16 = 5;
/// ... but for this one, which knows nothing of proofs, and is the same otherwise ...
const VERSION_BEFORE_PROOF: u16 = 4;
/// ... and this one, which knows nothing [`About`] a device either.
const VERSION_BEFORE_ABOUT: u16 = 3;

/// Everything but the devices.
#[derive(Debug, Encode, Decode)]
struct Head {
    version: u16,
    last_tick: Timestamp,
    closed_before: Option<Minute>,
    events: Events,
    /// Whether something has changed that the events have not been told of: room was made since the tick.
    touched: bool,
    devices: u32,
}

/// The bytes of an engine's state.
pub type EngineImage = Vec<u8>;

/// The bytes are not a state that this build can take up.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Written by another version of fleetwatch.
    #[error("the engine's state has layout {found}, this build reads {VERSION}: replay the journal instead")]
    Version { found: u16 },
    /// Not decodable, although its checksum was right.
    #[error("the engine's state cannot be decoded: {0}")]
    Damaged(String),
    /// Restoring into an engine that has devices already.
    #[error("the engine's state can only be restored into a new engine")]
    NotEmpty,
}

impl Engine {
    /// The engine's whole state, with the devices that have registered since the last tick. Each device is held still for
    /// a few microseconds only.
    pub fn image(&self) -> EngineImage {
        let mut bytes = Vec::new();
        let mut registered: Vec<_> = self.devices.iter().map(|tracked| Arc::clone(&tracked.device)).collect();
        self.fleet.extend(&mut registered);
        let newcomers = &registered[self.devices.len()..];
        let head = Head {
            version: VERSION,
            last_tick: self.last_tick,
            closed_before: self.closed_before,
            events: self.events.clone(),
            touched: self.touched,
            devices: registered.len() as u32,
        };
        write(&head, &mut bytes);
        for tracked in &self.devices {
            write(&tracked.device.capture(), &mut bytes);
            write(&tracked.state, &mut bytes);
            write(&tracked.dirty_from, &mut bytes);
            write(&tracked.about, &mut bytes);
        }
        for device in newcomers {
            write(&device.capture(), &mut bytes);
            write(&State::default(), &mut bytes);
            write(&None::<Minute>, &mut bytes);
            write(&About::default(), &mut bytes);
        }
        bytes
    }

    /// Takes up a state that [`Engine::image`] made.
    ///
    /// # Errors
    /// When the bytes are of another version or damaged, or this engine is not new.
    pub fn restore(&mut self, image: &[u8]) -> Result<(), RestoreError> {
        if !self.devices.is_empty() || self.fleet.device(0).is_some() {
            return Err(RestoreError::NotEmpty);
        }
        let mut rest = image;
        let version: u16 = read(&mut &*rest)?;
        if ![VERSION, VERSION_BEFORE_PROOF, VERSION_BEFORE_ABOUT].contains(&version) {
            return Err(RestoreError::Version { found: version });
        }
        let head: Head = read(&mut rest)?;
        for _ in 0..head.devices {
            let device = if version <= VERSION_BEFORE_PROOF { read_unproved(&mut rest)? } else { read(&mut rest)? };
            let state: State = read(&mut rest)?;
            let dirty_from: Option<Minute> = read(&mut rest)?;
            let about = if version == VERSION_BEFORE_ABOUT { About::default() } else { read(&mut rest)? };
            let device = self.fleet.restore(device);
            self.devices.push(Tracked::with_state(device, state, about, dirty_from));
        }
        self.pending = (0..head.devices).collect();
        self.events = head.events;
        self.touched = head.touched;
        self.last_tick = head.last_tick;
        self.closed_before = head.closed_before;
        self.sort_order();
        Ok(())
    }
}

fn write(value: &impl Encode, bytes: &mut Vec<u8>) {
    // Encoding into memory fails only for types that this state does not hold.
    if bincode::encode_into_std_write(value, bytes, standard()).is_err() {
        unreachable!("the state is made of encodable types");
    }
}

/// Decodes the next value. The bytes come from our own file with a good checksum, so no limit is set.
fn read<T: Decode<()>>(rest: &mut &[u8]) -> Result<T, RestoreError> {
    let (value, used) =
        bincode::decode_from_slice(rest, standard()).map_err(|error| RestoreError::Damaged(error.to_string()))?;
    *rest = rest.get(used..).unwrap_or_default();
    Ok(value)
}

fn read_unproved(rest: &mut &[u8]) -> Result<DeviceImage, RestoreError> {
    let (device, used) =
        DeviceImage::decode_unproved(rest).map_err(|error| RestoreError::Damaged(error.to_string()))?;
    *rest = rest.get(used..).unwrap_or_default();
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::device::Status;
    use crate::engine::fleet::Fleet;
    use crate::engine::settings::Settings;

    #[test]
    fn an_image_from_before_devices_told_about_themselves_is_taken_up() {
        let settings = Settings::default();
        let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
        let now = Timestamp::from_ms(1_795_305_600_000);
        let status = || Status { online: true, update: Some("2026.11.21".into()), ..Status::default() };
        for device in ["B-0001", "B-0002"] {
            engine.fleet().status(device, status(), false, now).expect("taken");
        }
        engine.tick(now.plus_ms(1_000));
        let mut old = Vec::new();
        let events = engine.events.clone();
        let (last_tick, closed_before, touched) = (engine.last_tick, engine.closed_before, engine.touched);
        write(&Head { version: VERSION_BEFORE_ABOUT, last_tick, closed_before, events, touched, devices: 2 }, &mut old);
        for tracked in &engine.devices {
            let mut proof = Vec::new();
            write(&tracked.device.proof(), &mut proof);
            write(&tracked.device.capture(), &mut old);
            // The proof is the last part of a device's.
            old.truncate(old.len() - proof.len());
            write(&tracked.state, &mut old);
            write(&tracked.dirty_from, &mut old);
        }
        let mut restored = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
        restored.restore(&old).expect("readable");
        let seen = |engine: &Engine| serde_json::to_value(engine.snapshot()).expect("plain data");
        assert_eq!(seen(&restored), seen(&engine));
        let proved = |engine: &Engine| engine.devices.iter().filter(|tracked| tracked.device.is_proved()).count();
        assert_eq!(proved(&restored), 0, "no report, no proof");
    }
}
