//! Tests of the data model that span its parts: literal cases as PostgreSQL 18 answers them, random round trips
//! (the seed is printed), and damaged bytes for every decoder.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::jsonb::ops;
use super::key::{KeyOrder, decode_key, encode_key};
use super::row::{RowRef, encode_row};
use super::{Array, Datum, Interval, Jsonb, JsonbRef, Numeric, Record, bytes, json, jsonb, sort_key};

fn rng(seed: u64) -> StdRng {
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

fn numeric(text: &str) -> Numeric {
    Numeric::parse(text).unwrap()
}

fn document(text: &str) -> Jsonb {
    Jsonb::parse(text).unwrap()
}

fn report(error: crate::error::Error) -> String {
    let report = error.report();
    let detail = report.detail.as_deref().unwrap_or("-");
    format!("{} {} | {detail} | {}", report.code, report.message, report.context.as_deref().unwrap_or("-"))
}

#[test]
fn numeric_answers() {
    let one = |f: fn(&Numeric) -> crate::error::Result<Numeric>, x: &str| f(&numeric(x)).unwrap().to_string();
    let two = |f: fn(&Numeric, &Numeric) -> crate::error::Result<Numeric>, x: &str, y: &str| {
        f(&numeric(x), &numeric(y)).map_or_else(|error| error.message().to_owned(), |value| value.to_string())
    };
    assert_eq!(two(Numeric::add, "1.10", "2.205"), "3.305");
    assert_eq!(two(Numeric::mul, "1.10", "-2.2"), "-2.420");
    assert_eq!(two(Numeric::div, "1", "3"), "0.33333333333333333333");
    assert_eq!(two(Numeric::div, "10", "4"), "2.5000000000000000");
    assert_eq!(two(Numeric::div, "1", "0"), "division by zero");
    assert_eq!(two(Numeric::div, "Infinity", "-Infinity"), "NaN");
    assert_eq!(two(Numeric::rem, "-7.5", "2"), "-1.5");
    assert_eq!(two(Numeric::power, "2", "0.5"), "1.4142135623730950");
    assert_eq!(two(Numeric::power, "2", "-3"), "0.1250000000000000");
    assert_eq!(two(Numeric::power, "10", "131072"), "value overflows numeric format");
    assert_eq!(one(Numeric::sqrt, "2"), "1.414213562373095");
    assert_eq!(one(Numeric::sqrt, "0"), "0.000000000000000");
    assert_eq!(one(Numeric::exp, "1"), "2.7182818284590452");
    assert_eq!(one(Numeric::ln, "2"), "0.6931471805599453");
    assert_eq!(one(Numeric::log10, "100"), "2.0000000000000000");
    assert_eq!(numeric("2.5").round(0).unwrap().to_string(), "3");
    assert_eq!(numeric("-2.5").round(0).unwrap().to_string(), "-3");
    assert_eq!(numeric("1250").round(-2).unwrap().to_string(), "1300");
    let long = numeric("-77339683931121973956899488029713513235.69145962916157");
    assert_eq!(long.round(-38).unwrap().to_string(), format!("-1{}", "0".repeat(38)));
    assert_eq!(numeric("1_000.5").to_string(), "1000.5");
    assert_eq!(numeric("0x1F").to_string(), "31");
    assert_eq!(numeric("1.5e3").to_string(), "1500");
    assert_eq!(numeric("-1e-3").to_string(), "-0.001");
    assert_eq!(Numeric::from_f64(0.1 + 0.2).to_string(), "0.3");
    assert_eq!(Numeric::from_f32(0.1).to_string(), "0.1");
    let refused = numeric("1000").apply_typmod((3 << 16 | 1) + 4).unwrap_err();
    assert_eq!(
        report(refused),
        "22003 numeric field overflow | A field with precision 3, scale 1 must round to an absolute value less than 10^2. | -"
    );
    assert_eq!(
        report(Numeric::parse("1x").unwrap_err()),
        "22P02 invalid input syntax for type numeric: \"1x\" | - | -"
    );
    for text in ["1e131072", "1e-20000", "1e999999999999"] {
        assert_eq!(Numeric::parse(text).unwrap_err().message(), "value overflows numeric format");
    }
}

fn random_numeric(rng: &mut StdRng) -> Numeric {
    match rng.random_range(0..20) {
        0 => Numeric::NAN,
        1 => Numeric::INFINITY,
        2 => Numeric::NEG_INFINITY,
        3 => numeric(["0", "0.00", "1", "1.0", "1.00"][rng.random_range(0..5)]),
        _ => {
            let (whole, behind) = (rng.random_range(1..45), rng.random_range(0..45));
            let mut text = String::from(if rng.random() { "-" } else { "" });
            text.extend((0..whole).map(|_| char::from(b'0' + rng.random_range(0..10))));
            text.push('.');
            text.extend((0..behind).map(|_| char::from(b'0' + rng.random_range(0..10u8) / 6 * 7)));
            numeric(&text)
        }
    }
}

#[test]
fn numeric_round_trips() {
    let mut rng = rng(1);
    for _ in 0..3000 {
        let (a, b) = (random_numeric(&mut rng), random_numeric(&mut rng));
        assert!(numeric(&a.to_string()).is_identical(&a), "{a}");
        assert!(Numeric::from_bytes(&a.as_bytes()).unwrap().is_identical(&a), "{a}");
        let mut wire = Vec::new();
        a.encode_binary(&mut wire);
        assert!(Numeric::decode_binary(&wire).unwrap().is_identical(&a), "{a}");
        let (mut x, mut y) = (Vec::new(), Vec::new());
        a.write_sort_key(&mut x);
        b.write_sort_key(&mut y);
        assert_eq!(x.cmp(&y), a.cmp(&b), "{a} {b}");
        let (back, used) = Numeric::read_sort_key(&x).unwrap();
        assert_eq!((back, used), (a.trim_scale(), x.len()));
        if a.is_finite() && b.is_finite() {
            let sum = a.add(&b).unwrap();
            assert_eq!(sum.sub(&b).unwrap(), a);
            if !b.is_zero() {
                let whole = a.div_trunc(&b).unwrap();
                assert_eq!(whole.mul(&b).unwrap().add(&a.rem(&b).unwrap()).unwrap(), a, "{a} {b}");
            }
        }
    }
}

fn random_json(rng: &mut StdRng, depth: usize) -> String {
    const SCALARS: &[&str] = &[
        "null",
        "true",
        "false",
        "0",
        "127",
        "128",
        "-1",
        "1.0",
        "1.00",
        "-0.5",
        "1e20",
        "1e50",
        "12345678901234567890",
        "\"\"",
        "\"a\"",
        "\"\\u00e9 \\n \\\"\"",
        "\"\\ud83d\\ude00\"",
        "\"a string of more than eight bytes\"",
    ];
    const KEYS: &[&str] = &["a", "b", "aa", "", "zz", "a key of some length", "é"];
    match rng.random_range(0..if depth > 4 { 3 } else { 6 }) {
        0..3 => SCALARS[rng.random_range(0..SCALARS.len())].to_owned(),
        3 => {
            let items: Vec<_> = (0..rng.random_range(0..5)).map(|_| random_json(rng, depth + 1)).collect();
            format!("[{}]", items.join(" , "))
        }
        _ => {
            let pairs: Vec<_> = (0..rng.random_range(0..7))
                .map(|_| format!("\"{}\" :{}", KEYS[rng.random_range(0..KEYS.len())], random_json(rng, depth + 1)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

#[test]
fn documents_round_trip_and_sort() {
    let mut rng = rng(2);
    for _ in 0..3000 {
        let (a, b) = (document(&random_json(&mut rng, 0)), document(&random_json(&mut rng, 0)));
        let text = a.to_string();
        assert_eq!(document(&text).to_string(), text);
        assert_eq!(document(&text), a);
        assert!(Jsonb::from_bytes(a.as_bytes()).is_ok(), "{a}");
        assert!(json::validate(&ops::pretty(a.as_ref())).is_ok());
        assert!(a.as_ref().contains(a.as_ref()), "{a}");
        let (mut x, mut y) = (Vec::new(), Vec::new());
        a.as_ref().write_sort_key(&mut x);
        b.as_ref().write_sort_key(&mut y);
        assert_eq!(x.cmp(&y), a.cmp(&b), "{a} {b}");
        let (back, used) = jsonb::read_sort_key(&x).unwrap();
        assert_eq!((&back, used), (&a, x.len()));
    }
}

#[test]
fn jsonb_text_and_order() {
    let text = |source: &str| document(source).to_string();
    assert_eq!(text(r#" {"bb":1,"a":[1.50 , {}],"bb" : "x\n\u0001"} "#), r#"{"a": [1.50, {}], "bb": "x\n\u0001"}"#);
    assert_eq!(text("-0"), "0");
    assert_eq!(text("1e2"), "100");
    assert_eq!(text("1e400").len(), 401);
    let sorted = ["[]", "null", "\"a\"", "\"b\"", "1", "2.5", "false", "true", "[1]", "[1, 2]", "{}", "{\"a\": 1}"];
    for pair in sorted.windows(2) {
        assert!(document(pair[0]) < document(pair[1]), "{pair:?}");
    }
    assert_eq!(document("1.0"), document("1.00"));
}

#[test]
fn jsonb_errors() {
    let refused = |text: &str| report(Jsonb::parse(text).unwrap_err());
    let syntax = "22P02 invalid input syntax for type json";
    assert_eq!(refused(""), format!("{syntax} | The input string ended unexpectedly. | JSON data, line 1: "));
    assert_eq!(refused("f1.5e-3"), format!("{syntax} | Token \"f1\" is invalid. | JSON data, line 1: f1..."));
    assert_eq!(
        refused("{\"a\" 1}"),
        format!("{syntax} | Expected \":\", but found \"1\". | JSON data, line 1: {{\"a\" 1...")
    );
    assert_eq!(
        refused("[1,\n2,]"),
        format!("{syntax} | Expected JSON value, but found \"]\". | JSON data, line 2: 2,]")
    );
    assert_eq!(
        refused(r#"{"a":"\u0000"}"#),
        "22P05 unsupported Unicode escape sequence | \\u0000 cannot be converted to text. | JSON data, line 1: {\"a\":\"\\u0000..."
    );
    assert_eq!(
        refused(r#"{"a":"\ud800"}"#),
        format!(
            "{syntax} | Unicode low surrogate must follow a high surrogate. | JSON data, line 1: {{\"a\":\"\\ud800\"..."
        )
    );
    assert_eq!(refused("1e400000"), "22003 value overflows numeric format | - | -");
    assert_eq!(refused(&"1".repeat(1_000_000)), "22003 value overflows numeric format | - | -");
    assert!(refused(&"[".repeat(1_000_000)).starts_with("54001 stack depth limit exceeded"));
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let deep = document(&deep);
    assert_eq!(deep.to_string().len(), 2000);
    assert!(ops::concat(document("[1]").as_ref(), document(&format!("[{deep}]")[1..=2000]).as_ref()).is_ok());
    assert_eq!(
        ops::set(document("[[]]").as_ref(), &[Some("0"), Some("0")], deep.as_ref(), true).unwrap_err().code().as_str(),
        "54001"
    );
}

#[test]
fn jsonb_operators() {
    let p = |path: &[&'static str]| path.iter().map(|step| Some(*step)).collect::<Vec<_>>();
    let shown = |result: crate::error::Result<Jsonb>| result.map_or_else(|e| e.message().to_owned(), |v| v.to_string());
    let concat = |a: &str, b: &str| shown(ops::concat(document(a).as_ref(), document(b).as_ref()));
    assert_eq!(concat("1", "{}"), "[1, {}]");
    assert_eq!(concat("{\"a\":1}", "[]"), "[{\"a\": 1}]");
    assert_eq!(concat("1", "[]"), "[1]");
    assert_eq!(concat("{\"a\":1,\"b\":2}", "{\"b\":3}"), "{\"a\": 1, \"b\": 3}");
    let set = |a: &str, path: &[&'static str], create| {
        shown(ops::set(document(a).as_ref(), &p(path), document("9").as_ref(), create))
    };
    assert_eq!(set("[1,2,3]", &["-5"], true), "[9, 1, 2, 3]");
    assert_eq!(set("[1,2,3]", &["5"], false), "[1, 2, 3]");
    assert_eq!(set("{\"a\":{\"b\":1}}", &["a", "c"], true), "{\"a\": {\"b\": 1, \"c\": 9}}");
    assert_eq!(set("{\"a\":{\"b\":1}}", &["x", "c"], true), "{\"a\": {\"b\": 1}}");
    assert_eq!(set("[1]", &["x"], true), "path element at position 1 is not an integer: \"x\"");
    assert_eq!(set("1", &["x"], true), "cannot set path in scalar");
    let subscript = |a: &str, path: &[&'static str]| {
        shown(ops::set_subscript(Some(document(a).as_ref()), &p(path), false, document("5").as_ref()))
    };
    assert_eq!(subscript("{\"a\": 1}", &["b", "2", "c"]), "{\"a\": 1, \"b\": [null, null, {\"c\": 5}]}");
    assert_eq!(subscript("{\"a\":[]}", &["a", "1", "a", "1"]), "{\"a\": [null, {\"a\": [null, 5]}]}");
    assert_eq!(subscript("{\"a\":null}", &["a", "1"]), "cannot replace existing key");
    assert_eq!(subscript("[1]", &["-3"]), "path element at position 1 is out of range: -3");
    let insert = |path: &[&'static str], after| {
        let target = document("{\"a\":[0,1,2]}");
        shown(ops::insert(target.as_ref(), &p(path), document("\"n\"").as_ref(), after))
    };
    assert_eq!(insert(&["a", "1"], false), "{\"a\": [0, \"n\", 1, 2]}");
    assert_eq!(insert(&["a", "-1"], true), "{\"a\": [0, 1, 2, \"n\"]}");
    assert_eq!(insert(&["a"], true), "cannot replace existing key");
    assert_eq!(shown(ops::delete_path(document("[1,[2,3]]").as_ref(), &p(&["1", "-1"]))), "[1, [2]]");
    assert_eq!(shown(ops::delete_key(document("[\"a\",\"b\",\"a\"]").as_ref(), "a")), "[\"b\"]");
    assert_eq!(shown(ops::delete_index(document("{}").as_ref(), 1)), "cannot delete from object using integer index");
    assert_eq!(shown(ops::strip_nulls(document("{\"a\":null,\"b\":[null]}").as_ref(), false)), "{\"b\": [null]}");
    assert_eq!(
        ops::pretty(document("{\"a\":[],\"c\":[1]}").as_ref()),
        "{\n    \"a\": [\n    ],\n    \"c\": [\n        1\n    ]\n}"
    );
    let contains = |a: &str, b: &str| document(a).as_ref().contains(document(b).as_ref());
    assert!(contains("[1,2,[3,4]]", "[[4]]") && contains("[\"x\"]", "\"x\"") && !contains("\"x\"", "[\"x\"]"));
    assert!(contains("{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2.0}}") && !contains("[]", "{}"));
}

#[test]
fn json_text_is_kept() {
    let text = r#" {"a": {"b" : 1.0}, "a" :2 , "k\u0041": [1 , null, "x\n"]} "#;
    assert!(json::validate(text).is_ok());
    assert_eq!(json::get(text, "a").unwrap(), Some("2"));
    assert_eq!(json::get_path(text, &["a", "b"]).unwrap(), Some("1.0"));
    assert_eq!(json::get(text, "kA").unwrap(), Some("[1 , null, \"x\\n\"]"));
    assert_eq!(json::index("[1, 2 ]", -1).unwrap(), Some("2"));
    assert_eq!(json::as_text("\"x\\n\"").as_deref(), Some("x\n"));
    assert_eq!(json::as_text("null"), None);
    assert_eq!(json::entries(text).unwrap().count(), 3);
    assert_eq!(json::array_length("[1, [2,3], {}]"), Some(3));
    assert_eq!(json::strip_nulls("{\"a\":\"\\u0041\\/ x\", \"b\":null}", false).unwrap(), "{\"a\":\"A/ x\"}");
    assert!(json::validate("\"\\u0000\"").is_ok());
    assert_eq!(json::get("{\"a\":\"\\u0000\"}", "b").unwrap_err().code().as_str(), "22P05");
}

fn random_datum(rng: &mut StdRng, depth: usize) -> Datum {
    match rng.random_range(0..if depth > 2 { 20 } else { 23 }) {
        0 => Datum::Null,
        1 => Datum::Bool(rng.random()),
        2 => Datum::Int2(rng.random()),
        3 => Datum::Int4(rng.random::<i32>() >> rng.random_range(0..32)),
        4 => Datum::Int8(rng.random::<i64>() >> rng.random_range(0..64)),
        5 => Datum::Oid(rng.random()),
        6 => Datum::Float4(f32::from_bits(rng.random())),
        7 => Datum::Float8(f64::from_bits(rng.random())),
        8 => Datum::Numeric(random_numeric(rng)),
        9 => Datum::text(["", "a", "ab", "é", "a\u{1}"][rng.random_range(0..5)]),
        10 => Datum::Json("{ }".into()),
        11 => Datum::Jsonb(document(&random_json(rng, 0))),
        12 => Datum::Bytea(vec![0; rng.random_range(0..4)].into()),
        13 => Datum::Date(rng.random()),
        14 => Datum::Time(rng.random_range(0..86_400_000_000)),
        15 => Datum::TimeTz(rng.random_range(0..86_400_000_000), rng.random_range(-50_000..50_000)),
        16 => Datum::Timestamp(rng.random()),
        17 => Datum::TimestampTz(rng.random()),
        18 => Datum::Interval(Interval { months: rng.random(), days: rng.random(), micros: rng.random() }),
        19 => Datum::Uuid(rng.random()),
        20 | 21 => {
            let values: Vec<Datum> = (0..rng.random_range(0..4)).map(|_| Datum::Int4(rng.random_range(0..3))).collect();
            Datum::Array(Box::new(Array::new(23, values)))
        }
        _ => {
            let values: Vec<Datum> = (0..rng.random_range(0..4)).map(|_| random_datum(rng, depth + 1)).collect();
            let fields = (0..values.len()).map(|i| (format!("f{}", i + 1).into(), 25)).collect();
            Datum::Record(Box::new(Record { fields, values }))
        }
    }
}

#[test]
fn values_rows_and_keys_round_trip() {
    let mut rng = rng(3);
    for _ in 0..2000 {
        let values: Vec<Datum> = (0..rng.random_range(0..6)).map(|_| random_datum(&mut rng, 0)).collect();
        for value in &values {
            let mut out = Vec::new();
            bytes::encode(value, &mut out);
            assert_eq!(&bytes::decode(&out).unwrap(), value);
        }
        let row = encode_row(&values);
        let row = RowRef::new(&row).unwrap();
        assert_eq!(row.to_datums().unwrap(), values);
        assert!(row.get(values.len()).unwrap().is_none());
        let orders: Vec<KeyOrder> =
            values.iter().map(|_| KeyOrder { descending: rng.random(), nulls_first: rng.random() }).collect();
        let (mut key, mut again) = (Vec::new(), Vec::new());
        encode_key(&values, &orders, &mut key);
        encode_key(&decode_key(&key, &orders).unwrap(), &orders, &mut again);
        assert_eq!(key, again, "{values:?}");
    }
}

#[test]
fn keys_order_like_values() {
    let key = |value: &Datum| {
        let mut out = Vec::new();
        sort_key(value, &mut out);
        out
    };
    let ascending = [
        vec![Datum::Float8(f64::NEG_INFINITY), Datum::Float8(-1.0), Datum::Float8(0.0), Datum::Float8(1e-300)],
        vec![Datum::Float8(1.0), Datum::Float8(f64::INFINITY), Datum::Float8(f64::NAN)],
        vec![Datum::text(""), Datum::text("a"), Datum::text("a\u{1}"), Datum::text("ab"), Datum::text("b")],
        vec![Datum::Bytea([0].into()), Datum::Bytea([0, 0].into()), Datum::Bytea([0, 1].into())],
        vec![Datum::Int8(i64::MIN), Datum::Int8(-1), Datum::Int8(0), Datum::Int8(i64::MAX)],
    ];
    for pair in ascending.iter().flat_map(|list| list.windows(2)) {
        assert!(key(&pair[0]) < key(&pair[1]), "{pair:?}");
    }
    assert_eq!(key(&Datum::Float8(0.0)), key(&Datum::Float8(-0.0)));
    let month = Datum::Interval(Interval { months: 1, ..Interval::default() });
    let days = Datum::Interval(Interval { days: 30, ..Interval::default() });
    assert_eq!(key(&month), key(&days));
}

#[test]
fn damaged_bytes_are_refused_without_panic() {
    let mut rng = rng(4);
    for _ in 0..4000 {
        let value = random_datum(&mut rng, 0);
        let mut out = Vec::new();
        match rng.random_range(0..4) {
            0 => bytes::encode(&value, &mut out),
            1 => out = encode_row(&[value, Datum::Int4(5)]),
            2 => encode_key(&[value], &[KeyOrder::default()], &mut out),
            _ => out = document(&random_json(&mut rng, 0)).into_bytes().into(),
        }
        for _ in 0..rng.random_range(1..4) {
            if out.is_empty() {
                break;
            }
            let at = rng.random_range(0..out.len());
            match rng.random_range(0..3) {
                0 => out[at] = rng.random(),
                1 => out.truncate(at),
                _ => out.insert(at, rng.random()),
            }
        }
        let _ = bytes::decode(&out);
        let _ = Numeric::from_bytes(&out);
        let _ = Numeric::decode_binary(&out);
        let _ = decode_key(&out, &[KeyOrder { descending: rng.random(), ..KeyOrder::default() }]);
        if let Ok(row) = RowRef::new(&out) {
            let _ = row.to_datums();
        }
        // Unchecked reading must hold as well.
        let unchecked = JsonbRef::new(&out);
        let _ = (unchecked.to_string(), unchecked.contains(unchecked), unchecked.get("a"), unchecked.index(0));
        if let Ok(sound) = Jsonb::from_bytes(out) {
            assert!(json::validate(&sound.to_string()).is_ok());
        }
    }
}
