//! Type names, in one normal form: `DataType::Custom(name, modifiers)` with PostgreSQL's internal name for the types
//! that SQL gives several words (`int4`, `timestamptz`, `bpchar`, `varchar` ...), `DataType::Interval` for intervals
//! and `DataType::Array(SquareBracket)` once a dimension. Modifiers are the texts of the constants in parentheses.

use sqlparser::ast::{ArrayElemTypeDef, DataType, Ident, IntervalFields, ObjectName};
use sqlparser::tokenizer::{Span, Token};

use crate::error::SqlState;

use super::Grammar;
use super::cursor::*;
use super::keywords::{self, Category};

/// A type of a plain name.
pub(super) fn plain(name: &str, span: Span) -> DataType {
    with_modifiers(name, span, Vec::new())
}

fn with_modifiers(name: &str, span: Span, modifiers: Vec<String>) -> DataType {
    DataType::Custom(ObjectName::from(vec![Ident { value: name.into(), quote_style: None, span }]), modifiers)
}

impl Grammar<'_, '_> {
    /// A type with its array bounds.
    pub(crate) fn data_type(&mut self) -> Parse<DataType> {
        if word(self) == "setof" {
            return unsupported(self, "SETOF");
        }
        let mut data_type = self.simple_type()?;
        if take(self, "array") {
            let size = if *token(self) == Token::LBracket { self.array_bound()? } else { None };
            return Ok(DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(data_type), size)));
        }
        while *token(self) == Token::LBracket {
            let size = self.array_bound()?;
            data_type = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(data_type), size));
        }
        Ok(data_type)
    }

    fn array_bound(&mut self) -> Parse<Option<u64>> {
        expect_token(self, &Token::LBracket)?;
        let size = if *token(self) == Token::RBracket { None } else { u64::try_from(integer(self)?).ok() };
        expect_token(self, &Token::RBracket)?;
        Ok(size)
    }

    /// A type without array bounds.
    pub(super) fn simple_type(&mut self) -> Parse<DataType> {
        let at = span(self);
        let first = word(self).to_string();
        let category = keywords::lookup(&first).map(|k| k.category);
        let known = category == Some(Category::ColumnName) || (first == "double" && word_at(self, 1) == "precision");
        if !known {
            return self.named_type();
        }
        self.advance_token();
        Ok(match first.as_str() {
            "int" | "integer" => plain("int4", at),
            "smallint" => plain("int2", at),
            "bigint" => plain("int8", at),
            "real" => plain("float4", at),
            "double" => {
                self.advance_token();
                plain("float8", at)
            }
            "float" => self.float(at)?,
            "decimal" | "dec" | "numeric" => with_modifiers("numeric", at, self.modifiers()?),
            "boolean" => plain("bool", at),
            "json" => plain("json", at),
            "bit" => {
                let varying = take(self, "varying");
                let mut modifiers = self.modifiers()?;
                if !varying && modifiers.is_empty() {
                    modifiers.push("1".into());
                }
                with_modifiers(if varying { "varbit" } else { "bit" }, at, modifiers)
            }
            "character" | "char" | "nchar" | "national" => {
                if first == "national" && !take(self, "character") {
                    expect(self, "char")?;
                }
                let varying = take(self, "varying");
                let mut modifiers = self.modifiers()?;
                if !varying && modifiers.is_empty() {
                    modifiers.push("1".into());
                }
                with_modifiers(if varying { "varchar" } else { "bpchar" }, at, modifiers)
            }
            "varchar" => with_modifiers("varchar", at, self.modifiers()?),
            "time" | "timestamp" => {
                let modifiers = self.modifiers()?;
                let with_zone = take_all(self, &["with", "time", "zone"]);
                if !with_zone {
                    take_all(self, &["without", "time", "zone"]);
                }
                let name = if with_zone { format!("{first}tz") } else { first };
                with_modifiers(&name, at, modifiers)
            }
            "interval" => {
                if *token(self) == Token::LParen {
                    let precision = self.precision()?;
                    DataType::Interval { fields: None, precision: Some(precision) }
                } else {
                    let (fields, precision) = self.interval_fields(None)?;
                    DataType::Interval { fields, precision }
                }
            }
            _ => {
                self.prev_token();
                return unexpected(self);
            }
        })
    }

    /// A type that is no key word: any name, possibly with modifiers.
    fn named_type(&mut self) -> Parse<DataType> {
        let reserved = keywords::lookup(word(self)).is_some_and(|k| k.category == Category::Reserved);
        if reserved || !matches!(token(self), Token::Word(_)) {
            return unexpected(self);
        }
        let first = label(self)?;
        let name = qualified(self, first)?;
        if *token(self) == Token::Mod && word_at(self, 1) == "type" {
            return unsupported(self, "%TYPE");
        }
        Ok(DataType::Custom(name, self.modifiers()?))
    }

    /// `(constant, ...)`, or nothing.
    fn modifiers(&mut self) -> Parse<Vec<String>> {
        if *token(self) != Token::LParen {
            return Ok(Vec::new());
        }
        self.paren_list(|g| {
            let text = match token(g) {
                Token::Minus | Token::Plus => return Ok(integer(g)?.to_string()),
                Token::Number(text, _) | Token::SingleQuotedString(text) => text.clone(),
                Token::Word(w) => w.value.clone(),
                _ => return unexpected(g),
            };
            g.advance_token();
            Ok(text)
        })
    }

    fn precision(&mut self) -> Parse<u64> {
        expect_token(self, &Token::LParen)?;
        let at = span(self);
        let precision = u64::try_from(integer(self)?).map_err(|_| syntax_at(at))?;
        expect_token(self, &Token::RParen)?;
        Ok(precision)
    }

    fn float(&mut self, at: Span) -> Parse<DataType> {
        if *token(self) != Token::LParen {
            return Ok(plain("float8", at));
        }
        let place = span(self);
        let invalid = |message: &str| failure(SqlState::INVALID_PARAMETER_VALUE, place, message);
        match self.precision()? {
            0 => Err(invalid("precision for type float must be at least 1 bit")),
            1..=24 => Ok(plain("float4", at)),
            25..=53 => Ok(plain("float8", at)),
            _ => Err(invalid("precision for type float must be less than 54 bits")),
        }
    }

    /// The fields that may follow INTERVAL or an interval constant.
    pub(super) fn interval_fields(&mut self, precision: Option<u64>) -> Parse<(Option<IntervalFields>, Option<u64>)> {
        let first = word(self);
        let to = if word_at(self, 1) == "to" { word_at(self, 2) } else { "" };
        let (fields, words) = match (first, to) {
            ("year", "month") => (IntervalFields::YearToMonth, 3),
            ("day", "hour") => (IntervalFields::DayToHour, 3),
            ("day", "minute") => (IntervalFields::DayToMinute, 3),
            ("day", "second") => (IntervalFields::DayToSecond, 3),
            ("hour", "minute") => (IntervalFields::HourToMinute, 3),
            ("hour", "second") => (IntervalFields::HourToSecond, 3),
            ("minute", "second") => (IntervalFields::MinuteToSecond, 3),
            ("year", "") => (IntervalFields::Year, 1),
            ("month", "") => (IntervalFields::Month, 1),
            ("day", "") => (IntervalFields::Day, 1),
            ("hour", "") => (IntervalFields::Hour, 1),
            ("minute", "") => (IntervalFields::Minute, 1),
            ("second", "") => (IntervalFields::Second, 1),
            _ => return Ok((None, precision)),
        };
        let seconds = matches!(
            fields,
            IntervalFields::Second
                | IntervalFields::DayToSecond
                | IntervalFields::HourToSecond
                | IntervalFields::MinuteToSecond
        );
        for _ in 0..words {
            self.advance_token();
        }
        let precision = if seconds && *token(self) == Token::LParen { Some(self.precision()?) } else { precision };
        Ok((Some(fields), precision))
    }
}
