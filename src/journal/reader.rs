//! Reads a journal in the order it was written, from a stopped or a running process, without changing it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::JournalError;
use super::found::Damage;
use super::frame::{self, Bad, FRAME_HEAD, Header, MAX_FRAME, Record, SEGMENT_HEAD};
use super::segments::{self, Segment};

/// Bytes read at once: small enough for the cache, large enough that the system calls do not count.
const CHUNK: usize = 256 * 1024;

/// Opens the journal in `dir` at `lsn`; 0 means from the oldest entry that is kept.
///
/// Entries from `lsn` on that retention has removed are counted in the report. What a running process appends after
/// the call may or may not be seen.
///
/// # Errors
/// When the directory cannot be read.
pub fn read_from(dir: &Path, lsn: u64) -> Result<Reader, JournalError> {
    Ok(Reader::over(segments::list(dir)?, lsn))
}

/// What was met while reading; complete when [`Reader::next`] has returned `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReadReport {
    /// Entries that were read whole, skipped ones before the wanted record number included.
    pub entries: u64,
    /// Bytes behind the last whole frame of the last segment: a write that was cut off, never acknowledged.
    pub torn_bytes: u64,
    /// Entries that are gone, place by place. Empty for a sound journal.
    pub damaged: Vec<Damage>,
}

impl ReadReport {
    /// Entries that were kept once and cannot be read.
    pub fn lost(&self) -> u64 {
        self.damaged.iter().map(|damage| damage.lost).sum()
    }
}

/// Goes through the entries; it lends each one out of its buffer, which is why it is not an [`Iterator`].
#[derive(Debug)]
pub struct Reader {
    /// What is still to be read, in reverse.
    segments: Vec<Segment>,
    current: Option<Current>,
    buffer: Vec<u8>,
    /// The entries wanted.
    from: u64,
    /// Position in the segment that was opened last.
    position: u64,
    report: ReadReport,
}

#[derive(Debug)]
struct Current {
    segment: Segment,
    file: File,
    /// The unread bytes in the buffer.
    start: usize,
    end: usize,
    /// Record number of the next frame.
    expected: u64,
    /// First record number that belongs to the next segment; what stands at or above it here is superseded.
    limit: u64,
}

/// Why a segment ends here.
enum End {
    /// Its last byte, or the next segment takes over.
    Clean,
    Bad(Bad),
}

impl Reader {
    pub(super) fn over(mut segments: Vec<Segment>, from: u64) -> Self {
        let begin = segments.iter().rposition(|segment| segment.first_lsn <= from).unwrap_or(0);
        segments.drain(..begin);
        let mut report = ReadReport::default();
        if let Some(first) = segments.first()
            && from > 0
            && first.first_lsn > from
        {
            let lost = first.first_lsn - from;
            report.damaged.push(Damage { path: first.path.clone(), offset: 0, why: "removed", lost });
        }
        segments.reverse();
        Self { segments, current: None, buffer: vec![0; CHUNK], from, position: 0, report }
    }

    /// What was met so far.
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// Bytes of whole frames, and the header, in the segment that was opened last.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next entry, or `None` at the end.
    ///
    /// Damage is not an error: what cannot be read is counted in the report, and reading goes on with the next
    /// segment. It does not go on behind a bad frame of the same segment, where a frame could be forged out of the
    /// payload of another.
    ///
    /// # Errors
    /// When the disk refuses, or a segment was written by a newer version.
    #[allow(clippy::should_implement_trait)] // it lends, which Iterator cannot
    pub fn next(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        let range = loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(current) = &mut self.current else { continue };
            match current.advance(&mut self.buffer).map_err(JournalError::io("read", &current.segment.path))? {
                Ok(range) => {
                    self.report.entries += 1;
                    self.position += range.len() as u64;
                    if current.expected > self.from {
                        break range;
                    }
                }
                Err(end) => self.finish(&end)?,
            }
        };
        Ok(Some(frame::view(&self.buffer[range]).expect("`advance` has decoded the same bytes")))
    }

    fn open_next(&mut self) -> Result<bool, JournalError> {
        let Some(segment) = self.segments.pop() else { return Ok(false) };
        let limit = self.segments.last().map_or(u64::MAX, |next| next.first_lsn);
        let file = match File::open(&segment.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let first = segment.first_lsn.max(self.from);
                let lost = if limit == u64::MAX { 0 } else { limit.saturating_sub(first) };
                self.report.damaged.push(Damage { path: segment.path, offset: 0, why: "removed", lost });
                return Ok(true);
            }
            Err(error) => return Err(JournalError::io("open", segment.path)(error)),
        };
        self.position = 0;
        let expected = segment.first_lsn;
        let mut current = Current { segment, file, start: 0, end: 0, expected, limit };
        let path = current.segment.path.clone();
        let read = current.fill(&mut self.buffer, SEGMENT_HEAD).map_err(JournalError::io("read", &path))?;
        let header = frame::read_segment_header(&self.buffer[..current.end]);
        if let Header::Newer { version } = header {
            return Err(JournalError::NewerVersion { path, version, known: frame::VERSION });
        }
        if !matches!(header, Header::Good { first_lsn } if first_lsn == expected) {
            // All it says is known from the name, and frames vouch for themselves.
            self.report.damaged.push(Damage { path, offset: 0, why: "header", lost: 0 });
        }
        if read {
            current.start = SEGMENT_HEAD;
            self.position = SEGMENT_HEAD as u64;
        }
        self.current = Some(current);
        Ok(true)
    }

    /// Leaves the current segment and accounts for what it should still have held.
    fn finish(&mut self, end: &End) -> Result<(), JournalError> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        let (expected, limit) = (current.expected, current.limit);
        if expected >= limit {
            return Ok(());
        }
        let why = match end {
            End::Clean if limit == u64::MAX && expected > current.segment.first_lsn => return Ok(()),
            End::Clean => "missing",
            End::Bad(bad) => bad.reason(),
        };
        let mut last = limit - 1;
        if limit == u64::MAX {
            let rest = current.rest(&self.buffer).map_err(JournalError::io("read", &current.segment.path))?;
            last = match frame::last_frame_behind(&rest, expected) {
                Some(behind) => behind,
                // A segment is named only when it is whole and holds an entry, so one without any is no torn write.
                None if expected == current.segment.first_lsn => expected,
                None => {
                    self.report.torn_bytes += rest.len() as u64;
                    return Ok(());
                }
            };
        }
        let lost = (last + 1).saturating_sub(expected.max(self.from));
        self.report.damaged.push(Damage { path: current.segment.path, offset: self.position, why, lost });
        Ok(())
    }
}

impl Current {
    /// Moves over the next frame, having verified it; where it is in the buffer.
    fn advance(&mut self, buffer: &mut Vec<u8>) -> io::Result<Result<std::ops::Range<usize>, End>> {
        if self.expected >= self.limit {
            return Ok(Err(End::Clean));
        }
        if !self.fill(buffer, FRAME_HEAD)? {
            return Ok(Err(if self.start == self.end { End::Clean } else { End::Bad(Bad::Short) }));
        }
        let len = match frame::peek_len(&buffer[self.start..self.end]) {
            Ok(len) => len,
            Err(bad) => return Ok(Err(End::Bad(bad))),
        };
        if !self.fill(buffer, len)? {
            return Ok(Err(End::Bad(Bad::Short)));
        }
        let range = self.start..self.start + len;
        if let Err(bad) = frame::decode(&buffer[range.clone()], self.expected) {
            return Ok(Err(End::Bad(bad)));
        }
        self.start += len;
        self.expected += 1;
        Ok(Ok(range))
    }

    /// Makes at least `need` unread bytes available; false when the file has fewer.
    fn fill(&mut self, buffer: &mut Vec<u8>, need: usize) -> io::Result<bool> {
        if self.end - self.start >= need {
            return Ok(true);
        }
        buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if buffer.len() < need {
            buffer.resize(need.min(MAX_FRAME), 0);
        }
        while self.end < need {
            match self.file.read(&mut buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Everything that has not been passed yet.
    fn rest(&mut self, buffer: &[u8]) -> io::Result<Vec<u8>> {
        let mut rest = buffer[self.start..self.end].to_vec();
        self.file.read_to_end(&mut rest)?;
        Ok(rest)
    }
}

/// Reads the bytes of one segment without a file, and hands its entries on. Returns why they end early; `None` when they end
/// where they should. Reads no more than it is given, and makes no memory.
pub fn scan_segment(mut bytes: &[u8], mut each: impl FnMut(Record<'_>)) -> Option<&'static str> {
    let Header::Good { first_lsn: mut expected } = frame::read_segment_header(bytes) else { return Some("header") };
    bytes = &bytes[SEGMENT_HEAD..];
    while !bytes.is_empty() {
        let record = frame::peek_len(bytes)
            .and_then(|len| bytes.get(..len).ok_or(Bad::Short))
            .and_then(|frame| frame::decode(frame, expected).map(|record| (record, frame.len())));
        match record {
            Ok((record, len)) => {
                each(record);
                bytes = &bytes[len..];
                expected = expected.saturating_add(1);
            }
            Err(bad) => {
                // What the reader does with a bad frame, too: it looks whether it is the end of a torn write.
                let _ = frame::last_frame_behind(bytes, expected);
                return Some(bad.reason());
            }
        }
    }
    None
}
