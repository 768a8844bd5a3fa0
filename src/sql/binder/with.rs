//! WITH: definitions, recursion, and which of them are put in place of their reference.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sqlparser::ast;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::parser::ident;
use crate::sql::plan::{ColumnId, Cte, Expr, OutputColumn, Rel};
use crate::sql::statement::Statement;

use super::scope::Scope;
use super::select::QueryOptions;
use super::{Binder, Bound};

/// A name that WITH defines, as the scope knows it.
#[derive(Debug)]
pub(super) struct CteEntry {
    pub(super) name: String,
    pub(super) id: u32,
    /// The columns; `None` while they are not known yet.
    pub(super) columns: RefCell<Option<Vec<OutputColumn>>>,
    pub(super) references: Cell<usize>,
    /// Why a reference is refused at this moment, and where the error is if not at the reference.
    pub(super) refused: RefCell<Option<(String, Option<u32>)>>,
    /// A data-modifying member without RETURNING.
    pub(super) returns_nothing: Cell<bool>,
    /// Where the references stand: a column of each, and its position.
    pub(super) places: RefCell<Vec<(ColumnId, u32)>>,
    /// What SEARCH and CYCLE add to the columns, while the recursive term is bound: references there have them too.
    pub(super) added: RefCell<Vec<(ColumnId, Type)>>,
    /// Those columns as the reference in the recursive term has them.
    pub(super) carried: RefCell<Vec<(ColumnId, Type)>>,
}

/// A bound definition.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) entry: Rc<CteEntry>,
    pub(super) bound: Bound,
    pub(super) recursive: Option<(Rel, Vec<ColumnId>, bool)>,
    pub(super) materialized: Option<bool>,
    pub(super) modifies: bool,
}

impl Binder<'_> {
    /// Binds the definitions of a WITH and makes them known in `scope`.
    pub(super) fn with(
        &mut self,
        with: &ast::With,
        members: &[(usize, Statement)],
        scope: &mut Scope<'_>,
    ) -> Result<(Vec<crate::sql::shape::Cte>, Vec<Definition>)> {
        let names: Vec<String> = with.cte_tables.iter().map(|cte| ident(&cte.alias.name)).collect();
        for (i, cte) in with.cte_tables.iter().enumerate() {
            if names[..i].contains(&names[i]) {
                return Err(err!(DUPLICATE_ALIAS, "WITH query name \"{}\" specified more than once", names[i])
                    .at(self.at(cte.alias.name.span)));
            }
            if cte.from.is_some() {
                return Err(Error::unsupported("this form of WITH"));
            }
        }
        let mut noted = Vec::new();
        let mut definitions: Vec<Definition> = Vec::with_capacity(names.len());
        // What is still to be defined, the next one last; a forward reference of WITH RECURSIVE puts its definition there.
        let mut waiting: Vec<usize> = (0..names.len()).rev().collect();
        // Those that wait for the next one.
        let mut held: Vec<usize> = Vec::new();
        while let Some(i) = waiting.pop() {
            let known = scope.ctes.len();
            scope.later = match with.recursive {
                true => waiting.iter().map(|i| names[*i].clone()).collect(),
                false => waiting.iter().chain([&i]).map(|i| names[*i].clone()).collect(),
            };
            let result = self.definition(with, i, members, scope);
            // With RECURSIVE a later name means its definition, also where there is a relation of the name.
            let wanted = scope.wanted.take().filter(|_| with.recursive);
            let Some(next) = wanted.and_then(|name| waiting.iter().position(|i| names[*i] == name)) else {
                definitions.push(result?);
                if self.is_recording() {
                    noted.extend(self.noted_cte(&with.cte_tables[i], scope)?.map(|cte| (i, cte)));
                }
                held.retain(|held| *held != i);
                continue;
            };
            let next = waiting.remove(next);
            if held.contains(&next) {
                let at = with.cte_tables[next.min(i)].alias.name.span;
                return Err(err!(FEATURE_NOT_SUPPORTED, "mutual recursion between WITH items is not implemented")
                    .at(self.at(at)));
            }
            scope.ctes.truncate(known);
            held.push(i);
            waiting.extend([i, next]);
        }
        scope.later.clear();
        noted.sort_by_key(|(i, _)| *i);
        Ok((noted.into_iter().map(|(_, cte)| cte).collect(), definitions))
    }

    /// Binds one definition and makes it known.
    fn definition(
        &mut self,
        with: &ast::With,
        i: usize,
        members: &[(usize, Statement)],
        scope: &mut Scope<'_>,
    ) -> Result<Definition> {
        let cte = &with.cte_tables[i];
        let name = ident(&cte.alias.name);
        let entry = Rc::new(CteEntry {
            name,
            id: self.next_cte,
            columns: RefCell::new(None),
            references: Cell::new(0),
            refused: RefCell::new(None),
            returns_nothing: Cell::new(false),
            places: RefCell::default(),
            added: RefCell::default(),
            carried: RefCell::default(),
        });
        self.next_cte += 1;
        let member = members.iter().find(|(at, _)| *at == i).map(|(_, statement)| statement);
        let definition = match member {
            Some(statement) => self.modifying_cte(entry.clone(), cte, statement, scope)?,
            None if with.recursive => self.recursive_cte(entry.clone(), cte, scope)?,
            None => self.plain_cte(entry.clone(), cte, scope)?,
        };
        *entry.columns.borrow_mut() = Some(definition.bound.columns.clone());
        *entry.refused.borrow_mut() = None;
        if !scope.ctes.iter().any(|known| Rc::ptr_eq(known, &entry)) {
            scope.ctes.push(entry);
        }
        Ok(definition)
    }

    pub(super) fn plain_cte(&mut self, entry: Rc<CteEntry>, cte: &ast::Cte, scope: &Scope<'_>) -> Result<Definition> {
        if cte.query.settings.is_some() {
            // What is wrong with the query itself is said first.
            let query = ast::Query { settings: None, ..(*cte.query).clone() };
            self.query(&query, QueryOptions::default(), scope)?;
            return Err(err!(SYNTAX_ERROR, "WITH query is not recursive").at(self.at(cte.alias.name.span)));
        }
        let mut bound = self.query(&cte.query, QueryOptions::default(), scope)?;
        self.rename_cte(&entry, cte, &mut bound.columns)?;
        Ok(Definition { entry, bound, recursive: None, materialized: materialized(cte), modifies: false })
    }

    fn modifying_cte(
        &mut self,
        entry: Rc<CteEntry>,
        cte: &ast::Cte,
        statement: &Statement,
        scope: &Scope<'_>,
    ) -> Result<Definition> {
        let (mut bound, _) = self.any_statement(statement, &[], scope)?;
        entry.returns_nothing.set(bound.columns.is_empty());
        self.rename_cte(&entry, cte, &mut bound.columns)?;
        let materialized = materialized(cte);
        Ok(Definition { entry, bound, recursive: None, materialized, modifies: true })
    }

    /// The same rows under new ids, one for each output column.
    pub(super) fn fresh_columns(&mut self, bound: Bound) -> Bound {
        let mut exprs = Vec::with_capacity(bound.columns.len());
        let mut columns = Vec::with_capacity(bound.columns.len());
        for column in bound.columns {
            let id = self.column();
            exprs.push((id, column.expr()));
            columns.push(OutputColumn { id, ..column });
        }
        Bound { rel: Rel::Project { input: Box::new(bound.rel), exprs }, columns }
    }

    pub(super) fn rename_cte(&self, entry: &CteEntry, cte: &ast::Cte, columns: &mut [OutputColumn]) -> Result<()> {
        let given = &cte.alias.columns;
        if given.len() > columns.len() {
            return Err(err!(
                INVALID_COLUMN_REFERENCE,
                "WITH query \"{}\" has {} columns available but {} columns specified",
                entry.name,
                columns.len(),
                given.len()
            )
            .at(self.at(cte.alias.name.span)));
        }
        for (column, alias) in columns.iter_mut().zip(given) {
            column.name = ident(&alias.name);
        }
        Ok(())
    }

    /// A reference to a definition: new columns over it.
    pub(super) fn cte_reference(&mut self, entry: &CteEntry, position: u32) -> Result<(Rel, Vec<OutputColumn>)> {
        if let Some((why, at)) = &*entry.refused.borrow() {
            return Err(Error::new(SqlState::INVALID_RECURSION, why.clone()).at(at.unwrap_or(position)));
        }
        if entry.returns_nothing.get() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "WITH query \"{}\" does not have a RETURNING clause", entry.name)
                .at(position));
        }
        entry.references.set(entry.references.get() + 1);
        let known = entry.columns.borrow().clone().ok_or_else(|| Error::internal("a CTE without columns"))?;
        let mut columns = Vec::with_capacity(known.len());
        let mut refs = Vec::with_capacity(known.len());
        for column in known {
            let id = self.column();
            refs.push((id, column.id, column.typ));
            columns.push(OutputColumn { id, ..column });
        }
        for (source, typ) in entry.added.borrow().iter() {
            let id = self.column();
            refs.push((id, *source, *typ));
            entry.carried.borrow_mut().push((id, *typ));
        }
        entry.places.borrow_mut().extend(refs.first().map(|(id, _, _)| (*id, position)));
        Ok((Rel::CteRef { cte: entry.id, columns: refs }, columns))
    }

    /// Puts single-use definitions in place and wraps the query in a `With` for the others.
    pub(super) fn finish_with(&mut self, definitions: Vec<Definition>, bound: Bound) -> Result<Bound> {
        let Bound { mut rel, columns } = bound;
        let mut ctes: Vec<Cte> = Vec::new();
        for definition in definitions.into_iter().rev() {
            let Definition { entry, bound, recursive, materialized, modifies } = definition;
            // As they are now: a later definition that was copied has copied its references.
            let mut references = 0;
            let mut count = |rel: &Rel| {
                rel.walk(&mut |rel| {
                    references += usize::from(matches!(rel, Rel::CteRef { cte, .. } if *cte == entry.id))
                });
            };
            count(&rel);
            for cte in &ctes {
                count(&cte.plan);
                if let Some((term, _, _)) = &cte.recursive {
                    count(term);
                }
            }
            let written = entry.references.get();
            if references == 0 && !modifies {
                continue;
            }
            let inline = recursive.is_none()
                && !modifies
                && materialized != Some(true)
                && (references == 1 || ((written == 1 || materialized == Some(false)) && !contains_with(&bound.rel)))
                && !bound.rel.is_volatile();
            if inline {
                let mut copies = Some(bound.rel);
                let mut replace = |target: &mut Rel, binder: &mut Self| {
                    target.rewrite_rels(&mut |rel| {
                        let Rel::CteRef { cte, columns } = rel else { return };
                        if *cte != entry.id {
                            return;
                        }
                        let columns = std::mem::take(columns);
                        let (plan, renamed) = match (references, &mut copies) {
                            (1, copies) => (copies.take().unwrap_or(Rel::OneRow), None),
                            (_, Some(plan)) => {
                                let (plan, renamed) = plan.copy_with_new_columns(&mut binder.next_column);
                                (plan, Some(renamed))
                            }
                            (_, None) => (Rel::OneRow, None),
                        };
                        let exprs = columns
                            .into_iter()
                            .map(|(here, source, typ)| {
                                let source =
                                    renamed.as_ref().and_then(|map| map.get(&source).copied()).unwrap_or(source);
                                (here, Expr::Column(source, typ))
                            })
                            .collect();
                        *rel = Rel::Project { input: Box::new(plan), exprs };
                    });
                };
                for cte in &mut ctes {
                    replace(&mut cte.plan, self);
                    if let Some((term, _, _)) = &mut cte.recursive {
                        replace(term, self);
                    }
                }
                replace(&mut rel, self);
                continue;
            }
            let mut bound = bound;
            if recursive.is_none() && !modifies {
                bound = self.fresh_if_shared(bound);
            }
            let columns = bound.columns.iter().map(|c| (c.id, c.typ)).collect();
            ctes.push(Cte { id: entry.id, name: entry.name.clone(), columns, plan: bound.rel, recursive });
        }
        if ctes.is_empty() {
            return Ok(Bound { rel, columns });
        }
        ctes.reverse();
        Ok(Bound { rel: Rel::With { ctes, body: Box::new(rel) }, columns })
    }

    /// A definition's columns are its plan's columns, each once: duplicates in the output list are one column.
    fn fresh_if_shared(&mut self, mut bound: Bound) -> Bound {
        let mut seen = Vec::new();
        bound.columns.retain(|column| {
            let new = !seen.contains(&column.id);
            seen.push(column.id);
            new
        });
        bound
    }
}

/// Whether a plan has definitions of its own, which may exist only once.
fn contains_with(rel: &Rel) -> bool {
    let mut found = false;
    rel.walk(&mut |rel| found |= matches!(rel, Rel::With { .. }));
    found
}

pub(super) fn materialized(cte: &ast::Cte) -> Option<bool> {
    cte.materialized.as_ref().map(|m| matches!(m, ast::CteAsMaterialized::Materialized))
}
