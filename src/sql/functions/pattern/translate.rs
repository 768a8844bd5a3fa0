//! An expression in the syntax of the regex crate, without captures, to find where matches start.

use super::syntax::{Assertion, Node, Parsed};

/// Memory the crate may use for one expression.
const SIZE_MAX: usize = 4 << 20;

/// `None` when the crate cannot express it.
pub(crate) fn translate(parsed: &Parsed) -> Option<regex::Regex> {
    if parsed.backrefs || parsed.lookaround {
        return None;
    }
    let mut text = String::new();
    write(&parsed.root, &mut text);
    regex::RegexBuilder::new(&text)
        .case_insensitive(parsed.options.fold)
        .size_limit(SIZE_MAX)
        .dfa_size_limit(SIZE_MAX)
        .nest_limit(2000)
        .build()
        .ok()
}

fn write(node: &Node, out: &mut String) {
    match node {
        Node::Empty | Node::Backref(_) | Node::Look { .. } => {}
        Node::Set(set) => set.to_regex(out),
        Node::Assert(assertion) => out.push_str(match assertion {
            Assertion::LineStart => "(?m:^)",
            Assertion::LineEnd => "(?m:$)",
            Assertion::Start => r"\A",
            Assertion::End => r"\z",
            Assertion::WordStart => r"\b{start}",
            Assertion::WordEnd => r"\b{end}",
            Assertion::WordEdge => r"\b",
            Assertion::NotWordEdge => r"\B",
        }),
        Node::Capture(_, node) => group(node, out),
        Node::Concat(left, right) => {
            write(left, out);
            write(right, out);
        }
        Node::Sequence(nodes) => nodes.iter().for_each(|node| write(node, out)),
        Node::Alternate(nodes) => {
            out.push_str("(?:");
            for (index, node) in nodes.iter().enumerate() {
                if index > 0 {
                    out.push('|');
                }
                write(node, out);
            }
            out.push(')');
        }
        Node::Repeat { node, min, max, greedy } => {
            group(node, out);
            out.push_str(&match max {
                None => format!("{{{min},}}"),
                Some(max) => format!("{{{min},{max}}}"),
            });
            if !greedy {
                out.push('?');
            }
        }
    }
}

fn group(node: &Node, out: &mut String) {
    out.push_str("(?:");
    write(node, out);
    out.push(')');
}
