//! PARTITION BY, PARTITION OF, ATTACH and DETACH: keys and bounds, and the keys, indexes and foreign keys that partitions have
//! from the table they are parts of.

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::kept::{bind_index_key, canonical_key};
use crate::exec::partition::{Part, Partitions, placed, placement};
use crate::exec::rows::text_of;
use crate::sql::binder::table::bind_constant;
use crate::sql::function::Volatility;
use crate::sql::parser::ident;
use crate::sql::statement::{BoundSpec, Expression, IndexKeySource, PartitionBy, ast};
use crate::sql::types;
use crate::storage::catalog::{
    Constraint, ConstraintKind, Entry, ForeignKey, Index, IndexKey, IndexSource, Origin, PartitionBound, PartitionKey,
    PartitionStrategy, RangeEnd, Table, is_temporary,
};

use super::Ddl;
use super::create::UniqueSpec;
use super::index::{KeySpec, NewIndex, check_key_type};

/// Keys of a partitioned table at most.
const KEYS_MAX: usize = 32;

impl Ddl<'_> {
    /// The key of PARTITION BY over the columns of a table.
    pub(super) fn partition_key(&self, table: &Table, written: &PartitionBy) -> Result<PartitionKey> {
        let strategy = match ident(&written.strategy).as_str() {
            "range" => PartitionStrategy::Range,
            "list" => PartitionStrategy::List,
            "hash" => PartitionStrategy::Hash,
            other => {
                return Err(err!(INVALID_PARAMETER_VALUE, "unrecognized partitioning strategy \"{other}\"")
                    .at(self.at(&written.strategy)));
            }
        };
        if strategy == PartitionStrategy::List && written.keys.len() > 1 {
            let message = "cannot use \"list\" partition strategy with more than one column";
            return Err(Error::new(SqlState::INVALID_OBJECT_DEFINITION, message));
        }
        if written.keys.len() > KEYS_MAX {
            return Err(err!(TOO_MANY_COLUMNS, "cannot partition using more than {KEYS_MAX} columns"));
        }
        let mut keys = Vec::new();
        for key in &written.keys {
            let (source, typ) = match &key.source {
                IndexKeySource::Column(name) => {
                    let (column, at) = (ident(name), self.at(name));
                    if ["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"].contains(&column.as_str()) {
                        return Err(err!(
                            INVALID_OBJECT_DEFINITION,
                            "cannot use system column \"{column}\" in partition key"
                        )
                        .at(at));
                    }
                    let found = table.column(&column).ok_or_else(|| {
                        err!(UNDEFINED_COLUMN, "column \"{column}\" named in partition key does not exist").at(at)
                    })?;
                    if found.generated.is_some() {
                        return Err(err!(INVALID_OBJECT_DEFINITION, "cannot use generated column in partition key")
                            .detail(format!("Column \"{column}\" is a generated column."))
                            .at(at));
                    }
                    (IndexSource::Column(found.number), found.typ)
                }
                IndexKeySource::Expression(expression) => {
                    let bound = bind_index_key(&expression.text, table, &self.eval).map_err(in_partition_key)?;
                    if bound.columns.is_empty() {
                        return Err(err!(INVALID_OBJECT_DEFINITION, "cannot use constant expression as partition key"));
                    }
                    if bound.expr.least_volatility_of_functions() != Volatility::Immutable {
                        return Err(err!(
                            INVALID_OBJECT_DEFINITION,
                            "functions in partition key expression must be marked IMMUTABLE"
                        ));
                    }
                    let source = match (&bound.expr, bound.columns.as_slice()) {
                        (crate::sql::plan::Expr::Column(..), [number]) => IndexSource::Column(*number),
                        _ => IndexSource::Expression(canonical_key(&expression.text, table, &self.eval)?),
                    };
                    (source, bound.expr.typ())
                }
            };
            if strategy != PartitionStrategy::Hash {
                check_key_type(typ)?;
            }
            let opclass = key.opclass.as_ref().and_then(|name| name.0.last()?.as_ident().map(ident));
            keys.push(IndexKey { source, typ, descending: false, nulls_first: false, opclass });
        }
        Ok(PartitionKey { strategy, keys })
    }

    /// The bound that is written, of a partition that is about to be one of a table's.
    pub(super) fn partition_bound(&mut self, parent: &Table, name: &str, spec: &BoundSpec) -> Result<PartitionBound> {
        let Some(key) = &parent.partition_key else {
            return Err(err!(WRONG_OBJECT_TYPE, "table \"{}\" is not partitioned", parent.name));
        };
        let invalid = |what: &str, at: &ast::Ident| {
            Err(err!(INVALID_TABLE_DEFINITION, "invalid bound specification for a {what} partition").at(self.at(at)))
        };
        let bound = match (key.strategy, spec) {
            (PartitionStrategy::Hash, BoundSpec::Default) => {
                return Err(err!(
                    INVALID_TABLE_DEFINITION,
                    "a hash-partitioned table may not have a default partition"
                ));
            }
            (_, BoundSpec::Default) => PartitionBound::Default,
            (PartitionStrategy::List, BoundSpec::In(values, _)) => {
                let mut list: Vec<Option<String>> = Vec::new();
                for value in values {
                    let text = self.bound_value(parent, key, 0, value)?;
                    if !list.contains(&text) {
                        list.push(text);
                    }
                }
                PartitionBound::List(list)
            }
            (PartitionStrategy::Range, BoundSpec::FromTo(from, to, _)) => {
                for (ends, word) in [(from, "FROM"), (to, "TO")] {
                    if ends.len() != key.keys.len() {
                        return Err(err!(
                            INVALID_TABLE_DEFINITION,
                            "{word} must specify exactly one value per partitioning column"
                        ));
                    }
                }
                let (from, to) = (self.range_ends(parent, key, from)?, self.range_ends(parent, key, to)?);
                PartitionBound::Range { from, to }
            }
            (PartitionStrategy::Hash, BoundSpec::With { modulus, remainder, .. }) => {
                if *modulus <= 0 {
                    return Err(err!(
                        INVALID_TABLE_DEFINITION,
                        "modulus for hash partition must be an integer value greater than zero"
                    ));
                }
                if *remainder < 0 {
                    return Err(err!(
                        INVALID_TABLE_DEFINITION,
                        "remainder for hash partition must be an integer value greater than or equal to zero"
                    ));
                }
                if remainder >= modulus {
                    return Err(err!(
                        INVALID_TABLE_DEFINITION,
                        "remainder for hash partition must be less than modulus"
                    ));
                }
                PartitionBound::Hash { modulus: *modulus as u32, remainder: *remainder as u32 }
            }
            (strategy, BoundSpec::In(_, at) | BoundSpec::FromTo(_, _, at) | BoundSpec::With { at, .. }) => {
                return invalid(&strategy.word().to_lowercase(), at);
            }
        };
        self.refuse_overlap(parent, key, name, &bound, spec)?;
        Ok(bound)
    }

    fn range_ends(&mut self, parent: &Table, key: &PartitionKey, written: &[Expression]) -> Result<Vec<RangeEnd>> {
        let mut ends: Vec<RangeEnd> = Vec::new();
        for (at, value) in written.iter().enumerate() {
            let word = match &value.expr {
                ast::Expr::Identifier(name) if name.quote_style.is_none() => ident(name),
                _ => String::new(),
            };
            let end = match word.as_str() {
                "minvalue" => RangeEnd::Min,
                "maxvalue" => RangeEnd::Max,
                _ => match self.bound_value(parent, key, at, value)? {
                    Some(text) => RangeEnd::Value(text),
                    None => {
                        return Err(err!(INVALID_TABLE_DEFINITION, "cannot specify NULL in range bound"));
                    }
                },
            };
            match ends.last() {
                Some(RangeEnd::Min) if end != RangeEnd::Min => {
                    return Err(err!(DATATYPE_MISMATCH, "every bound following MINVALUE must also be MINVALUE"));
                }
                Some(RangeEnd::Max) if end != RangeEnd::Max => {
                    return Err(err!(DATATYPE_MISMATCH, "every bound following MAXVALUE must also be MAXVALUE"));
                }
                _ => {}
            }
            ends.push(end);
        }
        Ok(ends)
    }

    /// The value of a bound as the text that its key's type reads.
    fn bound_value(
        &mut self,
        parent: &Table,
        key: &PartitionKey,
        at: usize,
        written: &Expression,
    ) -> Result<Option<String>> {
        let typ = key.keys[at].typ;
        let column = match &key.keys[at].source {
            IndexSource::Column(number) => parent.column_by_number(*number).map(|c| c.name.clone()).unwrap_or_default(),
            IndexSource::Expression(text) => text.clone(),
        };
        let bound =
            bind_constant(&written.expr, Some(typ), &self.eval, self.text).map_err(|error| match error.code() {
                SqlState::UNDEFINED_COLUMN => {
                    let position = error.report().position.unwrap_or(0);
                    err!(INVALID_COLUMN_REFERENCE, "cannot use column reference in partition bound expression")
                        .at(position)
                }
                SqlState::DATATYPE_MISMATCH | SqlState::CANNOT_COERCE => err!(
                    DATATYPE_MISMATCH,
                    "specified value cannot be cast to type {} for column \"{column}\"",
                    types::format_type(Type::new(typ.oid))
                )
                .at(error.report().position.unwrap_or(0)),
                _ => error,
            })?;
        if bound.contains_subquery() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "cannot use subquery in partition bound"));
        }
        let value = crate::sql::eval::constant(&bound, &[], &self.eval)?;
        Ok(text_of(&value, typ, &self.eval))
    }

    /// No row may belong to two partitions.
    fn refuse_overlap(
        &self,
        parent: &Table,
        key: &PartitionKey,
        name: &str,
        bound: &PartitionBound,
        spec: &BoundSpec,
    ) -> Result<()> {
        let catalog = self.catalog();
        let Some(partitions) = Partitions::new(&catalog, parent, &self.eval)? else { return Ok(()) };
        let named = |oid: Oid| catalog.get(oid).map(|e| e.name().to_string()).unwrap_or_default();
        let position = match spec {
            BoundSpec::In(values, _) | BoundSpec::FromTo(values, _, _) => {
                values.first().map_or(0, |v| crate::sql::parser::position(ast::Spanned::span(&v.expr)))
            }
            BoundSpec::With { at, .. } => self.at(at),
            BoundSpec::Default => 0,
        };
        let Some(part) = Part::new(key, bound, &self.eval)? else {
            return match partitions.default_partition() {
                Some(other) => Err(err!(
                    INVALID_OBJECT_DEFINITION,
                    "partition \"{name}\" conflicts with existing default partition \"{}\"",
                    named(other)
                )),
                None => Ok(()),
            };
        };
        if let (Part::Range(from, to), PartitionBound::Range { from: low, to: high }) = (&part, bound)
            && from >= to
        {
            let shown = |ends: &[RangeEnd]| range_text(key, ends);
            return Err(err!(INVALID_OBJECT_DEFINITION, "empty range bound specified for partition \"{name}\"")
                .detail(format!(
                    "Specified lower bound {} is greater than or equal to upper bound {}.",
                    shown(low),
                    shown(high)
                ))
                .at(position));
        }
        if let Part::Hash(modulus, _) = &part {
            for (oid, other) in partitions.parts() {
                let Part::Hash(theirs, _) = other else { continue };
                let fits = modulus % theirs == 0 || theirs % modulus == 0;
                if !fits {
                    let detail = match theirs < modulus {
                        true => format!(
                            "The new modulus {modulus} is not divisible by {theirs}, the modulus of existing partition \"{}\".",
                            named(*oid)
                        ),
                        false => format!(
                            "The new modulus {modulus} is not a factor of {theirs}, the modulus of existing partition \"{}\".",
                            named(*oid)
                        ),
                    };
                    return Err(err!(
                        INVALID_OBJECT_DEFINITION,
                        "every hash partition modulus must be a factor of the next larger modulus"
                    )
                    .detail(detail));
                }
            }
        }
        match partitions.parts().iter().find(|(_, other)| part.overlaps(other)) {
            Some((other, _)) => Err(err!(
                INVALID_OBJECT_DEFINITION,
                "partition \"{name}\" would overlap partition \"{}\"",
                named(*other)
            )
            .at(position)),
            None => Ok(()),
        }
    }

    /// Refuses rows of the default partition that the partition `name`, which is in the catalog, should have.
    pub(super) fn check_default_partition(&self, parent: &Table) -> Result<()> {
        let catalog = self.catalog();
        let Some(partitions) = Partitions::new(&catalog, parent, &self.eval)? else { return Ok(()) };
        let Some(default) = partitions.default_partition() else { return Ok(()) };
        let name = self.current(default)?.name;
        self.each_row_below(default, &|row: Vec<Datum>, table: &Table| {
            let row = placed(&row, &placement(table, parent));
            match partitions.route(&row, &self.eval)? == Some(default) {
                true => Ok(()),
                false => Err(err!(
                    CHECK_VIOLATION,
                    "updated partition constraint for default partition \"{name}\" would be violated by some row"
                )),
            }
        })
    }

    /// Calls a function with the rows of a table or of its partitions.
    fn each_row_below(&self, oid: Oid, f: &dyn Fn(Vec<Datum>, &Table) -> Result<()>) -> Result<()> {
        for oid in self.catalog().descendants(oid) {
            let table = self.current(oid)?;
            if !table.is_partitioned() {
                self.each_row(&table, |row| f(row, &table))?;
            }
        }
        Ok(())
    }

    /// A unique key of a partitioned table must tell the partition.
    pub(super) fn check_unique_partitioned(&self, table: &Table, numbers: &[i16], word: &str) -> Result<()> {
        let Some(key) = &table.partition_key else { return Ok(()) };
        for one in &key.keys {
            let IndexSource::Column(number) = &one.source else {
                return Err(err!(FEATURE_NOT_SUPPORTED, "unsupported {word} constraint with partition key definition")
                    .detail(format!("{word} constraints cannot be used when partition keys include expressions.")));
            };
            if !numbers.contains(number) {
                let column = table.column_by_number(*number).map(|c| c.name.clone()).unwrap_or_default();
                return Err(err!(
                    FEATURE_NOT_SUPPORTED,
                    "unique constraint on partitioned table must include all partitioning columns"
                )
                .detail(format!(
                    "{word} constraint on table \"{}\" lacks column \"{column}\" which is part of the partition key.",
                    table.name
                )));
            }
        }
        Ok(())
    }

    /// 42P16 for a column that the partition key names.
    pub(super) fn refuse_partition_key(&self, table: &Table, column: &ast::Ident, verb: &str) -> Result<()> {
        let name = ident(column);
        let (Some(key), Some(column)) = (&table.partition_key, table.column(&name)) else { return Ok(()) };
        for one in &key.keys {
            let names_it = match &one.source {
                IndexSource::Column(number) => *number == column.number,
                IndexSource::Expression(text) => {
                    bind_index_key(text, table, &self.eval)?.columns.contains(&column.number)
                }
            };
            if names_it {
                return Err(err!(
                    INVALID_TABLE_DEFINITION,
                    "cannot {verb} column \"{name}\" because it is part of the partition key of relation \"{}\"",
                    table.name
                ));
            }
        }
        Ok(())
    }

    /// The unique keys of a partitioned table, to be made for a new partition.
    pub(super) fn keys_for_partition(&self, parent: &Table) -> Vec<UniqueSpec> {
        let catalog = self.catalog();
        let name = |n: &i16| parent.column_by_number(*n).map(|c| c.name.clone()).unwrap_or_default();
        let spec = |constraint: &Constraint| {
            let index = catalog.index(constraint.index()?)?;
            Some(UniqueSpec {
                name: None,
                primary: index.primary,
                columns: constraint.columns().iter().map(name).collect(),
                include: index.include.iter().map(name).collect(),
                nulls_not_distinct: index.nulls_not_distinct,
                flags: constraint.attributes,
                parent: Some((index.oid, constraint.oid)),
            })
        };
        parent.constraints.iter().filter_map(spec).collect()
    }

    /// Gives a partition the indexes (those without constraints) and foreign keys of the table it is a part of.
    pub(super) fn complete_partition(&mut self, parent: &Table, child: Oid) -> Result<()> {
        let catalog = self.catalog();
        let held = |index: &Index| parent.constraints.iter().any(|c| c.index() == Some(index.oid));
        let indexes: Vec<Index> = catalog.indexes_of(parent.oid).filter(|i| !held(i)).cloned().collect();
        for index in &indexes {
            self.index_for_partition(parent, index, child)?;
        }
        for constraint in parent.constraints.iter().filter(|c| c.foreign_key().is_some()) {
            self.foreign_key_for_partition(parent, constraint, child)?;
        }
        Ok(())
    }

    /// A partition gets its part of an index: one that it has already, or a new one.
    pub(super) fn index_for_partition(&mut self, parent: &Table, index: &Index, child: Oid) -> Result<()> {
        let child = self.current(child)?;
        let wanted = mapped_index(parent, index, &child)?;
        let catalog = self.catalog();
        let same = |own: &&Index| {
            own.parent.is_none()
                && own.method == wanted.method
                && (own.unique, own.nulls_not_distinct) == (wanted.unique, wanted.nulls_not_distinct)
                && own.keys == wanted.keys
                && own.predicate == wanted.predicate
        };
        let found = catalog.indexes_of(child.oid).find(same).cloned();
        let part = match found {
            Some(own) => {
                let oid = own.oid;
                self.put(Entry::Index(Index { parent: Some(index.oid), ..own }));
                oid
            }
            None => self.index_like(&child, wanted, Some(index.oid))?,
        };
        let part = self.catalog().index(part).cloned().ok_or_else(|| Error::internal("an index was made just now"))?;
        for below in self.children(child.oid) {
            self.index_for_partition(&child, &part, below)?;
        }
        Ok(())
    }

    /// Makes an index of a table that is like another one, under a name of its own.
    pub(super) fn index_like(&mut self, child: &Table, wanted: Index, parent: Option<Oid>) -> Result<Oid> {
        let included = |n: &i16| child.column_by_number(*n).map(|c| c.name.clone());
        let labels: Vec<String> = wanted
            .keys
            .iter()
            .map(|k| match &k.source {
                IndexSource::Column(n) => child.column_by_number(*n).map(|c| c.name.clone()).unwrap_or_default(),
                IndexSource::Expression(text) => {
                    text.split_once('(').map(|(f, _)| f.to_string()).filter(|f| !f.is_empty()).unwrap_or("expr".into())
                }
            })
            .chain(wanted.include.iter().filter_map(included))
            .collect();
        let name = self.free_name(child.schema, &child.name, &super::index::unique_labels(&labels), "idx", &[]);
        let key = |k: IndexKey| KeySpec {
            source: k.source,
            typ: k.typ,
            descending: k.descending,
            nulls_first: k.nulls_first,
            opclass: k.opclass,
        };
        let new = NewIndex {
            name,
            method: wanted.method.clone(),
            unique: wanted.unique,
            primary: false,
            is_row_key: false,
            nulls_not_distinct: wanted.nulls_not_distinct,
            keys: wanted.keys.into_iter().map(key).collect(),
            include: wanted.include,
            predicate: wanted.predicate,
            parent,
        };
        self.make_index(child, new)
    }

    /// A partition gets a foreign key of the table it is a part of.
    pub(super) fn foreign_key_for_partition(
        &mut self,
        parent: &Table,
        constraint: &Constraint,
        child: Oid,
    ) -> Result<()> {
        let Some(key) = constraint.foreign_key() else { return Ok(()) };
        let mut child = self.current(child)?;
        let numbers = |list: &[i16]| -> Result<Vec<i16>> {
            list.iter()
                .map(|n| child.number_of(parent, *n).ok_or_else(|| Error::internal("a partition has all columns")))
                .collect()
        };
        let own =
            ForeignKey { columns: numbers(&key.columns)?, set_columns: numbers(&key.set_columns)?, ..key.clone() };
        let kind = ConstraintKind::ForeignKey(own);
        let origin = Origin { parent: constraint.oid, ..Origin::inherited() };
        let part = match child.constraints.iter_mut().find(|c| c.kind == kind && c.origin.parent == 0) {
            Some(known) => {
                known.origin = origin;
                known.clone()
            }
            None => {
                let taken = child.constraints.iter().any(|c| c.name == constraint.name);
                let name = match taken {
                    false => constraint.name.clone(),
                    true => super::create::free_constraint_name(&child, &child.name, "", "fkey"),
                };
                let oid = self.allocate();
                let made = Constraint { oid, name, kind, attributes: constraint.attributes, origin };
                child.constraints.push(made.clone());
                self.put(Entry::Table(child.clone()));
                if !made.attributes.not_valid && !child.is_partitioned() {
                    self.validate_foreign_key(&child, &made)?;
                }
                made
            }
        };
        self.put(Entry::Table(child.clone()));
        for below in self.children(child.oid) {
            self.foreign_key_for_partition(&child, &part, below)?;
        }
        Ok(())
    }

    /// ATTACH PARTITION.
    pub(super) fn attach_partition(&mut self, parent: Table, name: &ast::ObjectName, spec: &BoundSpec) -> Result<()> {
        let Some(entry) = self.find(name)? else {
            return Err(err!(UNDEFINED_TABLE, "relation \"{}\" does not exist", self.written(name)?));
        };
        let Entry::Table(child) = &*entry else {
            return Err(err!(
                WRONG_OBJECT_TYPE,
                "ALTER action ATTACH PARTITION cannot be performed on relation \"{}\"",
                entry.name()
            ));
        };
        self.must_own(&entry)?;
        if !parent.is_partitioned() {
            return Err(err!(
                WRONG_OBJECT_TYPE,
                "ALTER action ATTACH PARTITION cannot be performed on relation \"{}\"",
                parent.name
            )
            .detail("This operation is not supported for tables."));
        }
        let mut child = child.clone();
        if child.bound.is_some() {
            return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is already a partition", child.name));
        }
        if !child.parents.is_empty() {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot attach inheritance child as partition"));
        }
        if !child.is_partitioned() && !self.children(child.oid).is_empty() {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot attach inheritance parent as partition"));
        }
        if self.catalog().descendants(child.oid).contains(&parent.oid) {
            return Err(err!(DUPLICATE_TABLE, "circular inheritance not allowed")
                .detail(format!("\"{}\" is already a child of \"{}\".", parent.name, child.name)));
        }
        self.refuse_mixed_persistence(&parent, is_temporary(child.oid), true)?;
        if let Some(extra) = child.live_columns().find(|c| parent.column(&c.name).is_none()) {
            return Err(err!(
                DATATYPE_MISMATCH,
                "table \"{}\" contains column \"{}\" not found in parent \"{}\"",
                child.name,
                extra.name,
                parent.name
            )
            .detail("The new partition may contain only the columns present in parent."));
        }
        let bound = self.partition_bound(&parent, &child.name, spec)?;
        child.bound = Some(bound);
        let oid = child.oid;
        self.adopt(&parent, child)?;
        self.check_rows_of_partition(&parent, oid)?;
        self.check_default_partition(&parent)?;
        for spec in self.keys_for_partition(&parent) {
            self.key_for_partition(&parent, &spec, oid)?;
        }
        self.complete_partition(&parent, oid)
    }

    /// A partition gets a unique key of the table it is a part of: its own one like it, or a new one.
    pub(super) fn key_for_partition(&mut self, parent: &Table, spec: &UniqueSpec, child: Oid) -> Result<()> {
        let mut child = self.current(child)?;
        let Some((index, constraint)) = spec.parent else { return Ok(()) };
        let catalog = self.catalog();
        let theirs = catalog.index(index).ok_or_else(|| Error::internal("a key has an index"))?.clone();
        let wanted = mapped_index(parent, &theirs, &child)?;
        let same = |c: &&Constraint| {
            let own = c.index().and_then(|i| catalog.index(i));
            own.is_some_and(|own| {
                own.parent.is_none() && own.keys == wanted.keys && own.unique && own.primary == wanted.primary
            })
        };
        let found = child.constraints.iter().find(same).map(|c| (c.oid, c.index()));
        let own_index = match found {
            Some((own, Some(own_index))) => {
                for c in child.constraints.iter_mut().filter(|c| c.oid == own) {
                    c.origin = Origin { parent: constraint, ..Origin::inherited() };
                }
                self.put(Entry::Table(child.clone()));
                let mut entry =
                    catalog.index(own_index).cloned().ok_or_else(|| Error::internal("a key has an index"))?;
                entry.parent = Some(index);
                self.put(Entry::Index(entry));
                own_index
            }
            _ => {
                if spec.primary && child.primary_key().is_some() {
                    return Err(err!(
                        INVALID_TABLE_DEFINITION,
                        "multiple primary keys for table \"{}\" are not allowed",
                        child.name
                    ));
                }
                self.add_unique(&mut child, spec)?;
                let made = self.catalog().indexes_of(child.oid).find(|i| i.parent == Some(index)).map(|i| i.oid);
                made.ok_or_else(|| Error::internal("a key was made just now"))?
            }
        };
        let child = self.current(child.oid)?;
        let own = child.constraints.iter().find(|c| c.index() == Some(own_index)).map(|c| c.oid);
        for below in self.children(child.oid) {
            let spec = UniqueSpec { parent: own.map(|own| (own_index, own)), ..spec.clone() };
            self.key_for_partition(&child, &spec, below)?;
        }
        Ok(())
    }

    /// Temporary tables have temporary partitions, others have others.
    pub(super) fn refuse_mixed_persistence(&self, parent: &Table, temporary: bool, attach: bool) -> Result<()> {
        let (parent_name, is_temp) = (&parent.name, is_temporary(parent.oid));
        let message = match (is_temp, temporary, attach) {
            (true, false, true) => {
                format!("cannot attach a permanent relation as partition of temporary relation \"{parent_name}\"")
            }
            (false, true, true) => {
                format!("cannot attach a temporary relation as partition of permanent relation \"{parent_name}\"")
            }
            (true, false, false) => {
                format!("cannot create a permanent relation as partition of temporary relation \"{parent_name}\"")
            }
            (false, true, false) => {
                format!("cannot create a temporary relation as partition of permanent relation \"{parent_name}\"")
            }
            _ => return Ok(()),
        };
        Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message))
    }

    fn check_rows_of_partition(&self, parent: &Table, child: Oid) -> Result<()> {
        let catalog = self.catalog();
        let Some(partitions) = Partitions::new(&catalog, parent, &self.eval)? else { return Ok(()) };
        let name = self.current(child)?.name;
        self.each_row_below(child, &|row: Vec<Datum>, table: &Table| {
            let row = placed(&row, &placement(table, parent));
            match partitions.route(&row, &self.eval)? == Some(child) {
                true => Ok(()),
                false => {
                    Err(err!(CHECK_VIOLATION, "partition constraint of relation \"{name}\" is violated by some row"))
                }
            }
        })
    }

    /// DETACH PARTITION.
    pub(super) fn detach_partition(&mut self, parent: Table, name: &ast::ObjectName, concurrently: bool) -> Result<()> {
        if !parent.is_partitioned() {
            return Err(err!(
                WRONG_OBJECT_TYPE,
                "ALTER action DETACH PARTITION cannot be performed on relation \"{}\"",
                parent.name
            )
            .detail("This operation is not supported for tables."));
        }
        let mut child = self.table(name)?;
        if concurrently {
            self.refuse_block("ALTER TABLE ... DETACH CONCURRENTLY")?;
            let catalog = self.catalog();
            if Partitions::new(&catalog, &parent, &self.eval)?.is_some_and(|p| p.default_partition().is_some()) {
                return Err(err!(
                    OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cannot detach partitions concurrently when a default partition exists"
                ));
            }
        }
        if child.partition_of() != Some(parent.oid) {
            return Err(err!(
                UNDEFINED_TABLE,
                "relation \"{}\" is not a partition of relation \"{}\"",
                child.name,
                parent.name
            ));
        }
        child.bound = None;
        for constraint in &mut child.constraints {
            if constraint.origin.parent != 0 {
                constraint.origin = Origin::default();
            }
        }
        let catalog = self.catalog();
        for index in catalog.indexes_of(child.oid).filter(|i| i.parent.is_some()) {
            self.put(Entry::Index(Index { parent: None, ..index.clone() }));
        }
        self.release_child(&parent, child)
    }

    /// ALTER INDEX ATTACH PARTITION.
    pub(super) fn attach_index(&mut self, index: &Index, name: &ast::ObjectName) -> Result<()> {
        let entry = self.relation(name)?;
        let Entry::Index(part) = &*entry else {
            return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not an index", entry.name()));
        };
        if part.parent == Some(index.oid) {
            return Ok(());
        }
        let cannot = |detail: String| {
            Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cannot attach index \"{}\" as a partition of index \"{}\"",
                part.name,
                index.name
            )
            .detail(detail))
        };
        if part.parent.is_some() {
            return cannot(format!("Index \"{}\" is already attached to another index.", part.name));
        }
        let (parent, child) = (self.current(index.table)?, self.current(part.table)?);
        if child.partition_of() != Some(parent.oid) {
            return cannot(format!(
                "Index \"{}\" is not an index on any partition of table \"{}\".",
                part.name, parent.name
            ));
        }
        let wanted = mapped_index(&parent, index, &child)?;
        if wanted.keys != part.keys || wanted.unique != part.unique || wanted.predicate != part.predicate {
            return cannot("The index definitions do not match.".to_string());
        }
        let held = |table: &Table, index: Oid| table.constraints.iter().find(|c| c.index() == Some(index)).cloned();
        match (held(&parent, index.oid), held(&child, part.oid)) {
            (Some(theirs), Some(own)) => {
                let mut child = child;
                for c in child.constraints.iter_mut().filter(|c| c.oid == own.oid) {
                    c.origin = Origin { parent: theirs.oid, ..Origin::inherited() };
                }
                self.put(Entry::Table(child));
            }
            (Some(theirs), None) => {
                return cannot(format!(
                    "The index \"{}\" belongs to a constraint in table \"{}\" but no constraint exists for index \"{}\".",
                    index.name, parent.name, part.name
                )
                .replace(&index.name, &theirs.name));
            }
            _ => {}
        }
        self.put(Entry::Index(Index { parent: Some(index.oid), ..part.clone() }));
        Ok(())
    }
}

/// An index of a partitioned table as one of a partition.
pub(super) fn mapped_index(parent: &Table, index: &Index, child: &Table) -> Result<Index> {
    let number = |n: i16| child.number_of(parent, n).ok_or_else(|| Error::internal("a partition has all columns"));
    let mut mapped = index.clone();
    for key in &mut mapped.keys {
        if let IndexSource::Column(n) = &mut key.source {
            *n = number(*n)?;
        }
    }
    mapped.include = index.include.iter().map(|n| number(*n)).collect::<Result<_>>()?;
    Ok(mapped)
}

fn in_partition_key(error: Error) -> Error {
    if error.message().contains("subquery") {
        return err!(FEATURE_NOT_SUPPORTED, "cannot use subquery in partition key expression");
    }
    if error.message().contains("IMMUTABLE") {
        return err!(INVALID_OBJECT_DEFINITION, "functions in partition key expression must be marked IMMUTABLE");
    }
    error
}

/// An end of a range as messages and `pg_get_expr` show it.
pub(crate) fn range_text(key: &PartitionKey, ends: &[RangeEnd]) -> String {
    let one = |(at, end): (usize, &RangeEnd)| match end {
        RangeEnd::Min => "MINVALUE".to_string(),
        RangeEnd::Max => "MAXVALUE".to_string(),
        RangeEnd::Value(text) => crate::sql::system::definition::bound_value(text, key.keys.get(at).map(|k| k.typ)),
    };
    format!("({})", ends.iter().enumerate().map(one).collect::<Vec<_>>().join(", "))
}
