//! Sequences of messages, as brokers mangle them.

use proptest::prelude::*;

use super::*;

/// One report of a story: which one, and how often and how late it comes.
#[derive(Clone, Debug)]
struct Sending {
    boot: u64,
    seq: u64,
    samples: u32,
    lateness_ms: i64,
    again: usize,
}

impl Sending {
    fn report(&self) -> Report {
        let at_ms = self.at_ms();
        let mut report = report(self.boot, self.seq, at_ms, self.samples);
        if self.seq.is_multiple_of(5) {
            report.classes.push(class(TrafficClass::Dns, 0..1));
        }
        report
    }

    /// Boots overlap: an older one's backlog stands beside the newer one's reports.
    fn at_ms(&self) -> i64 {
        (self.boot * 200 + self.seq * 10) as i64 * 1_000
    }

    fn arrival(&self) -> Timestamp {
        arrival(self.at_ms() + self.lateness_ms)
    }
}

/// Every report of 40 places at most once, in arrival order.
fn story() -> impl Strategy<Value = Vec<Sending>> {
    let sending = (0i64..300_000, 1u32..9, 1usize..=5, any::<bool>());
    prop::collection::vec(sending, 40).prop_map(|sendings| {
        let mut story: Vec<Sending> = (0u64..)
            .zip(sendings)
            .filter(|(_, sending)| sending.3)
            .map(|(n, (lateness_ms, samples, again, _))| Sending {
                boot: 1 + n / 20,
                seq: n % 20,
                samples,
                lateness_ms: if n.is_multiple_of(3) { lateness_ms } else { 0 },
                again,
            })
            .collect();
        story.sort_by_key(Sending::arrival);
        story
    })
}

/// Runs the story with a tick before each arrival, but for the first `replayed` ones, whose ticks are past.
fn run(fleet: &Fleet, story: &[Sending], replayed: usize, known: &mut BTreeMap<Minute, u64>, copies: bool) {
    let device = fleet.get("B-1").unwrap();
    for (n, sending) in story.iter().enumerate() {
        let now = sending.arrival();
        if n >= replayed {
            tally(&device, known, now.plus_ms(-Settings::default().grace_ms).minute());
        }
        for again in 0..if copies { sending.again } else { 1 } {
            let outcome = fleet.report("B-1", &sending.report(), now.plus_ms(again as i64 * 700));
            assert!(again == 0 || outcome == Err(Refusal::Duplicate), "{outcome:?}");
        }
    }
}

fn new_fleet() -> Fleet {
    let fleet = Fleet::new(&Settings::default());
    fleet.expect(DeviceId::parse("B-1").unwrap());
    fleet
}

fn samples(story: &[Sending]) -> u64 {
    story.iter().map(|sending| u64::from(sending.samples) * if sending.seq.is_multiple_of(5) { 2 } else { 1 }).sum()
}

proptest! {
    #[test]
    fn redelivery_changes_nothing(story in story()) {
        let (once, often) = (new_fleet(), new_fleet());
        let (mut known_once, mut known_often) = (BTreeMap::new(), BTreeMap::new());
        run(&once, &story, 0, &mut known_once, false);
        run(&often, &story, 0, &mut known_often, true);
        let (once, often) = (once.get("B-1").unwrap(), often.get("B-1").unwrap());
        prop_assert_eq!(once.capture(), often.capture());
        tally(&once, &mut known_once, minute(100));
        tally(&often, &mut known_often, minute(100));
        prop_assert_eq!(&known_once, &known_often);
        prop_assert_eq!(known_once.values().sum::<u64>(), samples(&story));
    }

    /// A checkpoint, then a crash, then the journal from some time before the checkpoint.
    #[test]
    fn a_tail_that_overlaps_the_checkpoint_counts_every_report_once(
        story in story(),
        saved in 0usize..=40,
        overlap in 0usize..=40,
    ) {
        let saved = saved.min(story.len());
        let straight = new_fleet();
        let mut wanted = BTreeMap::new();
        run(&straight, &story, 0, &mut wanted, false);

        let before = new_fleet();
        let mut known = BTreeMap::new();
        run(&before, &story[..saved], 0, &mut known, false);
        let image = before.get("B-1").unwrap().capture();
        let config = bincode::config::standard();
        let bytes = bincode::encode_to_vec(&image, config).unwrap();
        let (decoded, _): (DeviceImage, _) = bincode::decode_from_slice(&bytes, config).unwrap();
        prop_assert_eq!(&decoded, &image);

        let after = Fleet::new(&Settings::default());
        after.restore(decoded);
        let restored = after.get("B-1").unwrap();
        prop_assert_eq!(restored.capture(), image);
        let overlap = overlap.min(saved);
        run(&after, &story[saved - overlap..], overlap, &mut known, false);
        prop_assert_eq!(restored.capture(), straight.get("B-1").unwrap().capture());
        tally(&restored, &mut known, minute(100));
        tally(&straight.get("B-1").unwrap(), &mut wanted, minute(100));
        prop_assert_eq!(known, wanted);
    }
}
