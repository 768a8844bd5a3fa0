//! Paths as PostgreSQL prints them.

use std::fmt::{self, Display, Formatter};

use super::{Arithmetic, Node, Path, Step};

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.lax {
            f.write_str("strict ")?;
        }
        node(f, &self.expr, true)
    }
}

/// How tightly a part binds; parts that bind less than what they stand in get parentheses.
fn priority(node: &Node) -> u8 {
    match node {
        Node::Or(..) => 0,
        Node::And(..) => 1,
        Node::Compare(..) | Node::StartsWith(..) => 2,
        Node::Arithmetic(Arithmetic::Add | Arithmetic::Subtract, ..) => 3,
        Node::Arithmetic(..) => 4,
        Node::Plus(_) | Node::Minus(_) => 5,
        _ => 6,
    }
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let mut out = Vec::with_capacity(text.len() + 2);
    crate::document::jsonb::write_string(text.as_bytes(), &mut out);
    f.write_str(std::str::from_utf8(&out).map_err(|_| fmt::Error)?)
}

fn operand(f: &mut Formatter<'_>, inner: &Node, outer: &Node) -> fmt::Result {
    node(f, inner, priority(inner) <= priority(outer))
}

fn node(f: &mut Formatter<'_>, at: &Node, brackets: bool) -> fmt::Result {
    crate::sql::plan::visit::guard(|| write_node(f, at, brackets))
}

fn write_node(f: &mut Formatter<'_>, at: &Node, brackets: bool) -> fmt::Result {
    let binary = |f: &mut Formatter<'_>, left: &Node, symbol: &str, right: &Node| {
        if brackets {
            f.write_str("(")?;
        }
        operand(f, left, at)?;
        write!(f, " {symbol} ")?;
        operand(f, right, at)?;
        if brackets { f.write_str(")") } else { Ok(()) }
    };
    match at {
        Node::Root => f.write_str("$"),
        Node::Current => f.write_str("@"),
        Node::Last => f.write_str("last"),
        Node::Variable(name) => {
            f.write_str("$")?;
            quoted(f, name)
        }
        Node::Null => f.write_str("null"),
        Node::Bool(value) => write!(f, "{value}"),
        Node::Number(n) => write!(f, "{n}"),
        Node::Text(text) => quoted(f, text),
        Node::Steps(base, steps) => {
            match &**base {
                Node::Number(n) => write!(f, "({n})")?,
                // PostgreSQL leaves these parentheses out, and cannot read what it then prints.
                base @ (Node::Not(_) | Node::IsUnknown(_) | Node::Exists(_)) => {
                    f.write_str("(")?;
                    node(f, base, false)?;
                    f.write_str(")")?;
                }
                base => node(f, base, true)?,
            }
            steps.iter().try_for_each(|s| step(f, s))
        }
        Node::Arithmetic(operator, left, right) => binary(f, left, operator.symbol(), right),
        Node::Compare(comparison, left, right) => binary(f, left, comparison.symbol(), right),
        Node::And(left, right) => binary(f, left, "&&", right),
        Node::Or(left, right) => binary(f, left, "||", right),
        Node::StartsWith(left, right) => binary(f, left, "starts with", right),
        Node::Plus(inner) | Node::Minus(inner) => {
            if brackets {
                f.write_str("(")?;
            }
            f.write_str(if matches!(at, Node::Plus(_)) { "+" } else { "-" })?;
            operand(f, inner, at)?;
            if brackets { f.write_str(")") } else { Ok(()) }
        }
        Node::Not(inner) => {
            f.write_str("!(")?;
            node(f, inner, false)?;
            f.write_str(")")
        }
        Node::IsUnknown(inner) => {
            f.write_str("(")?;
            node(f, inner, false)?;
            f.write_str(") is unknown")
        }
        Node::Exists(inner) => {
            f.write_str("exists (")?;
            node(f, inner, false)?;
            f.write_str(")")
        }
        Node::LikeRegex(inner, pattern, flags) => {
            if brackets {
                f.write_str("(")?;
            }
            operand(f, inner, at)?;
            f.write_str(" like_regex ")?;
            quoted(f, pattern)?;
            if !flags.is_empty() {
                let known: String = "ismxq".chars().filter(|c| flags.contains(*c)).collect();
                write!(f, " flag \"{known}\"")?;
            }
            if brackets { f.write_str(")") } else { Ok(()) }
        }
    }
}

fn step(f: &mut Formatter<'_>, step: &Step) -> fmt::Result {
    let level = |level: &Option<u32>| level.map_or("last".to_string(), |n| n.to_string());
    match step {
        Step::Key(key) => {
            f.write_str(".")?;
            quoted(f, key)
        }
        Step::AnyKey => f.write_str(".*"),
        Step::AnyElement => f.write_str("[*]"),
        Step::Elements(list) => {
            f.write_str("[")?;
            for (i, (from, to)) in list.iter().enumerate() {
                if i > 0 {
                    f.write_str(",")?;
                }
                node(f, from, false)?;
                if let Some(to) = to {
                    f.write_str(" to ")?;
                    node(f, to, false)?;
                }
            }
            f.write_str("]")
        }
        Step::Any(Some(0), None) => f.write_str(".**"),
        Step::Any(first, last) if first == last => write!(f, ".**{{{}}}", level(first)),
        Step::Any(first, last) => write!(f, ".**{{{} to {}}}", level(first), level(last)),
        Step::Filter(condition) => {
            f.write_str("?(")?;
            node(f, condition, false)?;
            f.write_str(")")
        }
        Step::Method(method, args) => {
            write!(f, ".{}(", method.name())?;
            for (i, arg) in args.iter().enumerate() {
                if i > 0 {
                    f.write_str(",")?;
                }
                node(f, arg, false)?;
            }
            f.write_str(")")
        }
    }
}
