//! [`CopyDecoder`]: COPY FROM data to rows, in batches, as it arrives. Memory is what has not made a whole row yet.

use std::sync::Arc;

use bytes::Buf;

use crate::document::{Datum, Jsonb, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::exec::values::{self, EvalContext};
use crate::exec::{CopyFormat, CopyOptions, OutputColumn};

use super::super::frame::utf8;
use super::line::{Fields, LineFinder};

/// Rows of a batch, at most.
const BATCH_ROWS_MAX: usize = 1024;
/// Bytes of input of a batch, about.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// How much of a value an error's context shows (MAX_COPY_DATA_DISPLAY).
const CONTEXT_BYTES_MAX: usize = 100;
const BINARY_SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Reads rows from COPY data.
pub(in crate::pg) struct CopyDecoder {
    columns: Arc<[OutputColumn]>,
    options: Arc<CopyOptions>,
    context: EvalContext,
    buffer: Vec<u8>,
    /// Where the first row that has not been read starts in `buffer`.
    start: usize,
    /// The last line (row, in binary) that was begun, from 1.
    line: u64,
    finder: LineFinder,
    fields: Fields,
    state: State,
    line_bytes_max: usize,
    batch: Vec<Vec<Datum>>,
    /// The line of each row of the batch.
    lines: Vec<u64>,
    /// Input bytes of the batch.
    batch_bytes: usize,
    /// Rows skipped so far, those of this batch, and what is to be said about these.
    skipped: u64,
    skipped_here: u64,
    notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A header comes first.
    Header,
    Rows,
    /// The end marker was there; what follows is ignored.
    Ended,
}

impl CopyDecoder {
    /// A decoder; a line (or row) may not be longer than `line_bytes_max`.
    pub(in crate::pg) fn new(
        columns: Arc<[OutputColumn]>,
        options: Arc<CopyOptions>,
        context: EvalContext,
        line_bytes_max: usize,
    ) -> Self {
        let has_header = options.header || options.header_match || options.format == CopyFormat::Binary;
        Self {
            finder: LineFinder::new(&options),
            fields: Fields::default(),
            state: if has_header { State::Header } else { State::Rows },
            columns,
            options,
            context,
            buffer: Vec::new(),
            start: 0,
            line: 0,
            line_bytes_max,
            batch: Vec::new(),
            lines: Vec::new(),
            batch_bytes: 0,
            skipped: 0,
            skipped_here: 0,
            notes: Vec::new(),
        }
    }

    /// Adds data. Then call [`CopyDecoder::read`] until it says `false`.
    pub(in crate::pg) fn feed(&mut self, data: &[u8]) {
        if self.state == State::Ended {
            return;
        }
        // Keep what is not read yet at the front: it is less than a row.
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(data);
    }

    /// Reads rows into the batch; `true` when the batch is full (take it and go on), `false` when more data is needed or,
    /// after the last data (`is_last`), when all is read.
    pub(in crate::pg) fn read(&mut self, is_last: bool) -> Result<bool> {
        while self.state != State::Ended {
            if self.batch.len() >= BATCH_ROWS_MAX || self.batch_bytes >= BATCH_BYTES_MAX {
                return Ok(true);
            }
            let before = self.start;
            let more = match self.options.format {
                CopyFormat::Binary => self.binary_row(is_last)?,
                _ => self.line(is_last)?,
            };
            if !more {
                break;
            }
            self.batch_bytes += self.start - before;
        }
        let waiting = self.buffer.len() - self.start;
        if waiting > self.line_bytes_max && self.state != State::Ended {
            self.line += 1;
            let error = err!(PROGRAM_LIMIT_EXCEEDED, "COPY line is longer than {} bytes", self.line_bytes_max)
                .hint("The limit is the setting pg.message_size_max.");
            return Err(self.in_row(error));
        }
        Ok(false)
    }

    /// The rows read so far, and the line of each.
    pub(in crate::pg) fn take_batch(&mut self) -> (Vec<Vec<Datum>>, Vec<u64>) {
        self.batch_bytes = 0;
        (std::mem::take(&mut self.batch), std::mem::take(&mut self.lines))
    }

    /// Reads one line; `false` when it is not there yet.
    fn line(&mut self, is_last: bool) -> Result<bool> {
        let data = &self.buffer[self.start..];
        let line = match self.finder.next(data, is_last) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(false),
            Err(error) => {
                self.line += 1;
                let is_unterminated = error.message().starts_with("unterminated");
                return Err(if is_unterminated { self.in_line(error, data) } else { self.in_row(error) });
            }
        };
        self.line += line.lines;
        let text = self.start..self.start + line.len;
        self.start += line.advance;
        if self.buffer[text.clone()] == *b"\\." {
            self.state = State::Ended;
            return Ok(true);
        }
        let bytes = &self.buffer[text.clone()];
        if let Err(error) = utf8(bytes) {
            return Err(error.context(format!("COPY {}, line {}", self.options.table, self.line)));
        }
        self.fields.split(bytes, &self.options).map_err(|error| self.in_line(error, bytes))?;
        if self.state == State::Header {
            self.state = State::Rows;
            if self.options.header_match {
                self.check_header(bytes)?;
            }
            return Ok(true);
        }
        let bytes = &self.buffer[text];
        match self.values(bytes)? {
            Values::Row(values) => {
                self.batch.push(values);
                self.lines.push(self.line);
            }
            Values::Skipped(skipped) => self.skip(skipped)?,
        }
        Ok(true)
    }

    /// Counts a row that cannot be read.
    fn skip(&mut self, (column, value): (usize, String)) -> Result<()> {
        self.skipped += 1;
        self.skipped_here += 1;
        let column = &self.columns[column].name;
        if self.options.log_verbosity > 0 {
            let line = self.line;
            self.notes.push(format!(
                "skipping row due to data type incompatibility at line {line} for column \"{column}\": \"{value}\""
            ));
        }
        match self.options.reject_limit {
            Some(limit) if self.skipped > limit => {
                let error = err!(
                    INVALID_TEXT_REPRESENTATION,
                    "skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility"
                );
                let table = &self.options.table;
                Err(error.context(format!("COPY {table}, line {}, column {column}: \"{value}\"", self.line)))
            }
            _ => Ok(()),
        }
    }

    /// How many rows were skipped since the last call, and what is to be said about them.
    pub(in crate::pg) fn take_skipped(&mut self) -> (u64, Vec<String>) {
        (std::mem::take(&mut self.skipped_here), std::mem::take(&mut self.notes))
    }

    /// The values of the line that has been split.
    fn values(&self, line: &[u8]) -> Result<Values> {
        if self.fields.len() > self.columns.len() {
            let error = err!(BAD_COPY_FILE_FORMAT, "extra data after last expected column");
            return Err(self.in_line(error, line));
        }
        if let Some(missing) = self.columns.get(self.fields.len()) {
            let error = err!(BAD_COPY_FILE_FORMAT, "missing data for column \"{}\"", missing.name);
            return Err(self.in_line(error, line));
        }
        let mut values = Vec::with_capacity(self.columns.len());
        for (index, column) in self.columns.iter().enumerate() {
            if self.fields.is_default(index) && !self.options.has_default[index] {
                let error = err!(BAD_COPY_FILE_FORMAT, "unexpected default marker in COPY data")
                    .detail(format!("Column \"{}\" has no default value.", column.name));
                return Err(self.in_line(error, line));
            }
            let Some(bytes) = self.fields.get(index, line) else {
                values.push(Datum::Null);
                continue;
            };
            match self.value(index, column.typ, bytes) {
                Ok(value) => values.push(value),
                Err(error) if self.options.skips_errors && is_of_data(&error) => {
                    return Ok(Values::Skipped((index, shown(bytes))));
                }
                Err(error) => return Err(self.in_column(error, &column.name, bytes)),
            }
        }
        if self.options.default.is_some() {
            values.extend((0..self.columns.len()).map(|index| Datum::Bool(self.fields.is_default(index))));
        }
        Ok(Values::Row(values))
    }

    fn value(&self, index: usize, typ: Type, bytes: &[u8]) -> Result<Datum> {
        // The line is UTF-8 and is cut at ASCII bytes only; unescaping may have put in anything.
        let text = if self.fields.is_unescaped(index) { utf8(bytes)? } else { ascii_cut(bytes)? };
        match typ {
            Type::JSONB => Jsonb::parse(text).map(Datum::Jsonb),
            Type::TEXT => Ok(Datum::text(text)),
            _ => values::text_in(typ, text, &self.context),
        }
    }

    fn check_header(&self, line: &[u8]) -> Result<()> {
        let (found, expected) = (self.fields.len(), self.columns.len());
        let bad = |message: String| {
            Err(self.in_line(Error::new(crate::error::SqlState::BAD_COPY_FILE_FORMAT, message), line))
        };
        if found != expected {
            return bad(format!("wrong number of fields in header line: got {found}, expected {expected}"));
        }
        for (index, column) in self.columns.iter().enumerate() {
            let number = index + 1;
            match self.fields.get(index, line) {
                None => {
                    return bad(format!(
                        "column name mismatch in header line field {number}: got null value (\"{}\"), expected \"{}\"",
                        self.options.null, column.name
                    ));
                }
                Some(name) if name != column.name.as_bytes() => {
                    return bad(format!(
                        "column name mismatch in header line field {number}: got \"{}\", expected \"{}\"",
                        String::from_utf8_lossy(name),
                        column.name
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Reads the header or one row of the binary format; `false` when it is not there yet.
    fn binary_row(&mut self, is_last: bool) -> Result<bool> {
        let data = &self.buffer[self.start..];
        let incomplete = |decoder: &Self| match is_last {
            false => Ok(false),
            true => Err(decoder.in_row(err!(BAD_COPY_FILE_FORMAT, "unexpected EOF in COPY data"))),
        };
        if self.state == State::Header {
            return match binary_header(data)? {
                None if is_last => Err(err!(BAD_COPY_FILE_FORMAT, "COPY file signature not recognized")),
                None => Ok(false),
                Some(length) => {
                    self.start += length;
                    self.state = State::Rows;
                    Ok(true)
                }
            };
        }
        if data.is_empty() && is_last {
            return Ok(false);
        }
        let Some(row) = binary_row_length(data, self.columns.len()) else { return incomplete(self) };
        self.line += 1;
        match row {
            BinaryRow::End => {
                self.state = State::Ended;
                Ok(true)
            }
            BinaryRow::WrongCount(found) => Err(self.in_row(err!(
                BAD_COPY_FILE_FORMAT,
                "row field count is {found}, expected {}",
                self.columns.len()
            ))),
            BinaryRow::BadLength => Err(self.in_row(err!(BAD_COPY_FILE_FORMAT, "invalid field size"))),
            BinaryRow::Length(length) => {
                let mut fields = &self.buffer[self.start + 2..self.start + length];
                let mut values = Vec::with_capacity(self.columns.len());
                for column in self.columns.iter() {
                    let value = match usize::try_from(fields.get_i32()) {
                        Err(_) => Datum::Null,
                        Ok(length) => {
                            let (bytes, rest) = fields.split_at(length);
                            fields = rest;
                            values::binary_in(column.typ, bytes, &self.context)
                                .map_err(|error| self.in_binary_column(error, &column.name))?
                        }
                    };
                    values.push(value);
                }
                self.batch.push(values);
                self.lines.push(self.line);
                self.start += length;
                Ok(true)
            }
        }
    }

    fn in_line(&self, error: Error, line: &[u8]) -> Error {
        with_context(error, format!("COPY {}, line {}: \"{}\"", self.options.table, self.line, shown(line)))
    }

    fn in_row(&self, error: Error) -> Error {
        with_context(error, format!("COPY {}, line {}", self.options.table, self.line.max(1)))
    }

    fn in_column(&self, error: Error, column: &str, value: &[u8]) -> Error {
        let (table, line) = (&self.options.table, self.line);
        with_context(error, format!("COPY {table}, line {line}, column {column}: \"{}\"", shown(value)))
    }

    fn in_binary_column(&self, error: Error, column: &str) -> Error {
        with_context(error, format!("COPY {}, line {}, column {column}", self.options.table, self.line))
    }
}

/// Adds a context below what the error says already (JSON names its own place).
/// What a line has given.
enum Values {
    Row(Vec<Datum>),
    /// It cannot be read: the column and its text.
    Skipped((usize, String)),
}

/// Whether an error says that a text is no value of a type.
fn is_of_data(error: &Error) -> bool {
    let code = error.code().to_string();
    code.starts_with("22") || code.starts_with("23")
}

fn with_context(mut error: Error, context: String) -> Error {
    let inner = error.report_mut().context.take();
    error.context(inner.map_or(context.clone(), |inner| format!("{inner}\n{context}")))
}

/// The beginning of a value, for a context.
fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= CONTEXT_BYTES_MAX {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut end = CONTEXT_BYTES_MAX;
    while end > 0 && (bytes[end] & 0xc0) == 0x80 {
        end -= 1;
    }
    format!("{}...", String::from_utf8_lossy(&bytes[..end]))
}

/// A piece of checked text that was cut at ASCII bytes: it is checked again only if it is not all ASCII.
fn ascii_cut(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::internal("a line was cut inside a character"))
}

/// The length of the binary header, when it is all there.
fn binary_header(data: &[u8]) -> Result<Option<usize>> {
    let signature = &data[..data.len().min(BINARY_SIGNATURE.len())];
    if !BINARY_SIGNATURE.starts_with(signature) {
        return Err(err!(BAD_COPY_FILE_FORMAT, "COPY file signature not recognized"));
    }
    let Some(mut rest) = data.get(BINARY_SIGNATURE.len()..).filter(|rest| rest.len() >= 8) else { return Ok(None) };
    let flags = rest.get_u32();
    if flags & (1 << 16) != 0 {
        return Err(err!(BAD_COPY_FILE_FORMAT, "invalid COPY file header (WITH OIDS)"));
    }
    if flags >> 17 != 0 {
        return Err(err!(BAD_COPY_FILE_FORMAT, "unrecognized critical flags in COPY file header"));
    }
    let extension = rest.get_i32();
    let extension = usize::try_from(extension)
        .map_err(|_| err!(BAD_COPY_FILE_FORMAT, "invalid COPY file header (wrong length)"))?;
    let total = BINARY_SIGNATURE.len() + 8 + extension;
    Ok((data.len() >= total).then_some(total))
}

enum BinaryRow {
    Length(usize),
    End,
    WrongCount(i16),
    BadLength,
}

/// The length of the first row, when it is all there.
fn binary_row_length(data: &[u8], columns: usize) -> Option<BinaryRow> {
    let count = i16::from_be_bytes(*data.first_chunk::<2>()?);
    if count == -1 {
        return Some(BinaryRow::End);
    }
    if usize::try_from(count) != Ok(columns) {
        return Some(BinaryRow::WrongCount(count));
    }
    let mut at = 2;
    for _ in 0..columns {
        let length = i32::from_be_bytes(*data.get(at..)?.first_chunk::<4>()?);
        at += 4;
        match length {
            -1 => {}
            0.. => at += length as usize,
            _ => return Some(BinaryRow::BadLength),
        }
    }
    (data.len() >= at).then_some(BinaryRow::Length(at))
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::options;
    use super::*;

    fn decoder(columns: &[(&str, Type)], options: CopyOptions) -> CopyDecoder {
        let columns: Vec<OutputColumn> = columns
            .iter()
            .map(|(name, typ)| OutputColumn { name: name.to_string(), typ: *typ, table: 0, column: 0 })
            .collect();
        CopyDecoder::new(columns.into(), Arc::new(options), EvalContext::detached(Arc::default()), 1 << 16)
    }

    fn all(mut decoder: CopyDecoder, data: &[u8], step: usize) -> Result<Vec<Vec<Datum>>> {
        let mut rows = Vec::new();
        for (is_last, piece) in data.chunks(step).map(|c| (false, c)).chain([(true, &b""[..])]) {
            decoder.feed(piece);
            while decoder.read(is_last)? {
                rows.extend(decoder.take_batch().0);
            }
        }
        rows.extend(decoder.take_batch().0);
        Ok(rows)
    }

    const ID_DOC: [(&str, Type); 2] = [("id", Type::INT4), ("doc", Type::JSONB)];

    #[test]
    fn rows_arrive_in_any_pieces() {
        let text = b"1\t{\"a\": \"x\\\\ty\"}\n\\N\t[1,2]\n\\.\nignored\n";
        for step in [1, 3, 1000] {
            let rows = all(decoder(&ID_DOC, options(CopyFormat::Text)), text, step).unwrap();
            assert_eq!(rows.len(), 2);
            assert_eq!(rows[0][0], Datum::Int4(1));
            let Datum::Jsonb(document) = &rows[0][1] else { panic!("jsonb") };
            assert_eq!(document.as_ref().get("a").unwrap().as_str(), Some("x\ty"));
            assert_eq!(rows[1][0], Datum::Null);
        }
    }

    #[test]
    fn rows_are_skipped_and_defaults_are_marked() {
        let wanted = CopyOptions {
            default: Some("\\D".to_string()),
            has_default: vec![false, true],
            skips_errors: true,
            log_verbosity: 1,
            reject_limit: Some(1),
            ..options(CopyFormat::Text)
        };
        let columns = [("a", Type::INT4), ("b", Type::TEXT)];
        let mut one = decoder(&columns, wanted.clone());
        one.feed(b"1\t\\D\nx\ty\n2\tz\n");
        assert!(!one.read(true).unwrap());
        let row = |a: i32, b: Datum, marked: bool| vec![Datum::Int4(a), b, Datum::Bool(false), Datum::Bool(marked)];
        assert_eq!(one.take_batch().0, vec![row(1, Datum::Null, true), row(2, Datum::text("z"), false)]);
        let (skipped, notes) = one.take_skipped();
        assert_eq!((skipped, notes.len()), (1, 1));
        assert!(notes[0].ends_with("at line 2 for column \"a\": \"x\""), "{notes:?}");
        let mut many = decoder(&columns, wanted.clone());
        many.feed(b"x\ty\ny\tz\n");
        assert!(many.read(true).unwrap_err().message().starts_with("skipped more than REJECT_LIMIT (1)"));
        let mut none = decoder(&columns, wanted);
        none.feed(b"\\D\ty\n");
        assert_eq!(none.read(true).unwrap_err().message(), "unexpected default marker in COPY data");
    }

    #[test]
    fn errors_say_where() {
        let fail = |data: &[u8]| {
            let error = all(decoder(&ID_DOC, options(CopyFormat::Text)), data, 7).unwrap_err();
            (error.message().to_string(), error.report().context.clone().unwrap_or_default())
        };
        let (message, context) = fail(b"1\t{}\n2\n");
        assert_eq!(message, "missing data for column \"doc\"");
        assert_eq!(context, "COPY t, line 2: \"2\"");
        let (message, context) = fail(b"1\t{}\t3\n");
        assert_eq!(
            (message.as_str(), context.as_str()),
            ("extra data after last expected column", "COPY t, line 1: \"1\t{}\t3\"")
        );
        let (message, context) = fail(b"1\t{}\nx\t{}\n");
        assert_eq!(message, "invalid input syntax for type integer: \"x\"");
        assert_eq!(context, "COPY t, line 2, column id: \"x\"");
        let (message, context) = fail(b"1\t{\n");
        assert_eq!(message, "invalid input syntax for type json");
        assert!(context.ends_with("\nCOPY t, line 1, column doc: \"{\""), "{context}");
        let (message, context) = fail(b"1\t\"\xff\"\n");
        assert_eq!(message, "invalid byte sequence for encoding \"UTF8\": 0xff");
        assert_eq!(context, "COPY t, line 1");
        let (_, context) = fail(format!("{}\t1\n", "é".repeat(80)).as_bytes());
        assert_eq!(context, format!("COPY t, line 1, column id: \"{}...\"", "é".repeat(50)));
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut decoder = decoder(&ID_DOC, options(CopyFormat::Text));
        decoder.feed(&vec![b'x'; (1 << 16) + 1]);
        assert_eq!(decoder.read(false).unwrap_err().code().as_str(), "54000");
    }

    #[test]
    fn headers() {
        let mut with_header = options(CopyFormat::Csv);
        with_header.header = true;
        assert_eq!(all(decoder(&ID_DOC, with_header.clone()), b"what,ever\n1,{}\n", 5).unwrap().len(), 1);
        with_header.header_match = true;
        assert_eq!(all(decoder(&ID_DOC, with_header.clone()), b"id,doc\n1,{}\n", 5).unwrap().len(), 1);
        let message =
            |data: &[u8]| all(decoder(&ID_DOC, with_header.clone()), data, 5).unwrap_err().message().to_string();
        assert_eq!(message(b"id,dok\n"), "column name mismatch in header line field 2: got \"dok\", expected \"doc\"");
        assert_eq!(message(b"id\n"), "wrong number of fields in header line: got 1, expected 2");
    }

    #[test]
    fn binary_rows() {
        let mut data = BINARY_SIGNATURE.to_vec();
        data.extend_from_slice(&[0; 8]);
        data.extend_from_slice(b"\0\x02\0\0\0\x04\0\0\0\x07\xff\xff\xff\xff\xff\xff");
        for step in [1, 5, 100] {
            let rows = all(decoder(&ID_DOC, options(CopyFormat::Binary)), &data, step).unwrap();
            assert_eq!(rows, [vec![Datum::Int4(7), Datum::Null]]);
        }
        let message =
            |data: &[u8]| all(decoder(&ID_DOC, options(CopyFormat::Binary)), data, 9).unwrap_err().to_string();
        assert_eq!(message(b"1\t{}\n"), "COPY file signature not recognized");
        assert_eq!(message(&data[..25]), "unexpected EOF in COPY data");
        data[20] = 3;
        assert_eq!(message(&data), "row field count is 3, expected 2");
    }
}
