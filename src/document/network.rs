//! Network addresses and bit strings as values.

use std::cmp::Ordering;

/// An `inet` or `cidr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inet {
    /// IPv6 (else IPv4, in the first four bytes).
    pub is_v6: bool,
    /// Bits of the network.
    pub bits: u8,
    /// Shown as `cidr`: always with its bits. Says nothing about equality.
    pub is_cidr: bool,
    /// The address; what is not used is zero.
    pub address: [u8; 16],
}

impl Inet {
    /// How many bits an address has.
    pub fn width(&self) -> u8 {
        if self.is_v6 { 128 } else { 32 }
    }

    /// The bytes of the address.
    pub fn bytes(&self) -> &[u8] {
        if self.is_v6 { &self.address } else { &self.address[..4] }
    }

    /// The address with the bits behind the first `bits` cleared.
    pub fn masked(&self, bits: u8) -> [u8; 16] {
        let mut address = self.address;
        for (i, byte) in address.iter_mut().enumerate() {
            let inside = usize::from(bits).saturating_sub(i * 8).min(8);
            *byte &= !(0xffu16 >> inside) as u8;
        }
        address
    }

    /// Bytes whose order is PostgreSQL's: the family, the network, its length, the address. They are read back by
    /// [`Inet::from_sort_key`].
    pub fn write_sort_key(&self, out: &mut Vec<u8>) {
        let width = usize::from(self.width()) / 8;
        out.push(u8::from(self.is_v6));
        out.extend_from_slice(&self.masked(self.bits)[..width]);
        out.push(self.bits);
        out.extend_from_slice(self.bytes());
    }

    /// Reads [`Inet::write_sort_key`]; answers also the number of bytes.
    pub fn from_sort_key(key: &[u8]) -> Option<(Self, usize)> {
        let is_v6 = match key.first()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let width = if is_v6 { 16 } else { 4 };
        let bits = *key.get(1 + width)?;
        let mut address = [0; 16];
        address[..width].copy_from_slice(key.get(2 + width..2 + 2 * width)?);
        let inet = Self { is_v6, bits, is_cidr: false, address };
        (bits <= inet.width()).then_some((inet, 2 + 2 * width))
    }
}

impl Ord for Inet {
    fn cmp(&self, other: &Self) -> Ordering {
        self.is_v6
            .cmp(&other.is_v6)
            .then_with(|| self.masked(self.bits).cmp(&other.masked(other.bits)))
            .then_with(|| self.bits.cmp(&other.bits))
            .then_with(|| self.address.cmp(&other.address))
    }
}

impl PartialOrd for Inet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A bit string, `bit(n)` or `bit varying`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BitString {
    /// How many bits.
    pub length: u32,
    /// The bits, the first one the highest of the first byte; those behind the end are zero.
    pub bytes: Box<[u8]>,
}

impl BitString {
    /// So many zeros.
    pub fn zeros(length: u32) -> Self {
        Self { length, bytes: vec![0; (length as usize).div_ceil(8)].into() }
    }

    /// A bit, counted from the left and 0.
    pub fn get(&self, at: u32) -> bool {
        at < self.length && self.bytes[at as usize / 8] >> (7 - at % 8) & 1 == 1
    }

    /// Sets a bit that is there.
    pub fn set(&mut self, at: u32, value: bool) {
        let mask = 0x80 >> (at % 8);
        if at >= self.length {
            return;
        }
        match value {
            true => self.bytes[at as usize / 8] |= mask,
            false => self.bytes[at as usize / 8] &= !mask,
        }
    }

    /// Some of the bits; what is asked for beyond the end is not there.
    pub fn slice(&self, from: u32, to: u32) -> Self {
        let to = to.min(self.length);
        let from = from.min(to);
        let mut out = Self::zeros(to - from);
        if from.is_multiple_of(8) {
            let bytes = out.bytes.len();
            out.bytes.copy_from_slice(&self.bytes[from as usize / 8..from as usize / 8 + bytes]);
            out.clear_padding();
        } else {
            (from..to).for_each(|i| out.set(i - from, self.get(i)));
        }
        out
    }

    /// Zeroes the bits behind the end.
    pub fn clear_padding(&mut self) {
        let rest = self.length % 8;
        if rest != 0
            && let Some(last) = self.bytes.last_mut()
        {
            *last &= !(0xffu16 >> rest) as u8;
        }
    }

    /// As zeros and ones.
    pub fn write_text(&self, out: &mut String) {
        out.extend((0..self.length).map(|i| if self.get(i) { '1' } else { '0' }));
    }
}

impl Ord for BitString {
    fn cmp(&self, other: &Self) -> Ordering {
        let common = self.bytes.len().min(other.bytes.len());
        self.bytes[..common].cmp(&other.bytes[..common]).then_with(|| self.length.cmp(&other.length))
    }
}

impl PartialOrd for BitString {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_sort_as_their_keys() {
        let inet = |address: [u8; 4], bits| {
            let mut all = [0; 16];
            all[..4].copy_from_slice(&address);
            Inet { is_v6: false, bits, is_cidr: false, address: all }
        };
        let list = [
            inet([10, 0, 0, 0], 8),
            inet([10, 0, 0, 1], 8),
            inet([10, 0, 0, 0], 16),
            inet([10, 1, 2, 3], 32),
            inet([11, 0, 0, 0], 8),
        ];
        let key = |i: &Inet| {
            let mut key = Vec::new();
            i.write_sort_key(&mut key);
            assert_eq!(Inet::from_sort_key(&key), Some((*i, key.len())));
            key
        };
        for pair in list.windows(2) {
            assert!(pair[0] < pair[1] && key(&pair[0]) < key(&pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn bits_are_cut_and_set() {
        let mut bits = BitString { length: 12, bytes: Box::new([0b1010_0110, 0b1111_0000]) };
        let mut text = String::new();
        bits.slice(2, 11).write_text(&mut text);
        assert_eq!(text, "100110111");
        bits.set(0, false);
        assert!(!bits.get(0) && bits.get(2) && !bits.get(12));
        assert_eq!(bits.slice(8, 40), BitString { length: 4, bytes: Box::new([0xf0]) });
    }
}
