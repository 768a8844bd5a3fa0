//! Operators: PostgreSQL's `pg_operator` as data, and their kernels.
//!
//! - `table`: one row an operator; `functions`: the `pg_proc` rows behind them.
//! - [`compare`]: `= <> < <= > >=` of every type over one total order.
//! - `integer`, `float`, `decimal`: arithmetic and bits; `text`: concatenation; `like`, `regexp`: patterns;
//!   `array`, `json`: containers. Date and time arithmetic is in `sql::datetime`.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::document::user_type::{self, UserKind};
use crate::document::{Oid, Type};

use super::function::{Body, Function, ScalarFn, Volatility};

mod array;
pub mod compare;
mod decimal;
mod float;
mod functions;
mod integer;
pub(crate) mod json;
pub(crate) mod like;
mod regexp;
mod table;
mod text;

pub use compare::Comparison;
pub(crate) use float::{overflow, underflow};

/// One operator.
#[derive(Debug)]
pub struct Operator {
    /// pg_operator.oid.
    pub oid: Oid,
    /// The symbol.
    pub name: &'static str,
    /// The left operand's type; `None` for a prefix operator.
    pub left: Option<Type>,
    /// The right operand's type.
    pub right: Type,
    /// The result type.
    pub result: Type,
    /// What it calls.
    pub function: &'static Function,
    /// The operator with the operands swapped, or 0.
    pub commutator: Oid,
    /// The operator with the opposite result, or 0.
    pub negator: Oid,
    /// Whether it can be used for hash joins and grouping.
    pub hashable: bool,
}

/// A row of the table: the function by its OID.
struct Row {
    oid: Oid,
    name: &'static str,
    left: Type,
    right: Type,
    result: Type,
    function: Oid,
    commutator: Oid,
    negator: Oid,
    hashable: bool,
}

/// The left type of prefix operators.
const NONE: Type = Type::new(0);

#[allow(clippy::too_many_arguments)]
const fn o(
    oid: Oid,
    name: &'static str,
    left: Type,
    right: Type,
    result: Type,
    function: Oid,
    commutator: Oid,
    negator: Oid,
    hashable: bool,
) -> Row {
    Row { oid, name, left, right, result, function, commutator, negator, hashable }
}

/// A strict scalar function.
pub(crate) const fn f(
    oid: Oid,
    name: &'static str,
    args: &'static [Type],
    returns: Type,
    volatility: Volatility,
    kernel: ScalarFn,
) -> Function {
    Function {
        oid,
        name,
        args,
        variadic: false,
        defaults: 0,
        returns,
        columns: &[],
        strict: true,
        volatility,
        body: Body::Scalar(kernel),
    }
}

/// A scalar function that sees NULL arguments.
pub(crate) const fn called_on_null(
    oid: Oid,
    name: &'static str,
    args: &'static [Type],
    returns: Type,
    volatility: Volatility,
    kernel: ScalarFn,
) -> Function {
    Function { strict: false, ..f(oid, name, args, returns, volatility, kernel) }
}

static ALL: LazyLock<Vec<Operator>> = LazyLock::new(|| {
    let functions: HashMap<Oid, &'static Function> = functions().iter().map(|f| (f.oid, f)).collect();
    let mut operators: Vec<Operator> = table::ROWS
        .iter()
        .map(|row| Operator {
            oid: row.oid,
            name: row.name,
            left: (row.left.oid != 0).then_some(row.left),
            right: row.right,
            result: row.result,
            function: functions
                .get(&row.function)
                .copied()
                .or_else(|| super::functions::by_oid(row.function))
                .expect("every operator's function is in one of the function tables"),
            commutator: row.commutator,
            negator: row.negator,
            hashable: row.hashable,
        })
        .collect();
    operators.sort_by_key(|operator| (operator.name, operator.oid));
    operators
});

static BY_NAME: LazyLock<HashMap<&'static str, &'static [Operator]>> =
    LazyLock::new(|| ALL.chunk_by(|a, b| a.name == b.name).map(|group| (group[0].name, group)).collect());

static BY_TYPE: LazyLock<HashMap<(&'static str, Oid), &'static Function>> = LazyLock::new(|| {
    ALL.iter()
        .filter(|operator| operator.left == Some(operator.right))
        .map(|operator| ((operator.name, operator.right.oid), operator.function))
        .collect()
});

static COMPARISONS: LazyLock<HashMap<Oid, Comparison>> = LazyLock::new(|| {
    ALL.iter()
        .filter_map(|operator| {
            let comparison = Comparison::new(operator.name, operator.left?, operator.right)?;
            Some((operator.function.oid, comparison))
        })
        .collect()
});

/// The comparison that a function makes, if it is the function of a comparison operator.
pub fn comparison(function: Oid) -> Option<Comparison> {
    COMPARISONS.get(&function).copied()
}

/// Every operator, by name.
pub fn all() -> &'static [Operator] {
    &ALL
}

/// The operators with a name.
pub fn find(name: &str) -> &'static [Operator] {
    BY_NAME.get(name).copied().unwrap_or_default()
}

/// The operator with an OID.
pub fn by_oid(oid: Oid) -> Option<&'static Operator> {
    ALL.iter().find(|operator| operator.oid == oid)
}

/// The functions that operators call.
pub fn functions() -> &'static [Function] {
    functions::FUNCTIONS
}

/// The `=` of a type: its btree (else hash) equality. Arrays, records and the types that borrow another's operators included.
pub fn equality(oid: Oid) -> Option<&'static Function> {
    of_type("=", oid)
}

/// The `<` of a type's btree order.
pub fn less_than(oid: Oid) -> Option<&'static Function> {
    of_type("<", oid)
}

/// The `name` operator's function over two values of a type, as `ORDER BY` and `DISTINCT` find it.
pub fn of_type(name: &'static str, oid: Oid) -> Option<&'static Function> {
    BY_TYPE.get(&(name, comparison_type(oid))).copied()
}

/// The type whose operators compare values of a type.
fn comparison_type(oid: Oid) -> Oid {
    match Type::new(oid) {
        Type::VARCHAR | Type::UNKNOWN | Type::CSTRING | Type::REFCURSOR => Type::TEXT.oid,
        Type::REGPROC
        | Type::REGPROCEDURE
        | Type::REGOPER
        | Type::REGOPERATOR
        | Type::REGCLASS
        | Type::REGTYPE
        | Type::REGCONFIG
        | Type::REGDICTIONARY
        | Type::REGNAMESPACE
        | Type::REGROLE
        | Type::REGCOLLATION => Type::OID.oid,
        Type::OIDVECTOR => oid,
        _ => match super::types::by_oid(oid) {
            // Arrays compare if their elements do.
            Some(info) if info.is_array() || info.oid == Type::INT2VECTOR.oid => {
                let element = comparison_type(info.element);
                if BY_TYPE.contains_key(&("=", element)) { Type::ANYARRAY.oid } else { 0 }
            }
            Some(info) if info.kind == 'r' => Type::ANYRANGE.oid,
            Some(info) if info.kind == 'm' => Type::ANYMULTIRANGE.oid,
            Some(_) if oid == Type::CIDR.oid => Type::INET.oid,
            Some(_) => oid,
            None => user_comparison_type(oid),
        },
    }
}

fn user_comparison_type(oid: Oid) -> Oid {
    match user_type::scalar_kind(oid) {
        None => match user_type::element_of(oid) {
            Some(_) => Type::ANYARRAY.oid,
            None => oid,
        },
        Some(UserKind::Enum) => Type::ANYENUM.oid,
        Some(UserKind::Range) => Type::ANYRANGE.oid,
        Some(UserKind::Multirange) => Type::ANYMULTIRANGE.oid,
        Some(UserKind::Composite | UserKind::Domain) => Type::RECORD.oid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_found_by_name_and_type() {
        assert!(find("+").iter().any(|o| o.left == Some(Type::INT4) && o.right == Type::INT4 && o.oid == 551));
        assert!(find("@@@").is_empty());
        assert_eq!(equality(Type::INT4.oid).map(|f| f.name), Some("int4eq"));
        assert_eq!(equality(Type::VARCHAR.oid).map(|f| f.name), Some("texteq"));
        assert_eq!(less_than(Type::TEXT_ARRAY.oid).map(|f| f.name), Some("array_lt"));
        assert_eq!(equality(Type::JSON.oid).map(|f| f.name), None);
        assert_eq!(equality(Type::JSON_ARRAY.oid).map(|f| f.name), None);
    }

    #[test]
    fn every_negator_and_commutator_is_there() {
        for operator in all() {
            for other in [operator.commutator, operator.negator] {
                assert!(other == 0 || by_oid(other).is_some(), "{} {} misses {other}", operator.oid, operator.name);
            }
        }
    }
}
