//! Type OIDs, which are PostgreSQL's, and [`Type`]: an OID with its modifier.
//!
//! Names, I/O functions, categories and casts of the types are data in `sql::types`; rows, keys and the catalog
//! need no more than the number.

/// An object identifier: the key of everything in the catalog.
pub type Oid = u32;

/// A type as a column or an expression has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Type {
    /// The type's OID.
    pub oid: Oid,
    /// PostgreSQL's atttypmod: e.g. 4 + n for `varchar(n)`; -1 when there is none.
    pub typmod: i32,
}

impl Type {
    /// A type without modifier.
    pub const fn new(oid: Oid) -> Self {
        Self { oid, typmod: -1 }
    }

    /// A type with a modifier.
    pub const fn with_typmod(oid: Oid, typmod: i32) -> Self {
        Self { oid, typmod }
    }

    /// Whether the type's values are [`Datum::Oid`](super::Datum::Oid).
    pub fn is_oid(self) -> bool {
        matches!(
            Self::new(self.oid),
            Self::OID
                | Self::REGPROC
                | Self::REGPROCEDURE
                | Self::REGOPER
                | Self::REGOPERATOR
                | Self::REGCLASS
                | Self::REGTYPE
                | Self::REGCONFIG
                | Self::REGDICTIONARY
                | Self::REGNAMESPACE
                | Self::REGROLE
                | Self::REGCOLLATION
                | Self::XID
                | Self::CID
        )
    }
}

macro_rules! oids {
    ($($(#[$m:meta])* $name:ident = $oid:literal;)*) => { $(#[allow(missing_docs)] pub const $name: Type = Type::new($oid);)* };
}

#[allow(missing_docs)]
impl Type {
    oids! {
        BOOL = 16; BYTEA = 17; CHAR = 18; NAME = 19; INT8 = 20; INT2 = 21; INT2VECTOR = 22; INT4 = 23; REGPROC = 24;
        TEXT = 25; OID = 26; TID = 27; XID = 28; CID = 29; OIDVECTOR = 30; JSON = 114; XML = 142; PG_NODE_TREE = 194;
        POINT = 600; CIDR = 650; MACADDR8 = 774; FLOAT4 = 700; FLOAT8 = 701; UNKNOWN = 705; MONEY = 790; MACADDR = 829; INET = 869;
        ACLITEM = 1033; BPCHAR = 1042; VARCHAR = 1043; DATE = 1082; TIME = 1083; TIMESTAMP = 1114; TIMESTAMPTZ = 1184;
        INTERVAL = 1186; TIMETZ = 1266; BIT = 1560; VARBIT = 1562; NUMERIC = 1700; REFCURSOR = 1790;
        REGPROCEDURE = 2202; REGOPER = 2203; REGOPERATOR = 2204; REGCLASS = 2205; REGTYPE = 2206;
        RECORD = 2249; CSTRING = 2275; ANY = 2276; ANYARRAY = 2277; VOID = 2278; TRIGGER = 2279; INTERNAL = 2281;
        ANYELEMENT = 2283; RECORD_ARRAY = 2287; ANYNONARRAY = 2776; UUID = 2950; TXID_SNAPSHOT = 2970; PG_LSN = 3220;
        ANYENUM = 3500; REGCONFIG = 3734; REGDICTIONARY = 3769; JSONB = 3802; ANYRANGE = 3831; JSONPATH = 4072;
        REGNAMESPACE = 4089; REGROLE = 4096; REGCOLLATION = 4191; ANYMULTIRANGE = 4537; ANYCOMPATIBLEMULTIRANGE = 4538;
        XID8 = 5069; ANYCOMPATIBLE = 5077; ANYCOMPATIBLEARRAY = 5078; ANYCOMPATIBLENONARRAY = 5079;
        ANYCOMPATIBLERANGE = 5080; PG_SNAPSHOT = 5038;
        INT4RANGE = 3904; NUMRANGE = 3906; TSRANGE = 3908; TSTZRANGE = 3910; DATERANGE = 3912; INT8RANGE = 3926;
        INT4MULTIRANGE = 4451; NUMMULTIRANGE = 4532; TSMULTIRANGE = 4533; TSTZMULTIRANGE = 4534;
        DATEMULTIRANGE = 4535; INT8MULTIRANGE = 4536;
        INT4RANGE_ARRAY = 3905; NUMRANGE_ARRAY = 3907; TSRANGE_ARRAY = 3909; TSTZRANGE_ARRAY = 3911;
        DATERANGE_ARRAY = 3913; INT8RANGE_ARRAY = 3927;
        BOOL_ARRAY = 1000; BYTEA_ARRAY = 1001; CHAR_ARRAY = 1002; NAME_ARRAY = 1003; INT2_ARRAY = 1005;
        INT4_ARRAY = 1007; REGPROC_ARRAY = 1008; TEXT_ARRAY = 1009; BPCHAR_ARRAY = 1014; VARCHAR_ARRAY = 1015;
        INT8_ARRAY = 1016; FLOAT4_ARRAY = 1021; FLOAT8_ARRAY = 1022; OID_ARRAY = 1028; ACLITEM_ARRAY = 1034;
        TIMESTAMP_ARRAY = 1115; DATE_ARRAY = 1182; TIME_ARRAY = 1183; TIMESTAMPTZ_ARRAY = 1185; INTERVAL_ARRAY = 1187;
        NUMERIC_ARRAY = 1231; TIMETZ_ARRAY = 1270; JSON_ARRAY = 199; JSONB_ARRAY = 3807; UUID_ARRAY = 2951;
        REGCLASS_ARRAY = 2210; REGTYPE_ARRAY = 2211; JSONPATH_ARRAY = 4073; CSTRING_ARRAY = 1263;
    }
}
