//! Disks that fill: by the journal itself, by others, to the last byte; and what comes when there is room again.

use proptest::prelude::*;

use super::disk::TestDisk;
use super::*;

/// Journal and checkpoints on one file system.
struct Bench {
    dir: tempfile::TempDir,
    disk: TestDisk,
    config: JournalConfig,
    journal: Journal,
    checkpoints: CheckpointStore,
    /// Number of the next entry.
    next: u64,
    /// Up to here the journal has said that it is durable.
    durable: u64,
    /// Up to here a checkpoint has been saved.
    saved: u64,
}

const STATE: usize = 3_000;

impl Bench {
    fn new(capacity: u64, max_bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = TestDisk::default();
        disk.limit(capacity, 0);
        let config = JournalConfig { segment_bytes: 1_000, max_bytes, ..config(&dir.path().join("journal")) };
        let (journal, checkpoints) = open(&dir, &disk, &config);
        Self { dir, disk, config, journal, checkpoints, next: 1, durable: 0, saved: 0 }
    }

    /// Appends one entry and waits for it. Whether it was taken and has become durable.
    fn append(&mut self) -> bool {
        let lsn = self.next;
        match self.journal.try_append(&sample(lsn).entry()) {
            Ok(taken) => assert_eq!(taken, lsn),
            Err(AppendError::Failing { reason }) => {
                assert!(["no_space", "limit"].contains(&reason));
                return false;
            }
            Err(other) => panic!("{other}"),
        }
        self.next += 1;
        self.settle();
        self.durable >= lsn
    }

    /// Waits until what was taken is durable, or the journal says that it cannot be.
    fn settle(&mut self) {
        let (last, mut durable, mut state) = (self.next - 1, self.journal.durable(), self.journal.state());
        runtime().block_on(async {
            let settled = async {
                tokio::select! {
                    reached = durable.wait_for(|durable| *durable >= last) => drop(reached.unwrap()),
                    failing = state.wait_for(|state| !state.is_ok()) => drop(failing.unwrap()),
                }
            };
            tokio::time::timeout(Duration::from_secs(30), settled).await.expect("it is durable, or it is told why not");
        });
        self.durable = *self.journal.durable().borrow();
    }

    /// Appends until the journal refuses, at most `most` entries. How many were taken.
    fn fill(&mut self, most: u64) -> u64 {
        (0..most).take_while(|_| self.append()).count() as u64
    }

    /// Saves a state that has seen everything durable. Whether that worked.
    fn checkpoint(&mut self) -> bool {
        let lsn = *self.journal.durable().borrow();
        let Ok(saved) = self.checkpoints.save(&vec![lsn as u8; STATE], lsn) else { return false };
        self.saved = lsn;
        self.journal.release(saved.oldest_lsn);
        true
    }

    fn await_state(&self, wanted: impl Fn(&JournalState) -> bool) {
        runtime().block_on(async {
            let mut state = self.journal.state();
            let reached = tokio::time::timeout(Duration::from_secs(30), state.wait_for(|state| wanted(state)));
            drop(reached.await.expect("it comes to that").unwrap());
        });
    }

    fn await_accepting(&self) {
        self.await_state(JournalState::is_ok);
    }

    fn await_request(&self) {
        let until = crate::clock::monotonic() + Duration::from_secs(30);
        while !self.journal.wants_checkpoint() {
            assert!(crate::clock::monotonic() < until, "a checkpoint is asked for");
            std::thread::yield_now();
        }
    }

    /// The process ends and another one starts.
    fn restart(self) -> Self {
        let Self { dir, disk, config, journal, checkpoints, mut next, saved, .. } = self;
        let _ = journal.close();
        let durable = *journal.durable().borrow();
        drop((journal, checkpoints));
        let (journal, checkpoints) = open(&dir, &disk, &config);
        let loaded = checkpoints.load().unwrap();
        assert!(loaded.damaged.is_empty(), "{loaded:?}");
        let lsn = loaded.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.lsn);
        assert!(lsn >= saved, "the checkpoint of {saved} is gone, {lsn} is left");
        if let Some(checkpoint) = &loaded.checkpoint {
            assert_eq!(checkpoint.bytes().unwrap(), vec![lsn as u8; STATE]);
            journal.release(loaded.oldest_lsn);
        }
        // What a checkpoint needs is there, and nothing else than what was appended.
        let (found, report) = all(&config.dir, lsn + 1);
        assert_eq!(report.lost(), 0);
        let last = lsn + found.len() as u64;
        assert_eq!(found, (lsn + 1..=last).map(sample).collect::<Vec<_>>());
        assert!(last >= durable && last < next, "durable {durable}, found up to {last} of {next}");
        next = last + 1;
        Self { dir, disk, config, journal, checkpoints, next, durable: last, saved: lsn }
    }
}

fn open(dir: &tempfile::TempDir, disk: &TestDisk, config: &JournalConfig) -> (Journal, CheckpointStore) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let (journal, _) = Journal::open_on(config.clone(), 0, Arc::clone(&storage)).unwrap();
    (journal, CheckpointStore::open_on(dir.path().join("checkpoint"), storage).unwrap())
}

fn size(dir: &Path) -> u64 {
    // What the journal deletes between the list and the look takes no room.
    fs::read_dir(dir).unwrap().map(|item| item.unwrap().metadata().map_or(0, |file| file.len())).sum()
}

#[test]
fn a_journal_that_fills_its_disk_gives_old_segments_up_and_never_stops() {
    let mut bench = Bench::new(40_000, 1 << 30);
    for _ in 0..60 {
        assert_eq!(bench.fill(10), 10, "{:?}", bench.journal.state().borrow());
        assert!(bench.checkpoint());
    }
    assert!(bench.journal.stats().removed_segments > 10);
    let bench = bench.restart();
    assert!(bench.journal.state().borrow().is_ok());
}

#[test]
fn when_every_segment_is_needed_a_full_disk_still_has_room_for_the_checkpoints_that_let_them_go() {
    let mut bench = Bench::new(40_000, 1 << 30);
    assert!(bench.checkpoint());
    let taken = bench.fill(10_000);
    assert!(taken > 50 && taken < 10_000, "{taken}");
    bench.await_request();
    let told = bench.journal.state().borrow().clone();
    let JournalState::Failing(trouble) = told else { panic!("{told:?}") };
    assert_eq!(trouble.reason, "no_space");
    await_durable(&bench.journal, bench.next - 1);
    // The older of two counts.
    assert!(bench.checkpoint() && bench.checkpoint());
    bench.await_accepting();
    assert!(bench.fill(20) == 20);
    bench.restart();
}

#[test]
fn a_disk_that_others_have_filled_is_used_again_when_they_give_room_back() {
    let mut bench = Bench::new(200_000, 1 << 30);
    bench.fill(30);
    for _ in 0..3 {
        bench.disk.fill(true);
        bench.fill(100_000);
        assert!(!bench.journal.state().borrow().is_ok());
        bench.disk.fill(false);
        bench.await_accepting();
        assert_eq!(bench.fill(10), 10);
        assert!(bench.checkpoint());
    }
    bench.restart();
}

#[test]
fn a_start_without_a_byte_of_room_goes_on_with_what_checkpoints_do_not_need() {
    let mut bench = Bench::new(40_000, 1 << 30);
    bench.config.reserve_bytes = 0;
    for _ in 0..3 {
        bench.fill(30);
        assert!(bench.checkpoint());
    }
    // The advice is taken: a lower limit.
    bench.config.max_bytes = 9_000;
    bench.disk.fill(true);
    let mut bench = bench.restart();
    bench.await_accepting();
    assert_eq!(bench.fill(5), 5, "{:?}", bench.journal.state().borrow());
    assert!(bench.checkpoint());
    assert!(size(&bench.config.dir) <= 9_000);
}

#[test]
fn the_limit_holds_to_the_byte_and_asks_for_a_checkpoint_first() {
    let max = 20_000;
    let mut bench = Bench::new(1 << 40, max);
    assert!(bench.fill(10_000) > 50);
    assert!(size(&bench.config.dir) <= max);
    bench.await_request();
    bench.await_state(|state| matches!(state, JournalState::Failing(trouble) if trouble.reason == "limit"));
    let text = bench.journal.state().borrow().clone();
    let JournalState::Failing(trouble) = text else { unreachable!() };
    assert!(trouble.to_string().contains("nothing is acknowledged"), "{trouble}");
    for _ in 0..20 {
        assert!(bench.checkpoint() && bench.checkpoint());
        bench.await_accepting();
        assert!(bench.fill(10_000) > 10);
        assert!(size(&bench.config.dir) <= max, "{}", size(&bench.config.dir));
    }
    bench.restart();
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Checkpoint,
    /// Others leave so many bytes free.
    Others(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..60_u64).prop_map(Step::Append),
        3 => Just(Step::Checkpoint),
        3 => (0..20_000_u64).prop_map(Step::Others),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fills_the_disk_nothing_durable_is_lost_and_room_alone_brings_everything_back(
        steps in prop::collection::vec(step(), 1..30),
        max_bytes in prop_oneof![Just(1 << 30), 12_000..40_000_u64],
    ) {
        let mut bench = Bench::new(60_000, max_bytes);
        for step in steps {
            match step {
                Step::Append(most) => drop(bench.fill(most)),
                Step::Checkpoint => drop(bench.checkpoint()),
                Step::Others(free) => {
                    let all = bench.disk.limit(60_000, 0);
                    bench.disk.limit(60_000, all.saturating_sub(free));
                }
                Step::Restart => bench = bench.restart(),
            }
            prop_assert!(size(&bench.config.dir) <= max_bytes);
        }
        // Room is back; the next checkpoints come by themselves.
        bench.disk.limit(60_000, 0);
        for _ in 0..4 {
            bench.settle();
            bench.checkpoint();
        }
        bench.await_accepting();
        prop_assert_eq!(bench.fill(5), 5);
        bench.restart();
    }
}
