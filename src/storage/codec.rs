//! Commands as bytes, for the log. Numbers are LEB128 unless said otherwise, strings and bytes have their length first:
//!
//! ```text
//! version (1 byte) | id (16, little-endian) | principal | time (zigzag) | database | catalog version + 1, or 0
//! | number of tables, (table, storage)... | number of mutations | mutations
//! mutation: tag (1 byte) | fields; catalog entries are JSON, so that fields can be added to them
//! ```
//!
//! Decoding never panics: a command that is not what it should be is XX001.

use super::catalog::Entry;
use super::command::{Command, CommandId, Expect, Mutation, Position};
use super::key::{get_varint, put_varint};
use crate::err;
use crate::error::{Error, Result};

const VERSION: u8 = 1;

const PUT: u8 = 1;
const DELETE: u8 = 2;
const CATALOG_PUT: u8 = 3;
const CATALOG_REMOVE: u8 = 4;
const COMMENT_SET: u8 = 5;
const COMMENT_REMOVE: u8 = 6;
const SEQUENCE: u8 = 7;
const NOTIFY: u8 = 8;

const ABSENT: u64 = 0;
const ANY: u64 = 1;
/// The version at position p is written as p + 2.
const VERSION_BASE: u64 = 2;

/// Appends a command.
pub fn encode_command(command: &Command, out: &mut Vec<u8>) -> Result<()> {
    encode_head(command, out);
    command.mutations.iter().try_for_each(|mutation| encode_mutation(mutation, out))
}

/// Appends everything of a command but its mutations, which follow one by one.
pub(crate) fn encode_head(command: &Command, out: &mut Vec<u8>) {
    out.push(VERSION);
    out.extend_from_slice(&command.id.0.to_le_bytes());
    put_varint(command.principal.into(), out);
    put_varint(zigzag(command.time), out);
    put_varint(command.database.into(), out);
    put_varint(command.catalog_version.map_or(0, |version| version + 1), out);
    put_varint(command.tables.len() as u64, out);
    for (table, storage) in &command.tables {
        put_varint((*table).into(), out);
        put_varint((*storage).into(), out);
    }
    put_varint(command.mutations.len() as u64, out);
}

/// Appends a mutation.
pub(crate) fn encode_mutation(mutation: &Mutation, out: &mut Vec<u8>) -> Result<()> {
    match mutation {
        Mutation::Put { table, key, row, expect } => {
            out.push(PUT);
            put_varint((*table).into(), out);
            put_expect(*expect, out);
            put_bytes(key, out);
            put_bytes(row, out);
        }
        Mutation::Delete { table, key, expect } => {
            out.push(DELETE);
            put_varint((*table).into(), out);
            put_expect(*expect, out);
            put_bytes(key, out);
        }
        Mutation::Catalog { oid, entry: Some(entry) } => {
            let json = serde_json::to_vec(entry)
                .map_err(|e| Error::internal(format!("catalog entry {oid} cannot be written: {e}")))?;
            out.push(CATALOG_PUT);
            put_varint((*oid).into(), out);
            put_bytes(&json, out);
        }
        Mutation::Catalog { oid, entry: None } => {
            out.push(CATALOG_REMOVE);
            put_varint((*oid).into(), out);
        }
        Mutation::Comment { object: (oid, column), text } => {
            out.push(if text.is_some() { COMMENT_SET } else { COMMENT_REMOVE });
            put_varint((*oid).into(), out);
            put_varint(zigzag((*column).into()), out);
            if let Some(text) = text {
                put_bytes(text.as_bytes(), out);
            }
        }
        Mutation::Sequence { oid, last_value, is_called } => {
            out.push(SEQUENCE);
            put_varint((*oid).into(), out);
            put_varint(zigzag(*last_value), out);
            out.push((*is_called).into());
        }
        Mutation::Notify { channel, payload, pid } => {
            out.push(NOTIFY);
            put_bytes(channel.as_bytes(), out);
            put_bytes(payload.as_bytes(), out);
            put_varint(zigzag((*pid).into()), out);
        }
    }
    Ok(())
}

/// About how many bytes a command takes, in the log and in memory.
pub fn command_bytes(command: &Command) -> usize {
    let mutations = command.mutations.iter().map(|mutation| match mutation {
        Mutation::Put { key, row, .. } => 16 + key.len() + row.len(),
        Mutation::Delete { key, .. } => 16 + key.len(),
        Mutation::Catalog { .. } => 1024,
        Mutation::Comment { text, .. } => 16 + text.as_ref().map_or(0, String::len),
        Mutation::Sequence { .. } => 16,
        Mutation::Notify { channel, payload, .. } => 16 + channel.len() + payload.len(),
    });
    64 + 8 * command.tables.len() + mutations.sum::<usize>()
}

/// Reads a command; nothing may follow it.
pub fn decode_command(bytes: &[u8]) -> Result<Command> {
    let mut reader = Reader { rest: bytes };
    let command = reader.command()?;
    match reader.rest {
        [] => Ok(command),
        _ => Err(invalid("has bytes after its end")),
    }
}

fn invalid(what: &str) -> Error {
    err!(DATA_CORRUPTED, "a stored command {what}")
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_expect(expect: Expect, out: &mut Vec<u8>) {
    let number = match expect {
        Expect::Absent => ABSENT,
        Expect::Any => ANY,
        Expect::Version(position) => position.0 + VERSION_BASE,
    };
    put_varint(number, out);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn command(&mut self) -> Result<Command> {
        let version = self.byte()?;
        if version != VERSION {
            return Err(invalid(&format!("has format version {version}, which this server does not know")));
        }
        let id = self.take(16)?.first_chunk().copied().ok_or_else(|| invalid("is cut off"))?;
        let id = CommandId(u128::from_le_bytes(id));
        let (principal, time, database) = (self.small()?, self.signed()?, self.small()?);
        let catalog_version = self.number()?.checked_sub(1);
        let count = self.count()?;
        let tables = (0..count).map(|_| Ok((self.small()?, self.small()?))).collect::<Result<_>>()?;
        let count = self.count()?;
        let mut mutations = Vec::with_capacity(count.min(1 << 16));
        for _ in 0..count {
            mutations.push(self.mutation()?);
        }
        Ok(Command { id, principal, time, database, catalog_version, tables, mutations })
    }

    fn mutation(&mut self) -> Result<Mutation> {
        Ok(match self.byte()? {
            PUT => {
                let (table, expect) = (self.small()?, self.expect()?);
                Mutation::Put { table, expect, key: self.bytes()?.into(), row: self.bytes()?.into() }
            }
            DELETE => {
                let (table, expect) = (self.small()?, self.expect()?);
                Mutation::Delete { table, expect, key: self.bytes()?.into() }
            }
            CATALOG_PUT => {
                let oid = self.small()?;
                let entry: Entry = serde_json::from_slice(self.bytes()?)
                    .map_err(|e| invalid(&format!("has a catalog entry that cannot be read: {e}")))?;
                if entry.oid() != oid {
                    return Err(invalid("has a catalog entry with another OID"));
                }
                Mutation::Catalog { oid, entry: Some(Box::new(entry)) }
            }
            CATALOG_REMOVE => Mutation::Catalog { oid: self.small()?, entry: None },
            tag @ (COMMENT_SET | COMMENT_REMOVE) => {
                let object = (self.small()?, self.small_signed()?);
                let text = (tag == COMMENT_SET).then(|| self.string()).transpose()?;
                Mutation::Comment { object, text }
            }
            SEQUENCE => {
                let (oid, last_value) = (self.small()?, self.signed()?);
                Mutation::Sequence { oid, last_value, is_called: self.byte()? != 0 }
            }
            NOTIFY => {
                let (channel, payload) = (self.string()?, self.string()?);
                Mutation::Notify { channel, payload, pid: self.small_signed()? }
            }
            tag => return Err(invalid(&format!("has a mutation of unknown kind {tag}"))),
        })
    }

    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or_else(|| invalid("is cut off"))?;
        self.rest = rest;
        Ok(*byte)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| invalid("is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64> {
        let (number, len) = get_varint(self.rest).ok_or_else(|| invalid("has an invalid number"))?;
        self.rest = &self.rest[len..];
        Ok(number)
    }

    /// How many items follow. Each takes a byte at least, so a wrong count does not reserve more than the input's size.
    fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(invalid("has an impossible count")),
        }
    }

    fn small(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| invalid("has a number out of range"))
    }

    fn signed(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn small_signed(&mut self) -> Result<i32> {
        i32::try_from(self.signed()?).map_err(|_| invalid("has a number out of range"))
    }

    fn expect(&mut self) -> Result<Expect> {
        Ok(match self.number()? {
            ABSENT => Expect::Absent,
            ANY => Expect::Any,
            number => Expect::Version(Position(number - VERSION_BASE)),
        })
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }

    fn string(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| invalid("has text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::bootstrap::bootstrap;

    fn sample() -> Command {
        let mut command = bootstrap(Some("secret".into()), -5);
        command.tables = vec![(16384, 16390), (7, 7)];
        command.mutations.extend([
            Mutation::Put { table: 16384, key: [1, 2].into(), row: [].into(), expect: Expect::Absent },
            Mutation::Put { table: 16384, key: [].into(), row: [9; 300].into(), expect: Expect::Any },
            Mutation::Delete { table: 1, key: [3].into(), expect: Expect::Version(Position(1)) },
            Mutation::Catalog { oid: 77, entry: None },
            Mutation::Comment { object: (1, -1), text: None },
            Mutation::Sequence { oid: 5, last_value: i64::MIN, is_called: true },
            Mutation::Notify { channel: "c".into(), payload: "p".into(), pid: -3 },
        ]);
        command
    }

    #[test]
    fn commands_round_trip() {
        let command = sample();
        let mut bytes = Vec::new();
        encode_command(&command, &mut bytes).unwrap();
        assert_eq!(decode_command(&bytes).unwrap(), command);
    }

    #[test]
    fn damaged_commands_are_errors_never_panics() {
        let mut bytes = Vec::new();
        encode_command(&sample(), &mut bytes).unwrap();
        for len in 0..bytes.len() {
            assert!(decode_command(&bytes[..len]).is_err(), "cut at {len}");
        }
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[place] ^= 1 << bit;
                let _ = decode_command(&damaged);
            }
        }
    }
}
