//! What decides: the pure rooms of fleetwatch, a crate of their own.
//!
//! They know no clock, no IO, no logging and no randomness: time is an argument, what they decide is returned as data. That they are a crate,
//! with a short list of dependencies, is how the build proves it; and they are optimised to the full in every build, where the rest is not.
//!
//! | module | what it owns |
//! |---|---|
//! | [`engine`] | the detector: wire format, histograms, fleet, baseline, verdicts, the one-hour rule |
//! | [`incident`] | a major incident's life: people, remedies that telemetry proves, a close that cannot come early |

pub mod engine;
pub mod incident;
