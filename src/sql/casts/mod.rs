//! Casts: PostgreSQL's `pg_cast` as data, and how a conversion between any two types is found.
//!
//! [`find`] is the table alone. [`pathway`] is PostgreSQL's whole rule: the same type, the table, element-wise array
//! casts, and conversion through the text form.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::document::{Datum, Oid, Type};

use super::function::Function;
use super::{functions, types};

mod json;
mod number;
mod table;
mod text;
pub mod typmod;

/// One row of pg_cast.
#[derive(Debug)]
pub struct CastInfo {
    /// pg_cast.oid.
    pub oid: Oid,
    /// The source type.
    pub from: Type,
    /// The target type.
    pub to: Type,
    /// The function, for [`Method::Function`]. Takes the value, and for length coercions the modifier and whether the cast is explicit.
    pub function: Option<&'static Function>,
    /// Where it may be applied without being asked for.
    pub context: Context,
    /// How it converts.
    pub method: Method,
}

/// pg_cast.castcontext, in order of strength: a cast may be used where a context at least as strong as its own is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// In expressions.
    Implicit,
    /// In assignments to a column.
    Assignment,
    /// Only where `CAST` or `::` asks for it.
    Explicit,
}

/// pg_cast.castmethod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a function.
    Function,
    /// The value stays as it is.
    Binary,
    /// Through the text form.
    InOut,
}

/// How one type is converted to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pathway {
    /// The value stays as it is.
    Relabel,
    /// A function of the value alone.
    Function(&'static Function),
    /// Element by element, with the pathway between the element types.
    Array,
    /// Through the text form.
    InOut,
}

struct Row {
    oid: Oid,
    from: Type,
    to: Type,
    function: Oid,
    context: Context,
    method: Method,
}

const fn c(oid: Oid, from: Type, to: Type, function: Oid, context: Context, method: Method) -> Row {
    Row { oid, from, to, function, context, method }
}

static ALL: LazyLock<Vec<CastInfo>> = LazyLock::new(|| {
    let functions: HashMap<Oid, &'static Function> = cast_functions().iter().map(|f| (f.oid, f)).collect();
    table::ROWS
        .iter()
        .map(|row| CastInfo {
            oid: row.oid,
            from: row.from,
            to: row.to,
            function: (row.function != 0).then(|| {
                functions
                    .get(&row.function)
                    .copied()
                    .or_else(|| find_function(row.function))
                    .expect("every cast's function is in the function table")
            }),
            context: row.context,
            method: row.method,
        })
        .collect()
});

static BY_TYPES: LazyLock<HashMap<(Oid, Oid), &'static CastInfo>> =
    LazyLock::new(|| ALL.iter().map(|cast| ((cast.from.oid, cast.to.oid), cast)).collect());

/// Every row of pg_cast.
pub fn all() -> &'static [CastInfo] {
    &ALL
}

/// The row of pg_cast from one type to another (for equal types: the length coercion).
pub fn find(from: Oid, to: Oid) -> Option<&'static CastInfo> {
    BY_TYPES.get(&(from, to)).copied()
}

/// The functions that casts call.
pub fn cast_functions() -> &'static [Function] {
    table::FUNCTIONS
}

/// A cast's function that stands with the others of its type.
fn find_function(oid: Oid) -> Option<&'static Function> {
    functions::types::lists().into_iter().flatten().find(|function| function.oid == oid)
}

/// PostgreSQL's `find_coercion_pathway`: how `from` becomes `to` in a context, or `None` if it may not. An `unknown`
/// literal is read by the target's input function; that is the binder's business.
pub fn pathway(from: Oid, to: Oid, context: Context) -> Option<Pathway> {
    if from == to {
        return Some(Pathway::Relabel);
    }
    if let Some(cast) = find(from, to) {
        if context < cast.context {
            return None;
        }
        return Some(match cast.method {
            Method::Binary => Pathway::Relabel,
            Method::InOut => Pathway::InOut,
            Method::Function => Pathway::Function(cast.function.expect("a cast by function has one")),
        });
    }
    let is_array = types::is_array;
    // `oidvector` and `int2vector` are arrays that may be taken as such.
    if (from, to) == (Type::OIDVECTOR.oid, Type::OID_ARRAY.oid)
        || (from, to) == (Type::INT2VECTOR.oid, Type::INT2_ARRAY.oid)
    {
        return Some(Pathway::Relabel);
    }
    if is_array(from) && is_array(to) {
        let elements = (types::element_of(from)?, types::element_of(to)?);
        return match pathway(elements.0, elements.1, context)? {
            Pathway::Relabel => Some(Pathway::Relabel),
            Pathway::InOut if context != Context::Explicit && types::category(elements.1) != 'S' => None,
            _ => Some(Pathway::Array),
        };
    }
    // A range is a multirange of one, for the types that pg_cast does not list as well.
    if types::multirange_of(from) == Some(to) {
        let found = functions::by_oid(functions::types::range::MULTIRANGE).filter(|_| context == Context::Explicit);
        return found.map(Pathway::Function);
    }
    // A row of a table is a record.
    if types::is_composite(from) && to == Type::RECORD.oid {
        return Some(Pathway::Relabel);
    }
    // Anything is assigned to a string through its text form; the way back must be asked for.
    if context >= Context::Assignment && types::category(to) == 'S' {
        return Some(Pathway::InOut);
    }
    (context == Context::Explicit && types::category(from) == 'S' && types::by_oid(to).is_none_or(|t| t.kind != 'p'))
        .then_some(Pathway::InOut)
}

/// A value as a binary compatible type has it: the bits stay, the variant is the type's own (an oid is an unsigned int4).
pub fn relabelled(value: Datum, to: Type) -> Datum {
    match (value, Type::new(to.oid)) {
        (Datum::Int4(n), to) if to.is_oid() => Datum::Oid(n as Oid),
        (Datum::Int2(n), to) if to.is_oid() => Datum::Oid(i32::from(n) as Oid),
        (Datum::Oid(n), Type::INT4) => Datum::Int4(n as i32),
        (Datum::Inet(inet), Type::INET) => Datum::Inet(crate::document::Inet { is_cidr: false, ..inet }),
        (Datum::Array(mut array), to) => {
            let Some(element) = types::element_of(to.oid) else { return Datum::Array(array) };
            array.element = element;
            for value in &mut array.values {
                *value = relabelled(std::mem::take(value), Type::new(element));
            }
            Datum::Array(array)
        }
        (value, _) => value,
    }
}

/// Whether relabelling between two types leaves the value as it is.
pub fn is_same_value(from: Type, to: Type) -> bool {
    from.is_oid() == to.is_oid() && !(types::is_array(from.oid) && types::is_array(to.oid)) && to.oid != Type::INET.oid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pathways_follow_the_context() {
        let path = |from: Type, to: Type, context| pathway(from.oid, to.oid, context);
        assert!(matches!(path(Type::INT4, Type::INT8, Context::Implicit), Some(Pathway::Function(f)) if f.oid == 481));
        assert_eq!(path(Type::INT8, Type::INT4, Context::Implicit), None);
        assert!(path(Type::INT8, Type::INT4, Context::Assignment).is_some());
        assert_eq!(path(Type::VARCHAR, Type::TEXT, Context::Implicit), Some(Pathway::Relabel));
        assert_eq!(path(Type::INT4, Type::TEXT, Context::Implicit), None);
        assert_eq!(path(Type::INT4, Type::TEXT, Context::Assignment), Some(Pathway::InOut));
        assert_eq!(path(Type::TEXT, Type::INT4, Context::Assignment), None);
        assert_eq!(path(Type::TEXT, Type::INT4, Context::Explicit), Some(Pathway::InOut));
        assert_eq!(path(Type::INT4_ARRAY, Type::INT8_ARRAY, Context::Implicit), Some(Pathway::Array));
        assert_eq!(path(Type::VARCHAR_ARRAY, Type::TEXT_ARRAY, Context::Implicit), Some(Pathway::Relabel));
        assert_eq!(path(Type::UUID, Type::INT4, Context::Explicit), None);
    }
}
