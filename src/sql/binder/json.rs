//! IS JSON and JSON_TABLE; the other SQL/JSON functions are ordinary calls by now.

use serde_json::Value;
use sqlparser::ast;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::functions;
use crate::sql::parser;
use crate::sql::plan::{Expr, OutputColumn, Rel, SetCall};
use crate::sql::shape::form;
use crate::sql::types;

use super::Binder;
use super::coerce::Context;
use super::from::FromItem;
use super::scope::{Clause, Entry, Scope};

impl Binder<'_> {
    /// `x IS [NOT] JSON [kind] [WITH UNIQUE KEYS]`.
    pub(super) fn is_json(
        &mut self,
        input: &ast::Expr,
        kind: Option<&ast::JsonPredicateType>,
        unique: Option<&ast::JsonKeyUniqueness>,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let at = self.expr_at(input);
        let bound = self.expr(input, scope)?;
        let bound = self.unknown_is_text(bound, at)?;
        let written = self.is_recording().then(|| bound.clone());
        let text = match Type::new(bound.typ().oid) {
            Type::JSON | Type::JSONB => self.cast_to(bound, Type::TEXT, Context::Explicit, at)?,
            Type::BYTEA => {
                let utf8 = Expr::Const(Datum::text("UTF8"), Type::NAME);
                self.call_scalar("convert_from", vec![bound, utf8], &[at; 2], at)?
            }
            typ if types::category(typ.oid) == 'S' => self.cast_to(bound, Type::TEXT, Context::Explicit, at)?,
            typ => {
                let name = self.type_name(typ.oid);
                return Err(err!(DATATYPE_MISMATCH, "cannot use type {name} in IS JSON predicate"));
            }
        };
        let kind = kind.map_or("value".to_string(), |kind| kind.to_string().to_lowercase());
        let unique = matches!(unique, Some(ast::JsonKeyUniqueness::WithUniqueKeys));
        if let Some(written) = written {
            let args = vec![written, form::word(&kind), Expr::bool(unique)];
            let is = form::of(&form::IS_JSON, args, Type::BOOL);
            return Ok(if negated { Expr::Not(Box::new(is)) } else { is });
        }
        let args = vec![text, Expr::Const(Datum::text(kind), Type::TEXT), Expr::bool(unique)];
        let is = self.call_scalar("is_json", args, &[at; 3], at)?;
        Ok(if negated { Expr::Not(Box::new(is)) } else { is })
    }

    /// JSON_TABLE in the parser's form: context item, path, variables, and the plan of the columns, whose types are
    /// resolved here.
    pub(super) fn json_table(
        &mut self,
        args: &[ast::FunctionArg],
        alias: Option<&ast::TableAlias>,
        before: &[Entry],
        parent: Option<&Scope<'_>>,
    ) -> Result<FromItem> {
        let internal = || Error::internal("JSON_TABLE has four arguments");
        let exprs = args.iter().map(|arg| match arg {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Ok(expr),
            _ => Err(internal()),
        });
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        let [context, path, variables, ast::Expr::Value(plan)] = exprs.as_slice() else { return Err(internal()) };
        let ast::Value::SingleQuotedString(plan) = &plan.value else { return Err(internal()) };
        let scope = Scope::over(parent, before.to_vec(), Clause::FromFunction);
        let mut bound = Vec::with_capacity(4);
        for expr in [context, path, variables] {
            bound.push(self.expr(expr, &scope)?);
        }
        let mut plan: Value = serde_json::from_str(plan).map_err(|_| internal())?;
        let mut columns = Vec::new();
        self.json_table_columns(&mut plan, &mut columns)?;
        bound.push(Expr::Const(Datum::text(plan.to_string()), Type::TEXT));
        let function = functions::find("json_table").first().ok_or_else(internal)?;
        let call = Expr::Call { function, args: bound, typ: Type::RECORD };
        if self.is_recording() {
            self.no_form();
        }
        let ids = columns.iter().map(|c| (c.id, c.typ)).collect();
        let calls = vec![SetCall { call, columns: ids }];
        let rel = Rel::Function { calls, ordinality: None, input: Box::new(Rel::OneRow), outer: false };
        let item = self.item(columns, Some("json_table".to_string()), Type::RECORD);
        self.aliased(rel, item, alias, true)
    }

    fn json_table_columns(&mut self, plan: &mut Value, out: &mut Vec<OutputColumn>) -> Result<()> {
        let Some(columns) = plan.get_mut("columns").and_then(Value::as_array_mut) else { return Ok(()) };
        for column in columns {
            let kind = column.get("kind").and_then(Value::as_str).unwrap_or_default().to_string();
            if kind == "nested" {
                self.json_table_columns(column, out)?;
                continue;
            }
            let text = |key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
            let name = text("name");
            if out.iter().any(|c| c.name == name) {
                return Err(err!(DUPLICATE_ALIAS, "duplicate JSON_TABLE column or path name: {name}"));
            }
            let typ = self.data_type(&parser::parse_type(&text("type"))?)?;
            let is_json = matches!(Type::new(typ.oid), Type::JSON | Type::JSONB) || types::category(typ.oid) == 'A';
            if kind == "value" && is_json {
                column["kind"] = "query".into();
            }
            column["oid"] = typ.oid.into();
            column["typmod"] = typ.typmod.into();
            out.push(OutputColumn { id: self.column(), name, typ, origin: (0, 0) });
        }
        Ok(())
    }
}
