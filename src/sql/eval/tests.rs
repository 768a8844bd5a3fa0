//! The interpreter on hand-made expressions.

use super::*;
use crate::document::Type;
use crate::sql::operators;

fn call(name: &str, left: Expr, right: Expr) -> Expr {
    let types = (compile::type_of(&left), compile::type_of(&right));
    let operator = operators::find(name)
        .iter()
        .find(|o| o.left == Some(types.0) && o.right == types.1)
        .unwrap_or_else(|| panic!("no operator {name} {types:?}"));
    Expr::Call { function: operator.function, args: vec![left, right], typ: operator.result }
}

fn int(n: i32) -> Expr {
    Expr::Const(Datum::Int4(n), Type::INT4)
}

fn run(expr: &Expr) -> Result<Datum> {
    constant(expr, &[], &EvalContext::detached(Default::default()))
}

#[test]
fn a_chain_of_sixty_thousand_terms_is_flat() {
    let sum = (0..60_000).fold(int(0), |sum, _| call("+", sum, int(1)));
    assert_eq!(run(&sum).unwrap(), Datum::Int4(60_000));
    // The plan's own nested boxes are taken apart with care: dropping them recurses.
    let mut rest = sum;
    while let Expr::Call { mut args, .. } = rest {
        rest = args.swap_remove(0);
    }
}

#[test]
fn three_valued_logic() {
    let t = || Expr::Const(Datum::Bool(true), Type::BOOL);
    let f = || Expr::Const(Datum::Bool(false), Type::BOOL);
    let n = || Expr::Const(Datum::Null, Type::BOOL);
    assert_eq!(run(&Expr::And(vec![t(), n()])).unwrap(), Datum::Null);
    assert_eq!(run(&Expr::And(vec![n(), f()])).unwrap(), Datum::Bool(false));
    assert_eq!(run(&Expr::Or(vec![n(), t()])).unwrap(), Datum::Bool(true));
    assert_eq!(run(&Expr::Or(vec![n(), f()])).unwrap(), Datum::Null);
    assert_eq!(run(&Expr::Not(Box::new(n()))).unwrap(), Datum::Null);
}

#[test]
fn in_lists_know_null() {
    let equal = operators::equality(Type::INT4.oid).unwrap();
    let list = |left: Expr, mut list: Vec<Expr>, negated| {
        for _ in 0..6 {
            list.push(int(99));
        }
        Expr::InList { left: Box::new(left), list, equal, negated }
    };
    let null = || Expr::Const(Datum::Null, Type::INT4);
    assert_eq!(run(&list(int(1), vec![int(1), null()], false)).unwrap(), Datum::Bool(true));
    assert_eq!(run(&list(int(2), vec![int(1), null()], false)).unwrap(), Datum::Null);
    assert_eq!(run(&list(int(2), vec![int(1)], true)).unwrap(), Datum::Bool(true));
    assert_eq!(run(&list(null(), vec![int(1)], true)).unwrap(), Datum::Null);
}

#[test]
fn folding_keeps_what_fails() {
    let context = EvalContext::detached(Default::default());
    assert_eq!(fold(call("+", int(1), int(2)), &context), int(3));
    let division = call("/", int(1), int(0));
    assert!(matches!(fold(division, &context), Expr::Call { .. }));
}
