//! The pure window functions: signatures only, `exec` runs them by name.

use super::define::window;
use crate::document::Type;
use crate::sql::function::Function;

const LAG: &[Type] = &[Type::ANYCOMPATIBLE, Type::INT4, Type::ANYCOMPATIBLE];

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    window(3100, "row_number", &[], Type::INT8),
    window(3101, "rank", &[], Type::INT8),
    window(3102, "dense_rank", &[], Type::INT8),
    window(3103, "percent_rank", &[], Type::FLOAT8),
    window(3104, "cume_dist", &[], Type::FLOAT8),
    window(3105, "ntile", &[Type::INT4], Type::INT4),
    window(3106, "lag", &[Type::ANYELEMENT], Type::ANYELEMENT),
    window(3107, "lag", &[Type::ANYELEMENT, Type::INT4], Type::ANYELEMENT),
    window(3108, "lag", LAG, Type::ANYCOMPATIBLE),
    window(3109, "lead", &[Type::ANYELEMENT], Type::ANYELEMENT),
    window(3110, "lead", &[Type::ANYELEMENT, Type::INT4], Type::ANYELEMENT),
    window(3111, "lead", LAG, Type::ANYCOMPATIBLE),
    window(3112, "first_value", &[Type::ANYELEMENT], Type::ANYELEMENT),
    window(3113, "last_value", &[Type::ANYELEMENT], Type::ANYELEMENT),
    window(3114, "nth_value", &[Type::ANYELEMENT, Type::INT4], Type::ANYELEMENT),
];
