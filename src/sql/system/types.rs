//! `pg_type`, `pg_operator`, `pg_cast`, `pg_collation`, `pg_am`, `pg_language`.

use crate::document::{Datum, Oid, Type};
use crate::sql::types::{self as sql_types, TypeInfo};
use crate::sql::{casts, operators};
use crate::storage::catalog::{BOOTSTRAP_ROLE, PG_CATALOG};

use super::builder::{Rows, letter, text};
use super::{Context, definition};

type TypeFunctions = (Oid, Oid, Oid, Oid, Oid, Oid, Oid, Oid);

/// Type, then its input, output, receive, send, modifier input and output and subscript functions.
#[rustfmt::skip]
const FUNCTIONS: &[TypeFunctions] = &[
    (16, 1242, 1243, 2436, 2437, 0, 0, 0), (17, 1244, 31, 2412, 2413, 0, 0, 0),
    (18, 1245, 33, 2434, 2435, 0, 0, 0), (19, 34, 35, 2422, 2423, 0, 0, 6180), (20, 460, 461, 2408, 2409, 0, 0, 0),
    (21, 38, 39, 2404, 2405, 0, 0, 0), (23, 42, 43, 2406, 2407, 0, 0, 0), (24, 44, 45, 2444, 2445, 0, 0, 0),
    (25, 46, 47, 2414, 2415, 0, 0, 0), (26, 1798, 1799, 2418, 2419, 0, 0, 0), (27, 48, 49, 2438, 2439, 0, 0, 0),
    (28, 50, 51, 2440, 2441, 0, 0, 0), (29, 52, 53, 2442, 2443, 0, 0, 0), (114, 321, 322, 323, 324, 0, 0, 0),
    (194, 195, 196, 197, 198, 0, 0, 0), (700, 200, 201, 2424, 2425, 0, 0, 0), (701, 214, 215, 2426, 2427, 0, 0, 0),
    (705, 109, 110, 2416, 2417, 0, 0, 0), (1033, 1031, 1032, 0, 0, 0, 0, 0),
    (1042, 1044, 1045, 2430, 2431, 2913, 2914, 0), (1043, 1046, 1047, 2432, 2433, 2915, 2916, 0),
    (1082, 1084, 1085, 2468, 2469, 0, 0, 0), (1083, 1143, 1144, 2470, 2471, 2909, 2910, 0),
    (1114, 1312, 1313, 2474, 2475, 2905, 2906, 0), (1184, 1150, 1151, 2476, 2477, 2907, 2908, 0),
    (1186, 1160, 1161, 2478, 2479, 2903, 2904, 0), (1266, 1350, 1351, 2472, 2473, 2911, 2912, 0),
    (1700, 1701, 1702, 2460, 2461, 2917, 2918, 0), (1790, 46, 47, 2414, 2415, 0, 0, 0),
    (2202, 2212, 2213, 2446, 2447, 0, 0, 0), (2203, 2214, 2215, 2448, 2449, 0, 0, 0),
    (2204, 2216, 2217, 2450, 2451, 0, 0, 0), (2205, 2218, 2219, 2452, 2453, 0, 0, 0),
    (2206, 2220, 2221, 2454, 2455, 0, 0, 0), (2249, 2290, 2291, 2402, 2403, 0, 0, 0),
    (2275, 2292, 2293, 2500, 2501, 0, 0, 0), (2276, 2294, 2295, 0, 0, 0, 0, 0),
    (2277, 2296, 2297, 2502, 2503, 0, 0, 0), (2278, 2298, 2299, 3120, 3121, 0, 0, 0),
    (2279, 2300, 2301, 0, 0, 0, 0, 0), (2281, 2304, 2305, 0, 0, 0, 0, 0), (2283, 2312, 2313, 0, 0, 0, 0, 0),
    (2776, 2777, 2778, 0, 0, 0, 0, 0), (2950, 2952, 2953, 2961, 2962, 0, 0, 0),
    (3220, 3229, 3230, 3238, 3239, 0, 0, 0), (3500, 3504, 3505, 0, 0, 0, 0, 0),
    (3734, 3736, 3737, 3738, 3739, 0, 0, 0), (3769, 3771, 3772, 3773, 3774, 0, 0, 0),
    (3802, 3806, 3804, 3805, 3803, 0, 0, 6098), (3831, 3832, 3833, 0, 0, 0, 0, 0),
    (4072, 4001, 4003, 4002, 4004, 0, 0, 0), (4089, 4084, 4085, 4087, 4088, 0, 0, 0),
    (4096, 4098, 4092, 4094, 4095, 0, 0, 0), (4191, 4193, 4194, 4196, 4197, 0, 0, 0),
    (4537, 4229, 4230, 0, 0, 0, 0, 0), (4538, 4226, 4227, 0, 0, 0, 0, 0), (5038, 5055, 5056, 5057, 5058, 0, 0, 0),
    (5069, 5070, 5081, 5082, 5083, 0, 0, 0), (5077, 5086, 5087, 0, 0, 0, 0, 0),
    (5078, 5088, 5089, 5090, 5091, 0, 0, 0), (5079, 5092, 5093, 0, 0, 0, 0, 0), (5080, 5094, 5095, 0, 0, 0, 0, 0),
    (650, 1267, 1427, 2498, 2499, 0, 0, 0), (774, 4110, 4111, 3446, 3447, 0, 0, 0),
    (790, 886, 887, 2492, 2493, 0, 0, 0), (829, 436, 437, 2494, 2495, 0, 0, 0),
    (869, 910, 911, 2496, 2497, 0, 0, 0), (1560, 1564, 1565, 2456, 2457, 2919, 2920, 0),
    (1562, 1579, 1580, 2458, 2459, 2902, 2921, 0), (3904, 3834, 3835, 3836, 3837, 0, 0, 0),
    (3906, 3834, 3835, 3836, 3837, 0, 0, 0), (3908, 3834, 3835, 3836, 3837, 0, 0, 0),
    (3910, 3834, 3835, 3836, 3837, 0, 0, 0), (3912, 3834, 3835, 3836, 3837, 0, 0, 0),
    (3926, 3834, 3835, 3836, 3837, 0, 0, 0), (4451, 4231, 4232, 4233, 4234, 0, 0, 0),
    (4532, 4231, 4232, 4233, 4234, 0, 0, 0), (4533, 4231, 4232, 4233, 4234, 0, 0, 0),
    (4534, 4231, 4232, 4233, 4234, 0, 0, 0), (4535, 4231, 4232, 4233, 4234, 0, 0, 0),
    (4536, 4231, 4232, 4233, 4234, 0, 0, 0),
];

/// array_in, array_out, array_recv, array_send, array_subscript_handler, array_typanalyze.
const ARRAY: (Oid, Oid, Oid, Oid, Oid, Oid) = (750, 751, 2400, 2401, 6179, 3816);
pub(super) fn types(context: &Context<'_>, rows: &mut Rows) {
    for info in sql_types::all() {
        type_row(rows, info);
    }
    super::user_types::types(context, rows);
}

/// Input, output, receive and send functions of a built-in type.
pub(super) fn functions_of(oid: Oid) -> [Oid; 4] {
    match FUNCTIONS.iter().find(|f| f.0 == oid) {
        Some(f) => [f.1, f.2, f.3, f.4],
        None => [ARRAY.0, ARRAY.1, ARRAY.2, ARRAY.3],
    }
}

fn type_row(rows: &mut Rows, info: &TypeInfo) {
    let known = FUNCTIONS.iter().find(|f| f.0 == info.oid);
    // An array takes its modifier functions from its element type.
    let element = FUNCTIONS.iter().find(|f| info.is_array() && f.0 == info.element);
    let (input, output, receive, send, modifier_in, modifier_out, subscript) = match known {
        Some(f) => (f.1, f.2, f.3, f.4, f.5, f.6, f.7),
        None => (ARRAY.0, ARRAY.1, ARRAY.2, ARRAY.3, element.map_or(0, |f| f.5), element.map_or(0, |f| f.6), ARRAY.4),
    };
    rows.push([
        ("oid", Datum::Oid(info.oid)),
        ("typname", text(info.name)),
        ("typnamespace", Datum::Oid(PG_CATALOG)),
        ("typowner", Datum::Oid(BOOTSTRAP_ROLE)),
        ("typlen", Datum::Int2(info.len)),
        ("typbyval", Datum::Bool(info.by_value)),
        ("typtype", letter(info.kind)),
        ("typcategory", letter(info.category)),
        ("typispreferred", Datum::Bool(info.preferred)),
        ("typisdefined", Datum::Bool(true)),
        ("typdelim", letter(',')),
        ("typsubscript", Datum::Oid(subscript)),
        ("typelem", Datum::Oid(info.element)),
        ("typarray", Datum::Oid(info.array)),
        ("typinput", Datum::Oid(input)),
        ("typoutput", Datum::Oid(output)),
        ("typreceive", Datum::Oid(receive)),
        ("typsend", Datum::Oid(send)),
        ("typmodin", Datum::Oid(modifier_in)),
        ("typmodout", Datum::Oid(modifier_out)),
        ("typanalyze", Datum::Oid(if info.is_array() { ARRAY.5 } else { 0 })),
        ("typalign", letter(info.align)),
        ("typstorage", letter(info.storage)),
        ("typtypmod", Datum::Int4(-1)),
        ("typcollation", Datum::Oid(definition::collation_of(info.oid))),
    ]);
}

pub(super) fn operators(rows: &mut Rows) {
    for operator in operators::all() {
        // Equality of a type that can be sorted can be merged.
        let can_merge = operator.name == "=" && operator.hashable;
        rows.push([
            ("oid", Datum::Oid(operator.oid)),
            ("oprname", text(operator.name)),
            ("oprnamespace", Datum::Oid(PG_CATALOG)),
            ("oprowner", Datum::Oid(BOOTSTRAP_ROLE)),
            ("oprkind", letter(if operator.left.is_some() { 'b' } else { 'l' })),
            ("oprcanmerge", Datum::Bool(can_merge)),
            ("oprcanhash", Datum::Bool(operator.hashable)),
            ("oprleft", Datum::Oid(operator.left.map_or(0, |t| t.oid))),
            ("oprright", Datum::Oid(operator.right.oid)),
            ("oprresult", Datum::Oid(operator.result.oid)),
            ("oprcom", Datum::Oid(operator.commutator)),
            ("oprnegate", Datum::Oid(operator.negator)),
            ("oprcode", Datum::Oid(operator.function.oid)),
        ]);
    }
}

pub(super) fn casts(rows: &mut Rows) {
    for cast in casts::all() {
        let context = match cast.context {
            casts::Context::Implicit => 'i',
            casts::Context::Assignment => 'a',
            casts::Context::Explicit => 'e',
        };
        let method = match cast.method {
            casts::Method::Function => 'f',
            casts::Method::Binary => 'b',
            casts::Method::InOut => 'i',
        };
        rows.push([
            ("oid", Datum::Oid(cast.oid)),
            ("castsource", Datum::Oid(cast.from.oid)),
            ("casttarget", Datum::Oid(cast.to.oid)),
            ("castfunc", Datum::Oid(cast.function.map_or(0, |f| f.oid))),
            ("castcontext", letter(context)),
            ("castmethod", letter(method)),
        ]);
    }
}

pub(super) fn collations(rows: &mut Rows) {
    for (oid, name, provider, collate) in
        [(100, "default", 'd', None), (950, "C", 'c', Some("C")), (951, "POSIX", 'c', Some("POSIX"))]
    {
        rows.push([
            ("oid", Datum::Oid(oid)),
            ("collname", text(name)),
            ("collnamespace", Datum::Oid(PG_CATALOG)),
            ("collowner", Datum::Oid(BOOTSTRAP_ROLE)),
            ("collprovider", letter(provider)),
            ("collisdeterministic", Datum::Bool(true)),
            ("collencoding", Datum::Int4(-1)),
            ("collcollate", collate.map_or(Datum::Null, text)),
            ("collctype", collate.map_or(Datum::Null, text)),
        ]);
    }
}

pub(super) fn access_methods(rows: &mut Rows) {
    for (oid, name, handler, kind) in [
        (2, "heap", 3, 't'),
        (403, "btree", 330, 'i'),
        (405, "hash", 331, 'i'),
        (783, "gist", 332, 'i'),
        (2742, "gin", 333, 'i'),
        (4000, "spgist", 334, 'i'),
        (3580, "brin", 335, 'i'),
    ] {
        rows.push([
            ("oid", Datum::Oid(oid)),
            ("amname", text(name)),
            ("amhandler", Datum::Oid(handler)),
            ("amtype", letter(kind)),
        ]);
    }
}

pub(super) fn languages(rows: &mut Rows) {
    for (oid, name, trusted, validator) in
        [(12, "internal", false, 2246), (13, "c", false, 2247), (14, "sql", true, 2248)]
    {
        rows.push([
            ("oid", Datum::Oid(oid)),
            ("lanname", text(name)),
            ("lanowner", Datum::Oid(BOOTSTRAP_ROLE)),
            ("lanpltrusted", Datum::Bool(trusted)),
            ("lanvalidator", Datum::Oid(validator)),
        ]);
    }
}

/// Whether a type exists here.
pub(super) fn exists(oid: Oid) -> bool {
    sql_types::by_oid(oid).is_some() || oid == Type::ANY.oid
}
