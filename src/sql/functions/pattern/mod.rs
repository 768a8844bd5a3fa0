//! Regular expressions with PostgreSQL's meaning, and the functions on them.
//!
//! A match starts as early as possible, and is then the longest or the shortest one by the expression's own
//! preference (manual, 9.7.3.5); groups divide it afterwards, the earlier ones first. Perl-like engines choose by the
//! order of alternatives instead, so the regex crate only answers whether and where a match *starts*:
//!
//! ```text
//! text -> syntax (tree) -> translate -> regex crate: first start
//!                       -> automaton: where it ends    -> dissect: the groups
//! ```

pub(crate) mod functions;
pub(crate) mod similar;

mod automaton;
mod dissect;
mod set;
mod syntax;
mod translate;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

pub(crate) use syntax::Options;

use crate::error::Result;
use crate::sql::context::EvalContext;
use automaton::{Program, Text};
use dissect::Parts;
use syntax::Parsed;

/// Character positions of the match and its groups; a group that took no part is `None`.
pub(crate) type Captures = Vec<Option<(usize, usize)>>;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Regex {
    parsed: Box<Parsed>,
    whole: Program,
    parts: Parts,
    /// Finds where a match starts; absent when the regex crate cannot say it (back references, lookaround).
    starts: Option<regex::Regex>,
}

/// Expressions kept compiled.
const CACHE_MAX: usize = 256;

type Cache = HashMap<(String, Options), Arc<Regex>>;
static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

/// Compiles an expression, or takes it from the cache.
pub(crate) fn compile(pattern: &str, options: Options) -> Result<Arc<Regex>> {
    let key = (pattern.to_owned(), options);
    // The cache holds no invariant that a panic elsewhere could break.
    let lock = || CACHE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(regex) = lock().get(&key) {
        return Ok(regex.clone());
    }
    let regex = Arc::new(Regex::new(pattern, options)?);
    let mut cache = lock();
    if cache.len() >= CACHE_MAX {
        cache.clear();
    }
    cache.insert(key, regex.clone());
    Ok(regex)
}

impl Regex {
    fn new(pattern: &str, options: Options) -> Result<Self> {
        let parsed = Box::new(syntax::parse(pattern, options)?);
        let groups = dissect::groups(&parsed);
        let whole = Program::compile(&parsed.root, &groups)?;
        let parts = Parts::compile(&parsed.root, &groups)?;
        let starts = translate::translate(&parsed);
        Ok(Self { whole, parts, starts, parsed })
    }

    /// The regex crate's form, where it means the same for this text.
    fn fast(&self, text: &str) -> Option<&regex::Regex> {
        let exact = !self.parsed.options.fold && !self.parsed.words;
        self.starts.as_ref().filter(|_| exact || text.is_ascii())
    }

    /// Whether the text matches somewhere.
    pub(crate) fn is_match(&self, context: &EvalContext, text: &str) -> Result<bool> {
        match self.fast(text) {
            Some(fast) => Ok(fast.is_match(text)),
            None => Ok(Matcher::new(self, context, text).find(0)?.is_some()),
        }
    }
}

/// An expression applied to a text.
pub(crate) struct Matcher<'a> {
    regex: &'a Regex,
    context: &'a EvalContext,
    text: &'a str,
    chars: Vec<char>,
    /// Byte offset of each character and of the end; empty for ASCII.
    offsets: Vec<usize>,
}

impl<'a> Matcher<'a> {
    /// Makes a matcher.
    pub(crate) fn new(regex: &'a Regex, context: &'a EvalContext, text: &'a str) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect()
        };
        Self { regex, context, text, chars: text.chars().collect(), offsets }
    }

    /// The length of the text in characters.
    pub(crate) fn len(&self) -> usize {
        self.chars.len()
    }

    fn offset(&self, at: usize) -> usize {
        self.offsets.get(at).copied().unwrap_or(at.min(self.text.len()))
    }

    /// The characters from..to.
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[self.offset(from)..self.offset(to)]
    }

    /// The first match that starts at `from` or later.
    pub(crate) fn find(&self, from: usize) -> Result<Option<Captures>> {
        if from > self.len() {
            return Ok(None);
        }
        if let Some(fast) = self.regex.fast(self.text) {
            let Some(found) = fast.find_at(self.text, self.offset(from)) else { return Ok(None) };
            let start = match self.offsets.binary_search(&found.start()) {
                Ok(index) => index,
                Err(_) => found.start(),
            };
            return self.match_at(start);
        }
        for start in from..=self.len() {
            if start % 256 == 255 {
                self.context.host.check_interrupt()?;
            }
            if let Some(captures) = self.match_at(start)? {
                return Ok(Some(captures));
            }
        }
        Ok(None)
    }

    fn match_at(&self, start: usize) -> Result<Option<Captures>> {
        let text = Text { chars: &self.chars, fold: self.regex.parsed.options.fold, context: self.context };
        let parsed = &self.regex.parsed;
        let longest = parsed.root.prefers_longest().unwrap_or(true);
        let mut ends = Vec::new();
        self.regex.whole.ends(&text, start, self.len(), &mut |end| {
            if !parsed.backrefs && longest {
                ends.clear();
            }
            ends.push(end);
            longest || parsed.backrefs
        })?;
        if longest {
            ends.reverse();
        }
        for end in ends {
            let mut captures: Captures = vec![None; parsed.groups + 1];
            captures[0] = Some((start, end));
            if self.regex.parts.dissect(&parsed.root, &text, start, end, &mut captures)? {
                return Ok(Some(captures));
            }
        }
        Ok(None)
    }
}
