//! Queries: SELECT, VALUES, TABLE and what is made of them, into sqlparser's `Query`.
//!
//! Normal forms: `LIMIT` and `FETCH FIRST n ROWS ONLY` are both `limit_clause` (`LIMIT ALL` is none), only `WITH TIES`
//! is `fetch`; a function in FROM is `TableFactor::Function` whatever its name (a SQL value function or a cast there
//! is `TableFunction`); `ROWS FROM (...)` is a function named [`ROWS_FROM`] whose arguments are the calls; a plain
//! column definition list takes the function's name as alias. Row locks that sqlparser cannot say have a mark as the
//! first name of `of`: [`super::row_locks`] reads them. In GROUP BY a grouping set inside a grouping set is a set of
//! this one expression, `()` is the empty `Tuple`, and DISTINCT is the modifier `Totals`. SEARCH and CYCLE of a member of
//! WITH are the `settings` of its query; a column definition list in ROWS FROM is a cast to a struct; the alias of JOIN
//! USING is a last name of two parts. `ONLY` and `*` say nothing here: no table has children.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    AccessExpr, Cte, CteAsMaterialized, Distinct, Expr, Fetch, GroupByExpr, GroupByWithModifier, Ident, LimitClause,
    LockClause, LockType, NamedWindowDefinition, NamedWindowExpr, NonBlock, ObjectName, ObjectNamePart, Offset,
    OffsetRows, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Parens, Query, Select, SelectFlavor,
    SelectInto, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Setting, Table,
    TableAlias, TableAliasColumnDef, TableWithJoins, Value, Values, WildcardAdditionalOptions, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowSpec, With,
};
use sqlparser::tokenizer::Token;

use crate::error::SqlState;

use super::Grammar;
use super::cursor::*;
use super::from::plain_table;

/// The name of the function that ROWS FROM becomes; no user can write it.
pub const ROWS_FROM: &str = "\u{0}rows from";
/// First name of `LockClause::of` for FOR NO KEY UPDATE and FOR KEY SHARE.
pub(super) const WEAK_LOCK: &str = "\u{0}weak";

/// A query without any clause around its body.
pub(super) fn bare_query(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn number_one() -> Expr {
    Expr::Value(Value::Number("1".into(), false).into())
}

impl Grammar<'_, '_> {
    pub(super) fn attached(&self) -> AttachedToken {
        AttachedToken(self.token_at(self.index()).clone())
    }

    /// A query with its WITH.
    pub(crate) fn query(&mut self) -> Parse<Box<Query>> {
        self.deeper(|g| {
            let with = g.with_clause()?;
            g.query_body(with)
        })
    }

    /// A query behind its WITH.
    pub(super) fn query_body(&mut self, with: Option<With>) -> Parse<Box<Query>> {
        let body = self.set_expr(0)?;
        self.query_rest(with, body)
    }

    /// The rest of a query that begins with a query in parentheses.
    pub(super) fn query_after(&mut self, first: Box<Query>) -> Parse<Box<Query>> {
        let body = self.set_rest(SetExpr::Query(first), 0)?;
        self.query_rest(None, body)
    }

    /// ORDER BY, LIMIT, OFFSET, FETCH and FOR.
    pub(super) fn query_rest(&mut self, with: Option<With>, body: SetExpr) -> Parse<Box<Query>> {
        // `(query)` alone is that query.
        let mut query = match body {
            SetExpr::Query(inner) if with.is_none() && !self.at_tail() => *inner,
            body => Query { with, ..bare_query(body) },
        };
        if word(self) == "order" {
            let kind = OrderByKind::Expressions(self.order_by()?);
            query.order_by = Some(OrderBy { kind, interpolate: None });
        }
        let (mut limit, mut offset) = (None, None);
        let (mut limited, mut locked) = (false, false);
        loop {
            match word(self) {
                "limit" | "fetch" if limited => return unexpected(self),
                "limit" => {
                    self.advance_token();
                    limited = true;
                    if !take(self, "all") {
                        limit = Some(self.expr()?);
                    }
                    if *token(self) == Token::Comma {
                        let message = "LIMIT #,# syntax is not supported";
                        return Err(failure(SqlState::SYNTAX_ERROR, span(self), message));
                    }
                }
                "offset" if offset.is_none() => {
                    self.advance_token();
                    offset = Some(Offset { value: self.expr()?, rows: OffsetRows::None });
                    if !take(self, "row") {
                        take(self, "rows");
                    }
                }
                "fetch" => {
                    limited = true;
                    let (quantity, with_ties) = self.fetch_first()?;
                    if with_ties {
                        query.fetch = Some(Fetch { with_ties, percent: false, quantity: Some(quantity) });
                    } else {
                        limit = Some(quantity);
                    }
                }
                "for" if !locked => {
                    locked = true;
                    while word(self) == "for" {
                        if let Some(lock) = self.row_lock()? {
                            query.locks.push(lock);
                        }
                    }
                }
                _ => break,
            }
        }
        if limit.is_some() || offset.is_some() {
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: Vec::new() });
        }
        Ok(Box::new(query))
    }

    pub(super) fn at_tail(&self) -> bool {
        matches!(word(self), "order" | "limit" | "offset" | "fetch" | "for")
    }

    /// `FETCH FIRST|NEXT [n] ROW|ROWS ONLY|WITH TIES`.
    pub(super) fn fetch_first(&mut self) -> Parse<(Expr, bool)> {
        self.advance_token();
        if !take(self, "first") {
            expect(self, "next")?;
        }
        let quantity = if matches!(word(self), "row" | "rows") { number_one() } else { self.prefix()? };
        if !take(self, "row") {
            expect(self, "rows")?;
        }
        if take_all(self, &["with", "ties"]) {
            return Ok((quantity, true));
        }
        expect(self, "only")?;
        Ok((quantity, false))
    }

    /// `FOR UPDATE | NO KEY UPDATE | SHARE | KEY SHARE [OF ...] [NOWAIT | SKIP LOCKED]`; FOR READ ONLY is nothing.
    pub(super) fn row_lock(&mut self) -> Parse<Option<LockClause>> {
        let at = span(self);
        self.advance_token();
        let (lock_type, weak) = if take(self, "update") {
            (LockType::Update, false)
        } else if take_all(self, &["no", "key", "update"]) {
            (LockType::Update, true)
        } else if take(self, "share") {
            (LockType::Share, false)
        } else if take_all(self, &["key", "share"]) {
            (LockType::Share, true)
        } else if take_all(self, &["read", "only"]) {
            return Ok(None);
        } else {
            return unexpected(self);
        };
        let mut of = Vec::new();
        if weak {
            of.push(Ident { value: WEAK_LOCK.into(), quote_style: Some('"'), span: at });
        }
        if take(self, "of") {
            let names = self.list(|g| {
                let place = span(g);
                let name = object_name(g)?;
                match <[ObjectNamePart; 1]>::try_from(name.0) {
                    Ok([ObjectNamePart::Identifier(ident)]) => Ok(ident),
                    _ => Err(failure(
                        SqlState::SYNTAX_ERROR,
                        place,
                        "row-locking clauses must specify unqualified relation names",
                    )),
                }
            })?;
            of.extend(names);
        }
        let nonblock = if take(self, "nowait") {
            Some(NonBlock::Nowait)
        } else if take_all(self, &["skip", "locked"]) {
            Some(NonBlock::SkipLocked)
        } else {
            None
        };
        let of = if of.is_empty() { None } else { Some(ObjectName::from(of)) };
        Ok(Some(LockClause { lock_type, of, nonblock }))
    }

    /// WITH, if it is next.
    pub(super) fn with_clause(&mut self) -> Parse<Option<With>> {
        if word(self) != "with" {
            return Ok(None);
        }
        let with_token = self.attached();
        self.advance_token();
        let recursive = take(self, "recursive");
        // Only the outermost WITH may modify data.
        let outermost = std::mem::take(&mut self.at_top);
        let mut cte_tables = Vec::new();
        loop {
            let cte = self.cte(outermost.then_some(cte_tables.len()))?;
            cte_tables.push(cte);
            if !take_token(self, &Token::Comma) {
                break;
            }
        }
        self.at_top = outermost;
        Ok(Some(With { with_token, recursive, cte_tables }))
    }

    /// One member of WITH; `place`: where in the list, when it may modify data.
    pub(super) fn cte(&mut self, place: Option<usize>) -> Parse<Cte> {
        let name = column_id(self)?;
        let columns = self.optional_columns()?;
        expect(self, "as")?;
        let materialized = if take(self, "materialized") {
            Some(CteAsMaterialized::Materialized)
        } else if take_all(self, &["not", "materialized"]) {
            Some(CteAsMaterialized::NotMaterialized)
        } else {
            None
        };
        expect_token(self, &Token::LParen)?;
        let query = if self.at_modification() {
            let Some(place) = place else {
                let message = "WITH clause containing a data-modifying statement must be at the top level";
                return Err(failure(SqlState::FEATURE_NOT_SUPPORTED, name.span, message));
            };
            let statement = self.modification()?;
            self.modifying.push((place, statement));
            Box::new(bare_query(SetExpr::Table(Box::new(Table { table_name: None, schema_name: None }))))
        } else {
            self.query()?
        };
        let closing_paren_token = self.attached();
        expect_token(self, &Token::RParen)?;
        let mut query = query;
        query.settings = self.search_and_cycle()?;
        let columns = columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect();
        let alias = TableAlias { explicit: true, name, columns, at: None };
        Ok(Cte { alias, query, from: None, materialized, closing_paren_token })
    }

    /// `SEARCH ... SET seq` and `CYCLE ... SET mark TO .. DEFAULT .. USING path` behind a member of WITH, as the settings
    /// `search_depth` or `search_breadth` = (columns, seq) and `cycle` = ((columns), mark, value, default, path).
    fn search_and_cycle(&mut self) -> Parse<Option<Vec<Setting>>> {
        let mut settings = Vec::new();
        let columns = |g: &mut Self| -> Parse<Vec<Expr>> {
            Ok(g.list(|g| column_id(g))?.into_iter().map(Expr::Identifier).collect())
        };
        if word(self) == "search" {
            let at = span(self);
            self.advance_token();
            let key = match word(self) {
                "depth" => "search_depth",
                "breadth" => "search_breadth",
                _ => return unexpected(self),
            };
            self.advance_token();
            expect(self, "first")?;
            expect(self, "by")?;
            let by = Expr::Tuple(columns(self)?);
            expect(self, "set")?;
            let sequence = Expr::Identifier(column_id(self)?);
            let key = Ident { value: key.into(), quote_style: None, span: at };
            settings.push(Setting { key, value: Expr::Tuple(vec![by, sequence]) });
        }
        if word(self) == "cycle" {
            let at = span(self);
            self.advance_token();
            let by = Expr::Tuple(columns(self)?);
            expect(self, "set")?;
            let mark = Expr::Identifier(column_id(self)?);
            let mut parts = vec![by, mark];
            if take(self, "to") {
                parts.push(self.expr()?);
                expect(self, "default")?;
                parts.push(self.expr()?);
            }
            expect(self, "using")?;
            parts.push(Expr::Identifier(column_id(self)?));
            let key = Ident { value: "cycle".into(), quote_style: None, span: at };
            settings.push(Setting { key, value: Expr::Tuple(parts) });
        }
        Ok((!settings.is_empty()).then_some(settings))
    }

    /// Set operations that bind tighter than `precedence` (UNION and EXCEPT 1, INTERSECT 2).
    pub(super) fn set_expr(&mut self, precedence: u8) -> Parse<SetExpr> {
        let first = match word(self) {
            "select" => SetExpr::Select(Box::new(self.select()?)),
            "values" => SetExpr::Values(self.values()?),
            "table" => {
                self.advance_token();
                SetExpr::Select(Box::new(self.table_command()?))
            }
            _ if *token(self) == Token::LParen => {
                // An INTO would have to be in the first SELECT, outside of parentheses.
                let into = std::mem::take(&mut self.into_allowed);
                let query = self.parenthesised_query()?;
                self.into_allowed = into;
                SetExpr::Query(query)
            }
            _ => return unexpected(self),
        };
        self.into_allowed = false;
        self.set_rest(first, precedence)
    }

    pub(super) fn set_rest(&mut self, mut left: SetExpr, precedence: u8) -> Parse<SetExpr> {
        loop {
            let (op, own) = match word(self) {
                "union" => (SetOperator::Union, 1),
                "except" => (SetOperator::Except, 1),
                "intersect" => (SetOperator::Intersect, 2),
                _ => return Ok(left),
            };
            if own <= precedence {
                return Ok(left);
            }
            self.advance_token();
            let set_quantifier = if take(self, "all") {
                SetQuantifier::All
            } else {
                take(self, "distinct");
                SetQuantifier::None
            };
            // Left-deep chains of thousands would be walked by recursion later.
            self.chain_length += 1;
            if self.chain_length > 1000 {
                return Err(sqlparser::parser::ParserError::RecursionLimitExceeded);
            }
            let right = Box::new(self.deeper(|g| g.set_expr(own))?);
            left = SetExpr::SetOperation { left: Box::new(left), op, set_quantifier, right };
        }
    }

    /// `VALUES (...), ...`.
    pub(super) fn values(&mut self) -> Parse<Values> {
        self.advance_token();
        let rows = self.list(|g| {
            let opening_token = g.attached();
            let content = g.paren_list(Self::expr)?;
            Ok(Parens { opening_token, content, closing_token: AttachedToken::empty() })
        })?;
        Ok(Values { explicit_row: false, value_keyword: false, rows })
    }

    /// `TABLE name` is `SELECT * FROM name`.
    pub(super) fn table_command(&mut self) -> Parse<Select> {
        let star = self.attached();
        let relation = self.relation_name()?;
        let factor = plain_table(relation, None);
        let mut select = self.empty_select();
        select.projection = vec![SelectItem::Wildcard(wildcard_options(star))];
        select.from = vec![TableWithJoins { relation: factor, joins: Vec::new() }];
        Ok(select)
    }

    pub(super) fn empty_select(&self) -> Select {
        Select {
            select_token: self.attached(),
            optimizer_hints: Vec::new(),
            distinct: None,
            select_modifiers: None,
            top: None,
            top_before_distinct: false,
            projection: Vec::new(),
            exclude: None,
            into: None,
            from: Vec::new(),
            lateral_views: Vec::new(),
            prewhere: None,
            selection: None,
            connect_by: Vec::new(),
            group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
            cluster_by: Vec::new(),
            distribute_by: Vec::new(),
            sort_by: Vec::new(),
            having: None,
            named_window: Vec::new(),
            qualify: None,
            window_before_qualify: false,
            value_table_mode: None,
            flavor: SelectFlavor::Standard,
        }
    }

    pub(super) fn select(&mut self) -> Parse<Select> {
        let mut select = self.empty_select();
        self.advance_token();
        let into_allowed = std::mem::take(&mut self.into_allowed);
        if take(self, "distinct") {
            select.distinct =
                Some(if take(self, "on") { Distinct::On(self.paren_list(Self::expr)?) } else { Distinct::Distinct });
        } else {
            take(self, "all");
        }
        if !self.at_select_end() {
            select.projection = self.list(Self::select_item)?;
        }
        if word(self) == "into" {
            if !into_allowed {
                let message = "SELECT ... INTO is not allowed here";
                return Err(failure(SqlState::SYNTAX_ERROR, span(self), message));
            }
            select.into = Some(self.select_into()?);
        }
        if take(self, "from") {
            select.from = self.list(Self::table_with_joins)?;
        }
        if take(self, "where") {
            select.selection = Some(self.expr()?);
        }
        if take_all(self, &["group", "by"]) {
            // PostgreSQL has no TOTALS: here it says DISTINCT.
            let distinct = take(self, "distinct").then_some(GroupByWithModifier::Totals);
            if distinct.is_none() && take(self, "all") && self.at_select_end() {
                return unexpected(self);
            }
            let items = self.list(Self::grouping_item)?;
            select.group_by = GroupByExpr::Expressions(items, distinct.into_iter().collect());
        }
        if take(self, "having") {
            select.having = Some(self.expr()?);
        }
        if take(self, "window") {
            select.named_window = self.list(|g| {
                let name = column_id(g)?;
                expect(g, "as")?;
                Ok(NamedWindowDefinition(name, NamedWindowExpr::WindowSpec(g.window_spec()?)))
            })?;
        }
        Ok(select)
    }

    /// Whether the select list is empty: what comes next cannot begin an expression.
    pub(super) fn at_select_end(&self) -> bool {
        match token(self) {
            Token::EOF | Token::SemiColon | Token::RParen => true,
            Token::Word(w) if w.quote_style.is_none() => matches!(
                w.value.as_str(),
                "from"
                    | "where"
                    | "group"
                    | "having"
                    | "window"
                    | "into"
                    | "union"
                    | "intersect"
                    | "except"
                    | "order"
                    | "limit"
                    | "offset"
                    | "fetch"
                    | "for"
                    | "returning"
            ),
            _ => false,
        }
    }

    pub(super) fn select_into(&mut self) -> Parse<SelectInto> {
        self.advance_token();
        if matches!(word(self), "local" | "global") && matches!(word_at(self, 1), "temp" | "temporary") {
            self.advance_token();
        }
        let temporary = take(self, "temporary") || take(self, "temp");
        let unlogged = !temporary && take(self, "unlogged");
        let table = take(self, "table");
        let name = object_name(self)?;
        let parts = name.0.into_iter().filter_map(|part| part.as_ident().cloned()).collect();
        Ok(SelectInto { temporary, unlogged, table, targets: vec![Expr::CompoundIdentifier(parts)] })
    }

    /// One member of a select or RETURNING list.
    pub(super) fn select_item(&mut self) -> Parse<SelectItem> {
        if *token(self) == Token::Mul {
            let star = self.attached();
            self.advance_token();
            return Ok(SelectItem::Wildcard(wildcard_options(star)));
        }
        let expr = match self.expr()? {
            Expr::QualifiedWildcard(name, star) => {
                let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                return Ok(SelectItem::QualifiedWildcard(kind, wildcard_options(star)));
            }
            Expr::CompoundFieldAccess { root, mut access_chain }
                if matches!(access_chain.last(), Some(AccessExpr::Dot(Expr::Wildcard(_)))) =>
            {
                access_chain.pop();
                let inner =
                    if access_chain.is_empty() { *root } else { Expr::CompoundFieldAccess { root, access_chain } };
                let kind = SelectItemQualifiedWildcardKind::Expr(inner);
                return Ok(SelectItem::QualifiedWildcard(kind, wildcard_options(AttachedToken::empty())));
            }
            expr => expr,
        };
        if take(self, "as") {
            return Ok(SelectItem::ExprWithAlias { expr, alias: label(self)? });
        }
        if is_bare_label(self) {
            return Ok(SelectItem::ExprWithAlias { expr, alias: label(self)? });
        }
        Ok(SelectItem::UnnamedExpr(expr))
    }

    pub(super) fn grouping_item(&mut self) -> Parse<Expr> {
        let paren = *token_at(self, 1) == Token::LParen;
        match word(self) {
            "rollup" if paren => {
                self.advance_token();
                Ok(Expr::Rollup(self.grouping_members()?))
            }
            "cube" if paren => {
                self.advance_token();
                Ok(Expr::Cube(self.grouping_members()?))
            }
            "grouping" if word_at(self, 1) == "sets" => {
                self.advance_token();
                self.advance_token();
                self.deeper(|g| {
                    let sets = g.paren_list(Self::grouping_item)?;
                    Ok(Expr::GroupingSets(sets.into_iter().map(members).collect()))
                })
            }
            _ if *token(self) == Token::LParen && *token_at(self, 1) == Token::RParen => {
                self.advance_token();
                self.advance_token();
                Ok(Expr::Tuple(Vec::new()))
            }
            _ => self.expr(),
        }
    }

    pub(super) fn grouping_members(&mut self) -> Parse<Vec<Vec<Expr>>> {
        Ok(self.paren_list(Self::expr)?.into_iter().map(members).collect())
    }

    /// ORDER BY and its keys.
    pub(super) fn order_by(&mut self) -> Parse<Vec<OrderByExpr>> {
        expect(self, "order")?;
        expect(self, "by")?;
        self.list(Self::order_key)
    }

    pub(super) fn order_key(&mut self) -> Parse<OrderByExpr> {
        let expr = self.expr()?;
        let sort = if take(self, "asc") {
            Some(OrderBySort::Asc)
        } else if take(self, "desc") {
            Some(OrderBySort::Desc)
        } else if take(self, "using") {
            let name = match token(self) {
                Token::Lt | Token::Gt | Token::LtEq | Token::GtEq | Token::CustomBinaryOperator(_) => {
                    let ident = Ident { value: token(self).to_string(), quote_style: None, span: span(self) };
                    self.advance_token();
                    ObjectName::from(vec![ident])
                }
                _ => match self.named_operator()? {
                    sqlparser::ast::BinaryOperator::PGCustomBinaryOperator(parts) => {
                        ObjectName::from(parts.into_iter().map(Ident::new).collect::<Vec<_>>())
                    }
                    _ => return unexpected(self),
                },
            };
            Some(OrderBySort::Using(name))
        } else {
            None
        };
        let nulls_first = self.nulls_order()?;
        Ok(OrderByExpr { expr, options: OrderByOptions { sort, nulls_first }, with_fill: None })
    }

    /// NULLS FIRST | LAST, if it is next.
    pub(super) fn nulls_order(&mut self) -> Parse<Option<bool>> {
        Ok(if take_all(self, &["nulls", "first"]) {
            Some(true)
        } else if take_all(self, &["nulls", "last"]) {
            Some(false)
        } else {
            None
        })
    }

    /// `( [name] [PARTITION BY] [ORDER BY] [frame] )`.
    pub(super) fn window_spec(&mut self) -> Parse<WindowSpec> {
        expect_token(self, &Token::LParen)?;
        let begins_clause = matches!(word(self), "partition" | "range" | "rows" | "groups" | "order");
        let window_name = if is_column_id(self) && !begins_clause { Some(column_id(self)?) } else { None };
        let partition_by = if take_all(self, &["partition", "by"]) { self.list(Self::expr)? } else { Vec::new() };
        let order_by = if word(self) == "order" { self.order_by()? } else { Vec::new() };
        let units = match word(self) {
            "rows" => Some(WindowFrameUnits::Rows),
            "range" => Some(WindowFrameUnits::Range),
            "groups" => Some(WindowFrameUnits::Groups),
            _ => None,
        };
        let window_frame = match units {
            Some(units) => {
                self.advance_token();
                Some(self.window_frame(units)?)
            }
            None => None,
        };
        expect_token(self, &Token::RParen)?;
        Ok(WindowSpec { window_name, partition_by, order_by, window_frame })
    }

    pub(super) fn window_frame(&mut self, units: WindowFrameUnits) -> Parse<WindowFrame> {
        use WindowFrameBound::{CurrentRow, Following, Preceding};
        let between = take(self, "between");
        let start_at = span(self);
        let start_bound = self.frame_bound()?;
        let mut end_at = start_at;
        let end_bound = if between {
            expect(self, "and")?;
            end_at = span(self);
            Some(self.frame_bound()?)
        } else {
            None
        };
        let wrong = match (&start_bound, &end_bound) {
            (Following(None), _) => Some((start_at, "frame start cannot be UNBOUNDED FOLLOWING")),
            (_, Some(Preceding(None))) => Some((end_at, "frame end cannot be UNBOUNDED PRECEDING")),
            (Following(_), None) => Some((start_at, "frame starting from following row cannot end with current row")),
            (CurrentRow, Some(Preceding(_))) => {
                Some((end_at, "frame starting from current row cannot have preceding rows"))
            }
            (Following(_), Some(Preceding(_) | CurrentRow)) => {
                Some((end_at, "frame starting from following row cannot have preceding rows"))
            }
            _ => None,
        };
        if let Some((at, message)) = wrong {
            return Err(failure(SqlState::WINDOWING_ERROR, at, message));
        }
        let excluded = if take_all(self, &["exclude", "no", "others"]) {
            None
        } else if take_all(self, &["exclude", "current", "row"]) {
            Some("current row")
        } else if take_all(self, &["exclude", "group"]) {
            Some("group")
        } else if take_all(self, &["exclude", "ties"]) {
            Some("ties")
        } else if word(self) == "exclude" {
            self.advance_token();
            return unexpected(self);
        } else {
            None
        };
        let end_bound = match excluded {
            Some(excluded) => Some(with_exclusion(end_bound.unwrap_or(CurrentRow), excluded)),
            None => end_bound,
        };
        Ok(WindowFrame { units, start_bound, end_bound })
    }

    pub(super) fn frame_bound(&mut self) -> Parse<WindowFrameBound> {
        if take_all(self, &["current", "row"]) {
            return Ok(WindowFrameBound::CurrentRow);
        }
        let offset = match word(self) {
            "unbounded" if matches!(word_at(self, 1), "preceding" | "following") => {
                self.advance_token();
                None
            }
            _ => Some(Box::new(self.expr()?)),
        };
        if take(self, "preceding") {
            Ok(WindowFrameBound::Preceding(offset))
        } else {
            expect(self, "following")?;
            Ok(WindowFrameBound::Following(offset))
        }
    }
}

/// The start of the mark by which a frame's end carries EXCLUDE: sqlparser's frame has no place for it.
const EXCLUSION: &str = "exclude ";

/// A frame's end with EXCLUDE.
fn with_exclusion(end: WindowFrameBound, excluded: &str) -> WindowFrameBound {
    let (kind, offset) = match end {
        WindowFrameBound::CurrentRow => ("current", None),
        WindowFrameBound::Preceding(offset) => ("preceding", offset),
        WindowFrameBound::Following(offset) => ("following", offset),
    };
    let value = offset.unwrap_or_else(|| Box::new(Expr::Value(Value::Null.with_empty_span())));
    let prefix = Ident::new(format!("{EXCLUSION}{excluded}:{kind}"));
    WindowFrameBound::Following(Some(Box::new(Expr::Prefixed { prefix, value })))
}

/// A frame's end, and what EXCLUDE names.
pub fn exclusion(end: &WindowFrameBound) -> (WindowFrameBound, Option<&str>) {
    if let WindowFrameBound::Following(Some(offset)) = end
        && let Expr::Prefixed { prefix, value } = &**offset
        && let Some((excluded, kind)) = prefix.value.strip_prefix(EXCLUSION).and_then(|mark| mark.split_once(':'))
    {
        let unbounded = matches!(&**value, Expr::Value(value) if value.value == Value::Null);
        let offset = (!unbounded).then(|| value.clone());
        let end = match kind {
            "current" => WindowFrameBound::CurrentRow,
            "preceding" => WindowFrameBound::Preceding(offset),
            _ => WindowFrameBound::Following(offset),
        };
        return (end, Some(excluded));
    }
    (end.clone(), None)
}

fn members(item: Expr) -> Vec<Expr> {
    match item {
        Expr::Tuple(items) => items,
        Expr::Nested(inner) => vec![*inner],
        other => vec![other],
    }
}

fn wildcard_options(wildcard_token: AttachedToken) -> WildcardAdditionalOptions {
    WildcardAdditionalOptions { wildcard_token, ..WildcardAdditionalOptions::default() }
}
