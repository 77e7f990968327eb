//! What a journal does on a disk that works.

use std::fs;

use super::*;

#[test]
fn what_was_appended_is_read_in_order_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for (first, last) in [(1, 40), (41, 41), (42, 100)] {
        let (journal, recovery) = Journal::open(config(dir.path()), 0).unwrap();
        assert_eq!(recovery.next_lsn, first);
        assert_eq!((recovery.torn_bytes, recovery.damaged), (0, vec![]));
        append(&journal, first..=last);
        journal.close().unwrap();
        assert_eq!(*journal.durable().borrow(), last);
        assert_eq!(journal.try_append(&sample(1).entry()), Err(AppendError::Closed));
    }
    for from in [0, 1, 2, 40, 41, 42, 99, 100, 101] {
        let (found, report) = all(dir.path(), from);
        assert_eq!(found, (from.max(1)..=100).map(sample).collect::<Vec<_>>(), "from {from}");
        assert_eq!((report.torn_bytes, report.damaged), (0, vec![]));
    }
}

#[test]
fn segments_follow_each_other_and_retention_spares_what_a_checkpoint_needs() {
    let dir = tempfile::tempdir().unwrap();
    let config = JournalConfig { segment_bytes: 600, max_bytes: 14_000, ..config(dir.path()) };
    let (journal, _) = Journal::open(config.clone(), 0).unwrap();
    for lsn in 1..=60 {
        append(&journal, lsn..=lsn);
        await_durable(&journal, lsn);
    }
    let full = journal.stats();
    assert!(full.segments > 8, "{full:?}");
    assert_eq!(all(dir.path(), 0).0.len(), 60, "nothing goes before the first checkpoint");

    journal.release(30);
    for lsn in 61..=90 {
        append(&journal, lsn..=lsn);
        await_durable(&journal, lsn);
    }
    journal.close().unwrap();
    let (found, report) = all(dir.path(), 31);
    assert_eq!(found, (31..=90).map(sample).collect::<Vec<_>>());
    assert_eq!(report.lost(), 0);
    let (found, report) = all(dir.path(), 1);
    assert!(found[0].lsn > 1, "the segments that the checkpoint has seen are gone");
    assert_eq!(report.lost(), found[0].lsn - 1, "and their absence is told to who asks for them");

    let (journal, recovery) = Journal::open(config, 0).unwrap();
    assert_eq!((recovery.next_lsn, recovery.oldest_lsn), (91, found[0].lsn));
    assert_eq!(journal.stats().bytes, recovery.bytes);
}

#[test]
fn old_segments_go_by_the_age_of_their_newest_entry() {
    let dir = tempfile::tempdir().unwrap();
    // The samples are 10 ms apart.
    let config = JournalConfig { segment_bytes: 1, max_age: Duration::from_millis(100), ..config(dir.path()) };
    let (journal, _) = Journal::open(config, 0).unwrap();
    journal.release(1_000);
    for lsn in 1..=30 {
        append(&journal, lsn..=lsn);
        await_durable(&journal, lsn);
    }
    journal.close().unwrap();
    // Entry 20 is 100 ms older than the newest; its segment goes when the next one is older still.
    assert_eq!(all(dir.path(), 0).0, (19..=30).map(sample).collect::<Vec<_>>());
}

#[test]
fn a_second_process_is_told_that_the_directory_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(config(dir.path()), 0).unwrap();
    let refused = Journal::open(config(dir.path()), 0).unwrap_err();
    assert_eq!(refused.reason(), "locked");
    assert!(refused.to_string().contains("in use by another fleetwatch"), "{refused}");
    append(&journal, 1..=3);
    await_durable(&journal, 3);
    assert_eq!(all(dir.path(), 0).0.len(), 3, "reading needs no lock");
    drop(journal);
    assert_eq!(Journal::open(config(dir.path()), 0).unwrap().1.next_lsn, 4);
}

#[test]
fn numbers_go_on_above_the_checkpoint_when_the_journal_was_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovery) = Journal::open(config(dir.path()), 500).unwrap();
    assert_eq!(recovery.next_lsn, 501);
    append(&journal, 501..=503);
    journal.close().unwrap();
    let (found, report) = all(dir.path(), 501);
    assert_eq!(found, (501..=503).map(sample).collect::<Vec<_>>());
    assert_eq!(report.damaged, vec![]);
}

#[test]
fn an_entry_that_no_frame_holds_is_refused_and_the_longest_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(config(dir.path()), 0).unwrap();
    let mut entry = sample(1);
    entry.payload = vec![7; frame::MAX_FRAME - frame::FRAME_HEAD - entry.topic.len()];
    assert_eq!(journal.try_append(&entry.entry()), Ok(1));
    entry.payload.push(7);
    assert!(matches!(journal.try_append(&entry.entry()), Err(AppendError::TooLarge { .. })));
    journal.close().unwrap();
    entry.payload.pop();
    assert_eq!(all(dir.path(), 0).0, vec![entry]);
}

#[test]
fn checkpoints_are_kept_in_two_generations() {
    let dir = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(dir.path()).unwrap();
    assert_eq!(store.load().unwrap(), Loaded::default());
    assert!(!store.load().unwrap().state_lost(), "a first start has lost nothing");
    assert_eq!(store.save(b"one", 10).unwrap(), Saved { generation: 1, oldest_lsn: 10, bytes: 3 });
    assert_eq!(store.save(b"two", 20).unwrap(), Saved { generation: 2, oldest_lsn: 10, bytes: 3 });
    assert_eq!(store.save(b"three", 30).unwrap(), Saved { generation: 3, oldest_lsn: 20, bytes: 5 });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "two states and the reserve");

    let store = CheckpointStore::open(dir.path()).unwrap();
    let loaded = store.load().unwrap();
    let newest = loaded.checkpoint.unwrap();
    assert_eq!((newest.generation, newest.lsn, newest.bytes().unwrap()), (3, 30, b"three".to_vec()));
    assert_eq!(store.save(b"", 40).unwrap(), Saved { generation: 4, oldest_lsn: 30, bytes: 0 });
    assert_eq!(store.load().unwrap().checkpoint.unwrap().bytes().unwrap(), b"");
}

#[test]
fn a_directory_that_cannot_be_made_is_named_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Journal::open(config(&file.join("journal")), 0).unwrap_err();
    assert_eq!(refused.reason(), "io");
    assert!(refused.to_string().contains("cannot make the directory"), "{refused}");
    let small = JournalConfig { max_pending_bytes: 10, ..config(dir.path()) };
    assert_eq!(Journal::open(small, 0).unwrap_err().reason(), "settings");
}

#[test]
fn many_appenders_share_commits_and_none_of_their_entries_is_mixed_up() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(config(dir.path()), 0).unwrap();
    let journal = &journal;
    std::thread::scope(|scope| {
        for task in 0..4_u64 {
            scope.spawn(move || {
                let runtime = runtime();
                for i in 0..500_u64 {
                    let entry = sample(task * 1_000 + i);
                    runtime.block_on(journal.append(&entry.entry())).unwrap();
                }
            });
        }
    });
    journal.close().unwrap();
    assert_eq!(*journal.durable().borrow(), 2_000);
    assert!(journal.stats().commits < 2_000, "{:?}", journal.stats());
    let (found, _) = all(dir.path(), 0);
    assert!(found.iter().zip(1..).all(|(entry, lsn)| entry.lsn == lsn));
    for task in 0..4_u64 {
        let mine: Vec<_> = found.iter().filter(|entry| in_task(entry, task)).collect();
        assert_eq!(mine.len(), 500);
        for (entry, i) in mine.iter().zip(0..) {
            assert_eq!(Owned { lsn: 0, ..(*entry).clone() }, Owned { lsn: 0, ..sample(task * 1_000 + i) });
        }
    }
}

fn in_task(entry: &Owned, task: u64) -> bool {
    let number: u64 = entry.topic[9..entry.topic.len() - 7].parse().unwrap();
    number / 1_000 == task
}
