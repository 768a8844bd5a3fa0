//! `pg_opfamily`, `pg_opclass`, `pg_amop`, `pg_amproc`: from `opfamilies.txt`, as far as their types exist here.

use std::sync::LazyLock;

use crate::document::{Datum, Oid, Type};
use crate::sql::operators as sql_operators;
use crate::storage::catalog::{BOOTSTRAP_ROLE, PG_CATALOG};

use super::builder::{Rows, letter, text};
use super::types::exists;

struct Family {
    method: Oid,
    oid: Oid,
    name: &'static str,
    classes: Vec<Class>,
    /// (oid, left, right, strategy, operator)
    operators: Vec<[Oid; 5]>,
    /// (oid, left, right, number, function)
    procedures: Vec<[Oid; 5]>,
}

struct Class {
    oid: Oid,
    name: &'static str,
    typ: Oid,
    is_default: bool,
    key_type: Oid,
}

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    include_str!("opfamilies.txt").lines().filter(|line| !line.starts_with('#')).map(read_family).collect()
});

fn read_family(line: &'static str) -> Family {
    let mut parts = line.split(';');
    let mut part = || parts.next().unwrap_or_default();
    let mut head = part().split(' ');
    let mut word = || head.next().unwrap_or_default();
    let number = |text: &str| text.parse::<Oid>().expect("opfamilies.txt has numbers where OIDs stand");
    let (method, oid, name) = (number(word()), number(word()), word());
    let class = |text: &'static str| {
        let fields: Vec<&'static str> = text.split(':').collect();
        Class {
            oid: number(fields[0]),
            name: fields[1],
            typ: number(fields[2]),
            is_default: fields[3] == "1",
            key_type: number(fields[4]),
        }
    };
    let five = |text: &str| {
        let mut all = [0; 5];
        all.iter_mut().zip(text.split(':')).for_each(|(slot, field)| *slot = number(field));
        all
    };
    let of_types = |entry: &[Oid; 5]| exists(entry[1]) && exists(entry[2]);
    let classes = part().split_whitespace().map(class).filter(|c| exists(c.typ)).collect();
    let operators = part().split_whitespace().map(five).filter(of_types);
    let operators = operators.filter(|o| sql_operators::by_oid(o[4]).is_some()).collect();
    let procedures = part().split_whitespace().map(five).filter(of_types).collect();
    Family { method, oid, name, classes, operators, procedures }
}

/// The equality operator between two types in one ordered family; of text for types that are kept as text; 0: none.
pub(super) fn equality(left: Oid, right: Oid) -> Oid {
    let base = |typ| if typ == Type::VARCHAR.oid { Type::TEXT.oid } else { typ };
    let (left, right) = (base(left), base(right));
    let families = FAMILIES.iter().filter(|f| f.method == 403);
    let mut operators = families.flat_map(|f| &f.operators).filter(|o| o[3] == 3);
    operators.find(|o| o[1] == left && o[2] == right).map_or(0, |o| o[4])
}

/// The default operator class of an access method for a type: OID and name.
pub(super) fn default_class(method: Oid, typ: Oid) -> Option<(Oid, &'static str)> {
    // Types without a class of their own use the one of the type that they are binary-coercible to.
    let typ = match Type::new(typ) {
        Type::VARCHAR => Type::TEXT.oid,
        Type::REGCLASS | Type::REGTYPE | Type::REGPROC | Type::REGPROCEDURE | Type::REGNAMESPACE | Type::REGROLE => {
            Type::OID.oid
        }
        _ if crate::sql::types::by_oid(typ).is_some_and(|t| t.is_array()) => Type::ANYARRAY.oid,
        _ => typ,
    };
    let mut classes = FAMILIES.iter().filter(|f| f.method == method).flat_map(|f| &f.classes);
    classes.find(|c| c.is_default && c.typ == typ).map(|c| (c.oid, c.name))
}

/// The operator class of an access method by its name.
pub(super) fn named_class(method: Oid, name: &str) -> Option<Oid> {
    let mut classes = FAMILIES.iter().filter(|f| f.method == method).flat_map(|f| &f.classes);
    classes.find(|c| c.name == name).map(|c| c.oid)
}

pub(super) fn families(rows: &mut Rows) {
    for family in FAMILIES.iter().filter(|f| !f.classes.is_empty()) {
        rows.push([
            ("oid", Datum::Oid(family.oid)),
            ("opfmethod", Datum::Oid(family.method)),
            ("opfname", text(family.name)),
            ("opfnamespace", Datum::Oid(PG_CATALOG)),
            ("opfowner", Datum::Oid(BOOTSTRAP_ROLE)),
        ]);
    }
}

pub(super) fn classes(rows: &mut Rows) {
    for family in FAMILIES.iter() {
        for class in &family.classes {
            rows.push([
                ("oid", Datum::Oid(class.oid)),
                ("opcmethod", Datum::Oid(family.method)),
                ("opcname", text(class.name)),
                ("opcnamespace", Datum::Oid(PG_CATALOG)),
                ("opcowner", Datum::Oid(BOOTSTRAP_ROLE)),
                ("opcfamily", Datum::Oid(family.oid)),
                ("opcintype", Datum::Oid(class.typ)),
                ("opcdefault", Datum::Bool(class.is_default)),
                ("opckeytype", Datum::Oid(class.key_type)),
            ]);
        }
    }
}

pub(super) fn operators(rows: &mut Rows) {
    for family in FAMILIES.iter() {
        for [oid, left, right, strategy, operator] in &family.operators {
            rows.push([
                ("oid", Datum::Oid(*oid)),
                ("amopfamily", Datum::Oid(family.oid)),
                ("amoplefttype", Datum::Oid(*left)),
                ("amoprighttype", Datum::Oid(*right)),
                ("amopstrategy", Datum::Int2(*strategy as i16)),
                ("amoppurpose", letter('s')),
                ("amopopr", Datum::Oid(*operator)),
                ("amopmethod", Datum::Oid(family.method)),
            ]);
        }
    }
}

pub(super) fn procedures(rows: &mut Rows) {
    for family in FAMILIES.iter() {
        for [oid, left, right, number, function] in &family.procedures {
            rows.push([
                ("oid", Datum::Oid(*oid)),
                ("amprocfamily", Datum::Oid(family.oid)),
                ("amproclefttype", Datum::Oid(*left)),
                ("amprocrighttype", Datum::Oid(*right)),
                ("amprocnum", Datum::Int2(*number as i16)),
                ("amproc", Datum::Oid(*function)),
            ]);
        }
    }
}
