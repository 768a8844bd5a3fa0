//! A node in a process of its own, so that its memory and its log can be seen from outside.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::raw::Raw;

const PASSWORD: &str = "process";

/// A node that ends with the test.
pub struct Process {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Process {
    /// A node with some settings, by their names in the environment without the prefix (`EXEC_MEMORY_LIMIT`).
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_aerolithdb"));
        command.current_dir(folder.path()).args(["start", "--pg-port", "0", "--data-dir"]);
        command.arg(folder.path().join("data")).stdout(Stdio::piped()).stderr(log);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AEROLITHDB_")) {
            command.env_remove(name);
        }
        command.env("AEROLITHDB_ADMIN_PASSWORD", PASSWORD).env("AEROLITHDB_STORAGE_MEMORY", "64MB");
        for (name, value) in settings {
            command.env(format!("AEROLITHDB_{name}"), value);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let port = ready["pg_port"].as_u64().unwrap() as u16;
        Self { child, port, folder }
    }

    /// A raw, authenticated connection.
    pub async fn raw(&self) -> Raw {
        let mut raw = Raw::connect(self.port).await;
        let messages = raw.log_in("aerolith", PASSWORD, "aerolith").await;
        assert_eq!(messages.last().unwrap().kind, b'Z', "{messages:?}");
        raw
    }

    /// Its resident memory.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Nothing went wrong inside: no panic, and no line that asks somebody to look.
    pub fn assert_calm(&mut self) {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        assert!(self.child.try_wait().unwrap().is_none(), "the node has ended: {log}");
        assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
