//! The nondeterministic automaton of an expression: where can a match that starts here end?
//!
//! All active states step over the text together, so time is bounded by text times program, whatever the pattern.

use super::set::{Set, is_word};
use super::syntax::{Assertion, Node, invalid};
use crate::error::Result;
use crate::sql::context::EvalContext;

/// Instructions of all programs of an expression together.
const PROGRAM_MAX: usize = 200_000;

#[derive(Debug)]
enum Step {
    Set(Set),
    Split(usize, usize),
    Assert(Assertion),
    Look { behind: bool, negated: bool, program: Program },
    Match,
}

/// A compiled node.
#[derive(Debug)]
pub(crate) struct Program {
    steps: Vec<Step>,
}

impl Program {
    /// Compiles a node. A back reference is taken for what its group can match (`groups`); dissection checks the rest.
    pub(crate) fn compile(node: &Node, groups: &[Option<&Node>]) -> Result<Self> {
        let mut program = Self { steps: Vec::new() };
        program.node(node, groups)?;
        program.steps.push(Step::Match);
        Ok(program)
    }

    fn push(&mut self, step: Step) -> Result<usize> {
        if self.steps.len() >= PROGRAM_MAX {
            return Err(invalid("regular expression is too complex"));
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn node(&mut self, node: &Node, groups: &[Option<&Node>]) -> Result<()> {
        match node {
            Node::Empty => {}
            Node::Set(set) => {
                self.push(Step::Set(set.clone()))?;
            }
            Node::Assert(assertion) => {
                self.push(Step::Assert(*assertion))?;
            }
            Node::Look { behind, negated, node } => {
                let program = Self::compile(node, groups)?;
                self.push(Step::Look { behind: *behind, negated: *negated, program })?;
            }
            Node::Backref(group) => {
                if let Some(node) = groups.get(*group).copied().flatten() {
                    self.node(node, groups)?;
                }
            }
            Node::Capture(_, node) => self.node(node, groups)?,
            Node::Sequence(nodes) => {
                for node in nodes {
                    self.node(node, groups)?;
                }
            }
            Node::Concat(left, right) => {
                self.node(left, groups)?;
                self.node(right, groups)?;
            }
            Node::Alternate(nodes) => self.alternate(nodes, groups)?,
            Node::Repeat { node, min, max, .. } => self.repeat(node, *min, *max, groups)?,
        }
        Ok(())
    }

    fn alternate(&mut self, nodes: &[Node], groups: &[Option<&Node>]) -> Result<()> {
        let mut jumps = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            if index + 1 == nodes.len() {
                self.node(node, groups)?;
                continue;
            }
            let split = self.push(Step::Split(0, 0))?;
            self.node(node, groups)?;
            jumps.push(self.push(Step::Split(0, 0))?);
            self.steps[split] = Step::Split(split + 1, self.steps.len());
        }
        let end = self.steps.len();
        for jump in jumps {
            self.steps[jump] = Step::Split(end, end);
        }
        Ok(())
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, groups: &[Option<&Node>]) -> Result<()> {
        for _ in 0..min {
            self.node(node, groups)?;
        }
        match max {
            None => {
                let split = self.push(Step::Split(0, 0))?;
                self.node(node, groups)?;
                self.push(Step::Split(split, split))?;
                self.steps[split] = Step::Split(split + 1, self.steps.len());
            }
            Some(max) => {
                let mut splits = Vec::new();
                for _ in min..max {
                    splits.push(self.push(Step::Split(0, 0))?);
                    self.node(node, groups)?;
                }
                let end = self.steps.len();
                for split in splits {
                    self.steps[split] = Step::Split(split + 1, end);
                }
            }
        }
        Ok(())
    }

    /// Calls `found` with every position where a match from `start` can end, ascending, up to `limit`; `found` says
    /// whether to go on.
    pub(crate) fn ends(
        &self,
        text: &Text,
        start: usize,
        limit: usize,
        found: &mut dyn FnMut(usize) -> bool,
    ) -> Result<()> {
        let mut current = States::new(self.steps.len());
        let mut next = States::new(self.steps.len());
        let mut stack = Vec::new();
        self.follow(0, text, start, &mut current, &mut stack)?;
        let mut at = start;
        loop {
            if current.matched && !found(at) || current.list.is_empty() || at >= limit {
                return Ok(());
            }
            if at % 4096 == 4095 {
                text.context.host.check_interrupt()?;
            }
            let c = text.chars[at];
            next.clear();
            for &state in &current.list {
                if let Step::Set(set) = &self.steps[state]
                    && set.contains(c)
                {
                    self.follow(state + 1, text, at + 1, &mut next, &mut stack)?;
                }
            }
            std::mem::swap(&mut current, &mut next);
            at += 1;
        }
    }

    /// Whether `start..end` as a whole can match.
    pub(crate) fn spans(&self, text: &Text, start: usize, end: usize) -> Result<bool> {
        let mut spans = false;
        self.ends(text, start, end, &mut |at| {
            spans |= at == end;
            true
        })?;
        Ok(spans)
    }

    /// Adds a state and everything reachable from it without consuming.
    fn follow(&self, state: usize, text: &Text, at: usize, states: &mut States, stack: &mut Vec<usize>) -> Result<()> {
        stack.push(state);
        while let Some(state) = stack.pop() {
            if std::mem::replace(&mut states.seen[state], true) {
                continue;
            }
            states.touched.push(state);
            match &self.steps[state] {
                Step::Set(_) => states.list.push(state),
                Step::Match => states.matched = true,
                Step::Split(a, b) => stack.extend([*b, *a]),
                Step::Assert(assertion) => {
                    if text.holds(*assertion, at) {
                        stack.push(state + 1);
                    }
                }
                Step::Look { behind, negated, program } => {
                    let mut found = false;
                    if *behind {
                        for start in (0..=at).rev() {
                            found = program.spans(text, start, at)?;
                            if found {
                                break;
                            }
                        }
                    } else {
                        program.ends(text, at, text.chars.len(), &mut |_| {
                            found = true;
                            false
                        })?;
                    }
                    if found != *negated {
                        stack.push(state + 1);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The active states.
struct States {
    list: Vec<usize>,
    seen: Vec<bool>,
    touched: Vec<usize>,
    matched: bool,
}

impl States {
    fn new(size: usize) -> Self {
        Self { list: Vec::new(), seen: vec![false; size], touched: Vec::new(), matched: false }
    }

    fn clear(&mut self) {
        for state in self.touched.drain(..) {
            self.seen[state] = false;
        }
        self.list.clear();
        self.matched = false;
    }
}

/// The text that is searched, as characters.
pub(crate) struct Text<'a> {
    /// The characters.
    pub(crate) chars: &'a [char],
    /// Back references ignore case.
    pub(crate) fold: bool,
    /// For interrupts.
    pub(crate) context: &'a EvalContext,
}

impl Text<'_> {
    fn holds(&self, assertion: Assertion, at: usize) -> bool {
        let before = at.checked_sub(1).map(|at| self.chars[at]);
        let after = self.chars.get(at).copied();
        let (left, right) = (before.is_some_and(is_word), after.is_some_and(is_word));
        match assertion {
            Assertion::Start => at == 0,
            Assertion::End => at == self.chars.len(),
            Assertion::LineStart => before.is_none_or(|c| c == '\n'),
            Assertion::LineEnd => after.is_none_or(|c| c == '\n'),
            Assertion::WordStart => !left && right,
            Assertion::WordEnd => left && !right,
            Assertion::WordEdge => left != right,
            Assertion::NotWordEdge => left == right,
        }
    }
}
