//! CREATE INDEX, and the indexes behind UNIQUE and PRIMARY KEY. The entries are built when the command is applied.

use crate::document::inverted::ItemClass;
use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::kept::{bind_index_key, bind_predicate, canonical_key, canonical_predicate};
use crate::sql::parser::ident;
use crate::sql::plan::Expr;
use crate::sql::statement::{CreateIndex, IndexKeySource, ast};
use crate::sql::types;
use crate::storage::catalog::{Entry, Index, IndexKey, IndexSource, Table, is_temporary};

use super::Ddl;
use super::create::{check_collation, check_options};

/// Key columns of an index at most.
const KEYS_MAX: usize = 32;

/// One key of an index to be made.
pub(super) struct KeySpec {
    pub source: IndexSource,
    pub typ: Type,
    pub descending: bool,
    pub nulls_first: bool,
    pub opclass: Option<String>,
}

/// An index to be made; names are checked.
pub(super) struct NewIndex {
    pub name: String,
    pub method: String,
    pub unique: bool,
    pub primary: bool,
    pub is_row_key: bool,
    pub nulls_not_distinct: bool,
    pub keys: Vec<KeySpec>,
    pub include: Vec<i16>,
    pub predicate: Option<String>,
    /// The index of the partitioned table that it is a part of.
    pub parent: Option<Oid>,
}

impl Ddl<'_> {
    pub(super) fn create_index(&mut self, create: &CreateIndex) -> Result<()> {
        if create.concurrently && self.transaction.block != crate::exec::transaction::Block::Auto {
            return Err(err!(
                ACTIVE_SQL_TRANSACTION,
                "CREATE INDEX CONCURRENTLY cannot run inside a transaction block"
            ));
        }
        let table = self.table(&create.table)?;
        if let Some(entry) = self.catalog().get(table.oid).cloned() {
            self.must_own(&entry)?;
        }
        self.temporary = is_temporary(table.oid);
        let method = create.method.as_ref().map_or_else(|| "btree".to_string(), ident);
        match method.as_str() {
            "btree" => {}
            "gin" => refuse_for_inverted(create)?,
            "gist" | "hash" | "brin" | "spgist" => {
                return Err(Error::unsupported(format!("access method \"{method}\"")));
            }
            _ => return Err(err!(UNDEFINED_OBJECT, "access method \"{method}\" does not exist")),
        }
        if method == "btree" {
            check_options(&create.options)?;
        } else if let Some(option) = create.options.first() {
            return Err(Error::unsupported(format!("index parameter \"{}\"", option.name)));
        }
        self.check_tablespace(create.tablespace.as_ref())?;
        if create.keys.len() + create.include.len() > KEYS_MAX {
            return Err(err!(TOO_MANY_COLUMNS, "cannot use more than {KEYS_MAX} columns in an index"));
        }
        if let Some(name) = create.name.as_ref().map(ident)
            && self.catalog().relation(table.schema, &name).is_some()
        {
            if create.if_not_exists {
                self.notice(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists, skipping"));
                return Ok(());
            }
            return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        let (mut keys, mut labels) = (Vec::new(), Vec::new());
        for key in &create.keys {
            if !key.opclass_options.is_empty() {
                return Err(Error::unsupported("operator class parameters"));
            }
            if let Some(collation) = &key.collation {
                check_collation(collation)?;
            }
            let (source, typ, label) = match &key.source {
                IndexKeySource::Column(name) => self.column_key(&table, name)?,
                IndexKeySource::Expression(expression) => self.expression_key(&table, &expression.text)?,
            };
            let opclass = match method.as_str() {
                "gin" => inverted_class(key.opclass.as_ref(), typ)?,
                _ => {
                    check_operator_class(key.opclass.as_ref(), typ)?;
                    None
                }
            };
            labels.push(label);
            keys.push(KeySpec {
                source,
                typ,
                descending: key.descending,
                nulls_first: key.nulls_first.unwrap_or(key.descending),
                opclass,
            });
        }
        let mut include = Vec::new();
        for name in &create.include {
            let name = ident(name);
            include.push(table.column(&name).ok_or_else(|| undefined_column(&name))?.number);
            labels.push(name);
        }
        let mut predicate = None;
        if let Some(written) = &create.predicate {
            let bound = bind_predicate(&written.text, &table, &self.eval)?;
            refuse_mutable(&bound.expr, "functions in index predicate must be marked IMMUTABLE")?;
            predicate = Some(canonical_predicate(&written.text, &table, &self.eval)?);
        }
        let name = match &create.name {
            Some(name) => ident(name),
            None => self.free_name(table.schema, &table.name, &unique_labels(&labels), "idx", &[]),
        };
        let (unique, nulls_not_distinct) = (create.unique, create.nulls_not_distinct);
        let new = NewIndex {
            name,
            method,
            unique,
            primary: false,
            is_row_key: false,
            nulls_not_distinct,
            keys,
            include,
            predicate,
            parent: None,
        };
        if create.concurrently && table.is_partitioned() {
            let message = format!("cannot create index on partitioned table \"{}\" concurrently", table.name);
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if new.unique && table.is_partitioned() {
            let columns = new.keys.iter().filter_map(|k| match k.source {
                IndexSource::Column(number) => Some(number),
                IndexSource::Expression(_) => None,
            });
            let numbers: Vec<i16> = columns.collect();
            self.check_unique_partitioned(&table, &numbers, "UNIQUE")?;
        }
        let oid = self.make_index(&table, new)?;
        if table.is_partitioned() && !create.only {
            let index = self.catalog().index(oid).cloned();
            let index = index.ok_or_else(|| Error::internal("the index was made just now"))?;
            for child in self.children(table.oid) {
                self.index_for_partition(&table, &index, child)?;
            }
        }
        Ok(())
    }

    fn column_key(&self, table: &Table, name: &ast::Ident) -> Result<(IndexSource, Type, String)> {
        let column = ident(name);
        let found = table.column(&column).ok_or_else(|| undefined_column(&column))?;
        if found.is_virtual() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "indexes on virtual generated columns are not supported"));
        }
        Ok((IndexSource::Column(found.number), found.typ, column))
    }

    fn expression_key(&self, table: &Table, text: &str) -> Result<(IndexSource, Type, String)> {
        let bound = bind_index_key(text, table, &self.eval)?;
        refuse_mutable(&bound.expr, "functions in index expression must be marked IMMUTABLE")?;
        if bound.columns.iter().any(|n| table.column_by_number(*n).is_some_and(|c| c.is_virtual())) {
            return Err(err!(FEATURE_NOT_SUPPORTED, "indexes on virtual generated columns are not supported"));
        }
        // An expression that is just a column is an index on the column.
        if let (Expr::Column(..), [number]) = (&bound.expr, bound.columns.as_slice())
            && let Some(column) = table.column_by_number(*number)
        {
            return Ok((IndexSource::Column(*number), column.typ, column.name.clone()));
        }
        // An operator has no name to give.
        let is_call = matches!(crate::sql::parser::parse_expression(text), Ok(ast::Expr::Function(_)));
        let label = match &bound.expr {
            Expr::Call { function, .. } if is_call => function.name.to_string(),
            _ => "expr".to_string(),
        };
        Ok((IndexSource::Expression(canonical_key(text, table, &self.eval)?), bound.expr.typ(), label))
    }

    /// Makes an index; its entries are built by `apply` from the rows there are.
    pub(super) fn make_index(&mut self, table: &Table, new: NewIndex) -> Result<Oid> {
        for key in new.keys.iter().filter(|_| new.method == "btree") {
            check_key_type(key.typ)?;
        }
        let oid = self.allocate();
        let index = Index {
            oid,
            table: table.oid,
            schema: table.schema,
            name: new.name,
            method: new.method,
            unique: new.unique,
            primary: new.primary,
            is_row_key: new.is_row_key,
            nulls_not_distinct: new.nulls_not_distinct,
            keys: new
                .keys
                .into_iter()
                .map(|k| IndexKey {
                    source: k.source,
                    typ: k.typ,
                    descending: k.descending,
                    nulls_first: k.nulls_first,
                    opclass: k.opclass,
                })
                .collect(),
            include: new.include,
            predicate: new.predicate,
            parent: new.parent,
        };
        if index.unique && !index.is_row_key {
            self.refuse_duplicate_keys(table, &index)?;
        }
        self.put(Entry::Index(index));
        Ok(oid)
    }

    /// Inside a transaction block the rows are looked at now: `apply` would find a duplicate only at commit.
    fn refuse_duplicate_keys(&self, table: &Table, index: &Index) -> Result<()> {
        use crate::exec::transaction::Block;
        let has_own = self.view.buffered(table.oid).is_some_and(|b| !b.rows().is_empty());
        if self.transaction.block == Block::Auto && !has_own {
            return Ok(());
        }
        let keys = crate::exec::evaluator::index_function(&self.catalog(), table, index)?;
        let mut seen = std::collections::HashSet::new();
        let mut scan =
            self.view.scan(table, &(std::ops::Bound::Unbounded, std::ops::Bound::Unbounded), Default::default());
        while scan.advance()? {
            self.shared.cancel.check()?;
            let Some(values) = keys.values(scan.row())? else { continue };
            if values.iter().any(|v| v.is_null()) && !index.nulls_not_distinct {
                continue;
            }
            if !seen.insert(keys.encode(&values)) {
                let shown = keys.describe(&values);
                return Err(err!(UNIQUE_VIOLATION, "could not create unique index \"{}\"", index.name)
                    .detail(format!("Key {shown} is duplicated."))
                    .constraint(index.name.clone()));
            }
        }
        Ok(())
    }
}

/// PostgreSQL's ChooseIndexColumnNames: repeated names are numbered.
pub(super) fn unique_labels(labels: &[String]) -> String {
    let mut used: Vec<String> = Vec::new();
    for label in labels {
        let name = (0..)
            .map(|n| if n == 0 { label.clone() } else { format!("{label}{n}") })
            .find(|name| !used.contains(name))
            .expect("there are more numbers than names");
        used.push(name);
    }
    used.join("_")
}

fn undefined_column(name: &str) -> Error {
    err!(UNDEFINED_COLUMN, "column \"{name}\" does not exist")
}

fn refuse_mutable(expr: &Expr, message: &str) -> Result<()> {
    use crate::sql::function::Volatility;
    match expr.least_volatility_of_functions() {
        Volatility::Immutable => Ok(()),
        _ => Err(err!(INVALID_OBJECT_DEFINITION, "{message}")),
    }
}

/// Only types that have an order make keys.
pub(super) fn check_key_type(typ: Type) -> Result<()> {
    if crate::sql::operators::less_than(typ.oid).is_some() {
        return Ok(());
    }
    let name = types::format_type(typ);
    Err(err!(UNDEFINED_OBJECT, "data type {name} has no default operator class for access method \"btree\"")
        .hint("You must specify an operator class for the index or define a default operator class for the data type."))
}

/// What an inverted index cannot have.
fn refuse_for_inverted(create: &CreateIndex) -> Result<()> {
    let sorted = create.keys.iter().find(|key| key.descending || key.nulls_first.is_some());
    let what = match sorted {
        _ if create.unique => "unique indexes",
        _ if !create.include.is_empty() => "included columns",
        Some(key) if key.descending => "ASC/DESC options",
        Some(_) => "NULLS FIRST/LAST options",
        None => return Ok(()),
    };
    Err(err!(FEATURE_NOT_SUPPORTED, "access method \"gin\" does not support {what}"))
}

/// The operator class of a key of an inverted index; `None`: the type's default one.
fn inverted_class(name: Option<&ast::ObjectName>, typ: Type) -> Result<Option<String>> {
    let is_array = types::by_oid(typ.oid).is_some_and(|info| info.is_array());
    let is_jsonb = typ.oid == Type::JSONB.oid;
    let shown = types::format_type(typ);
    let Some(name) = name else {
        return match is_array || is_jsonb {
            true => Ok(None),
            false => Err(err!(
                UNDEFINED_OBJECT,
                "data type {shown} has no default operator class for access method \"gin\""
            )
            .hint("You must specify an operator class for the index or define a default operator class for the data type.")),
        };
    };
    let last = name.0.last().and_then(|p| p.as_ident()).map(ident).unwrap_or_default();
    let fits = match ItemClass::named(&last) {
        None => {
            return Err(err!(UNDEFINED_OBJECT, "operator class \"{last}\" does not exist for access method \"gin\""));
        }
        Some(ItemClass::Array) => is_array,
        Some(ItemClass::Jsonb | ItemClass::JsonbPath) => is_jsonb,
    };
    match fits {
        true if last == "jsonb_path_ops" => Ok(Some(last)),
        true => Ok(None),
        false => Err(err!(DATATYPE_MISMATCH, "operator class \"{last}\" does not accept data type {shown}")),
    }
}

/// The default operator classes, and those that mean the same under the C collation.
fn check_operator_class(name: Option<&ast::ObjectName>, typ: Type) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    let last = name.0.last().and_then(|p| p.as_ident()).map(ident).unwrap_or_default();
    let fits = match last.as_str() {
        "text_ops" | "text_pattern_ops" | "varchar_ops" | "varchar_pattern_ops" => {
            typ.oid == Type::TEXT.oid || typ.oid == Type::VARCHAR.oid
        }
        "bpchar_ops" | "bpchar_pattern_ops" => typ.oid == Type::BPCHAR.oid,
        other => types::by_oid(typ.oid).is_some_and(|info| other == format!("{}_ops", info.name)),
    };
    match fits {
        true => Ok(()),
        false => Err(err!(UNDEFINED_OBJECT, "operator class \"{last}\" does not exist for access method \"btree\"")),
    }
}
