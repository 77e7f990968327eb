//! The engine's state as bytes: what a checkpoint holds, device by device.
//!
//! The image is made while ingest goes on. Each device's part is consistent in itself (its admission, open slots and
//! verdicts belong together), so that replaying the journal from where the checkpoint began is exact: what the image
//! already holds is dropped as a duplicate. It need not be made in one piece, see [`cut`](super::cut).
//!
//! Layout 7: the byte 7, then records, each its length in bytes (4, little endian) and its content in bincode's standard
//! configuration. The first is the head, the others are devices in any order, each with its index; a record with the highest index
//! holds the sums of devices that are gone, if there were any, and one with the index below it what is normal for the groups of this
//! hour.

pub(super) mod device;

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::config::standard;
use bincode::{Decode, Encode};
use thiserror::Error;

use crate::engine::fleet::{BeforeProof, BeforeRuns, DeviceImage};
use crate::engine::time::{Minute, Timestamp};

use self::device::{write, write_device, write_parts, write_record};
use super::Engine;
use super::events::Events;
use super::facts::About;
use super::forget::Gone;
use super::known_illness::KnownIllness;
use super::tracked::{State, Tracked};

/// The layout's version. An image of a later version is refused, not guessed at.
const VERSION: u8 = 7;
/// This one does not know what people were told of a device.
const VERSION_BEFORE_TOLD: u8 = 6;
/// In this one the devices follow the head in their order, without a length, and tell their boots apart by number.
const VERSION_IN_ORDER: u8 = 5;
/// This one is the same, but knows nothing of proofs ...
const VERSION_BEFORE_PROOF: u8 = 4;
/// ... and this one nothing [`About`] a device either.
const VERSION_BEFORE_ABOUT: u8 = 3;

/// Longest record in bytes, and most memory that one makes on its way in: the head of a fleet in which every device is in
/// an event, with room.
const RECORD_MOST: usize = 256 << 20;

/// The index of the record with the sums of devices that are gone.
const GONE: u32 = u32::MAX;

/// The index of the record with the groups of the hour.
const GROUPS: u32 = u32::MAX - 1;

/// Everything but the devices.
#[derive(Debug, Encode, Decode)]
struct Head {
    last_tick: Timestamp,
    closed_before: Option<Minute>,
    events: Events,
    /// Whether something has changed that the events have not been told of: room was made since the tick.
    touched: bool,
    devices: u32,
}

/// A device, as it is read.
#[derive(Debug)]
struct Found {
    device: DeviceImage,
    state: State,
    dirty_from: Option<Minute>,
    about: About,
    known_illness: Option<Box<KnownIllness>>,
    seen_through: Timestamp,
}

/// The bytes of an engine's state.
pub type EngineImage = Vec<u8>;

/// The bytes are not a state that this build can take up.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Written by another version of fleetwatch.
    #[error("the engine's state has layout {found}, this build reads up to {VERSION}: replay the journal instead")]
    Version { found: u8 },
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
        let mut registered: Vec<_> = self.devices.iter().map(|tracked| Arc::clone(&tracked.device)).collect();
        self.fleet.extend(&mut registered);
        let mut bytes = self.head_of(registered.len() as u32);
        for tracked in &self.devices {
            write_device(tracked, self.last_tick, &mut bytes);
        }
        for device in &registered[self.devices.len()..] {
            let parts = (&State::default(), &None, &About::default(), &None);
            write_parts(device, parts, self.last_tick, &mut bytes);
        }
        bytes
    }

    /// The head of an image of the devices that the engine knows.
    pub(super) fn image_head(&self) -> Vec<u8> {
        self.head_of(self.devices.len() as u32)
    }

    fn head_of(&self, devices: u32) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let Self { last_tick, closed_before, touched, .. } = *self;
        let events = self.events.clone();
        write_record(&mut bytes, |out| write(&Head { last_tick, closed_before, events, touched, devices }, out));
        write_record(&mut bytes, |out| {
            write(&GROUPS, out);
            write(&self.groups, out);
        });
        if self.gone != Gone::default() {
            write_record(&mut bytes, |out| {
                write(&GONE, out);
                write(&self.gone, out);
            });
        }
        bytes
    }

    /// Takes up a state that [`Engine::image`] made.
    ///
    /// # Errors
    /// When the bytes are of another version or damaged, or this engine is not new.
    pub fn restore(&mut self, image: &[u8]) -> Result<(), RestoreError> {
        let mut restoring = Restoring::default();
        restoring.feed(image, self)?;
        restoring.finish(self)
    }
}

/// Takes up a state that comes piece by piece, wherever its bytes are cut. When it fails the engine is of no use any more.
#[derive(Debug, Default)]
pub struct Restoring {
    version: Option<u8>,
    /// What has come and is not a whole record yet.
    rest: Vec<u8>,
    head: Option<Head>,
    /// Devices that came before their turn.
    ahead: BTreeMap<u32, Found>,
}

impl Restoring {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are of another version or damaged, or the engine is not new.
    pub fn feed(&mut self, bytes: &[u8], engine: &mut Engine) -> Result<(), RestoreError> {
        self.rest.extend_from_slice(bytes);
        if self.version.is_none() {
            let Some(&found) = self.rest.first() else { return Ok(()) };
            if !(VERSION_BEFORE_ABOUT..=VERSION).contains(&found) {
                return Err(RestoreError::Version { found });
            }
            if !engine.devices.is_empty() || engine.fleet.device(0).is_some() {
                return Err(RestoreError::NotEmpty);
            }
            self.version = Some(found);
            self.rest.remove(0);
        }
        if matches!(self.version, Some(VERSION_BEFORE_ABOUT..=VERSION_IN_ORDER)) {
            // The older layouts do not tell where a device ends: they are read when all is there.
            return Ok(());
        }
        let rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        while let Some(len) = rest.get(at..).and_then(|rest| rest.first_chunk()) {
            let len = u32::from_le_bytes(*len) as usize;
            if len > RECORD_MOST {
                return Err(damaged("a record is too long"));
            }
            let Some(record) = rest.get(at + 4..at + 4 + len) else { break };
            self.record(record, engine)?;
            at += 4 + len;
        }
        self.rest.extend_from_slice(&rest[at..]);
        Ok(())
    }

    fn record(&mut self, mut record: &[u8], engine: &mut Engine) -> Result<(), RestoreError> {
        let Some(head) = &self.head else {
            self.head = Some(read(&mut record)?);
            return whole(record);
        };
        let index: u32 = read(&mut record)?;
        match index {
            GONE => {
                engine.gone = read(&mut record)?;
                return whole(record);
            }
            GROUPS => {
                engine.groups = read(&mut record)?;
                return whole(record);
            }
            _ => {}
        }
        let seen_through = read(&mut record)?;
        let found = Found {
            device: read(&mut record)?,
            state: read(&mut record)?,
            dirty_from: read(&mut record)?,
            about: read(&mut record)?,
            known_illness: if self.version == Some(VERSION) { read(&mut record)? } else { None },
            seen_through,
        };
        whole(record)?;
        if index >= head.devices || (index as usize) < engine.devices.len() {
            return Err(damaged("a device comes twice or is not one of the fleet"));
        }
        if self.ahead.insert(index, found).is_some() {
            return Err(damaged("a device comes twice"));
        }
        while let Some(found) = self.ahead.remove(&(engine.devices.len() as u32)) {
            found.register(engine);
        }
        Ok(())
    }

    /// The state has come to its end.
    ///
    /// # Errors
    /// When it is not complete.
    pub fn finish(mut self, engine: &mut Engine) -> Result<(), RestoreError> {
        let rest = std::mem::take(&mut self.rest);
        let mut rest = &rest[..];
        match self.version {
            None => return Err(damaged("it is empty")),
            Some(VERSION_BEFORE_TOLD..=VERSION) => {}
            Some(version) => {
                let head: Head = read(&mut rest)?;
                for _ in 0..head.devices {
                    let found = Found {
                        device: if version <= VERSION_BEFORE_PROOF {
                            read::<BeforeProof>(&mut rest)?.into()
                        } else {
                            read::<BeforeRuns>(&mut rest)?.into()
                        },
                        state: read(&mut rest)?,
                        dirty_from: read(&mut rest)?,
                        about: if version == VERSION_BEFORE_ABOUT { About::default() } else { read(&mut rest)? },
                        known_illness: None,
                        seen_through: Timestamp::default(),
                    };
                    found.register(engine);
                }
                self.head = Some(head);
            }
        }
        whole(rest)?;
        let Some(head) = self.head.filter(|head| head.devices as usize == engine.devices.len()) else {
            return Err(damaged("devices are missing"));
        };
        engine.pending = (0..head.devices).collect();
        engine.events = head.events;
        engine.touched = head.touched;
        engine.last_tick = head.last_tick;
        engine.closed_before = head.closed_before;
        engine.sort_order();
        Ok(())
    }
}

impl Found {
    fn register(self, engine: &mut Engine) {
        let Self { device, state, dirty_from, about, known_illness, seen_through } = self;
        let device = engine.fleet.restore(device);
        let mut tracked = Tracked::with_state(device, state, about, dirty_from);
        (tracked.known_illness, tracked.seen_through) = (known_illness, seen_through);
        engine.devices.push(tracked);
    }
}

/// Decodes the next value, which may make no more memory than a record has.
fn read<T: Decode<()>>(rest: &mut &[u8]) -> Result<T, RestoreError> {
    let config = standard().with_limit::<RECORD_MOST>();
    let (value, used) = bincode::decode_from_slice(rest, config).map_err(|error| damaged(&error.to_string()))?;
    *rest = rest.get(used..).unwrap_or_default();
    Ok(value)
}

fn whole(rest: &[u8]) -> Result<(), RestoreError> {
    if rest.is_empty() { Ok(()) } else { Err(damaged("something follows that does not belong there")) }
}

fn damaged(why: &str) -> RestoreError {
    RestoreError::Damaged(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::device::Status;
    use crate::engine::fleet::Fleet;
    use crate::engine::settings::Settings;

    /// An engine that has heard of two devices.
    fn engine() -> Engine {
        let settings = Settings::default();
        let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
        let now = Timestamp::from_ms(1_795_305_600_000);
        let status = || Status { online: true, update: Some("2026.11.21".into()), ..Status::default() };
        for device in ["B-0001", "B-0002"] {
            engine.fleet().status(device, status(), false, now).expect("taken");
        }
        engine.tick(now.plus_ms(1_000));
        engine
    }

    fn new() -> Engine {
        let settings = Settings::default();
        Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)))
    }

    /// The bytes of the layouts in which devices follow each other in their order.
    fn in_order(engine: &Engine, version: u8) -> Vec<u8> {
        let mut old = vec![version];
        let Engine { last_tick, closed_before, touched, .. } = *engine;
        write(&Head { last_tick, closed_before, events: engine.events.clone(), touched, devices: 2 }, &mut old);
        for tracked in &engine.devices {
            let image = tracked.device.capture().before_runs();
            if version > VERSION_BEFORE_PROOF {
                write(&image, &mut old);
            } else {
                write(&image.before_proof(), &mut old);
            }
            write(&tracked.state, &mut old);
            write(&tracked.dirty_from, &mut old);
            if version > VERSION_BEFORE_ABOUT {
                write(&tracked.about, &mut old);
            }
        }
        old
    }

    /// The bytes of the layout that does not know what people were told.
    fn before_told(engine: &Engine) -> Vec<u8> {
        let mut old = engine.image_head();
        old[0] = VERSION_BEFORE_TOLD;
        for tracked in &engine.devices {
            write_record(&mut old, |out| {
                write(&(tracked.device.index() as u32), out);
                write(&tracked.seen_through.max(engine.last_tick), out);
                write(&tracked.device.capture(), out);
                write(&tracked.state, out);
                write(&tracked.dirty_from, out);
                write(&tracked.about, out);
            });
        }
        old
    }

    #[test]
    fn images_of_the_layouts_before_are_taken_up() {
        let engine = engine();
        let seen = |engine: &Engine| serde_json::to_value(engine.snapshot()).expect("plain data");
        for version in VERSION_BEFORE_ABOUT..VERSION {
            let mut restored = new();
            let old = if version == VERSION_BEFORE_TOLD { before_told(&engine) } else { in_order(&engine, version) };
            restored.restore(&old).expect("readable");
            assert_eq!(seen(&restored), seen(&engine), "{version}");
            if version >= VERSION_IN_ORDER {
                // The older had none of the hour: those are made with its next minute.
                restored.groups = engine.groups.clone();
                assert_eq!(restored.image(), engine.image());
            }
            let proved = restored.devices.iter().filter(|tracked| tracked.device.is_proved()).count();
            assert_eq!(proved, 0, "no report, no proof");
        }
    }

    #[test]
    fn an_image_may_be_cut_anywhere_but_must_be_complete() {
        let image = engine().image();
        for at in 0..image.len() {
            let (mut restored, mut restoring) = (new(), Restoring::default());
            restoring.feed(&image[..at], &mut restored).expect("a beginning");
            let mut half = new();
            assert!(half.restore(&image[..at]).is_err(), "{at} bytes are not all");
            restoring.feed(&image[at..], &mut restored).expect("the rest");
            restoring.finish(&mut restored).expect("complete");
            assert_eq!(restored.image(), image);
        }
        assert!(new().restore(&[&image[..], b"x"].concat()).is_err());
        assert!(matches!(new().restore(&[8]), Err(RestoreError::Version { found: 8 })));
    }

    #[test]
    fn a_length_that_lies_makes_no_memory() {
        // A head whose list of events says that it has 2^60 of them.
        let mut image = vec![VERSION];
        write_record(&mut image, |out| out.extend_from_slice(&[0, 0, 253, 0, 0, 0, 0, 0, 0, 0, 16]));
        assert!(matches!(new().restore(&image), Err(RestoreError::Damaged(_))));
    }
}
