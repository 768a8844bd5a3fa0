//! CREATE VIEW.

use std::sync::Arc;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::binder::{BindContext, bind_constant, bind_query, view_updatability};
use crate::sql::parser::ident;
use crate::sql::shape::Rename;
use crate::sql::statement::{AlterAction, CreateView, ObjectKind, Persistence, Statement, StorageOption};
use crate::sql::types;
use crate::storage::catalog::{Entry, ObjectClass, View, is_temporary};

use super::Ddl;

impl Ddl<'_> {
    pub(super) fn create_view(&mut self, create: &CreateView) -> Result<()> {
        let mut options = view_options(&create.options)?;
        if let Some(local) = create.check_option {
            options.retain(|(name, _)| name != "check_option");
            let value = if local { "local" } else { "cascaded" };
            options.push(("check_option".to_string(), value.to_string()));
        }
        let (columns, uses_temporary) = self.view_columns(create)?;
        let mut persistence = if create.temporary { Persistence::Temporary } else { Persistence::Permanent };
        if uses_temporary && persistence == Persistence::Permanent && create.name.0.len() == 1 {
            persistence = Persistence::Temporary;
            let name = create.name.0.last().and_then(|p| p.as_ident()).map(ident).unwrap_or_default();
            self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("view \"{name}\" will be a temporary view"));
        }
        let (schema, name) = self.creation_target(&create.name, persistence)?;
        if uses_temporary && !self.temporary {
            return Err(err!(INVALID_TABLE_DEFINITION, "cannot create temporary relation in non-temporary schema"));
        }
        let existing = self.catalog().relation(schema, &name).cloned();
        let mut defaults = Vec::new();
        let (oid, row_type) = match existing.as_deref() {
            Some(Entry::View(old)) if create.or_replace => {
                self.must_own(&Entry::View(old.clone()))?;
                check_replacement(old, &columns)?;
                defaults.clone_from(&old.defaults);
                (old.oid, old.row_type)
            }
            Some(Entry::View(_)) => return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists")),
            Some(_) if create.or_replace => return Err(err!(WRONG_OBJECT_TYPE, "\"{name}\" is not a view")),
            Some(_) => return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists")),
            None => {
                self.refuse_row_type_name(schema, &name)?;
                (self.allocate(), self.allocate_row_type()?)
            }
        };
        let is_new = existing.is_none();
        let view = View {
            oid,
            schema,
            name,
            owner: self.owner(),
            row_type,
            query: create.text.clone(),
            search_path: self.path_names(),
            columns,
            options,
            defaults,
        };
        self.check_option_possible(&view)?;
        self.put(Entry::View(view));
        if is_new {
            self.default_acl(ObjectClass::Relation, oid, schema);
        }
        Ok(())
    }

    /// CHECK OPTION needs a view that rows can be written through.
    fn check_option_possible(&self, view: &View) -> Result<()> {
        if view.check_option().is_none() {
            return Ok(());
        }
        view_updatability(view, &self.eval).map(|_| ()).map_err(|error| match error.report().detail.clone() {
            Some(reason) if error.code() == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => {
                err!(FEATURE_NOT_SUPPORTED, "WITH CHECK OPTION is supported only on automatically updatable views")
                    .hint(reason)
            }
            _ => error,
        })
    }

    fn view_columns(&self, create: &CreateView) -> Result<(Vec<(String, Type)>, bool)> {
        let statement = Statement::Query(create.query.clone());
        let context = BindContext { eval: &self.eval, param_types: &[], text: self.text };
        let query = bind_query(&statement, &context)?;
        if !query.params.is_empty() {
            return Err(err!(UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if create.columns.len() > query.output.len() {
            return Err(err!(SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns"));
        }
        let mut columns: Vec<(String, Type)> = Vec::new();
        for (i, output) in query.output.iter().enumerate() {
            let name = create.columns.get(i).map_or_else(|| output.name.clone(), ident);
            let typ = if output.typ.oid == Type::UNKNOWN.oid { Type::TEXT } else { output.typ };
            columns.push((name, typ));
        }
        for (i, (name, typ)) in columns.iter().enumerate() {
            if columns[i + 1..].iter().any(|(other, _)| other == name) {
                return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
            }
            if matches!(*typ, Type::RECORD | Type::RECORD_ARRAY) {
                let shown = types::format_type(*typ);
                return Err(err!(INVALID_TABLE_DEFINITION, "column \"{name}\" has pseudo-type {shown}"));
            }
        }
        Ok((columns, query.relations.iter().any(|(oid, _)| is_temporary(*oid))))
    }

    /// The search path as names, the schema of temporary objects among them.
    pub(super) fn whole_path_names(&self) -> Vec<String> {
        let (path, catalog) = (self.shared.lock().search_path(self.shared.database), self.catalog());
        let schemas = path.iter().filter_map(|oid| catalog.get(*oid));
        schemas.map(|schema| schema.name().to_string()).collect()
    }

    /// The search path as names, for text that is resolved again later.
    pub(super) fn path_names(&self) -> Vec<String> {
        let (path, catalog) = (self.shared.lock().search_path(self.shared.database), self.catalog());
        path.iter()
            .filter_map(|oid| match catalog.get(*oid).map(Arc::as_ref) {
                Some(Entry::Schema(schema)) if self.temporary || !is_temporary(*oid) => Some(schema.name.clone()),
                _ => None,
            })
            .collect()
    }
}

/// The options that views have.
fn view_options(options: &[StorageOption]) -> Result<Vec<(String, String)>> {
    let mut checked = Vec::new();
    for option in options {
        let written = option.value.as_deref().unwrap_or("true").to_lowercase();
        if option.name == "check_option" {
            if !matches!(written.as_str(), "local" | "cascaded") {
                return Err(err!(INVALID_PARAMETER_VALUE, "invalid value for enum option \"check_option\": {written}")
                    .detail("Valid values are \"local\" and \"cascaded\"."));
            }
            checked.push((option.name.clone(), written));
            continue;
        }
        let value = match written.as_str() {
            "true" | "on" | "yes" | "1" => "true",
            "false" | "off" | "no" | "0" => "false",
            _ => {
                return Err(err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid value for boolean option \"{}\": {written}",
                    option.name
                ));
            }
        };
        match option.name.as_str() {
            "security_invoker" | "security_barrier" => checked.push((option.name.clone(), value.to_string())),
            name => return Err(err!(INVALID_PARAMETER_VALUE, "unrecognized parameter \"{name}\"")),
        }
    }
    Ok(checked)
}

impl Ddl<'_> {
    /// What ALTER VIEW can say beside what all relations have.
    pub(super) fn alter_view(&mut self, kind: ObjectKind, view: &View, action: &AlterAction) -> Result<()> {
        let mut view = view.clone();
        match action {
            _ if !matches!(kind, ObjectKind::View | ObjectKind::Table) => {
                return Err(err!(
                    WRONG_OBJECT_TYPE,
                    "\"{}\" is not {}",
                    view.name,
                    match kind {
                        ObjectKind::MaterializedView => "a materialized view",
                        ObjectKind::Index => "an index",
                        _ => "a sequence",
                    }
                ));
            }
            AlterAction::RenameColumn(old, new) => {
                let (old, new) = (ident(old), ident(new));
                let at = view.columns.iter().position(|(name, _)| *name == old);
                let at = at.ok_or_else(|| err!(UNDEFINED_COLUMN, "column \"{old}\" does not exist"))?;
                if view.columns.iter().any(|(name, _)| *name == new) {
                    return Err(err!(
                        DUPLICATE_COLUMN,
                        "column \"{new}\" of relation \"{}\" already exists",
                        view.name
                    ));
                }
                self.views_follow(view.oid, &Rename::Column(old, new.clone()))?;
                view.columns[at].0 = new;
            }
            AlterAction::Options { options, reset } => {
                let changed = match reset {
                    true => options.iter().map(|o| (o.name.clone(), String::new())).collect(),
                    false => view_options(options)?,
                };
                for (name, value) in changed {
                    view.options.retain(|(known, _)| *known != name);
                    if !reset {
                        view.options.push((name, value));
                    }
                }
                self.check_option_possible(&view)?;
            }
            AlterAction::SetDefault { column, default } => {
                let name = ident(column);
                let at = view.columns.iter().position(|(known, _)| *known == name);
                let Some(at) = at else {
                    let relation = &view.name;
                    return Err(err!(UNDEFINED_COLUMN, "column \"{name}\" of relation \"{relation}\" does not exist"));
                };
                let text = match default {
                    Some(expression) => {
                        let typ = view.columns[at].1;
                        bind_constant(&expression.expr, Some(typ), &self.eval, self.text)?;
                        Some(expression.text.clone())
                    }
                    None => None,
                };
                view.defaults.resize(view.columns.len(), None);
                view.defaults[at] = text;
            }
            _ if kind == ObjectKind::Table => {
                return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a table", view.name));
            }
            _ => return Err(Error::unsupported("this form of ALTER VIEW")),
        }
        self.put(Entry::View(view));
        Ok(())
    }
}

/// OR REPLACE may only add columns at the end.
fn check_replacement(old: &View, columns: &[(String, Type)]) -> Result<()> {
    if columns.len() < old.columns.len() {
        return Err(err!(INVALID_TABLE_DEFINITION, "cannot drop columns from view"));
    }
    for ((old_name, old_type), (name, typ)) in old.columns.iter().zip(columns) {
        if old_name != name {
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "cannot change name of view column \"{old_name}\" to \"{name}\""
            )
            .hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
        }
        if old_type != typ {
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "cannot change data type of view column \"{name}\" from {} to {}",
                types::format_type(*old_type),
                types::format_type(*typ)
            ));
        }
    }
    Ok(())
}
