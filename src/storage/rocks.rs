//! [`RocksBackend`]: the backend of a server, and the only user of the `rocksdb` crate.
//!
//! **No WAL.** The log is the truth and has every command before it comes here, so a second one would write each row
//! twice for nothing. Column families are flushed together (`atomic_flush`): after a crash rows, entries, catalog and
//! applied position are those of one moment, and the log has the commands after it. How much has to be replayed is
//! bounded by the write buffers.
//!
//! **Snapshots and iterators** borrow the database in the crate's API. `self_cell` ties each to an `Arc` of what it
//! borrows, without unsafe code here; the alternatives were leaking the database or a thread for each iterator.
//!
//! **Settings**, for documents on a machine with few cores: whole-key bloom filters (an INSERT must find out that its
//! key is absent), hash indexes inside data blocks (a point read is the common read), LZ4 on all levels (scans read
//! it at memory speed; colder data leaves for Parquet anyway), index and filter blocks in the one cache that bounds
//! all memory, and few, large files.

use std::path::Path;
use std::sync::Arc;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DBCompressionType, DBRawIteratorWithThreadMode,
    DBWithThreadMode, DataBlockIndexType, ErrorKind, FlushOptions, LogLevel, Options, ReadOptions, ReadTier,
    SingleThreaded, SnapshotWithThreadMode, WriteBatch, WriteOptions,
};

use super::backend::{BackendSnapshot, BackendStatus, Batch, Cached, Cursor, Operation, Range, Space, StorageBackend};
use super::config::StorageConfig;
use crate::err;
use crate::error::{Error, Result};

type Db = DBWithThreadMode<SingleThreaded>;

/// A backend on RocksDB.
pub struct RocksBackend {
    db: Arc<Db>,
    cache: Cache,
    cache_bytes: usize,
    write_options: WriteOptions,
}

impl Space {
    fn family(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Rows => "rows",
            Self::Indexes => "indexes",
        }
    }
}

/// How the memory setting is divided.
struct Memory {
    cache: usize,
    /// All write buffers together.
    buffers: usize,
}

impl Memory {
    fn divide(memory: usize) -> Self {
        let buffers = (memory / 4).clamp(16 << 20, 256 << 20);
        Self { cache: memory.saturating_sub(buffers).max(8 << 20), buffers }
    }

    fn buffer_of(&self, space: Space) -> usize {
        match space {
            Space::Catalog => 4 << 20,
            Space::Rows => self.buffers / 2,
            Space::Indexes => self.buffers / 4,
        }
    }
}

impl RocksBackend {
    /// Opens a folder, which is made when it is not there.
    pub fn open(path: &Path, config: &StorageConfig) -> Result<Self> {
        let memory = Memory::divide(config.memory);
        let cache = Cache::new_hyper_clock_cache(memory.cache, 0);
        let options = database_options(config, &memory);
        let families =
            Space::ALL.map(|space| ColumnFamilyDescriptor::new(space.family(), family_options(space, &memory, &cache)));
        let default = ColumnFamilyDescriptor::new("default", Options::default());
        let families = families.into_iter().chain([default]);
        let db = Db::open_cf_descriptors(&options, path, families).map_err(error)?;
        let mut write_options = WriteOptions::default();
        write_options.disable_wal(true);
        Ok(Self { db: Arc::new(db), cache, cache_bytes: memory.cache, write_options })
    }

    fn family(&self, space: Space) -> &ColumnFamily {
        family(&self.db, space)
    }

    fn sum(&self, property: &str) -> u64 {
        let value = |space| self.db.property_int_value_cf(self.family(space), property).ok().flatten().unwrap_or(0);
        Space::ALL.into_iter().map(value).sum()
    }
}

fn family(db: &Db, space: Space) -> &ColumnFamily {
    db.cf_handle(space.family()).expect("all column families are opened with the database")
}

fn database_options(config: &StorageConfig, memory: &Memory) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_atomic_flush(true);
    options.set_db_write_buffer_size(memory.buffers);
    options.set_max_background_jobs(config.background_jobs.clamp(1, 64) as i32);
    options.set_bytes_per_sync(1 << 20);
    options.set_max_open_files(512);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(8 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_skip_stats_update_on_db_open(true);
    options
}

fn family_options(space: Space, memory: &Memory, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(if space == Space::Rows { 16 << 10 } else { 8 << 10 });
    // A get walks the entries of one restart interval: with rows of a kilobyte each step is a cache miss.
    table.set_block_restart_interval(if space == Space::Rows { 4 } else { 16 });
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    table.set_data_block_hash_ratio(0.75);
    table.set_format_version(6);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(memory.buffer_of(space));
    options.set_max_write_buffer_number(3);
    options.set_memtable_prefix_bloom_ratio(0.05);
    options.set_memtable_whole_key_filtering(true);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_max_bytes_for_level_base(256 << 20);
    options.set_target_file_size_base(64 << 20);
    options
}

fn error(error: rocksdb::Error) -> Error {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Corruption => err!(DATA_CORRUPTED, "row store: {message}"),
        ErrorKind::IOError if message.contains("No space") => err!(DISK_FULL, "row store: {message}"),
        ErrorKind::IOError => err!(IO_ERROR, "row store: {message}"),
        _ => Error::internal(format!("row store: {message}")),
    }
}

impl StorageBackend for RocksBackend {
    fn write(&self, batch: &Batch) -> Result<()> {
        let mut out = WriteBatch::with_capacity_bytes(batch.bytes() + 64);
        for operation in batch.operations() {
            match operation {
                Operation::Put { space, key, value } => out.put_cf(self.family(space), key, value),
                Operation::Delete { space, key } => out.delete_cf(self.family(space), key),
                Operation::DeleteRange { space, from, to } => out.delete_range_cf(self.family(space), from, to),
            }
        }
        self.db.write_opt(out, &self.write_options).map_err(error)
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get_cf(self.family(space), key).map_err(error)
    }

    fn get_durable(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut options = ReadOptions::default();
        options.set_read_tier(ReadTier::Persisted);
        self.db.get_cf_opt(self.family(Space::Catalog), key, &options).map_err(error)
    }

    fn snapshot(&self) -> Arc<dyn BackendSnapshot> {
        let view = ViewCell::new(self.db.clone(), |db| View::new(db));
        Arc::new(RocksSnapshot { view, cache_bytes: self.cache_bytes })
    }

    fn flush(&self) -> Result<()> {
        let families = Space::ALL.map(|space| self.family(space));
        self.db.flush_cfs_opt(&families, &FlushOptions::default()).map_err(error)
    }

    fn approximate_bytes(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<u64> {
        let range = rocksdb::Range::new(lower, upper.unwrap_or(&[0xff; 64]));
        Ok(self.db.get_approximate_sizes_cf(self.family(space), &[range]).first().copied().unwrap_or(0))
    }

    fn known_keys(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<Vec<Vec<u8>>> {
        let files = self.db.live_files().map_err(error)?;
        let keys = files
            .into_iter()
            .filter(|file| file.column_family_name == space.family())
            .flat_map(|file| [file.start_key, file.end_key])
            .flatten()
            .filter(|key| key.as_slice() >= lower && upper.is_none_or(|upper| key.as_slice() < upper));
        let mut keys: Vec<Vec<u8>> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn status(&self) -> BackendStatus {
        BackendStatus {
            name: "rocksdb",
            disk_bytes: self.sum("rocksdb.live-sst-files-size"),
            buffer_bytes: self.sum("rocksdb.cur-size-all-mem-tables"),
            cache_bytes: self.cache.get_usage() as u64,
            cache_bytes_max: self.cache_bytes as u64,
            is_stalled: self.sum("rocksdb.actual-delayed-write-rate") + self.sum("rocksdb.is-write-stopped") > 0,
        }
    }
}

/// A snapshot of the database, and the options to read through it.
struct View<'a> {
    db: &'a Db,
    snapshot: SnapshotWithThreadMode<'a, Db>,
    families: [&'a ColumnFamily; 3],
    read: ReadOptions,
    read_cached: ReadOptions,
}

impl<'a> View<'a> {
    fn new(db: &'a Db) -> Self {
        let snapshot = db.snapshot();
        let (mut read, mut read_cached) = (ReadOptions::default(), ReadOptions::default());
        read.set_snapshot(&snapshot);
        read_cached.set_snapshot(&snapshot);
        read_cached.set_read_tier(ReadTier::BlockCache);
        let families = Space::ALL.map(|space| family(db, space));
        Self { db, snapshot, families, read, read_cached }
    }

    fn family(&self, space: Space) -> &'a ColumnFamily {
        self.families[space as usize]
    }
}

self_cell::self_cell!(
    struct ViewCell {
        owner: Arc<Db>,
        #[covariant]
        dependent: View,
    }
);

struct RocksSnapshot {
    view: ViewCell,
    cache_bytes: usize,
}

impl RocksSnapshot {
    /// Whether a range is small enough to be kept in the cache by who reads all of it.
    fn fits_cache(&self, range: &Range) -> bool {
        let view = self.view.borrow_dependent();
        let bounds = rocksdb::Range::new(&range.lower, range.upper.as_deref().unwrap_or(&[0xff; 64]));
        let sizes = view.db.get_approximate_sizes_cf(view.family(range.space), &[bounds]);
        sizes.first().is_none_or(|bytes| *bytes < self.cache_bytes as u64 / 4)
    }
}

impl BackendSnapshot for RocksSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let view = self.view.borrow_dependent();
        let value = view.db.get_pinned_cf_opt(view.family(space), key, &view.read).map_err(error)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn get_cached(&self, space: Space, key: &[u8]) -> Result<Cached<Vec<u8>>> {
        let view = self.view.borrow_dependent();
        match view.db.get_pinned_cf_opt(view.family(space), key, &view.read_cached) {
            Ok(value) => Ok(Cached::Ready(value.map(|value| value.to_vec()))),
            Err(e) if e.kind() == ErrorKind::Incomplete => Ok(Cached::WouldBlock),
            Err(e) => Err(error(e)),
        }
    }

    fn cursor(self: Arc<Self>, range: Range) -> Box<dyn Cursor> {
        let mut options = ReadOptions::default();
        if range.bulk {
            options.set_readahead_size(2 << 20);
            options.fill_cache(self.fits_cache(&range));
        }
        options.set_iterate_lower_bound(range.lower);
        if let Some(upper) = range.upper {
            options.set_iterate_upper_bound(upper);
        }
        let cell = IteratorCell::new(self, |snapshot| {
            let view = snapshot.view.borrow_dependent();
            view.snapshot.raw_iterator_cf_opt(view.family(range.space), options)
        });
        Box::new(RocksCursor { cell, reverse: range.reverse, state: State::Before })
    }
}

type RawIterator<'a> = DBRawIteratorWithThreadMode<'a, Db>;

self_cell::self_cell!(
    struct IteratorCell {
        owner: Arc<RocksSnapshot>,
        #[covariant]
        dependent: RawIterator,
    }
);

struct RocksCursor {
    cell: IteratorCell,
    reverse: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    On,
    After,
}

impl Cursor for RocksCursor {
    fn advance(&mut self) -> Result<bool> {
        let (state, reverse) = (self.state, self.reverse);
        let is_on = self.cell.with_dependent_mut(|_, iterator| {
            match (state, reverse) {
                (State::Before, false) => iterator.seek_to_first(),
                (State::Before, true) => iterator.seek_to_last(),
                (State::On, false) => iterator.next(),
                (State::On, true) => iterator.prev(),
                (State::After, _) => return Ok(false),
            }
            match iterator.valid() {
                true => Ok(true),
                // The end of the range, or an error.
                false => iterator.status().map(|()| false).map_err(error),
            }
        });
        self.state = if matches!(is_on, Ok(true)) { State::On } else { State::After };
        is_on
    }

    fn key(&self) -> &[u8] {
        match self.state {
            State::On => self.cell.borrow_dependent().key().unwrap_or_default(),
            _ => &[],
        }
    }

    fn value(&self) -> &[u8] {
        match self.state {
            State::On => self.cell.borrow_dependent().value().unwrap_or_default(),
            _ => &[],
        }
    }
}
