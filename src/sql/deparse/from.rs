//! FROM: items, joins, aliases.

use crate::document::{Datum, Type};
use crate::sql::io::reg::quote_identifier;
use crate::sql::plan::{Expr, JoinKind};
use crate::sql::shape::{From, Item, On, Source};

use super::query::Place;
use super::{INDENT, INDENT_VAR, Writer};

impl Writer<'_> {
    pub(super) fn from(&mut self, from: &[From]) -> Option<()> {
        for (i, item) in from.iter().enumerate() {
            if i == 0 {
                self.keyword(" FROM ", -INDENT, INDENT, 2);
                self.item_of_from(item)?;
                continue;
            }
            self.push(", ");
            let text = self.aside(|w| w.item_of_from(item))?;
            if text.starts_with('\n') {
                while self.out.ends_with(' ') {
                    self.out.pop();
                }
            } else if self.overflows(text.len()) {
                self.keyword("", -INDENT, INDENT, INDENT_VAR);
            }
            self.push(&text);
        }
        Some(())
    }

    /// Whether so much more would make the line too long.
    pub(super) fn overflows(&self, more: usize) -> bool {
        let line = self.out.rsplit('\n').next().map_or(0, str::len);
        usize::try_from(self.layout.wrap).is_ok_and(|wrap| line + more > wrap)
    }

    fn item_of_from(&mut self, from: &From) -> Option<()> {
        match from {
            From::Item(index) => self.plain_item(*index),
            From::Join { item, kind, left, right, on } => self.join(*item, *kind, (left, right), on),
        }
    }

    fn join(&mut self, item: usize, kind: JoinKind, sides: (&From, &From), on: &On) -> Option<()> {
        let shape = self.shape()?;
        let has_alias = |item: usize| shape.items.get(item).is_some_and(|item| item.alias.is_some());
        let pretty = self.layout.pretty;
        let enclosed = !pretty || has_alias(item);
        let enclosed_right = pretty && matches!(sides.1, From::Join { item, .. } if !has_alias(*item));
        if enclosed {
            self.push("(");
        }
        self.item_of_from(sides.0)?;
        let words = match (kind, on) {
            (JoinKind::Inner, On::None) => " CROSS JOIN ",
            (JoinKind::Inner, _) => " JOIN ",
            (JoinKind::Left, _) => " LEFT JOIN ",
            (JoinKind::Right, _) => " RIGHT JOIN ",
            (JoinKind::Full, _) => " FULL JOIN ",
        };
        self.keyword(words, -INDENT, INDENT, 4);
        if enclosed_right {
            self.push("(");
        }
        self.item_of_from(sides.1)?;
        if enclosed_right {
            self.push(")");
        }
        match on {
            On::Using(names, alias) => {
                let names: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
                self.push(&format!(" USING ({})", names.join(", ")));
                if let Some(alias) = alias {
                    self.push(&format!(" AS {}", quote_identifier(alias)));
                }
            }
            On::Condition(condition) => {
                self.push(" ON ");
                if !pretty {
                    self.push("(");
                }
                self.expr(condition, false)?;
                if !pretty {
                    self.push(")");
                }
            }
            On::None if kind != JoinKind::Inner => self.push(" ON TRUE"),
            On::None => {}
        }
        if enclosed {
            self.push(")");
        }
        if has_alias(item) {
            self.alias(item)?;
            self.column_list(item)?;
        }
        Some(())
    }

    fn alias(&mut self, index: usize) -> Option<()> {
        let name = self.names.item(index)?.to_string();
        self.push(&format!(" {}", quote_identifier(&name)));
        Some(())
    }

    fn column_list(&mut self, index: usize) -> Option<()> {
        if let (names, true) = self.names.columns(index)? {
            let names: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
            if !names.is_empty() {
                self.push(&format!("({})", names.join(", ")));
            }
        }
        Some(())
    }

    fn plain_item(&mut self, index: usize) -> Option<()> {
        let item = self.shape()?.items.get(index)?;
        if item.lateral {
            self.push("LATERAL ");
        }
        let mut definitions: &[(String, Type)] = &[];
        match &item.source {
            Source::Relation { oid, schema, name, .. } => self.relation(*oid, *schema, name)?,
            Source::Query(query) => {
                self.push("(");
                self.query(query, Place { result: None, visible: true, top: false })?;
                self.push(")");
            }
            Source::Function { calls, ordinality } => definitions = self.functions(calls, *ordinality)?,
            Source::Values(rows) => {
                self.push("(");
                self.values(rows)?;
                self.push(")");
            }
            Source::Cte(name) => self.push(&quote_identifier(name)),
            Source::Join | Source::JsonTable(_) => return None,
        }
        if self.shows_alias(index, item) {
            self.alias(index)?;
        }
        if definitions.is_empty() {
            self.column_list(index)?;
        } else {
            self.definitions(definitions);
        }
        if let Source::Relation { sample: Some(sample), .. } = &item.source {
            let (method, argument, seed) = &**sample;
            self.push(&format!(" TABLESAMPLE {} (", quote_identifier(method)));
            self.expr(argument, false)?;
            self.push(")");
            if let Some(seed) = seed {
                self.push(" REPEATABLE (");
                self.expr(seed, false)?;
                self.push(")");
            }
        }
        Some(())
    }

    fn shows_alias(&self, index: usize, item: &Item) -> bool {
        item.alias.is_some()
            || self.names.columns(index).is_some_and(|(_, listed)| listed)
            || match &item.source {
                Source::Relation { name, .. } | Source::Cte(name) => self.names.item(index) != Some(name),
                Source::JsonTable(_) => false,
                _ => true,
            }
    }

    fn definitions(&mut self, definitions: &[(String, Type)]) {
        let columns =
            definitions.iter().map(|(name, typ)| format!("{} {}", quote_identifier(name), self.defined_type(*typ)));
        let columns: Vec<String> = columns.collect();
        self.push(&format!("({})", columns.join(", ")));
    }

    /// The calls of a function item; the definitions that follow its alias.
    fn functions<'c>(
        &mut self,
        calls: &'c [(Expr, Vec<(String, Type)>)],
        ordinality: bool,
    ) -> Option<&'c [(String, Type)]> {
        let mut definitions: &[(String, Type)] = &[];
        match calls {
            [(call, own)] if own.is_empty() || !ordinality => {
                self.expr(call, true)?;
                definitions = own;
            }
            calls => {
                let argument = |(call, own): &'c (Expr, Vec<(String, Type)>)| match call {
                    Expr::Call { function, args, .. } if function.name == "unnest" && own.is_empty() => args.first(),
                    _ => None,
                };
                let arrays: Vec<&Expr> = calls.iter().filter_map(argument).collect();
                if arrays.len() == calls.len() {
                    self.push("UNNEST(");
                    self.separated(&arrays, |w, array| w.expr(array, true))?;
                } else {
                    self.push("ROWS FROM(");
                    self.separated(calls, |w, (call, own)| {
                        w.expr(call, true)?;
                        if !own.is_empty() {
                            w.push(" AS ");
                            w.definitions(own);
                        }
                        Some(())
                    })?;
                }
                self.push(")");
            }
        }
        if ordinality {
            self.push(" WITH ORDINALITY");
        }
        Some(definitions)
    }

    /// `VALUES (...), (...)`.
    pub(super) fn values(&mut self, rows: &[Vec<Expr>]) -> Option<()> {
        self.push("VALUES ");
        self.separated(rows, |w, row| {
            w.push("(");
            for (i, cell) in row.iter().enumerate() {
                if i > 0 {
                    w.push(",");
                }
                match cell {
                    Expr::Const(Datum::Null, typ) => {
                        w.constant(&Datum::Null, *typ, super::constant::Label::WhereNeeded)
                    }
                    cell => w.top_level(cell, false)?,
                }
            }
            w.push(")");
            Some(())
        })
    }
}
