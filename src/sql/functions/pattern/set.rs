//! Sets of characters, for regular expressions: brackets, `.`, `\d`, and single characters.

use std::sync::LazyLock;

use crate::sql::functions::string::basic::{simple_lower, simple_upper};

/// A named class, with the meaning of the C.UTF-8 collation: digits are ASCII, letters are Unicode's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Alnum,
    Alpha,
    Ascii,
    Blank,
    /// Upper or lower, for `[[:upper:]]` without regard to case.
    Cased,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Word,
    Xdigit,
}

macro_rules! class_regex {
    ($name:ident, $pattern:literal) => {
        static $name: LazyLock<regex::Regex> =
            LazyLock::new(|| regex::Regex::new($pattern).expect("a constant pattern"));
    };
}

class_regex!(PUNCT, r"[\p{P}\p{S}]");
class_regex!(GRAPH, r"[^\p{Cc}\p{Cn}\s]");
class_regex!(SPACE_SEPARATOR, r"\p{Zs}");

impl Class {
    /// The class of `[:name:]`.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "alnum" => Self::Alnum,
            "alpha" => Self::Alpha,
            "ascii" => Self::Ascii,
            "blank" => Self::Blank,
            "cntrl" => Self::Cntrl,
            "digit" => Self::Digit,
            "graph" => Self::Graph,
            "lower" => Self::Lower,
            "print" => Self::Print,
            "punct" => Self::Punct,
            "space" => Self::Space,
            "upper" => Self::Upper,
            "word" => Self::Word,
            "xdigit" => Self::Xdigit,
            _ => return None,
        })
    }

    /// Whether the character is in the class.
    pub(crate) fn contains(self, c: char) -> bool {
        let in_class = |class: &regex::Regex| class.is_match(c.encode_utf8(&mut [0; 4]));
        match self {
            Self::Alnum => c.is_alphabetic() || c.is_ascii_digit(),
            Self::Alpha => c.is_alphabetic(),
            Self::Ascii => c.is_ascii(),
            Self::Blank => c == '\t' || c == ' ' || !c.is_ascii() && in_class(&SPACE_SEPARATOR),
            Self::Cased => c.is_uppercase() || c.is_lowercase(),
            Self::Cntrl => c.is_control(),
            Self::Digit => c.is_ascii_digit(),
            Self::Graph if c.is_ascii() => c.is_ascii_graphic(),
            Self::Graph => in_class(&GRAPH),
            Self::Lower => c.is_lowercase(),
            Self::Print => !c.is_control() && (Self::Graph.contains(c) || Self::Blank.contains(c)),
            Self::Punct if c.is_ascii() => c.is_ascii_punctuation(),
            Self::Punct => !c.is_alphabetic() && in_class(&PUNCT),
            Self::Space => c.is_whitespace(),
            Self::Upper => c.is_uppercase(),
            Self::Word => is_word(c),
            Self::Xdigit => c.is_ascii_hexdigit(),
        }
    }

    /// The class in the syntax of the regex crate, to stand inside brackets.
    pub(crate) fn to_regex(self) -> &'static str {
        match self {
            Self::Alnum => r"\p{Alphabetic}0-9",
            Self::Alpha => r"\p{Alphabetic}",
            Self::Ascii => r"\x00-\x7f",
            Self::Blank => r"\t\p{Zs}",
            Self::Cased => r"\p{Uppercase}\p{Lowercase}",
            Self::Cntrl => r"\p{Cc}",
            Self::Digit => "0-9",
            Self::Graph => r"[^\p{Cc}\p{Cn}\s]",
            Self::Lower => r"\p{Lowercase}",
            Self::Print => r"[^\p{Cc}\p{Cn}\s]\p{Zs}",
            Self::Punct => r"[[\p{P}\p{S}]--\p{Alphabetic}]",
            Self::Space => r"\s",
            Self::Upper => r"\p{Uppercase}",
            Self::Word => r"\p{Alphabetic}0-9_",
            Self::Xdigit => "0-9a-fA-F",
        }
    }
}

/// A letter, digit or underscore.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphabetic() || c.is_ascii_digit() || c == '_'
}

/// A set of characters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    ranges: Vec<(char, char)>,
    /// Classes, and whether it is their complement.
    pub(crate) classes: Vec<(Class, bool)>,
    negated: bool,
    fold: bool,
    without_newline: bool,
}

impl Set {
    /// No character.
    pub(crate) fn empty(fold: bool) -> Self {
        Self { fold, ..Self::default() }
    }

    /// One character.
    pub(crate) fn char(c: char, fold: bool) -> Self {
        Self { ranges: vec![(c, c)], fold, ..Self::default() }
    }

    /// A class or its complement.
    pub(crate) fn class(class: Class, negated: bool) -> Self {
        Self { classes: vec![(class, negated)], ..Self::default() }
    }

    /// Every character, perhaps but newline.
    pub(crate) fn any(without_newline: bool) -> Self {
        Self { negated: true, without_newline, ..Self::default() }
    }

    /// Adds a range.
    pub(crate) fn push(&mut self, low: char, high: char) {
        self.ranges.push((low, high));
    }

    /// Turns it into its complement, perhaps without newline.
    pub(crate) fn negate(&mut self, without_newline: bool) {
        self.negated = true;
        self.without_newline = without_newline;
    }

    /// Whether the character is in the set.
    pub(crate) fn contains(&self, c: char) -> bool {
        if self.without_newline && c == '\n' {
            return false;
        }
        let listed = |c: char| self.ranges.iter().any(|(low, high)| *low <= c && c <= *high);
        let found = listed(c)
            || self.fold && !self.ranges.is_empty() && (listed(simple_lower(c)) || listed(simple_upper(c)))
            || self.classes.iter().any(|(class, negated)| class.contains(c) != *negated);
        found != self.negated
    }

    /// The set in the syntax of the regex crate (case folding is a flag there).
    pub(crate) fn to_regex(&self, out: &mut String) {
        use std::fmt::Write as _;
        let single = self.classes.is_empty() && !self.negated;
        if let [(low, high)] = self.ranges[..]
            && single
            && low == high
        {
            let _ = write!(out, "\\x{{{:x}}}", low as u32);
            return;
        }
        if self.ranges.is_empty() && self.classes.is_empty() {
            out.push_str(match (self.negated, self.without_newline) {
                (true, true) => r"[^\n]",
                (true, false) => r"[\x{0}-\x{10ffff}]",
                (false, _) => r"[^\x{0}-\x{10ffff}]",
            });
            return;
        }
        out.push_str(if self.negated { "[^" } else { "[" });
        for (low, high) in &self.ranges {
            let _ = write!(out, "\\x{{{:x}}}-\\x{{{:x}}}", *low as u32, *high as u32);
        }
        for (class, negated) in &self.classes {
            let _ = write!(out, "[{}{}]", if *negated { "^" } else { "" }, class.to_regex());
        }
        if self.without_newline {
            out.push_str("\\n");
        }
        out.push(']');
    }
}

/// The character that `[.name.]` means.
pub(crate) fn collating_element(name: &str) -> Option<char> {
    let mut chars = name.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Some(c);
    }
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c)
}

#[rustfmt::skip]
const NAMES: &[(&str, char)] = &[
    ("NUL", '\0'), ("SOH", '\u{1}'), ("STX", '\u{2}'), ("ETX", '\u{3}'), ("EOT", '\u{4}'), ("ENQ", '\u{5}'),
    ("ACK", '\u{6}'), ("BEL", '\u{7}'), ("alert", '\u{7}'), ("BS", '\u{8}'), ("backspace", '\u{8}'), ("HT", '\t'),
    ("tab", '\t'), ("LF", '\n'), ("newline", '\n'), ("VT", '\u{b}'), ("vertical-tab", '\u{b}'), ("FF", '\u{c}'),
    ("form-feed", '\u{c}'), ("CR", '\r'), ("carriage-return", '\r'), ("SO", '\u{e}'), ("SI", '\u{f}'),
    ("DLE", '\u{10}'), ("DC1", '\u{11}'), ("DC2", '\u{12}'), ("DC3", '\u{13}'), ("DC4", '\u{14}'), ("NAK", '\u{15}'),
    ("SYN", '\u{16}'), ("ETB", '\u{17}'), ("CAN", '\u{18}'), ("EM", '\u{19}'), ("SUB", '\u{1a}'), ("ESC", '\u{1b}'),
    ("IS4", '\u{1c}'), ("FS", '\u{1c}'), ("IS3", '\u{1d}'), ("GS", '\u{1d}'), ("IS2", '\u{1e}'), ("RS", '\u{1e}'),
    ("IS1", '\u{1f}'), ("US", '\u{1f}'), ("space", ' '), ("exclamation-mark", '!'), ("quotation-mark", '"'),
    ("number-sign", '#'), ("dollar-sign", '$'), ("percent-sign", '%'), ("ampersand", '&'), ("apostrophe", '\''),
    ("left-parenthesis", '('), ("right-parenthesis", ')'), ("asterisk", '*'), ("plus-sign", '+'), ("comma", ','),
    ("hyphen", '-'), ("hyphen-minus", '-'), ("period", '.'), ("full-stop", '.'), ("slash", '/'), ("solidus", '/'),
    ("zero", '0'), ("one", '1'), ("two", '2'), ("three", '3'), ("four", '4'), ("five", '5'), ("six", '6'),
    ("seven", '7'), ("eight", '8'), ("nine", '9'), ("colon", ':'), ("semicolon", ';'), ("less-than-sign", '<'),
    ("equals-sign", '='), ("greater-than-sign", '>'), ("question-mark", '?'), ("commercial-at", '@'),
    ("left-square-bracket", '['), ("backslash", '\\'), ("reverse-solidus", '\\'), ("right-square-bracket", ']'),
    ("circumflex", '^'), ("circumflex-accent", '^'), ("underscore", '_'), ("low-line", '_'), ("grave-accent", '`'),
    ("left-brace", '{'), ("left-curly-bracket", '{'), ("vertical-line", '|'), ("right-brace", '}'),
    ("right-curly-bracket", '}'), ("tilde", '~'), ("DEL", '\u{7f}'),
];
