//! What the tests of storage share: a toy row format with its evaluator, and short ways to write catalogs and commands.
//!
//! A row is text with fields separated by commas; `~` is NULL. A row key is the first field of tables that have a key.

use std::sync::Arc;

use super::backend::{BackendSnapshot, BackendStatus, Batch, Space, StorageBackend};
use super::catalog::{
    Catalog, Column, Constraint, ConstraintKind, Entry, Index, IndexKey, IndexSource, Sequence, Table,
};
use super::command::{Command, CommandId, Expect, Mutation, Position};
use super::evaluator::{Evaluator, IndexFunction, IndexKeys, RowCheck};
use crate::document::{Oid, Type};
use crate::err;
use crate::error::Result;

/// Evaluates toy rows. A predicate `p` keeps the rows that contain the text `p`; a row with a field `!` cannot be
/// indexed; a table with the option `check` refuses rows that contain `bad`.
pub(crate) struct ToyEvaluator;

impl Evaluator for ToyEvaluator {
    fn index_function(&self, _: &Catalog, table: &Table, index: &Index) -> Result<Arc<dyn IndexFunction>> {
        let places = index.keys.iter().map(|key| match &key.source {
            IndexSource::Column(number) => Ok(*number as usize - 1),
            IndexSource::Expression(text) => Err(err!(FEATURE_NOT_SUPPORTED, "expression {text}")),
        });
        let names = index.keys.iter().filter_map(|key| match &key.source {
            IndexSource::Column(number) => Some(table.column_by_number(*number)?.name.clone()),
            IndexSource::Expression(_) => None,
        });
        let names = names.collect::<Vec<_>>().join(", ");
        Ok(Arc::new(ToyIndex { places: places.collect::<Result<_>>()?, predicate: index.predicate.clone(), names }))
    }

    fn row_check(&self, _: &Catalog, table: &Table) -> Result<Option<Arc<dyn RowCheck>>> {
        let checks = table.options.iter().any(|(name, _)| name == "check");
        Ok(checks.then(|| Arc::new(ToyCheck) as Arc<dyn RowCheck>))
    }
}

struct ToyIndex {
    places: Vec<usize>,
    predicate: Option<String>,
    names: String,
}

impl IndexFunction for ToyIndex {
    fn encode_keys(&self, row: &[u8], out: &mut Vec<u8>) -> Result<IndexKeys> {
        let row = std::str::from_utf8(row).unwrap();
        if self.predicate.as_ref().is_some_and(|predicate| !row.contains(predicate.as_str())) {
            return Ok(IndexKeys::NotIndexed);
        }
        let fields: Vec<&str> = row.split(',').collect();
        let mut has_null = false;
        for place in &self.places {
            match fields.get(*place).copied().unwrap_or("~") {
                "~" => {
                    has_null = true;
                    out.push(2);
                }
                "!" => return Err(err!(DIVISION_BY_ZERO, "division by zero")),
                field => {
                    out.push(1);
                    out.extend_from_slice(field.as_bytes());
                    out.push(0);
                }
            }
        }
        Ok(IndexKeys::Encoded { has_null })
    }

    fn describe_keys(&self, row: &[u8]) -> Result<String> {
        let row = std::str::from_utf8(row).unwrap();
        let fields: Vec<&str> = row.split(',').collect();
        let values: Vec<&str> = self.places.iter().map(|place| fields.get(*place).copied().unwrap_or("~")).collect();
        Ok(format!("({})=({})", self.names, values.join(", ")))
    }
}

struct ToyCheck;

impl RowCheck for ToyCheck {
    fn check(&self, row: &[u8]) -> Result<()> {
        match String::from_utf8_lossy(row).contains("bad") {
            true => Err(err!(CHECK_VIOLATION, "new row for relation \"t\" violates check constraint \"t_check\"")),
            false => Ok(()),
        }
    }
}

/// A table with three text columns a, b, c; with a key when `index` names the index that its rows are.
pub(crate) fn table(oid: Oid, name: &str, storage: Oid, index: Option<Oid>) -> Table {
    let column = |number: i16| Column {
        number,
        name: ["a", "b", "c"][number as usize - 1].into(),
        typ: Type::TEXT,
        not_null: false,
        default: None,
        identity: None,
        dropped: false,
        missing: None,
        domain: None,
        generated: None,
        origin: Default::default(),
        physical: Default::default(),
    };
    let constraints = index.map(|index| Constraint {
        oid: oid + 3,
        name: format!("{name}_pkey"),
        kind: ConstraintKind::PrimaryKey { columns: vec![1], index },
        attributes: Default::default(),
        origin: Default::default(),
    });
    Table {
        oid,
        schema: 2200,
        name: name.into(),
        owner: 10,
        row_type: oid + 1,
        storage,
        columns: (1..=3).map(column).collect(),
        key: if index.is_some() { vec![1] } else { vec![] },
        constraints: constraints.into_iter().collect(),
        ..Table::default()
    }
}

/// An index on columns of a table.
pub(crate) fn index(oid: Oid, name: &str, table: Oid, columns: &[i16], unique: bool) -> Index {
    let key = |column: &i16| IndexKey {
        source: IndexSource::Column(*column),
        typ: Type::TEXT,
        descending: false,
        nulls_first: false,
        opclass: None,
    };
    Index {
        oid,
        table,
        schema: 2200,
        name: name.into(),
        method: "btree".into(),
        unique,
        primary: false,
        is_row_key: false,
        nulls_not_distinct: false,
        keys: columns.iter().map(key).collect(),
        include: vec![],
        predicate: None,
        parent: None,
    }
}

/// The index that the rows of a table are.
pub(crate) fn row_key_index(oid: Oid, name: &str, table: Oid) -> Index {
    Index { primary: true, is_row_key: true, ..index(oid, name, table, &[1], true) }
}

/// An ascending bigint sequence.
pub(crate) fn sequence(oid: Oid, name: &str) -> Sequence {
    Sequence {
        oid,
        schema: 2200,
        name: name.into(),
        owner: 10,
        typ: Type::INT8,
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cache: 1,
        cycle: false,
        owned_by: None,
    }
}

/// A command with mutations.
pub(crate) fn command(mutations: Vec<Mutation>) -> Command {
    Command { id: CommandId(1), principal: 10, time: 0, database: 5, catalog_version: None, tables: vec![], mutations }
}

/// A command that changes the catalog from a version.
pub(crate) fn ddl(version: u64, mutations: Vec<Mutation>) -> Command {
    Command { catalog_version: Some(version), ..command(mutations) }
}

pub(crate) fn create(entry: Entry) -> Mutation {
    Mutation::Catalog { oid: entry.oid(), entry: Some(Box::new(entry)) }
}

pub(crate) fn drop_entry(oid: Oid) -> Mutation {
    Mutation::Catalog { oid, entry: None }
}

pub(crate) fn put(table: Oid, key: &str, row: &str, expect: Expect) -> Mutation {
    Mutation::Put { table, key: key.as_bytes().into(), row: row.as_bytes().into(), expect }
}

/// Inserts a row whose key is its first field.
pub(crate) fn insert(table: Oid, row: &str) -> Mutation {
    put(table, row.split(',').next().unwrap_or_default(), row, Expect::Absent)
}

pub(crate) fn delete(table: Oid, key: &str, expect: Expect) -> Mutation {
    Mutation::Delete { table, key: key.as_bytes().into(), expect }
}

pub(crate) fn version(position: u64) -> Expect {
    Expect::Version(Position(position))
}

/// A backend that stops working after a number of writes; what it wrote before is durable.
pub(crate) struct Stopping {
    pub(crate) inner: Arc<super::memory::MemoryBackend>,
    pub(crate) writes_left: std::sync::atomic::AtomicUsize,
}

impl StorageBackend for Stopping {
    fn write(&self, batch: &Batch) -> Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        match self.writes_left.load(Relaxed) {
            0 => Err(err!(IO_ERROR, "stopped")),
            left => {
                self.writes_left.store(left - 1, Relaxed);
                self.inner.write(batch)?;
                self.inner.flush()
            }
        }
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.get(space, key)
    }

    fn get_durable(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.get_durable(key)
    }

    fn snapshot(&self) -> Arc<dyn BackendSnapshot> {
        self.inner.snapshot()
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    fn approximate_bytes(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<u64> {
        self.inner.approximate_bytes(space, lower, upper)
    }

    fn known_keys(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<Vec<Vec<u8>>> {
        self.inner.known_keys(space, lower, upper)
    }

    fn status(&self) -> BackendStatus {
        self.inner.status()
    }
}
