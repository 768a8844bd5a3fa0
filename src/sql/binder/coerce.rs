//! Conversions: which exist in which context, how an expression is converted, and the common type of several
//! (manual, 10.3 to 10.5; PostgreSQL's `parse_coerce.c`).

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::casts;
use crate::sql::io;
use crate::sql::plan::{CastKind, Expr};
use crate::sql::types;
use crate::sql::user_types;

use super::Binder;

pub(super) use casts::{Context, Pathway, pathway};

/// Whether a type is composite: the row type of a table (anonymous records are `record`).
pub(super) fn is_composite(oid: Oid) -> bool {
    types::is_composite(oid)
}

/// Whether a value of one type can become another (the target possibly polymorphic: checked separately).
pub(super) fn can_coerce(from: Oid, to: Oid, context: Context) -> bool {
    if from == to || to == Type::ANY.oid || types::is_polymorphic(to) || from == Type::UNKNOWN.oid {
        return true;
    }
    if pathway(from, to, context).is_some() {
        return true;
    }
    (from == Type::RECORD.oid && is_composite(to))
        || (to == Type::RECORD.oid && is_composite(from))
        || (to == Type::RECORD_ARRAY.oid && types::element_of(from).is_some_and(is_composite))
}

impl Binder<'_> {
    /// Converts an expression that is known to be convertible (see [`can_coerce`]); `position` is for errors of
    /// reading literals. The typmod of the target is not applied.
    pub(super) fn coerce(&mut self, expr: Expr, to: Type, context: Context, position: u32) -> Result<Expr> {
        let from = expr.typ();
        if from.oid == to.oid || to == Type::ANY || (types::is_polymorphic(to.oid) && from != Type::UNKNOWN) {
            return Ok(expr);
        }
        let plain = Type::new(to.oid);
        if from == Type::UNKNOWN {
            return match expr {
                Expr::Const(Datum::Null, _) => Ok(Expr::Const(Datum::Null, plain)),
                Expr::Const(Datum::Text(text), _) if !types::is_polymorphic(to.oid) => {
                    let with = if to.oid == Type::INTERVAL.oid { to } else { plain };
                    let value = self.read_literal(with, &text).map_err(|e| e.at(position))?;
                    Ok(Expr::Const(value, if with.typmod >= 0 { with } else { plain }))
                }
                Expr::Param(index, _) => self.param_becomes(index, plain, position),
                Expr::Case { whens, otherwise, .. } => self.coerce_case(whens, otherwise, to, context, position),
                other if types::is_polymorphic(to.oid) => Ok(other),
                other => Ok(Expr::Cast { input: Box::new(other), typ: plain, kind: CastKind::InOut }),
            };
        }
        match pathway(from.oid, to.oid, context) {
            Some(Pathway::Relabel) if self.is_recording() => {
                Ok(Expr::Cast { input: Box::new(expr), typ: plain, kind: CastKind::Relabel })
            }
            Some(Pathway::Relabel) => Ok(relabel(expr, plain)),
            // A cast's function may answer a type that is binary compatible with the wanted one (int2 to oid by int4).
            // A number becomes as many bits as are asked for.
            Some(Pathway::Function(function)) if matches!(function.oid, 1683 | 2075) => {
                let length = Expr::Const(Datum::Int4(to.typmod), Type::INT4);
                Ok(Expr::Call { function, args: vec![expr, length], typ: to })
            }
            Some(Pathway::Function(function)) if function.returns != plain => {
                Ok(relabel(Expr::Call { function, args: vec![expr], typ: function.returns }, plain))
            }
            Some(Pathway::Function(function)) => Ok(Expr::Call { function, args: vec![expr], typ: plain }),
            Some(Pathway::Array) => Ok(Expr::Cast { input: Box::new(expr), typ: plain, kind: CastKind::Array }),
            Some(Pathway::InOut) => Ok(Expr::Cast { input: Box::new(expr), typ: plain, kind: CastKind::InOut }),
            None if from == Type::RECORD && is_composite(to.oid) => self.coerce_row(expr, plain, context, position),
            None if to == Type::RECORD => Ok(relabel(expr, plain)),
            None if to == Type::RECORD_ARRAY => Ok(relabel(expr, plain)),
            None => Err(self.cannot_cast(from.oid, to.oid).at(position)),
        }
    }

    fn coerce_case(
        &mut self,
        whens: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
        to: Type,
        context: Context,
        position: u32,
    ) -> Result<Expr> {
        let mut out = Vec::with_capacity(whens.len());
        for (condition, result) in whens {
            out.push((condition, self.coerce(result, to, context, position)?));
        }
        let otherwise = match otherwise {
            Some(expr) => Some(Box::new(self.coerce(*expr, to, context, position)?)),
            None => None,
        };
        Ok(Expr::Case { whens: out, otherwise, typ: Type::new(to.oid) })
    }

    /// `ROW(...)` as a table's row type: field by field.
    fn coerce_row(&mut self, expr: Expr, to: Type, context: Context, position: u32) -> Result<Expr> {
        let Some(fields) = user_types::fields(&self.catalog, to.oid) else {
            return Err(self.cannot_cast(Type::RECORD.oid, to.oid).at(position));
        };
        let Expr::Row { fields: values, .. } = expr else { return Ok(relabel(expr, to)) };
        if values.len() != fields.len() {
            let what = if values.len() < fields.len() { "few" } else { "many" };
            let error = self.cannot_cast(Type::RECORD.oid, to.oid);
            return Err(error.detail(format!("Input has too {what} columns.")).at(position));
        }
        let mut out = Vec::with_capacity(values.len());
        for (value, (_, typ)) in values.into_iter().zip(&fields) {
            let from = value.typ().oid;
            match self.coerce_to(value, *typ, context, position)? {
                Some(value) => out.push(value),
                None => {
                    let detail = format!(
                        "Cannot cast type {} to {} in column {}.",
                        self.type_name(from),
                        self.type_name(typ.oid),
                        out.len() + 1
                    );
                    return Err(self.cannot_cast(Type::RECORD.oid, to.oid).detail(detail).at(position));
                }
            }
        }
        let names = fields.iter().map(|(name, typ)| (name.as_str().into(), self.base(*typ).oid)).collect();
        Ok(Expr::Row { fields: out, names, typ: to })
    }

    /// Converts to a type with its typmod applied; `None` when there is no way.
    pub(super) fn coerce_to(&mut self, expr: Expr, to: Type, context: Context, position: u32) -> Result<Option<Expr>> {
        if user_types::is_checked(to.oid) {
            let base = self.base(to);
            // An array's elements are checked where the literal is read.
            if let (Expr::Const(Datum::Text(text), Type::UNKNOWN), true) = (&expr, types::is_array(to.oid)) {
                let value = self.read_literal(to, text).map_err(|e| e.at(position))?;
                return Ok(Some(Expr::Const(value, base)));
            }
            let value = self.coerce_to(expr, base, context, position)?;
            return Ok(value.map(|value| domain_check(value, to)));
        }
        if !can_coerce(expr.typ().oid, to.oid, context) {
            return Ok(None);
        }
        let expr = self.coerce(expr, to, context, position)?;
        Ok(Some(apply_typmod(expr, to, context)))
    }

    /// As [`Self::coerce`] by an implicit conversion, or the error of `what`.
    pub(super) fn coerce_implicit(&mut self, expr: Expr, to: Type, what: &str, position: u32) -> Result<Expr> {
        let from = expr.typ().oid;
        if !can_coerce(from, to.oid, Context::Implicit) {
            return Err(err!(
                CANNOT_COERCE,
                "{what} could not convert type {} to {}",
                self.type_name(from),
                self.type_name(to.oid)
            )
            .at(position));
        }
        self.coerce(expr, to, Context::Implicit, position)
    }

    /// Reads a literal as a type.
    pub(super) fn read_literal(&self, typ: Type, text: &str) -> Result<Datum> {
        io::text_in(typ, text, self.eval)
    }

    fn param_becomes(&mut self, index: usize, to: Type, position: u32) -> Result<Expr> {
        let known = self.params[index];
        if known == Type::UNKNOWN {
            self.params[index] = to;
        } else if known.oid != to.oid {
            return Err(err!(AMBIGUOUS_PARAMETER, "inconsistent types deduced for parameter ${}", index + 1)
                .detail(format!("{} versus {}", self.type_name(known.oid), self.type_name(to.oid)))
                .at(position));
        }
        Ok(Expr::Param(index, to))
    }

    /// 42846.
    pub(super) fn cannot_cast(&self, from: Oid, to: Oid) -> Error {
        err!(CANNOT_COERCE, "cannot cast type {} to {}", self.type_name(from), self.type_name(to))
    }

    /// A condition: must be boolean; `what` names the construct (`WHERE`, `argument of NOT`...).
    pub(super) fn coerce_bool(&mut self, expr: Expr, what: &str, position: u32) -> Result<Expr> {
        let from = expr.typ();
        if from == Type::BOOL {
            return Ok(expr);
        }
        if expr.contains_set() {
            return Err(err!(DATATYPE_MISMATCH, "argument of {what} must not return a set").at(position));
        }
        match self.coerce_to(expr, Type::BOOL, Context::Assignment, position)? {
            Some(expr) => Ok(expr),
            None => Err(err!(
                DATATYPE_MISMATCH,
                "argument of {what} must be type boolean, not type {}",
                self.type_name(from.oid)
            )
            .at(position)),
        }
    }

    /// Converts to a certain type as LIMIT and frame bounds need it.
    pub(super) fn coerce_specific(&mut self, expr: Expr, to: Type, what: &str, position: u32) -> Result<Expr> {
        let from = expr.typ();
        match self.coerce_to(expr, to, Context::Assignment, position)? {
            Some(expr) => Ok(expr),
            None => Err(err!(
                DATATYPE_MISMATCH,
                "argument of {what} must be type {}, not type {}",
                self.type_name(to.oid),
                self.type_name(from.oid)
            )
            .at(position)),
        }
    }

    /// An unknown literal or parameter that nothing says more about is text.
    pub(super) fn unknown_is_text(&mut self, expr: Expr, position: u32) -> Result<Expr> {
        if expr.typ() == Type::UNKNOWN { self.coerce(expr, Type::TEXT, Context::Implicit, position) } else { Ok(expr) }
    }

    /// The common type of several expressions (`what` in capitals for the message); `None` of `what` makes no error.
    pub(super) fn common_type(&self, of: &[Oid], what: Option<&str>, position: u32) -> Result<Option<Type>> {
        match common_type(of) {
            Ok(oid) => Ok(Some(Type::new(oid))),
            Err((left, right)) => match what {
                Some(what) => Err(err!(
                    DATATYPE_MISMATCH,
                    "{what} types {} and {} cannot be matched",
                    self.type_name(left),
                    self.type_name(right)
                )
                .at(position)),
                None => Ok(None),
            },
        }
    }

    /// Converts all to their common type. The result type keeps a typmod that all of them have.
    pub(super) fn unify(&mut self, exprs: Vec<Expr>, what: &str, at: &[u32]) -> Result<(Vec<Expr>, Type)> {
        let oids: Vec<Oid> = exprs.iter().map(|e| e.typ().oid).collect();
        let position = at.get(first_mismatch(&oids)).copied().unwrap_or(0);
        let common = self.common_type(&oids, Some(what), position)?.expect("an error was asked for");
        let mut out = Vec::with_capacity(exprs.len());
        for (i, expr) in exprs.into_iter().enumerate() {
            out.push(self.coerce_implicit(expr, common, what, at.get(i).copied().unwrap_or(0))?);
        }
        let typ = common_typmod(out.iter().map(Expr::typ), common);
        Ok((out, typ))
    }
}

/// Which of the types is the first that does not go with those before: the one that errors point at.
fn first_mismatch(oids: &[Oid]) -> usize {
    (1..=oids.len()).find(|n| common_type(&oids[..*n]).is_err()).map_or(0, |n| n - 1)
}

/// PostgreSQL's `select_common_type`; the two that do not go together otherwise.
pub(super) fn common_type(of: &[Oid]) -> Result<Oid, (Oid, Oid)> {
    let unknown = Type::UNKNOWN.oid;
    let Some(&first) = of.first() else { return Ok(Type::TEXT.oid) };
    if first != unknown && of.iter().all(|oid| *oid == first) {
        return Ok(first);
    }
    let mut best = first;
    for &oid in &of[1..] {
        if oid == unknown || oid == best {
            continue;
        }
        if best == unknown {
            best = oid;
        } else if category(oid) != category(best) {
            return Err((best, oid));
        } else if !types::is_preferred(best)
            && can_coerce(best, oid, Context::Implicit)
            && !can_coerce(oid, best, Context::Implicit)
        {
            best = oid;
        }
    }
    Ok(if best == unknown { Type::TEXT.oid } else { best })
}

/// The category of a type, composite types included.
pub(super) fn category(oid: Oid) -> char {
    types::category(oid)
}

/// The type with the typmod that all have, if they are all of this type.
pub(super) fn common_typmod(of: impl Iterator<Item = Type>, common: Type) -> Type {
    let mut typmod = None;
    for typ in of {
        if typ.oid != common.oid {
            return common;
        }
        match typmod {
            None => typmod = Some(typ.typmod),
            Some(known) if known != typ.typmod => return common,
            Some(_) => {}
        }
    }
    Type::with_typmod(common.oid, typmod.unwrap_or(-1))
}

/// The same value as another, binary compatible type. Constants change in place.
pub(super) fn relabel(expr: Expr, to: Type) -> Expr {
    match expr {
        Expr::Const(value, _) => Expr::Const(casts::relabelled(value, to), to),
        Expr::Cast { input, kind: CastKind::Relabel, .. } if input.typ() == to => *input,
        other => Expr::Cast { input: Box::new(other), typ: to, kind: CastKind::Relabel },
    }
}

/// The value checked by a domain.
pub(super) fn domain_check(value: Expr, domain: Type) -> Expr {
    let typ = value.typ();
    Expr::Cast { input: Box::new(value), typ, kind: CastKind::Domain(domain.oid) }
}

/// Applies a typmod, unless the expression has it already.
pub(super) fn apply_typmod(expr: Expr, to: Type, context: Context) -> Expr {
    let from = expr.typ();
    if to.typmod < 0 || from.typmod == to.typmod {
        return expr;
    }
    if let Expr::Const(Datum::Null, _) = expr {
        return Expr::Const(Datum::Null, to);
    }
    let kind = if context == Context::Explicit { CastKind::TypmodExplicit } else { CastKind::TypmodAssign };
    Expr::Cast { input: Box::new(expr), typ: to, kind }
}
