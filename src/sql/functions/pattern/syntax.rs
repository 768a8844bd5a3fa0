//! PostgreSQL's advanced regular expressions (ARE), parsed: the text becomes a [`Node`] tree.
//!
//! `x*?` and `{m,n}` as in the manual (9.7.3); `(?i)` at the start, `***=` and `***:` directors, `\m \M \y \Y \A \Z`,
//! back references, lookaround. BRE (flag `b`) is refused; ERE (flag `e`) is read as ARE without its escapes.

use super::set::{Class, Set};
use crate::err;
use crate::error::{Error, Result};

/// The compile-time options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    /// Case-insensitive.
    pub(crate) fold: bool,
    /// `.` and negated brackets do not match a newline.
    pub(crate) newline_stops: bool,
    /// `^` and `$` match at newlines.
    pub(crate) newline_anchors: bool,
    /// White space and comments are skipped.
    pub(crate) expanded: bool,
    /// The pattern is a plain string.
    pub(crate) literal: bool,
    /// Extended (not advanced): no escapes with meaning.
    pub(crate) extended: bool,
}

/// What is asserted between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assertion {
    /// `^`
    LineStart,
    /// `$`
    LineEnd,
    /// `\A`
    Start,
    /// `\Z`
    End,
    /// `\m`
    WordStart,
    /// `\M`
    WordEnd,
    /// `\y`
    WordEdge,
    /// `\Y`
    NotWordEdge,
}

/// A part of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Matches the empty string.
    Empty,
    /// One character of a set.
    Set(Set),
    /// A constraint.
    Assert(Assertion),
    /// Lookahead or lookbehind.
    Look {
        /// Looks back.
        behind: bool,
        /// Must not match.
        negated: bool,
        /// What is looked for.
        node: Box<Node>,
    },
    /// What capture group `n` matched.
    Backref(usize),
    /// A capturing group, from 1.
    Capture(usize, Box<Node>),
    /// One after the other.
    Concat(Box<Node>, Box<Node>),
    /// Characters and constraints in a row, nothing to choose or capture in them.
    Sequence(Vec<Node>),
    /// One of them.
    Alternate(Vec<Node>),
    /// Repetition.
    Repeat {
        /// What.
        node: Box<Node>,
        /// At least.
        min: u32,
        /// At most; `None`: no limit.
        max: Option<u32>,
        /// Prefers more.
        greedy: bool,
    },
}

impl Node {
    /// Whether captures or back references are inside, so that the match must be taken apart.
    pub(crate) fn has_captures(&self) -> bool {
        match self {
            Node::Capture(..) | Node::Backref(_) => true,
            Node::Empty | Node::Set(_) | Node::Assert(_) | Node::Look { .. } | Node::Sequence(_) => false,
            Node::Concat(left, right) => left.has_captures() || right.has_captures(),
            Node::Alternate(nodes) => nodes.iter().any(Node::has_captures),
            Node::Repeat { node, .. } => node.has_captures(),
        }
    }

    /// Whether it prefers the longest match; `None` when it has no preference. An alternation always does.
    pub(crate) fn prefers_longest(&self) -> Option<bool> {
        match self {
            Node::Empty | Node::Set(_) | Node::Assert(_) | Node::Look { .. } => None,
            Node::Sequence(_) | Node::Backref(_) => None,
            Node::Capture(_, node) => node.prefers_longest(),
            Node::Concat(left, right) => left.prefers_longest().or_else(|| right.prefers_longest()),
            Node::Alternate(_) => Some(true),
            Node::Repeat { node, min, max, .. } if Some(*min) == *max => node.prefers_longest(),
            Node::Repeat { greedy, .. } => Some(*greedy),
        }
    }
}

/// A parsed expression.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    /// The tree.
    pub(crate) root: Node,
    /// How many capturing groups there are.
    pub(crate) groups: usize,
    /// The options, embedded ones included.
    pub(crate) options: Options,
    /// There is a back reference.
    pub(crate) backrefs: bool,
    /// There is lookaround.
    pub(crate) lookaround: bool,
    /// There is a word constraint.
    pub(crate) words: bool,
}

/// Largest repetition count, as PostgreSQL's DUPMAX.
const REPEAT_MAX: u32 = 255;
/// Nesting that is parsed.
const DEPTH_MAX: usize = 200;

pub(crate) fn invalid(what: &str) -> Error {
    err!(INVALID_REGULAR_EXPRESSION, "invalid regular expression: {what}")
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    parsed: Parsed,
    closed: Vec<bool>,
    depth: usize,
}

/// Parses an expression.
pub(crate) fn parse(pattern: &str, options: Options) -> Result<Parsed> {
    let parsed = Parsed { root: Node::Empty, groups: 0, options, backrefs: false, lookaround: false, words: false };
    let mut parser = Parser { chars: pattern.chars().collect(), at: 0, parsed, closed: vec![true], depth: 0 };
    parser.directors()?;
    if parser.parsed.options.literal {
        let fold = parser.parsed.options.fold;
        let chars: Vec<Node> = parser.chars[parser.at..].iter().map(|c| Node::Set(Set::char(*c, fold))).collect();
        parser.parsed.root = concat(chars)?;
        return Ok(parser.parsed);
    }
    let root = parser.alternation()?;
    if parser.at < parser.chars.len() {
        return Err(invalid("parentheses () not balanced"));
    }
    parser.parsed.root = root;
    Ok(parser.parsed)
}

/// Parts of a branch that need a decision of their own.
const PARTS_MAX: usize = 1000;

/// Right-nested, so that every suffix is a node; plain characters in a row are one part.
fn concat(nodes: Vec<Node>) -> Result<Node> {
    let mut parts: Vec<Node> = Vec::new();
    for node in nodes {
        let plain = matches!(node, Node::Set(_) | Node::Assert(_));
        match parts.last_mut() {
            Some(Node::Sequence(run)) if plain => run.push(node),
            _ if plain => parts.push(Node::Sequence(vec![node])),
            _ => parts.push(node),
        }
    }
    if parts.len() > PARTS_MAX {
        return Err(invalid("regular expression is too complex"));
    }
    Ok(parts
        .into_iter()
        .rev()
        .reduce(|right, left| Node::Concat(Box::new(left), Box::new(right)))
        .unwrap_or(Node::Empty))
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.chars.get(self.at + index) == Some(&c))
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// `***=`, `***:` and `(?options)` at the very start.
    fn directors(&mut self) -> Result<()> {
        if self.parsed.options.literal {
            return Ok(());
        }
        if self.eat("***=") {
            self.parsed.options.literal = true;
            return Ok(());
        }
        if self.eat("***:") {
            self.parsed.options.extended = false;
        } else if self.looking_at("***") {
            return Err(invalid("quantifier operand invalid"));
        }
        let letter = self.chars.get(self.at + 2).is_some_and(char::is_ascii_alphabetic);
        if self.parsed.options.extended || !self.looking_at("(?") || !letter {
            return Ok(());
        }
        self.at += 2;
        loop {
            let c = self.peek().ok_or_else(|| invalid("invalid embedded option"))?;
            self.at += 1;
            if c == ')' {
                return Ok(());
            }
            let options = &mut self.parsed.options;
            match c {
                'c' => options.fold = false,
                'e' => options.extended = true,
                'i' => options.fold = true,
                'm' | 'n' => (options.newline_stops, options.newline_anchors) = (true, true),
                'p' => (options.newline_stops, options.newline_anchors) = (true, false),
                'q' => options.literal = true,
                's' => (options.newline_stops, options.newline_anchors) = (false, false),
                't' => options.expanded = false,
                'w' => (options.newline_stops, options.newline_anchors) = (false, true),
                'x' => options.expanded = true,
                _ => return Err(invalid("invalid embedded option")),
            }
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            if !self.parsed.options.extended && self.eat("(?#") {
                while self.peek().is_some_and(|c| c != ')') {
                    self.at += 1;
                }
                self.at += usize::from(self.peek().is_some());
                continue;
            }
            match self.peek() {
                Some(c) if self.parsed.options.expanded && c.is_whitespace() => self.at += 1,
                Some('#') if self.parsed.options.expanded => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn alternation(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(invalid("regular expression is too complex"));
        }
        let mut branches = vec![self.branch()?];
        while self.peek() == Some('|') {
            self.at += 1;
            branches.push(self.branch()?);
        }
        self.depth -= 1;
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => Node::Alternate(branches),
        })
    }

    fn branch(&mut self) -> Result<Node> {
        let mut nodes = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None | Some('|') => break,
                Some(')') if self.depth > 1 => break,
                Some(_) => {
                    let atom = self.atom()?;
                    self.skip_blanks();
                    nodes.push(self.quantified(atom)?);
                }
            }
        }
        concat(nodes)
    }

    fn quantified(&mut self, atom: Node) -> Result<Node> {
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') if self.is_bound() => {
                self.at += 1;
                self.bound()?
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        // A constraint has no length to repeat.
        if matches!(atom, Node::Assert(_) | Node::Look { .. }) {
            return Err(invalid("quantifier operand invalid"));
        }
        let greedy = self.parsed.options.extended || !self.eat("?");
        self.skip_blanks();
        if matches!(self.peek(), Some('*' | '+' | '?')) || self.peek() == Some('{') && self.is_bound() {
            return Err(invalid("quantifier operand invalid"));
        }
        if max == Some(0) {
            // The group exists, but never matches anything.
            return Ok(Node::Empty);
        }
        if (min, max) == (1, Some(1)) && greedy {
            return Ok(atom);
        }
        Ok(Node::Repeat { node: Box::new(atom), min, max, greedy })
    }

    /// `{` begins a bound when a digit follows.
    fn is_bound(&self) -> bool {
        self.chars.get(self.at + 1).is_some_and(char::is_ascii_digit)
    }

    /// After `{`; leaves `at` on `}`.
    fn bound(&mut self) -> Result<(u32, Option<u32>)> {
        let min = self.number()?.ok_or_else(|| invalid("invalid repetition count(s)"))?;
        let max = if self.eat(",") { self.number()? } else { Some(min) };
        if self.peek() != Some('}') {
            let what = if self.peek().is_none() { "braces {} not balanced" } else { "invalid repetition count(s)" };
            return Err(invalid(what));
        }
        if max.is_some_and(|max| max < min) {
            return Err(invalid("invalid repetition count(s)"));
        }
        Ok((min, max))
    }

    fn number(&mut self) -> Result<Option<u32>> {
        let mut value = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let next = value.unwrap_or(0) * 10 + digit;
            if next > REPEAT_MAX {
                return Err(invalid("invalid repetition count(s)"));
            }
            value = Some(next);
            self.at += 1;
        }
        Ok(value)
    }

    fn set(&self, set: Set) -> Node {
        Node::Set(set)
    }

    fn char(&self, c: char) -> Node {
        Node::Set(Set::char(c, self.parsed.options.fold))
    }

    fn word(&mut self, assertion: Assertion) -> Node {
        self.parsed.words = true;
        Node::Assert(assertion)
    }

    fn atom(&mut self) -> Result<Node> {
        let c = self.chars[self.at];
        self.at += 1;
        Ok(match c {
            '*' | '+' | '?' => return Err(invalid("quantifier operand invalid")),
            '{' if self.chars.get(self.at).is_some_and(char::is_ascii_digit) => {
                return Err(invalid("quantifier operand invalid"));
            }
            ')' => return Err(invalid("parentheses () not balanced")),
            '(' => self.group()?,
            '[' if self.eat("[:<:]]") => self.word(Assertion::WordStart),
            '[' if self.eat("[:>:]]") => self.word(Assertion::WordEnd),
            '[' => {
                let set = self.bracket()?;
                self.set(set)
            }
            '.' => self.set(Set::any(self.parsed.options.newline_stops)),
            '^' => {
                Node::Assert(if self.parsed.options.newline_anchors { Assertion::LineStart } else { Assertion::Start })
            }
            '$' => Node::Assert(if self.parsed.options.newline_anchors { Assertion::LineEnd } else { Assertion::End }),
            '\\' => self.escape()?,
            c => self.char(c),
        })
    }

    fn group(&mut self) -> Result<Node> {
        let look = [("?=", false, false), ("?!", false, true), ("?<=", true, false), ("?<!", true, true)];
        let advanced = !self.parsed.options.extended;
        let found = look.into_iter().find(|(text, ..)| advanced && self.looking_at(text));
        let node = if let Some((text, behind, negated)) = found {
            self.at += text.len();
            self.parsed.lookaround = true;
            // Groups inside of lookaround do not capture.
            let groups = self.parsed.groups;
            let node = Box::new(strip_captures(self.alternation()?));
            self.parsed.groups = groups;
            self.closed.truncate(groups + 1);
            Node::Look { behind, negated, node }
        } else if advanced && self.eat("?:") {
            self.alternation()?
        } else if advanced && self.peek() == Some('?') {
            return Err(invalid("quantifier operand invalid"));
        } else {
            self.parsed.groups += 1;
            let number = self.parsed.groups;
            self.closed.push(false);
            let node = self.alternation()?;
            if let Some(closed) = self.closed.get_mut(number) {
                *closed = true;
            }
            Node::Capture(number, Box::new(node))
        };
        if !self.eat(")") {
            return Err(invalid("parentheses () not balanced"));
        }
        Ok(node)
    }

    fn escape(&mut self) -> Result<Node> {
        let Some(c) = self.peek() else { return Err(invalid("invalid escape \\ sequence")) };
        if self.parsed.options.extended {
            self.at += 1;
            return Ok(self.char(c));
        }
        if let Some((class, negated)) = class_escape(c) {
            self.at += 1;
            return Ok(self.set(Set::class(class, negated)));
        }
        let assertion = match c {
            'A' => Some(Node::Assert(Assertion::Start)),
            'Z' => Some(Node::Assert(Assertion::End)),
            'm' => Some(self.word(Assertion::WordStart)),
            'M' => Some(self.word(Assertion::WordEnd)),
            'y' => Some(self.word(Assertion::WordEdge)),
            'Y' => Some(self.word(Assertion::NotWordEdge)),
            _ => None,
        };
        if let Some(node) = assertion {
            self.at += 1;
            return Ok(node);
        }
        if c.is_ascii_digit()
            && c != '0'
            && let Some(node) = self.backref()
        {
            return node;
        }
        let c = self.char_escape()?;
        Ok(self.char(c))
    }

    /// `\1`... A number of several digits that is larger than the groups so far is an octal character instead.
    fn backref(&mut self) -> Option<Result<Node>> {
        let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_ascii_digit()).take(3).collect();
        let number: usize = digits.parse().ok()?;
        if digits.len() > 1 && number > self.parsed.groups {
            return None;
        }
        self.at += digits.len();
        if !self.closed.get(number).copied().unwrap_or(false) {
            return Some(Err(invalid("invalid backreference number")));
        }
        self.parsed.backrefs = true;
        Some(Ok(Node::Backref(number)))
    }

    /// A backslash escape that stands for one character; `at` is after the backslash.
    fn char_escape(&mut self) -> Result<char> {
        let bad = || invalid("invalid escape \\ sequence");
        let c = self.peek().ok_or_else(bad)?;
        self.at += 1;
        Ok(match c {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'B' => '\\',
            'c' => {
                let control = self.peek().ok_or_else(bad)?;
                self.at += 1;
                char::from_u32(control as u32 & 0x1f).ok_or_else(bad)?
            }
            'e' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'u' => self.hex(4, 4)?,
            'U' => self.hex(8, 8)?,
            'x' => self.hex(1, 255)?,
            '0'..='7' => {
                self.at -= 1;
                let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_digit(8)).take(3).collect();
                // Three octal digits must fit a byte.
                let digits = if digits.len() == 3 && digits.as_str() > "377" { &digits[..2] } else { &digits[..] };
                self.at += digits.len();
                u32::from_str_radix(digits, 8).ok().and_then(char::from_u32).ok_or_else(bad)?
            }
            c if c.is_ascii_alphanumeric() => return Err(bad()),
            c => c,
        })
    }

    fn hex(&mut self, min: usize, max: usize) -> Result<char> {
        let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_ascii_hexdigit()).take(max).collect();
        self.at += digits.len();
        if digits.len() < min {
            return Err(invalid("invalid escape \\ sequence"));
        }
        u32::from_str_radix(&digits, 16)
            .ok()
            .and_then(char::from_u32)
            .ok_or_else(|| invalid("invalid escape \\ sequence"))
    }

    /// After `[`.
    fn bracket(&mut self) -> Result<Set> {
        let negated = self.eat("^");
        let mut set = Set::empty(self.parsed.options.fold);
        let mut first = true;
        loop {
            let unbalanced = || invalid("brackets [] not balanced");
            let c = self.peek().ok_or_else(unbalanced)?;
            if c == ']' && !first {
                self.at += 1;
                break;
            }
            first = false;
            if self.eat("[:") {
                set.classes.push((self.named_class()?, false));
                continue;
            }
            if c == '\\' && !self.parsed.options.extended {
                let escape = self.chars.get(self.at + 1).copied().and_then(class_escape);
                if let Some(class) = escape {
                    self.at += 2;
                    set.classes.push(class);
                    continue;
                }
            }
            if self.looking_at("[=") {
                let c = self.element('=')?;
                set.push(c, c);
                continue;
            }
            let low = self.range_end()?;
            if self.peek() != Some('-') || self.chars.get(self.at + 1) == Some(&']') {
                set.push(low, low);
                continue;
            }
            self.at += 1;
            if self.looking_at("[:") || self.looking_at("[=") {
                return Err(invalid("invalid character range"));
            }
            let high = self.range_end()?;
            if high < low {
                return Err(invalid("invalid character range"));
            }
            set.push(low, high);
        }
        if negated {
            set.negate(self.parsed.options.newline_stops);
        }
        Ok(set)
    }

    /// One character of a bracket expression: plain, escaped or `[.x.]`.
    fn range_end(&mut self) -> Result<char> {
        if self.looking_at("[.") {
            return self.element('.');
        }
        let c = self.peek().ok_or_else(|| invalid("brackets [] not balanced"))?;
        self.at += 1;
        if c == '\\' && !self.parsed.options.extended {
            return self.char_escape();
        }
        Ok(c)
    }

    /// `[.x.]` or `[=x=]`.
    fn element(&mut self, delimiter: char) -> Result<char> {
        self.at += 2;
        let start = self.at;
        while !(self.peek() == Some(delimiter) && self.chars.get(self.at + 1) == Some(&']')) {
            if self.peek().is_none() {
                return Err(invalid("brackets [] not balanced"));
            }
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        self.at += 2;
        super::set::collating_element(&name).ok_or_else(|| invalid("invalid collating element"))
    }

    /// After `[:`.
    fn named_class(&mut self) -> Result<Class> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        if !self.eat(":]") {
            let closed = self.chars[self.at..].windows(2).any(|pair| pair == [':', ']']);
            return Err(invalid(if closed { "invalid character class" } else { "brackets [] not balanced" }));
        }
        let class = Class::by_name(&name).ok_or_else(|| invalid("invalid character class"))?;
        let either_case = self.parsed.options.fold && matches!(class, Class::Upper | Class::Lower);
        Ok(if either_case { Class::Cased } else { class })
    }
}

fn class_escape(c: char) -> Option<(Class, bool)> {
    Some(match c {
        'd' => (Class::Digit, false),
        'D' => (Class::Digit, true),
        's' => (Class::Space, false),
        'S' => (Class::Space, true),
        'w' => (Class::Word, false),
        'W' => (Class::Word, true),
        _ => return None,
    })
}

fn strip_captures(node: Node) -> Node {
    match node {
        Node::Capture(_, node) => strip_captures(*node),
        Node::Concat(left, right) => Node::Concat(Box::new(strip_captures(*left)), Box::new(strip_captures(*right))),
        Node::Alternate(nodes) => Node::Alternate(nodes.into_iter().map(strip_captures).collect()),
        Node::Repeat { node, min, max, greedy } => {
            Node::Repeat { node: Box::new(strip_captures(*node)), min, max, greedy }
        }
        Node::Look { behind, negated, node } => Node::Look { behind, negated, node: Box::new(strip_captures(*node)) },
        other => other,
    }
}
