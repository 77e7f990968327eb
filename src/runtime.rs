//! What `serve` runs: messages taken over, decisions at their instants, incidents, gates, checkpoints, delivery, readiness.
//!
//! | module | what it owns |
//! |---|---|
//! | [`core`] | everything between delivery and decision, started, watched and ended as one |
//! | [`access`] | who may use the operators' listener, from the configuration |
//! | [`intake`] | takes a message over: decode, journal, record, count |
//! | [`decision`] | the engine's ticks at their instants, and what follows from each |
//! | [`forget`] | a person takes devices out of the fleet |
//! | [`update_gates`] | the gates: seen, recorded, published, decided by a person |
//! | [`incidents`] | the open incidents: opened, climbed, worked on by people, told |
//! | [`doubt`] | whether the server's clock can be believed at a start |
//! | [`bounds`] | what may be taken before somebody else has too little: descriptors, the journal |
//! | [`room`] | whether the journal's limit fits its file system |
//! | [`checkpoint`] | saves the engine's state beside the running decision |
//! | [`notify`] | the channels of the configuration, the delivery over them, the test message |
//! | [`secrets`] | every file with a secret, read as `serve` will |
//! | [`serve`] | the daemon: configuration, broker or collector, listener, signals |
//! | [`recovery`] | checkpoint and journal back to a running engine |
//! | [`location`] | where the configuration says that the record is |
//! | [`registrar`] | sees that the record can be written, and that it is the one it was |
//! | [`lookback`] | closed minutes, looked back on for pages |
//! | [`marker`] | which record belongs to the state; mounts that are missing |
//! | [`private`] | state that others could read is closed to them |
//! | [`sent_messages`] | what was told, kept in mind should the record be lost |
//! | [`mirrors`] | totals of the transports on their way into the counters |
//! | [`playback`] | journalled or recorded messages through the engine on virtual time |
//! | [`stepping`] | what has to be done before a clock that is moved in steps may be moved again |
//! | [`stop`] | the request to end: Ctrl-C or SIGTERM |
//! | [`watch`] | readiness and gauges, once a second |
//! | [`driver`] | the engine through virtual time: ticks at their instants, reports between them |
//! | [`descriptors`] | the process' limit of open files |
//! | [`mutex`] | taking a lock, poisoned or not |
//! | [`throttled`] | log lines about refused messages, not more often than is useful |
//! | [`failure`] | the kinds of failure, their exit codes and how they are printed |
//!
//! # Why a restart decides the same
//!
//! The journal alone determines what is decided; live operation is a replay that happens to be in step with the clock:
//!
//! - Each entry's `at` is the engine time of its delivery, never falling from one entry to the next.
//! - An entry with `at` before a tick's instant is in the fleet before that tick runs, and one with a later `at` is not. The
//!   gate in [`intake`] sees to it: a tick holds deliveries off, and a delivery that would be stamped past a tick which has
//!   not run is put off until it has.
//! - Entries of one device enter the fleet in the journal's order.
//! - A checkpoint names the last entry whose effect was complete when its image was begun. Whatever the image holds beyond
//!   that is dropped as a duplicate when the tail is replayed, and no tick that had run by then takes it into account again.

pub mod access;
pub mod bounds;
pub mod checkpoint;
pub mod core;
pub mod decision;
pub mod descriptors;
pub mod doubt;
pub mod driver;
pub mod failure;
pub mod forget;
pub mod incidents;
pub mod intake;
pub mod location;
pub mod lookback;
pub mod marker;
pub mod mirrors;
pub mod mutex;
pub mod notify;
pub mod playback;
pub mod private;
pub mod recovery;
pub mod registrar;
pub mod room;
pub mod secrets;
pub mod sent_messages;
pub mod serve;
pub mod stepping;
pub mod stop;
pub mod throttled;
pub mod update_gates;
pub mod watch;
