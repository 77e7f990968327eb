//! Torn, cut and flipped files: every one is detected, and what is read is true.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use proptest::prelude::*;

use super::disk::TestDisk;
use super::*;

const LAST: u64 = 12;

/// A journal of [`LAST`] entries in three segments, and its segments with their content.
fn journal_in(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let disk = TestDisk::default();
    for (first, last) in [(1, 4), (5, 8), (9, LAST)] {
        let (journal, _) = Journal::open_on(config(dir), 0, Arc::new(disk.clone())).unwrap();
        append(&journal, first..=last);
        journal.close().unwrap();
    }
    let segments = segments::list(dir).unwrap();
    assert_eq!(segments.len(), 3);
    segments.into_iter().map(|segment| (segment.path.clone(), fs::read(segment.path).unwrap())).collect()
}

/// Reads everything; fails unless each entry is true and in its place.
fn read_true(dir: &Path, context: &str) -> (Vec<u64>, ReadReport) {
    let (found, report) = all(dir, 1);
    for entry in &found {
        assert_eq!(*entry, sample(entry.lsn), "{context}");
    }
    let lsns: Vec<_> = found.iter().map(|entry| entry.lsn).collect();
    assert!(lsns.is_sorted_by(|a, b| a < b), "{context}: {lsns:?}");
    (lsns, report)
}

/// Runs `check` with each bit of the file flipped in turn. In place: writing whole files costs a flush each.
fn with_each_bit_flipped(path: &Path, content: &[u8], mut check: impl FnMut(usize)) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for (at, byte) in content.iter().enumerate() {
        for bit in 0..8 {
            file.write_all_at(&[byte ^ (1 << bit)], at as u64).unwrap();
            check(at * 8 + bit);
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
}

/// Runs `check` with the file cut to each shorter length, longest first.
fn with_each_cut(path: &Path, content: &[u8], mut check: impl FnMut(usize)) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for len in (0..content.len()).rev() {
        file.set_len(len as u64).unwrap();
        check(len);
    }
}

#[test]
fn every_flipped_bit_of_a_journal_is_detected_and_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    let segments = journal_in(dir.path());
    for (number, (path, content)) in segments.iter().enumerate() {
        with_each_bit_flipped(path, content, |bit| {
            let context = format!("segment {number}, bit {bit}");
            let (lsns, report) = read_true(dir.path(), &context);
            let missing = LAST - lsns.len() as u64;
            assert!(!report.damaged.is_empty() || report.torn_bytes > 0, "{context}: not detected");
            if bit / 8 < frame::SEGMENT_HEAD {
                assert_eq!((missing, report.damaged[0].why), (0, "header"), "{context}: frames vouch for themselves");
            } else {
                assert!(missing > 0, "{context}");
                // The last frame of all cannot be told from a torn write; every other one is counted.
                assert!(report.lost() == missing || (missing == 1 && report.torn_bytes > 0), "{context}: {report:?}");
            }
        });
    }
    assert_eq!(read_true(dir.path(), "restored").1, ReadReport { entries: LAST, ..ReadReport::default() });
}

#[test]
fn a_journal_cut_at_any_byte_goes_on_behind_its_last_whole_entry() {
    let dir = tempfile::tempdir().unwrap();
    let segments = journal_in(dir.path());
    let (path, content) = &segments[2];
    with_each_cut(path, content, |len| {
        let context = format!("cut to {len} bytes");
        let disk = TestDisk::default();
        disk.adopt(dir.path());
        let (lsns, report) = read_true(dir.path(), &context);
        let whole = lsns.len() as u64;
        assert_eq!(lsns, (1..=whole).collect::<Vec<_>>(), "{context}");
        assert!(whole >= 8, "{context}");
        let (journal, recovery) = Journal::open_on(config(dir.path()), 0, Arc::new(disk)).unwrap();
        assert_eq!(recovery.torn_bytes, report.torn_bytes, "{context}");
        if whole == 8 {
            // Not a single entry: no torn write leaves that, so it is damage, and the number is not given again.
            assert_eq!((recovery.damaged.iter().map(|damage| damage.lost).sum::<u64>(), recovery.next_lsn), (1, 10));
        } else {
            assert_eq!((recovery.damaged, recovery.next_lsn), (vec![], whole + 1), "{context}");
        }
        let next = recovery.next_lsn;
        assert_eq!(journal.try_append(&sample(next).entry()), Ok(next));
        journal.close().unwrap();
        let (lsns, report) = read_true(dir.path(), &context);
        assert_eq!(lsns, (1..=whole).chain([next]).collect::<Vec<_>>(), "{context}");
        assert_eq!((report.torn_bytes, report.lost()), (0, next - whole - 1), "{context}: the tail is superseded");
        fs::remove_file(segments::path_of(dir.path(), next)).unwrap();
    });
}

#[test]
fn a_segment_that_is_gone_or_cut_in_the_middle_is_counted_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let segments = journal_in(dir.path());
    let (path, content) = &segments[1];
    with_each_cut(path, content, |len| {
        let (lsns, report) = read_true(dir.path(), &format!("cut to {len} bytes"));
        assert_eq!(report.lost(), LAST - lsns.len() as u64);
        assert!(lsns.ends_with(&[9, 10, 11, 12]) && report.lost() > 0);
        let (wanted, report) = all(dir.path(), 9);
        assert_eq!((wanted.len(), report.lost()), (4, 0), "what is not wanted is not missed");
    });
    fs::remove_file(path).unwrap();
    let (lsns, report) = read_true(dir.path(), "removed");
    assert_eq!((lsns.len(), report.lost(), report.damaged[0].why), (8, 4, "missing"));
}

#[test]
fn numbers_behind_damage_in_the_last_segment_are_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let segments = journal_in(dir.path());
    let (path, content) = &segments[2];
    let mut flipped = content.clone();
    flipped[frame::SEGMENT_HEAD + 10] ^= 1;
    fs::write(path, flipped).unwrap();
    let disk = TestDisk::default();
    disk.adopt(dir.path());
    let (journal, recovery) = Journal::open_on(config(dir.path()), 0, Arc::new(disk)).unwrap();
    assert_eq!((recovery.next_lsn, recovery.damaged.len(), recovery.damaged[0].lost), (13, 1, 4));
    assert_eq!(recovery.torn_bytes, 0);
    append(&journal, 13..=13);
    journal.close().unwrap();
    let (lsns, report) = read_true(dir.path(), "damaged");
    assert_eq!((lsns, report.lost()), ((1..=8).chain([13]).collect(), 4));
}

#[test]
fn a_segment_of_a_newer_version_is_refused_and_not_misread() {
    let dir = tempfile::tempdir().unwrap();
    let segments = journal_in(dir.path());
    let mut newer = segments[2].1.clone();
    newer[8] = 2;
    let crc = crc32c::crc32c(&newer[..28]);
    newer[28..32].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segments[2].0, &newer).unwrap();
    let refused = Journal::open(config(dir.path()), 0).unwrap_err();
    assert_eq!(refused.reason(), "newer_version");
    assert!(refused.to_string().contains("format version 2, this fleetwatch reads up to 1"), "{refused}");
    assert_eq!(fs::read(&segments[2].0).unwrap(), newer);
    let mut reader = read_from(dir.path(), 9).unwrap();
    assert_eq!(reader.next().unwrap_err().reason(), "newer_version");
}

#[test]
fn a_payload_that_holds_frames_is_not_taken_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let forged = (2..5).fold(Vec::new(), |mut bytes, lsn| {
        let entry = sample(lsn);
        let entry = Entry { topic: "forged", ..entry.entry() };
        frame::encode(&mut bytes, lsn, &entry, frame::frame_len(&entry).unwrap());
        bytes
    });
    let (journal, _) = Journal::open(config(dir.path()), 0).unwrap();
    journal.try_append(&Entry { payload: &forged, ..sample(1).entry() }).unwrap();
    append(&journal, 2..=3);
    journal.close().unwrap();
    let path = segments::path_of(dir.path(), 1);
    let mut content = fs::read(&path).unwrap();
    content[frame::SEGMENT_HEAD + 4] ^= 1;
    fs::write(&path, content).unwrap();
    assert_eq!(all(dir.path(), 0).0, vec![]);
}

/// Two good generations, the newer one's file and its content.
fn checkpoints_in(dir: &Path) -> (CheckpointStore, PathBuf, Vec<u8>) {
    let store = CheckpointStore::open_on(dir, Arc::new(TestDisk::default())).unwrap();
    store.save(&[0x5A; 120], 100).unwrap();
    store.save(&[0xC3; 150], 200).unwrap();
    let path = dir.join("00000000000000000002.checkpoint");
    let content = fs::read(&path).unwrap();
    (store, path, content)
}

fn assert_falls_back(store: &CheckpointStore, context: &str) {
    let loaded = store.load().unwrap();
    let good = loaded.checkpoint.as_ref().expect(context);
    assert_eq!((good.lsn, good.bytes().unwrap()), (100, vec![0x5A; 120]), "{context}");
    assert_eq!(loaded.damaged.len(), 1, "{context}");
    assert!(!loaded.state_lost());
}

#[test]
fn a_checkpoint_with_any_flipped_bit_or_cut_at_any_byte_gives_way_to_the_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, path, content) = checkpoints_in(dir.path());
    with_each_bit_flipped(&path, &content, |bit| assert_falls_back(&store, &format!("bit {bit}")));
    with_each_cut(&path, &content, |len| assert_falls_back(&store, &format!("cut to {len} bytes")));
    fs::write(&path, [&content[..], b"x"].concat()).unwrap();
    assert_falls_back(&store, "one byte more");
    // A stale file under a new name.
    fs::copy(dir.path().join("00000000000000000001.checkpoint"), &path).unwrap();
    assert_falls_back(&store, "stale");

    fs::write(dir.path().join("00000000000000000001.checkpoint"), "").unwrap();
    let loaded = store.load().unwrap();
    assert!(loaded.state_lost() && loaded.damaged.len() == 2, "{loaded:?}");
    fs::write(&path, &content).unwrap();
    assert_eq!(store.load().unwrap().checkpoint.unwrap().lsn, 200);
}

#[test]
fn a_save_over_a_damaged_newest_keeps_the_good_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let (_, path, content) = checkpoints_in(dir.path());
    fs::write(&path, &content[..40]).unwrap();
    let store = CheckpointStore::open(dir.path()).unwrap();
    assert_falls_back(&store, "short");
    assert_eq!(store.save(b"new", 300).unwrap(), Saved { generation: 3, oldest_lsn: 100, bytes: 3 });
    fs::write(dir.path().join("00000000000000000003.checkpoint"), "").unwrap();
    assert_eq!(store.load().unwrap().checkpoint.unwrap().lsn, 100);
}

#[test]
fn a_checkpoint_of_a_newer_version_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, path, mut content) = checkpoints_in(dir.path());
    content[8] = 3;
    let crc = crc32c::crc32c(&content[..44]);
    content[44..48].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &content).unwrap();
    let refused = store.load().unwrap_err();
    assert_eq!(refused.reason(), "newer_version");
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn a_segment_is_read_from_memory_as_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(config(dir.path()), 0).unwrap();
    append(&journal, 1..=30);
    journal.close().unwrap();
    let bytes = fs::read(segments::path_of(dir.path(), 1)).unwrap();
    let read = |bytes: &[u8]| {
        let mut found = Vec::new();
        let ended = scan_segment(bytes, |record| found.push(Owned::from(record)));
        (found, ended)
    };
    assert_eq!(read(&bytes), (all(dir.path(), 0).0, None));
    let (found, ended) = read(&bytes[..bytes.len() - 1]);
    assert_eq!((found.len(), ended), (29, Some("short")));
}

/// A file of layout 1, whose state stands behind the head as it is.
fn layout_1(generation: u64, lsn: u64, state: &[u8]) -> Vec<u8> {
    let mut file = b"FWCHKP\r\n\x01\0\0\0\0\0\0\0".to_vec();
    for number in [generation, lsn, state.len() as u64] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(&crc32c::crc32c(state).to_le_bytes());
    let crc = crc32c::crc32c(&file);
    file.extend_from_slice(&crc.to_le_bytes());
    file.extend_from_slice(state);
    file
}

#[test]
fn a_checkpoint_of_the_layout_before_is_read_and_its_damage_found() {
    let dir = tempfile::tempdir().unwrap();
    let (store, path, _) = checkpoints_in(dir.path());
    let state: Vec<u8> = (0..300).map(|i| i as u8).collect();
    let content = layout_1(2, 200, &state);
    fs::write(&path, &content).unwrap();
    let loaded = store.load().unwrap();
    assert_eq!((loaded.checkpoint.unwrap().bytes().unwrap(), loaded.oldest_lsn), (state, 100));
    with_each_bit_flipped(&path, &content, |bit| assert_falls_back(&store, &format!("bit {bit}")));
    with_each_cut(&path, &content, |len| assert_falls_back(&store, &format!("cut to {len} bytes")));
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Reopen,
    PowerCut(u64),
    /// Bytes of a write that was cut off, behind the last segment.
    Torn(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20_u64).prop_map(Step::Append),
        2 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(Step::PowerCut),
        1 => prop::collection::vec(any::<u8>(), 1..60).prop_map(Step::Torn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_between_appends_the_journal_reads_as_one(
        steps in prop::collection::vec(step(), 1..25),
        segment_bytes in 1..2_000_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let disk = TestDisk::default();
        let config = JournalConfig { segment_bytes, ..config(dir.path()) };
        let open = || Journal::open_on(config.clone(), 0, Arc::new(disk.clone())).unwrap();
        let (mut journal, _) = open();
        let mut next = 1;
        for step in steps {
            let mut durable = next - 1;
            match step {
                Step::Append(count) => {
                    append(&journal, next..=next + count - 1);
                    next += count;
                    continue;
                }
                Step::Reopen => journal.close().unwrap(),
                Step::PowerCut(seed) => {
                    durable = *journal.durable().borrow();
                    // Nothing is written from here on, as if the process had died too.
                    disk.fail(0, u64::MAX, disk::Fault::NoSpace);
                    let _ = journal.close();
                    durable = durable.max(*journal.durable().borrow());
                    disk.power_cut(dir.path(), seed);
                }
                Step::Torn(bytes) => {
                    journal.close().unwrap();
                    if let Some(last) = segments::list(dir.path()).unwrap().last() {
                        let content = [fs::read(&last.path).unwrap(), bytes].concat();
                        fs::write(&last.path, content).unwrap();
                    }
                }
            }
            let (reopened, recovery) = open();
            prop_assert_eq!(recovery.damaged, vec![]);
            prop_assert!(recovery.next_lsn > durable && recovery.next_lsn <= next);
            next = recovery.next_lsn;
            journal = reopened;
        }
        journal.close().unwrap();
        let (found, report) = all(dir.path(), 0);
        prop_assert_eq!(found, (1..next).map(sample).collect::<Vec<_>>());
        prop_assert_eq!(report.damaged, vec![]);
    }

    #[test]
    fn any_bytes_in_a_segment_or_checkpoint_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        let with_header = [&frame::segment_header(1)[..], &bytes].concat();
        fs::write(segments::path_of(dir.path(), 1), with_header).unwrap();
        prop_assert_eq!(all(dir.path(), 0).0, vec![]);
        fs::write(segments::path_of(dir.path(), 1), &bytes).unwrap();
        prop_assert_eq!(all(dir.path(), 0).0, vec![]);
        prop_assert!(scan_segment(&bytes, |_| ()).is_some());
        prop_assert!(scan_checkpoint(&bytes[..], |_| ()).is_err());
        fs::write(dir.path().join("00000000000000000001.checkpoint"), bytes).unwrap();
        prop_assert!(CheckpointStore::open(dir.path()).unwrap().load().unwrap().state_lost());
    }
}
