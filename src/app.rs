//! Wires the parts together, for `serve`, `demo`, `record`, `replay` and what looks back on them.
//!
//! | module | what it owns |
//! |---|---|
//! | [`core`] | everything between delivery and decision, started, watched and ended as one |
//! | [`access`] | who may use the operators' listener, from the configuration |
//! | [`demo`] | `demo`: broker, core, pages and a simulated fleet in one process |
//! | [`keeper`] | takes a message over: decode, journal, record, count |
//! | [`decision`] | the engine's ticks at their instants, and what follows from each |
//! | [`forget`] | a person takes devices out of the fleet |
//! | [`gate`] | the gates: seen, recorded, published, decided by a person |
//! | [`desk`] | the open incidents: opened, climbed, worked on by people, told |
//! | [`doubt`] | whether the server's clock can be believed at a start |
//! | [`bounds`] | what may be taken before somebody else has too little: descriptors, the journal |
//! | [`room`] | whether the journal's limit fits its file system |
//! | [`checkpoint`] | saves the engine's state beside the running decision |
//! | [`notify`] | the channels of the configuration, the delivery over them, the test message |
//! | [`secrets`] | every file with a secret, read as `serve` will |
//! | [`serve`] | the daemon: configuration, broker or collector, listener, signals |
//! | [`record`] | what a broker delivers, written as a recording |
//! | [`replay`] | a recording or a journal, printed change by change |
//! | [`accounts`], `password` | `user` and `token`: who may, from the command line |
//! | [`backtest`] | a grid of settings over a recording or a journal, compared |
//! | [`explain`] | why an incident was declared, a near miss was not, a device was judged as it was |
//! | [`report`] | what a night amounted to |
//! | [`recovery`] | checkpoint and journal back to a running engine |
//! | [`location`] | where the configuration says that the record is |
//! | [`registrar`] | sees that the record can be written, and that it is the one it was |
//! | [`marker`] | which record belongs to the state; mounts that are missing |
//! | [`private`] | state that others could read is closed to them |
//! | [`told`] | what was told, kept in mind should the record be lost |
//! | [`live`] | what `demo` shows: events that scroll above a panel, or plain lines |
//! | [`mirrors`] | totals of the transports on their way into the counters |
//! | [`playback`] | journalled or recorded messages through the engine on virtual time |
//! | [`score`] | `score`: the detection benchmark |
//! | [`simulate`] | `simulate`: a fleet or a load against any broker |
//! | [`stepping`] | what has to be done before a clock that is moved in steps may be moved again |
//! | [`stop`] | the wish to end: Ctrl-C or SIGTERM |
//! | [`watch`] | readiness and gauges, once a second |
//!
//! # Why a restart decides the same
//!
//! The journal alone determines what is decided; live operation is a replay that happens to be in step with the clock:
//!
//! - Each entry's `at` is the engine time of its delivery, never falling from one entry to the next.
//! - An entry with `at` before a tick's instant is in the fleet before that tick runs, and one with a later `at` is not. The
//!   gate in [`keeper`] sees to it: a tick holds deliveries off, and a delivery that would be stamped past a tick which has
//!   not run is put off until it has.
//! - Entries of one device enter the fleet in the journal's order.
//! - A checkpoint names the last entry whose effect was complete when its image was begun. Whatever the image holds beyond
//!   that is dropped as a duplicate when the tail is replayed, and no tick that had run by then takes it into account again.

pub mod access;
pub mod accounts;
pub mod backtest;
pub mod bounds;
pub mod checkpoint;
pub mod core;
pub mod decision;
pub mod demo;
pub mod desk;
pub mod doubt;
pub mod explain;
pub mod forget;
pub mod gate;
pub mod keeper;
pub mod live;
pub mod location;
pub mod marker;
pub mod mirrors;
pub mod notify;
mod password;
pub mod playback;
pub mod private;
pub mod record;
pub mod recovery;
pub mod registrar;
pub mod replay;
pub mod report;
pub mod room;
pub mod score;
pub mod secrets;
pub mod serve;
pub mod simulate;
pub mod stepping;
pub mod stop;
pub mod told;
pub mod watch;
