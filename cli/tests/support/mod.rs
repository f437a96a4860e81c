//! Runs the program as a person or a script would. Nothing here waits for ever.

#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(unreachable_pub, reason = "each test file has it as a module of its own")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// Longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(60);

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Outcome {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("text")
    }

    /// The same, if it ended well.
    pub fn fine(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.text());
        self.text()
    }

    /// What is told on standard error, if it ended with this code: one line that says nothing twice.
    pub fn failed(&self, code: i32) -> &str {
        let told = self.last_line(code).strip_prefix("ropeway: ").expect("says who speaks");
        let parts: Vec<_> = told.split(": ").collect();
        assert!(parts.windows(2).all(|two| two[0] != two[1]), "nested: {told}");
        told
    }

    /// The same with `--json`: one object, and it is not on standard output as well.
    pub fn failed_json(&self, code: i32) -> String {
        let error: serde_json::Value = serde_json::from_str(self.last_line(code)).expect("an object");
        assert_eq!((&error["event"], &error["exit"]), (&"error".into(), &code.into()), "{error}");
        assert!(self.json().iter().all(|result| result["event"] != "error"), "{}", self.text());
        error["message"].as_str().expect("text").to_owned()
    }

    fn last_line(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        let line = self.stderr.strip_suffix('\n').expect("a line");
        assert!(!line.contains('\n'), "one line: {line}");
        line
    }

    /// Each line of standard output as a JSON object.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let value = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.text().lines().map(value).collect()
    }
}

/// Runs the program to its end.
pub fn ropeway<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Outcome {
    Running::start(arguments, Path::new("."), b"").end()
}

/// Runs it to its end in a folder, with something on standard input.
pub fn ropeway_in<A: AsRef<OsStr>>(folder: &Path, stdin: &[u8], arguments: impl IntoIterator<Item = A>) -> Outcome {
    Running::start(arguments, folder, stdin).end()
}

/// Runs it with a reader of its standard output that goes away after the first octet: the exit code and standard error.
pub fn ropeway_head<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ropeway"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut [0]).expect("an octet");
    drop(stdout);
    let (to, ended) = mpsc::channel();
    thread::spawn(move || to.send(child.wait_with_output()));
    let ended = ended.recv_timeout(LIMIT).expect("it ends in time").expect("its end");
    (ended.status.code(), String::from_utf8(ended.stderr).expect("text"))
}

/// The program while it runs; killed when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Receiver<String>,
    stdout: Receiver<Vec<u8>>,
}

impl Running {
    pub fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, folder: &Path, input: &[u8]) -> Running {
        Running::start_open(arguments, folder, input).0
    }

    /// The same with standard input that does not end before what is returned is dropped.
    pub fn start_open<A: AsRef<OsStr>>(
        arguments: impl IntoIterator<Item = A>,
        folder: &Path,
        input: &[u8],
    ) -> (Running, ChildStdin) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ropeway"));
        command.args(arguments).current_dir(folder).env("TMPDIR", folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        // One that does not read it may be gone by now.
        let _ = stdin.write_all(input);
        let (lines, stdout) = split(child.stdout.take().expect("piped"));
        let mut errors = child.stderr.take().expect("piped");
        let (to, stderr) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            let _ = to.send(text);
        });
        (Running { child, lines, stderr, stdout }, stdin)
    }

    /// The next line of standard output.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("a line in time")
    }

    /// The next line that has this in it.
    pub fn line_with(&self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// As a Ctrl-C does.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// As the system does when it goes down.
    #[cfg(unix)]
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    #[cfg(unix)]
    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Outcome {
        let stderr = self.stderr.recv_timeout(LIMIT).expect("it ends in time");
        let stdout = self.stdout.recv_timeout(LIMIT).expect("it ends in time");
        let code = self.child.wait().expect("its end").code();
        Outcome { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come, and all of it at the end.
fn split(from: ChildStdout) -> (Receiver<String>, Receiver<Vec<u8>>) {
    let ((line, lines), (all, whole)) = (mpsc::channel(), mpsc::channel());
    thread::spawn(move || {
        let (mut from, mut octets) = (BufReader::new(from), Vec::new());
        let mut at = 0;
        while let Ok(1..) = from.read_until(b'\n', &mut octets) {
            let text = String::from_utf8_lossy(&octets[at..]);
            let _ = line.send(text.trim_end_matches('\n').to_owned());
            at = octets.len();
        }
        let _ = all.send(octets);
    });
    (lines, whole)
}

/// `ropeway serve` on an address, with a folder.
pub struct Served {
    pub running: Running,
    pub address: String,
    pub folder: tempfile::TempDir,
}

impl Served {
    /// On any port.
    pub fn tcp() -> Served {
        Served::on("tcp://127.0.0.1:0", tempfile::tempdir().expect("a folder"))
    }

    /// On a socket in the folder of its files, hidden as such things are.
    #[cfg(unix)]
    pub fn unix() -> Served {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("unix://{}/.socket", folder.path().display());
        Served::on(&address, folder)
    }

    pub fn on(address: &str, folder: tempfile::TempDir) -> Served {
        let arguments = ["serve".as_ref(), address.as_ref(), "--dir".as_ref(), folder.path().as_os_str()];
        let running = Running::start(arguments, Path::new("."), b"");
        let line = running.line();
        let address = line.strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Served { running, address, folder }
    }

    /// Runs the program against it.
    pub fn client(&self, command: &str, arguments: &[&str]) -> Outcome {
        self.client_in(Path::new("."), b"", command, arguments)
    }

    /// The same in a folder, with something on standard input.
    pub fn client_in(&self, folder: &Path, stdin: &[u8], command: &str, arguments: &[&str]) -> Outcome {
        ropeway_in(folder, stdin, [&[command, &self.address], arguments].concat())
    }
}
