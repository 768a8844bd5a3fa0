//! The table of types, PostgreSQL's `pg_type` as data: names, OIDs, categories, arrays; type names as SQL spells
//! them, and type modifiers.
//!
//! One row a base or pseudo-type is written down; the array types follow from the rows. What is not in the table
//! does not exist (42704), or is known to PostgreSQL and refused by name (0A000).

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::document::user_type::{self, UserKind};
use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};

/// One type.
#[derive(Debug)]
pub struct TypeInfo {
    /// pg_type.oid.
    pub oid: Oid,
    /// pg_type.typname.
    pub name: &'static str,
    /// The name as SQL spells it (`integer`, `character varying`), quoted where it must be.
    pub display: &'static str,
    /// pg_type.typlen: bytes, -1 for variable length, -2 for a C string.
    pub len: i16,
    /// pg_type.typcategory.
    pub category: char,
    /// pg_type.typispreferred.
    pub preferred: bool,
    /// pg_type.typalign.
    pub align: char,
    /// pg_type.typelem: the element type of arrays (also of `name`, `oidvector`), else 0.
    pub element: Oid,
    /// pg_type.typarray: the array type over this one, else 0.
    pub array: Oid,
    /// pg_type.typtype: `b`ase or `p`seudo.
    pub kind: char,
    /// pg_type.typbyval.
    pub by_value: bool,
    /// pg_type.typstorage.
    pub storage: char,
}

impl TypeInfo {
    /// Whether it is an array type proper (`_int4`; not `oidvector`).
    pub fn is_array(&self) -> bool {
        self.category == 'A' && self.len == -1 && self.name.starts_with('_') || self.oid == Type::RECORD_ARRAY.oid
    }
}

#[allow(clippy::too_many_arguments)]
const fn t(
    oid: Oid,
    name: &'static str,
    display: &'static str,
    len: i16,
    category: char,
    preferred: bool,
    align: char,
    element: Oid,
    array: Oid,
    kind: char,
    by_value: bool,
    storage: char,
) -> TypeInfo {
    TypeInfo { oid, name, display, len, category, preferred, align, element, array, kind, by_value, storage }
}

#[rustfmt::skip]
static BASE: &[TypeInfo] = &[
    t(16, "bool", "boolean", 1, 'B', true, 'c', 0, 1000, 'b', true, 'p'),
    t(17, "bytea", "bytea", -1, 'U', false, 'i', 0, 1001, 'b', false, 'x'),
    t(18, "char", "\"char\"", 1, 'Z', false, 'c', 0, 1002, 'b', true, 'p'),
    t(19, "name", "name", 64, 'S', false, 'c', 18, 1003, 'b', false, 'p'),
    t(20, "int8", "bigint", 8, 'N', false, 'd', 0, 1016, 'b', true, 'p'),
    t(21, "int2", "smallint", 2, 'N', false, 's', 0, 1005, 'b', true, 'p'),
    t(22, "int2vector", "int2vector", -1, 'A', false, 'i', 21, 1006, 'b', false, 'p'),
    t(23, "int4", "integer", 4, 'N', false, 'i', 0, 1007, 'b', true, 'p'),
    t(24, "regproc", "regproc", 4, 'N', false, 'i', 0, 1008, 'b', true, 'p'),
    t(25, "text", "text", -1, 'S', true, 'i', 0, 1009, 'b', false, 'x'),
    t(26, "oid", "oid", 4, 'N', true, 'i', 0, 1028, 'b', true, 'p'),
    t(27, "tid", "tid", 6, 'U', false, 's', 0, 1010, 'b', false, 'p'),
    t(28, "xid", "xid", 4, 'U', false, 'i', 0, 1011, 'b', true, 'p'),
    t(29, "cid", "cid", 4, 'U', false, 'i', 0, 1012, 'b', true, 'p'),
    t(30, "oidvector", "oidvector", -1, 'A', false, 'i', 26, 1013, 'b', false, 'p'),
    t(114, "json", "json", -1, 'U', false, 'i', 0, 199, 'b', false, 'x'),
    t(194, "pg_node_tree", "pg_node_tree", -1, 'Z', false, 'i', 0, 0, 'b', false, 'x'),
t(650, "cidr", "cidr", -1, 'I', false, 'i', 0, 651, 'b', false, 'm'),
    t(700, "float4", "real", 4, 'N', false, 'i', 0, 1021, 'b', true, 'p'),
    t(701, "float8", "double precision", 8, 'N', true, 'd', 0, 1022, 'b', true, 'p'),
    t(705, "unknown", "unknown", -2, 'X', false, 'c', 0, 0, 'p', false, 'p'),
    t(774, "macaddr8", "macaddr8", 8, 'U', false, 'i', 0, 775, 'b', false, 'p'),
    t(790, "money", "money", 8, 'N', false, 'd', 0, 791, 'b', true, 'p'),
    t(829, "macaddr", "macaddr", 6, 'U', false, 'i', 0, 1040, 'b', false, 'p'),
    t(869, "inet", "inet", -1, 'I', true, 'i', 0, 1041, 'b', false, 'm'),
    t(1033, "aclitem", "aclitem", 16, 'U', false, 'd', 0, 1034, 'b', false, 'p'),
    t(1042, "bpchar", "character", -1, 'S', false, 'i', 0, 1014, 'b', false, 'x'),
    t(1043, "varchar", "character varying", -1, 'S', false, 'i', 0, 1015, 'b', false, 'x'),
    t(1082, "date", "date", 4, 'D', false, 'i', 0, 1182, 'b', true, 'p'),
    t(1083, "time", "time without time zone", 8, 'D', false, 'd', 0, 1183, 'b', true, 'p'),
    t(1114, "timestamp", "timestamp without time zone", 8, 'D', false, 'd', 0, 1115, 'b', true, 'p'),
    t(1184, "timestamptz", "timestamp with time zone", 8, 'D', true, 'd', 0, 1185, 'b', true, 'p'),
    t(1186, "interval", "interval", 16, 'T', true, 'd', 0, 1187, 'b', false, 'p'),
    t(1266, "timetz", "time with time zone", 12, 'D', false, 'd', 0, 1270, 'b', false, 'p'),
    t(1560, "bit", "bit", -1, 'V', false, 'i', 0, 1561, 'b', false, 'x'),
    t(1562, "varbit", "bit varying", -1, 'V', true, 'i', 0, 1563, 'b', false, 'x'),
    t(1700, "numeric", "numeric", -1, 'N', false, 'i', 0, 1231, 'b', false, 'm'),
    t(1790, "refcursor", "refcursor", -1, 'U', false, 'i', 0, 2201, 'b', false, 'x'),
    t(2202, "regprocedure", "regprocedure", 4, 'N', false, 'i', 0, 2207, 'b', true, 'p'),
    t(2203, "regoper", "regoper", 4, 'N', false, 'i', 0, 2208, 'b', true, 'p'),
    t(2204, "regoperator", "regoperator", 4, 'N', false, 'i', 0, 2209, 'b', true, 'p'),
    t(2205, "regclass", "regclass", 4, 'N', false, 'i', 0, 2210, 'b', true, 'p'),
    t(2206, "regtype", "regtype", 4, 'N', false, 'i', 0, 2211, 'b', true, 'p'),
    t(2249, "record", "record", -1, 'P', false, 'd', 0, 2287, 'p', false, 'x'),
    t(2275, "cstring", "cstring", -2, 'P', false, 'c', 0, 1263, 'p', false, 'p'),
    t(2276, "any", "\"any\"", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(2277, "anyarray", "anyarray", -1, 'P', false, 'd', 0, 0, 'p', false, 'x'),
    t(2278, "void", "void", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(2279, "trigger", "trigger", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(2281, "internal", "internal", 8, 'P', false, 'd', 0, 0, 'p', true, 'p'),
    t(2283, "anyelement", "anyelement", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(2776, "anynonarray", "anynonarray", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(2950, "uuid", "uuid", 16, 'U', false, 'c', 0, 2951, 'b', false, 'p'),
    t(3220, "pg_lsn", "pg_lsn", 8, 'U', false, 'd', 0, 3221, 'b', true, 'p'),
    t(3500, "anyenum", "anyenum", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(3734, "regconfig", "regconfig", 4, 'N', false, 'i', 0, 3735, 'b', true, 'p'),
    t(3769, "regdictionary", "regdictionary", 4, 'N', false, 'i', 0, 3770, 'b', true, 'p'),
    t(3802, "jsonb", "jsonb", -1, 'U', false, 'i', 0, 3807, 'b', false, 'x'),
    t(3831, "anyrange", "anyrange", -1, 'P', false, 'd', 0, 0, 'p', false, 'x'),
    t(3904, "int4range", "int4range", -1, 'R', false, 'i', 0, 3905, 'r', false, 'x'),
    t(3906, "numrange", "numrange", -1, 'R', false, 'i', 0, 3907, 'r', false, 'x'),
    t(3908, "tsrange", "tsrange", -1, 'R', false, 'd', 0, 3909, 'r', false, 'x'),
    t(3910, "tstzrange", "tstzrange", -1, 'R', false, 'd', 0, 3911, 'r', false, 'x'),
    t(3912, "daterange", "daterange", -1, 'R', false, 'i', 0, 3913, 'r', false, 'x'),
    t(3926, "int8range", "int8range", -1, 'R', false, 'd', 0, 3927, 'r', false, 'x'),
    t(4072, "jsonpath", "jsonpath", -1, 'U', false, 'i', 0, 4073, 'b', false, 'x'),
    t(4089, "regnamespace", "regnamespace", 4, 'N', false, 'i', 0, 4090, 'b', true, 'p'),
    t(4096, "regrole", "regrole", 4, 'N', false, 'i', 0, 4097, 'b', true, 'p'),
    t(4191, "regcollation", "regcollation", 4, 'N', false, 'i', 0, 4192, 'b', true, 'p'),
    t(4451, "int4multirange", "int4multirange", -1, 'R', false, 'i', 0, 6150, 'm', false, 'x'),
    t(4532, "nummultirange", "nummultirange", -1, 'R', false, 'i', 0, 6151, 'm', false, 'x'),
    t(4533, "tsmultirange", "tsmultirange", -1, 'R', false, 'd', 0, 6152, 'm', false, 'x'),
    t(4534, "tstzmultirange", "tstzmultirange", -1, 'R', false, 'd', 0, 6153, 'm', false, 'x'),
    t(4535, "datemultirange", "datemultirange", -1, 'R', false, 'i', 0, 6155, 'm', false, 'x'),
    t(4536, "int8multirange", "int8multirange", -1, 'R', false, 'd', 0, 6157, 'm', false, 'x'),
    t(4537, "anymultirange", "anymultirange", -1, 'P', false, 'd', 0, 0, 'p', false, 'x'),
    t(4538, "anycompatiblemultirange", "anycompatiblemultirange", -1, 'P', false, 'd', 0, 0, 'p', false, 'x'),
    t(5038, "pg_snapshot", "pg_snapshot", -1, 'U', false, 'd', 0, 5039, 'b', false, 'x'),
    t(5069, "xid8", "xid8", 8, 'U', false, 'd', 0, 271, 'b', true, 'p'),
    t(5077, "anycompatible", "anycompatible", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(5078, "anycompatiblearray", "anycompatiblearray", -1, 'P', false, 'd', 0, 0, 'p', false, 'x'),
    t(5079, "anycompatiblenonarray", "anycompatiblenonarray", 4, 'P', false, 'i', 0, 0, 'p', true, 'p'),
    t(5080, "anycompatiblerange", "anycompatiblerange", -1, 'P', false, 'd', 0, 0, 'p', false, 'x'),
];

/// Types that PostgreSQL has and we do not: refused by name.
const KNOWN_UNSUPPORTED: &[&str] =
    &["xml", "point", "lseg", "path", "box", "polygon", "line", "circle", "tsvector", "tsquery", "txid_snapshot"];

struct Tables {
    all: Vec<&'static TypeInfo>,
    by_oid: HashMap<Oid, &'static TypeInfo>,
    by_name: HashMap<&'static str, &'static TypeInfo>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut all: Vec<&'static TypeInfo> = BASE.iter().collect();
    for base in BASE.iter().filter(|base| base.array != 0) {
        // The table lives as long as the process, so its derived rows may as well.
        let name: &'static str = Box::leak(format!("_{}", base.name).into_boxed_str());
        let display: &'static str = Box::leak(format!("{}[]", base.display).into_boxed_str());
        let align = if base.align == 'd' { 'd' } else { 'i' };
        let kind = if base.oid == Type::RECORD.oid || base.oid == Type::CSTRING.oid { 'p' } else { 'b' };
        let category = if kind == 'p' { 'P' } else { 'A' };
        all.push(Box::leak(Box::new(t(
            base.array, name, display, -1, category, false, align, base.oid, 0, kind, false, 'x',
        ))));
    }
    all.sort_by_key(|info| info.oid);
    Tables {
        by_oid: all.iter().map(|info| (info.oid, *info)).collect(),
        by_name: all.iter().map(|info| (info.name, *info)).collect(),
        all,
    }
});

/// Every type, by OID.
pub fn all() -> &'static [&'static TypeInfo] {
    &TABLES.all
}

/// The type with an OID.
pub fn by_oid(oid: Oid) -> Option<&'static TypeInfo> {
    TABLES.by_oid.get(&oid).copied()
}

/// The type with a `pg_type.typname` (as stored: lower case, `int4`, `_text`).
pub fn by_name(name: &str) -> Option<&'static TypeInfo> {
    TABLES.by_name.get(name).copied()
}

/// The array type over a type.
pub fn array_of(oid: Oid) -> Option<Oid> {
    match by_oid(oid) {
        Some(info) => Some(info.array).filter(|&array| array != 0),
        None => user_type::array_of(oid),
    }
}

/// The element type of an array type (`int2vector` and `oidvector` included, which subscript like arrays).
pub fn element_of(oid: Oid) -> Option<Oid> {
    match by_oid(oid) {
        Some(info) => Some(info.element).filter(|element| info.len == -1 && *element != 0),
        None => user_type::element_of(oid),
    }
}

/// Whether it is an array type proper (not `oidvector`).
pub fn is_array(oid: Oid) -> bool {
    by_oid(oid).map_or_else(|| user_type::is_array(oid), TypeInfo::is_array)
}

/// Whether it is a composite type: a user's, or the row type of a table or view (`record` is not).
pub fn is_composite(oid: Oid) -> bool {
    user_type::scalar_kind(oid) == Some(UserKind::Composite)
}

/// Whether it is an enum.
pub fn is_enum(oid: Oid) -> bool {
    user_type::scalar_kind(oid) == Some(UserKind::Enum)
}

/// Whether it is a domain.
pub fn is_domain(oid: Oid) -> bool {
    user_type::scalar_kind(oid) == Some(UserKind::Domain)
}

/// Whether it is a range type.
pub fn is_range(oid: Oid) -> bool {
    RANGES.iter().any(|(range, ..)| *range == oid) || user_type::scalar_kind(oid) == Some(UserKind::Range)
}

/// Whether it is a multirange type.
pub fn is_multirange(oid: Oid) -> bool {
    RANGES.iter().any(|(_, multirange, _)| *multirange == oid)
        || user_type::scalar_kind(oid) == Some(UserKind::Multirange)
}

/// Range type, multirange type and subtype of the built-in ranges.
pub const RANGES: &[(Oid, Oid, Oid)] = &[
    (3904, 4451, 23),
    (3906, 4532, 1700),
    (3908, 4533, 1114),
    (3910, 4534, 1184),
    (3912, 4535, 1082),
    (3926, 4536, 20),
];

/// The multirange type over a range type.
pub fn multirange_of(range: Oid) -> Option<Oid> {
    match RANGES.iter().find(|(r, ..)| *r == range) {
        Some((_, multirange, _)) => Some(*multirange),
        None if is_range(range) => user_type::oid(user_type::serial(range)?, UserKind::Multirange),
        None => None,
    }
}

/// The range type below a multirange type.
pub fn range_of(multirange: Oid) -> Option<Oid> {
    match RANGES.iter().find(|(_, m, _)| *m == multirange) {
        Some((range, ..)) => Some(*range),
        None if is_multirange(multirange) => user_type::oid(user_type::serial(multirange)?, UserKind::Range),
        None => None,
    }
}

/// The category of a type. Domains have their base type's, which only the catalog knows.
pub fn category(oid: Oid) -> char {
    match (by_oid(oid), user_type::scalar_kind(oid)) {
        (Some(info), _) => info.category,
        (None, None) => 'A',
        (None, Some(UserKind::Enum)) => 'E',
        (None, Some(UserKind::Range | UserKind::Multirange)) => 'R',
        (None, Some(UserKind::Composite)) => 'C',
        (None, Some(UserKind::Domain)) => 'U',
    }
}

/// Whether a type is preferred in its category.
pub fn is_preferred(oid: Oid) -> bool {
    by_oid(oid).is_some_and(|info| info.preferred)
}

/// Whether a type is one of the polymorphic pseudo-types.
pub fn is_polymorphic(oid: Oid) -> bool {
    matches!(oid, 2277 | 2283 | 2776 | 3500 | 3831 | 4537 | 4538 | 5077 | 5078 | 5079 | 5080)
}

/// The name of a type as PostgreSQL's messages and `format_type(oid, NULL)` write it; with a modifier when there is one.
pub fn format_type(typ: Type) -> String {
    format_oid(typ.oid, (typ.typmod >= 0).then_some(typ.typmod))
}

/// `format_type(oid, typmod)`: `None` is the SQL NULL, under which `char` shows no length; -1 shows it as `bpchar`.
pub fn format_oid(oid: Oid, typmod: Option<i32>) -> String {
    if oid == 0 {
        return "-".to_string();
    }
    let Some(info) = by_oid(oid) else { return "???".to_string() };
    if info.is_array() {
        let mut name = format_oid(info.element, typmod);
        name.push_str("[]");
        return name;
    }
    match typmod {
        None => info.display.to_string(),
        Some(typmod) if typmod < 0 => {
            if oid == Type::BPCHAR.oid {
                "bpchar".to_string()
            } else if oid == Type::BIT.oid {
                "\"bit\"".to_string()
            } else {
                info.display.to_string()
            }
        }
        Some(typmod) => with_typmod(info, typmod),
    }
}

fn with_typmod(info: &TypeInfo, typmod: i32) -> String {
    match Type::new(info.oid) {
        Type::VARCHAR | Type::BPCHAR if typmod > 4 => format!("{}({})", info.display, typmod - 4),
        Type::NUMERIC if typmod >= 4 => {
            let (precision, scale) = numeric_typmod(typmod);
            format!("numeric({precision},{scale})")
        }
        Type::BIT | Type::VARBIT => format!("{}({typmod})", info.display),
        Type::TIME => format!("time({typmod}) without time zone"),
        Type::TIMETZ => format!("time({typmod}) with time zone"),
        Type::TIMESTAMP => format!("timestamp({typmod}) without time zone"),
        Type::TIMESTAMPTZ => format!("timestamp({typmod}) with time zone"),
        Type::INTERVAL => {
            let range = (typmod >> 16) & 0x7FFF;
            let precision = typmod & 0xFFFF;
            let fields = INTERVAL_RANGES.iter().find(|(_, mask)| *mask == range).map_or("", |(name, _)| name);
            let mut name = "interval".to_string();
            if !fields.is_empty() {
                name.push(' ');
                name.push_str(fields);
            }
            if precision != 0xFFFF {
                name.push_str(&format!("({precision})"));
            }
            name
        }
        _ => info.display.to_string(),
    }
}

/// Precision and scale in a `numeric` modifier.
pub fn numeric_typmod(typmod: i32) -> (i32, i32) {
    let typmod = typmod - 4;
    ((typmod >> 16) & 0xFFFF, ((typmod & 0x7FF) ^ 1024) - 1024)
}

const MONTH: i32 = 1 << 1;
const YEAR: i32 = 1 << 2;
const DAY: i32 = 1 << 3;
const HOUR: i32 = 1 << 10;
const MINUTE: i32 = 1 << 11;
const SECOND: i32 = 1 << 12;

/// The fields of `interval day to second` and their mask in the modifier.
pub(crate) const INTERVAL_RANGES: &[(&str, i32)] = &[
    ("year", YEAR),
    ("month", MONTH),
    ("day", DAY),
    ("hour", HOUR),
    ("minute", MINUTE),
    ("second", SECOND),
    ("year to month", YEAR | MONTH),
    ("day to hour", DAY | HOUR),
    ("day to minute", DAY | HOUR | MINUTE),
    ("day to second", DAY | HOUR | MINUTE | SECOND),
    ("hour to minute", HOUR | MINUTE),
    ("hour to second", HOUR | MINUTE | SECOND),
    ("minute to second", MINUTE | SECOND),
];

/// The modifier of a type from the numbers in parentheses, e.g. `[10, 2]` for `numeric(10,2)`.
pub fn typmod_in(oid: Oid, modifiers: &[i32]) -> Result<i32> {
    if modifiers.is_empty() {
        return Ok(-1);
    }
    let one = |name: &str| match modifiers {
        [n] => Ok(*n),
        _ => Err(err!(INVALID_PARAMETER_VALUE, "invalid type modifier").detail(format!("Type {name}."))),
    };
    match Type::new(element_of(oid).unwrap_or(oid)) {
        Type::VARCHAR => length_typmod("varchar", one("varchar")?),
        Type::BPCHAR => length_typmod("char", one("char")?),
        Type::NUMERIC => match modifiers {
            [precision] => numeric_typmod_in(*precision, 0),
            [precision, scale] => numeric_typmod_in(*precision, *scale),
            _ => Err(err!(INVALID_PARAMETER_VALUE, "invalid NUMERIC type modifier")),
        },
        Type::TIME => precision_typmod("TIME", "", one("time")?),
        Type::TIMETZ => precision_typmod("TIME", " WITH TIME ZONE", one("timetz")?),
        Type::TIMESTAMP => precision_typmod("TIMESTAMP", "", one("timestamp")?),
        Type::TIMESTAMPTZ => precision_typmod("TIMESTAMP", " WITH TIME ZONE", one("timestamptz")?),
        Type::INTERVAL => interval_typmod(0x7FFF, Some(one("interval")?)),
        Type::BIT => bit_typmod("bit", modifiers),
        Type::VARBIT => bit_typmod("varbit", modifiers),
        _ => Err(err!(
            SYNTAX_ERROR,
            "type modifier is not allowed for type \"{}\"",
            by_oid(oid).map_or("?", |info| info.name)
        )),
    }
}

fn length_typmod(name: &str, length: i32) -> Result<i32> {
    match length {
        n if n < 1 => Err(err!(INVALID_PARAMETER_VALUE, "length for type {name} must be at least 1")),
        n if n > 10_485_760 => Err(err!(INVALID_PARAMETER_VALUE, "length for type {name} cannot exceed 10485760")),
        n => Ok(n + 4),
    }
}

fn bit_typmod(name: &str, modifiers: &[i32]) -> Result<i32> {
    match modifiers {
        [n] if *n < 1 => Err(err!(INVALID_PARAMETER_VALUE, "length for type {name} must be at least 1")),
        [n] if *n > 83_886_080 => Err(err!(INVALID_PARAMETER_VALUE, "length for type {name} cannot exceed 83886080")),
        [n] => Ok(*n),
        _ => Err(err!(INVALID_PARAMETER_VALUE, "invalid type modifier")),
    }
}

fn numeric_typmod_in(precision: i32, scale: i32) -> Result<i32> {
    if !(1..=1000).contains(&precision) {
        return Err(err!(INVALID_PARAMETER_VALUE, "NUMERIC precision {precision} must be between 1 and 1000"));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(err!(INVALID_PARAMETER_VALUE, "NUMERIC scale {scale} must be between -1000 and 1000"));
    }
    Ok(((precision << 16) | (scale & 0x7FF)) + 4)
}

fn precision_typmod(name: &str, suffix: &str, precision: i32) -> Result<i32> {
    if precision < 0 {
        return Err(err!(INVALID_PARAMETER_VALUE, "{name}({precision}){suffix} precision must not be negative"));
    }
    Ok(precision.min(6))
}

fn interval_typmod(range: i32, precision: Option<i32>) -> Result<i32> {
    let precision = match precision {
        None => 0xFFFF,
        Some(p) if p < 0 => {
            return Err(err!(INVALID_PARAMETER_VALUE, "INTERVAL({p}) precision must not be negative"));
        }
        Some(p) => p.min(6),
    };
    if range == 0x7FFF && precision == 0xFFFF { Ok(-1) } else { Ok((range << 16) | precision) }
}

/// The type that a sqlparser data type names.
pub fn resolve(data_type: &sqlparser::ast::DataType) -> Result<Type> {
    parse_name(&data_type.to_string())
}

/// The type that a text names, as SQL spells it: `character varying(10)[]`, `timestamp(3) with time zone`,
/// `pg_catalog.int4`, `"char"`, `interval day to second(2)`.
pub fn parse_name(text: &str) -> Result<Type> {
    let mut parser = NameParser { tokens: tokenize(text)?, at: 0, text };
    let typ = parser.type_name()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.syntax_error());
    }
    Ok(typ)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Number(i64),
    Symbol(char),
}

fn tokenize(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '"' => {
                chars.next();
                let mut name = String::new();
                loop {
                    match chars.next() {
                        Some('"') if chars.peek() == Some(&'"') => {
                            chars.next();
                            name.push('"');
                        }
                        Some('"') => break,
                        Some(c) => name.push(c),
                        None => return Err(err!(SYNTAX_ERROR, "unterminated quoted identifier in type name")),
                    }
                }
                tokens.push(Token::Quoted(name));
            }
            c if c.is_ascii_digit() => {
                let mut n: i64 = 0;
                while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
                    n = n.saturating_mul(10).saturating_add(i64::from(d));
                    chars.next();
                }
                tokens.push(Token::Number(n));
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = String::new();
                while let Some(&c) = chars.peek() {
                    if !(c.is_alphanumeric() || c == '_' || c == '$') {
                        break;
                    }
                    word.extend(c.to_lowercase());
                    chars.next();
                }
                tokens.push(Token::Word(word));
            }
            c => {
                chars.next();
                tokens.push(Token::Symbol(c));
            }
        }
    }
    Ok(tokens)
}

struct NameParser<'a> {
    tokens: Vec<Token>,
    at: usize,
    text: &'a str,
}

impl NameParser<'_> {
    fn syntax_error(&self) -> Error {
        match self.tokens.get(self.at) {
            None => err!(SYNTAX_ERROR, "invalid type name \"{}\"", self.text),
            Some(Token::Word(w) | Token::Quoted(w)) => err!(SYNTAX_ERROR, "syntax error at or near \"{w}\""),
            Some(Token::Number(n)) => err!(SYNTAX_ERROR, "syntax error at or near \"{n}\""),
            Some(Token::Symbol(c)) => err!(SYNTAX_ERROR, "syntax error at or near \"{c}\""),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w == word);
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    fn number(&mut self) -> Result<i32> {
        let negative = self.symbol('-');
        match self.tokens.get(self.at) {
            Some(Token::Number(n)) => {
                self.at += 1;
                let n = if negative { -n } else { *n };
                i32::try_from(n).map_err(|_| err!(INVALID_PARAMETER_VALUE, "type modifier {n} is out of range"))
            }
            _ => Err(self.syntax_error()),
        }
    }

    fn modifiers(&mut self) -> Result<Vec<i32>> {
        let mut numbers = Vec::new();
        if self.symbol('(') {
            loop {
                numbers.push(self.number()?);
                if self.symbol(')') {
                    break;
                }
                if !self.symbol(',') {
                    return Err(self.syntax_error());
                }
            }
        }
        Ok(numbers)
    }

    fn type_name(&mut self) -> Result<Type> {
        self.word("setof");
        let base = self.scalar()?;
        let mut array = self.word("array");
        while self.symbol('[') {
            if !self.symbol(']') {
                self.number()?;
                if !self.symbol(']') {
                    return Err(self.syntax_error());
                }
            }
            array = true;
        }
        if !array || is_array(base.oid) {
            return Ok(base);
        }
        match array_of(base.oid) {
            Some(oid) => Ok(Type::with_typmod(oid, base.typmod)),
            None => Err(err!(UNDEFINED_OBJECT, "could not find array type for data type {}", format_type(base))),
        }
    }

    fn scalar(&mut self) -> Result<Type> {
        let (name, quoted) = match self.tokens.get(self.at) {
            Some(Token::Word(w)) => (w.clone(), false),
            Some(Token::Quoted(w)) => (w.clone(), true),
            _ => return Err(self.syntax_error()),
        };
        self.at += 1;
        if self.symbol('.') {
            return self.qualified(&name);
        }
        let typ = if quoted { None } else { self.keyword(&name)? };
        match typ {
            Some(typ) => Ok(typ),
            None => self.named(&name, None),
        }
    }

    /// Types that SQL spells with words of their own.
    fn keyword(&mut self, name: &str) -> Result<Option<Type>> {
        let typ = match name {
            "int" | "integer" => Type::INT4,
            "smallint" => Type::INT2,
            "bigint" => Type::INT8,
            "real" => Type::FLOAT4,
            "boolean" => Type::BOOL,
            "double" if self.word("precision") => Type::FLOAT8,
            "float" => match self.modifiers()?.as_slice() {
                [] => Type::FLOAT8,
                [n] if *n < 1 => {
                    return Err(err!(INVALID_PARAMETER_VALUE, "precision for type float must be at least 1 bit"));
                }
                [n] if *n <= 24 => Type::FLOAT4,
                [n] if *n <= 53 => Type::FLOAT8,
                _ => return Err(err!(INVALID_PARAMETER_VALUE, "precision for type float must be less than 54 bits")),
            },
            "decimal" | "dec" | "numeric" => {
                return Ok(Some(Type::with_typmod(
                    Type::NUMERIC.oid,
                    typmod_in(Type::NUMERIC.oid, &self.modifiers()?)?,
                )));
            }
            "character" | "char" | "nchar" => {
                let base = if self.word("varying") { Type::VARCHAR } else { Type::BPCHAR };
                return Ok(Some(self.characters(base)?));
            }
            "national" => {
                if !self.word("character") && !self.word("char") {
                    return Err(self.syntax_error());
                }
                let base = if self.word("varying") { Type::VARCHAR } else { Type::BPCHAR };
                return Ok(Some(self.characters(base)?));
            }
            "varchar" => return Ok(Some(self.characters(Type::VARCHAR)?)),
            "bit" => {
                let base = if self.word("varying") { Type::VARBIT } else { Type::BIT };
                let typmod = match self.modifiers()?.as_slice() {
                    // `bit` alone is `bit(1)`.
                    [] if base == Type::BIT => 1,
                    modifiers => typmod_in(base.oid, modifiers)?,
                };
                return Ok(Some(Type::with_typmod(base.oid, typmod)));
            }
            "time" => return Ok(Some(self.time(Type::TIME, Type::TIMETZ)?)),
            "timestamp" => return Ok(Some(self.time(Type::TIMESTAMP, Type::TIMESTAMPTZ)?)),
            "interval" => return Ok(Some(self.interval()?)),
            _ => return Ok(None),
        };
        Ok(Some(typ))
    }

    fn characters(&mut self, base: Type) -> Result<Type> {
        let typmod = match self.modifiers()?.as_slice() {
            // `char` alone is `char(1)`.
            [] if base == Type::BPCHAR => 5,
            modifiers => typmod_in(base.oid, modifiers)?,
        };
        Ok(Type::with_typmod(base.oid, typmod))
    }

    fn time(&mut self, without: Type, with: Type) -> Result<Type> {
        let modifiers = self.modifiers()?;
        let start = self.at;
        let typ = if self.word("with") && self.word("time") && self.word("zone") {
            with
        } else {
            self.at = start;
            if !(self.word("without") && self.word("time") && self.word("zone")) {
                self.at = start;
            }
            without
        };
        Ok(Type::with_typmod(typ.oid, typmod_in(typ.oid, &modifiers)?))
    }

    fn interval(&mut self) -> Result<Type> {
        let modifiers = self.modifiers()?;
        if !modifiers.is_empty() {
            return Ok(Type::with_typmod(Type::INTERVAL.oid, typmod_in(Type::INTERVAL.oid, &modifiers)?));
        }
        let mut words = Vec::new();
        while let Some(Token::Word(w)) = self.tokens.get(self.at) {
            words.push(w.trim_end_matches('s').to_string());
            self.at += 1;
        }
        if words.is_empty() {
            return Ok(Type::INTERVAL);
        }
        let range = words.join(" ");
        let mask = INTERVAL_RANGES.iter().find(|(name, _)| *name == range).map(|(_, mask)| *mask);
        let Some(mask) = mask else {
            return Err(err!(SYNTAX_ERROR, "syntax error at or near \"{range}\""));
        };
        let precision = self.modifiers()?.first().copied();
        Ok(Type::with_typmod(Type::INTERVAL.oid, interval_typmod(mask, precision)?))
    }

    fn qualified(&mut self, schema: &str) -> Result<Type> {
        let name = match self.tokens.get(self.at) {
            Some(Token::Word(w) | Token::Quoted(w)) => w.clone(),
            _ => return Err(self.syntax_error()),
        };
        self.at += 1;
        self.named(&name, Some(schema))
    }

    fn named(&mut self, name: &str, schema: Option<&str>) -> Result<Type> {
        let modifiers = self.modifiers()?;
        let qualified = || schema.map_or(name.to_string(), |schema| format!("{schema}.{name}"));
        let info = if schema.is_none_or(|schema| schema == "pg_catalog") { by_name(name) } else { None };
        match info {
            Some(info) => Ok(Type::with_typmod(info.oid, typmod_in(info.oid, &modifiers)?)),
            None if KNOWN_UNSUPPORTED.contains(&name.trim_start_matches('_')) => {
                Err(Error::unsupported(format!("type {name}")))
            }
            None => Err(err!(UNDEFINED_OBJECT, "type \"{}\" does not exist", qualified())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (text, shown) in [
            ("int", "integer"),
            ("INT8[]", "bigint[]"),
            ("varchar(10)", "character varying(10)"),
            ("char", "character(1)"),
            ("\"char\"", "\"char\""),
            ("bpchar", "character"),
            ("numeric(10,2)", "numeric(10,2)"),
            ("numeric(5,-2)", "numeric(5,-2)"),
            ("timestamp(3)", "timestamp(3) without time zone"),
            ("timestamp with time zone", "timestamp with time zone"),
            ("timestamptz(2)[]", "timestamp(2) with time zone[]"),
            ("interval day to second(2)", "interval day to second(2)"),
            ("interval(3)", "interval(3)"),
            ("interval year", "interval year"),
            ("pg_catalog.jsonb", "jsonb"),
            ("float(3)", "real"),
            ("double precision[][]", "double precision[]"),
            ("oidvector", "oidvector"),
        ] {
            assert_eq!(format_type(parse_name(text).unwrap()), shown, "{text}");
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        let error = parse_name("nosuch").unwrap_err();
        assert_eq!(error.code(), crate::error::SqlState::UNDEFINED_OBJECT);
        assert_eq!(error.message(), "type \"nosuch\" does not exist");
        assert_eq!(parse_name("xml").unwrap_err().code(), crate::error::SqlState::FEATURE_NOT_SUPPORTED);
        assert_eq!(parse_name("int4(3)").unwrap_err().message(), "type modifier is not allowed for type \"int4\"");
        assert_eq!(parse_name("numeric(0)").unwrap_err().message(), "NUMERIC precision 0 must be between 1 and 1000");
    }
}
