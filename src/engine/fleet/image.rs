//! A device in a checkpoint.

use bincode::{Decode, Encode};

use super::admission::Admission;
use super::anchor::Anchor;
use super::coverage::Coverage;
use super::inbox::Inbox;
use super::proof::Proof;
use super::recent::Recent;
use super::rules::RuleTally;
use super::run::Run;
use super::sequence::SequenceWindow;
use crate::engine::device::{DeviceId, TrafficClass};
use crate::engine::slots::SlotCounts;
use crate::engine::time::{Minute, Timestamp};

/// A device as of one instant: what was taken, where it stands, what waits. Equal states have equal images.
///
/// Duplicates are not in it: how often something was sent again is no part of what was said.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DeviceImage {
    pub(super) id: DeviceId,
    pub(super) expected: bool,
    pub(super) admission: Admission,
    pub(super) slots: Vec<SlotImage>,
    pub(super) proof: Proof,
}

impl DeviceImage {
    /// The device's id.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }
}

/// An open minute of one class.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct SlotImage {
    pub(super) class: TrafficClass,
    pub(super) minute: Minute,
    pub(super) counts: SlotCounts,
    /// Samples as `(bucket, count)`, ascending.
    pub(super) buckets: Vec<(u16, u32)>,
}

/// A device as in layout 5, where its boots are told apart by their numbers alone.
#[derive(Debug, Decode)]
#[cfg_attr(test, derive(Encode))]
pub struct BeforeRuns {
    id: DeviceId,
    expected: bool,
    admission: AdmissionBeforeRuns,
    slots: Vec<SlotImage>,
    proof: Proof,
}

/// The same in the layouts before, in which proofs were not counted either.
#[derive(Debug, Decode)]
#[cfg_attr(test, derive(Encode))]
pub struct BeforeProof {
    id: DeviceId,
    expected: bool,
    admission: AdmissionBeforeRuns,
    slots: Vec<SlotImage>,
}

impl From<BeforeProof> for DeviceImage {
    /// The reports that were taken are a proof.
    fn from(image: BeforeProof) -> Self {
        let BeforeProof { id, expected, admission, slots } = image;
        let proof = Proof::of_history(admission.reports, admission.last_arrival.unwrap_or_default());
        BeforeRuns { id, expected, admission, slots, proof }.into()
    }
}

#[derive(Debug, Decode)]
#[cfg_attr(test, derive(Encode))]
struct BootBeforeRuns {
    number: u64,
    anchor: Option<Anchor>,
    window: SequenceWindow,
    wall_offset_ms: i64,
    start: i64,
    event_ms: i64,
    arrival_ms: i64,
}

#[derive(Debug, Decode)]
#[cfg_attr(test, derive(Encode))]
struct AdmissionBeforeRuns {
    boots: Vec<BootBeforeRuns>,
    coverage: Coverage,
    status_offset: Option<(u64, i64)>,
    missing_before: u64,
    reports: u64,
    late: u64,
    untimed: u64,
    last_arrival: Option<Timestamp>,
    closed_before: Minute,
    inbox: Inbox,
    rules: RuleTally,
}

impl From<BeforeRuns> for DeviceImage {
    fn from(image: BeforeRuns) -> Self {
        let BeforeRuns { id, expected, admission: before, slots, proof } = image;
        let arrival_ms = before.last_arrival.map(Timestamp::as_ms);
        let admission = Admission {
            runs: (0..).zip(before.boots).map(|(life, boot)| run_of(life, boot)).collect(),
            recent: Recent::after(arrival_ms),
            pace: None,
            live_ms: arrival_ms,
            there_ms: None,
            gone_ms: None,
            coverage: before.coverage,
            status_offset: before.status_offset,
            missing_before: before.missing_before,
            reports: before.reports,
            late: before.late,
            untimed: before.untimed,
            last_arrival: before.last_arrival,
            closed_before: before.closed_before,
            inbox: before.inbox,
            rules: before.rules,
        };
        Self { id, expected, admission, slots, proof }
    }
}

/// What was known of a boot, as the run of a life of its own. Which uptimes it had is known of the newest only.
fn run_of(life: u32, boot: BootBeforeRuns) -> Run {
    let highest_ms = boot.anchor.map_or(0, |anchor| boot.event_ms.saturating_sub(anchor.at_ms()).max(0));
    Run {
        boot: boot.number,
        life,
        anchor: boot.anchor,
        window: boot.window,
        uptime_ms: (0, highest_ms),
        offsets_ms: [Some(boot.wall_offset_ms), None, None],
        wall_ms: boot.start,
        event_ms: boot.event_ms,
        end_ms: boot.event_ms,
        arrival_ms: boot.arrival_ms,
        paced_from: (highest_ms, boot.arrival_ms),
        is_paced: false,
        openers: Vec::new(),
    }
}

#[cfg(test)]
impl DeviceImage {
    /// As layout 5 would have it, of a device that has not reported.
    pub fn before_runs(self) -> BeforeRuns {
        let Self { id, expected, admission, slots, proof } = self;
        let Admission { coverage, status_offset, missing_before, reports, late, untimed, .. } = admission;
        let Admission { last_arrival, closed_before, inbox, rules, .. } = admission;
        let admission = AdmissionBeforeRuns {
            boots: Vec::new(),
            coverage,
            status_offset,
            missing_before,
            reports,
            late,
            untimed,
            last_arrival,
            closed_before,
            inbox,
            rules,
        };
        BeforeRuns { id, expected, admission, slots, proof }
    }
}

#[cfg(test)]
impl BeforeRuns {
    /// As layout 4 would have it.
    pub fn before_proof(self) -> BeforeProof {
        let Self { id, expected, admission, slots, .. } = self;
        BeforeProof { id, expected, admission, slots }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_from_before_runs_is_taken_up_with_all_it_knew() {
        let mut window = SequenceWindow::default();
        (3..9).for_each(|seq| window.mark(seq));
        let boot = BootBeforeRuns {
            number: 7,
            anchor: Some(Anchor::first(70_000, 1_000_000, None, 1)),
            window: window.clone(),
            wall_offset_ms: -5,
            start: 990_005,
            event_ms: 990_000,
            arrival_ms: 1_000_000,
        };
        let admission = AdmissionBeforeRuns {
            boots: vec![boot],
            coverage: Coverage::default(),
            status_offset: Some((7, -5)),
            missing_before: 4,
            reports: 10,
            late: 2,
            untimed: 1,
            last_arrival: Some(Timestamp::from_ms(1_000_000)),
            closed_before: Minute(12),
            inbox: Inbox::default(),
            rules: RuleTally::default(),
        };
        let id = DeviceId::parse("B-1").unwrap();
        let config = bincode::config::standard();
        let old = BeforeRuns { id: id.clone(), expected: true, admission, slots: Vec::new(), proof: Proof::default() };
        let bytes = bincode::encode_to_vec(&old, config).unwrap();
        let (read, _): (BeforeRuns, _) = bincode::decode_from_slice(&bytes, config).unwrap();
        let image = DeviceImage::from(read);
        assert_eq!((&image.id, image.expected), (&id, true));
        let run = &image.admission.runs[0];
        assert_eq!((run.boot, &run.window, run.uptime_ms, run.offset_ms()), (7, &window, (0, 60_000), -5));
        let kept = &image.admission;
        assert_eq!((kept.missing(), kept.reports, kept.late, kept.untimed), (4, 10, 2, 1));
        assert_eq!(kept.closed_before, Minute(12));
        assert!(!kept.recent.covers(1_000_000) && kept.recent.covers(1_000_001));
    }
}
