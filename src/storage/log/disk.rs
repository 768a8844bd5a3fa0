//! [`Disk`]: the few file operations that the log needs. [`Folder`] does them; [`ForgetfulDisk`] keeps files in memory
//! and can be told to lose what was not synced, as a machine that loses power does.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A flat folder of files.
pub trait Disk: Send {
    /// The names of the files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file, which is made when it is not there.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the creation and removal of files survive a crash.
    fn sync(&self) -> io::Result<()>;
    /// What to call a file in a message.
    fn describe(&self, name: &str) -> String;
}

/// An open file.
pub trait DiskFile: Send {
    /// The whole content.
    fn read_all(&self) -> io::Result<Vec<u8>>;
    /// Writes all of `bytes` at an offset.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to a length.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Makes content and length survive a crash.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the file system.
pub struct Folder(PathBuf);

impl Folder {
    /// A folder, which is made when it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Self(path.to_path_buf()))
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(self.0.join(name))?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn describe(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl DiskFile for File {
    fn read_all(&self) -> io::Result<Vec<u8>> {
        let len = self.metadata()?.len() as usize;
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Files in memory that remember what of them was synced.
#[derive(Clone, Default)]
pub struct ForgetfulDisk(Arc<Mutex<Files>>);

#[derive(Clone, Default)]
struct Files {
    files: BTreeMap<String, Content>,
    /// Syncs that succeed from now on; `None`: all.
    syncs_left: Option<usize>,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Changes since the last sync.
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Content {
    fn unsynced_bytes(&self) -> usize {
        let sizes = self.unsynced.iter().map(|change| match change {
            Change::Write(_, bytes) => bytes.len(),
            Change::Truncate(_) => 1,
        });
        sizes.sum()
    }
}

impl ForgetfulDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes were written but not synced.
    pub fn unsynced_bytes(&self) -> usize {
        self.files().files.values().map(Content::unsynced_bytes).sum()
    }

    /// What a machine that loses power may leave: what was synced, and the first `kept` bytes of what was not.
    pub fn crash(&self, mut kept: usize) -> Self {
        let mut files = self.files().clone();
        files.syncs_left = None;
        for content in files.files.values_mut() {
            content.now = content.synced.clone();
            for change in std::mem::take(&mut content.unsynced) {
                match change {
                    _ if kept == 0 => break,
                    Change::Write(offset, bytes) => {
                        let len = bytes.len().min(kept);
                        write(&mut content.now, offset, &bytes[..len]);
                        kept -= len;
                    }
                    Change::Truncate(len) => {
                        content.now.truncate(len as usize);
                        kept -= 1;
                    }
                }
            }
            content.synced = content.now.clone();
        }
        Self(Arc::new(Mutex::new(files)))
    }

    /// Lets the next `count` syncs succeed and all later ones fail.
    pub fn fail_syncs_after(&self, count: usize) {
        self.files().syncs_left = Some(count);
    }

    /// The content of a file.
    pub fn content(&self, name: &str) -> Vec<u8> {
        self.files().files.get(name).map(|content| content.now.clone()).unwrap_or_default()
    }

    /// Replaces the content of a file.
    pub fn set_content(&self, name: &str, bytes: Vec<u8>) {
        let content = Content { now: bytes.clone(), synced: bytes, unsynced: Vec::new() };
        self.files().files.insert(name.to_string(), content);
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let end = offset as usize + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset as usize..end].copy_from_slice(bytes);
}

impl Disk for ForgetfulDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files().files.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.files().files.entry(name.to_string()).or_default();
        Ok(Box::new(ForgetfulFile { disk: self.clone(), name: name.to_string() }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files().files.remove(name);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn describe(&self, name: &str) -> String {
        name.to_string()
    }
}

struct ForgetfulFile {
    disk: ForgetfulDisk,
    name: String,
}

impl ForgetfulFile {
    fn with<T>(&self, f: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        let mut files = self.disk.files();
        let gone = || io::Error::new(io::ErrorKind::NotFound, format!("{} was removed", self.name));
        files.files.get_mut(&self.name).map(f).ok_or_else(gone)
    }
}

impl DiskFile for ForgetfulFile {
    fn read_all(&self) -> io::Result<Vec<u8>> {
        self.with(|content| content.now.clone())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|content| {
            write(&mut content.now, offset, bytes);
            content.unsynced.push(Change::Write(offset, bytes.to_vec()));
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.with(|content| {
            content.now.truncate(len as usize);
            content.unsynced.push(Change::Truncate(len));
        })
    }

    fn sync(&self) -> io::Result<()> {
        let mut files = self.disk.files();
        match &mut files.syncs_left {
            Some(0) => return Err(io::Error::other("the disk does not answer")),
            Some(left) => *left -= 1,
            None => {}
        }
        drop(files);
        self.with(|content| {
            for change in std::mem::take(&mut content.unsynced) {
                match change {
                    Change::Write(offset, bytes) => write(&mut content.synced, offset, &bytes),
                    Change::Truncate(len) => content.synced.truncate(len as usize),
                }
            }
        })
    }
}
