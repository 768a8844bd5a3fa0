//! `inet`, `cidr`, `macaddr` and `macaddr8` as text.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use crate::document::Inet;
use crate::err;
use crate::error::Result;

use super::number::is_space;

/// `inet_in`, `cidr_in`.
pub(crate) fn inet_in(text: &str, is_cidr: bool) -> Result<Inet> {
    let name = if is_cidr { "cidr" } else { "inet" };
    let parsed = if text.contains(':') { v6(text) } else { v4(text, is_cidr) };
    let Some((address, bits, is_v6)) = parsed else {
        return Err(err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type {name}: \"{text}\""));
    };
    let inet = Inet { is_v6, bits, is_cidr, address };
    if is_cidr && inet.masked(bits) != address {
        return Err(err!(INVALID_TEXT_REPRESENTATION, "invalid cidr value: \"{text}\"")
            .detail("Value has bits set to right of mask."));
    }
    Ok(inet)
}

type Parsed = ([u8; 16], u8, bool);

/// Bits behind a slash: no leading zeros.
fn prefix(text: &str, max: u8) -> Option<u8> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse::<u8>().ok().filter(|bits| plain && *bits <= max)
}

fn v6(text: &str) -> Option<Parsed> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, prefix(bits, 128)?),
        None => (text, 128),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    Some((address.octets(), bits, true))
}

fn v4(text: &str, is_cidr: bool) -> Option<Parsed> {
    let (octets, bits) = match text.split_once('/') {
        Some((octets, bits)) => (octets, Some(prefix(bits, 32)?)),
        None => (text, None),
    };
    let mut address = [0u8; 16];
    let mut count = 0;
    for octet in octets.split('.') {
        let is_number = !octet.is_empty() && octet.len() <= 3 && octet.bytes().all(|b| b.is_ascii_digit());
        if !is_number || count == 4 {
            return None;
        }
        address[count] = octet.parse::<u16>().ok().and_then(|n| u8::try_from(n).ok())?;
        count += 1;
    }
    let bits = match bits {
        Some(bits) if !is_cidr && usize::from(bits / 8) > count => return None,
        Some(bits) => bits,
        None if !is_cidr => (count == 4).then_some(32)?,
        // The class of the network, if it has as many octets.
        None => {
            let class: u8 = match address[0] {
                240.. => 32,
                224.. => 8,
                192.. => 24,
                128.. => 16,
                _ => 8,
            };
            let bits = class.max(count as u8 * 8);
            if bits == 8 && address[0] == 224 { 4 } else { bits }
        }
    };
    Some((address, bits, false))
}

/// The address alone.
pub(crate) fn host_out(inet: &Inet, out: &mut String) {
    if !inet.is_v6 {
        let [a, b, c, d, ..] = inet.address;
        let _ = write!(out, "{a}.{b}.{c}.{d}");
        return;
    }
    let words: Vec<u16> = inet.address.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    // The longest run of zeros is left out.
    let (mut best, mut at) = ((0, 0), 0);
    while at < 8 {
        let run = words[at..].iter().take_while(|w| **w == 0).count();
        if run > best.1 {
            best = (at, run);
        }
        at += run.max(1);
    }
    if best.1 < 2 {
        best = (8, 0);
    }
    let has_v4 =
        best.0 == 0 && (best.1 == 6 || (best.1 == 5 && words[5] == 0xffff) || (best.1 == 7 && words[7] != 0x0001));
    let mut at = 0;
    while at < 8 {
        if at == best.0 && best.1 > 0 {
            // The colon that ends the run, and the one that begins it.
            out.push(':');
            if at == 0 {
                out.push(':');
            }
            at += best.1;
            if at < 8 && best.0 > 0 {
                out.push(':');
            }
            if has_v4 && at >= 6 {
                break;
            }
            continue;
        }
        if has_v4 && at == 6 {
            break;
        }
        let _ = write!(out, "{:x}", words[at]);
        at += 1;
        if at < 8 && at != best.0 {
            out.push(':');
        }
    }
    if best.1 > 0 && best.0 > 0 && best.0 + best.1 == 8 {
        out.push(':');
    }
    if has_v4 {
        let [.., a, b, c, d] = inet.address;
        let _ = write!(out, "{a}.{b}.{c}.{d}");
    }
}

/// `inet_out`, `cidr_out`.
pub(crate) fn inet_out(inet: &Inet, out: &mut String) {
    host_out(inet, out);
    if inet.is_cidr || inet.bits != inet.width() {
        let _ = write!(out, "/{}", inet.bits);
    }
}

/// `macaddr_in`.
pub(crate) fn macaddr_in(text: &str) -> Result<[u8; 6]> {
    let invalid = || err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type macaddr: \"{text}\"");
    let trimmed = text.trim_matches(is_space);
    let hex = |part: &str| u32::from_str_radix(part, 16).ok().filter(|_| !part.starts_with('+'));
    for separator in [':', '-'] {
        let parts: Vec<&str> = trimmed.split(separator).collect();
        if parts.len() != 6 {
            continue;
        }
        let mut mac = [0; 6];
        for (slot, part) in mac.iter_mut().zip(&parts) {
            let value = hex(part).ok_or_else(invalid)?;
            *slot = u8::try_from(value).map_err(|_| {
                err!(NUMERIC_VALUE_OUT_OF_RANGE, "invalid octet value in \"macaddr\" value: \"{text}\"")
            })?;
        }
        return Ok(mac);
    }
    let group = match trimmed.len() {
        13 if trimmed.as_bytes()[6] == b':' || trimmed.as_bytes()[6] == b'-' => 6,
        14 if trimmed.as_bytes()[4] == b'.' || trimmed.as_bytes()[4] == b'-' => 4,
        12 => 12,
        _ => return Err(invalid()),
    };
    let bytes = trimmed.as_bytes();
    if bytes.chunks(group + 1).filter(|c| c.len() > group).any(|c| c[group] != bytes[group]) {
        return Err(invalid());
    }
    let digits: Vec<u8> = bytes.chunks(group + 1).flat_map(|c| c.iter().take(group).copied()).collect();
    let mut mac = [0; 6];
    for (slot, pair) in mac.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
        *slot = hex(pair).filter(|_| pair.len() == 2).and_then(|v| u8::try_from(v).ok()).ok_or_else(invalid)?;
    }
    Ok(mac)
}

/// `macaddr8_in`: six bytes get `ff:fe` in the middle.
pub(crate) fn macaddr8_in(text: &str) -> Result<[u8; 8]> {
    let invalid = || err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type macaddr8: \"{text}\"");
    let mut rest = text.trim_matches(is_space).as_bytes();
    let mut bytes = Vec::with_capacity(8);
    let mut spacer = None;
    while let [high, low, tail @ ..] = rest {
        let digit = |b: u8| char::from(b).to_digit(16).ok_or_else(invalid);
        if bytes.len() == 8 {
            return Err(invalid());
        }
        bytes.push((digit(*high)? << 4 | digit(*low)?) as u8);
        rest = tail;
        if let [mark @ (b':' | b'-' | b'.'), tail @ ..] = rest {
            if *spacer.get_or_insert(*mark) != *mark {
                return Err(invalid());
            }
            rest = tail;
        }
    }
    match bytes.as_slice() {
        _ if !rest.is_empty() => Err(invalid()),
        [a, b, c, d, e, f] => Ok([*a, *b, *c, 0xff, 0xfe, *d, *e, *f]),
        eight => eight.try_into().map_err(|_| invalid()),
    }
}

/// `macaddr_out`, `macaddr8_out`.
pub(crate) fn mac_out(bytes: &[u8], out: &mut String) {
    for (i, byte) in bytes.iter().enumerate() {
        let _ = write!(out, "{}{byte:02x}", if i > 0 { ":" } else { "" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, is_cidr, shown) in [
            ("192.168.1", true, "192.168.1.0/24"),
            ("10", true, "10.0.0.0/8"),
            ("128.1", true, "128.1.0.0/16"),
            ("10.1.2.3", false, "10.1.2.3"),
            ("10.1.2.3/8", false, "10.1.2.3/8"),
            ("10/8", false, "10.0.0.0/8"),
            ("::ffff:1.2.3.4/128", true, "::ffff:1.2.3.4/128"),
            ("2001:4f8:3:ba::/64", true, "2001:4f8:3:ba::/64"),
            ("::1", false, "::1"),
            ("::", false, "::"),
            ("1::", false, "1::"),
            ("10:23::f1", false, "10:23::f1"),
            ("10:23::8000/113", true, "10:23::8000/113"),
            ("::10.2.3.4", false, "::10.2.3.4"),
        ] {
            let mut out = String::new();
            inet_out(&inet_in(text, is_cidr).unwrap(), &mut out);
            assert_eq!(out, shown, "{text}");
        }
        for (text, is_cidr) in
            [("10.1.2", false), ("1234::1234::1234", true), ("192.168.1.2/30", true), ("1.2.3.256", false)]
        {
            assert!(inet_in(text, is_cidr).is_err(), "{text}");
        }
    }

    #[test]
    fn hardware_addresses() {
        for text in [
            "08:00:2b:01:02:03",
            "08-00-2b-01-02-03",
            "08002b:010203",
            "08002b-010203",
            "0800.2b01.0203",
            "0800-2b01-0203",
            "08002b010203",
        ] {
            assert_eq!(macaddr_in(text).unwrap(), [8, 0, 0x2b, 1, 2, 3], "{text}");
        }
        for text in ["0800:2b01:0203", "not even close", "08002b0102030"] {
            assert!(macaddr_in(text).is_err(), "{text}");
        }
        assert_eq!(macaddr8_in("08:00:2b:01:02:03").unwrap(), [8, 0, 0x2b, 0xff, 0xfe, 1, 2, 3]);
        assert_eq!(macaddr8_in("08002b0102030405").unwrap(), [8, 0, 0x2b, 1, 2, 3, 4, 5]);
        assert!(macaddr8_in("123    08:00:2b:01:02:03").is_err());
    }
}
