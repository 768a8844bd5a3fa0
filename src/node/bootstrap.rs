//! The first start: the superuser `aerolith`, the databases `aerolith` and `postgres`, each with a schema `public`.

use crate::document::Oid;
use crate::error::{Error, Result};
use crate::exec::Proposer;
use crate::security::scram::Verifier;
use crate::storage::Engine;
use crate::storage::catalog::{BOOTSTRAP_ROLE, Database, Entry, Role, Schema};
use crate::storage::command::{Command, CommandId, Mutation, Outcome};

use super::runtime::{ADMIN_USER, DEFAULT_DATABASE};

/// OIDs below the users' ones: `postgres` and its `public` have PostgreSQL's.
const DATABASES: [(&str, Oid, Oid); 2] = [("postgres", 5, 2200), (DEFAULT_DATABASE, 6, 2201)];

/// Makes what every node has, if it is not there yet.
pub async fn run(engine: &Engine, proposer: &dyn Proposer, password: &str) -> Result<()> {
    let catalog = engine.catalog();
    if catalog.role(ADMIN_USER).is_some() {
        return Ok(());
    }
    let command = Command {
        id: CommandId(rand::random()),
        principal: BOOTSTRAP_ROLE,
        time: microseconds_since_2000(),
        database: DATABASES[0].1,
        catalog_version: Some(catalog.version),
        tables: Vec::new(),
        mutations: entries(password)
            .into_iter()
            .map(|entry| Mutation::Catalog { oid: entry.oid(), entry: Some(Box::new(entry)) })
            .collect(),
    };
    match proposer.propose(command).await? {
        Outcome::Committed(_) => Ok(()),
        Outcome::Rejected(error) => Err(Error::internal(format!("could not make the first catalog: {error}"))),
    }
}

fn entries(password: &str) -> Vec<Entry> {
    let mut entries = vec![Entry::Role(Role {
        oid: BOOTSTRAP_ROLE,
        name: ADMIN_USER.to_string(),
        superuser: true,
        create_db: true,
        create_role: true,
        inherit: true,
        login: true,
        replication: true,
        bypass_rls: true,
        connection_limit: -1,
        password: Some(Verifier::generate(password).to_string()),
    })];
    for (name, database, schema) in DATABASES {
        let owner = BOOTSTRAP_ROLE;
        entries.push(Entry::Database(Database { oid: database, name: name.to_string(), owner }));
        entries.push(Entry::Schema(Schema { oid: schema, database, name: "public".to_string(), owner }));
    }
    entries
}

fn microseconds_since_2000() -> i64 {
    const SECONDS_TO_2000: i64 = 946_684_800;
    chrono::Utc::now().timestamp_micros() - SECONDS_TO_2000 * 1_000_000
}
