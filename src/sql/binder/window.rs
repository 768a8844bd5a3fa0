//! Window calls: OVER and WINDOW definitions, frames.

use sqlparser::ast;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::function::Body;
use crate::sql::parser::{exclusion, ident};
use crate::sql::plan::{Expr, Frame, FrameBound, FrameExclude, FrameUnits, SortKey, WindowCall};
use crate::sql::shape::Call;

use super::Binder;
use super::call::Resolved;
use super::coerce::{Context, can_coerce};
use super::scope::{Clause, Scope};

impl Binder<'_> {
    /// A call with OVER: leaves a column behind. Positions: of the call and of its definition.
    pub(super) fn window_call(
        &mut self,
        resolved: Resolved,
        filter: Option<Expr>,
        over: &ast::WindowType,
        (position, at): (u32, u32),
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        {
            let level = scope.level.borrow();
            if level.in_aggregate {
                return Err(
                    err!(GROUPING_ERROR, "aggregate function calls cannot contain window function calls").at(position)
                );
            }
            if level.in_window {
                return Err(err!(WINDOWING_ERROR, "window function calls cannot be nested").at(position));
            }
            if !level.clause.allows_windows() {
                return Err(match level.clause {
                    Clause::WindowPartition | Clause::WindowOrder | Clause::WindowFrame => {
                        err!(WINDOWING_ERROR, "window functions are not allowed in window definitions")
                    }
                    clause => {
                        err!(WINDOWING_ERROR, "window functions are not allowed in {}", clause.phrase())
                    }
                }
                .at(position));
            }
        }
        let (partition, order, frame) = self.window_over(over, at, scope)?;
        let noted = match over {
            ast::WindowType::NamedWindow(name) => Ok(ident(name)),
            ast::WindowType::WindowSpec(spec) if self.is_recording() => {
                Err(Box::new(self.noted_window(spec, partition.clone(), order.clone(), &frame)))
            }
            ast::WindowType::WindowSpec(_) => Ok(String::new()),
        };
        let Resolved { function, args, typ } = resolved;
        if matches!(function.body, Body::Window) && frame.exclude != FrameExclude::NoOthers {
            return Err(Error::unsupported("EXCLUDE with a pure window function"));
        }
        let call = WindowCall { function, args, filter, partition, order, frame, typ };
        let mut level = scope.level.borrow_mut();
        if let Some((id, _)) = level.windows.iter().find(|(_, known)| *known == call)
            && !self.is_recording()
        {
            return Ok(Expr::Column(*id, typ));
        }
        let id = self.column();
        let WindowCall { function, args, filter, .. } = &call;
        self.note_call(id, || Call::Window { function, args: args.clone(), filter: filter.clone(), over: noted });
        level.windows.push((id, call));
        Ok(Expr::Column(id, typ))
    }

    fn window_over(
        &mut self,
        over: &ast::WindowType,
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<(Vec<Expr>, Vec<SortKey>, Frame)> {
        match over {
            ast::WindowType::NamedWindow(name) => {
                let (spec, at) = self.named_window(name, self.at(name.span), scope)?;
                self.window_spec(&spec, false, at, scope)
            }
            ast::WindowType::WindowSpec(spec) => self.window_spec(spec, true, position, scope),
        }
    }

    fn named_window(&self, name: &ast::Ident, at: u32, scope: &Scope<'_>) -> Result<(ast::WindowSpec, u32)> {
        let folded = ident(name);
        scope
            .level
            .borrow()
            .window_names
            .get(&folded)
            .cloned()
            .ok_or_else(|| err!(UNDEFINED_OBJECT, "window \"{folded}\" does not exist").at(at))
    }

    /// A definition with what it takes from another; `copying`: its own clauses are added to those.
    pub(super) fn window_spec(
        &mut self,
        spec: &ast::WindowSpec,
        copying: bool,
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<(Vec<Expr>, Vec<SortKey>, Frame)> {
        let clause = scope.clause();
        let result = self.window_parts(spec, copying, position, scope);
        scope.set_clause(clause);
        result
    }

    fn window_parts(
        &mut self,
        spec: &ast::WindowSpec,
        copying: bool,
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<(Vec<Expr>, Vec<SortKey>, Frame)> {
        let mut base = None;
        if let Some(name) = &spec.window_name {
            let folded = ident(name);
            let (parent, parent_at) = self.named_window(name, position, scope)?;
            let (partition, order, _) = self.window_spec(&parent, true, parent_at, scope)?;
            if !spec.partition_by.is_empty() {
                return Err(
                    err!(WINDOWING_ERROR, "cannot override PARTITION BY clause of window \"{folded}\"").at(position)
                );
            }
            if !spec.order_by.is_empty() && !order.is_empty() {
                return Err(
                    err!(WINDOWING_ERROR, "cannot override ORDER BY clause of window \"{folded}\"").at(position)
                );
            }
            if parent.window_frame.is_some() && copying {
                let error = err!(WINDOWING_ERROR, "cannot copy window \"{folded}\" because it has a frame clause");
                let is_bare = spec.order_by.is_empty() && spec.window_frame.is_none();
                return Err(
                    if is_bare { error.hint("Omit the parentheses in this OVER clause.") } else { error }.at(position)
                );
            }
            base = Some((partition, order));
        }
        let (mut partition, mut order) = base.unwrap_or_default();
        scope.set_clause(Clause::WindowPartition);
        for expr in &spec.partition_by {
            let at = self.expr_at(expr);
            let bound = self.expr(expr, scope)?;
            let bound = self.unknown_is_text(bound, at)?;
            self.equality_of(bound.typ(), at)?;
            partition.push(bound);
        }
        scope.set_clause(Clause::WindowOrder);
        for key in &spec.order_by {
            order.push(self.sort_key(key, scope)?);
        }
        scope.set_clause(Clause::WindowFrame);
        let frame = match &spec.window_frame {
            Some(frame) => self.frame(frame, &order, position, scope)?,
            None => Frame {
                units: FrameUnits::Range,
                start: FrameBound::UnboundedPreceding,
                end: FrameBound::CurrentRow,
                exclude: FrameExclude::NoOthers,
            },
        };
        Ok((partition, order, frame))
    }

    fn frame(
        &mut self,
        frame: &ast::WindowFrame,
        order: &[SortKey],
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<Frame> {
        let current = ast::WindowFrameBound::CurrentRow;
        let (start, (end, excluded)) =
            (&frame.start_bound, frame.end_bound.as_ref().map_or((current, None), exclusion));
        let end = &end;
        let units = match frame.units {
            ast::WindowFrameUnits::Rows => FrameUnits::Rows,
            ast::WindowFrameUnits::Range => FrameUnits::Range,
            ast::WindowFrameUnits::Groups => FrameUnits::Groups,
        };
        if units == FrameUnits::Groups && order.is_empty() {
            return Err(err!(WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause").at(position));
        }
        Ok(Frame {
            units,
            start: self.frame_bound(start, units, order, position, scope)?,
            end: self.frame_bound(end, units, order, position, scope)?,
            exclude: match excluded {
                Some("current row") => FrameExclude::CurrentRow,
                Some("group") => FrameExclude::Group,
                Some(_) => FrameExclude::Ties,
                None => FrameExclude::NoOthers,
            },
        })
    }

    fn frame_bound(
        &mut self,
        bound: &ast::WindowFrameBound,
        units: FrameUnits,
        order: &[SortKey],
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<FrameBound> {
        use ast::WindowFrameBound::{CurrentRow, Following, Preceding};
        let (offset, make): (_, fn(Expr) -> FrameBound) = match bound {
            CurrentRow => return Ok(FrameBound::CurrentRow),
            Preceding(None) => return Ok(FrameBound::UnboundedPreceding),
            Following(None) => return Ok(FrameBound::UnboundedFollowing),
            Preceding(Some(offset)) => (offset, FrameBound::Preceding),
            Following(Some(offset)) => (offset, FrameBound::Following),
        };
        let at = self.expr_at(offset);
        let expr = self.expr(offset, scope)?;
        let written = self.is_recording().then(|| expr.clone());
        let mut expr = match units {
            FrameUnits::Rows => self.coerce_specific(expr, Type::INT8, "ROWS", at)?,
            FrameUnits::Groups => self.coerce_specific(expr, Type::INT8, "GROUPS", at)?,
            FrameUnits::Range => self.range_offset(expr, order, position, at)?,
        };
        if self.is_recording() {
            expr = self.as_written(written, &expr);
        }
        if !expr.is_closed() && expr.free_columns().iter().any(|id| scope.owns(*id)) {
            let what = match units {
                FrameUnits::Rows => "ROWS",
                FrameUnits::Range => "RANGE",
                FrameUnits::Groups => "GROUPS",
            };
            return Err(err!(INVALID_COLUMN_REFERENCE, "argument of {what} must not contain variables").at(at));
        }
        Ok(make(expr))
    }

    /// The offset of RANGE has a type that can be added to the one ORDER BY key.
    fn range_offset(&mut self, offset: Expr, order: &[SortKey], position: u32, at: u32) -> Result<Expr> {
        let [key] = order else {
            return Err(err!(
                WINDOWING_ERROR,
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"
            )
            .at(position));
        };
        let typ = Type::new(key.expr.typ().oid);
        let wanted = match typ {
            Type::INT2 | Type::INT4 | Type::INT8 => match offset.typ() {
                own @ (Type::INT2 | Type::INT4 | Type::INT8) => Type::new(own.oid),
                _ => typ,
            },
            Type::NUMERIC => Type::NUMERIC,
            Type::FLOAT4 | Type::FLOAT8 => Type::FLOAT8,
            Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME | Type::TIMETZ | Type::INTERVAL => {
                Type::INTERVAL
            }
            _ => {
                return Err(err!(
                    FEATURE_NOT_SUPPORTED,
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                    self.type_name(typ.oid)
                )
                .at(at));
            }
        };
        if !can_coerce(offset.typ().oid, wanted.oid, Context::Implicit) {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and offset type {}",
                self.type_name(typ.oid),
                self.type_name(offset.typ().oid)
            )
            .hint("Cast the offset value to an appropriate type.")
            .at(at));
        }
        self.coerce(offset, wanted, Context::Implicit, at)
    }
}
