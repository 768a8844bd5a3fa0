//! What ALTER TABLE says of storage: kept and shown, as far as there is nothing here that it could change.

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::parser::ident;
use crate::sql::statement::{AlterAction, ast};
use crate::sql::types;
use crate::storage::catalog::{Entry, Persistence, Physical, ReplicaIdentity, Table, is_temporary};

use super::Ddl;
use super::alter_column::column_mut;

/// The highest statistics target.
const STATISTICS_MAX: i64 = 10_000;

/// The letter of STORAGE for a type; `None`: the type's own.
pub(super) fn storage_letter(word: &str, typ: Type) -> Result<Option<char>> {
    let letter = match word.to_ascii_lowercase().as_str() {
        "plain" => 'p',
        "external" => 'e',
        "extended" => 'x',
        "main" => 'm',
        "default" => return Ok(None),
        _ => return Err(err!(INVALID_PARAMETER_VALUE, "invalid storage type \"{word}\"")),
    };
    if letter != 'p' && !is_long(typ) {
        let name = types::format_type(Type::new(typ.oid));
        return Err(err!(FEATURE_NOT_SUPPORTED, "column data type {name} can only have storage PLAIN"));
    }
    Ok(Some(letter))
}

/// The letter of COMPRESSION for a type; `None`: the default one.
pub(super) fn compression_letter(word: &str, typ: Type) -> Result<Option<char>> {
    let letter = match word.to_ascii_lowercase().as_str() {
        "default" => return Ok(None),
        "pglz" => 'p',
        "lz4" => 'l',
        _ => return Err(err!(INVALID_PARAMETER_VALUE, "invalid compression method \"{word}\"")),
    };
    if !is_long(typ) {
        let name = types::format_type(Type::new(typ.oid));
        return Err(err!(FEATURE_NOT_SUPPORTED, "column data type {name} does not support compression"));
    }
    Ok(Some(letter))
}

/// Whether values of a type may be long.
fn is_long(typ: Type) -> bool {
    types::by_oid(typ.oid).is_none_or(|info| info.storage != 'p')
}

impl Ddl<'_> {
    pub(super) fn alter_physical(&mut self, mut table: Table, action: &AlterAction) -> Result<()> {
        match action {
            AlterAction::SetStatistics { column, target } => {
                let name = ast::Ident::with_quote('"', column);
                let statistics = self.statistics_target(*target)?;
                self.set_physical(&mut table, &name, |physical, _| {
                    physical.statistics = statistics;
                    Ok(())
                })?;
            }
            AlterAction::SetStorage { column, storage } => self.set_physical(&mut table, column, |physical, typ| {
                physical.storage = storage_letter(storage, typ)?;
                Ok(())
            })?,
            AlterAction::SetCompression { column, compression } => {
                self.set_physical(&mut table, column, |physical, typ| {
                    physical.compression = compression_letter(compression, typ)?;
                    Ok(())
                })?;
            }
            AlterAction::SetLogged(logged) => {
                if is_temporary(table.oid) {
                    return Err(err!(
                        INVALID_TABLE_DEFINITION,
                        "cannot change logged status of table \"{}\" because it is temporary",
                        table.name
                    ));
                }
                table.persistence = if *logged { Persistence::Permanent } else { Persistence::Unlogged };
            }
            AlterAction::SetTablespace(name) => self.check_tablespace(Some(name))?,
            AlterAction::SetAccessMethod(name) => self.check_placement(Some(name), None)?,
            AlterAction::ClusterOn(None) => table.clustered = None,
            AlterAction::ClusterOn(Some(index)) => table.clustered = Some(self.own_index(&table, index)?),
            AlterAction::ReplicaIdentity(kind, index) => {
                table.replica_identity = match (kind.as_str(), index) {
                    ("full", _) => ReplicaIdentity::Full,
                    ("nothing", _) => ReplicaIdentity::Nothing,
                    (_, Some(index)) => ReplicaIdentity::Index(self.identity_index(&table, index)?),
                    _ => ReplicaIdentity::Default,
                };
            }
            _ => return Err(Error::unsupported("this form of ALTER TABLE")),
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    fn statistics_target(&self, target: Option<i64>) -> Result<Option<i16>> {
        match target {
            None | Some(-1) => Ok(None),
            Some(target) if target < 0 => Err(err!(INVALID_PARAMETER_VALUE, "statistics target {target} is too low")),
            Some(target) => {
                if target > STATISTICS_MAX {
                    let message = format!("lowering statistics target to {STATISTICS_MAX}");
                    self.shared.notice("WARNING", Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
                Ok(i16::try_from(target.min(STATISTICS_MAX)).ok())
            }
        }
    }

    fn set_physical(
        &self,
        table: &mut Table,
        name: &ast::Ident,
        set: impl FnOnce(&mut Physical, Type) -> Result<()>,
    ) -> Result<()> {
        let number = self.column_number(table, name)?;
        let column = column_mut(table, number)?;
        set(&mut column.physical, column.typ)
    }

    /// An index of a table by name.
    fn own_index(&self, table: &Table, name: &ast::Ident) -> Result<crate::document::Oid> {
        let catalog = self.catalog();
        let name = ident(name);
        let mut own = catalog.indexes_of(table.oid);
        match own.find(|index| index.name == name) {
            Some(index) => Ok(index.oid),
            None => Err(err!(UNDEFINED_OBJECT, "index \"{name}\" for table \"{}\" does not exist", table.name)),
        }
    }

    /// An index that can tell rows: unique, whole, over columns that are not NULL.
    fn identity_index(&self, table: &Table, written: &ast::Ident) -> Result<crate::document::Oid> {
        use crate::storage::catalog::IndexSource;
        let oid = self.own_index(table, written)?;
        let catalog = self.catalog();
        let index = catalog.index(oid).ok_or_else(|| Error::internal("the index was found above"))?;
        let name = &index.name;
        if !index.unique {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot use non-unique index \"{name}\" as replica identity"));
        }
        if index.predicate.is_some() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "cannot use partial index \"{name}\" as replica identity"));
        }
        for key in &index.keys {
            let IndexSource::Column(number) = &key.source else {
                return Err(err!(FEATURE_NOT_SUPPORTED, "cannot use expression index \"{name}\" as replica identity"));
            };
            if let Some(column) = table.column_by_number(*number).filter(|c| !c.not_null) {
                return Err(err!(
                    WRONG_OBJECT_TYPE,
                    "index \"{name}\" cannot be used as replica identity because column \"{}\" is nullable",
                    column.name
                ));
            }
        }
        Ok(oid)
    }
}
