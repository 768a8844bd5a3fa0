//! `to_char` and `to_number` of numbers: PostgreSQL's number templates.

use super::template::{Node, numbers, ordinal};
use crate::document::{Datum, Numeric};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

/// What a template says as a whole.
#[derive(Clone, Debug, Default)]
struct Picture {
    /// Digits before and behind the point.
    pre: usize,
    post: usize,
    /// Where the sign of `S` goes.
    sign: Sign,
    pre_at_sign: usize,
    /// Digits that `V` shifts by.
    multi: usize,
    zero_start: usize,
    zero_end: usize,
    fill: bool,
    zero: bool,
    decimal: bool,
    bracket: bool,
    minus: bool,
    plus: bool,
    lsign: bool,
    roman: bool,
    shifted: bool,
    exponent: bool,
    blank: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Sign {
    #[default]
    None,
    Before,
    After,
}

fn syntax(message: &str) -> Error {
    err!(SYNTAX_ERROR, "{message}")
}

fn picture(nodes: &[Node]) -> Result<Picture> {
    let mut p = Picture::default();
    for node in nodes {
        let Node::Keyword(keyword) = node else { continue };
        if p.exponent && !matches!(keyword.name, "EEEE" | "eeee") {
            return Err(syntax("\"EEEE\" must be the last pattern used"));
        }
        match keyword.name.to_ascii_lowercase().as_str() {
            "9" => {
                if p.bracket {
                    return Err(syntax("\"9\" must be ahead of \"PR\""));
                }
                if p.shifted {
                    p.multi += 1;
                } else if p.decimal {
                    p.post += 1;
                } else {
                    p.pre += 1;
                }
            }
            "0" => {
                if p.bracket {
                    return Err(syntax("\"0\" must be ahead of \"PR\""));
                }
                if !p.zero && !p.decimal {
                    p.zero = true;
                    p.zero_start = p.pre + 1;
                }
                if p.decimal {
                    p.post += 1;
                } else {
                    p.pre += 1;
                }
                p.zero_end = p.pre + p.post;
            }
            "b" => p.blank |= p.pre == 0 && p.post == 0 && !p.zero,
            "d" | "." => {
                if p.decimal {
                    return Err(syntax("multiple decimal points"));
                }
                if p.shifted {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                p.decimal = true;
            }
            "fm" => p.fill = true,
            "s" => {
                if p.lsign {
                    return Err(syntax("cannot use \"S\" twice"));
                }
                if p.plus || p.minus || p.bracket {
                    return Err(syntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
                }
                if !p.decimal {
                    p.sign = Sign::Before;
                    p.pre_at_sign = p.pre;
                } else if p.sign == Sign::None {
                    p.sign = Sign::After;
                }
                p.lsign = true;
            }
            "mi" | "pl" | "sg" => {
                let name = keyword.name.to_uppercase();
                if p.lsign {
                    return Err(syntax(&format!("cannot use \"S\" and \"{name}\" together")));
                }
                p.minus |= name != "PL";
                p.plus |= name != "MI";
            }
            "pr" => {
                if p.lsign || p.plus || p.minus {
                    return Err(syntax("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together"));
                }
                p.bracket = true;
            }
            "rn" => p.roman = true,
            "v" => {
                if p.decimal {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                p.shifted = true;
            }
            "eeee" => {
                if p.exponent {
                    return Err(syntax("cannot use \"EEEE\" twice"));
                }
                if p.blank || p.fill || p.lsign || p.bracket || p.minus || p.plus || p.roman || p.shifted {
                    return Err(syntax("\"EEEE\" is incompatible with other formats")
                        .detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
                }
                p.exponent = true;
            }
            _ => {}
        }
    }
    Ok(p)
}

/// `to_char(number, template)`.
pub(super) fn to_char(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [value, Datum::Text(template)] = args else {
        return Err(Error::internal("to_char called with other types"));
    };
    if template.is_empty() {
        return Ok(Datum::text(""));
    }
    let nodes = numbers(template);
    let mut p = picture(&nodes)?;
    if p.exponent {
        return Ok(Datum::text(scientific(value, &p)?));
    }
    let number = match value {
        Datum::Int4(n) => Numeric::from_i64(i64::from(*n)),
        Datum::Int8(n) => Numeric::from_i64(*n),
        Datum::Numeric(n) => n.clone(),
        Datum::Float4(n) => float(f64::from(*n), 6, &mut p),
        Datum::Float8(n) => float(*n, 15, &mut p),
        other => return Err(Error::internal(format!("to_char called with {other:?}"))),
    };
    if p.roman {
        let text = number.round(0)?.to_i64().and_then(roman).unwrap_or_else(|| "#".repeat(15));
        return Ok(Datum::text(Writer::new(p, text, '+', 0).run(&nodes)));
    }
    let mut number = number;
    if p.shifted {
        number = number.mul(&Numeric::from_i64(10).power(&Numeric::from_i64(p.multi as i64))?)?;
        p.pre += p.multi;
    }
    if !(number.is_nan() || number.is_infinite()) {
        number = number.round(p.post as i32)?;
    }
    let text = number.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ('-', rest.to_string()),
        None => ('+', text),
    };
    let length = digits.find('.').unwrap_or(digits.len());
    let (digits, spaces) = if length <= p.pre {
        (digits, p.pre - length)
    } else {
        let mut filled = "#".repeat(p.pre);
        filled.push('.');
        filled.push_str(&"#".repeat(p.post));
        (filled, 0)
    };
    Ok(Datum::text(Writer::new(p, digits, sign, spaces).run(&nodes)))
}

/// A float as an exact decimal with no more digits than it has.
fn float(value: f64, digits: usize, p: &mut Picture) -> Numeric {
    if !value.is_finite() {
        return Numeric::from_f64(value);
    }
    let scale = if p.shifted { p.multi } else { 0 };
    let whole = format!("{:.0}", (value * 10f64.powi(scale as i32)).abs()).len();
    if whole >= digits {
        p.post = 0;
    } else if whole + p.post > digits {
        p.post = digits - whole;
    }
    let text = format!("{value:.*}", p.post + scale);
    Numeric::parse(&text).unwrap_or_else(|_| Numeric::from_f64(value))
}

fn scientific(value: &Datum, p: &Picture) -> Result<String> {
    let filled = || {
        let mut text: Vec<char> = "#".repeat(p.pre + p.post + 6).chars().collect();
        text[0] = ' ';
        if let Some(point) = text.get_mut(p.pre + 1) {
            *point = '.';
        }
        text.into_iter().collect::<String>()
    };
    let digits = match value {
        Datum::Float8(n) if !n.is_finite() => return Ok(filled()),
        Datum::Float4(n) if !n.is_finite() => return Ok(filled()),
        Datum::Float8(n) => format!("{n:.*e}", p.post),
        Datum::Float4(n) => format!("{n:.*e}", p.post),
        Datum::Int4(n) => return decimal_scientific(&Numeric::from_i64(i64::from(*n)), p.post),
        Datum::Int8(n) => return decimal_scientific(&Numeric::from_i64(*n), p.post),
        Datum::Numeric(n) if n.is_nan() || n.is_infinite() => return Ok(filled()),
        Datum::Numeric(n) => return decimal_scientific(n, p.post),
        other => return Err(Error::internal(format!("to_char called with {other:?}"))),
    };
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    Ok(with_exponent(mantissa, exponent))
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let space = if mantissa.starts_with('-') { "" } else { " " };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{space}{mantissa}e{sign}{:02}", exponent.abs())
}

/// `d.ddde+xx` of a decimal with `post` digits, rounded half away from zero.
fn decimal_scientific(value: &Numeric, post: usize) -> Result<String> {
    let text = value.to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let point = text.trim_start_matches('-').find('.').unwrap_or(digits.len()) as i32;
    let first = digits.find(|c| c != '0');
    let mut exponent = first.map_or(0, |first| point - 1 - first as i32);
    let ten = Numeric::from_i64(10);
    let shift = |exponent: i32| -> Result<Numeric> {
        let power = ten.power(&Numeric::from_i64(i64::from(exponent.unsigned_abs())))?;
        let scaled = if exponent >= 0 {
            // Enough digits that the rounding below sees all of the value.
            let exact = format!("1e-{exponent}");
            value.mul(&Numeric::parse(&exact)?)?
        } else {
            value.mul(&power)?
        };
        scaled.round(post as i32)
    };
    let mut mantissa = shift(exponent)?;
    if mantissa.abs() >= ten {
        exponent += 1;
        mantissa = shift(exponent)?;
    }
    Ok(with_exponent(&mantissa.to_string(), exponent))
}

fn roman(number: i64) -> Option<String> {
    const DIGITS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..=3999).contains(&number) {
        return None;
    }
    let mut rest = number;
    let mut text = String::new();
    for (value, digit) in DIGITS {
        while rest >= value {
            text.push_str(digit);
            rest -= value;
        }
    }
    Some(text)
}

/// Puts the digits of a number into a template, node by node.
struct Writer {
    p: Picture,
    number: Vec<u8>,
    /// The next digit.
    at: usize,
    /// The last digit that FM keeps.
    last_relevant: Option<usize>,
    sign: char,
    sign_wrote: bool,
    in_number: bool,
    current: usize,
    count: usize,
    spaces: usize,
    out: String,
}

impl Writer {
    fn new(mut p: Picture, number: String, sign: char, spaces: usize) -> Self {
        p.zero_start = p.zero_start.saturating_sub(1);
        let (mut sign, mut spaces) = (sign, spaces);
        if p.roman {
            let fill = p.fill;
            p = Picture { fill, roman: true, ..Picture::default() };
            (sign, spaces) = ('\0', 0);
        }
        let number = number.into_bytes();
        let sign_wrote;
        if p.plus || p.minus {
            sign_wrote = !p.plus || p.minus;
        } else {
            if sign != '-' && p.fill {
                p.bracket = false;
            }
            sign_wrote = sign == '+' && p.fill && !p.lsign;
            if p.sign == Sign::Before && p.pre == p.pre_at_sign {
                p.sign = Sign::After;
            }
        }
        let mut writer = Self {
            count: (p.post + p.pre).saturating_sub(1),
            p,
            number,
            at: 0,
            last_relevant: None,
            sign,
            sign_wrote,
            in_number: false,
            current: 0,
            spaces,
            out: String::new(),
        };
        writer.find_last_relevant();
        if !writer.sign_wrote && writer.spaces == 0 {
            writer.count += 1;
        }
        writer
    }

    fn find_last_relevant(&mut self) {
        if !(self.p.fill && self.p.decimal) {
            return;
        }
        let Some(point) = self.number.iter().position(|b| *b == b'.') else { return };
        let mut last = self.number.iter().rposition(|b| *b != b'0').map_or(point, |at| at.max(point));
        if self.p.zero_end > self.spaces {
            last = last.max((self.p.zero_end - self.spaces).min(self.number.len() - 1));
        }
        self.last_relevant = Some(last);
    }

    fn relevant_is_point(&self) -> bool {
        self.last_relevant.is_some_and(|at| self.number[at] == b'.')
    }

    /// A zero in front of the point that only a `0` would show.
    fn is_predecimal_space(&self) -> bool {
        !self.p.zero && self.at == 0 && self.number.first() == Some(&b'0') && self.p.post != 0
    }

    fn run(mut self, nodes: &[Node]) -> String {
        for node in nodes {
            let keyword = match node {
                Node::Keyword(keyword) => keyword,
                Node::Literal(c) | Node::Space(c) | Node::Separator(c) => {
                    self.out.push(*c);
                    continue;
                }
            };
            let fill = self.p.fill;
            match keyword.name {
                "9" | "0" | "." | "D" | "d" => self.digit(keyword.name == "0"),
                "," | "G" | "g" => match (self.in_number, fill) {
                    (true, _) => self.out.push(','),
                    (false, false) => self.out.push(' '),
                    (false, true) => {}
                },
                "L" | "l" => self.out.push(' '),
                "RN" | "rn" if self.p.roman => {
                    let text = String::from_utf8_lossy(&self.number).into_owned();
                    let text = if keyword.name == "rn" { text.to_lowercase() } else { text };
                    self.out.push_str(&if fill { text } else { format!("{text:>15}") });
                }
                "TH" | "th" => {
                    let skip = self.p.roman || self.number.first() == Some(&b'#') || self.sign == '-' || self.p.decimal;
                    if !skip {
                        let text = String::from_utf8_lossy(&self.number).into_owned();
                        self.out.push_str(ordinal(&text, keyword.name == "TH"));
                    }
                }
                "MI" | "mi" => match (self.sign, fill) {
                    ('-', _) => self.out.push('-'),
                    (_, false) => self.out.push(' '),
                    _ => {}
                },
                "PL" | "pl" => match (self.sign, fill) {
                    ('+', _) => self.out.push('+'),
                    (_, false) => self.out.push(' '),
                    _ => {}
                },
                "SG" | "sg" => self.out.push(self.sign),
                _ => {}
            }
        }
        self.out
    }

    fn write_sign(&mut self) {
        let due = self.current >= self.spaces || (self.p.zero && self.p.zero_start == self.current);
        if self.sign_wrote || !due || (self.is_predecimal_space() && !self.relevant_is_point()) {
            return;
        }
        if self.p.lsign {
            if self.p.sign == Sign::Before {
                self.out.push(self.sign);
                self.sign_wrote = true;
            }
        } else if self.p.bracket {
            self.out.push(if self.sign == '+' { ' ' } else { '<' });
            self.sign_wrote = true;
        } else if self.sign == '+' {
            if !self.p.fill {
                self.out.push(' ');
            }
            self.sign_wrote = true;
        } else if self.sign == '-' {
            self.out.push('-');
            self.sign_wrote = true;
        }
    }

    fn digit(&mut self, is_zero: bool) {
        if self.p.roman {
            return;
        }
        self.in_number = false;
        self.write_sign();
        if self.current < self.spaces && (self.p.zero_start > self.current || !self.p.zero) {
            if !self.p.fill {
                self.out.push(' ');
            }
        } else if self.p.zero && self.current < self.spaces && self.p.zero_start <= self.current {
            self.out.push('0');
            self.in_number = true;
        } else {
            self.write_digit(is_zero);
        }
        let mut end = self.count + usize::from(self.spaces > 0) + usize::from(self.p.decimal);
        if self.last_relevant == Some(self.at) {
            end = self.current;
        }
        if self.current + 1 == end {
            if self.sign_wrote && self.p.bracket {
                self.out.push(if self.sign == '+' { ' ' } else { '>' });
            } else if self.p.lsign && self.p.sign == Sign::After {
                self.out.push(self.sign);
            }
        }
        self.current += 1;
    }

    fn write_digit(&mut self, is_zero: bool) {
        match self.number.get(self.at) {
            Some(b'.') if (!self.relevant_is_point() || self.p.fill) => {
                self.out.push('.');
            }
            Some(digit) => {
                if self.last_relevant.is_some_and(|last| self.at > last) && !is_zero {
                } else if self.is_predecimal_space() {
                    if !self.p.fill {
                        self.out.push(' ');
                    } else if self.relevant_is_point() {
                        self.out.push('0');
                    }
                } else {
                    self.out.push(char::from(*digit));
                    self.in_number = true;
                }
            }
            None => {}
        }
        if self.at < self.number.len() {
            self.at += 1;
        }
    }
}

/// `to_number(text, template)`.
pub(super) fn to_number(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [Datum::Text(text), Datum::Text(template)] = args else {
        return Err(Error::internal("to_number called with other types"));
    };
    if template.is_empty() {
        return Ok(Datum::Null);
    }
    let nodes = numbers(template);
    let p = picture(&nodes)?;
    if p.exponent {
        return Err(err!(FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input"));
    }
    if p.roman {
        return roman_in(text, &nodes);
    }
    let mut scanner = Scanner { rest: text, negative: false, digits: String::new(), point: false };
    for node in &nodes {
        scanner.node(node, &p);
    }
    let mut digits = scanner.digits;
    if !digits.bytes().any(|b| b.is_ascii_digit()) {
        return Err(err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type numeric: \" \""));
    }
    if scanner.negative {
        digits.insert(0, '-');
    }
    let mut value = Numeric::parse(&digits)?;
    if p.shifted {
        value = value.mul(&Numeric::from_i64(10).power(&Numeric::from_i64(-(p.multi as i64)))?)?;
    }
    Ok(Datum::Numeric(value))
}

/// `to_number(text, 'RN')`: a Roman numeral from 1 to 3999 in its standard form; spaces before it are skipped.
fn roman_in(text: &str, nodes: &[Node]) -> Result<Datum> {
    let others = nodes.iter().any(|node| match node {
        Node::Keyword(keyword) => !matches!(keyword.name.to_ascii_lowercase().as_str(), "rn" | "fm"),
        _ => false,
    });
    if others {
        return Err(
            syntax("\"RN\" is incompatible with other formats").detail("\"RN\" may only be used together with \"FM\".")
        );
    }
    let text = text.trim_start_matches(' ');
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let numeral = text[..end].to_ascii_uppercase();
    // Only what `to_char` would write is a numeral.
    let value = (1..4000).find(|n| roman(*n).as_deref() == Some(numeral.as_str()));
    value
        .map(|n| Datum::Numeric(Numeric::from_i64(n)))
        .ok_or_else(|| err!(INVALID_TEXT_REPRESENTATION, "invalid Roman numeral"))
}

struct Scanner<'a> {
    rest: &'a str,
    negative: bool,
    digits: String,
    point: bool,
}

impl Scanner<'_> {
    fn skip(&mut self, count: usize) {
        let end = self.rest.char_indices().nth(count).map_or(self.rest.len(), |(at, _)| at);
        self.rest = &self.rest[end..];
    }

    fn sign(&mut self) {
        if let Some(c @ ('-' | '+' | '<')) = self.rest.chars().next() {
            self.negative |= c != '+';
            self.skip(1);
        }
    }

    /// One place of the number: a digit or the point; anything else is passed over.
    fn digit(&mut self, p: &Picture) {
        self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
        if self.digits.is_empty() {
            self.sign();
        }
        match self.rest.chars().next() {
            Some(c) if c.is_ascii_digit() => self.digits.push(c),
            Some('.') if p.decimal && !self.point => {
                self.digits.push('.');
                self.point = true;
            }
            // A sign at the end is for the template's S.
            Some('-' | '+' | '>') => return,
            _ => {}
        }
        self.skip(1);
    }

    fn node(&mut self, node: &Node, p: &Picture) {
        let keyword = match node {
            Node::Keyword(keyword) => keyword,
            Node::Literal(_) | Node::Space(_) | Node::Separator(_) => {
                if !self.rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
                    self.skip(1);
                }
                return;
            }
        };
        match keyword.name {
            "9" | "0" | "." | "D" | "d" => self.digit(p),
            "," | "G" | "g"
                if self.rest.starts_with(',') => {
                    self.skip(1);
                }
            "L" | "l"
                // The currency's symbol is one character wide here.
                if self.rest.starts_with(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | ',')) => {
                    self.skip(1);
                }
            "S" | "s" | "SG" | "sg" | "MI" | "mi" | "PL" | "pl" => self.sign(),
            "PR" | "pr"
                if self.rest.starts_with('>') => {
                    self.skip(1);
                }
            "TH" | "th" => self.skip(2),
            _ => {}
        }
        // A sign behind the last digit belongs to the number as well.
        if p.lsign && self.rest == "-" {
            self.negative = true;
            self.rest = "";
        }
    }
}
