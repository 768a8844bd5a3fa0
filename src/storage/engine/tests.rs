//! The engine as its users see it: commits, snapshots, sequences, row ids, the change stream, crashes.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::error::SqlState;
use crate::storage::changes::Event;
use crate::storage::command::Expect;
use crate::storage::log::disk::ForgetfulDisk;
use crate::storage::testing::*;

const T: Oid = 16500;
const T_PKEY: Oid = 16510;
const T_B: Oid = 16511;
const S: Oid = 16520;

fn config() -> StorageConfig {
    StorageConfig { log_segment_bytes: 4096, admin_password: Some("secret".into()), ..StorageConfig::default() }
}

fn open(backend: &Arc<MemoryBackend>, disk: &ForgetfulDisk) -> Arc<Engine> {
    Engine::with_parts(&config(), backend.clone(), Box::new(disk.clone()), Arc::new(ToyEvaluator)).unwrap()
}

/// An engine in memory with table t (key a, unique b) and sequence s.
fn engine() -> Arc<Engine> {
    let engine = Engine::in_memory(&config(), Arc::new(ToyEvaluator)).unwrap();
    make_tables(&engine);
    engine
}

fn make_tables(engine: &Engine) {
    let version = engine.catalog().version;
    let entries = vec![
        create(Entry::Table(table(T, "t", T, Some(T_PKEY)))),
        create(Entry::Index(row_key_index(T_PKEY, "t_pkey", T))),
        create(Entry::Index(index(T_B, "t_b_key", T, &[2], true))),
        create(Entry::Sequence(sequence(S, "s"))),
    ];
    commit(engine, ddl(version, entries));
}

fn commit(engine: &Engine, command: Command) -> Position {
    match engine.submit(command).wait().unwrap() {
        Outcome::Committed(position) => position,
        Outcome::Rejected(error) => panic!("{error}"),
    }
}

fn rows(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.scan(T, Bound::Unbounded, Bound::Unbounded, ScanOptions::default());
    rows.map(|row| String::from_utf8(row.unwrap().1.to_vec()).unwrap()).collect()
}

#[test]
fn the_first_start_makes_the_superuser_and_two_databases() {
    let engine = Engine::in_memory(&config(), Arc::new(ToyEvaluator)).unwrap();
    let catalog = engine.catalog();
    let role = catalog.role("aerolith").unwrap();
    assert!(role.superuser && role.oid == BOOTSTRAP_ROLE && role.password.as_deref() == Some("secret"));
    for name in ["postgres", "aerolith"] {
        let database = catalog.database(name).unwrap();
        assert!(catalog.schema(database.oid, "public").is_some());
    }
    assert_eq!(catalog.database("postgres").unwrap().oid, 5);
    assert_eq!(engine.status().position, Position(1));
}

#[test]
fn a_snapshot_stays_as_it_is() {
    let engine = engine();
    commit(&engine, command(vec![insert(T, "1,x,"), insert(T, "2,y,")]));
    let before = engine.snapshot();
    let position = commit(&engine, command(vec![delete(T, "1", Expect::Any), insert(T, "3,z,")]));
    assert_eq!(rows(&before), ["1,x,", "2,y,"]);
    let after = engine.snapshot();
    assert_eq!(rows(&after), ["2,y,", "3,z,"]);
    assert_eq!(after.position(), position);
    let row = after.get(T, b"3").unwrap().unwrap();
    assert_eq!((row.as_bytes(), row.position()), (&b"3,z,"[..], position));
    assert_eq!(after.get(T, b"1").unwrap(), None);
    assert_eq!(before.get_unique(T_B, b"\x01x\0").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(after.get_unique(T_B, b"\x01x\0").unwrap(), None);
    assert_eq!(after.approximate_rows(T), 2);
}

#[test]
fn scans_keep_to_their_bounds_both_ways() {
    let engine = engine();
    commit(&engine, command((0..9).map(|i| insert(T, &format!("{i},b{i},"))).collect()));
    let snapshot = engine.snapshot();
    let scan = |lower: Bound<&[u8]>, upper: Bound<&[u8]>, reverse| -> String {
        let rows = snapshot.scan(T, lower, upper, ScanOptions { reverse, bulk: false });
        rows.map(|row| row.unwrap().0[0] as char).collect()
    };
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(scan(Included(b"2"), Excluded(b"5"), false), "234");
    assert_eq!(scan(Excluded(b"2"), Included(b"5"), false), "345");
    assert_eq!(scan(Excluded(b"2"), Included(b"5"), true), "543");
    assert_eq!(scan(Unbounded, Included(b"1"), true), "10");
    assert_eq!(scan(Included(b"7"), Unbounded, false), "78");
    assert_eq!(scan(Included(b"5"), Included(b"2"), false), "");
    let (lower, upper) = crate::storage::snapshot::prefix_range(b"\x01b3");
    let (lower, upper) = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
    let entries = snapshot.index_scan(T_B, lower, upper, ScanOptions::default());
    let entries: Vec<_> = entries.map(Result::unwrap).collect();
    assert_eq!(entries, [(b"\x01b3\0".to_vec(), b"3".to_vec())]);
}

#[test]
fn a_table_is_divided_into_even_parts() {
    let engine = engine();
    commit(&engine, command((0..4000).map(|i| insert(T, &format!("{i:05},b{i},"))).collect()));
    let snapshot = engine.snapshot();
    let points = snapshot.split_points(T, 4).unwrap();
    assert_eq!(points.len(), 3, "{points:?}");
    let mut edges = vec![Bound::Unbounded];
    edges.extend(points.iter().map(|p| Bound::Included(p.as_slice())));
    let mut total = 0;
    for (i, lower) in edges.iter().enumerate() {
        let upper = points.get(i).map_or(Bound::Unbounded, |p| Bound::Excluded(p.as_slice()));
        let count = snapshot.scan(T, *lower, upper, ScanOptions::default()).count();
        assert!((500..1500).contains(&count), "part {i} has {count}");
        total += count;
    }
    assert_eq!(total, 4000);
    assert!(snapshot.split_points(T, 1).unwrap().is_empty());
    assert!(snapshot.split_points(999, 4).unwrap().is_empty());
}

#[test]
fn concurrent_commits_are_all_there_once() {
    let engine = engine();
    let (committed, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (engine, committed, refused) = (&engine, &committed, &refused);
            scope.spawn(move || {
                for i in 0..50 {
                    // Every key is tried by two workers.
                    let row = format!("{:03}-{i},b{worker}-{i},", worker / 2);
                    match engine.submit(command(vec![insert(T, &row)])).wait().unwrap() {
                        Outcome::Committed(position) => {
                            committed.fetch_add(1, Ordering::Relaxed);
                            // Whoever has the answer sees what was committed.
                            assert!(engine.snapshot().position() >= position);
                        }
                        Outcome::Rejected(error) => {
                            assert_eq!(error.code(), SqlState::UNIQUE_VIOLATION);
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert_eq!((committed.into_inner(), refused.into_inner()), (200, 200));
    assert_eq!(rows(&engine.snapshot()).len(), 200);
    let status = engine.status();
    assert!(status.groups <= status.commands, "{status:?}");
}

#[test]
fn lost_updates_are_conflicts() {
    let engine = engine();
    commit(&engine, command(vec![insert(T, "n,0,")]));
    let conflicts = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 25 {
                    let row = engine.snapshot().get(T, b"n").unwrap().unwrap();
                    let count: u64 = String::from_utf8_lossy(&row).split(',').nth(1).unwrap().parse().unwrap();
                    let next = put(T, "n", &format!("n,{},", count + 1), Expect::Version(row.position()));
                    match engine.submit(command(vec![next])).wait().unwrap() {
                        Outcome::Committed(_) => done += 1,
                        Outcome::Rejected(error) => {
                            assert_eq!(error.code(), SqlState::SERIALIZATION_FAILURE);
                            conflicts.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert_eq!(rows(&engine.snapshot()), ["n,100,"]);
}

#[test]
fn sequences_go_on_after_a_stop_and_skip_ahead_after_a_crash() {
    let (backend, disk) = (Arc::new(MemoryBackend::new()), ForgetfulDisk::new());
    let engine = open(&backend, &disk);
    make_tables(&engine);
    let s = sequence(S, "s");
    let take = |engine: &Engine, count| -> Vec<i64> { (0..count).map(|_| engine.nextval(&s).unwrap()).collect() };
    assert_eq!(take(&engine, 40), (1..=40).collect::<Vec<_>>());
    assert_eq!(engine.sequence_state(&s).unwrap(), SequenceState { last_value: 40, is_called: true });
    engine.close();
    drop(engine);
    let engine = open(&backend, &disk);
    assert_eq!(take(&engine, 3), [41, 42, 43]);
    // A commit after nextval carries the sequence along.
    commit(&engine, command(vec![insert(T, "1,x,")]));
    let engine = open(&Arc::new(backend.crash()), &disk.crash(0));
    let next = engine.nextval(&s).unwrap();
    assert!((44..=80).contains(&next), "{next}");
    engine.setval(&s, 7, false).unwrap();
    assert_eq!(take(&engine, 2), [7, 8]);
    engine.setval(&s, 100, true).unwrap();
    assert_eq!(take(&engine, 1), [101]);
    let error = engine.setval(&s, 0, true).unwrap_err();
    assert_eq!(error.message(), "setval: value 0 is out of bounds for sequence \"s\" (1..9223372036854775807)");
    let restart = Mutation::Sequence { oid: S, last_value: 1, is_called: false };
    commit(&engine, command(vec![restart]));
    assert_eq!(take(&engine, 2), [1, 2]);
    assert_eq!(engine.nextval(&sequence(77, "gone")).unwrap_err().code(), SqlState::UNDEFINED_TABLE);
}

#[test]
fn row_ids_go_on_after_the_last_row() {
    let (backend, disk) = (Arc::new(MemoryBackend::new()), ForgetfulDisk::new());
    let engine = open(&backend, &disk);
    make_tables(&engine);
    assert_eq!(engine.next_rowids(T, 10).unwrap(), 1);
    assert_eq!(engine.next_rowids(T, 1).unwrap(), 11);
    let key = crate::document::key::encode_rowid(11);
    let row = Mutation::Put { table: T, key: key.into(), row: (*b"r,x,").into(), expect: Expect::Absent };
    commit(&engine, command(vec![row]));
    engine.close();
    drop(engine);
    assert_eq!(open(&backend, &disk).next_rowids(T, 1).unwrap(), 12);
}

#[test]
fn subscribers_see_commits_in_order_with_their_notifications() {
    let engine = engine();
    let mut changes = engine.subscribe();
    let first = commit(&engine, command(vec![insert(T, "1,x,"), insert(T, "2,y,")]));
    let notify = Mutation::Notify { channel: "c".into(), payload: "p".into(), pid: 42 };
    let refused = engine.submit(command(vec![insert(T, "1,q,"), notify.clone()])).wait().unwrap();
    assert!(matches!(refused, Outcome::Rejected(_)));
    let second = commit(&engine, command(vec![notify, delete(T, "1", Expect::Any)]));
    let Some(Event::Change(change)) = changes.recv_blocking() else { panic!("a change") };
    assert_eq!((change.position, change.tables[0].written, change.is_catalog), (first, 2, false));
    let Some(Event::Change(change)) = changes.recv_blocking() else { panic!("a change") };
    assert_eq!((change.position, change.tables[0].deleted), (second, 1));
    assert_eq!(change.notifications[0].payload, "p");
    engine.close();
    assert_eq!(changes.recv_blocking(), None);
    let error = engine.submit(command(vec![])).wait().unwrap_err();
    assert_eq!(error.code(), SqlState::ADMIN_SHUTDOWN);
}

#[test]
fn what_is_too_much_is_refused() {
    let config = StorageConfig { max_transaction_bytes: 20_000, ..config() };
    let engine = Engine::in_memory(&config, Arc::new(ToyEvaluator)).unwrap();
    let error = engine.submit(command(vec![put(T, "k", &"x".repeat(20_000), Expect::Any)])).wait().unwrap_err();
    assert_eq!(error.code(), SqlState::PROGRAM_LIMIT_EXCEEDED);
    let queue = Queue::new(&StorageConfig { queue_commands_max: 2, ..config });
    let waiting: Vec<_> = (0..2).map(|_| queue.submit(command(vec![]), false)).collect();
    let error = queue.submit(command(vec![]), false).wait().unwrap_err();
    assert_eq!(error.code(), SqlState::TOO_MANY_CONNECTIONS);
    let own = queue.submit(command(vec![]), true);
    queue.fail(&err!(IO_ERROR, "gone"));
    for submission in waiting.into_iter().chain([own, queue.submit(command(vec![]), false)]) {
        assert_eq!(submission.wait().unwrap_err().code(), SqlState::IO_ERROR);
    }
}

#[test]
fn a_failed_sync_stops_all_writing_but_not_reading() {
    let (backend, disk) = (Arc::new(MemoryBackend::new()), ForgetfulDisk::new());
    let engine = open(&backend, &disk);
    make_tables(&engine);
    commit(&engine, command(vec![insert(T, "1,x,")]));
    disk.fail_syncs_after(0);
    for _ in 0..3 {
        let error = engine.submit(command(vec![insert(T, "2,y,")])).wait().unwrap_err();
        assert_eq!(error.code(), SqlState::IO_ERROR);
        disk.fail_syncs_after(100);
    }
    assert_eq!(rows(&engine.snapshot()), ["1,x,"]);
    assert!(engine.status().failure.is_some());
}

#[test]
fn acknowledged_commits_survive_any_crash_and_nothing_is_half_there() {
    for seed in 0..20 {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut backend, mut disk) = (Arc::new(MemoryBackend::new()), ForgetfulDisk::new());
        let mut expected: Vec<String> = Vec::new();
        make_tables(&open(&backend, &disk));
        for round in 0..4 {
            let engine = open(&backend, &disk);
            assert_eq!(rows(&engine.snapshot()), expected, "round {round}");
            assert_eq!(engine.snapshot().approximate_rows(T) as usize, expected.len());
            for i in 0..rng.random_range(1..20) {
                let pair = ["a", "b"].map(|half| format!("{round}-{i:02}{half},{round}-{i}-{half},"));
                commit(&engine, command(pair.iter().map(|row| insert(T, row)).collect()));
                expected.extend(pair);
                if rng.random_ratio(1, 10) {
                    engine.backend.flush().unwrap();
                }
            }
            // Half of the time the machine stops in an orderly way.
            if rng.random_ratio(1, 2) {
                engine.close();
            }
            let kept = rng.random_range(0..=disk.unsynced_bytes());
            disk = disk.crash(kept);
            backend = Arc::new(backend.crash());
        }
    }
}

#[cfg(feature = "server")]
mod on_rocksdb {
    use super::*;
    use crate::storage::backend::Cached;

    fn on_disk(folder: &std::path::Path) -> Result<Arc<Engine>> {
        let config = StorageConfig { data_dir: folder.into(), memory: 32 << 20, ..config() };
        Engine::open(&config, Arc::new(ToyEvaluator))
    }

    #[test]
    fn a_folder_is_served_by_one_engine_and_opens_again_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let engine = on_disk(folder.path()).unwrap();
        make_tables(&engine);
        commit(&engine, command((0..2000).map(|i| insert(T, &format!("{i:05},b{i},"))).collect()));
        let before = rows(&engine.snapshot());
        let error = on_disk(folder.path()).err().unwrap();
        assert_eq!(error.code(), SqlState::OBJECT_IN_USE);
        let snapshot = engine.snapshot();
        engine.close();
        drop(engine);
        // A snapshot outlives its engine, and holds the row store open.
        assert_eq!(rows(&snapshot), before);
        drop(snapshot);
        let engine = on_disk(folder.path()).unwrap();
        assert_eq!(engine.status().recovery.replayed, 0);
        assert_eq!(rows(&engine.snapshot()), before);
        assert!(engine.snapshot().table_bytes(T).unwrap() > 0);
        let row = engine.snapshot().get(T, b"00007").unwrap().unwrap();
        // What was just read is in the cache.
        assert_eq!(engine.snapshot().get_cached(T, b"00007").unwrap(), Cached::Ready(Some(row)));
        let options = ScanOptions { reverse: true, bulk: true };
        let mut backwards = engine.snapshot().scan(T, Bound::Unbounded, Bound::Excluded(b"00010"), options);
        assert!(backwards.advance().unwrap());
        assert_eq!(backwards.key(), b"00009");
        assert_eq!(engine.snapshot().split_points(T, 4).unwrap().len(), 3);
    }

    #[test]
    fn what_the_row_store_lost_comes_back_from_the_log() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let engine = on_disk(folder.path()).unwrap();
        make_tables(&engine);
        commit(&engine, command((0..100).map(|i| insert(T, &format!("{i:05},b{i},"))).collect()));
        engine.backend.flush().unwrap();
        for i in 0..20 {
            commit(&engine, command(vec![put(T, "00001", &format!("00001,c{i},"), Expect::Any)]));
        }
        let before = rows(&engine.snapshot());
        // A copy of the files as they are now is what a killed process leaves.
        for part in ["rows", "log"] {
            std::fs::create_dir(copy.path().join(part)).unwrap();
            for file in std::fs::read_dir(folder.path().join(part)).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), copy.path().join(part).join(file.file_name())).unwrap();
            }
        }
        let again = on_disk(copy.path()).unwrap();
        assert_eq!(again.status().recovery.replayed, 20);
        assert_eq!(rows(&again.snapshot()), before);
    }
}
