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

fn array(text: &str) -> Expr {
    let context = EvalContext::detached(Default::default());
    Expr::Const(crate::sql::io::text_in(Type::INT4_ARRAY, text, &context).unwrap(), Type::INT4_ARRAY)
}

fn shown(expr: &Expr) -> String {
    let context = EvalContext::detached(Default::default());
    let value = run(expr).unwrap();
    let mut out = String::new();
    crate::sql::io::output(&value, crate::sql::io::natural_type(&value), &context, &mut out);
    out
}

#[test]
fn subscripts_and_slices() {
    use crate::sql::plan::Subscript::{Index, Slice};
    let of = |text: &str, subscripts: Vec<crate::sql::plan::Subscript>, typ| {
        shown(&Expr::Subscript { input: Box::new(array(text)), subscripts, typ })
    };
    let index = |n| Index(int(n));
    let slice = |a, b| Slice(Some(int(a)), Some(int(b)));
    assert_eq!(of("{1,2,3}", vec![index(2)], Type::INT4), "2");
    assert_eq!(of("{1,2,3}", vec![index(4)], Type::INT4), "");
    assert_eq!(of("[0:2]={1,2,3}", vec![index(0)], Type::INT4), "1");
    assert_eq!(of("{{1,2},{3,4}}", vec![index(2), index(1)], Type::INT4), "3");
    assert_eq!(of("{{1,2},{3,4}}", vec![index(2)], Type::INT4), "");
    assert_eq!(of("{1,2,3}", vec![slice(2, 9)], Type::INT4_ARRAY), "{2,3}");
    assert_eq!(of("{1,2,3}", vec![slice(3, 2)], Type::INT4_ARRAY), "{}");
    assert_eq!(of("{{1,2},{3,4}}", vec![slice(1, 2), slice(2, 2)], Type::INT4_ARRAY), "{{2},{4}}");
    assert_eq!(of("{{1,2},{3,4}}", vec![slice(1, 1)], Type::INT4_ARRAY), "{{1,2}}");
    assert_eq!(of("{{1,2},{3,4}}", vec![Slice(None, None), index(1)], Type::INT4_ARRAY), "{{1},{3}}");
    assert_eq!(of("[-1:1]={1,2,3}", vec![Slice(None, Some(int(0)))], Type::INT4_ARRAY), "{1,2}");
}

#[test]
fn nested_arrays_must_match() {
    let nested = |elements| Expr::Array { elements, nested: true, typ: Type::INT4_ARRAY, element: Type::INT4 };
    assert_eq!(shown(&nested(vec![array("{1,2}"), array("{3,4}")])), "{{1,2},{3,4}}");
    assert_eq!(shown(&nested(vec![array("{}"), array("{}")])), "{}");
    let error = run(&nested(vec![array("{1}"), array("{2,3}")])).unwrap_err();
    assert_eq!(error.code().as_str(), "2202E");
}

#[test]
fn any_and_all_know_null() {
    let operator = operators::equality(Type::INT4.oid).unwrap();
    let quantified = |all, left, text: &str| {
        run(&Expr::AnyAll { all, left: Box::new(int(left)), operator, array: Box::new(array(text)) }).unwrap()
    };
    assert_eq!(quantified(false, 1, "{1,NULL}"), Datum::Bool(true));
    assert_eq!(quantified(false, 2, "{1,NULL}"), Datum::Null);
    assert_eq!(quantified(false, 2, "{}"), Datum::Bool(false));
    assert_eq!(quantified(true, 1, "{1,NULL}"), Datum::Null);
    assert_eq!(quantified(true, 2, "{1,NULL}"), Datum::Bool(false));
    assert_eq!(quantified(true, 2, "{}"), Datum::Bool(true));
}

#[test]
fn json_is_navigated_in_place() {
    let context = EvalContext::detached(Default::default());
    let json = |text: &str| crate::sql::io::text_in(Type::JSONB, text, &context).unwrap();
    let text = |text: &str| Expr::Const(Datum::text(text), Type::TEXT);
    let path = call("->>", call("->", Expr::Column(7, Type::JSONB), text("a")), text("b"));
    let compiled = compile(&path, &[7]).unwrap();
    let run = |document: &str| compiled.eval(&[json(document)], &[], &context).unwrap();
    assert_eq!(run(r#"{"a":{"b":"x"}}"#), Datum::text("x"));
    assert_eq!(run(r#"{"a":{"b":null}}"#), Datum::Null);
    assert_eq!(run(r#"{"a":[1]}"#), Datum::Null);
    assert_eq!(run(r#"{"a":{"b":[1, 2]}}"#), Datum::text("[1, 2]"));
    let by_index = call("->", call("->", Expr::Column(7, Type::JSONB), int(0)), int(-1));
    let compiled = compile(&by_index, &[7]).unwrap();
    assert_eq!(compiled.eval(&[json("[[1,2]]")], &[], &context).unwrap(), json("2"));
    let subscript = Expr::Subscript {
        input: Box::new(Expr::Column(7, Type::JSONB)),
        subscripts: vec![crate::sql::plan::Subscript::Index(text("a")), crate::sql::plan::Subscript::Index(int(1))],
        typ: Type::JSONB,
    };
    let compiled = compile(&subscript, &[7]).unwrap();
    assert_eq!(compiled.eval(&[json(r#"{"a":[1,2]}"#)], &[], &context).unwrap(), json("2"));
}

#[test]
fn deep_nesting_to_the_right_grows_the_stack() {
    let deep = (0..60_000).fold(int(0), |inner, _| call("+", int(1), inner));
    assert_eq!(run(&deep).unwrap(), Datum::Int4(60_000));
    let mut rest = deep;
    while let Expr::Call { mut args, .. } = rest {
        rest = args.swap_remove(1);
    }
}

#[test]
fn array_casts_go_element_by_element() {
    let cast = Expr::Cast {
        input: Box::new(array("{1,NULL,3}")),
        typ: Type::TEXT_ARRAY,
        kind: crate::sql::plan::CastKind::Array,
    };
    assert_eq!(shown(&cast), "{1,NULL,3}");
    let Datum::Array(result) = run(&cast).unwrap() else { panic!("not an array") };
    assert_eq!((result.element, &result.values[0]), (Type::TEXT.oid, &Datum::text("1")));
}
