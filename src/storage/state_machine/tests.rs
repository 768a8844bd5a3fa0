//! The state machine on the memory backend: one story for each rule, and random commands against a naive model.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::StateMachine;
use crate::document::Oid;
use crate::error::{Error, SqlState};
use crate::storage::backend::{Space, StorageBackend};
use crate::storage::catalog::{Entry, Index};
use crate::storage::command::{Command, Expect, Mutation, Outcome, Position};
use crate::storage::memory::MemoryBackend;
use crate::storage::snapshot::ScanOptions;
use crate::storage::testing::*;

const T: Oid = 16384;
const T_PKEY: Oid = 16390;
const T_B: Oid = 16391;
const HEAP: Oid = 16400;

struct Machine {
    machine: StateMachine,
    backend: Arc<dyn StorageBackend>,
}

impl Machine {
    fn new() -> Self {
        Self::on(Arc::new(MemoryBackend::new()))
    }

    fn on(backend: Arc<dyn StorageBackend>) -> Self {
        let machine = StateMachine::open(backend.clone(), Arc::new(ToyEvaluator)).unwrap();
        Self { machine, backend }
    }

    /// With table t (key a, unique index on b) and table heap (no key).
    fn with_tables() -> Self {
        let mut machine = Self::new();
        machine.commit(ddl(0, tables()));
        machine
    }

    fn apply(&mut self, command: Command) -> Outcome {
        let position = Position(self.machine.applied().0 + 1);
        self.machine.apply(position, &command).unwrap().outcome
    }

    fn commit(&mut self, command: Command) -> u64 {
        match self.apply(command) {
            Outcome::Committed(position) => position.0,
            Outcome::Rejected(error) => panic!("{error:?} {:?}", error.report()),
        }
    }

    fn refuse(&mut self, command: Command) -> Error {
        match self.apply(command) {
            Outcome::Committed(position) => panic!("committed at {}", position.0),
            Outcome::Rejected(error) => error,
        }
    }

    fn ddl(&mut self, mutations: Vec<Mutation>) -> u64 {
        let version = self.machine.catalog.version;
        self.commit(ddl(version, mutations))
    }

    fn rows(&self, storage: Oid) -> Vec<String> {
        let rows = self.machine.snapshot().scan(storage, Bound::Unbounded, Bound::Unbounded, ScanOptions::default());
        rows.map(|row| {
            let (_, row) = row.unwrap();
            format!("{}@{}", String::from_utf8_lossy(&row), row.position().0)
        })
        .collect()
    }

    /// The row keys that an index has, in its order.
    fn entries(&self, index: Oid) -> Vec<String> {
        let entries =
            self.machine.snapshot().index_scan(index, Bound::Unbounded, Bound::Unbounded, ScanOptions::default());
        entries.map(|entry| String::from_utf8(entry.unwrap().1).unwrap()).collect()
    }
}

fn tables() -> Vec<Mutation> {
    vec![
        create(Entry::Table(table(T, "t", T, Some(T_PKEY)))),
        create(Entry::Index(row_key_index(T_PKEY, "t_pkey", T))),
        create(Entry::Index(index(T_B, "t_b_key", T, &[2], true))),
        create(Entry::Table(table(HEAP, "heap", HEAP, None))),
    ]
}

#[test]
fn an_insert_of_a_key_that_is_there_is_a_unique_violation() {
    let mut m = Machine::with_tables();
    m.commit(command(vec![insert(T, "1,x,"), insert(T, "2,y,")]));
    let error = m.refuse(command(vec![insert(T, "3,z,"), insert(T, "1,w,")]));
    assert_eq!(error.code(), SqlState::UNIQUE_VIOLATION);
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"t_pkey\"");
    assert_eq!(error.report().detail.as_deref(), Some("Key (a)=(1) already exists."));
    assert_eq!(error.report().table.as_deref(), Some("t"));
    let error = m.refuse(command(vec![insert(T, "3,x,")]));
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"t_b_key\"");
    assert_eq!(error.report().detail.as_deref(), Some("Key (b)=(x) already exists."));
    let error = m.refuse(command(vec![insert(T, "3,q,"), insert(T, "4,q,")]));
    assert_eq!(error.report().detail.as_deref(), Some("Key (b)=(q) already exists."));
    assert_eq!(m.rows(T), ["1,x,@2", "2,y,@2"]);
    assert_eq!(m.entries(T_B), ["1", "2"]);
}

#[test]
fn nulls_are_not_equal_unless_told_so() {
    let mut m = Machine::with_tables();
    m.commit(command(vec![insert(T, "1,~,"), insert(T, "2,~,")]));
    assert_eq!(m.entries(T_B), ["1", "2"]);
    let strict = Index { nulls_not_distinct: true, ..index(16500, "strict", T, &[2], true) };
    let version = m.machine.catalog.version;
    let error = m.refuse(ddl(version, vec![create(Entry::Index(strict.clone()))]));
    assert_eq!(error.message(), "could not create unique index \"strict\"");
    m.commit(command(vec![delete(T, "2", version_of(2))]));
    m.ddl(vec![create(Entry::Index(strict))]);
    let error = m.refuse(command(vec![insert(T, "3,~,")]));
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"strict\"");
}

fn version_of(position: u64) -> Expect {
    version(position)
}

#[test]
fn what_was_read_must_still_be_there() {
    let mut m = Machine::with_tables();
    m.commit(command(vec![insert(T, "1,x,")]));
    m.commit(command(vec![put(T, "1", "1,y,", version(2))]));
    for stale in [put(T, "1", "1,z,", version(2)), delete(T, "1", version(2)), put(T, "9", "9,,", version(2))] {
        assert_eq!(m.refuse(command(vec![stale])).code(), SqlState::SERIALIZATION_FAILURE);
    }
    m.commit(command(vec![delete(T, "1", version(3))]));
    assert_eq!(m.refuse(command(vec![delete(T, "1", version(3))])).code(), SqlState::SERIALIZATION_FAILURE);
    assert!(m.rows(T).is_empty() && m.entries(T_B).is_empty());
    assert_eq!(m.machine.statistics.get(T), Default::default());
}

#[test]
fn a_put_that_changes_nothing_writes_nothing() {
    let mut m = Machine::with_tables();
    m.commit(command(vec![insert(T, "1,x,")]));
    m.commit(command(vec![put(T, "1", "1,x,", version(2))]));
    assert_eq!(m.rows(T), ["1,x,@2"]);
    m.commit(command(vec![put(T, "1", "1,x,", version(2)), put(T, "1", "1,y,", version(2))]));
    assert_eq!(m.rows(T), ["1,y,@4"]);
    assert_eq!(m.entries(T_B).len(), 1);
}

#[test]
fn what_counts_for_unique_keys_is_the_net_effect() {
    let mut m = Machine::with_tables();
    m.commit(command(vec![insert(T, "1,x,"), insert(T, "2,y,")]));
    m.commit(command(vec![put(T, "1", "1,y,", version(2)), put(T, "2", "2,x,", version(2))]));
    assert_eq!(m.entries(T_B), ["2", "1"]);
    m.commit(command(vec![delete(T, "1", version(3)), insert(T, "3,y,")]));
    m.commit(command(vec![insert(T, "4,v,"), delete(T, "4", Expect::Any), insert(T, "5,v,")]));
    assert_eq!(m.rows(T), ["2,x,@3", "3,y,@4", "5,v,@5"]);
    assert_eq!(m.entries(T_B), ["5", "2", "3"]);
    assert_eq!(m.machine.statistics.get(T).rows, 3);
}

#[test]
fn catalog_changes_must_be_made_for_the_present_version() {
    let mut m = Machine::with_tables();
    let stale = ddl(0, vec![drop_entry(T)]);
    assert_eq!(m.refuse(stale).code(), SqlState::SERIALIZATION_FAILURE);
    assert_eq!(m.refuse(command(vec![drop_entry(T)])).code(), SqlState::INTERNAL_ERROR);
    assert_eq!(m.machine.catalog.version, 1);
}

#[test]
fn writers_notice_that_their_table_was_truncated_or_dropped() {
    let mut m = Machine::with_tables();
    m.commit(command(vec![insert(T, "1,x,")]));
    let write = Command { tables: vec![(T, T)], ..command(vec![insert(T, "2,y,")]) };
    m.commit(write.clone());
    m.ddl(vec![create(Entry::Table(table(T, "t", 16600, Some(T_PKEY))))]);
    assert_eq!(m.refuse(write).code(), SqlState::SERIALIZATION_FAILURE);
    assert!(m.rows(T).is_empty() && m.rows(16600).is_empty() && m.entries(T_B).is_empty());
    m.commit(Command { tables: vec![(T, 16600)], ..command(vec![insert(T, "1,x,")]) });
    m.ddl(vec![drop_entry(T), drop_entry(T_PKEY), drop_entry(T_B)]);
    assert_eq!(m.refuse(command(vec![insert(T, "1,x,")])).code(), SqlState::UNDEFINED_TABLE);
    assert!(m.rows(16600).is_empty() && m.entries(T_B).is_empty());
    assert_eq!(m.machine.statistics.get(16600).rows, 0);
}

#[test]
fn truncate_and_fill_again_in_one_command() {
    let mut m = Machine::with_tables();
    m.commit(command(vec![insert(T, "1,x,"), insert(T, "2,y,")]));
    let truncated = create(Entry::Table(table(T, "t", 16600, Some(T_PKEY))));
    m.ddl(vec![truncated, insert(T, "1,y,"), insert(T, "3,x,")]);
    assert_eq!(m.rows(16600), ["1,y,@3", "3,x,@3"]);
    assert_eq!(m.entries(T_B), ["3", "1"]);
    assert!(m.rows(T).is_empty());
}

#[test]
fn a_new_index_is_filled_and_a_failed_one_leaves_nothing() {
    let mut m = Machine::with_tables();
    m.commit(command((0..1000).map(|i| insert(T, &format!("{i:04},{i},{}", i % 7))).collect()));
    m.ddl(vec![create(Entry::Index(index(16500, "t_c", T, &[3], false)))]);
    assert_eq!(m.entries(16500).len(), 1000);
    assert_eq!(&m.entries(16500)[..2], ["0000", "0007"]);
    let version = m.machine.catalog.version;
    let error = m.refuse(ddl(version, vec![create(Entry::Index(index(16501, "t_c_key", T, &[3], true)))]));
    assert_eq!(error.message(), "could not create unique index \"t_c_key\"");
    assert_eq!(error.report().detail.as_deref(), Some("Key (c)=(0) is duplicated."));
    assert_eq!(error.report().constraint.as_deref(), Some("t_c_key"));
    assert!(m.entries(16501).is_empty());
    let mut partial = index(16502, "partial", T, &[1, 3], true);
    partial.predicate = Some(",5".into());
    m.ddl(vec![insert(T, "0000a,5,5"), delete(T, "0005", Expect::Any), create(Entry::Index(partial))]);
    assert!(m.entries(16502).contains(&"0000a".to_string()) && !m.entries(16502).contains(&"0005".to_string()));
    m.ddl(vec![drop_entry(16500)]);
    assert!(m.entries(16500).is_empty());
}

#[test]
fn rows_that_cannot_be_indexed_or_fail_a_check_are_refused() {
    let mut m = Machine::with_tables();
    assert_eq!(m.refuse(command(vec![insert(T, "1,!,")])).code(), SqlState::DIVISION_BY_ZERO);
    let mut checked = table(T, "t", T, Some(T_PKEY));
    checked.options = vec![("check".into(), "".into())];
    m.ddl(vec![create(Entry::Table(checked))]);
    assert_eq!(m.refuse(command(vec![insert(T, "1,bad,")])).code(), SqlState::CHECK_VIOLATION);
    assert!(m.rows(T).is_empty());
}

#[test]
fn the_state_is_read_back_as_it_was() {
    let mut m = Machine::with_tables();
    m.ddl(vec![
        create(Entry::Sequence(sequence(16700, "s"))),
        Mutation::Sequence { oid: 16700, last_value: 7, is_called: true },
        Mutation::Comment { object: (T, 2), text: Some("about b".into()) },
        insert(HEAP, "1,x,"),
    ]);
    let again = Machine::on(m.backend.clone());
    let (before, after) = (&m.machine.catalog, &again.machine.catalog);
    assert_eq!(before.entries, after.entries);
    assert_eq!(before.comments, after.comments);
    assert_eq!((before.version, before.next_oid), (after.version, after.next_oid));
    assert_eq!(again.machine.applied(), Position(2));
    assert_eq!(again.machine.statistics.get(HEAP).rows, 1);
    assert_eq!(again.machine.snapshot().sequence(16700).unwrap().unwrap().last_value, 7);
    m.ddl(vec![drop_entry(T), drop_entry(T_PKEY), drop_entry(T_B), drop_entry(16700)]);
    assert!(m.machine.catalog.comments.is_empty());
    assert_eq!(m.machine.snapshot().sequence(16700).unwrap(), None);
}

#[test]
fn a_large_command_that_was_cut_off_anywhere_is_completed_by_applying_it_again() {
    let first = command((0..40).map(|i| insert(T, &format!("{i:02},b{i},c"))).collect());
    // Deletes, key swaps, updates and inserts, with a truncated and a new table and a new index.
    let mut mutations = vec![
        create(Entry::Table(table(HEAP, "heap", 16800, None))),
        create(Entry::Index(index(16500, "t_c", T, &[3], false))),
    ];
    mutations.extend((0..10).map(|i| delete(T, &format!("{i:02}"), version(2))));
    mutations.extend((10..30).map(|i| put(T, &format!("{i:02}"), &format!("{i:02},b{},d", 39 - i), version(2))));
    mutations.extend((40..60).map(|i| insert(T, &format!("{i:02},b{},e", i - 40 + 100))));
    mutations.extend((0..20).map(|i| insert(HEAP, &format!("{i:02},,"))));
    let second = ddl(1, mutations);
    let mut whole = Machine::with_tables();
    whole.commit(command(vec![insert(HEAP, "old,,")]));
    let mut stops = 0;
    for stop_after in 0.. {
        let memory = Arc::new(MemoryBackend::new());
        let mut before = Machine::on(memory.clone());
        before.commit(ddl(0, tables()));
        before.commit(first.clone());
        memory.flush().unwrap();
        let stopping = Arc::new(Stopping { inner: memory.clone(), writes_left: stop_after.into() });
        let mut cut = Machine::on(stopping);
        cut.machine.set_batch_bytes(100);
        let done = cut.machine.apply(Position(3), &second).is_ok();
        let left = Arc::new(memory.crash());
        let mut again = Machine::on(left.clone());
        again.machine.set_batch_bytes(170);
        if !done {
            stops += 1;
            let outcome = again.machine.apply(Position(3), &second).unwrap().outcome;
            assert_eq!(outcome, Outcome::Committed(Position(3)), "stopped after {stop_after} writes");
        }
        let mut expected = Machine::with_tables();
        expected.commit(first.clone());
        expected.commit(second.clone());
        let dump = |m: &Machine| {
            let entries = [T_B, 16500].map(|index| m.entries(index));
            (m.rows(T), m.rows(HEAP), m.rows(16800), entries, m.machine.catalog.entries.clone())
        };
        assert_eq!(dump(&again), dump(&expected), "stopped after {stop_after} writes");
        assert_eq!(left.get(Space::Catalog, super::key::catalog::PARTIAL).unwrap(), None);
        assert_eq!(again.machine.statistics.get(T).rows, 50);
        if done {
            break;
        }
    }
    assert!(stops > 20, "{stops}");
}

/// What the rows should be: table -> key -> (position, row).
#[derive(Clone, Default)]
struct Model {
    tables: BTreeMap<Oid, BTreeMap<String, (u64, String)>>,
    indexes: BTreeMap<Oid, Index>,
}

impl Model {
    /// The fields that an index has of a row: `None` when it is not in it; with whether they are unique.
    fn keys(index: &Index, row: &str) -> Option<(Vec<String>, bool)> {
        if index.predicate.as_ref().is_some_and(|p| !row.contains(p.as_str())) {
            return None;
        }
        let fields: Vec<&str> = row.split(',').collect();
        let keys: Vec<String> = index
            .keys
            .iter()
            .map(|key| match &key.source {
                crate::storage::catalog::IndexSource::Column(number) => fields[*number as usize - 1].to_string(),
                _ => unreachable!(),
            })
            .collect();
        let unique = index.unique && !keys.iter().any(|key| key == "~");
        Some((keys, unique))
    }

    fn apply(&mut self, position: u64, command: &Command) -> Result<(), SqlState> {
        let mut next = self.clone();
        let mut touched: BTreeMap<(Oid, String), usize> = BTreeMap::new();
        for mutation in &command.mutations {
            let (table, key, row, expect) = match mutation {
                Mutation::Put { table, key, row, expect } => (table, key, Some(row), expect),
                Mutation::Delete { table, key, expect } => (table, key, None, expect),
                Mutation::Catalog { oid, entry: Some(entry) } => {
                    if let Entry::Index(index) = &**entry {
                        next.indexes.insert(*oid, index.clone());
                    }
                    continue;
                }
                Mutation::Catalog { oid, entry: None } => {
                    next.indexes.remove(oid);
                    continue;
                }
                _ => continue,
            };
            let key = String::from_utf8(key.to_vec()).unwrap();
            let times = touched.entry((*table, key.clone())).or_default();
            *times += 1;
            let rows = next.tables.entry(*table).or_default();
            let now = rows.get(&key);
            match (expect, now) {
                (Expect::Absent, Some(_)) if *table == T => return Err(SqlState::UNIQUE_VIOLATION),
                (Expect::Absent, Some(_)) => return Err(SqlState::SERIALIZATION_FAILURE),
                (Expect::Version(_), None) => return Err(SqlState::SERIALIZATION_FAILURE),
                (Expect::Version(v), Some((p, _))) if *times == 1 && v.0 != *p => {
                    return Err(SqlState::SERIALIZATION_FAILURE);
                }
                _ => {}
            }
            match row {
                None => drop(rows.remove(&key)),
                Some(row) => {
                    let row = String::from_utf8(row.to_vec()).unwrap();
                    let same = now.is_some_and(|(_, old)| *old == row);
                    let version = if same && *times == 1 { now.unwrap().0 } else { position };
                    rows.insert(key, (version, row));
                }
            }
        }
        for index in next.indexes.values().filter(|index| index.unique && !index.is_row_key) {
            let rows = next.tables.entry(index.table).or_default().values();
            let mut keys: Vec<_> = rows.filter_map(|(_, row)| Self::keys(index, row)).filter(|k| k.1).collect();
            let count = keys.len();
            keys.sort();
            keys.dedup();
            if keys.len() < count {
                return Err(SqlState::UNIQUE_VIOLATION);
            }
        }
        *self = next;
        Ok(())
    }

    fn entries(&self, index: &Index) -> Vec<String> {
        let rows = self.tables.get(&index.table).into_iter().flatten();
        let mut entries: Vec<_> = rows.filter_map(|(key, (_, row))| Some((Self::keys(index, row)?.0, key))).collect();
        entries.sort();
        entries.into_iter().map(|(_, key)| key.clone()).collect()
    }

    fn random(&self, rng: &mut StdRng, catalog_version: u64) -> Command {
        let mut mutations = Vec::new();
        let mut is_ddl = false;
        for _ in 0..rng.random_range(1..=6) {
            let table = *[T, HEAP].choose(rng).unwrap();
            let key = format!("{:02}", rng.random_range(0..20));
            let b = match ["~", "x", "y", "z", "w", "v"].choose(rng).unwrap() {
                &"~" => "~".to_string(),
                b => format!("{b}{}", rng.random_range(0..4)),
            };
            let row = format!("{key},{b},{}", rng.random_range(0..3));
            let now = self.tables.get(&table).and_then(|rows| rows.get(&key));
            let seen = now.map_or(version(1), |(position, _)| version(position + u64::from(rng.random_ratio(1, 12))));
            let row = match now {
                Some((_, row)) if rng.random_ratio(1, 8) => row.clone(),
                _ => row,
            };
            match (rng.random_range(0..10), now) {
                (0..=5, None) => mutations.push(put(table, &key, &row, Expect::Absent)),
                (0..=5, Some(_)) => mutations.push(put(table, &key, &row, seen)),
                (6, _) => mutations.push(put(table, &key, &row, Expect::Any)),
                (7, _) => mutations.push(delete(table, &key, Expect::Any)),
                (8, Some(_)) => mutations.push(delete(table, &key, seen)),
                _ if rng.random_ratio(1, 3) && !is_ddl => {
                    is_ddl = true;
                    let oid = 16500 + rng.random_range(0..3);
                    match self.indexes.contains_key(&oid) {
                        true => mutations.push(drop_entry(oid)),
                        false => {
                            let columns: &[i16] = [&[3][..], &[2, 3], &[3, 1]].choose(rng).unwrap();
                            let mut index = index(oid, "extra", table, columns, rng.random_ratio(1, 3));
                            index.predicate = rng.random_ratio(1, 3).then(|| "1".to_string());
                            mutations.push(create(Entry::Index(index)));
                        }
                    }
                }
                _ => mutations.push(put(table, &key, &row, Expect::Absent)),
            }
        }
        match is_ddl {
            true => ddl(catalog_version, mutations),
            false => command(mutations),
        }
    }
}

fn random_commands_agree(seed: u64, backend: Arc<dyn StorageBackend>, count: usize) {
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut m = Machine::on(backend.clone());
    m.commit(ddl(0, tables()));
    let mut model = Model::default();
    model.apply(1, &ddl(0, tables())).unwrap();
    let (mut committed, mut rejected) = (0, 0);
    for step in 0..count {
        let command = model.random(&mut rng, m.machine.catalog.version);
        m.machine.set_batch_bytes(if rng.random_ratio(1, 2) { 60 } else { super::BATCH_BYTES });
        let position = m.machine.applied().0 + 1;
        let expected = model.apply(position, &command);
        match (m.apply(command.clone()), expected) {
            (Outcome::Committed(_), Ok(())) => committed += 1,
            (Outcome::Rejected(error), Err(code)) => {
                rejected += 1;
                // Which of two mistakes is named does not matter.
                assert!(error.code() == code || error.code().as_str().starts_with(['2', '4']), "{error:?} {code}");
            }
            (outcome, expected) => panic!("step {step}: {outcome:?} instead of {expected:?} for {command:#?}"),
        }
        for storage in [T, HEAP] {
            let rows = model.tables.get(&storage).into_iter().flatten();
            let expected: Vec<String> = rows.map(|(_, (p, row))| format!("{row}@{p}")).collect();
            assert_eq!(m.rows(storage), expected, "step {step}");
            assert_eq!(m.machine.statistics.get(storage).rows as usize, expected.len(), "step {step}");
        }
        for index in model.indexes.values().filter(|index| !index.is_row_key) {
            assert_eq!(m.entries(index.oid), model.entries(index), "step {step}, index {index:?}");
        }
        if rng.random_ratio(1, 20) {
            m = Machine::on(backend.clone());
            // Rejected commands do not move the stored position, which the log would tell.
            m.machine.applied = Position(position);
        }
    }
    assert!(committed > count / 4 && rejected > count / 20, "{committed} committed, {rejected} rejected");
}

#[test]
fn random_commands_agree_with_the_model() {
    for seed in 0..8 {
        random_commands_agree(seed, Arc::new(MemoryBackend::new()), 400);
    }
}

#[cfg(feature = "server")]
#[test]
fn random_commands_agree_with_the_model_on_rocksdb() {
    use crate::storage::config::StorageConfig;
    use crate::storage::rocks::RocksBackend;

    for seed in 100..102 {
        let folder = tempfile::tempdir().unwrap();
        let config = StorageConfig { memory: 32 << 20, ..StorageConfig::default() };
        let backend = Arc::new(RocksBackend::open(folder.path(), &config).unwrap());
        random_commands_agree(seed, backend, 300);
    }
}
