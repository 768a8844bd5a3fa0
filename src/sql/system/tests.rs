//! Tests of the system relations: shapes, and what a small catalog looks like in them.

use std::sync::Arc;

use super::*;
use crate::sql::context::NoHost;
use crate::storage::catalog::{
    Column, Constraint, ConstraintKind, Database, Identity, Index, IndexKey, IndexSource, Role, Schema, Sequence,
    Table, View,
};

const DATABASE: Oid = 16_384;
const SCHEMA: Oid = 16_385;
const TABLE: Oid = 16_386;

fn column(number: i16, name: &str, typ: Type, not_null: bool) -> Column {
    let name = name.to_string();
    Column {
        number,
        name,
        typ,
        domain: None,
        not_null,
        default: None,
        identity: None,
        dropped: false,
        missing: None,
        generated: None,
        origin: Default::default(),
        physical: Default::default(),
    }
}

fn catalog() -> Arc<Catalog> {
    let mut catalog = Catalog::default();
    catalog.put(Entry::Role(Role {
        oid: BOOTSTRAP_ROLE,
        name: "aerolith".into(),
        superuser: true,
        create_db: true,
        create_role: true,
        inherit: true,
        login: true,
        replication: true,
        bypass_rls: true,
        connection_limit: -1,
        password: Some("SCRAM-SHA-256$...".into()),
    }));
    catalog.put(Entry::Database(Database { oid: DATABASE, name: "db".into(), owner: BOOTSTRAP_ROLE }));
    let schema = Schema { oid: SCHEMA, database: DATABASE, name: "public".into(), owner: BOOTSTRAP_ROLE };
    catalog.put(Entry::Schema(schema));
    let other = Schema { oid: 20_000, database: 20_001, name: "elsewhere".into(), owner: BOOTSTRAP_ROLE };
    catalog.put(Entry::Schema(other));
    let mut id = column(1, "id", Type::INT4, true);
    id.identity = Some(Identity { always: true, sequence: 16_390 });
    let mut name = column(2, "name", Type::with_typmod(Type::VARCHAR.oid, 14), false);
    name.default = Some("'x'".into());
    let mut gone = column(3, "gone", Type::TEXT, false);
    gone.dropped = true;
    let primary = ConstraintKind::PrimaryKey { columns: vec![1], index: 16_388 };
    let check = ConstraintKind::Check { expr: "((name)::text <> ''::text)".into() };
    catalog.put(Entry::Table(Table {
        oid: TABLE,
        schema: SCHEMA,
        name: "users".into(),
        owner: BOOTSTRAP_ROLE,
        row_type: 16_387,
        storage: TABLE,
        columns: vec![id, name, gone, column(4, "doc", Type::JSONB, false)],
        key: vec![1],
        constraints: vec![
            Constraint {
                oid: 16_395,
                name: "users_pkey".into(),
                kind: primary,
                attributes: Default::default(),
                origin: Default::default(),
            },
            Constraint {
                oid: 16_396,
                name: "users_name_check".into(),
                kind: check,
                attributes: Default::default(),
                origin: Default::default(),
            },
        ],
        options: vec![("fillfactor".into(), "70".into())],
        ..Table::default()
    }));
    let key = |source, typ, descending| IndexKey { source, typ, descending, nulls_first: descending, opclass: None };
    let index = |oid, name: &str, primary, keys| {
        Entry::Index(Index {
            oid,
            table: TABLE,
            schema: SCHEMA,
            name: name.into(),
            method: "btree".into(),
            unique: primary,
            primary,
            is_row_key: primary,
            nulls_not_distinct: false,
            keys,
            include: Vec::new(),
            predicate: (!primary).then(|| "(id > 1)".into()),
            parent: None,
        })
    };
    catalog.put(index(16_388, "users_pkey", true, vec![key(IndexSource::Column(1), Type::INT4, false)]));
    let keys = vec![
        key(IndexSource::Expression("doc ->> 'a'".into()), Type::TEXT, true),
        key(IndexSource::Expression("lower(name)".into()), Type::TEXT, false),
    ];
    catalog.put(index(16_389, "users_doc", false, keys));
    catalog.put(Entry::Sequence(Sequence {
        oid: 16_390,
        schema: SCHEMA,
        name: "users_id_seq".into(),
        owner: BOOTSTRAP_ROLE,
        typ: Type::INT4,
        start: 1,
        increment: 1,
        min: 1,
        max: 2_147_483_647,
        cache: 1,
        cycle: false,
        owned_by: Some((TABLE, 1)),
    }));
    catalog.put(Entry::View(View {
        oid: 16_391,
        schema: SCHEMA,
        name: "v".into(),
        owner: BOOTSTRAP_ROLE,
        row_type: 16_392,
        query: "SELECT 1 AS a".into(),
        search_path: vec!["public".into()],
        columns: vec![("a".into(), Type::INT4)],
        options: Vec::new(),
        defaults: Vec::new(),
    }));
    catalog.comments.insert((TABLE, 2), "what it is called".into());
    Arc::new(catalog)
}

use crate::storage::catalog::BOOTSTRAP_ROLE;

struct TestHost(NoHost);

impl crate::sql::context::Host for TestHost {
    fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog()
    }
    fn database(&self) -> Oid {
        DATABASE
    }
    fn users(&self) -> (String, String) {
        ("aerolith".into(), "aerolith".into())
    }
    fn search_path(&self) -> Vec<Oid> {
        vec![PG_CATALOG, SCHEMA]
    }
    fn setting(&self, name: &str) -> Option<String> {
        (name == "search_path").then(|| "\"$user\", public".into())
    }
    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<()> {
        self.0.set_setting(name, value, local)
    }
    fn nextval(&self, sequence: Oid) -> Result<i64> {
        self.0.nextval(sequence)
    }
    fn currval(&self, sequence: Oid) -> Result<i64> {
        self.0.currval(sequence)
    }
    fn setval(&self, sequence: Oid, value: i64, is_called: bool) -> Result<i64> {
        self.0.setval(sequence, value, is_called)
    }
    fn lastval(&self) -> Result<i64> {
        self.0.lastval()
    }
    fn backend_pid(&self) -> i32 {
        1
    }
    fn random(&self) -> u64 {
        0
    }
    fn set_seed(&self, _seed: f64) {}
    fn clock(&self) -> i64 {
        0
    }
}

fn context() -> EvalContext {
    let mut context = EvalContext::detached(catalog());
    context.host = Arc::new(TestHost(NoHost { catalog: catalog(), database: 0 }));
    context
}

/// The rows of a relation as texts of some columns.
fn query(name: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let relation = relation(name).unwrap_or_else(|| panic!("{name}"));
    let position = |c: &&str| relation.columns.iter().position(|(n, _)| n == c).unwrap_or_else(|| panic!("{c}"));
    let positions: Vec<usize> = columns.iter().map(position).collect();
    let context = context();
    let show = |datum: &Datum, at: usize| {
        let mut out = String::new();
        if datum.is_null() {
            return "NULL".to_string();
        }
        crate::sql::io::text_out(datum, relation.columns[positions[at]].1, &context.format, &mut out);
        out
    };
    let rows = rows(&context, &NotLive, name, &positions).unwrap();
    rows.iter().map(|row| row.iter().enumerate().map(|(i, d)| show(d, i)).collect()).collect()
}

/// Rows whose first column has a value, without that column.
fn of(name: &str, value: &str, columns: &[&str]) -> Vec<Vec<String>> {
    query(name, columns).into_iter().filter(|row| row[0] == value).map(|row| row[1..].to_vec()).collect()
}

fn strings(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|s| s.to_string()).collect()).collect()
}

#[test]
fn every_relation_has_rows_of_its_shape() {
    assert!(all().len() > 200);
    for relation in all() {
        let columns: Vec<usize> = (0..relation.columns.len()).collect();
        let all = rows(&context(), &NotLive, relation.name, &columns).unwrap();
        for row in &all {
            assert_eq!(row.len(), columns.len(), "{}", relation.name);
            for (i, value) in row.iter().enumerate() {
                let (column, typ) = relation.columns[i];
                assert!(!(relation.not_null[i] && value.is_null()), "{}.{column} is NULL", relation.name);
                let fits = match value {
                    Datum::Null => true,
                    Datum::Bool(_) => typ == Type::BOOL,
                    Datum::Int2(_) => typ == Type::INT2,
                    Datum::Int4(_) => typ == Type::INT4,
                    Datum::Int8(_) => typ == Type::INT8,
                    Datum::Float4(_) => typ == Type::FLOAT4,
                    Datum::Oid(_) => typ.oid != Type::TEXT.oid && super::super::types::category(typ.oid) != 'S',
                    Datum::Array(_) => super::super::types::category(typ.oid) == 'A',
                    _ => true,
                };
                assert!(fits, "{}.{column}: {value:?} is not {typ:?}", relation.name);
            }
        }
    }
    // A column may be asked for twice, or none at all.
    let twice = rows(&context(), &NotLive, "pg_catalog.pg_am", &[1, 1]).unwrap();
    assert_eq!(twice[0][0], twice[0][1]);
    assert_eq!(rows(&context(), &NotLive, "pg_catalog.pg_am", &[]).unwrap().len(), 7);
}

#[test]
fn a_table_in_the_catalogs() {
    assert_eq!(
        of("pg_catalog.pg_class", "users", &["relname", "oid", "relkind", "relnatts", "relchecks", "reloptions"]),
        strings(&[&["16386", "r", "4", "1", "{fillfactor=70}"]])
    );
    let attributes = of(
        "pg_catalog.pg_attribute",
        "16386",
        &[
            "attrelid",
            "attnum",
            "attname",
            "atttypid",
            "atttypmod",
            "attnotnull",
            "atthasdef",
            "attidentity",
            "attisdropped",
        ],
    );
    assert_eq!(attributes[0], ["1", "id", "23", "-1", "t", "f", "a", "f"]);
    assert_eq!(attributes[1], ["2", "name", "1043", "14", "f", "t", "", "f"]);
    assert_eq!(attributes[2], ["3", "........pg.dropped.3........", "0", "-1", "f", "f", "", "t"]);
    assert_eq!(attributes.len(), 4 + 6);
    assert_eq!(
        of(
            "pg_catalog.pg_index",
            "16389",
            &["indexrelid", "indkey", "indoption", "indclass", "indpred", "indisprimary"]
        ),
        strings(&[&["0 0", "3 0", "3126 3126", "(id > 1)", "f"]])
    );
    assert_eq!(
        of("pg_catalog.pg_constraint", "16386", &["conrelid", "conname", "contype", "conkey", "conindid"]),
        strings(&[&["users_pkey", "p", "{1}", "16388"], &["users_name_check", "c", "{2}", "0"]])
    );
    assert!(of("pg_catalog.pg_namespace", "elsewhere", &["nspname", "oid"]).is_empty(), "of another database");
    assert_eq!(of("pg_catalog.pg_type", "users", &["typname", "typtype", "typrelid"]), strings(&[&["c", "16386"]]));
    assert_eq!(of("pg_catalog.pg_description", "16386", &["objoid", "objsubid"]), strings(&[&["2"]]));
    assert_eq!(of("pg_catalog.pg_am", "btree", &["amname", "oid"]), strings(&[&["403"]]));
    assert_eq!(of("pg_catalog.pg_type", "_int4", &["typname", "typelem", "typinput"]), strings(&[&["23", "array_in"]]));
}

#[test]
fn definitions_in_words() {
    assert_eq!(
        of("pg_catalog.pg_indexes", "users", &["tablename", "indexname", "indexdef"]),
        strings(&[
            &["users_pkey", "CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)"],
            &[
                "users_doc",
                "CREATE INDEX users_doc ON public.users USING btree ((doc ->> 'a') DESC, lower(name)) WHERE (id > 1)"
            ],
        ])
    );
    let catalog = catalog();
    let table = catalog.table(TABLE).unwrap();
    let constraint =
        |i: usize| definition::constraint(&catalog, table, &table.constraints[i], definition::Style::Plain);
    assert_eq!(
        (constraint(0).as_str(), constraint(1).as_str()),
        ("PRIMARY KEY (id)", "CHECK (((name)::text <> ''::text))")
    );
    for (name, quoted) in
        [("abc", "abc"), ("Abc", "\"Abc\""), ("select", "\"select\""), ("a\"b", "\"a\"\"b\""), ("1a", "\"1a\"")]
    {
        assert_eq!(definition::quote_ident(name), quoted);
    }
}

#[test]
fn the_information_schema() {
    let columns = [
        "table_name",
        "column_name",
        "data_type",
        "character_maximum_length",
        "is_nullable",
        "column_default",
        "identity_generation",
    ];
    assert_eq!(
        of("information_schema.columns", "users", &columns),
        strings(&[
            &["id", "integer", "NULL", "NO", "NULL", "ALWAYS"],
            &["name", "character varying", "10", "YES", "'x'", "NULL"],
            &["doc", "jsonb", "NULL", "YES", "NULL", "NULL"],
        ])
    );
    assert_eq!(
        of("information_schema.table_constraints", "users", &["table_name", "constraint_name", "constraint_type"]),
        strings(&[
            &["users_pkey", "PRIMARY KEY"],
            &["users_name_check", "CHECK"],
            &["16385_16386_1_not_null", "CHECK"],
        ])
    );
    assert_eq!(
        of(
            "information_schema.key_column_usage",
            "users_pkey",
            &["constraint_name", "column_name", "ordinal_position"]
        ),
        strings(&[&["id", "1"]])
    );
    assert!(query("information_schema.sequences", &["sequence_name"]).is_empty(), "identity sequences are internal");
}

#[test]
fn system_functions() {
    let context = context();
    let call = |oid: Oid, args: &[Datum]| crate::sql::functions::call(oid, &context, args).unwrap();
    assert_eq!(call(1402, &[]), Datum::text("public"));
    assert_eq!(call(2079, &[Datum::Oid(TABLE)]), Datum::Bool(true));
    assert_eq!(call(2079, &[Datum::Oid(1)]), Datum::Null);
    assert_eq!(call(1642, &[Datum::Oid(99)]), Datum::text("unknown (OID=99)"));
    assert_eq!(call(1081, &[Datum::Oid(1043), Datum::Int4(14)]), Datum::text("character varying(10)"));
    assert_eq!(call(1081, &[Datum::Oid(16_387), Datum::Null]), Datum::text("users"));
    assert_eq!(call(1665, &[Datum::text("users"), Datum::text("id")]), Datum::text("public.users_id_seq"));
    assert_eq!(call(3495, &[Datum::text("nothing")]), Datum::Null);
    assert_eq!(call(3495, &[Datum::text("pg_class")]), Datum::Oid(1259));
    assert_eq!(call(1216, &[Datum::Oid(TABLE), Datum::Int4(2)]), Datum::text("what it is called"));
    assert_eq!(call(1597, &[Datum::Int4(6)]), Datum::text("UTF8"));
    assert_eq!(call(2254, &[Datum::text("db"), Datum::text("CONNECT")]), Datum::Bool(true));
    assert_eq!(call(2507, &[Datum::Oid(16_389), Datum::Int4(2), Datum::Bool(true)]), Datum::text("lower(name::text)"));
    let unknown = crate::sql::functions::call(1926, &context, &[Datum::text("users"), Datum::text("FLY")]).unwrap_err();
    assert_eq!(unknown.message(), "unrecognized privilege type: \"FLY\"");
}
