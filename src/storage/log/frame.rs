//! The bytes of a log segment: a header, then frames, each padded to a multiple of eight bytes. All numbers are
//! little-endian.
//!
//! ```text
//! segment header (32)   magic "AERLOG" 0 1 | first position (8) | chain (4) | zero (8) | CRC32C of all before (4)
//! frame header   (32)   CRC32C of all after (4) | length (4) | chain (4) | flags (4) | position (8) | synced (8)
//! frame body            `length` bytes of an encoded command, then zeros to the next multiple of eight
//! ```
//!
//! A command is one frame, or several when it is large: the first has the flag FIRST, the last the flag LAST.
//! `chain` is the checksum of the frame before (of the segment before, for the first): a frame is valid only at its
//! place in this log, so bytes that an earlier use of the file left behind are not taken for frames.
//! `synced` is the last position that was on disk for certain when the frame was written. A damaged place that a later
//! valid frame calls synced is corruption; one that none does is the torn end of the log.

/// The size of a segment header and of a frame header.
pub(crate) const HEADER: usize = 32;
/// A command's frames have about this size at most.
pub(crate) const FRAME_BYTES: usize = 1 << 20;

const MAGIC: [u8; 8] = *b"AERLOG\x00\x01";
const FIRST: u32 = 1;
const LAST: u32 = 2;

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The position of its first command.
    pub(crate) first: u64,
    /// The checksum of the last frame before it.
    pub(crate) chain: u32,
}

impl SegmentHeader {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(&MAGIC);
        out[8..16].copy_from_slice(&self.first.to_le_bytes());
        out[16..20].copy_from_slice(&self.chain.to_le_bytes());
        let crc = crc32c::crc32c(&out[..28]);
        out[28..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let is_valid = header[..8] == MAGIC && u32_at(header, 28) == crc32c::crc32c(&header[..28]);
        is_valid.then(|| Self { first: u64_at(header, 8), chain: u32_at(header, 16) })
    }
}

/// A frame, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) crc: u32,
    pub(crate) chain: u32,
    flags: u32,
    pub(crate) position: u64,
    pub(crate) synced: u64,
    pub(crate) body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at an offset, if there is a valid one.
    pub(crate) fn decode(bytes: &'a [u8], offset: usize) -> Option<Self> {
        let rest = bytes.get(offset..)?;
        let header = rest.get(..HEADER)?;
        let len = u32_at(header, 4) as usize;
        let body = rest.get(HEADER..HEADER.checked_add(len)?)?;
        let crc = u32_at(header, 0);
        let padding = rest.get(HEADER + len..padded(HEADER + len)).unwrap_or_default();
        if padding.iter().any(|byte| *byte != 0) {
            return None;
        }
        if crc32c::crc32c_append(crc32c::crc32c(&header[4..]), body) != crc {
            return None;
        }
        let (chain, flags) = (u32_at(header, 8), u32_at(header, 12));
        Some(Self { crc, chain, flags, position: u64_at(header, 16), synced: u64_at(header, 24), body })
    }

    pub(crate) fn is_first(&self) -> bool {
        self.flags & FIRST != 0
    }

    pub(crate) fn is_last(&self) -> bool {
        self.flags & LAST != 0
    }

    /// The bytes from this frame to the next.
    pub(crate) fn size(&self) -> usize {
        padded(HEADER + self.body.len())
    }
}

/// Writes the frames of a command, one after the other, into a buffer.
pub(crate) struct FrameWriter<'b> {
    buffer: &'b mut Vec<u8>,
    start: usize,
    chain: u32,
    is_first: bool,
    position: u64,
    synced: u64,
}

impl<'b> FrameWriter<'b> {
    pub(crate) fn new(buffer: &'b mut Vec<u8>, chain: u32, position: u64, synced: u64) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; HEADER]);
        Self { buffer, start, chain, is_first: true, position, synced }
    }

    /// Where to append the bytes of the command.
    pub(crate) fn body(&mut self) -> &mut Vec<u8> {
        self.buffer
    }

    /// Whether the present frame is full.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() - self.start >= FRAME_BYTES
    }

    /// Ends the present frame and begins another of the same command.
    pub(crate) fn next_frame(&mut self) {
        self.end_frame(0);
        self.start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEADER]);
    }

    /// Ends the last frame and gives its checksum.
    pub(crate) fn finish(mut self) -> u32 {
        self.end_frame(LAST);
        self.chain
    }

    /// The complete frames so far, to be taken out of the buffer; only right after [`next_frame`](Self::next_frame).
    pub(crate) fn take_complete(&mut self, write: impl FnOnce(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
        write(&self.buffer[..self.start])?;
        self.buffer.drain(..self.start);
        self.start = 0;
        Ok(())
    }

    fn end_frame(&mut self, last: u32) {
        let len = (self.buffer.len() - self.start - HEADER) as u32;
        let flags = last | if self.is_first { FIRST } else { 0 };
        let frame = &mut self.buffer[self.start..];
        frame[4..8].copy_from_slice(&len.to_le_bytes());
        frame[8..12].copy_from_slice(&self.chain.to_le_bytes());
        frame[12..16].copy_from_slice(&flags.to_le_bytes());
        frame[16..24].copy_from_slice(&self.position.to_le_bytes());
        frame[24..32].copy_from_slice(&self.synced.to_le_bytes());
        self.chain = crc32c::crc32c(&frame[4..]);
        frame[..4].copy_from_slice(&self.chain.to_le_bytes());
        self.is_first = false;
        self.buffer.resize(self.start + padded(HEADER + len as usize), 0);
    }
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(8)
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_round_trip_and_notice_every_changed_byte() {
        let mut bytes = Vec::new();
        let mut writer = FrameWriter::new(&mut bytes, 7, 12, 11);
        writer.body().extend_from_slice(b"hello");
        writer.next_frame();
        writer.body().extend_from_slice(b"world!");
        let chain = writer.finish();
        let first = Frame::decode(&bytes, 0).unwrap();
        assert_eq!((first.chain, first.position, first.synced, first.body), (7, 12, 11, &b"hello"[..]));
        assert!(first.is_first() && !first.is_last());
        let second = Frame::decode(&bytes, first.size()).unwrap();
        assert_eq!((second.chain, second.crc, second.body), (first.crc, chain, &b"world!"[..]));
        assert!(!second.is_first() && second.is_last());
        assert_eq!(first.size() + second.size(), bytes.len());
        for place in 0..HEADER + 5 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            assert_eq!(Frame::decode(&damaged, 0), None, "byte {place}");
        }
        assert_eq!(Frame::decode(&[0; 64], 0), None);
    }

    #[test]
    fn segment_headers_round_trip() {
        let header = SegmentHeader { first: 99, chain: 5 };
        assert_eq!(SegmentHeader::decode(&header.encode()), Some(header));
        assert_eq!(SegmentHeader::decode(&[0; 32]), None);
        assert_eq!(SegmentHeader::decode(b""), None);
    }
}
