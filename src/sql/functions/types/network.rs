//! `inet`, `cidr`, `macaddr`, `macaddr8`: operators, functions, casts.

use crate::document::{Datum, Inet, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::aggregates::extremes::{max, min};
use crate::sql::functions::define::{Args, aggregate, scalar};
use crate::sql::io::network::{host_out, inet_out};
use crate::sql::operators::compare::{eq, ge, gt, le, lt, ne};

const N: Type = Type::INET;
const C: Type = Type::CIDR;
const MAC: Type = Type::MACADDR;
const MAC8: Type = Type::MACADDR8;
const I: Type = Type::INT4;
const B: Type = Type::BOOL;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(920, "network_eq", &[N, N], B, eq),
    scalar(921, "network_lt", &[N, N], B, lt),
    scalar(922, "network_le", &[N, N], B, le),
    scalar(923, "network_gt", &[N, N], B, gt),
    scalar(924, "network_ge", &[N, N], B, ge),
    scalar(925, "network_ne", &[N, N], B, ne),
    scalar(927, "network_sub", &[N, N], B, |_, a| Ok(Datum::Bool(inside(inet(a, 0)?, inet(a, 1)?, true)))),
    scalar(928, "network_subeq", &[N, N], B, |_, a| Ok(Datum::Bool(inside(inet(a, 0)?, inet(a, 1)?, false)))),
    scalar(929, "network_sup", &[N, N], B, |_, a| Ok(Datum::Bool(inside(inet(a, 1)?, inet(a, 0)?, true)))),
    scalar(930, "network_supeq", &[N, N], B, |_, a| Ok(Datum::Bool(inside(inet(a, 1)?, inet(a, 0)?, false)))),
    scalar(3551, "network_overlap", &[N, N], B, overlap),
    scalar(2627, "inetnot", &[N], N, |_, a| Ok(map(inet(a, 0)?, |byte| !byte))),
    scalar(2628, "inetand", &[N, N], N, |_, a| zip(inet(a, 0)?, inet(a, 1)?, "AND", |x, y| x & y)),
    scalar(2629, "inetor", &[N, N], N, |_, a| zip(inet(a, 0)?, inet(a, 1)?, "OR", |x, y| x | y)),
    scalar(2630, "inetpl", &[N, Type::INT8], N, |_, a| plus(inet(a, 0)?, i128::from(a.int8(1)?))),
    scalar(2631, "int8pl_inet", &[Type::INT8, N], N, |_, a| plus(inet(a, 1)?, i128::from(a.int8(0)?))),
    scalar(2632, "inetmi_int8", &[N, Type::INT8], N, |_, a| plus(inet(a, 0)?, -i128::from(a.int8(1)?))),
    scalar(2633, "inetmi", &[N, N], Type::INT8, minus),
    scalar(598, "abbrev", &[N], Type::TEXT, |_, a| Ok(Datum::text(shown(inet(a, 0)?)))),
    scalar(599, "abbrev", &[C], Type::TEXT, |_, a| Ok(Datum::text(abbreviated(inet(a, 0)?)))),
    scalar(605, "set_masklen", &[N, I], N, |_, a| set_masklen(inet(a, 0)?, a.int4(1)?, false)),
    scalar(635, "set_masklen", &[C, I], C, |_, a| set_masklen(inet(a, 0)?, a.int4(1)?, true)),
    scalar(683, "network", &[N], C, |_, a| Ok(network(inet(a, 0)?))),
    scalar(696, "netmask", &[N], N, |_, a| Ok(mask(inet(a, 0)?, false))),
    scalar(1362, "hostmask", &[N], N, |_, a| Ok(mask(inet(a, 0)?, true))),
    scalar(697, "masklen", &[N], I, |_, a| Ok(Datum::Int4(inet(a, 0)?.bits.into()))),
    scalar(698, "broadcast", &[N], N, broadcast),
    scalar(699, "host", &[N], Type::TEXT, |_, a| Ok(Datum::text(host(inet(a, 0)?)))),
    scalar(711, "family", &[N], I, |_, a| Ok(Datum::Int4(if inet(a, 0)?.is_v6 { 6 } else { 4 }))),
    scalar(730, "text", &[N], Type::TEXT, |_, a| inet(a, 0).map(|i| Datum::text(format!("{}/{}", host(i), i.bits)))),
    scalar(1715, "cidr", &[N], C, |_, a| Ok(network(inet(a, 0)?))),
    scalar(3562, "network_larger", &[N, N], N, |_, a| Ok(Datum::Inet(*inet(a, 0)?.max(inet(a, 1)?)))),
    scalar(3563, "network_smaller", &[N, N], N, |_, a| Ok(Datum::Inet(*inet(a, 0)?.min(inet(a, 1)?)))),
    scalar(4063, "inet_merge", &[N, N], C, merge),
    scalar(4071, "inet_same_family", &[N, N], B, |_, a| Ok(Datum::Bool(inet(a, 0)?.is_v6 == inet(a, 1)?.is_v6))),
    aggregate(3564, "max", &[N], N, max),
    aggregate(3565, "min", &[N], N, min),
    scalar(830, "macaddr_eq", &[MAC, MAC], B, eq),
    scalar(831, "macaddr_lt", &[MAC, MAC], B, lt),
    scalar(832, "macaddr_le", &[MAC, MAC], B, le),
    scalar(833, "macaddr_gt", &[MAC, MAC], B, gt),
    scalar(834, "macaddr_ge", &[MAC, MAC], B, ge),
    scalar(835, "macaddr_ne", &[MAC, MAC], B, ne),
    scalar(3144, "macaddr_not", &[MAC], MAC, |_, a| mac(a, 0).map(|m| Datum::MacAddr(m.map(|b| !b)))),
    scalar(3145, "macaddr_and", &[MAC, MAC], MAC, |_, a| Ok(Datum::MacAddr(pairs(mac(a, 0)?, mac(a, 1)?, |x, y| x & y)))),
    scalar(3146, "macaddr_or", &[MAC, MAC], MAC, |_, a| Ok(Datum::MacAddr(pairs(mac(a, 0)?, mac(a, 1)?, |x, y| x | y)))),
    scalar(753, "trunc", &[MAC], MAC, |_, a| mac(a, 0).map(|[x, y, z, ..]| Datum::MacAddr([x, y, z, 0, 0, 0]))),
    scalar(4113, "macaddr8_eq", &[MAC8, MAC8], B, eq),
    scalar(4114, "macaddr8_lt", &[MAC8, MAC8], B, lt),
    scalar(4115, "macaddr8_le", &[MAC8, MAC8], B, le),
    scalar(4116, "macaddr8_gt", &[MAC8, MAC8], B, gt),
    scalar(4117, "macaddr8_ge", &[MAC8, MAC8], B, ge),
    scalar(4118, "macaddr8_ne", &[MAC8, MAC8], B, ne),
    scalar(4120, "macaddr8_not", &[MAC8], MAC8, |_, a| mac8(a, 0).map(|m| Datum::MacAddr8(m.map(|b| !b)))),
    scalar(4121, "macaddr8_and", &[MAC8, MAC8], MAC8, |_, a| Ok(Datum::MacAddr8(pairs(mac8(a, 0)?, mac8(a, 1)?, |x, y| x & y)))),
    scalar(4122, "macaddr8_or", &[MAC8, MAC8], MAC8, |_, a| Ok(Datum::MacAddr8(pairs(mac8(a, 0)?, mac8(a, 1)?, |x, y| x | y)))),
    scalar(4112, "trunc", &[MAC8], MAC8, |_, a| mac8(a, 0).map(|[x, y, z, ..]| Datum::MacAddr8([x, y, z, 0, 0, 0, 0, 0]))),
    scalar(4123, "macaddr8", &[MAC], MAC8, |_, a| mac(a, 0).map(|[x, y, z, u, v, w]| Datum::MacAddr8([x, y, z, 0xff, 0xfe, u, v, w]))),
    scalar(4124, "macaddr", &[MAC8], MAC, to_macaddr),
    scalar(4125, "macaddr8_set7bit", &[MAC8], MAC8, |_, a| mac8(a, 0).map(|[x, rest @ ..]| {
        let [y, z, p, q, u, v, w] = rest;
        Datum::MacAddr8([x | 2, y, z, p, q, u, v, w])
    })),
];

fn inet(args: &[Datum], index: usize) -> Result<&Inet> {
    match args.at(index) {
        Datum::Inet(inet) => Ok(inet),
        other => Err(Error::internal(format!("an address was expected: {other:?}"))),
    }
}

fn mac(args: &[Datum], index: usize) -> Result<[u8; 6]> {
    match args.at(index) {
        Datum::MacAddr(mac) => Ok(*mac),
        other => Err(Error::internal(format!("a macaddr was expected: {other:?}"))),
    }
}

fn mac8(args: &[Datum], index: usize) -> Result<[u8; 8]> {
    match args.at(index) {
        Datum::MacAddr8(mac) => Ok(*mac),
        other => Err(Error::internal(format!("a macaddr8 was expected: {other:?}"))),
    }
}

fn pairs<const COUNT: usize>(a: [u8; COUNT], b: [u8; COUNT], with: fn(u8, u8) -> u8) -> [u8; COUNT] {
    std::array::from_fn(|i| with(a[i], b[i]))
}

fn to_macaddr(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match mac8(args, 0)? {
        [x, y, z, 0xff, 0xfe, u, v, w] => Ok(Datum::MacAddr([x, y, z, u, v, w])),
        _ => Err(err!(NUMERIC_VALUE_OUT_OF_RANGE, "macaddr8 data out of range to convert to macaddr").hint(
            "Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, for example \
             xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to macaddr.",
        )),
    }
}

fn host(inet: &Inet) -> String {
    let mut out = String::new();
    host_out(inet, &mut out);
    out
}

fn shown(inet: &Inet) -> String {
    let mut out = String::new();
    inet_out(inet, &mut out);
    out
}

/// `abbrev(cidr)`: octets behind the mask are left out.
fn abbreviated(inet: &Inet) -> String {
    if inet.is_v6 {
        return format!("{}/{}", host(inet), inet.bits);
    }
    let octets = usize::from(inet.bits).div_ceil(8).max(1);
    let shown: Vec<String> = inet.address[..octets].iter().map(u8::to_string).collect();
    format!("{}/{}", shown.join("."), inet.bits)
}

fn inside(inner: &Inet, outer: &Inet, strictly: bool) -> bool {
    inner.is_v6 == outer.is_v6
        && (inner.bits > outer.bits || (!strictly && inner.bits == outer.bits))
        && inner.masked(outer.bits) == outer.masked(outer.bits)
}

fn overlap(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b) = (inet(args, 0)?, inet(args, 1)?);
    let bits = a.bits.min(b.bits);
    Ok(Datum::Bool(a.is_v6 == b.is_v6 && a.masked(bits) == b.masked(bits)))
}

fn map(inet: &Inet, with: fn(u8) -> u8) -> Datum {
    let mut address = [0; 16];
    for (new, old) in address.iter_mut().zip(inet.bytes()) {
        *new = with(*old);
    }
    Datum::Inet(Inet { address, is_cidr: false, ..*inet })
}

fn zip(a: &Inet, b: &Inet, name: &str, with: fn(u8, u8) -> u8) -> Result<Datum> {
    if a.is_v6 != b.is_v6 {
        return Err(err!(INVALID_PARAMETER_VALUE, "cannot {name} inet values of different sizes"));
    }
    let address = pairs(a.address, b.address, with);
    Ok(Datum::Inet(Inet { is_v6: a.is_v6, bits: a.bits.max(b.bits), is_cidr: false, address }))
}

fn out_of_range() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "result is out of range")
}

fn number(inet: &Inet) -> u128 {
    inet.bytes().iter().fold(0, |n, byte| n << 8 | u128::from(*byte))
}

fn plus(inet: &Inet, by: i128) -> Result<Datum> {
    let value = number(inet).checked_add_signed(by).ok_or_else(out_of_range)?;
    let mut address = [0; 16];
    match inet.is_v6 {
        true => address = value.to_be_bytes(),
        false => address[..4].copy_from_slice(&u32::try_from(value).map_err(|_| out_of_range())?.to_be_bytes()),
    }
    Ok(Datum::Inet(Inet { address, is_cidr: false, ..*inet }))
}

fn minus(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b) = (inet(args, 0)?, inet(args, 1)?);
    if a.is_v6 != b.is_v6 {
        return Err(err!(INVALID_PARAMETER_VALUE, "cannot subtract inet values of different sizes"));
    }
    let (x, y) = (number(a), number(b));
    let difference = i64::try_from(x.abs_diff(y)).map_err(|_| out_of_range())?;
    Ok(Datum::Int8(if x >= y { difference } else { -difference }))
}

fn set_masklen(inet: &Inet, bits: i32, is_cidr: bool) -> Result<Datum> {
    let bits = if bits == -1 { i32::from(inet.width()) } else { bits };
    let Some(bits) = u8::try_from(bits).ok().filter(|bits| *bits <= inet.width()) else {
        return Err(err!(INVALID_PARAMETER_VALUE, "invalid mask length: {bits}"));
    };
    let address = if is_cidr { inet.masked(bits) } else { inet.address };
    Ok(Datum::Inet(Inet { bits, address, is_cidr, ..*inet }))
}

fn network(inet: &Inet) -> Datum {
    Datum::Inet(Inet { address: inet.masked(inet.bits), is_cidr: true, ..*inet })
}

fn mask(inet: &Inet, of_host: bool) -> Datum {
    let width = usize::from(inet.width()) / 8;
    let mut all = Inet { bits: inet.width(), is_cidr: false, ..*inet };
    all.address[..width].fill(0xff);
    let ones = all.masked(inet.bits);
    all.address = ones;
    if of_host {
        all.address[..width].iter_mut().for_each(|byte| *byte = !*byte);
    }
    Datum::Inet(all)
}

fn broadcast(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let inet = inet(args, 0)?;
    let Datum::Inet(host) = mask(inet, true) else { return Err(Error::internal("a mask is an address")) };
    let address = pairs(inet.masked(inet.bits), host.address, |x, y| x | y);
    Ok(Datum::Inet(Inet { address, is_cidr: false, ..*inet }))
}

fn merge(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b) = (inet(args, 0)?, inet(args, 1)?);
    if a.is_v6 != b.is_v6 {
        return Err(err!(INVALID_PARAMETER_VALUE, "cannot merge addresses from different families"));
    }
    let most = a.bits.min(b.bits);
    let bits = (0..=most).rev().find(|bits| a.masked(*bits) == b.masked(*bits)).unwrap_or(0);
    Ok(Datum::Inet(Inet { bits, address: a.masked(bits), is_cidr: true, ..*a }))
}
