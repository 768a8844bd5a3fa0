//! Choosing an operator or function by argument types (manual, 10.2 and 10.3; PostgreSQL's `parse_func.c`).

use crate::document::{Oid, Type};
use crate::sql::function::Function;
use crate::sql::types;
use crate::storage::catalog::Catalog;

use super::coerce::{Context, can_coerce, category};
use super::polymorphic;

const UNKNOWN: Oid = Type::UNKNOWN.oid;

/// A function or operator that may be meant, with the argument types as the call would see them.
#[derive(Clone, Debug)]
pub(super) struct Candidate<T> {
    pub(super) what: T,
    pub(super) args: Vec<Oid>,
    /// How many of the arguments are gathered into the variadic array.
    pub(super) gathered: usize,
}

/// What the choice came to.
#[derive(Debug)]
pub(super) enum Choice<T> {
    One(T),
    None,
    Ambiguous,
}

/// The candidates of a call with this many arguments.
pub(super) fn candidates(
    functions: &'static [&'static Function],
    count: usize,
    expand_variadic: bool,
) -> Vec<Candidate<&'static Function>> {
    let mut out: Vec<Candidate<&'static Function>> = Vec::new();
    for function in functions {
        let declared = function.args.len();
        let oids = || function.args.iter().map(|t| t.oid);
        if count <= declared && count + usize::from(function.defaults) >= declared {
            // VARIADIC "any" takes any arguments: its last declared one is no array to gather into.
            let plain = Candidate { what: *function, args: oids().take(count).collect(), gathered: 0 };
            out.push(plain);
        }
        if function.variadic && count >= declared && expand_variadic {
            let last = function.args[declared - 1].oid;
            let element = match Type::new(last) {
                Type::ANY => Type::ANY.oid,
                Type::ANYARRAY => Type::ANYELEMENT.oid,
                Type::ANYCOMPATIBLEARRAY => Type::ANYCOMPATIBLE.oid,
                _ => types::element_of(last).unwrap_or(last),
            };
            let extra = count - declared + 1;
            let args: Vec<Oid> = oids().take(declared - 1).chain(std::iter::repeat_n(element, extra)).collect();
            let gathered = if last == Type::ANY.oid { 0 } else { extra };
            if last == Type::ANY.oid && count == declared {
                continue;
            }
            out.push(Candidate { what: *function, args, gathered });
        }
    }
    // Of equal signatures the one that gathers nothing counts.
    let plain: Vec<Vec<Oid>> = out.iter().filter(|c| c.gathered == 0).map(|c| c.args.clone()).collect();
    out.retain(|c| c.gathered == 0 || !plain.contains(&c.args));
    out
}

/// Whether a candidate can take the arguments.
fn accepts(catalog: &Catalog, declared: &[Oid], actual: &[Oid]) -> bool {
    declared.len() == actual.len()
        && declared.iter().zip(actual).all(|(declared, actual)| can_coerce(*actual, *declared, Context::Implicit))
        && (!declared.iter().any(|oid| types::is_polymorphic(*oid))
            || !matches!(polymorphic::resolve(catalog, declared, actual), Err(polymorphic::Conflict::Inconsistent)))
}

/// Chooses among candidates; an exact match first.
pub(super) fn choose<T: Clone>(
    catalog: &Catalog,
    candidates: Vec<Candidate<T>>,
    actual: &[Oid],
) -> Choice<Candidate<T>> {
    if let Some(exact) = candidates.iter().find(|c| c.args == actual) {
        return Choice::One(exact.clone());
    }
    let mut left: Vec<Candidate<T>> = candidates.into_iter().filter(|c| accepts(catalog, &c.args, actual)).collect();
    match left.len() {
        0 => Choice::None,
        1 => Choice::One(left.remove(0)),
        _ => best(catalog, left, actual),
    }
}

/// PostgreSQL's `func_select_candidate`.
fn best<T: Clone>(catalog: &Catalog, mut left: Vec<Candidate<T>>, actual: &[Oid]) -> Choice<Candidate<T>> {
    let unknowns = actual.iter().filter(|oid| **oid == UNKNOWN).count();
    if unknowns < actual.len() {
        left = keep_most(left, |c| {
            c.args.iter().zip(actual).filter(|(declared, actual)| **actual != UNKNOWN && declared == actual).count()
        });
        if left.len() == 1 {
            return Choice::One(left.remove(0));
        }
    }
    left = keep_most(left, |c| {
        c.args
            .iter()
            .zip(actual)
            .filter(|(declared, actual)| {
                **actual != UNKNOWN
                    && (declared == actual
                        || (category(**declared) == category(**actual) && types::is_preferred(**declared)))
            })
            .count()
    });
    if left.len() == 1 {
        return Choice::One(left.remove(0));
    }
    if unknowns == 0 {
        return Choice::Ambiguous;
    }
    if let Some(one) = by_category(&left, actual) {
        return match one {
            Ok(candidate) => Choice::One(candidate),
            Err(fewer) => last_gasp(catalog, fewer, actual, unknowns),
        };
    }
    last_gasp(catalog, left, actual, unknowns)
}

fn keep_most<T>(left: Vec<Candidate<T>>, score: impl Fn(&Candidate<T>) -> usize) -> Vec<Candidate<T>> {
    let scores: Vec<usize> = left.iter().map(&score).collect();
    let most = scores.iter().copied().max().unwrap_or(0);
    left.into_iter().zip(scores).filter(|(_, score)| *score == most).map(|(c, _)| c).collect()
}

/// Resolves unknown arguments by the categories the candidates want: the one left, or the fewer; `None` when the
/// categories do not decide anything.
#[allow(clippy::type_complexity)]
fn by_category<T: Clone>(left: &[Candidate<T>], actual: &[Oid]) -> Option<Result<Candidate<T>, Vec<Candidate<T>>>> {
    let mut wanted: Vec<Option<(char, bool)>> = vec![None; actual.len()];
    for (i, slot) in wanted.iter_mut().enumerate().filter(|(i, _)| actual[*i] == UNKNOWN) {
        let mut found: Option<(char, bool)> = None;
        let mut conflict = false;
        for candidate in left {
            let (this, preferred) = (category(candidate.args[i]), types::is_preferred(candidate.args[i]));
            match &mut found {
                None => found = Some((this, preferred)),
                Some((known, any_preferred)) if *known == this => *any_preferred |= preferred,
                Some(known) if this == 'S' => {
                    *known = (this, preferred);
                    conflict = false;
                }
                Some((known, _)) => conflict |= *known != 'S',
            }
        }
        if conflict {
            return None;
        }
        *slot = found;
    }
    let fits = |candidate: &Candidate<T>| {
        candidate.args.iter().zip(&wanted).all(|(oid, want)| match want {
            None => true,
            Some((want, preferred)) => category(*oid) == *want && (!preferred || types::is_preferred(*oid)),
        })
    };
    let mut fewer: Vec<Candidate<T>> = left.iter().filter(|c| fits(c)).cloned().collect();
    match fewer.len() {
        0 => None,
        1 => Some(Ok(fewer.remove(0))),
        _ => Some(Err(fewer)),
    }
}

/// If all known arguments have one type, suppose the unknown ones have it too.
fn last_gasp<T: Clone>(
    catalog: &Catalog,
    left: Vec<Candidate<T>>,
    actual: &[Oid],
    unknowns: usize,
) -> Choice<Candidate<T>> {
    if unknowns == actual.len() {
        return Choice::Ambiguous;
    }
    let mut known = actual.iter().copied().filter(|oid| *oid != UNKNOWN);
    let Some(first) = known.next() else { return Choice::Ambiguous };
    if known.any(|oid| oid != first) {
        return Choice::Ambiguous;
    }
    let supposed = vec![first; actual.len()];
    let mut fitting = left.into_iter().filter(|c| accepts(catalog, &c.args, &supposed));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Choice::One(one),
        _ => Choice::Ambiguous,
    }
}
