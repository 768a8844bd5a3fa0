//! CREATE FUNCTION and PROCEDURE, DROP of them.

use sqlparser::tokenizer::Token;

use crate::error::SqlState;
use crate::sql::statement::{
    CreateRoutine, ObjectKind, RoutineAction, RoutineArgument, RoutineBody, RoutineName, RoutineOptions, Statement, ast,
};
use crate::storage::catalog::ArgumentMode;

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// CREATE FUNCTION | PROCEDURE from the word on.
    pub(super) fn create_routine(&mut self, or_replace: bool) -> Parse<Statement> {
        let procedure = word(self) == "procedure";
        self.advance_token();
        let name = object_name(self)?;
        let mut arguments = self.routine_arguments()?;
        let mut returns = None;
        if take(self, "returns") {
            if take(self, "table") {
                let columns = self.paren_list(|g| {
                    let name = Some(column_id(g)?);
                    Ok(RoutineArgument { mode: ArgumentMode::Table, name, data_type: g.data_type()?, default: None })
                })?;
                arguments.extend(columns);
            } else {
                let set = take(self, "setof");
                returns = Some((set, self.data_type()?));
            }
        }
        let mut routine = CreateRoutine {
            or_replace,
            procedure,
            name,
            arguments,
            returns,
            language: None,
            body: None,
            options: RoutineOptions::default(),
        };
        while self.routine_clause(&mut routine)? {}
        Ok(Statement::CreateRoutine(Box::new(routine)))
    }

    fn routine_arguments(&mut self) -> Parse<Vec<RoutineArgument>> {
        if *token(self) == Token::LParen && *token_at(self, 1) == Token::RParen {
            self.advance_token();
            self.advance_token();
            return Ok(Vec::new());
        }
        self.paren_list(Self::routine_argument)
    }

    fn routine_argument(&mut self) -> Parse<RoutineArgument> {
        let mut mode = self.argument_mode();
        let named = !word(self).is_empty()
            && !matches!(token_at(self, 1), Token::Comma | Token::RParen | Token::LParen | Token::LBracket)
            && !matches!(*token_at(self, 1), Token::Period | Token::Eq | Token::EOF | Token::Mod)
            && !matches!(word_at(self, 1), "default" | "array")
            && !self.at_long_type();
        let name = if named { Some(label(self)?) } else { None };
        if mode.is_none() {
            mode = self.argument_mode();
        }
        let data_type = self.data_type()?;
        let default =
            if take(self, "default") || take_token(self, &Token::Eq) { Some(self.expression()?) } else { None };
        Ok(RoutineArgument { mode: mode.unwrap_or(ArgumentMode::In), name, data_type, default })
    }

    fn argument_mode(&mut self) -> Option<ArgumentMode> {
        let mode = match word(self) {
            "in" if word_at(self, 1) == "out" => {
                self.advance_token();
                ArgumentMode::InOut
            }
            "in" => ArgumentMode::In,
            "out" => ArgumentMode::Out,
            "inout" => ArgumentMode::InOut,
            "variadic" => ArgumentMode::Variadic,
            _ => return None,
        };
        self.advance_token();
        Some(mode)
    }

    /// A type of several words begins here.
    fn at_long_type(&self) -> bool {
        matches!(
            (word(self), word_at(self, 1)),
            ("double", "precision")
                | ("character" | "char" | "bit" | "nchar", "varying")
                | ("timestamp" | "time", "with" | "without")
                | ("national", "character" | "char")
                | ("interval", "year" | "month" | "day" | "hour" | "minute" | "second")
        )
    }

    /// One clause behind the arguments; false at the end.
    fn routine_clause(&mut self, routine: &mut CreateRoutine) -> Parse<bool> {
        let at = span(self);
        let repeated = match word(self) {
            "language" => {
                self.advance_token();
                let language = match token(self) {
                    Token::SingleQuotedString(name) => {
                        let name = name.to_lowercase();
                        self.advance_token();
                        name
                    }
                    _ => label(self)?.value,
                };
                routine.language.replace(language).is_some()
            }
            "as" => {
                self.advance_token();
                let text = string(self)?;
                if take_token(self, &Token::Comma) {
                    string(self)?;
                    routine.options.unsupported = Some("a function in an object file".into());
                }
                routine.body.replace(RoutineBody::Text(text)).is_some()
            }
            "return" => {
                self.advance_token();
                let text = self.expression()?.text;
                routine.body.replace(RoutineBody::Return(text)).is_some()
            }
            "begin" if word_at(self, 1) == "atomic" => {
                let text = self.atomic_body()?;
                routine.body.replace(RoutineBody::Atomic(text)).is_some()
            }
            _ => return self.routine_option(&mut routine.options),
        };
        match repeated {
            true => Err(failure(SqlState::SYNTAX_ERROR, at, "conflicting or redundant options")),
            false => Ok(true),
        }
    }

    /// The text between BEGIN ATOMIC and its END.
    fn atomic_body(&mut self) -> Parse<String> {
        self.advance_token();
        self.advance_token();
        let start = self.offset();
        while word(self) != "end" {
            if take_token(self, &Token::SemiColon) {
                continue;
            }
            self.statement()?;
            if word(self) != "end" {
                expect_token(self, &Token::SemiColon)?;
            }
        }
        let text = self.text_since(start);
        self.advance_token();
        Ok(text)
    }

    /// One of the options that ALTER FUNCTION has as well; false: none is here.
    pub(super) fn routine_option(&mut self, options: &mut RoutineOptions) -> Parse<bool> {
        let at = span(self);
        let repeated = match word(self) {
            "immutable" => options.volatility.replace('i').is_some(),
            "stable" => options.volatility.replace('s').is_some(),
            "volatile" => options.volatility.replace('v').is_some(),
            "strict" => options.strict.replace(true).is_some(),
            "leakproof" => options.leakproof.replace(true).is_some(),
            "not" if word_at(self, 1) == "leakproof" => {
                self.advance_token();
                options.leakproof.replace(false).is_some()
            }
            "called" => {
                self.advance_token();
                expect_all(self, &["on", "null"])?;
                options.strict.replace(false).is_some()
            }
            "returns" if word_at(self, 1) == "null" => {
                self.advance_token();
                self.advance_token();
                expect_all(self, &["on", "null"])?;
                options.strict.replace(true).is_some()
            }
            "external" | "security" => {
                take(self, "external");
                expect(self, "security")?;
                options.security_definer.replace(word(self) == "definer").is_some()
            }
            "parallel" => {
                self.advance_token();
                let safety = match word(self) {
                    "safe" => 's',
                    "restricted" => 'r',
                    "unsafe" => 'u',
                    _ => {
                        let message = "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE";
                        return Err(failure(SqlState::SYNTAX_ERROR, at, message));
                    }
                };
                options.parallel.replace(safety).is_some()
            }
            "cost" | "rows" => {
                let is_cost = word(self) == "cost";
                self.advance_token();
                let Token::Number(text, _) = token(self).clone() else { return unexpected(self) };
                let Ok(number) = text.parse::<f32>() else { return unexpected(self) };
                let place = if is_cost { &mut options.cost } else { &mut options.rows };
                place.replace(number).is_some()
            }
            "set" | "support" | "transform" | "window" => {
                options.unsupported = Some(format!("{} of a function", word(self).to_uppercase()));
                self.skip_statement();
                return Ok(false);
            }
            _ => return Ok(false),
        };
        self.advance_token();
        match repeated {
            true => Err(failure(SqlState::SYNTAX_ERROR, at, "conflicting or redundant options")),
            false => Ok(true),
        }
    }

    /// A routine's name with the types of its arguments, as DROP has it.
    pub(super) fn routine_name(&mut self) -> Parse<RoutineName> {
        let name = object_name(self)?;
        if *token(self) != Token::LParen {
            return Ok(RoutineName { name, arguments: None });
        }
        let arguments = self.routine_arguments()?;
        let is_input = |a: &RoutineArgument| !matches!(a.mode, ArgumentMode::Out | ArgumentMode::Table);
        let types: Vec<ast::DataType> = arguments.into_iter().filter(is_input).map(|a| a.data_type).collect();
        Ok(RoutineName { name, arguments: Some(types) })
    }

    /// The kind of routine that the word here says.
    pub(super) fn routine_kind(&self) -> Option<ObjectKind> {
        match word(self) {
            "function" => Some(ObjectKind::Function),
            "procedure" => Some(ObjectKind::Procedure),
            "routine" => Some(ObjectKind::Routine),
            _ => None,
        }
    }

    /// ALTER FUNCTION | PROCEDURE | ROUTINE from the word on.
    pub(super) fn alter_routine(&mut self) -> Parse<Statement> {
        let Some(kind) = self.routine_kind() else { return unexpected(self) };
        self.advance_token();
        let routine = self.routine_name()?;
        let action = if take_all(self, &["rename", "to"]) {
            RoutineAction::Rename(column_id(self)?)
        } else if take_all(self, &["owner", "to"]) {
            RoutineAction::OwnerTo(self.role_name()?)
        } else if take_all(self, &["set", "schema"]) {
            RoutineAction::SetSchema(column_id(self)?)
        } else {
            let mut options = RoutineOptions::default();
            if !self.routine_option(&mut options)? && options.unsupported.is_none() {
                return unexpected(self);
            }
            while self.routine_option(&mut options)? {}
            take(self, "restrict");
            RoutineAction::Options(options)
        };
        Ok(Statement::AlterRoutine { kind, routine, action })
    }

    /// DROP FUNCTION | PROCEDURE | ROUTINE from the word on.
    pub(super) fn drop_routine(&mut self) -> Parse<Statement> {
        let kind = match word(self) {
            "function" => ObjectKind::Function,
            "procedure" => ObjectKind::Procedure,
            _ => ObjectKind::Routine,
        };
        self.advance_token();
        let if_exists = self.if_exists();
        let routines = self.list(Self::routine_name)?;
        Ok(Statement::DropRoutine { kind, if_exists, routines, cascade: self.cascade() })
    }
}
