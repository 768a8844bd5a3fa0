//! Tables that inherit from others, and partitions, which are a kind of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Catalog, IndexKey, Table};
use crate::document::Oid;

/// Where a column or constraint of a table with parents comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// How many of the parents have it.
    pub inherited: u16,
    /// It is there for the parents' sake only, and goes when they lose it.
    pub not_local: bool,
    /// The constraint of the partitioned table that this one is a part of; 0: none.
    #[serde(default)]
    pub parent: Oid,
}

impl Origin {
    /// Of one parent and nobody else.
    pub fn inherited() -> Self {
        Self { inherited: 1, not_local: true, parent: 0 }
    }
}

/// How a column's values are stored, as far as it was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Physical {
    /// SET STATISTICS.
    pub statistics: Option<i16>,
    /// STORAGE: `p`, `e`, `m` or `x`.
    pub storage: Option<char>,
    /// COMPRESSION: `p` or `l`.
    pub compression: Option<char>,
}

/// REPLICA IDENTITY: which columns tell an old row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ReplicaIdentity {
    #[default]
    Default,
    Full,
    Nothing,
    Index(Oid),
}

impl ReplicaIdentity {
    /// `relreplident`.
    pub fn letter(self) -> char {
        match self {
            Self::Default => 'd',
            Self::Full => 'f',
            Self::Nothing => 'n',
            Self::Index(_) => 'i',
        }
    }
}

/// How a partitioned table divides its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionKey {
    /// RANGE, LIST or HASH.
    pub strategy: PartitionStrategy,
    /// Columns and expressions.
    pub keys: Vec<IndexKey>,
}

/// The way of dividing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum PartitionStrategy {
    Range,
    List,
    Hash,
}

impl PartitionStrategy {
    /// As SQL writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Range => "RANGE",
            Self::List => "LIST",
            Self::Hash => "HASH",
        }
    }

    /// `partstrat`.
    pub fn letter(self) -> char {
        match self {
            Self::Range => 'r',
            Self::List => 'l',
            Self::Hash => 'h',
        }
    }
}

/// Which rows a partition has. Values are texts that the types of the keys read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PartitionBound {
    /// Those that no other partition has.
    Default,
    /// Those with one of these values; `None` is NULL.
    List(Vec<Option<String>>),
    /// From, inclusive, to, exclusive.
    Range {
        /// The lower end, key by key.
        from: Vec<RangeEnd>,
        /// The upper end.
        to: Vec<RangeEnd>,
    },
    /// Those whose hash leaves this remainder.
    Hash {
        /// What is divided by.
        modulus: u32,
        /// What is left.
        remainder: u32,
    },
}

/// One key of an end of a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RangeEnd {
    /// MINVALUE.
    Min,
    /// A value.
    Value(String),
    /// MAXVALUE.
    Max,
}

impl Table {
    /// Whether it is partitioned.
    pub fn is_partitioned(&self) -> bool {
        self.partition_key.is_some()
    }

    /// The table it is a partition of.
    pub fn partition_of(&self) -> Option<Oid> {
        self.bound.as_ref().and_then(|_| self.parents.first().copied())
    }

    /// The number of the column that has the name of another table's column.
    pub fn number_of(&self, other: &Table, number: i16) -> Option<i16> {
        if number <= 0 {
            return Some(number);
        }
        let name = &other.column_by_number(number)?.name;
        match self.column_by_number(number) {
            Some(column) if !column.dropped && column.name == *name => Some(number),
            _ => self.column(name).map(|c| c.number),
        }
    }
}

impl Catalog {
    /// The tables that inherit from one directly, in OID order.
    pub fn children_of(&self, table: Oid) -> &[Oid] {
        self.children.get(&table).map_or(&[], Vec::as_slice)
    }

    /// Whether rows asked of a table come from others too, or only from others.
    pub fn is_tree(&self, table: &Table) -> bool {
        table.is_partitioned() || self.children.contains_key(&table.oid)
    }

    /// A table and all that inherit from it, level by level.
    pub fn descendants(&self, table: Oid) -> Vec<Oid> {
        let (mut all, mut seen) = (vec![table], BTreeSet::from([table]));
        let mut at = 0;
        while at < all.len() {
            for child in self.children_of(all[at]) {
                if seen.insert(*child) {
                    all.push(*child);
                }
            }
            at += 1;
        }
        all
    }

    /// What a table is a partition of, from the nearest on.
    pub fn partition_ancestors(&self, table: Oid) -> Vec<Oid> {
        let mut all = Vec::new();
        let mut at = table;
        while let Some(parent) = self.table(at).and_then(Table::partition_of) {
            all.push(parent);
            at = parent;
        }
        all
    }
}
