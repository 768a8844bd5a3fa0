//! The program as it is installed: start, dsn, status, sql, and how it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn aerolithdb(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aerolithdb"));
    command.current_dir(data_dir.parent().unwrap()).args(arguments).arg("--data-dir").arg(data_dir);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AEROLITHDB_")) {
        command.env_remove(name);
    }
    command
}

fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    aerolithdb(data_dir, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server process that does not outlive the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_node_from_start_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let before = run(&data_dir, &["dsn"]);
    assert!(!before.status.success() && stderr(&before).starts_with("aerolithdb: no node is running on data folder"));

    let mut command = aerolithdb(&data_dir, &["start", "--pg-port", "0", "--http-port", "0"]);
    let mut server = Server(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(ready["pg_port"].as_u64().unwrap() > 0, "{line}");
    assert!(["http_port", "grpc_port", "ws_port"].iter().all(|port| ready[port].is_null()), "{line}");

    let dsn = stdout(&run(&data_dir, &["dsn"]));
    assert!(dsn.starts_with("postgresql://aerolith:"), "{dsn}");
    let status = run(&data_dir, &["status"]);
    assert!(stdout(&status).contains("state           running"), "{}", stderr(&status));
    let answer = run(&data_dir, &["sql", "-c", "SELECT 1 AS one, 'x' AS letter", dsn.trim()]);
    assert_eq!(stdout(&answer), " one | letter \n-----+--------\n   1 | x\n(1 row)\n", "{}", stderr(&answer));
    let error = run(&data_dir, &["sql", "-c", "SELECT 1/0"]);
    assert!(!error.status.success() && stderr(&error).contains("division by zero"), "{}", stderr(&error));

    let second = run(&data_dir, &["start", "--pg-port", "0"]);
    assert!(!second.status.success() && stderr(&second).contains("is in use by another aerolithdb process"));
    kill(Pid::from_raw(server.0.id() as i32), Signal::SIGTERM).unwrap();
    assert!(server.0.wait().unwrap().success());
    assert!(!run(&data_dir, &["status"]).status.success());
}

#[test]
fn mistakes_are_one_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[pg]\nprot = 1\n").unwrap();
    let output = run(&data_dir, &["start", "--config", config.to_str().unwrap()]);
    assert!(!output.status.success());
    let expected = format!("aerolithdb: unknown setting \"pg.prot\" in file \"{}\"\n", config.display());
    assert_eq!(stderr(&output), expected);
    let output = run(&data_dir, &["start", "--listen", "0.0.0.0"]);
    assert!(
        stderr(&output).starts_with("aerolithdb: refusing to listen on 0.0.0.0 without TLS"),
        "{}",
        stderr(&output)
    );
}
