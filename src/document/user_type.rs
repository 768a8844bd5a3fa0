//! OIDs of user-defined types: the number itself says what kind of type it is, and whether it is the array over it.
//!
//! ```text
//! 01 | serial number (26 bits) | kind (3 bits) | array (1 bit)
//! ```
//! So what a type's values look like, its category, its array and its element are known without the catalog; names,
//! labels, fields and subtypes are looked up there (`sql::user_types`).

use super::Oid;

/// The first OID of a user-defined type.
pub const FIRST: Oid = 0x4000_0000;
/// Serial numbers end here.
pub const SERIAL_MAX: Oid = (1 << 26) - 1;
/// OIDs from here on are no built-in ones.
const FIRST_USER_OID: Oid = 16_384;

/// OIDs of temporary objects begin here.
const FIRST_TEMPORARY: Oid = 0xC000_0000;

/// What kind of type a user has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UserKind {
    Enum,
    Domain,
    Composite,
    Range,
    Multirange,
}

/// The OID of a type by a serial number that no other type has.
pub fn oid(serial: Oid, kind: UserKind) -> Option<Oid> {
    let kind = match kind {
        UserKind::Enum => 0,
        UserKind::Domain => 1,
        UserKind::Composite => 2,
        UserKind::Range => 3,
        UserKind::Multirange => 4,
    };
    (serial <= SERIAL_MAX).then_some(FIRST | serial << 4 | kind << 1)
}

/// The kind of a type, of an array its elements'; `None` for a built-in type.
pub fn kind(oid: Oid) -> Option<UserKind> {
    match oid {
        // Row types of temporary tables, and of tables that were made before types had numbers of their own.
        FIRST_USER_OID..FIRST | FIRST_TEMPORARY.. => Some(UserKind::Composite),
        FIRST.. if oid >> 30 == 1 => Some(match oid >> 1 & 7 {
            0 => UserKind::Enum,
            1 => UserKind::Domain,
            2 => UserKind::Composite,
            3 => UserKind::Range,
            _ => UserKind::Multirange,
        }),
        _ => None,
    }
}

/// The kind of a type that is no array.
pub fn scalar_kind(oid: Oid) -> Option<UserKind> {
    if is_array(oid) { None } else { kind(oid) }
}

/// Whether it is the array over a user-defined type.
pub fn is_array(oid: Oid) -> bool {
    oid >> 30 == 1 && oid & 1 == 1
}

/// The array type over a user-defined type.
pub fn array_of(oid: Oid) -> Option<Oid> {
    (oid >> 30 == 1 && oid & 1 == 0).then_some(oid | 1)
}

/// The element type of an array over a user-defined type.
pub fn element_of(oid: Oid) -> Option<Oid> {
    is_array(oid).then_some(oid & !1)
}

/// The serial number in the OID of a user-defined type.
pub fn serial(oid: Oid) -> Option<Oid> {
    (oid >> 30 == 1).then_some((oid & !FIRST) >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oid_says_its_kind() {
        let mood = oid(16_400, UserKind::Enum).unwrap();
        assert_eq!((kind(mood), is_array(mood), serial(mood)), (Some(UserKind::Enum), false, Some(16_400)));
        let array = array_of(mood).unwrap();
        assert_eq!((kind(array), scalar_kind(array), element_of(array)), (Some(UserKind::Enum), None, Some(mood)));
        assert_eq!((array_of(array), element_of(mood)), (None, None));
        assert_eq!(kind(oid(SERIAL_MAX, UserKind::Multirange).unwrap()), Some(UserKind::Multirange));
        assert_eq!(
            (oid(SERIAL_MAX + 1, UserKind::Enum), kind(23), kind(20_000)),
            (None, None, Some(UserKind::Composite))
        );
    }
}
