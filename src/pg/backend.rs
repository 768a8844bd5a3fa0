//! Backend messages, appended to an output buffer. pgwire's message types write the rare ones; the ones on the hot path
//! (rows, completions) are written here without a copy.

use bytes::BytesMut;
use pgwire::messages::Message;
use pgwire::messages::copy::{CopyInResponse, CopyOutResponse};
use pgwire::messages::data::ParameterDescription;
use pgwire::messages::response::{ErrorResponse, NoticeResponse, NotificationResponse};
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};

use crate::document::Type;
use crate::error::{Error, SqlState};
use crate::exec::{Notice, Notification, OutputColumn, TransactionStatus, values};

/// How bad an error is for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The statement failed.
    Error,
    /// The connection ends.
    Fatal,
}

/// Appends a pgwire message.
pub(super) fn put(out: &mut Vec<u8>, message: &impl Message) {
    let mut buffer = BytesMut::with_capacity(message.message_length() + 1);
    // An error means a message longer than its kind may be; no caller makes one from a client's input.
    if message.encode(&mut buffer).is_ok() {
        out.extend_from_slice(&buffer);
    }
}

/// Appends a message that is its type byte only.
pub(super) fn put_empty(out: &mut Vec<u8>, kind: u8) {
    out.extend_from_slice(&[kind, 0, 0, 0, 4]);
}

pub(super) const PARSE_COMPLETE: u8 = b'1';
pub(super) const BIND_COMPLETE: u8 = b'2';
pub(super) const CLOSE_COMPLETE: u8 = b'3';
pub(super) const NO_DATA: u8 = b'n';
pub(super) const PORTAL_SUSPENDED: u8 = b's';
pub(super) const EMPTY_QUERY: u8 = b'I';
pub(super) const COPY_DONE: u8 = b'c';

/// Starts a message; give the result to [`finish`].
pub(super) fn start(out: &mut Vec<u8>, kind: u8) -> usize {
    out.extend_from_slice(&[kind, 0, 0, 0, 0]);
    out.len() - 4
}

/// Fills in the length of a message started at `at`.
pub(super) fn finish(out: &mut [u8], at: usize) {
    let length = (out.len() - at) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

pub(super) fn put_command_complete(out: &mut Vec<u8>, tag: &str) {
    let at = start(out, b'C');
    out.extend_from_slice(tag.as_bytes());
    out.push(0);
    finish(out, at);
}

pub(super) fn put_ready(out: &mut Vec<u8>, status: TransactionStatus) {
    let status = match status {
        TransactionStatus::Idle => b'I',
        TransactionStatus::InTransaction => b'T',
        TransactionStatus::Failed => b'E',
    };
    out.extend_from_slice(&[b'Z', 0, 0, 0, 5, status]);
}

pub(super) fn put_parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    put(out, &ParameterStatus::new(without_nul(name), without_nul(value)));
}

pub(super) fn put_authentication(out: &mut Vec<u8>, message: Authentication) {
    put(out, &message);
}

pub(super) fn put_key_data(out: &mut Vec<u8>, pid: i32, secret: &[u8]) {
    put(out, &BackendKeyData::new(pid, SecretKey::Bytes(bytes::Bytes::copy_from_slice(secret))));
}

pub(super) fn put_negotiate(out: &mut Vec<u8>, minor: u16, unknown_options: Vec<String>) {
    let version = (3 << 16) | i32::from(minor);
    put(out, &NegotiateProtocolVersion::new(version, unknown_options));
}

pub(super) fn put_notification(out: &mut Vec<u8>, notification: &Notification) {
    let (channel, payload) = (without_nul(&notification.channel), without_nul(&notification.payload));
    put(out, &NotificationResponse::new(notification.pid, channel, payload));
}

pub(super) fn put_error(out: &mut Vec<u8>, severity: Severity, error: &Error) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    put(out, &ErrorResponse::new(fields(severity, error)));
}

pub(super) fn put_notice(out: &mut Vec<u8>, notice: &Notice) {
    put(out, &NoticeResponse::new(fields(notice.severity, &notice.report)));
}

/// The fields of an error or notice report.
fn fields(severity: &str, error: &Error) -> Vec<(u8, String)> {
    let report = error.report();
    let mut fields = vec![
        (b'S', severity.to_string()),
        (b'V', severity.to_string()),
        (b'C', report.code.as_str().to_string()),
        (b'M', without_nul(&report.message)),
    ];
    let optional = [
        (b'D', &report.detail),
        (b'H', &report.hint),
        (b'W', &report.context),
        (b's', &report.schema),
        (b't', &report.table),
        (b'c', &report.column),
        (b'd', &report.data_type),
        (b'n', &report.constraint),
    ];
    if let Some(position) = report.position {
        fields.push((b'P', position.to_string()));
    }
    fields.extend(optional.into_iter().filter_map(|(code, text)| Some((code, without_nul(text.as_deref()?)))));
    if report.code == SqlState::INTERNAL_ERROR {
        tracing::error!(error = %report.message, "internal error");
    }
    fields
}

/// A string that a NUL-terminated field can carry.
fn without_nul(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text.to_string() }
}

/// A RowDescription; `formats` as for [`format_of`].
pub(super) fn put_row_description(out: &mut Vec<u8>, columns: &[OutputColumn], formats: &[i16]) {
    let at = start(out, b'T');
    out.extend_from_slice(&(columns.len() as u16).to_be_bytes());
    for (index, column) in columns.iter().enumerate() {
        out.extend(column.name.bytes().filter(|byte| *byte != 0));
        out.push(0);
        out.extend_from_slice(&column.table.to_be_bytes());
        out.extend_from_slice(&column.column.to_be_bytes());
        out.extend_from_slice(&column.typ.oid.to_be_bytes());
        out.extend_from_slice(&values::type_length(column.typ.oid).to_be_bytes());
        out.extend_from_slice(&column.typ.typmod.to_be_bytes());
        out.extend_from_slice(&format_of(formats, index).to_be_bytes());
    }
    finish(out, at);
}

pub(super) fn put_parameter_description(out: &mut Vec<u8>, params: &[Type]) {
    put(out, &ParameterDescription::new(params.iter().map(|typ| typ.oid).collect()));
}

pub(super) fn put_copy_response(out: &mut Vec<u8>, is_in: bool, is_binary: bool, columns: usize) {
    let format = i16::from(is_binary);
    let formats = vec![format; columns];
    match is_in {
        true => put(out, &CopyInResponse::new(format as i8, columns as i16, formats)),
        false => put(out, &CopyOutResponse::new(format as i8, columns as i16, formats)),
    }
}

/// The format of column `index`: no formats means text, one means the same for all.
pub(super) fn format_of(formats: &[i16], index: usize) -> i16 {
    match formats {
        [] => 0,
        [one] => *one,
        many => many.get(index).copied().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_carry_every_field() {
        let error = crate::err!(UNIQUE_VIOLATION, "dup\0licate")
            .detail("d")
            .hint("h")
            .at(5)
            .context("w")
            .table("s", "t")
            .column("c")
            .constraint("n");
        let mut out = Vec::new();
        put_error(&mut out, Severity::Error, &error);
        let text = String::from_utf8_lossy(&out[5..]).into_owned();
        let fields: Vec<&str> = text.split('\0').filter(|f| !f.is_empty()).collect();
        let expected = ["SERROR", "VERROR", "C23505", "Mduplicate", "P5", "Dd", "Hh", "Ww", "ss", "tt", "cc", "nn"];
        assert_eq!(fields, expected);
        assert_eq!(i32::from_be_bytes(out[1..5].try_into().unwrap()) as usize, out.len() - 1);
    }

    #[test]
    fn small_messages() {
        let mut out = Vec::new();
        put_command_complete(&mut out, "SELECT 1");
        put_ready(&mut out, TransactionStatus::Failed);
        put_empty(&mut out, PARSE_COMPLETE);
        assert_eq!(out, b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05E1\0\0\0\x04");
        out.clear();
        put_key_data(&mut out, 7, &[1, 2, 3, 4]);
        put_negotiate(&mut out, 2, vec!["_pq_.x".into()]);
        assert_eq!(out, b"K\0\0\0\x0c\0\0\0\x07\x01\x02\x03\x04v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
    }
}
