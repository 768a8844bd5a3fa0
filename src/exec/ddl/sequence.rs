//! CREATE SEQUENCE and ALTER SEQUENCE.

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::parser::ident;
use crate::sql::statement::{AlterSequence, CreateSequence, Persistence, SequenceOptions};
use crate::sql::types;
use crate::storage::catalog::{Entry, ObjectClass, Sequence};
use crate::storage::sequence::SequenceState;

use super::Ddl;

impl Ddl<'_> {
    pub(super) fn create_sequence(&mut self, create: &CreateSequence) -> Result<()> {
        if create.persistence == Persistence::Unlogged {
            return Err(Error::unsupported("an unlogged sequence"));
        }
        let (schema, name) = self.creation_target(&create.name, create.persistence)?;
        if self.catalog().relation(schema, &name).is_some() {
            if create.if_not_exists {
                self.notice(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists, skipping"));
                return Ok(());
            }
            return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        let typ = match &create.options.data_type {
            Some(data_type) => self.data_type(data_type)?,
            None => Type::INT8,
        };
        let owned_by = self.owned_by(&create.options)?.flatten();
        self.make_sequence(schema, name, typ, &create.options, owned_by).map(|_| ())
    }

    /// Makes a sequence.
    pub(super) fn make_sequence(
        &mut self,
        schema: Oid,
        name: String,
        typ: Type,
        options: &SequenceOptions,
        owned_by: Option<(Oid, i16)>,
    ) -> Result<Oid> {
        let oid = self.allocate();
        let mut sequence = Sequence {
            oid,
            schema,
            name,
            owner: self.owner(),
            typ,
            start: 1,
            increment: 1,
            min: 1,
            max: 1,
            cache: 1,
            cycle: false,
            owned_by,
        };
        apply_options(&mut sequence, options, true)?;
        self.put(Entry::Sequence(sequence.clone()));
        self.default_acl(ObjectClass::Sequence, oid, schema);
        let state = SequenceState::start(&sequence);
        self.shared.lock().own_sequences.insert(oid, state);
        Ok(oid)
    }

    pub(super) fn alter_sequence(&mut self, alter: &AlterSequence) -> Result<()> {
        let entry = match self.find(&alter.name)? {
            Some(entry) => entry,
            None if alter.if_exists => {
                let name = self.written(&alter.name)?;
                self.notice(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist, skipping"));
                return Ok(());
            }
            None => return self.relation(&alter.name).map(|_| ()),
        };
        let Entry::Sequence(sequence) = &*entry else {
            return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a sequence", entry.name()));
        };
        self.must_own(&entry)?;
        let mut sequence = sequence.clone();
        if let Some(data_type) = &alter.options.data_type {
            sequence.typ = self.data_type(data_type)?;
        }
        if let Some(owned_by) = self.owned_by(&alter.options)? {
            sequence.owned_by = owned_by;
        }
        self.change_sequence(sequence, &alter.options)
    }

    /// Changes a sequence's options, RESTART among them.
    pub(super) fn change_sequence(&mut self, mut sequence: Sequence, options: &SequenceOptions) -> Result<()> {
        apply_options(&mut sequence, options, false)?;
        self.put(Entry::Sequence(sequence.clone()));
        if let Some(restart) = options.restart {
            let value = restart.unwrap_or(sequence.start);
            if value < sequence.min {
                let min = sequence.min;
                return Err(err!(
                    INVALID_PARAMETER_VALUE,
                    "RESTART value ({value}) cannot be less than MINVALUE ({min})"
                ));
            }
            if value > sequence.max {
                let max = sequence.max;
                return Err(err!(
                    INVALID_PARAMETER_VALUE,
                    "RESTART value ({value}) cannot be greater than MAXVALUE ({max})"
                ));
            }
            self.restart_sequence(&sequence, value);
        }
        Ok(())
    }

    /// Sets a sequence to begin at a value, with the transaction.
    pub(super) fn restart_sequence(&mut self, sequence: &Sequence, value: i64) {
        let own = {
            let mut state = self.shared.lock();
            let own = state.own_sequences.get_mut(&sequence.oid);
            own.map(|own| *own = SequenceState { last_value: value, is_called: false }).is_some()
        };
        if !own {
            self.change().sequence(sequence.oid, value, false);
        }
    }

    /// OWNED BY: `Some(None)` is NONE.
    fn owned_by(&self, options: &SequenceOptions) -> Result<Option<Option<(Oid, i16)>>> {
        let Some(names) = &options.owned_by else { return Ok(None) };
        let names: Vec<String> = names.iter().map(ident).collect();
        let (table, column) = match names.as_slice() {
            [] => return Ok(Some(None)),
            [_] => {
                return Err(err!(SYNTAX_ERROR, "invalid OWNED BY option")
                    .hint("Specify OWNED BY table.column or OWNED BY NONE."));
            }
            [table @ .., column] => (table, column),
        };
        let catalog = self.catalog();
        let found = match table {
            [schema, table] => {
                catalog.schema(self.shared.database, schema).and_then(|s| catalog.relation(s, table).cloned())
            }
            [table] => {
                let path = self.shared.lock().search_path(self.shared.database);
                path.iter().find_map(|s| catalog.relation(*s, table).cloned())
            }
            _ => None,
        };
        let Some(entry) = found else {
            return Err(err!(UNDEFINED_TABLE, "relation \"{}\" does not exist", table.join(".")));
        };
        let Entry::Table(table) = &*entry else {
            return Err(err!(WRONG_OBJECT_TYPE, "sequence cannot be owned by relation \"{}\"", entry.name()));
        };
        let number = table.column(column).ok_or_else(|| {
            err!(UNDEFINED_COLUMN, "column \"{column}\" of relation \"{}\" does not exist", table.name)
        })?;
        Ok(Some(Some((table.oid, number.number))))
    }
}

/// Applies options to a sequence and checks that they agree.
fn apply_options(sequence: &mut Sequence, options: &SequenceOptions, new: bool) -> Result<()> {
    let (type_min, type_max) = match sequence.typ.oid {
        o if o == Type::INT2.oid => (i64::from(i16::MIN), i64::from(i16::MAX)),
        o if o == Type::INT4.oid => (i64::from(i32::MIN), i64::from(i32::MAX)),
        o if o == Type::INT8.oid => (i64::MIN, i64::MAX),
        _ => return Err(err!(INVALID_PARAMETER_VALUE, "sequence type must be smallint, integer, or bigint")),
    };
    let bad = |text: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text));
    if let Some(increment) = options.increment {
        if increment == 0 {
            return bad("INCREMENT must not be zero".into());
        }
        sequence.increment = increment;
    }
    if let Some(cycle) = options.cycle {
        sequence.cycle = cycle;
    }
    let ascending = sequence.increment > 0;
    match options.max {
        Some(Some(max)) => sequence.max = max,
        Some(None) => sequence.max = if ascending { type_max } else { -1 },
        None if new => sequence.max = if ascending { type_max } else { -1 },
        None => {}
    }
    match options.min {
        Some(Some(min)) => sequence.min = min,
        Some(None) => sequence.min = if ascending { 1 } else { type_min },
        None if new => sequence.min = if ascending { 1 } else { type_min },
        None => {}
    }
    let type_name = types::format_type(sequence.typ);
    if sequence.max > type_max || sequence.max < type_min {
        return bad(format!("MAXVALUE ({}) is out of range for sequence data type {type_name}", sequence.max));
    }
    if sequence.min > type_max || sequence.min < type_min {
        return bad(format!("MINVALUE ({}) is out of range for sequence data type {type_name}", sequence.min));
    }
    if sequence.min >= sequence.max {
        return bad(format!("MINVALUE ({}) must be less than MAXVALUE ({})", sequence.min, sequence.max));
    }
    match options.start {
        Some(start) => sequence.start = start,
        None if new => sequence.start = if ascending { sequence.min } else { sequence.max },
        None => {}
    }
    if sequence.start < sequence.min {
        return bad(format!("START value ({}) cannot be less than MINVALUE ({})", sequence.start, sequence.min));
    }
    if sequence.start > sequence.max {
        return bad(format!("START value ({}) cannot be greater than MAXVALUE ({})", sequence.start, sequence.max));
    }
    if let Some(cache) = options.cache {
        if cache <= 0 {
            return bad(format!("CACHE ({cache}) must be greater than zero"));
        }
        sequence.cache = cache;
    }
    Ok(())
}
