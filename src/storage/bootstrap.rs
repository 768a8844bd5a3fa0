//! What the first start makes: the superuser and two databases with their schemas, by an ordinary command.

use super::catalog::{BOOTSTRAP_ROLE, Catalog, Database, Entry, Role, Schema};
use super::command::{Command, CommandId, Mutation};
use crate::document::Oid;

/// The OID of the database `postgres`, as in PostgreSQL.
pub const POSTGRES_DATABASE: Oid = 5;
/// The OID of the schema `public` of the database `postgres`, as in PostgreSQL.
pub const PUBLIC_SCHEMA: Oid = 2200;
/// The name of the superuser and of the database that the first start makes for it.
pub const BOOTSTRAP_NAME: &str = "aerolith";

/// The first command of a new log.
pub fn bootstrap(admin_password: Option<String>, time: i64) -> Command {
    let mut catalog = Catalog::default();
    let database = catalog.allocate_oid();
    let schema = catalog.allocate_oid();
    let mut entries = vec![superuser(admin_password)];
    for (oid, name, schema) in [(POSTGRES_DATABASE, "postgres", PUBLIC_SCHEMA), (database, BOOTSTRAP_NAME, schema)] {
        let owner = BOOTSTRAP_ROLE;
        entries.push(Entry::Database(Database { oid, name: name.into(), owner }));
        entries.push(Entry::Schema(Schema { oid: schema, database: oid, name: "public".into(), owner }));
    }
    let put = |entry: Entry| Mutation::Catalog { oid: entry.oid(), entry: Some(Box::new(entry)) };
    let comment = |oid, text: &str| Mutation::Comment { object: (oid, 0), text: Some(text.into()) };
    let mut mutations: Vec<Mutation> = entries.into_iter().map(put).collect();
    mutations.push(comment(POSTGRES_DATABASE, "default administrative connection database"));
    mutations.push(comment(PUBLIC_SCHEMA, "standard public schema"));
    mutations.push(comment(schema, "standard public schema"));
    Command {
        id: CommandId(0),
        principal: BOOTSTRAP_ROLE,
        time,
        database: POSTGRES_DATABASE,
        catalog_version: Some(0),
        tables: Vec::new(),
        mutations,
    }
}

fn superuser(password: Option<String>) -> Entry {
    Entry::Role(Role {
        oid: BOOTSTRAP_ROLE,
        name: BOOTSTRAP_NAME.into(),
        superuser: true,
        create_db: true,
        create_role: true,
        inherit: true,
        login: true,
        replication: true,
        bypass_rls: true,
        connection_limit: -1,
        password,
    })
}
