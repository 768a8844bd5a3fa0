//! [`CopyEncoder`]: rows as COPY TO sends them, one CopyData message a row.

use std::sync::Arc;

use crate::error::Result;
use crate::exec::values::EvalContext;
use crate::exec::{CopyFormat, CopyOptions, OutputColumn};

use super::super::backend;
use super::super::encode::{Cell, RowEncoder, Rows};

/// Signature, flags and the length of the header's extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Writes rows in a COPY format.
pub(in crate::pg) struct CopyEncoder {
    options: Arc<CopyOptions>,
    rows: RowEncoder,
    columns: usize,
    /// The text of one value, before it is escaped.
    value: Vec<u8>,
}

impl CopyEncoder {
    pub(in crate::pg) fn new(columns: &[OutputColumn], options: Arc<CopyOptions>, context: EvalContext) -> Self {
        let rows = RowEncoder::new(columns, &[], || context);
        Self { options, rows, columns: columns.len(), value: Vec::new() }
    }

    /// What the rows' batches are read with.
    pub(in crate::pg) fn row_encoder(&self) -> &RowEncoder {
        &self.rows
    }

    /// What comes before the rows.
    pub(in crate::pg) fn header(&mut self, columns: &[OutputColumn], out: &mut Vec<u8>) {
        match self.options.format {
            CopyFormat::Binary => {
                let at = backend::start(out, b'd');
                out.extend_from_slice(BINARY_HEADER);
                backend::finish(out, at);
            }
            _ if self.options.header => {
                let at = backend::start(out, b'd');
                for (index, column) in columns.iter().enumerate() {
                    self.delimit(index, out);
                    match self.options.format {
                        CopyFormat::Csv => self.put_csv(column.name.as_bytes(), false, out),
                        _ => self.put_text(column.name.as_bytes(), out),
                    }
                }
                out.push(b'\n');
                backend::finish(out, at);
            }
            _ => {}
        }
    }

    /// One row.
    pub(in crate::pg) fn row(&mut self, rows: &Rows<'_>, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let at = backend::start(out, b'd');
        if self.options.format == CopyFormat::Binary {
            out.extend_from_slice(&(self.columns as i16).to_be_bytes());
            rows.cells(row, |index, cell| self.rows.binary_field(index, &cell, out))?;
        } else {
            rows.cells(row, |index, cell| self.field(index, &cell, out))?;
            out.push(b'\n');
        }
        backend::finish(out, at);
        Ok(())
    }

    /// What comes after the rows.
    pub(in crate::pg) fn trailer(&self, out: &mut Vec<u8>) {
        if self.options.format == CopyFormat::Binary {
            let at = backend::start(out, b'd');
            out.extend_from_slice(&(-1i16).to_be_bytes());
            backend::finish(out, at);
        }
    }

    fn field(&mut self, index: usize, cell: &Cell<'_>, out: &mut Vec<u8>) -> Result<()> {
        self.delimit(index, out);
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        match self.rows.text(index, cell, &mut value)? {
            false => out.extend_from_slice(self.options.null.as_bytes()),
            true if self.options.format == CopyFormat::Csv => {
                let is_forced = self.options.force_quote.get(index).copied().unwrap_or(false);
                self.put_csv(&value, is_forced, out);
            }
            true => self.put_text(&value, out),
        }
        self.value = value;
        Ok(())
    }

    fn delimit(&self, index: usize, out: &mut Vec<u8>) {
        if index > 0 {
            out.push(self.options.delimiter);
        }
    }

    fn put_text(&self, value: &[u8], out: &mut Vec<u8>) {
        let delimiter = self.options.delimiter;
        let mut copied = 0;
        for (at, byte) in value.iter().enumerate() {
            let escape = match byte {
                b'\\' => b'\\',
                8 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                11 => b'v',
                12 => b'f',
                b'\r' => b'r',
                byte if *byte == delimiter => delimiter,
                _ => continue,
            };
            out.extend_from_slice(&value[copied..at]);
            out.extend_from_slice(&[b'\\', escape]);
            copied = at + 1;
        }
        out.extend_from_slice(&value[copied..]);
    }

    fn put_csv(&self, value: &[u8], is_forced: bool, out: &mut Vec<u8>) {
        let CopyOptions { delimiter, quote, escape, .. } = *self.options;
        let is_special = |byte: &u8| *byte == delimiter || *byte == quote || *byte == b'\n' || *byte == b'\r';
        let must_quote = is_forced
            || value == self.options.null.as_bytes()
            || (self.columns == 1 && value == b"\\.")
            || value.iter().any(is_special);
        if !must_quote {
            return out.extend_from_slice(value);
        }
        out.push(quote);
        for byte in value {
            if *byte == quote || *byte == escape {
                out.push(escape);
            }
            out.push(*byte);
        }
        out.push(quote);
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::options;
    use super::*;
    use crate::document::{Datum, Type};
    use crate::exec::Batch;

    fn encode(options: CopyOptions, rows: Vec<Vec<Datum>>) -> Vec<Vec<u8>> {
        let columns: Vec<OutputColumn> =
            ["a", "b,"].map(|name| OutputColumn { name: name.into(), typ: Type::TEXT, table: 0, column: 0 }).into();
        let mut encoder = CopyEncoder::new(&columns, Arc::new(options), EvalContext::detached(Arc::default()));
        let mut out = Vec::new();
        encoder.header(&columns, &mut out);
        let batch = Batch::Rows(rows);
        let rows = Rows::new(&batch, encoder.row_encoder()).unwrap();
        for row in 0..rows.len() {
            encoder.row(&rows, row, &mut out).unwrap();
        }
        encoder.trailer(&mut out);
        let mut messages = Vec::new();
        let mut rest = out.as_slice();
        while let [b'd', a, b, c, d, ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            messages.push(rest[5..1 + length].to_vec());
            rest = &rest[1 + length..];
        }
        messages
    }

    #[test]
    fn text_csv_and_binary() {
        let row = || vec![vec![Datum::text("x\ty\\\n"), Datum::Null], vec![Datum::text(""), Datum::text("a,\"b")]];
        assert_eq!(encode(options(CopyFormat::Text), row()), [&b"x\\ty\\\\\\n\t\\N\n"[..], b"\ta,\"b\n"]);
        let mut csv = options(CopyFormat::Csv);
        csv.header = true;
        assert_eq!(encode(csv, row()), [&b"a,\"b,\"\n"[..], b"\"x\ty\\\n\",\n", b"\"\",\"a,\"\"b\"\n"]);
        let binary = encode(options(CopyFormat::Binary), vec![vec![Datum::text("x"), Datum::Null]]);
        assert_eq!(binary, [BINARY_HEADER, b"\0\x02\0\0\0\x01x\xff\xff\xff\xff", b"\xff\xff"]);
    }
}
