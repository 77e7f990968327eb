//! Every step on the disk fails once, and once for good; whatever happens, what was reported durable is there.

use std::task::Poll;

use super::disk::{Fault, TestDisk};
use super::*;

const LAST: u64 = 14;

fn small(dir: &Path) -> JournalConfig {
    JournalConfig { segment_bytes: 500, max_bytes: 2_900, ..config(dir) }
}

fn open(dir: &Path, disk: &TestDisk) -> Result<(Journal, Recovery), JournalError> {
    Journal::open_on(small(dir), 0, Arc::new(disk.clone()))
}

/// Appends up to [`LAST`], one commit each, and lets retention work; ends early when the journal refuses for good.
fn live(journal: &Journal, next: u64, for_good: bool) -> u64 {
    runtime().block_on(async {
        let (mut durable, mut state) = (journal.durable(), journal.state());
        for lsn in next..=LAST {
            let appended = if for_good {
                match journal.try_append(&sample(lsn).entry()) {
                    Err(AppendError::Failing { .. }) => break,
                    appended => appended,
                }
            } else {
                journal.append(&sample(lsn).entry()).await
            };
            assert_eq!(appended, Ok(lsn));
            let reached = async {
                tokio::select! {
                    reached = durable.wait_for(|durable| *durable >= lsn) => { reached.unwrap(); false }
                    failing = state.wait_for(|state| !state.is_ok()), if for_good => { failing.unwrap(); true }
                }
            };
            if tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap() {
                break;
            }
            journal.release(lsn.saturating_sub(6));
        }
        *journal.durable().borrow()
    })
}

/// What is kept is a run of true entries up to at least `durable`, and nothing that retention had to spare is missing.
fn assert_prefix(dir: &Path, durable: u64, accepted: u64, context: &str) -> u64 {
    let (found, report) = all(dir, 0);
    assert_eq!(report.damaged, vec![], "{context}");
    let first = found.first().map_or(1, |entry| entry.lsn);
    let last = found.last().map_or(0, |entry| entry.lsn);
    assert_eq!(found, (first..=last).map(sample).collect::<Vec<_>>(), "{context}");
    assert!(last >= durable && last <= accepted, "{context}: durable {durable}, found up to {last}");
    assert!(first <= durable.saturating_sub(6) + 1, "{context}: retention took too much, {first} is the first");
    last
}

/// One run with operation `n` failing. Whether it was reached.
fn run(n: u64, fault: Fault, for_good: bool, cut_power: bool) -> bool {
    let context = format!("operation {n}, {fault:?}, for good: {for_good}, power cut: {cut_power}");
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    disk.fail(n, if for_good { u64::MAX } else { 1 }, fault);
    let mut durable = 0;
    let mut next = 1;
    // Three lives, so that starts are among the operations that fail.
    for _ in 0..3 {
        let Ok((journal, recovery)) = open(dir.path(), &disk) else { continue };
        assert!(recovery.next_lsn > durable, "{context}: {recovery:?}");
        assert_eq!(recovery.damaged, vec![], "{context}");
        next = recovery.next_lsn;
        durable = live(&journal, next, for_good);
        let closed = journal.close();
        durable = durable.max(*journal.durable().borrow());
        if for_good {
            if let Err(error) = closed {
                assert_eq!(error.reason(), "unwritten");
            }
        } else {
            assert!(closed.is_ok() && durable == LAST, "{context}: it recovers by itself");
        }
    }
    let hit = disk.heal();
    if cut_power {
        disk.power_cut(dir.path(), n * 7 + 1);
    }
    let last = assert_prefix(dir.path(), durable, LAST.max(next), &context);
    let (journal, recovery) = open(dir.path(), &disk).unwrap();
    assert!(recovery.next_lsn > durable && recovery.next_lsn <= last + 1, "{context}: {recovery:?}");
    let durable = live(&journal, recovery.next_lsn, false);
    journal.close().unwrap();
    disk.power_cut(dir.path(), n);
    assert_prefix(dir.path(), durable.max(recovery.next_lsn - 1), LAST, &context);
    hit
}

#[test]
fn whichever_step_on_the_disk_fails_nothing_reported_durable_is_lost() {
    for fault in [Fault::NoSpace, Fault::Io, Fault::IoZeros] {
        for (for_good, cut_power) in [(false, false), (false, true), (true, false), (true, true)] {
            let steps = (0..).take_while(|&n| run(n, fault, for_good, cut_power)).count();
            assert!(steps > 40, "the loop went through {steps} steps only");
        }
    }
}

#[test]
fn whichever_step_of_a_save_fails_the_last_good_checkpoint_is_loaded() {
    let state = |lsn: u64| vec![lsn as u8; 3_000];
    for fault in [Fault::NoSpace, Fault::Io, Fault::IoZeros] {
        for (count, cut_power) in [(1, false), (1, true), (u64::MAX, false), (u64::MAX, true)] {
            let mut n = 0;
            loop {
                let dir = tempfile::tempdir().unwrap();
                let disk = TestDisk::default();
                disk.fail(n, count, fault);
                let store = CheckpointStore::open_on(dir.path(), Arc::new(disk.clone())).unwrap();
                let mut saved = 0;
                let mut oldest = u64::MAX;
                for lsn in 1..=5 {
                    if let Ok(done) = store.save(&state(lsn), lsn) {
                        saved = lsn;
                        oldest = done.oldest_lsn;
                    }
                }
                let hit = disk.heal();
                if cut_power {
                    disk.power_cut(dir.path(), n);
                }
                let store = CheckpointStore::open_on(dir.path(), Arc::new(disk.clone())).unwrap();
                let loaded = store.load().unwrap();
                assert_eq!(loaded.damaged, vec![], "a file with a name is whole");
                let lsn = loaded.checkpoint.as_ref().map_or(0, |good| good.lsn);
                assert!(lsn >= saved && lsn <= 5, "operation {n}, {fault:?}: saved {saved}, loaded {lsn}");
                assert!(loaded.checkpoint.is_none_or(|good| good.bytes().unwrap() == state(good.lsn)));
                assert!(oldest == u64::MAX || oldest <= saved);
                store.save(&state(9), 9).unwrap();
                assert_eq!(store.load().unwrap().checkpoint.unwrap().lsn, 9);
                assert!(fs::read_dir(dir.path()).unwrap().count() <= 3, "what failed leaves nothing behind");
                if !hit {
                    break;
                }
                n += 1;
            }
            assert!(n > 4, "the loop went through {n} steps only");
        }
    }
}

#[test]
fn trouble_is_told_and_ends_by_itself_when_there_is_space_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let (journal, _) = open(dir.path(), &disk).unwrap();
    append(&journal, 1..=1);
    await_durable(&journal, 1);
    disk.fail(0, u64::MAX, Fault::NoSpace);
    runtime().block_on(async {
        assert_eq!(journal.try_append(&sample(2).entry()), Ok(2));
        let mut state = journal.state();
        let failing = state.wait_for(|state| !state.is_ok()).await.unwrap().clone();
        let JournalState::Failing(trouble) = failing else { unreachable!() };
        assert_eq!(trouble.reason, "no_space");
        let text = trouble.to_string();
        assert!(text.contains("nothing is acknowledged") && text.contains("free space"), "{text}");
        assert_eq!(journal.try_append(&sample(3).entry()), Err(AppendError::Failing { reason: "no_space" }));
        let third = sample(3);
        let entry = third.entry();
        let mut waiting = std::pin::pin!(journal.append(&entry));
        let first_poll = std::future::poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
        assert!(first_poll, "the one who waits waits");
        assert_eq!(*journal.durable().borrow(), 1);
        disk.heal();
        let appended = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
        assert_eq!(appended, Ok(3));
        assert!(state.wait_for(JournalState::is_ok).await.is_ok());
    });
    journal.close().unwrap();
    assert!(journal.stats().failures > 0);
    disk.power_cut(dir.path(), 0);
    assert_eq!(all(dir.path(), 0).0, (1..=3).map(sample).collect::<Vec<_>>());
}

#[test]
fn a_sync_that_hangs_holds_back_the_senders_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let config = JournalConfig { max_pending_messages: 50, ..config(dir.path()) };
    let (journal, _) = Journal::open_on(config, 0, Arc::new(disk.clone())).unwrap();
    disk.close_gate();
    assert_eq!(journal.try_append(&sample(1).entry()), Ok(1));
    disk.await_sync_at_gate();
    // The thread hangs in its sync from here to the opening of the gate; each call below returns nevertheless.
    for lsn in 2..=50 {
        assert_eq!(journal.try_append(&sample(lsn).entry()), Ok(lsn));
    }
    for _ in 0..1_000 {
        assert_eq!(journal.try_append(&sample(51).entry()), Err(AppendError::Full));
    }
    let stats = journal.stats();
    assert_eq!((stats.pending_messages, *journal.durable().borrow()), (50, 0));
    assert!(journal.state().borrow().is_ok());
    runtime().block_on(async {
        let next = sample(51);
        let entry = next.entry();
        let mut waiting = std::pin::pin!(journal.append(&entry));
        assert!(std::future::poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await);
        disk.open_gate();
        assert_eq!(tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap(), Ok(51));
    });
    await_durable(&journal, 51);
    assert_eq!(journal.stats().pending_messages, 0);
}

#[test]
fn entries_of_a_segment_that_an_earlier_process_could_not_sync_are_made_durable_before_they_are_shown() {
    for fault in [Fault::Io, Fault::NoSpace] {
        let dir = tempfile::tempdir().unwrap();
        let disk = TestDisk::default();
        let (journal, _) = open(dir.path(), &disk).unwrap();
        append(&journal, 1..=1);
        await_durable(&journal, 1);
        // The sync fails, and so does the shortening after it; the process ends.
        disk.fail(1, u64::MAX, fault);
        assert_eq!(journal.try_append(&sample(2).entry()), Ok(2));
        assert_eq!(journal.close().unwrap_err().reason(), "unwritten");
        assert_eq!(all(dir.path(), 0).0.len(), 2, "the page cache still shows what the disk does not have");
        disk.heal();
        // The next process must not count on it: the power goes right after its start.
        let (journal, recovery) = open(dir.path(), &disk).unwrap();
        journal.close().unwrap();
        let shown = all(dir.path(), 0).0.len() as u64;
        assert_eq!(recovery.next_lsn, shown + 1);
        disk.power_cut(dir.path(), 0);
        assert_eq!(all(dir.path(), 0).0.len() as u64, shown);
    }
}
