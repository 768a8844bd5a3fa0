//! Syntax that is a function call in disguise: LIKE, SUBSTRING, TRIM, EXTRACT, CURRENT_DATE and the like.

use sqlparser::ast;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::plan::{CastKind, Expr};
use crate::sql::shape::form;
use crate::sql::types;

use super::coerce::Context;
use super::operator::OperatorAt;
use super::scope::Scope;
use super::{Binder, unknown};

impl Binder<'_> {
    /// A call of a built-in function with plain arguments.
    pub(super) fn call_plain(
        &mut self,
        name: &str,
        args: &[&ast::Expr],
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let (mut bound, mut at) = (Vec::with_capacity(args.len()), Vec::with_capacity(args.len()));
        for arg in args {
            bound.push(self.expr(arg, scope)?);
            at.push(self.expr_at(arg));
        }
        self.call_scalar(name, bound, &at, position)
    }

    /// LIKE and ILIKE as the operator `name`.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn like(
        &mut self,
        name: &str,
        escape_function: &str,
        any: bool,
        expr: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        if any {
            return self.any_all(expr, name, false, pattern, scope);
        }
        let left = self.expr(expr, scope)?;
        let right = match escape {
            None => self.expr(pattern, scope)?,
            Some(escape) => self.call_plain(escape_function, &[pattern, escape], self.after(expr), scope)?,
        };
        self.compare_or_apply(name, left, right, OperatorAt::lazy(expr, pattern))
    }

    /// SIMILAR TO.
    pub(super) fn similar(
        &mut self,
        negated: bool,
        expr: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let left = self.expr(expr, scope)?;
        let mut args = vec![pattern];
        args.extend(escape);
        let right = self.call_plain("similar_to_escape", &args, self.after(expr), scope)?;
        let name = if negated { "!~" } else { "~" };
        self.compare_or_apply(name, left, right, OperatorAt::lazy(expr, pattern))
    }

    /// EXTRACT(field FROM source).
    pub(super) fn extract(
        &mut self,
        field: &ast::DateTimeField,
        source: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let field = match field {
            ast::DateTimeField::Custom(name) if name.quote_style.is_some() => name.value.clone(),
            other => other.to_string().to_lowercase(),
        };
        let field = Expr::Const(Datum::text(field), Type::TEXT);
        let bound = self.expr(source, scope)?;
        let at = self.expr_at(source);
        let call = self.call_scalar("extract", vec![field, bound], &[at, at], at)?;
        Ok(self.noted(&form::SYNTAX, call))
    }

    /// CEIL and FLOOR.
    pub(super) fn rounding(
        &mut self,
        name: &str,
        inner: &ast::Expr,
        field: &ast::CeilFloorKind,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        match field {
            ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) => {
                self.call_plain(name, &[inner], self.expr_at(inner), scope)
            }
            _ => Err(Error::unsupported(format!("{name} to a field"))),
        }
    }

    /// SUBSTRING(text FROM start FOR length).
    pub(super) fn substring(
        &mut self,
        text: &ast::Expr,
        from: Option<&ast::Expr>,
        length: Option<&ast::Expr>,
        shorthand: bool,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let position = self.before_call(text);
        let name = if shorthand { "substr" } else { "substring" };
        match (from, length) {
            (Some(from), Some(length)) => {
                let call = self.call_plain(name, &[text, from, length], position, scope)?;
                Ok(if shorthand { call } else { self.noted(&form::SYNTAX, call) })
            }
            (Some(from), None) => {
                let call = self.call_plain(name, &[text, from], position, scope)?;
                Ok(if shorthand { call } else { self.noted(&form::SYNTAX, call) })
            }
            (None, Some(length)) => {
                // FOR alone counts from the first character.
                let bound = self.expr(text, scope)?;
                let length_bound = self.expr(length, scope)?;
                let length_at = self.expr_at(length);
                let length_bound = self.coerce_specific(length_bound, Type::INT4, "SUBSTRING", length_at)?;
                let one = Expr::Const(Datum::Int4(1), Type::INT4);
                let call = self.call_scalar(name, vec![bound, one, length_bound], &[position; 3], position)?;
                Ok(self.noted(&form::SYNTAX, call))
            }
            (None, None) => self.call_plain(name, &[text], position, scope),
        }
    }

    /// Where a call begins whose first argument this is: only known by the argument.
    fn before_call(&self, first: &ast::Expr) -> u32 {
        self.expr_at(first)
    }

    /// TRIM.
    pub(super) fn trim(
        &mut self,
        side: Option<ast::TrimWhereField>,
        what: Option<&ast::Expr>,
        text: &ast::Expr,
        characters: Option<&[ast::Expr]>,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let name = match side {
            None | Some(ast::TrimWhereField::Both) => "btrim",
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
        };
        let mut args = vec![text];
        args.extend(what);
        args.extend(characters.unwrap_or_default());
        let call = self.call_plain(name, &args, self.expr_at(text), scope)?;
        Ok(self.noted(&form::SYNTAX, call))
    }

    /// `IS [NOT] NORMALIZED`.
    pub(super) fn is_normalized(
        &mut self,
        inner: &ast::Expr,
        form: Option<ast::NormalizationForm>,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let bound = self.expr(inner, scope)?;
        let form = form.map_or("NFC".to_string(), |form| form.to_string());
        let at = self.expr_at(inner);
        let form = Expr::Const(Datum::text(form), Type::TEXT);
        let test = self.call_scalar("is_normalized", vec![bound, form], &[at, at], at)?;
        let test = self.noted(&form::SYNTAX, test);
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }

    /// `(s1, e1) OVERLAPS (s2, e2)`.
    pub(super) fn overlaps(&mut self, left: &ast::Expr, right: &ast::Expr, scope: &Scope<'_>) -> Result<Expr> {
        let mut args = Vec::with_capacity(4);
        for (side, word) in [(left, "left"), (right, "right")] {
            match self.expr(side, scope)? {
                Expr::Row { fields, .. } if fields.len() == 2 => args.extend(fields),
                _ => {
                    return Err(err!(SYNTAX_ERROR, "wrong number of parameters on {word} side of OVERLAPS expression")
                        .at(self.expr_at(side)));
                }
            }
        }
        let at = self.after(left);
        let call = self.call_scalar("overlaps", args, &[at; 4], at)?;
        Ok(self.noted(&form::SYNTAX, call))
    }

    /// The functions that are written without parentheses, or with only a precision in them; `None` for other names.
    pub(super) fn sql_value(&mut self, name: &str, precision: Option<i32>, position: u32) -> Result<Option<Expr>> {
        let clock = |binder: &mut Self, target: Type| -> Result<Expr> {
            let now = binder.call_scalar("now", Vec::new(), &[], position)?;
            let precision = precision.map_or(-1, |p| p.clamp(0, 6));
            let typ = Type::with_typmod(target.oid, precision);
            binder.cast_to(now, typ, Context::Explicit, position)
        };
        let call = |binder: &mut Self, name: &str| binder.call_scalar(name, Vec::new(), &[], position);
        let expr = match name {
            "current_date" => clock(self, Type::DATE)?,
            "current_time" => clock(self, Type::TIMETZ)?,
            "current_timestamp" => clock(self, Type::TIMESTAMPTZ)?,
            "localtime" => clock(self, Type::TIME)?,
            "localtimestamp" => clock(self, Type::TIMESTAMP)?,
            "current_user" | "current_role" | "user" => call(self, "current_user")?,
            "session_user" => call(self, "session_user")?,
            "current_catalog" => call(self, "current_database")?,
            "current_schema" => call(self, "current_schema")?,
            "system_user" => return Err(Error::unsupported("SYSTEM_USER")),
            _ => return Ok(None),
        };
        if self.is_recording() {
            let mut words = name.to_uppercase();
            if let Some(precision) = precision {
                words.push_str(&format!("({precision})"));
            }
            return Ok(Some(form::of(&form::WORDS, vec![form::word(&words)], expr.typ())));
        }
        Ok(Some(expr))
    }

    /// A type's name used as a function of one argument is a cast, under PostgreSQL's conditions.
    pub(super) fn call_as_cast(&mut self, name: &str, arg: &Expr, position: u32) -> Result<Option<Expr>> {
        let Some(info) = types::by_name(name) else { return Ok(None) };
        let (from, to) = (arg.typ().oid, Type::new(info.oid));
        let allowed = from == Type::UNKNOWN.oid
            || match super::coerce::pathway(from, to.oid, Context::Explicit) {
                Some(super::coerce::Pathway::Relabel) => true,
                Some(super::coerce::Pathway::InOut) => {
                    !((from == Type::RECORD.oid || super::coerce::is_composite(from)) && info.category == 'S')
                }
                _ => false,
            };
        if !allowed {
            return Ok(None);
        }
        self.cast_to(arg.clone(), to, Context::Explicit, position).map(Some)
    }

    /// `pg_typeof` is known when the statement is bound.
    pub(super) fn type_of(&self, arg: &Expr) -> Expr {
        let oid = match arg {
            Expr::Cast { kind: CastKind::Domain(domain), .. } => *domain,
            Expr::Column(id, _) => self.domains.get(id).copied().unwrap_or(arg.typ().oid),
            other => other.typ().oid,
        };
        Expr::Const(Datum::Oid(oid), Type::REGTYPE)
    }

    /// Text for arguments declared `"any"`, which would get an unknown literal otherwise.
    pub(super) fn settle_any(&mut self, arg: Expr, position: u32) -> Result<Expr> {
        match arg {
            Expr::Const(Datum::Text(text), Type::UNKNOWN) => {
                self.coerce(unknown(&text), Type::TEXT, Context::Implicit, position)
            }
            Expr::Const(Datum::Null, Type::UNKNOWN) => Ok(Expr::null(Type::TEXT)),
            other => self.settle_record(other),
        }
    }

    /// Unknown literals in an anonymous row become text when nothing else can be said of them any more.
    pub(super) fn settle_record(&mut self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::Row { fields, names, typ: Type::RECORD }
                if fields.iter().any(|f| f.typ() == Type::UNKNOWN || matches!(f, Expr::Row { .. })) =>
            {
                let mut settled = Vec::with_capacity(fields.len());
                for field in fields {
                    let field = self.unknown_is_text(field, 0)?;
                    settled.push(self.settle_record(field)?);
                }
                let names = names.iter().zip(&settled).map(|((name, _), f)| (name.clone(), f.typ().oid)).collect();
                Ok(Expr::Row { fields: settled, names, typ: Type::RECORD })
            }
            other => Ok(other),
        }
    }
}
