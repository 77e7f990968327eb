//! What production never runs: simulated fleets, load, the demo, the detection benchmark.
//!
//! | module | what it owns |
//! |---|---|
//! | [`simulation`] | a fleet with a believable life and a known truth; load |
//! | [`feed`] | a simulated fleet's messages, straight into an engine on virtual time |
//! | [`demo`] | `demo`: broker, core, pages and a simulated fleet in one process |
//! | [`live`] | what `demo` shows: events that scroll above a panel, or plain lines |
//! | [`score`] | `score`: the detection benchmark |

pub mod demo;
pub mod feed;
pub mod live;
pub mod score;
pub mod simulation;
