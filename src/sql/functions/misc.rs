//! The session and the server, sequences, uuid, and what fits nowhere else.
//!
//! `Body::Host` entries are answered by the session's `Host::call` under their name. A function of type `void` gives the
//! empty text, which is how PostgreSQL shows it.

use std::sync::atomic::{AtomicI64, Ordering};

use super::define::{Args, Rows, host, natural_type, scalar, set};
use super::output::spread;
use crate::document::{Datum, Record, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;

const I4: Type = Type::INT4;
const I8: Type = Type::INT8;
const T: Type = Type::TEXT;
const V: Type = Type::VOID;
const NAME: Type = Type::NAME;
const ANY: &[Type] = &[Type::ANY];

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3432, "gen_random_uuid", &[], Type::UUID, uuid_v4).volatile(),
    scalar(6428, "uuidv4", &[], Type::UUID, uuid_v4).volatile(),
    scalar(6429, "uuidv7", &[], Type::UUID, uuid_v7).volatile(),
    scalar(6430, "uuidv7", &[Type::INTERVAL], Type::UUID, uuid_v7).volatile(),
    scalar(6343, "uuid_extract_version", &[Type::UUID], Type::INT2, uuid_version),
    scalar(6342, "uuid_extract_timestamp", &[Type::UUID], Type::TIMESTAMPTZ, uuid_timestamp),
    scalar(89, "version", &[], T, version).stable(),
    scalar(861, "current_database", &[], NAME, current_database).stable(),
    scalar(745, "current_user", &[], NAME, |context, _| Ok(Datum::text(context.host.users().0))).stable(),
    scalar(746, "session_user", &[], NAME, |context, _| Ok(Datum::text(context.host.users().1))).stable(),
    scalar(710, "getpgusername", &[], NAME, |context, _| Ok(Datum::text(context.host.users().0))).stable(),
    host(6311, "system_user", &[], T).stable(),
    scalar(810, "pg_client_encoding", &[], NAME, client_encoding).stable(),
    scalar(1039, "getdatabaseencoding", &[], NAME, |_, _| Ok(Datum::text("UTF8"))).stable(),
    scalar(2077, "current_setting", &[T], T, current_setting).stable(),
    scalar(3294, "current_setting", &[T, Type::BOOL], T, current_setting).stable(),
    scalar(2078, "set_config", &[T, T, Type::BOOL], T, set_config).loose().volatile(),
    scalar(2026, "pg_backend_pid", &[], I4, |context, _| Ok(Datum::Int4(context.host.backend_pid()))).stable(),
    scalar(1619, "pg_typeof", ANY, Type::REGTYPE, |_, args| Ok(Datum::Oid(natural_type(args.at(0)).oid))).loose().stable(),
    scalar(1574, "nextval", &[Type::REGCLASS], I8, |context, args| context.host.nextval(args.oid(0)?).map(Datum::Int8)).volatile(),
    scalar(1575, "currval", &[Type::REGCLASS], I8, |context, args| context.host.currval(args.oid(0)?).map(Datum::Int8)).volatile(),
    scalar(1576, "setval", &[Type::REGCLASS, I8], I8, setval).volatile(),
    scalar(1765, "setval", &[Type::REGCLASS, I8, Type::BOOL], I8, setval).volatile(),
    scalar(2559, "lastval", &[], I8, |context, _| context.host.lastval().map(Datum::Int8)).volatile(),
    scalar(438, "num_nulls", ANY, I4, num_nulls).variadic().loose(),
    scalar(440, "num_nonnulls", ANY, I4, num_nonnulls).variadic().loose(),
    scalar(1269, "pg_column_size", ANY, I4, |_, args| Ok(Datum::Int4(stored_size(args.at(0)) as i32))).stable(),
    scalar(2121, "pg_column_compression", ANY, T, |_, _| Ok(Datum::Null)).stable(),
    scalar(2288, "pg_size_pretty", &[I8], T, size_pretty),
    scalar(3166, "pg_size_pretty", &[Type::NUMERIC], T, size_pretty_numeric),
    scalar(3334, "pg_size_bytes", &[T], I8, size_bytes),
    scalar(6210, "pg_input_is_valid", &[T, T], Type::BOOL, input_is_valid).stable(),
    scalar(6211, "pg_input_error_info", &[T, T], Type::RECORD, input_error_info).stable()
        .columns(&[("message", T), ("detail", T), ("hint", T), ("sql_error_code", T)]),
    scalar(3810, "pg_is_in_recovery", &[], Type::BOOL, |_, _| Ok(Datum::Bool(false))).volatile(),
    scalar(315, "pg_jit_available", &[], Type::BOOL, |_, _| Ok(Datum::Bool(false))).volatile(),
    scalar(3163, "pg_trigger_depth", &[], I4, |_, _| Ok(Datum::Int4(0))).stable(),
    host(2626, "pg_sleep", &[Type::FLOAT8], V).volatile(),
    host(3935, "pg_sleep_for", &[Type::INTERVAL], V).volatile(),
    host(3936, "pg_sleep_until", &[Type::TIMESTAMPTZ], V).volatile(),
    host(3036, "pg_notify", &[T, T], V).loose().volatile(),
    set(3035, "pg_listening_channels", &[], T, listening_channels).stable(),
    host(3296, "pg_notification_queue_usage", &[], Type::FLOAT8).volatile(),
    host(2171, "pg_cancel_backend", &[I4], Type::BOOL).volatile(),
    host(2096, "pg_terminate_backend", &[I4, I8], Type::BOOL).defaults(1).volatile(),
    host(2943, "txid_current", &[], I8).stable(),
    host(3348, "txid_current_if_assigned", &[], I8).stable(),
    host(2944, "txid_current_snapshot", &[], Type::TXID_SNAPSHOT).stable(),
    host(2945, "txid_snapshot_xmin", &[Type::TXID_SNAPSHOT], I8),
    host(2946, "txid_snapshot_xmax", &[Type::TXID_SNAPSHOT], I8),
    host(3360, "txid_status", &[I8], T).volatile(),
    host(2948, "txid_visible_in_snapshot", &[I8, Type::TXID_SNAPSHOT], Type::BOOL),
    host(5059, "pg_current_xact_id", &[], Type::XID8).stable(),
    host(5060, "pg_current_xact_id_if_assigned", &[], Type::XID8).stable(),
    host(5061, "pg_current_snapshot", &[], Type::PG_SNAPSHOT).stable(),
    host(5062, "pg_snapshot_xmin", &[Type::PG_SNAPSHOT], Type::XID8),
    host(5063, "pg_snapshot_xmax", &[Type::PG_SNAPSHOT], Type::XID8),
    host(5066, "pg_xact_status", &[Type::XID8], T).volatile(),
    host(2880, "pg_advisory_lock", &[I8], V).volatile(),
    host(2886, "pg_advisory_lock", &[I4, I4], V).volatile(),
    host(2881, "pg_advisory_lock_shared", &[I8], V).volatile(),
    host(2887, "pg_advisory_lock_shared", &[I4, I4], V).volatile(),
    host(2884, "pg_advisory_unlock", &[I8], Type::BOOL).volatile(),
    host(2890, "pg_advisory_unlock", &[I4, I4], Type::BOOL).volatile(),
    host(2892, "pg_advisory_unlock_all", &[], V).volatile(),
    host(2885, "pg_advisory_unlock_shared", &[I8], Type::BOOL).volatile(),
    host(2891, "pg_advisory_unlock_shared", &[I4, I4], Type::BOOL).volatile(),
    host(3089, "pg_advisory_xact_lock", &[I8], V).volatile(),
    host(3093, "pg_advisory_xact_lock", &[I4, I4], V).volatile(),
    host(3090, "pg_advisory_xact_lock_shared", &[I8], V).volatile(),
    host(3094, "pg_advisory_xact_lock_shared", &[I4, I4], V).volatile(),
    host(2882, "pg_try_advisory_lock", &[I8], Type::BOOL).volatile(),
    host(2888, "pg_try_advisory_lock", &[I4, I4], Type::BOOL).volatile(),
    host(2883, "pg_try_advisory_lock_shared", &[I8], Type::BOOL).volatile(),
    host(2889, "pg_try_advisory_lock_shared", &[I4, I4], Type::BOOL).volatile(),
    host(3091, "pg_try_advisory_xact_lock", &[I8], Type::BOOL).volatile(),
    host(3095, "pg_try_advisory_xact_lock", &[I4, I4], Type::BOOL).volatile(),
    host(3092, "pg_try_advisory_xact_lock_shared", &[I8], Type::BOOL).volatile(),
    host(3096, "pg_try_advisory_xact_lock_shared", &[I4, I4], Type::BOOL).volatile(),
    host(817, "current_query", &[], T).loose().volatile(),
    host(2560, "pg_postmaster_start_time", &[], Type::TIMESTAMPTZ).stable(),
    host(2034, "pg_conf_load_time", &[], Type::TIMESTAMPTZ).stable(),
    host(3809, "pg_export_snapshot", &[], T).volatile(),
    host(2621, "pg_reload_conf", &[], Type::BOOL).volatile(),
    host(2196, "inet_client_addr", &[], Type::INET).loose().stable(),
    host(2197, "inet_client_port", &[], I4).loose().stable(),
    host(2198, "inet_server_addr", &[], Type::INET).loose().stable(),
    host(2199, "inet_server_port", &[], I4).loose().stable(),
    host(2561, "pg_blocking_pids", &[I4], Type::INT4_ARRAY).volatile(),
];

/// The same with VARIADIC array: see [`spread`](crate::sql::functions::spread).
#[rustfmt::skip]
pub(crate) static SPREAD: &[Function] = &[
    scalar(10_000_438, "num_nulls", &[Type::ANYARRAY], I4, |c, a| spread(c, a, true, num_nulls)).loose(),
    scalar(10_000_440, "num_nonnulls", &[Type::ANYARRAY], I4, |c, a| spread(c, a, true, num_nonnulls)).loose(),
];

/// Microseconds from the Unix epoch to PostgreSQL's.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

fn stamped(mut bytes: [u8; 16], version: u8) -> Datum {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Datum::Uuid(bytes)
}

fn random_bytes(context: &EvalContext) -> [u8; 16] {
    let high = u128::from(context.host.random());
    (high << 64 | u128::from(context.host.random())).to_be_bytes()
}

fn uuid_v4(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Ok(stamped(random_bytes(context), 4))
}

/// The last time given to a version 7 uuid, in quarters of microseconds, so that they ascend.
static UUID_TICKS: AtomicI64 = AtomicI64::new(0);

/// 48 bits of milliseconds, 12 bits of the fraction, the rest random.
fn uuid_v7(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let now = context.host.clock() + POSTGRES_EPOCH_MICROS;
    let next = |last: i64| Some((now * 4).max(last + 1));
    let last = UUID_TICKS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_else(|last| last);
    let ticks = (now * 4).max(last + 1);
    let (mut micros, fraction) = (ticks / 4, ticks % 4000);
    if !args.at(0).is_null() {
        // timestamptz + interval
        let time = Datum::TimestampTz(micros - POSTGRES_EPOCH_MICROS);
        match super::call(1189, context, &[time, Datum::Interval(args.interval(0)?)])? {
            Datum::TimestampTz(shifted) => micros = shifted + POSTGRES_EPOCH_MICROS,
            _ => return Err(Error::internal("timestamptz + interval is not a timestamptz")),
        }
    }
    let mut bytes = random_bytes(context);
    bytes[..6].copy_from_slice(&micros.div_euclid(1000).to_be_bytes()[2..]);
    // 4000 ticks spread over 12 bits.
    bytes[6..8].copy_from_slice(&((fraction * 4096 / 4000) as u16).to_be_bytes());
    Ok(stamped(bytes, 7))
}

/// The version, if the uuid is of the RFC 9562 variant.
fn rfc_version(uuid: [u8; 16]) -> Option<u8> {
    (uuid[8] & 0xc0 == 0x80).then_some(uuid[6] >> 4)
}

fn uuid_version(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(rfc_version(args.uuid(0)?).map_or(Datum::Null, |version| Datum::Int2(version.into())))
}

fn uuid_timestamp(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let uuid = args.uuid(0)?;
    let number = |bytes: &[u8]| bytes.iter().fold(0i64, |sum, byte| sum << 8 | i64::from(*byte));
    Ok(match rfc_version(uuid) {
        Some(1) => {
            // 100 ns since 1582-10-15.
            let ticks = (number(&uuid[6..8]) & 0xfff) << 48 | number(&uuid[4..6]) << 32 | number(&uuid[..4]);
            let days = 152_384 * 86_400_000_000i64;
            Datum::TimestampTz(ticks / 10 - days)
        }
        Some(7) => Datum::TimestampTz(number(&uuid[..6]) * 1000 - POSTGRES_EPOCH_MICROS),
        _ => Datum::Null,
    })
}

fn version(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    let server = context.host.setting("server_version").unwrap_or_else(|| "15.14".into());
    let (ours, bits) = (env!("CARGO_PKG_VERSION"), usize::BITS);
    Ok(Datum::text(format!(
        "PostgreSQL {server} (AerolithDB {ours}) on {}-{}, {bits}-bit",
        std::env::consts::ARCH,
        std::env::consts::OS
    )))
}

fn current_database(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    let current = context.host.database();
    let name = catalog.databases.iter().find(|(_, oid)| **oid == current).map(|(name, _)| name.as_str());
    Ok(name.map_or(Datum::Null, Datum::text))
}

fn client_encoding(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(context.host.setting("client_encoding").unwrap_or_else(|| "UTF8".into())))
}

fn unrecognized(name: &str) -> Error {
    err!(UNDEFINED_OBJECT, "unrecognized configuration parameter \"{name}\"")
}

fn current_setting(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let name = args.text(0)?;
    let missing_ok = args.len() > 1 && args.bool(1)?;
    match context.host.setting(name) {
        Some(value) => Ok(Datum::text(value)),
        None if missing_ok => Ok(Datum::Null),
        None => Err(unrecognized(name)),
    }
}

fn set_config(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Err(err!(NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    }
    if args.at(1).is_null() {
        return Err(Error::unsupported("set_config() with a NULL value"));
    }
    let name = args.text(0)?;
    let local = !args.at(2).is_null() && args.bool(2)?;
    context.host.set_setting(name, args.text(1)?, local)?;
    context.host.setting(name).map(Datum::text).ok_or_else(|| unrecognized(name))
}

fn setval(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let is_called = args.len() < 3 || args.bool(2)?;
    context.host.setval(args.oid(0)?, args.int8(1)?, is_called).map(Datum::Int8)
}

fn num_nulls(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int4(args.iter().filter(|value| value.is_null()).count() as i32))
}

fn num_nonnulls(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int4(args.iter().filter(|value| !value.is_null()).count() as i32))
}

fn listening_channels(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    match context.host.call("pg_listening_channels", args)? {
        Datum::Array(channels) => Ok(Box::new(channels.values.into_iter().map(Ok))),
        _ => Ok(Box::new(std::iter::empty())),
    }
}

/// Bytes PostgreSQL would store the value in, uncompressed.
fn stored_size(value: &Datum) -> usize {
    match value {
        Datum::Null => 0,
        Datum::Bool(_) => 1,
        Datum::Int2(_) => 2,
        Datum::Int4(_) | Datum::Oid(_) | Datum::Float4(_) | Datum::Date(_) => 4,
        Datum::Int8(_) | Datum::Float8(_) | Datum::Time(_) | Datum::Timestamp(_) | Datum::TimestampTz(_) => 8,
        Datum::TimeTz(..) => 12,
        Datum::Interval(_) | Datum::Uuid(_) => 16,
        Datum::Text(text) | Datum::Json(text) => 4 + text.len(),
        Datum::Bytea(bytes) => 4 + bytes.len(),
        Datum::Jsonb(document) => 4 + document.as_bytes().len(),
        Datum::Numeric(number) => {
            // The wire form has eight bytes before the digits, the stored one a header of six.
            let mut wire = Vec::new();
            number.encode_binary(&mut wire);
            (wire.len() + 6).saturating_sub(8)
        }
        Datum::Array(array) => 16 + 8 * array.dims.len() + array.values.iter().map(stored_size).sum::<usize>(),
        Datum::Enum(..) => 4,
        Datum::Money(_) | Datum::MacAddr8(_) => 8,
        Datum::MacAddr(_) => 6,
        Datum::Inet(inet) => 6 + usize::from(inet.width()) / 8,
        Datum::Bit(bits) => 8 + bits.bytes.len(),
        Datum::Range(_) | Datum::Multirange(_) => {
            let bounds = crate::sql::range::parts(value).iter().flat_map(|(l, u)| [&l.value, &u.value]);
            9 + bounds.flatten().map(stored_size).sum::<usize>()
        }
        Datum::Record(record) => 24 + record.values.iter().map(stored_size).sum::<usize>(),
    }
}

/// Units, the size from which the next one is used, and how many bits of the size in bytes one counts.
const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];

fn size_pretty(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut size = i128::from(args.int8(0)?);
    for (index, unit) in UNITS.iter().enumerate() {
        let last = index + 1 == UNITS.len();
        // All but bytes carry one bit more, for rounding.
        let limit = if index == 0 { 10 * 1024 } else { 2 * 10 * 1024 - 1 };
        if last || size.abs() < limit {
            if index > 0 {
                size = if size < 0 { (size - 1) / 2 } else { (size + 1) / 2 };
            }
            return Ok(Datum::text(format!("{size} {unit}")));
        }
        size /= if index == 0 { 512 } else { 1024 };
    }
    Err(Error::internal("no unit for a size"))
}

fn size_pretty_numeric(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut size = args.numeric(0)?.clone();
    let number = crate::document::Numeric::from_i64;
    for (index, unit) in UNITS.iter().enumerate() {
        let last = index + 1 == UNITS.len();
        let limit = if index == 0 { 10 * 1024 } else { 2 * 10 * 1024 - 1 };
        if last || size.abs() < number(limit) {
            if index > 0 {
                // Half away from zero: (size + sign) / 2, truncated.
                let one = if size >= number(0) { number(1) } else { number(-1) };
                size = size.add(&one)?.div_trunc(&number(2))?;
            }
            return Ok(Datum::text(format!("{size} {unit}")));
        }
        size = size.div_trunc(&number(if index == 0 { 512 } else { 1024 }))?;
    }
    Err(Error::internal("no unit for a size"))
}

fn size_bytes(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let text = args.text(0)?;
    let invalid = || err!(INVALID_PARAMETER_VALUE, "invalid size: \"{text}\"");
    let trimmed = text.trim();
    let after_sign = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let digits = after_sign.len() - after_sign.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let mut end = trimmed.len() - after_sign.len() + digits;
    // An exponent belongs to the number only if digits follow.
    if let Some(exponent) = trimmed[end..].strip_prefix(['e', 'E']) {
        let signless = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let power = signless.len() - signless.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if power > 0 {
            end += 1 + exponent.len() - signless.len() + power;
        }
    }
    let number = crate::document::Numeric::parse(&trimmed[..end]).map_err(|_| invalid())?;
    let unit = trimmed[end..].trim();
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 0,
        "kb" => 10,
        "mb" => 20,
        "gb" => 30,
        "tb" => 40,
        "pb" => 50,
        _ => {
            return Err(invalid()
                .detail(format!("Invalid size unit: \"{unit}\"."))
                .hint("Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\"."));
        }
    };
    let bytes = number.mul(&crate::document::Numeric::from_i64(1 << shift))?;
    bytes.to_i64().map(Datum::Int8).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))
}

/// Reads a value by a type's name; an error of the input itself is the `Ok(Err)`.
fn try_input(context: &EvalContext, args: &[Datum]) -> Result<Result<Datum>> {
    let typ = crate::sql::user_types::resolve_text(args.text(1)?, context)?;
    Ok(crate::sql::io::text_in(typ, args.text(0)?, context))
}

fn input_is_valid(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(try_input(context, args)?.is_ok()))
}

fn input_error_info(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let fields = ["message", "detail", "hint", "sql_error_code"].map(|name| (name.into(), T.oid)).into();
    let text = |text: Option<&str>| text.map_or(Datum::Null, Datum::text);
    let values = match try_input(context, args)? {
        Ok(_) => vec![Datum::Null; 4],
        Err(error) => {
            let report = error.report();
            vec![
                text(Some(&report.message)),
                text(report.detail.as_deref()),
                text(report.hint.as_deref()),
                text(Some(report.code.as_str())),
            ]
        }
    };
    Ok(Datum::Record(Box::new(Record { fields, values })))
}
