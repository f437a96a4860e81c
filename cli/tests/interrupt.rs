//! A Ctrl-C at any time leaves nothing torn: no half file under its name, and what has come is continued.

#![cfg(unix)]

mod support;

use std::fs;
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use ropeway_tokio::futures_io::AsyncRead;
use ropeway_tokio::{Client, Message, Server, Uploading};
use support::{Running, Served};
use tokio::sync::mpsc;

const LENGTH: usize = 20_000_000;
const PARTIAL: &str = ".ropeway-large.bin.part";

#[test]
fn a_server_says_goodbye_and_ends_with_0() {
    for terminate in [false, true] {
        let served = Served::tcp();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let line = runtime.block_on(Client::connect(served.address.as_str())).expect("a line");
        served.running.line_with("line open");
        if terminate {
            served.running.terminate()
        } else {
            served.running.interrupt()
        }
        assert_eq!(runtime.block_on(line.ended()).to_string(), "closed by the peer: going away (1)");
        let Served { running, .. } = served;
        assert!(running.end().fine().ends_with("stopped: 1 line closed, 0 cut\n"));
    }
}

#[test]
fn a_server_on_a_unix_socket_removes_it() {
    let served = Served::unix();
    let socket = served.folder.path().join(".socket");
    assert!(socket.exists());
    served.running.interrupt();
    let Served { running, folder, .. } = served;
    running.end().fine();
    assert!(!socket.exists());
    drop(folder);
}

#[test]
fn a_client_that_waits_ends_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", listener.local_addr().expect("it has one"));
    let running = Running::start(["request", &address, "echo", "x"], ".".as_ref(), b"");
    // Connected, and waiting for a hello that never comes.
    let _connection = listener.accept().expect("a connection");
    running.interrupt();
    assert_eq!(running.end().failed(130), "interrupted");
}

#[test]
fn a_client_between_two_pings_ends_at_once() {
    let served = Served::tcp();
    let running = Running::start(["ping", &served.address, "--interval", "1000"], ".".as_ref(), b"");
    running.line_with("seq 1");
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.failed(130), "interrupted");
    assert!(ended.text().lines().last().is_some_and(|line| line.starts_with("1 ping, min/avg/max ")), "{ended:?}");
}

/// These octets, and then none for ever.
struct Stalling(io::Cursor<Vec<u8>>);

impl Stalling {
    fn behind(octets: Vec<u8>) -> Stalling {
        Stalling(io::Cursor::new(octets))
    }
}

impl AsyncRead for Stalling {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.0.read(out);
        if matches!(read, Ok(0)) { Poll::Pending } else { Poll::Ready(read) }
    }
}

/// A server with this grace that has got all of a file but its end, and will never get that.
fn check_stalled(grace: &str, promise: impl FnOnce(Running)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["serve", "tcp://127.0.0.1:0", "--dir", ".", "--grace", grace];
    let running = Running::start(arguments, folder.path(), b"");
    let address = running.line().replace("listening on ", "");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let line = runtime.block_on(Client::connect(address.as_str())).expect("a line");
    let source = Uploading::from_reader("large.bin", Stalling::behind(vec![0; LENGTH]));
    let upload = runtime.block_on(line.send_file(source)).expect("offered");
    let mut progress = upload.progress();
    while runtime.block_on(progress.next()).is_some_and(|progress| progress.done < LENGTH as u64) {}
    running.interrupt();
    promise(running);
    assert!(runtime.block_on(upload.finished()).is_err());
    assert!(!folder.path().join("large.bin").exists(), "no half file under its name");
    folder
}

#[test]
fn a_server_gives_open_work_its_grace_and_leaves_no_half_file() {
    let folder = check_stalled("0.2", |running| {
        assert!(running.line_with("large.bin").contains(": kept 19.07 MiB of large.bin, the line is over"));
        assert!(running.line().contains(": line over, "));
        assert_eq!(running.line(), "stopped: 0 lines closed, 1 cut");
        assert_eq!(running.end().code, Some(0));
    });
    assert!(folder.path().join(PARTIAL).exists());
}

#[test]
fn a_server_that_is_interrupted_twice_ends_at_once() {
    check_stalled("1000", |running| {
        let stopping = running.line_with("stopping");
        assert_eq!(stopping, "stopping: 1 line open, open work has 1000s; another Ctrl-C ends it at once");
        running.interrupt();
        assert_eq!(running.end().failed(130), "interrupted");
    });
}

#[test]
fn a_demo_removes_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(["demo", "--json"], folder.path(), b"");
    running.line_with("kept alive");
    assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
    running.interrupt();
    assert_eq!(running.end().failed_json(130), "interrupted");
    assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 0);
}

/// A folder with a large file, and one for it to be received in.
fn folders() -> (tempfile::TempDir, tempfile::TempDir) {
    let [from, to] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let mut octets = vec![0; LENGTH];
    blake3::Hasher::new().finalize_xof().fill(&mut octets);
    fs::write(from.path().join("large.bin"), octets).expect("written");
    (from, to)
}

/// Where to connect to be connected with a server, which gets no more than so many octets.
fn passes_on(server: String, most: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", listener.local_addr().expect("it has one"));
    thread::spawn(move || {
        let (mut near, mut far) = (listener.accept()?.0, TcpStream::connect(server)?);
        let (mut back, mut to_near) = (far.try_clone()?, near.try_clone()?);
        thread::spawn(move || io::copy(&mut back, &mut to_near));
        io::copy(&mut (&mut near).take(most), &mut far)?;
        io::copy(&mut near, &mut io::sink())?;
        far.shutdown(Shutdown::Write)
    });
    address
}

#[test]
fn a_send_that_is_interrupted_is_continued_by_the_next() {
    let (from, to) = folders();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (some, mut there) = mpsc::unbounded_channel();
    let (over, mut ended) = mpsc::unbounded_channel();
    let folder: PathBuf = to.path().into();
    let stalling = Server::bind("tcp://127.0.0.1:0").on_message("file", move |mut message: Message| {
        let (some, over, folder) = (some.clone(), over.clone(), folder.clone());
        async move {
            let offered = message.file().await?.expect("a file");
            let download = offered.save_in(folder).await?;
            let mut progress = download.progress();
            while progress.next().await.is_some_and(|progress| progress.done < 1_000_000) {}
            let _ = some.send(());
            tokio::spawn(async move { over.send(download.finished().await.map(drop)) });
            Ok(())
        }
    });
    let server = runtime.block_on(stalling.serve()).expect("it listens");
    let address = passes_on(server.address().to_string().replace("tcp://", ""), LENGTH as u64 / 2);
    let running = Running::start(["send", &address, "large.bin"], from.path(), b"");
    runtime.block_on(there.recv()).expect("some of it");
    running.interrupt();
    assert_eq!(running.end().failed(130), "interrupted");
    assert!(runtime.block_on(ended.recv()).expect("an end").is_err());
    assert!(!to.path().join("large.bin").exists(), "no half file under its name");
    let kept = fs::metadata(to.path().join(PARTIAL)).expect("the partial file").len();
    assert!((1_000_000..LENGTH as u64).contains(&kept), "{kept}");

    let served = Served::on("tcp://127.0.0.1:0", to);
    let sent = served.client_in(from.path(), b"", "send", &["large.bin"]);
    assert!(sent.fine().contains(&format!(", continued at octet {kept}, ")), "{sent:?}");
    same(&from, &served.folder);
}

/// Serves half of the file to a program that is then interrupted.
fn interrupt_fetch(from: &tempfile::TempDir, to: &tempfile::TempDir, arguments: &[&str]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (half, mut there) = mpsc::unbounded_channel();
    let uploads = Arc::new(Mutex::new(Vec::new()));
    let file = fs::read(from.path().join("large.bin")).expect("read");
    let stalling = Server::bind("tcp://127.0.0.1:0").on_message("files.get", move |mut message: Message| {
        let (half, uploads, file) = (half.clone(), uploads.clone(), file.clone());
        async move {
            let stalling = Stalling::behind(file[..LENGTH / 2].to_vec());
            let file = Uploading::from_reader("large.bin", stalling).size(LENGTH as u64);
            for upload in message.respond(&()).file(file).await? {
                let mut progress = upload.progress();
                while progress.next().await.is_some_and(|progress| progress.done < LENGTH as u64 / 2 - 1) {}
                uploads.lock().expect("not poisoned").push(upload);
                let _ = half.send(());
            }
            Ok(())
        }
    });
    let server = runtime.block_on(stalling.serve()).expect("it listens");
    let fetch = ["fetch", &server.address().to_string(), "large.bin"];
    let running = Running::start([&fetch[..], arguments].concat(), to.path(), b"");
    runtime.block_on(there.recv()).expect("half of it");
    running.interrupt();
    assert_eq!(running.end().failed(130), "interrupted");
    assert!(!to.path().join("large.bin").exists(), "no half file under its name");
}

#[test]
fn a_fetch_that_is_interrupted_is_continued_by_the_next() {
    let (from, to) = folders();
    interrupt_fetch(&from, &to, &[]);
    let kept = fs::metadata(to.path().join(PARTIAL)).expect("the partial file").len();
    assert!((1_000_000..LENGTH as u64).contains(&kept), "{kept}");

    let served = Served::on("tcp://127.0.0.1:0", from);
    let fetched = served.client_in(to.path(), b"", "fetch", &["large.bin"]);
    assert!(fetched.fine().contains(&format!(", continued at octet {kept}, ")), "{fetched:?}");
    same(&served.folder, &to);
}

#[test]
fn a_fetch_that_can_not_be_continued_leaves_nothing() {
    for arguments in [&["--range", "1.."][..], &["--range", "1..", "-o", "part"], &["-o", "-"]] {
        let (from, to) = folders();
        interrupt_fetch(&from, &to, arguments);
        assert_eq!(fs::read_dir(to.path()).expect("read").count(), 0, "{arguments:?}");
    }
}

#[test]
fn a_send_of_standard_input_that_is_interrupted_leaves_no_half_file() {
    let served = Served::tcp();
    let arguments = ["send", &served.address, "-", "--name", "large.bin"];
    // More than what pipes and windows hold, so that some has come.
    let (running, open) = Running::start_open(arguments, ".".as_ref(), &vec![7; LENGTH]);
    running.interrupt();
    assert_eq!(running.end().failed(130), "interrupted");
    drop(open);
    let kept = served.running.line_with("large.bin");
    assert!(kept.contains(": kept ") && kept.contains(" MiB of large.bin, the line is over"), "{kept}");
    assert!(!served.folder.path().join("large.bin").exists(), "no half file under its name");
}

/// The file is there and is the same, and nothing else is left.
fn same(from: &tempfile::TempDir, to: &tempfile::TempDir) {
    let [sent, received] = [from, to].map(|folder| fs::read(folder.path().join("large.bin")).expect("read"));
    assert!(sent == received);
    assert_eq!(fs::read_dir(to.path()).expect("read").count(), 1);
}
