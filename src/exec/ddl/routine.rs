//! CREATE and DROP of functions and procedures in SQL.

use std::sync::Arc;

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::binder::bind_routine_statement;
use crate::sql::parser::{self, ident};
use crate::sql::plan::Verb;
use crate::sql::privilege;
use crate::sql::statement::{
    CreateRoutine, ObjectKind, RoutineAction, RoutineBody, RoutineName, RoutineOptions, Statement,
};
use crate::sql::types;
use crate::storage::catalog::{Argument, ArgumentMode, Entry, ObjectClass, Routine, RoutineKind};

use super::Ddl;

/// Arguments of a routine at most.
const ARGUMENTS_MAX: usize = 100;

impl Ddl<'_> {
    pub(super) fn create_routine(&mut self, create: &CreateRoutine) -> Result<()> {
        let (body, is_return, is_bound) = routine_text(create)?;
        if let Some(what) = &create.options.unsupported {
            return Err(Error::unsupported(what));
        }
        let (schema, name) = self.routine_target(create)?;
        let arguments = self.routine_arguments(create)?;
        let (returns, returns_set) = self.routine_result(create, &arguments)?;
        let options = &create.options;
        let mut routine = Routine {
            oid: 0,
            schema,
            name,
            owner: self.owner(),
            kind: if create.procedure { RoutineKind::Procedure } else { RoutineKind::Function },
            arguments,
            returns,
            returns_set,
            body,
            is_return,
            is_bound,
            search_path: self.path_names(),
            volatility: 'v',
            strict: false,
            security_definer: false,
            leakproof: false,
            parallel: 'u',
            cost: 100.0,
            rows: if returns_set { 1000.0 } else { 0.0 },
        };
        apply_options(&mut routine, options)?;
        let inputs: Vec<Oid> = routine.inputs().map(|a| a.typ.oid).collect();
        let existing = self.routine_by_types(schema, &routine.name, &inputs);
        match existing.as_deref() {
            None => routine.oid = self.allocate(),
            Some(Entry::Routine(old)) => {
                let kind = kind_name(old.kind);
                if !create.or_replace {
                    return Err(err!(
                        DUPLICATE_FUNCTION,
                        "{} \"{}\" already exists with same argument types",
                        "function",
                        old.name
                    ));
                }
                if !privilege::acts_as(&self.catalog(), self.owner(), old.owner) {
                    return Err(err!(INSUFFICIENT_PRIVILEGE, "must be owner of {kind} {}", old.name));
                }
                check_replacement(old, &routine)?;
                routine.oid = old.oid;
                routine.owner = old.owner;
            }
            Some(_) => return Err(Error::internal("a routine was expected")),
        }
        let (oid, is_new) = (routine.oid, existing.is_none());
        self.put(Entry::Routine(routine.clone()));
        // The body may call the function itself.
        self.publish();
        self.check_body(&routine)?;
        if is_new {
            self.default_acl(ObjectClass::Function, oid, schema);
        }
        Ok(())
    }

    /// The schema and the name of a new routine.
    fn routine_target(&mut self, create: &CreateRoutine) -> Result<(Oid, String)> {
        let (schema, name) = self.parts(&create.name)?;
        let at = self.name_position(&create.name);
        let schema = match schema {
            Some(schema) => self
                .catalog()
                .schema(self.shared.database, &schema)
                .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{schema}\" does not exist").at(at))?,
            None => self
                .creation_schema()
                .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "no schema has been selected to create in").at(at))?,
        };
        if crate::storage::catalog::is_temporary(schema) {
            return Err(Error::unsupported("a temporary function"));
        }
        if schema < crate::storage::catalog::FIRST_USER_OID {
            return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied for schema {}", self.shown_schema(schema)));
        }
        self.temporary = false;
        self.may_create_in(schema)?;
        Ok((schema, name))
    }

    fn shown_schema(&self, schema: Oid) -> &'static str {
        if schema == crate::storage::catalog::PG_CATALOG { "pg_catalog" } else { "information_schema" }
    }

    fn routine_arguments(&self, create: &CreateRoutine) -> Result<Vec<Argument>> {
        let mut arguments: Vec<Argument> = Vec::new();
        for written in &create.arguments {
            let name = written.name.as_ref().map(ident);
            if let Some(name) = &name
                && arguments.iter().any(|a| {
                    let both_out = |m: ArgumentMode| matches!(m, ArgumentMode::Out | ArgumentMode::Table);
                    a.name.as_ref() == Some(name)
                        && (both_out(a.mode) == both_out(written.mode)
                            || a.mode == ArgumentMode::InOut
                            || written.mode == ArgumentMode::InOut
                            || written.mode == ArgumentMode::Table)
                })
            {
                return Err(err!(INVALID_FUNCTION_DEFINITION, "parameter name \"{name}\" used more than once"));
            }
            let typ = self.data_type(&written.data_type)?;
            let input = !matches!(written.mode, ArgumentMode::Out | ArgumentMode::Table);
            let mut default = None;
            match &written.default {
                Some(_) if !input => {
                    return Err(err!(INVALID_FUNCTION_DEFINITION, "only input parameters can have default values"));
                }
                Some(expression) => {
                    let bound = crate::sql::binder::bind_constant(&expression.expr, Some(typ), &self.eval, self.text)?;
                    drop(bound);
                    default = Some(expression.text.clone());
                }
                None if input && arguments.iter().any(|a| a.default.is_some()) => {
                    return Err(err!(
                        INVALID_FUNCTION_DEFINITION,
                        "input parameters after one with a default value must also have defaults"
                    ));
                }
                None => {}
            }
            let is_array = types::element_of(typ.oid).is_some()
                || matches!(Type::new(typ.oid), Type::ANYARRAY | Type::ANYCOMPATIBLEARRAY);
            if written.mode == ArgumentMode::Variadic && !is_array {
                return Err(err!(INVALID_FUNCTION_DEFINITION, "VARIADIC parameter must be an array"));
            }
            if arguments.iter().any(|a| a.mode == ArgumentMode::Variadic) && input {
                return Err(err!(INVALID_FUNCTION_DEFINITION, "VARIADIC parameter must be the last input parameter"));
            }
            arguments.push(Argument { mode: written.mode, name, typ: Type::new(typ.oid), default });
        }
        if arguments.len() > ARGUMENTS_MAX {
            return Err(err!(TOO_MANY_ARGUMENTS, "functions cannot have more than {ARGUMENTS_MAX} arguments"));
        }
        Ok(arguments)
    }

    /// The result type, and whether it is a set.
    fn routine_result(&self, create: &CreateRoutine, arguments: &[Argument]) -> Result<(Type, bool)> {
        let outputs: Vec<&Argument> = arguments
            .iter()
            .filter(|a| matches!(a.mode, ArgumentMode::Out | ArgumentMode::InOut | ArgumentMode::Table))
            .collect();
        let is_table = arguments.iter().any(|a| a.mode == ArgumentMode::Table);
        let of_outputs = match outputs.as_slice() {
            [] => None,
            [one] if !create.procedure => Some(one.typ),
            _ => Some(Type::RECORD),
        };
        match (&create.returns, of_outputs) {
            (None, Some(typ)) => Ok((typ, is_table)),
            (None, None) if create.procedure => Ok((Type::VOID, false)),
            (None, None) => Err(err!(INVALID_FUNCTION_DEFINITION, "function result type must be specified")),
            (Some((set, written)), of_outputs) => {
                let typ = Type::new(self.data_type(written)?.oid);
                let is_input = |a: &&Argument| !matches!(a.mode, ArgumentMode::Out | ArgumentMode::Table);
                if types::is_polymorphic(typ.oid)
                    && !arguments.iter().filter(is_input).any(|a| types::is_polymorphic(a.typ.oid))
                {
                    let inputs = match typ {
                        Type::ANYCOMPATIBLE | Type::ANYCOMPATIBLEARRAY => {
                            "anycompatible, anycompatiblearray, anycompatiblenonarray, anycompatiblerange, or \
                             anycompatiblemultirange"
                        }
                        _ => "anyelement, anyarray, anynonarray, anyenum, anyrange, or anymultirange",
                    };
                    return Err(err!(INVALID_FUNCTION_DEFINITION, "cannot determine result data type").detail(
                        format!(
                            "A result of type {} requires at least one input of type {inputs}.",
                            types::format_type(typ)
                        ),
                    ));
                }
                match of_outputs {
                    Some(expected) if expected != typ => Err(err!(
                        INVALID_FUNCTION_DEFINITION,
                        "function result type must be {} because of OUT parameters",
                        types::format_type(expected)
                    )),
                    _ => Ok((typ, *set)),
                }
            }
        }
    }

    /// The routine with these argument types.
    fn routine_by_types(&self, schema: Oid, name: &str, inputs: &[Oid]) -> Option<Arc<Entry>> {
        let catalog = self.catalog();
        catalog
            .routines_named(schema, name)
            .find(|entry| match &***entry {
                Entry::Routine(r) => r.inputs().map(|a| a.typ.oid).eq(inputs.iter().copied()),
                _ => false,
            })
            .cloned()
    }

    /// Binds the body, and compares what its last statement gives with what was declared.
    fn check_body(&self, routine: &Routine) -> Result<()> {
        let checks = self.shared.lock().settings.is_on("check_function_bodies");
        if !checks || routine.inputs().any(|a| types::is_polymorphic(a.typ.oid)) {
            return Ok(());
        }
        let shown = kind_name(routine.kind);
        // Where the body stands in the statement, if it is written there as it is.
        let offset = match routine.is_return {
            true => None,
            false => self.text.find(&routine.body).map(|at| self.text[..at].chars().count() as u32),
        };
        let in_function = |error: Error| {
            let mut error = error;
            let position = error.report().position.filter(|position| *position > 0);
            error.report_mut().position = position.zip(offset).map(|(position, offset)| position + offset);
            error.context(format!("SQL function \"{}\"", routine.name))
        };
        let text = routine.query_text();
        let parsed = parser::parse(&text).map_err(in_function)?;
        let mut last = None;
        for part in &parsed {
            last = None;
            if crate::exec::prepared::is_query(&part.statement) {
                let query = bind_routine_statement(&part.statement, routine, &self.eval, &text).map_err(in_function)?;
                let gives = query.verb == Verb::Select || !query.output.is_empty();
                last = gives.then_some(query);
            } else if matches!(
                part.statement,
                Statement::Commit { .. } | Statement::Rollback { .. } | Statement::Begin { .. }
            ) {
                return Err(in_function(err!(
                    FEATURE_NOT_SUPPORTED,
                    "transaction control in a {shown} is not allowed"
                )));
            }
        }
        if routine.returns == Type::VOID
            || (routine.kind == RoutineKind::Procedure && routine.outputs().next().is_none())
        {
            return Ok(());
        }
        let mismatch = |detail: String| {
            in_function(
                err!(
                    INVALID_FUNCTION_DEFINITION,
                    "return type mismatch in function declared to return {}",
                    crate::sql::system::definition::type_name(&self.catalog(), routine.returns)
                )
                .detail(detail),
            )
        };
        let Some(query) = last else {
            return Err(mismatch(
                "Function's final statement must be SELECT or INSERT/UPDATE/DELETE/MERGE RETURNING.".to_string(),
            ));
        };
        let declared: Vec<Type> = match routine.outputs().count() {
            0 => {
                let fields = crate::sql::binder::relation::fields_of_row_type(&self.catalog(), routine.returns.oid);
                match fields {
                    Some(fields) if query.output.len() != 1 => fields.into_iter().map(|(_, typ)| typ).collect(),
                    Some(_) => return Ok(()),
                    None if routine.returns == Type::RECORD => return Ok(()),
                    None => vec![routine.returns],
                }
            }
            _ => routine.outputs().map(|a| a.typ).collect(),
        };
        if query.output.len() != declared.len() {
            return Err(mismatch(match declared.len() {
                1 => "Final statement must return exactly one column.".to_string(),
                n if query.output.len() < n => "Final statement returns too few columns.".to_string(),
                _ => "Final statement returns too many columns.".to_string(),
            }));
        }
        for (i, (column, typ)) in query.output.iter().zip(&declared).enumerate() {
            if !crate::sql::binder::can_assign(column.typ.oid, typ.oid) {
                let actual = types::format_type(Type::new(column.typ.oid));
                return Err(mismatch(match declared.len() {
                    1 => format!("Actual return type is {actual}."),
                    _ => format!(
                        "Final statement returns {actual} instead of {} at column {}.",
                        types::format_type(*typ),
                        i + 1
                    ),
                }));
            }
        }
        Ok(())
    }

    pub(super) fn alter_routine(
        &mut self,
        kind: ObjectKind,
        name: &RoutineName,
        action: &RoutineAction,
    ) -> Result<&'static str> {
        let tag = match kind {
            ObjectKind::Function => "ALTER FUNCTION",
            ObjectKind::Procedure => "ALTER PROCEDURE",
            _ => "ALTER ROUTINE",
        };
        let mut routine = self.routine_named(kind, name)?;
        let entry = Entry::Routine(routine.clone());
        self.must_own(&entry)?;
        let inputs: Vec<Oid> = routine.inputs().map(|a| a.typ.oid).collect();
        match action {
            RoutineAction::Rename(new) => routine.name = ident(new),
            RoutineAction::SetSchema(new) => {
                let new = ident(new);
                routine.schema = self
                    .catalog()
                    .schema(self.shared.database, &new)
                    .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{new}\" does not exist"))?;
            }
            RoutineAction::OwnerTo(role) => {
                let owner = self.role(role)?;
                self.new_owner_in_acl(&entry, owner);
                routine.owner = owner;
            }
            RoutineAction::Options(options) => {
                if let Some(what) = &options.unsupported {
                    return Err(Error::unsupported(what));
                }
                apply_options(&mut routine, options)?;
            }
        }
        if let Some(other) = self.routine_by_types(routine.schema, &routine.name, &inputs)
            && other.oid() != routine.oid
        {
            let schema = self.schema_name(routine.schema);
            return Err(err!(
                DUPLICATE_FUNCTION,
                "function {}({}) already exists in schema \"{schema}\"",
                routine.name,
                type_list(&routine)
            ));
        }
        self.put(Entry::Routine(routine));
        Ok(tag)
    }

    pub(super) fn drop_routines(
        &mut self,
        kind: ObjectKind,
        if_exists: bool,
        routines: &[RoutineName],
    ) -> Result<&'static str> {
        let tag = match kind {
            ObjectKind::Function => "DROP FUNCTION",
            ObjectKind::Procedure => "DROP PROCEDURE",
            _ => "DROP ROUTINE",
        };
        for name in routines {
            match self.routine_named(kind, name) {
                Ok(routine) => {
                    if !privilege::acts_as(&self.catalog(), self.owner(), routine.owner) {
                        let kind = kind_name(routine.kind);
                        return Err(err!(INSUFFICIENT_PRIVILEGE, "must be owner of {kind} {}", routine.name));
                    }
                    self.change().remove(routine.oid);
                    self.publish();
                }
                Err(error) if if_exists && error.code() == SqlState::UNDEFINED_FUNCTION => {
                    let message = error.message().to_string();
                    let message = match message.strip_prefix("could not find a ") {
                        Some(rest) => rest.replacen(" named", "", 1).replace('"', "") + "() does not exist",
                        None => message,
                    };
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(tag)
    }

    /// A routine that must exist, by its name and perhaps argument types.
    pub(super) fn routine_named(&self, kind: ObjectKind, name: &RoutineName) -> Result<Routine> {
        let word = kind.name();
        let written = self.written(&name.name)?;
        let (schema, last) = self.parts(&name.name)?;
        let catalog = self.catalog();
        let schemas: Vec<Oid> = match schema {
            Some(schema) => catalog.schema(self.shared.database, &schema).into_iter().collect(),
            None => self.shared.lock().search_path(self.shared.database).to_vec(),
        };
        let types: Option<Vec<Oid>> = match &name.arguments {
            Some(types) => Some(types.iter().map(|t| Ok(self.data_type(t)?.oid)).collect::<Result<_>>()?),
            None => None,
        };
        let found: Vec<&Routine> = schemas
            .iter()
            .flat_map(|schema| catalog.routines_named(*schema, &last))
            .filter_map(|entry| match &**entry {
                Entry::Routine(routine) => Some(routine),
                _ => None,
            })
            .filter(|r| types.as_ref().is_none_or(|types| r.inputs().map(|a| a.typ.oid).eq(types.iter().copied())))
            .collect();
        let fits = |r: &&&Routine| match kind {
            ObjectKind::Function => r.kind == RoutineKind::Function,
            ObjectKind::Procedure => r.kind == RoutineKind::Procedure,
            _ => true,
        };
        let fitting: Vec<&&Routine> = found.iter().filter(fits).collect();
        match (fitting.as_slice(), found.as_slice(), &types) {
            ([one], ..) => Ok((**one).clone()),
            ([_, _, ..], _, None) => Err(err!(AMBIGUOUS_FUNCTION, "{word} name \"{written}\" is not unique")
                .hint(format!("Specify the argument list to select the {word} unambiguously."))),
            ([first, ..], ..) => Ok((**first).clone()),
            ([], [_, ..], None) => Err(err!(UNDEFINED_FUNCTION, "could not find a {word} named \"{written}\"")),
            ([], [other, ..], _) => {
                Err(err!(WRONG_OBJECT_TYPE, "{}({}) is not a {word}", other.name, type_list(other)))
            }
            ([], [], None) => Err(err!(UNDEFINED_FUNCTION, "could not find a {word} named \"{written}\"")),
            ([], [], Some(types)) => {
                let list: Vec<String> =
                    types.iter().map(|oid| crate::sql::types::format_type(Type::new(*oid))).collect();
                Err(err!(UNDEFINED_FUNCTION, "{word} {written}({}) does not exist", list.join(", ")))
            }
        }
    }
}

/// The input types of a routine, as messages list them.
fn type_list(routine: &Routine) -> String {
    routine.inputs().map(|a| types::format_type(a.typ)).collect::<Vec<_>>().join(", ")
}

fn kind_name(kind: RoutineKind) -> &'static str {
    match kind {
        RoutineKind::Function => "function",
        RoutineKind::Procedure => "procedure",
    }
}

/// The body as SQL, whether it is one expression, and whether its names are bound when it is made.
fn routine_text(create: &CreateRoutine) -> Result<(String, bool, bool)> {
    let language = match (&create.language, &create.body) {
        (Some(language), _) => language.as_str(),
        (None, Some(RoutineBody::Text(_)) | None) => {
            return Err(err!(INVALID_FUNCTION_DEFINITION, "no language specified"));
        }
        (None, _) => "sql",
    };
    match language {
        "sql" => {}
        "plpgsql" => {
            return Err(
                Error::unsupported("LANGUAGE plpgsql").hint("Functions and procedures can be written in LANGUAGE sql.")
            );
        }
        "internal" | "c" => return Err(Error::unsupported(format!("LANGUAGE {language}"))),
        other => {
            let error = err!(UNDEFINED_OBJECT, "language \"{other}\" does not exist");
            return Err(match other {
                "plperl" | "plpython3u" | "pltcl" | "plv8" => {
                    error.hint("Use CREATE EXTENSION to load the language into the database.")
                }
                _ => error,
            });
        }
    }
    match &create.body {
        None => Err(err!(INVALID_FUNCTION_DEFINITION, "no function body specified")),
        Some(RoutineBody::Text(text)) => Ok((text.clone(), false, false)),
        Some(RoutineBody::Atomic(text)) => Ok((text.clone(), false, true)),
        Some(RoutineBody::Return(text)) => Ok((text.clone(), true, true)),
    }
}

fn apply_options(routine: &mut Routine, options: &RoutineOptions) -> Result<()> {
    if routine.kind == RoutineKind::Procedure
        && (options.volatility.is_some() || options.strict.is_some() || options.cost.is_some())
    {
        return Err(err!(INVALID_FUNCTION_DEFINITION, "invalid attribute in procedure definition"));
    }
    if options.cost.is_some_and(|cost| cost <= 0.0) {
        return Err(err!(INVALID_PARAMETER_VALUE, "COST must be positive"));
    }
    if options.rows.is_some_and(|rows| rows <= 0.0) {
        return Err(err!(INVALID_PARAMETER_VALUE, "ROWS must be positive"));
    }
    if options.rows.is_some() && !routine.returns_set {
        return Err(err!(INVALID_PARAMETER_VALUE, "ROWS is not applicable when function does not return a set"));
    }
    routine.volatility = options.volatility.unwrap_or(routine.volatility);
    routine.strict = options.strict.unwrap_or(routine.strict);
    routine.security_definer = options.security_definer.unwrap_or(routine.security_definer);
    routine.leakproof = options.leakproof.unwrap_or(routine.leakproof);
    routine.parallel = options.parallel.unwrap_or(routine.parallel);
    routine.cost = options.cost.unwrap_or(routine.cost);
    routine.rows = options.rows.unwrap_or(routine.rows);
    Ok(())
}

/// What OR REPLACE may not change.
fn check_replacement(old: &Routine, new: &Routine) -> Result<()> {
    let kind = kind_name(old.kind);
    if old.kind != new.kind {
        return Err(
            err!(WRONG_OBJECT_TYPE, "cannot change routine kind").detail(format!("\"{}\" is a {kind}.", old.name))
        );
    }
    let types = type_list(old).replace(", ", ",");
    let drop = format!("Use DROP {} {}({types}) first.", kind.to_uppercase(), old.name);
    if old.returns != new.returns || old.returns_set != new.returns_set {
        return Err(match old.kind {
            RoutineKind::Function => {
                err!(INVALID_FUNCTION_DEFINITION, "cannot change return type of existing function").hint(drop)
            }
            RoutineKind::Procedure => {
                err!(INVALID_FUNCTION_DEFINITION, "cannot change whether a procedure has output parameters").hint(drop)
            }
        });
    }
    for (before, after) in old.inputs().zip(new.inputs()) {
        if let Some(name) = &before.name
            && after.name.as_ref() != Some(name)
        {
            return Err(
                err!(INVALID_FUNCTION_DEFINITION, "cannot change name of input parameter \"{name}\"").hint(drop)
            );
        }
        if before.default.is_some() && after.default.is_none() {
            return Err(
                err!(INVALID_FUNCTION_DEFINITION, "cannot remove parameter defaults from existing function").hint(drop)
            );
        }
    }
    let outs = |r: &Routine| r.outputs().map(|a| (a.name.clone(), a.typ)).collect::<Vec<_>>();
    if outs(old) != outs(new) {
        return Err(err!(INVALID_FUNCTION_DEFINITION, "cannot change return type of existing function")
            .detail("Row type defined by OUT parameters is different.")
            .hint(drop));
    }
    Ok(())
}
