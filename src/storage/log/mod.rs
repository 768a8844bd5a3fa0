//! [`Log`]: the truth. Commands in order, in checksummed files of bounded size; one fdatasync covers a group of them.
//!
//! - `frame`: the bytes.
//! - [`disk`]: the file operations, and a disk that forgets what was not synced.
//!
//! Files are named by their first position and filled with zeros ahead of time: overwriting what is allocated makes an
//! fdatasync several times cheaper than growing a file, which writes the file system's journal as well.
//!
//! When the log is opened, the end of its last file may be torn: whatever follows the last complete command is cut off,
//! unless a later frame says that it was synced. That, or damage anywhere else, is XX001 naming the file and the offset.

pub mod disk;
mod frame;

use std::time::Duration;

use super::codec;
use super::command::{Command, Position};
use crate::err;
use crate::error::{Error, Result};
use disk::{Disk, DiskFile};
use frame::{Frame, FrameWriter, HEADER, SegmentHeader};

/// How many bytes are filled with zeros at a time.
const ALLOCATION: u64 = 4 << 20;
/// A write from this size on grows the file by itself.
const LARGE_WRITE: usize = 1 << 20;
/// Frames are written to the file (not synced) when so many bytes have gathered.
const BUFFER_BYTES: usize = 4 << 20;

/// An append-only log of commands.
pub struct Log {
    disk: Box<dyn Disk>,
    segment_bytes: u64,
    /// The first positions of the segments, ascending; the last is the one that is written.
    segments: Vec<u64>,
    file: Box<dyn DiskFile>,
    /// Where the next frame goes.
    offset: u64,
    /// How far the file is filled.
    allocated: u64,
    chain: u32,
    buffer: Vec<u8>,
    last: Position,
    synced: Position,
    failed: bool,
}

/// What opening a log found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// How many commands were handed to the caller.
    pub replayed: u64,
    /// How many bytes were cut off as a torn end.
    pub torn_bytes: u64,
    /// How long it took.
    pub time: Duration,
}

impl Log {
    /// Opens a log and hands every command after `applied` to `replay`, in order.
    pub fn open(
        disk: Box<dyn Disk>,
        segment_bytes: u64,
        applied: Position,
        replay: &mut dyn FnMut(Position, Command) -> Result<()>,
    ) -> Result<(Self, Recovery)> {
        let begin = std::time::Instant::now();
        let segments = segments(&*disk)?;
        let Some(first) = segments.last().copied() else {
            if applied.0 > 0 {
                return Err(behind(Position(0), applied));
            }
            return Ok((Self::create(disk, segment_bytes)?, Recovery::default()));
        };
        if segments[0] > applied.0 + 1 {
            let (found, wanted) = (segments[0], applied.0 + 1);
            return Err(err!(DATA_CORRUPTED, "the log begins at position {found}, but position {wanted} is needed"));
        }
        let mut reader = Reader { disk: &*disk, applied, replay, recovery: Recovery::default() };
        let end = reader.read(&segments)?;
        let mut recovery = reader.recovery;
        recovery.time = begin.elapsed();
        if end.last < applied {
            return Err(behind(end.last, applied));
        }
        let file = disk.open(&name(first))?;
        let mut log = Self {
            disk,
            segment_bytes,
            segments,
            file,
            offset: end.offset,
            allocated: end.offset,
            chain: end.chain,
            buffer: Vec::new(),
            last: end.last,
            synced: end.last,
            failed: false,
        };
        log.cut_off(recovery.torn_bytes)?;
        Ok((log, recovery))
    }

    fn create(disk: Box<dyn Disk>, segment_bytes: u64) -> Result<Self> {
        let file = disk.open(&name(1))?;
        let mut log = Self {
            disk,
            segment_bytes,
            segments: vec![1],
            file,
            offset: 0,
            allocated: 0,
            chain: 0,
            buffer: Vec::new(),
            last: Position(0),
            synced: Position(0),
            failed: false,
        };
        log.begin_segment()?;
        Ok(log)
    }

    /// Removes a torn end, so that nothing of it can be taken for a frame later.
    fn cut_off(&mut self, torn_bytes: u64) -> Result<()> {
        self.file.truncate(self.offset)?;
        if torn_bytes > 0 {
            self.file.sync()?;
        }
        // A segment whose header was torn is begun again.
        match self.offset {
            0 => self.begin_segment(),
            _ => Ok(()),
        }
    }

    fn begin_segment(&mut self) -> Result<()> {
        let first = self.last.0 + 1;
        self.file.write_at(0, &SegmentHeader { first, chain: self.chain }.encode())?;
        self.offset = HEADER as u64;
        self.allocated = self.offset;
        self.file.sync()?;
        self.disk.sync()?;
        Ok(())
    }

    /// The last position that was appended.
    pub fn last(&self) -> Position {
        self.last
    }

    /// Appends a command at the next position. It is not on disk before [`sync`](Self::sync) has returned.
    pub fn append(&mut self, command: &Command) -> Result<Position> {
        self.guard(|log| {
            if log.offset >= log.segment_bytes && log.buffer.is_empty() && log.synced == log.last {
                log.rotate()?;
            }
            log.append_frames(command)?;
            if log.buffer.len() >= BUFFER_BYTES {
                log.write_buffer()?;
            }
            Ok(log.last)
        })
    }

    fn append_frames(&mut self, command: &Command) -> Result<()> {
        let position = self.last.0 + 1;
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut writer = FrameWriter::new(&mut buffer, self.chain, position, self.synced.0);
        codec::encode_head(command, writer.body());
        for mutation in &command.mutations {
            codec::encode_mutation(mutation, writer.body())?;
            if writer.is_full() {
                writer.next_frame();
                writer.take_complete(|bytes| self.write(bytes))?;
            }
        }
        self.chain = writer.finish();
        self.buffer = buffer;
        self.last = Position(position);
        Ok(())
    }

    /// Puts everything appended so far on disk.
    pub fn sync(&mut self) -> Result<()> {
        self.guard(|log| {
            log.write_buffer()?;
            log.file.sync()?;
            log.synced = log.last;
            Ok(())
        })
    }

    /// Runs an operation; once one has failed, nothing is tried again: after a failed sync nobody knows what is on disk.
    fn guard<T>(&mut self, operation: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.failed {
            return Err(err!(IO_ERROR, "the log was stopped by an earlier error"));
        }
        operation(self).inspect_err(|_| self.failed = true)
    }

    fn write_buffer(&mut self) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer)?;
        buffer.clear();
        buffer.shrink_to(BUFFER_BYTES);
        self.buffer = buffer;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let end = self.offset + bytes.len() as u64;
        if end > self.allocated && bytes.len() < LARGE_WRITE {
            let ahead = ALLOCATION.min(self.segment_bytes);
            let zeros = vec![0; (end - self.allocated + ahead) as usize];
            self.file.write_at(self.allocated, &zeros)?;
            self.allocated += zeros.len() as u64;
        }
        self.file.write_at(self.offset, bytes)?;
        self.offset = end;
        self.allocated = self.allocated.max(end);
        Ok(())
    }

    /// Ends the present file and begins the next. Everything is synced, so damage in the old one is never a torn end.
    fn rotate(&mut self) -> Result<()> {
        self.file.truncate(self.offset)?;
        self.file.sync()?;
        let first = self.last.0 + 1;
        self.file = self.disk.open(&name(first))?;
        self.segments.push(first);
        self.begin_segment()
    }

    /// Removes files whose commands all are at or below a position, but leaves the last `kept` files.
    pub fn forget(&mut self, position: Position, kept: usize) -> Result<usize> {
        let mut removed = 0;
        while self.segments.len() > kept.max(1) && self.segments[1] <= position.0 + 1 {
            self.disk.remove(&name(self.segments[0]))?;
            self.segments.remove(0);
            removed += 1;
        }
        if removed > 0 {
            self.disk.sync()?;
        }
        Ok(removed)
    }

    /// How many files there are, and the first position that is still there.
    pub fn extent(&self) -> (usize, Position) {
        (self.segments.len(), Position(self.segments[0]))
    }

    /// The name of the file that is written and where its end is.
    #[cfg(test)]
    pub(crate) fn tail(&self) -> (String, u64) {
        (name(self.segments[self.segments.len() - 1]), self.offset)
    }
}

fn name(first: u64) -> String {
    format!("{first:020}.log")
}

fn behind(last: Position, applied: Position) -> Error {
    let (last, applied) = (last.0, applied.0);
    err!(DATA_CORRUPTED, "the log ends at position {last}, but the row store has position {applied}")
        .hint("The newest log files are missing or damaged. Restore the data folder from a backup.")
}

fn corrupted(file: String, offset: usize) -> Error {
    err!(DATA_CORRUPTED, "log file \"{file}\" is corrupted at offset {offset}")
        .hint("Restore the file or the data folder from a backup.")
}

/// The first positions of the segments that are there, ascending.
fn segments(disk: &dyn Disk) -> Result<Vec<u64>> {
    let first = |name: String| name.strip_suffix(".log").filter(|n| n.len() == 20)?.parse().ok();
    let mut segments: Vec<u64> = disk.list()?.into_iter().filter_map(first).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// The end of a segment.
struct End {
    offset: u64,
    chain: u32,
    last: Position,
}

struct Reader<'r> {
    disk: &'r dyn Disk,
    applied: Position,
    replay: &'r mut dyn FnMut(Position, Command) -> Result<()>,
    recovery: Recovery,
}

impl Reader<'_> {
    /// Reads the segments that have commands after the applied position, and the last one in any case.
    fn read(&mut self, segments: &[u64]) -> Result<End> {
        // The segment before is read too when the last one begins after the applied position: it may have no header yet.
        let start = segments.iter().rposition(|first| *first <= self.applied.0).unwrap_or(0);
        let mut end: Option<End> = None;
        for (i, first) in segments.iter().enumerate().skip(start) {
            let is_last = i + 1 == segments.len();
            end = Some(self.read_segment(*first, end, is_last)?);
        }
        end.ok_or_else(|| Error::internal("a log without segments was read"))
    }

    fn read_segment(&mut self, first: u64, before: Option<End>, is_last: bool) -> Result<End> {
        let file = name(first);
        let bytes = self.disk.open(&file)?.read_all()?;
        let damaged = |offset| corrupted(self.disk.describe(&file), offset);
        let Some(header) = SegmentHeader::decode(&bytes).filter(|header| header.first == first) else {
            // The crash came while the file was begun, so nothing in it can have been acknowledged.
            return match before {
                Some(end) if is_last && end.last.0 + 1 == first && find_frame(&bytes, 0, end.last.0).is_none() => {
                    self.recovery.torn_bytes += bytes.len() as u64;
                    Ok(End { offset: 0, ..end })
                }
                None if is_last && first == 1 && find_frame(&bytes, 0, 0).is_none() => {
                    self.recovery.torn_bytes += bytes.len() as u64;
                    Ok(End { offset: 0, chain: 0, last: Position(0) })
                }
                _ => Err(damaged(0)),
            };
        };
        if before.is_some_and(|end| end.chain != header.chain || end.last.0 + 1 != first) {
            return Err(damaged(0));
        }
        let (end, offset) = self.read_frames(&bytes, header)?;
        let rest = bytes.get(end.offset as usize..).unwrap_or_default();
        let has_more = rest.iter().any(|byte| *byte != 0);
        if !is_last && has_more || find_frame(&bytes, offset, end.last.0).is_some() {
            return Err(corrupted(self.disk.describe(&file), offset));
        }
        if has_more {
            self.recovery.torn_bytes += rest.len() as u64;
        }
        Ok(end)
    }

    /// Reads frames as far as they are valid. Gives the end of the last complete command, and the end of the last frame.
    fn read_frames(&mut self, bytes: &[u8], header: SegmentHeader) -> Result<(End, usize)> {
        let mut end = End { offset: HEADER as u64, chain: header.chain, last: Position(header.first - 1) };
        let (mut offset, mut chain) = (HEADER, header.chain);
        let mut body: Vec<u8> = Vec::new();
        let mut is_open = false;
        while let Some(frame) = Frame::decode(bytes, offset) {
            if frame.chain != chain || frame.position != end.last.0 + 1 || frame.is_first() == is_open {
                break;
            }
            (offset, chain) = (offset + frame.size(), frame.crc);
            is_open = !frame.is_last();
            let position = Position(frame.position);
            if position > self.applied {
                match (frame.is_first(), frame.is_last()) {
                    (true, true) => self.replay(position, frame.body)?,
                    (_, false) => body.extend_from_slice(frame.body),
                    (false, true) => {
                        body.extend_from_slice(frame.body);
                        self.replay(position, &std::mem::take(&mut body))?;
                    }
                }
            }
            if frame.is_last() {
                end = End { offset: offset as u64, chain, last: position };
            }
        }
        Ok((end, offset))
    }

    fn replay(&mut self, position: Position, body: &[u8]) -> Result<()> {
        self.recovery.replayed += 1;
        (self.replay)(position, codec::decode_command(body)?)
    }
}

/// Looks for a frame from an offset on which says that a command after `last` was synced when it was written.
fn find_frame(bytes: &[u8], from: usize, last: u64) -> Option<usize> {
    let mut offset = from.next_multiple_of(8);
    while offset + HEADER <= bytes.len() {
        let (position, synced) = (frame::u64_at(bytes, offset + 16), frame::u64_at(bytes, offset + 24));
        if synced > last && position > synced && Frame::decode(bytes, offset).is_some() {
            return Some(offset);
        }
        offset += 8;
    }
    None
}

#[cfg(test)]
mod tests;
