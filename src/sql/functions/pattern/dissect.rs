//! Which group matched what, once it is known where the whole match starts and ends.
//!
//! Each part takes the longest or the shortest stretch it prefers such that the rest still fits, the earlier part
//! first. A back reference makes the first fit possibly wrong, so every choice may be taken back.

use std::collections::{HashMap, HashSet};

use super::Captures;
use super::automaton::{Program, Text};
use super::syntax::{Node, Parsed};
use crate::error::Result;
use crate::sql::functions::string::basic::simple_lower;

/// Programs of the nodes that captures are inside of, by the nodes' addresses (the tree does not move).
#[derive(Debug, Default)]
pub(crate) struct Parts {
    programs: HashMap<usize, Program>,
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// The node of each group, by number.
pub(crate) fn groups(parsed: &Parsed) -> Vec<Option<&Node>> {
    let mut groups = vec![None; parsed.groups + 1];
    collect(&parsed.root, &mut groups);
    groups
}

fn collect<'a>(node: &'a Node, groups: &mut Vec<Option<&'a Node>>) {
    match node {
        Node::Capture(number, inner) => {
            if let Some(slot) = groups.get_mut(*number) {
                *slot = Some(inner);
            }
            collect(inner, groups);
        }
        Node::Concat(left, right) => {
            collect(left, groups);
            collect(right, groups);
        }
        Node::Alternate(nodes) => nodes.iter().for_each(|node| collect(node, groups)),
        Node::Repeat { node, .. } => collect(node, groups),
        _ => {}
    }
}

impl Parts {
    /// Compiles what dissection will ask about.
    pub(crate) fn compile(root: &Node, groups: &[Option<&Node>]) -> Result<Self> {
        let mut parts = Self::default();
        parts.add(root, groups)?;
        Ok(parts)
    }

    fn add(&mut self, node: &Node, groups: &[Option<&Node>]) -> Result<()> {
        if !node.has_captures() {
            return Ok(());
        }
        let part = |node: &Node, parts: &mut Self| -> Result<()> {
            parts.programs.insert(address(node), Program::compile(node, groups)?);
            parts.add(node, groups)
        };
        match node {
            Node::Capture(_, node) => self.add(node, groups),
            Node::Concat(left, right) => {
                part(left, self)?;
                part(right, self)
            }
            Node::Alternate(nodes) => nodes.iter().try_for_each(|node| part(node, self)),
            Node::Repeat { node, .. } => part(node, self),
            _ => Ok(()),
        }
    }

    fn program(&self, node: &Node) -> &Program {
        self.programs.get(&address(node)).expect("every part of a node with captures was compiled")
    }

    /// Fills in the captures of `node` matching exactly `start..end`; false when back references do not fit.
    pub(crate) fn dissect(
        &self,
        node: &Node,
        text: &Text,
        start: usize,
        end: usize,
        captures: &mut Captures,
    ) -> Result<bool> {
        if !node.has_captures() {
            return Ok(true);
        }
        match node {
            Node::Backref(group) => Ok(captures[*group].is_some_and(|(from, to)| {
                let same = |(a, b): (&char, &char)| simple_lower(*a) == simple_lower(*b);
                let (old, new) = (&text.chars[from..to], &text.chars[start..end]);
                old == new || text.fold && old.len() == new.len() && old.iter().zip(new).all(same)
            })),
            Node::Capture(number, inner) => {
                let fits = self.dissect(inner, text, start, end, captures)?;
                if fits {
                    captures[*number] = Some((start, end));
                }
                Ok(fits)
            }
            Node::Concat(left, right) => self.concat(left, right, text, start, end, captures),
            Node::Alternate(nodes) => {
                for node in nodes {
                    let before = captures.clone();
                    if self.program(node).spans(text, start, end)? && self.dissect(node, text, start, end, captures)? {
                        return Ok(true);
                    }
                    *captures = before;
                }
                Ok(false)
            }
            Node::Repeat { node, min, max, .. } => {
                if *min == 0 && start == end {
                    return Ok(true);
                }
                let mut run =
                    Iterations { parts: self, node, min: (*min).max(1), max: *max, end, failed: HashSet::new() };
                run.from(text, 0, start, captures)
            }
            _ => Ok(true),
        }
    }

    /// Where `node` can end when it starts at `start`, in its order of preference.
    fn candidates(&self, node: &Node, text: &Text, start: usize, end: usize) -> Result<Vec<usize>> {
        let mut ends = Vec::new();
        self.program(node).ends(text, start, end, &mut |at| {
            ends.push(at);
            true
        })?;
        if node.prefers_longest().unwrap_or(true) {
            ends.reverse();
        }
        Ok(ends)
    }

    fn concat(
        &self,
        left: &Node,
        right: &Node,
        text: &Text,
        start: usize,
        end: usize,
        captures: &mut Captures,
    ) -> Result<bool> {
        for middle in self.candidates(left, text, start, end)? {
            if !self.program(right).spans(text, middle, end)? {
                continue;
            }
            let before = captures.clone();
            if self.dissect(left, text, start, middle, captures)? && self.dissect(right, text, middle, end, captures)? {
                return Ok(true);
            }
            *captures = before;
        }
        Ok(false)
    }
}

/// A repeated node over one stretch.
struct Iterations<'a> {
    parts: &'a Parts,
    node: &'a Node,
    min: u32,
    max: Option<u32>,
    end: usize,
    /// (iterations done, position) from which the rest does not fit.
    failed: HashSet<(u32, usize)>,
}

impl Iterations<'_> {
    /// Divides the rest of the stretch into iterations, with an explicit stack as there can be one a character.
    fn from(&mut self, text: &Text, done: u32, start: usize, captures: &mut Captures) -> Result<bool> {
        let before = captures.clone();
        let mut ends: Vec<usize> = vec![start];
        let mut choices = vec![self.choices(text, done, start)?];
        while let Some(level) = choices.last_mut() {
            let Some(next) = level.pop() else {
                choices.pop();
                let position = ends.pop().unwrap_or(start);
                self.failed.insert((choices.len() as u32, position));
                continue;
            };
            let count = choices.len() as u32;
            if next == self.end && count >= self.min {
                let mut bounds = ends.clone();
                bounds.push(next);
                *captures = before.clone();
                if self.divide(text, &bounds, captures)? {
                    return Ok(true);
                }
                continue;
            }
            if self.max.is_some_and(|max| count >= max) || self.failed.contains(&(count, next)) {
                continue;
            }
            ends.push(next);
            let following = self.choices(text, count, next)?;
            choices.push(following);
        }
        *captures = before;
        Ok(false)
    }

    /// Ends of the next iteration, the preferred one last. Empty iterations only to reach the minimum.
    fn choices(&self, text: &Text, done: u32, start: usize) -> Result<Vec<usize>> {
        let mut ends = self.parts.candidates(self.node, text, start, self.end)?;
        ends.retain(|end| *end > start || done < self.min);
        ends.reverse();
        Ok(ends)
    }

    fn divide(&self, text: &Text, bounds: &[usize], captures: &mut Captures) -> Result<bool> {
        let mut inner = vec![None; 0];
        inner.resize(captures.len(), None::<&Node>);
        collect(self.node, &mut inner);
        for pair in bounds.windows(2) {
            // Each iteration starts with its groups unset: only the last one's count.
            for (capture, node) in captures.iter_mut().zip(&inner) {
                if node.is_some() {
                    *capture = None;
                }
            }
            if !self.parts.dissect(self.node, text, pair[0], pair[1], captures)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
