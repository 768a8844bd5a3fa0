//! From bytes to frontend messages. A message is cut out of the buffer by its length first, then read field by field
//! within its bounds: nothing in it can make us read past it, allocate by its word, or panic.

use bytes::{Buf, Bytes, BytesMut};

use crate::err;
use crate::error::{Error, Result};

/// A message of the client after start-up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frontend {
    /// `Q`
    Query(String),
    /// `P`
    Parse { name: String, query: String, param_types: Vec<u32> },
    /// `B`
    Bind(Bind),
    /// `D`
    Describe(Target),
    /// `E`
    Execute { portal: String, max_rows: usize },
    /// `C`
    Close(Target),
    /// `H`
    Flush,
    /// `S`
    Sync,
    /// `X`
    Terminate,
    /// `d`
    CopyData(Bytes),
    /// `c`
    CopyDone,
    /// `f`
    CopyFail(String),
    /// `F`
    FunctionCall,
    /// `p`, outside authentication
    Password,
}

/// `B`: values for a statement's parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) portal: String,
    pub(super) statement: String,
    /// None, one for all, or one a parameter.
    pub(super) param_formats: Vec<i16>,
    /// `None` is NULL.
    pub(super) params: Vec<Option<Bytes>>,
    /// None, one for all, or one a column.
    pub(super) result_formats: Vec<i16>,
}

/// What Describe and Close name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

/// One message, not yet read: its type byte and body.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) body: Bytes,
}

/// Why there is no frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    /// The connection cannot go on: the stream is not our protocol, or out of step.
    Fatal(Error),
}

/// Cuts the next complete message off the front of the buffer. `size_max` bounds the announced length, and is checked
/// before any more of the message is read.
pub(super) fn next_frame(input: &mut BytesMut, size_max: usize) -> Result<Option<Frame>, FrameError> {
    let Some((&kind, rest)) = input.split_first() else { return Ok(None) };
    if !is_frontend_kind(kind) {
        return Err(FrameError::Fatal(err!(PROTOCOL_VIOLATION, "invalid frontend message type {kind}")));
    }
    let Some(length) = rest.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    let limit = if is_short_kind(kind) { SHORT_MESSAGE_MAX } else { size_max };
    let length = usize::try_from(length).ok().filter(|n| *n >= 4).ok_or_else(invalid_length)?;
    if length > limit {
        // Too long but plausible: say so; anything else is not our protocol.
        return Err(match limit {
            SHORT_MESSAGE_MAX => invalid_length(),
            _ => FrameError::Fatal(
                err!(PROGRAM_LIMIT_EXCEEDED, "message of {length} bytes exceeds the limit of {size_max} bytes")
                    .hint("The limit is the setting pg.message_size_max."),
            ),
        });
    }
    if input.len() < 1 + length {
        return Ok(None);
    }
    input.advance(5);
    Ok(Some(Frame { kind, body: input.split_to(length - 4).freeze() }))
}

/// Messages that have no reason to be long (PQ_SMALL_MESSAGE_LIMIT).
const SHORT_MESSAGE_MAX: usize = 10_000;

fn is_frontend_kind(kind: u8) -> bool {
    matches!(kind, b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'd' | b'c' | b'f' | b'F' | b'p')
}

fn is_short_kind(kind: u8) -> bool {
    matches!(kind, b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f')
}

fn invalid_length() -> FrameError {
    FrameError::Fatal(err!(PROTOCOL_VIOLATION, "invalid message length"))
}

impl Frame {
    /// Whether the next message in the buffer is complete and a Sync.
    pub(super) fn is_sync_next(input: &[u8]) -> bool {
        input.starts_with(&[b'S', 0, 0, 0, 4])
    }

    /// Reads the fields.
    pub(super) fn read(self) -> Result<Frontend> {
        let mut fields = Fields(self.body);
        let message = match self.kind {
            b'Q' => Frontend::Query(fields.string()?),
            b'P' => Frontend::Parse {
                name: fields.string()?,
                query: fields.string()?,
                param_types: fields.list(4, |fields| fields.u32())?,
            },
            b'B' => Frontend::Bind(Bind {
                portal: fields.string()?,
                statement: fields.string()?,
                param_formats: fields.list(2, |fields| fields.i16())?,
                params: fields.list(4, |fields| fields.value())?,
                result_formats: fields.list(2, |fields| fields.i16())?,
            }),
            b'D' => Frontend::Describe(fields.target("DESCRIBE")?),
            b'E' => Frontend::Execute {
                portal: fields.string()?,
                // Zero and less mean no limit.
                max_rows: usize::try_from(fields.i32()?).ok().filter(|n| *n > 0).unwrap_or(usize::MAX),
            },
            b'C' => Frontend::Close(fields.target("CLOSE")?),
            b'H' => Frontend::Flush,
            b'S' => Frontend::Sync,
            b'X' => Frontend::Terminate,
            b'd' => return Ok(Frontend::CopyData(fields.0)),
            b'c' => Frontend::CopyDone,
            b'f' => Frontend::CopyFail(fields.string()?),
            b'F' => return Ok(Frontend::FunctionCall),
            _ => return Ok(Frontend::Password),
        };
        if !fields.0.is_empty() {
            return Err(err!(PROTOCOL_VIOLATION, "invalid message format"));
        }
        Ok(message)
    }
}

/// Reads the fields of one message; running out is an error.
pub(super) struct Fields(pub(super) Bytes);

impl Fields {
    fn take(&mut self, count: usize) -> Result<Bytes> {
        if count > self.0.len() {
            return Err(err!(PROTOCOL_VIOLATION, "insufficient data left in message"));
        }
        Ok(self.0.split_to(count))
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(self.take(2)?.get_u16())
    }

    pub(super) fn i16(&mut self) -> Result<i16> {
        Ok(self.take(2)?.get_i16())
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(self.take(4)?.get_u32())
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        Ok(self.take(4)?.get_i32())
    }

    /// A NUL-terminated string, which must be UTF-8.
    pub(super) fn string(&mut self) -> Result<String> {
        let end = memchr::memchr(0, &self.0).ok_or_else(|| err!(PROTOCOL_VIOLATION, "invalid string in message"))?;
        let bytes = self.0.split_to(end);
        self.0.advance(1);
        Ok(utf8(&bytes)?.to_string())
    }

    /// A count and as many elements of at least `size_min` bytes.
    fn list<T>(&mut self, size_min: usize, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.u16()? as usize;
        if count * size_min > self.0.len() {
            return Err(err!(PROTOCOL_VIOLATION, "insufficient data left in message"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// A length and as many bytes; -1 is NULL.
    fn value(&mut self) -> Result<Option<Bytes>> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length)
                    .map_err(|_| err!(PROTOCOL_VIOLATION, "insufficient data left in message"))?;
                self.take(length).map(Some)
            }
        }
    }

    fn target(&mut self, message: &str) -> Result<Target> {
        let kind = self.take(1)?.get_u8();
        let name = self.string()?;
        match kind {
            b'S' => Ok(Target::Statement(name)),
            b'P' => Ok(Target::Portal(name)),
            _ => Err(err!(PROTOCOL_VIOLATION, "invalid {message} message subtype {kind}")),
        }
    }
}

/// Text of the client: UTF-8 without NUL, or 22021 with the bytes that are not.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    if memchr::memchr(0, bytes).is_some() {
        return Err(err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = &bytes[error.valid_up_to()..];
        // As many bytes as the first one announces, as PostgreSQL shows them.
        let announced = match bad.first() {
            Some(0xc2..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            _ => 1,
        };
        let shown: Vec<String> = bad.iter().take(announced).map(|byte| format!("0x{byte:02x}")).collect();
        err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn frame(kind: u8, body: &[u8]) -> BytesMut {
        let mut buffer = BytesMut::new();
        buffer.extend_from_slice(&[kind]);
        buffer.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
        buffer.extend_from_slice(body);
        buffer
    }

    fn read(kind: u8, body: &[u8]) -> Result<Frontend> {
        next_frame(&mut frame(kind, body), 1 << 20).unwrap().unwrap().read()
    }

    #[test]
    fn messages_are_read() {
        assert_eq!(read(b'Q', b"select 1\0").unwrap(), Frontend::Query("select 1".into()));
        let parse = Frontend::Parse { name: "s".into(), query: "q".into(), param_types: vec![23] };
        assert_eq!(read(b'P', b"s\0q\0\0\x01\0\0\0\x17").unwrap(), parse);
        let bind = read(b'B', b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0").unwrap();
        assert_eq!(
            bind,
            Frontend::Bind(Bind {
                portal: "p".into(),
                statement: "s".into(),
                param_formats: vec![1],
                params: vec![Some(Bytes::from_static(b"x")), None],
                result_formats: vec![],
            })
        );
        let unlimited = Frontend::Execute { portal: String::new(), max_rows: usize::MAX };
        assert_eq!(read(b'E', b"\0\xff\xff\xff\xff").unwrap(), unlimited);
        assert_eq!(read(b'D', b"Sx\0").unwrap(), Frontend::Describe(Target::Statement("x".into())));
    }

    #[test]
    fn incomplete_messages_wait() {
        let whole = frame(b'Q', b"select 1\0");
        for length in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..length]);
            assert!(next_frame(&mut part, 1 << 20).unwrap().is_none());
            assert_eq!(part.len(), length);
        }
    }

    #[test]
    fn bad_messages_are_refused() {
        for (kind, body) in [
            (b'Q', &b"no end"[..]),
            (b'Q', b"a\0b"),
            (b'P', b"s\0q\0\xff\xff"),
            (b'B', b"p\0s\0\0\0\0\x01\x7f\xff\xff\xff\0\0"),
            (b'B', b"p\0s\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            (b'D', b"Xa\0"),
            (b'E', b"\0\0"),
            (b'S', b"x"),
        ] {
            assert_eq!(read(kind, body).unwrap_err().code().as_str(), "08P01", "{kind} {body:?}");
        }
        let error = read(b'Q', b"caf\xe9 x\0").unwrap_err();
        assert_eq!(error.message(), "invalid byte sequence for encoding \"UTF8\": 0xe9 0x20 0x78");
        assert_eq!(error.code().as_str(), "22021");
    }

    #[test]
    fn lengths_are_checked_before_the_body_comes() {
        let refused = |bytes: &[u8]| next_frame(&mut BytesMut::from(bytes), 1 << 20).is_err();
        assert!(refused(&[b'Q', 0, 0, 0, 3]));
        assert!(refused(&[b'Q', 0xff, 0xff, 0xff, 0xff]));
        assert!(refused(&[b'Q', 0x7f, 0xff, 0xff, 0xff]));
        assert!(refused(&[b'S', 0, 1, 0, 0]));
        assert!(refused(b"GET / HTTP/1.1"));
        assert!(!refused(&[b'Q', 0, 0x0f, 0xff, 0xff]));
    }

    #[test]
    fn garbage_never_panics() {
        let seed = 7;
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..20_000 {
            let kind = *b"QPBDECHSXdcfFp".get(rng.random_range(0..14)).unwrap();
            let body: Vec<u8> = (0..rng.random_range(0..40))
                .map(|_| [0, 0, 1, 2, b'S', 0xff, rng.random()][rng.random_range(0..7)])
                .collect();
            let _ = read(kind, &body);
        }
    }
}
