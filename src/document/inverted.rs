//! The items that a value has in an inverted (GIN) index, and the items that a condition looks for.
//!
//! An item is a tag and a hash, so every entry is short whatever the document holds; two things that share an item only
//! cost a needless look at a row, because every row found is asked the condition itself.
//!
//! The operator classes are PostgreSQL's (manual, 8.14.4 and 70.1): `jsonb_ops` has an item for each key and each value,
//! `jsonb_path_ops` one for each scalar together with the keys that lead to it, `array_ops` one for each element.

use std::str::FromStr;

use super::jsonb::JsonbRef;
use super::{Datum, Jsonb, Numeric, key};

/// A tag and a hash.
pub type Item = [u8; 9];

/// An operator class of inverted indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemClass {
    /// Keys and values of a document.
    Jsonb,
    /// Scalars of a document with their paths.
    JsonbPath,
    /// Elements of an array.
    Array,
}

impl ItemClass {
    /// The class of a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "jsonb_ops" => Some(Self::Jsonb),
            "jsonb_path_ops" => Some(Self::JsonbPath),
            "array_ops" => Some(Self::Array),
            _ => None,
        }
    }

    /// The items of a value, sorted, each once. NULL has none.
    pub fn items(self, value: &Datum) -> Vec<Item> {
        let mut items = match (self, value) {
            (Self::Jsonb, Datum::Jsonb(document)) => parts(document.as_ref()),
            (Self::JsonbPath, Datum::Jsonb(document)) => leaves(document.as_ref(), ROOT),
            (Self::Array, Datum::Array(array)) => array.values.iter().filter(|v| !v.is_null()).map(element).collect(),
            _ => Vec::new(),
        };
        items.sort_unstable();
        items.dedup();
        items
    }
}

/// What a condition asks of the items of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It must have all of these (at least one is named).
    All(Vec<Item>),
    /// It must have one of these.
    Any(Vec<Item>),
    /// Items say nothing: every row may satisfy the condition.
    Everything,
}

impl Lookup {
    fn all(items: Vec<Item>) -> Self {
        if items.is_empty() { Self::Everything } else { Self::All(items) }
    }

    /// `indexed @> value`, and for arrays also `indexed = value`.
    pub fn contains(class: ItemClass, value: &Datum) -> Self {
        Self::all(class.items(value))
    }

    /// `indexed && value` of arrays.
    pub fn overlaps(value: &Datum) -> Self {
        Self::Any(ItemClass::Array.items(value))
    }

    /// `indexed ? key`, `indexed ?| keys` (any) and `indexed ?& keys` (all). `jsonb_path_ops` has no items for keys.
    pub fn has_keys(class: ItemClass, value: &Datum, any: bool) -> Self {
        let texts: Vec<&str> = match value {
            Datum::Text(_) => text_of(value).into_iter().collect(),
            Datum::Array(array) => array.values.iter().filter_map(text_of).collect(),
            _ => return Self::Everything,
        };
        let items: Vec<Item> = texts.into_iter().map(|text| item(b'k', text.as_bytes(), ROOT)).collect();
        match (class, any) {
            (ItemClass::Jsonb, true) => Self::Any(items),
            (ItemClass::Jsonb, false) => Self::all(items),
            _ => Self::Everything,
        }
    }

    /// `indexed -> path = value`.
    pub fn field(class: ItemClass, path: &[&str], value: &Jsonb) -> Self {
        match class {
            ItemClass::Jsonb => Self::all(below(value.as_ref())),
            ItemClass::JsonbPath => Self::all(leaves(value.as_ref(), path.iter().fold(ROOT, |at, key| step(at, key)))),
            ItemClass::Array => Self::Everything,
        }
    }

    /// `indexed ->> path = text`: the text may be that of a string, a number or a boolean.
    pub fn field_text(class: ItemClass, path: &[&str], text: &str) -> Self {
        if text.starts_with(['{', '[']) || class == ItemClass::Array {
            return Self::Everything;
        }
        let mut scalars = vec![Jsonb::string(text)];
        match text {
            "true" | "false" => scalars.push(Jsonb::bool(text == "true")),
            _ => scalars.extend(Numeric::from_str(text).ok().filter(Numeric::is_finite).map(|n| Jsonb::number(&n))),
        }
        let at = match class {
            ItemClass::JsonbPath => path.iter().fold(ROOT, |at, key| step(at, key)),
            _ => ROOT,
        };
        Self::Any(scalars.iter().map(|scalar| scalar_item(b'v', scalar.as_ref(), at)).collect())
    }
}

/// The hash of an empty path: FNV-1a's offset basis.
const ROOT: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits (draft-eastlake-fnv): it is written to disk, so it must never change.
fn hash(bytes: &[u8], from: u64) -> u64 {
    bytes.iter().fold(from, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn text_of(value: &Datum) -> Option<&str> {
    match value {
        Datum::Text(text) => Some(text),
        _ => None,
    }
}

fn step(path: u64, key: &str) -> u64 {
    hash(&[0xff], hash(key.as_bytes(), path))
}

fn item(tag: u8, bytes: &[u8], path: u64) -> Item {
    let mut out = [tag; 9];
    out[1..].copy_from_slice(&hash(bytes, path).to_be_bytes());
    out
}

/// Equal scalars have equal sort keys, whatever the scale of a number.
fn scalar_item(tag: u8, value: JsonbRef<'_>, path: u64) -> Item {
    let mut bytes = Vec::with_capacity(32);
    value.write_sort_key(&mut bytes);
    item(tag, &bytes, path)
}

fn element(value: &Datum) -> Item {
    let mut bytes = Vec::with_capacity(16);
    key::sort_key(value, &mut bytes);
    item(b'a', &bytes, ROOT)
}

/// Keys and values of a document. Strings in arrays, and a document that is a string, count as keys: `?` finds them.
fn parts(document: JsonbRef<'_>) -> Vec<Item> {
    match document.is_scalar() {
        true => vec![part(document, true)],
        false => below(document),
    }
}

fn part(value: JsonbRef<'_>, in_array: bool) -> Item {
    match value.as_str() {
        Some(text) if in_array => item(b'k', text.as_bytes(), ROOT),
        _ => scalar_item(b'v', value, ROOT),
    }
}

/// As [`parts`], for what stands below a key: a scalar there is a value.
fn below(document: JsonbRef<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut open = vec![(document, false)];
    while let Some((value, in_array)) = open.pop() {
        if value.is_object() {
            for (key, value) in value.iter_object() {
                items.push(item(b'k', key.as_bytes(), ROOT));
                open.push((value, false));
            }
        } else if value.is_array() {
            open.extend(value.iter_array().map(|value| (value, true)));
        } else {
            items.push(part(value, in_array));
        }
    }
    items
}

/// Scalars with the keys that lead to them; arrays are no step of a path.
fn leaves(document: JsonbRef<'_>, path: u64) -> Vec<Item> {
    let mut items = Vec::new();
    let mut open = vec![(document, path)];
    while let Some((value, path)) = open.pop() {
        if value.is_object() {
            open.extend(value.iter_object().map(|(key, value)| (value, step(path, key))));
        } else if value.is_array() {
            open.extend(value.iter_array().map(|value| (value, path)));
        } else {
            items.push(scalar_item(b'v', value, path));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Datum {
        Datum::Jsonb(Jsonb::parse(text).unwrap())
    }

    fn finds(class: ItemClass, document: &str, lookup: &Lookup) -> bool {
        let items = class.items(&json(document));
        match lookup {
            Lookup::All(wanted) => wanted.iter().all(|item| items.contains(item)),
            Lookup::Any(wanted) => wanted.iter().any(|item| items.contains(item)),
            Lookup::Everything => true,
        }
    }

    const CLASSES: [ItemClass; 2] = [ItemClass::Jsonb, ItemClass::JsonbPath];

    /// What a condition accepts must be found; `false` says that the index should have spared the row.
    #[test]
    fn what_contains_is_found() {
        let cases = [
            (r#"{"a": 1, "b": {"c": "x"}}"#, r#"{"b": {"c": "x"}}"#, true),
            (r#"{"a": 1.0}"#, r#"{"a": 1}"#, true),
            (r#"{"a": [1, {"b": null}]}"#, r#"{"a": [{"b": null}]}"#, true),
            (r#"["x", "y"]"#, r#""x""#, true),
            (r#""x""#, r#""x""#, true),
            (r#"{"a": 1}"#, r#"{}"#, true),
            (r#"{"a": {}}"#, r#"{"a": {}}"#, true),
            (r#"{"a": 2}"#, r#"{"a": 1}"#, false),
            (r#"{"a": "1"}"#, r#"{"a": 1}"#, false),
            (r#"{"b": {"a": 1}}"#, r#"{"b": {"c": 1}}"#, false),
        ];
        for (document, part, found) in cases {
            for class in CLASSES {
                let lookup = Lookup::contains(class, &json(part));
                assert_eq!(finds(class, document, &lookup), found, "{class:?} {document} @> {part}");
            }
        }
        let swapped = Lookup::contains(ItemClass::JsonbPath, &json(r#"{"b": 1}"#));
        assert!(!finds(ItemClass::JsonbPath, r#"{"a": 1, "b": 2}"#, &swapped), "paths tell who has the value");
    }

    #[test]
    fn keys_and_fields_are_found() {
        let text = |t: &str| Datum::Text(t.into());
        let has = |key: &str| Lookup::has_keys(ItemClass::Jsonb, &text(key), false);
        assert!(finds(ItemClass::Jsonb, r#"{"a": 1}"#, &has("a")));
        assert!(finds(ItemClass::Jsonb, r#"["a"]"#, &has("a")) && finds(ItemClass::Jsonb, r#""a""#, &has("a")));
        assert!(!finds(ItemClass::Jsonb, r#"{"b": "a"}"#, &has("a")));
        assert_eq!(Lookup::has_keys(ItemClass::JsonbPath, &text("a"), false), Lookup::Everything);
        for class in CLASSES {
            for (document, value, found) in [
                (r#"{"a": {"b": "7"}}"#, "7", true),
                (r#"{"a": {"b": 7}}"#, "7", true),
                (r#"{"a": {"b": true}}"#, "true", true),
                (r#"{"a": {"b": {"c": 1}}}"#, r#"{"c": 1}"#, true),
                (r#"{"a": {"b": 8}}"#, "7", false),
            ] {
                let lookup = Lookup::field_text(class, &["a", "b"], value);
                assert_eq!(finds(class, document, &lookup), found, "{class:?} {document} {value}");
            }
            let lookup = Lookup::field(class, &["a"], &Jsonb::parse(r#"{"b": "7"}"#).unwrap());
            assert!(finds(class, r#"{"a": {"b": "7"}}"#, &lookup));
            assert!(!finds(class, r#"{"a": {"b": "8"}}"#, &lookup));
        }
    }
}
