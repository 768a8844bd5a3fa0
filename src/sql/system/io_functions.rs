//! The input, output, receive, send and other functions that `pg_type` names. SQL cannot call them here, but drivers look
//! for them: `typinput = 'array_in'::regproc` is how pgjdbc knows an array, `pg_proc.proname` how Npgsql does.

use std::sync::LazyLock;

use crate::document::{Datum, Oid};
use crate::storage::catalog::{BOOTSTRAP_ROLE, PG_CATALOG};

use super::builder::{Rows, letter, oidvector, text};

/// One such function.
pub(crate) struct IoFunction {
    /// Its OID in PostgreSQL.
    pub oid: Oid,
    /// Its name: there are no two of the same.
    pub name: &'static str,
    returns: Oid,
    args: Vec<Oid>,
    volatility: char,
}

static ALL: LazyLock<Vec<IoFunction>> = LazyLock::new(|| {
    include_str!("io_functions.txt").lines().filter(|line| !line.starts_with('#')).map(read).collect()
});

fn read(line: &'static str) -> IoFunction {
    let fields: Vec<&'static str> = line.split(' ').collect();
    let number = |text: &str| text.parse::<Oid>().expect("io_functions.txt has numbers where OIDs stand");
    let args = if fields[3] == "-" { Vec::new() } else { fields[3].split(',').map(number).collect() };
    IoFunction {
        oid: number(fields[0]),
        name: fields[1],
        returns: number(fields[2]),
        args,
        volatility: fields[4].chars().next().unwrap_or('i'),
    }
}

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<&'static IoFunction> {
    ALL.iter().find(|function| function.name == name)
}

/// The function with an OID.
pub(crate) fn by_oid(oid: Oid) -> Option<&'static IoFunction> {
    ALL.iter().find(|function| function.oid == oid)
}

/// Their rows of `pg_proc`.
pub(super) fn procedures(rows: &mut Rows) {
    const INTERNAL: Oid = 12;
    // Some can be called all the same, and have their row.
    for function in ALL.iter().filter(|f| crate::sql::functions::by_oid(f.oid).is_none()) {
        rows.push([
            ("oid", Datum::Oid(function.oid)),
            ("proname", text(function.name)),
            ("pronamespace", Datum::Oid(PG_CATALOG)),
            ("proowner", Datum::Oid(BOOTSTRAP_ROLE)),
            ("prolang", Datum::Oid(INTERNAL)),
            ("procost", Datum::Float4(1.0)),
            ("prorows", Datum::Float4(0.0)),
            ("provariadic", Datum::Oid(0)),
            ("prokind", letter('f')),
            ("proisstrict", Datum::Bool(true)),
            ("proretset", Datum::Bool(false)),
            ("provolatile", letter(function.volatility)),
            ("proparallel", letter('s')),
            ("pronargs", Datum::Int2(function.args.len() as i16)),
            ("pronargdefaults", Datum::Int2(0)),
            ("prorettype", Datum::Oid(function.returns)),
            ("proargtypes", oidvector(function.args.iter().copied())),
            ("prosrc", text(function.name)),
        ]);
    }
}
