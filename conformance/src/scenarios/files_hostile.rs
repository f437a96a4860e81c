//! Files from peers that mean no good, over folders that others have been in before.

use std::fs;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;
use ropeway_driver::{Code, Error, FileError, Router, Save, Uploading, printable};

use super::by_hand::{octets, still_works};
use super::files_by_hand::{Folder, Giving, file_error, offered, read_file};
use super::{Scenario, scenarios};
use crate::world::World;

pub(super) const LIST: &[Scenario] = scenarios![
    names_that_lead_elsewhere_make_no_file,
    nothing_is_written_through_a_link,
    what_exists_is_left_alone_unless_asked,
    a_file_put_in_the_way_is_not_replaced,
    no_more_is_taken_than_is_wanted,
    a_full_disk_is_told_at_both_ends,
    ranges_outside_the_content_are_told_at_both_ends,
    sources_that_change_are_not_passed_off_as_whole,
    one_name_is_written_by_one_transfer,
];

/// F1.
async fn names_that_lead_elsewhere_make_no_file(world: World) {
    let (near, far) = world.pair().await;
    let outer = Folder::new();
    let inner = outer.at("inner");
    fs::create_dir(&inner).expect("it is new");
    let long = "a".repeat(255);
    let names = [
        "",
        ".",
        "..",
        "../x",
        "..\\x",
        "a/../../x",
        "/x",
        "/etc/passwd",
        "\\x",
        "\\\\server\\share\\x",
        "C:x",
        "C:\\x",
        "a:b",
        "a/b",
        "a\\b",
        "a/b\\c",
        "x\0y",
        "CON",
        "nul.txt",
        "com1.tar.gz",
        "x.",
        "x ",
        " x",
        "a|b",
        "x\ny",
        "\u{1b}[2Jx",
        "invoice\u{202e}fdp.exe",
        ".ropeway-x.part",
        &long,
    ];
    for name in names {
        let upload = near.send_file(Uploading::from_bytes(name, "content")).await.expect("it is offered");
        let (_, file) = offered(&far).await;
        assert_eq!(file.name(), name, "the application may look at it");
        let shown = file.to_string();
        assert_eq!(shown, printable(name).to_string());
        assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown:?}");
        let refused = file.save_in(&inner).await;
        assert!(matches!(refused, Err(Error::Name(_))), "{name:?}: {refused:?}");
        let told = upload.finished().await;
        assert!(matches!(told, Err(Error::Aborted(Code::BAD_NAME))), "{name:?}: {told:?}");
    }
    // By a name of the application's choice it comes all the same; but that is looked at as well.
    for (name, fine) in [("../y", false), ("y", true)] {
        let upload = near.send_file(Uploading::from_bytes("../x", "content")).await.expect("it is offered");
        let saved = offered(&far).await.1.save(Save::in_folder(&inner).name(name)).await;
        assert_eq!(saved.is_ok(), fine);
        if let Ok(download) = saved {
            assert_eq!(download.finished().await.expect("it comes"), inner.join("y"));
        }
        assert_eq!(upload.finished().await.is_ok(), fine);
    }
    let left: Vec<_> =
        fs::read_dir(&inner).expect("it is there").map(|e| e.expect("it is there").file_name()).collect();
    assert_eq!((outer.names(), left), (vec!["inner".into()], vec!["y".into()]));
    world.part(near, far).await;
}

/// F2.
async fn nothing_is_written_through_a_link(world: World) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;

        let (near, far) = world.pair().await;
        let (folder, elsewhere) = (Folder::new(), Folder::new());
        let victim = elsewhere.put("victim", b"precious");
        // What is put where; whether the file comes if it may replace one.
        type Trap = fn(&Path, &Path) -> io::Result<()>;
        let (link, second): (Trap, Trap) = (|to, at| symlink(to, at), |to, at| fs::hard_link(to, at));
        let dangling: Trap = |to, at| symlink(to.with_extension("none"), at);
        let opened: Trap = |_, at| fs::create_dir(at);
        let (name, partial) = (folder.at("x"), folder.partial("x"));
        for (what, trap, at, comes) in [
            ("a link", link, &name, false),
            ("a link to nothing", dangling, &name, false),
            ("a folder", opened, &name, false),
            ("a second name", second, &name, true),
            ("a link for the partial file", link, &partial, false),
            ("a link to nothing for the partial file", dangling, &partial, false),
            ("a folder for the partial file", opened, &partial, false),
            ("a second name for the partial file", second, &partial, true),
        ] {
            trap(&victim, at).expect("nothing is there");
            let upload = near.send_file(Uploading::from_bytes("x", "content")).await.expect("it is offered");
            let saved = offered(&far).await.1.save(Save::in_folder(folder.path()).replace()).await;
            assert_eq!(saved.is_ok(), comes, "{what}: {saved:?}");
            match saved {
                Ok(download) => {
                    download.finished().await.expect("it comes");
                    assert_eq!(folder.read("x"), b"content", "{what}");
                }
                Err(error) => assert!(matches!(error, Error::File(_)), "{what}: {error:?}"),
            }
            assert_eq!(upload.finished().await.is_ok(), comes, "{what}");
            assert_eq!(elsewhere.read("victim"), b"precious", "{what}");
            assert_eq!(elsewhere.names(), ["victim"], "{what}");
            for at in [&name, &partial] {
                let _ = fs::remove_file(at).or_else(|_| fs::remove_dir(at));
            }
        }
        world.part(near, far).await;
    }
    #[cfg(not(unix))]
    let _ = world;
}

/// F3.
async fn what_exists_is_left_alone_unless_asked(world: World) {
    let (near, far) = world.pair().await;
    let folder = Folder::new();
    folder.put("x", b"old");
    let upload = near.send_file(Uploading::from_bytes("x", "new")).await.expect("it is offered");
    let error = file_error(offered(&far).await.1.save_in(folder.path()).await);
    assert!(matches!(*error, FileError::Exists), "{error:?}");
    let told = upload.finished().await;
    assert!(matches!(told, Err(Error::Aborted(Code::EXISTS))), "{told:?}");
    assert_eq!((folder.read("x"), folder.names()), (b"old".to_vec(), vec!["x".into()]));

    let upload = near.send_file(Uploading::from_bytes("x", "new")).await.expect("it is offered");
    upload.pause().expect("it is not over");
    let download = offered(&far).await.1.save(Save::in_folder(folder.path()).replace()).await.expect("it may");
    assert_eq!(folder.read("x"), b"old", "until all of the other is there");
    upload.resume().expect("it is not over");
    download.finished().await.expect("it comes");
    assert_eq!((folder.read("x"), folder.names()), (b"new".to_vec(), vec!["x".into()]));
    upload.finished().await.expect("it is told");
    world.part(near, far).await;
}

/// F2, F3: between the look and the end.
async fn a_file_put_in_the_way_is_not_replaced(world: World) {
    let (near, far) = world.pair().await;
    let folder = Folder::new();
    let upload = near.send_file(Uploading::from_bytes("x", "content")).await.expect("it is offered");
    upload.pause().expect("it is not over");
    let download = offered(&far).await.1.save_in(folder.path()).await.expect("nothing is in the way");
    folder.put("x", b"rival");
    upload.resume().expect("it is not over");
    let error = file_error(download.finished().await);
    assert!(matches!(*error, FileError::Exists), "{error:?}");
    let told = upload.finished().await;
    assert!(matches!(told, Err(Error::Aborted(Code::EXISTS))), "{told:?}");
    assert_eq!(folder.read("x"), b"rival");
    assert_eq!(fs::read(folder.partial("x")).expect("what came is kept"), b"content");
    world.part(near, far).await;
}

/// F6.
async fn no_more_is_taken_than_is_wanted(world: World) {
    let (near, far) = world.pair().await;
    let (folder, content) = (Folder::new(), octets(1000, 1));
    let known = || Uploading::from_bytes("x", content.clone());
    let unknown = || Uploading::from_reader("x", Giving::new(content.clone(), 100));
    for (source, known, most, fine) in [
        (known(), true, 999, false),
        (unknown(), false, 999, false),
        (known(), true, 1000, true),
        (unknown(), false, 1000, true),
    ] {
        let sent = near.stats().sent.flow_octets;
        let upload = near.send_file(source).await.expect("it is offered");
        let saved = match offered(&far).await.1.save(Save::in_folder(folder.path()).max_size(most)).await {
            Ok(download) => download.finished().await,
            Err(error) => Err(error),
        };
        let told = upload.finished().await;
        if fine {
            assert_eq!((saved.expect("it comes"), folder.names()), (folder.at("x"), vec!["x".into()]));
            told.expect("it is told");
            fs::remove_file(folder.at("x")).expect("it is there");
        } else {
            let error = file_error(saved);
            assert!(matches!(*error, FileError::TooLarge { most: 999 }), "{error:?}");
            assert!(matches!(told, Err(Error::Aborted(Code::TOO_LARGE))), "{told:?}");
            assert!(folder.names().is_empty(), "{:?}", folder.names());
            assert!(!known || near.stats().sent.flow_octets == sent, "it was not even asked for");
        }
    }
    world.part(near, far).await;
}

/// F6.
async fn a_full_disk_is_told_at_both_ends(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&near, Router::new().on("echo", |text: String| async move { Ok(text) }));
    for (writer, code) in
        [(Failing(io::ErrorKind::StorageFull), Code::NO_SPACE), (Failing(io::ErrorKind::Other), Code::IO)]
    {
        let content = octets(world.much(300_000), 1);
        let upload = near.send_file(Uploading::from_bytes("x", content)).await.expect("it is offered");
        let download = offered(&far).await.1.write_to(writer).await.expect("it is asked for");
        let error = file_error(download.finished().await.map(|_| ()));
        assert_eq!(error.code(), code, "{error:?}");
        let told = upload.finished().await;
        assert!(matches!(told, Err(Error::Aborted(told)) if told == code), "{told:?}");
        still_works(&far).await;
    }
    #[cfg(target_os = "linux")]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("linux has it");
        let upload = near.send_file(Uploading::from_bytes("x", "content")).await.expect("it is offered");
        let download = offered(&far).await.1.write_to(Blocking(full)).await.expect("it is asked for");
        let error = file_error(download.finished().await.map(|_| ()));
        assert!(matches!(*error, FileError::Space(_)), "{error:?}");
        let told = upload.finished().await;
        assert!(matches!(told, Err(Error::Aborted(Code::NO_SPACE))), "{told:?}");
    }
    still_works(&far).await;
}

/// F9.
async fn ranges_outside_the_content_are_told_at_both_ends(world: World) {
    let (near, far) = world.pair().await;
    const LEN: u64 = 1000;
    let content = octets(LEN as usize, 1);
    let send = async || near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let wrong = [5..5, 0..0, 6..5, 0..LEN + 1, LEN..LEN + 1, LEN..LEN, u64::MAX - 1..u64::MAX, u64::MAX..0];
    for range in wrong.clone() {
        let upload = send().await;
        let error = file_error(offered(&far).await.1.range(range.clone()).read().await);
        assert!(matches!(*error, FileError::Range), "{range:?}: {error:?}");
        let told = upload.finished().await;
        assert!(matches!(told, Err(Error::Aborted(Code::BAD_RANGE))), "{range:?}: {told:?}");
    }
    let upload = send().await;
    let mut reader = offered(&far).await.1.range(0..10).read().await.expect("it is asked for");
    assert!(matches!(reader.range(20..30).await, Err(Error::Misuse(_))), "one after the other");
    read_file(&mut reader).await.expect("it comes");
    for range in wrong {
        file_error(reader.range(range).await);
    }
    reader.range(LEN - 1..LEN).await.expect("it may still ask for others");
    assert_eq!(read_file(&mut reader).await.expect("it comes"), content[LEN as usize - 1..]);
    drop(reader);
    upload.finished().await.expect("it is told");
    world.part(near, far).await;
}

async fn sources_that_change_are_not_passed_off_as_whole(world: World) {
    let (near, far) = world.pair().await;
    let (from, to) = (Folder::new(), Folder::new());
    let content = octets(world.much(600_000), 1);
    type Change = fn(&fs::File) -> io::Result<()>;
    let changes: [(&str, Change); 3] = [
        ("cut short", |file| file.set_len(10)),
        ("grown", |file| file.set_len(1 << 20)),
        ("written", |file| file.set_modified(std::time::SystemTime::UNIX_EPOCH)),
    ];
    for (what, change) in changes {
        let path = from.put("x", &content);
        let upload = near.send_file(&path).await.expect("it is offered");
        let (_, file) = offered(&far).await;
        change(&fs::File::options().write(true).open(path).expect("it is there")).expect("it can be changed");
        let download = file.save_in(to.path()).await.expect("it is asked for");
        let error = file_error(upload.finished().await);
        assert!(matches!(*error, FileError::Changed), "{what}: {error:?}");
        let told = download.finished().await;
        assert!(matches!(told, Err(Error::Aborted(Code::CHANGED))), "{what}: {told:?}");
        assert!(!to.names().contains(&"x".into()), "{what}");
    }
    let reader = |len: usize| Giving::new(content[..len].to_vec(), 1000);
    let len = content.len();
    for (what, source, code) in [
        ("too short", Uploading::from_reader("x", reader(len - 1)).size(len as u64), Code::CHANGED),
        ("broken", Uploading::from_reader("x", reader(len / 2).failing(io::ErrorKind::Other)), Code::IO),
        ("broken at once", Uploading::from_reader("x", reader(0).failing(io::ErrorKind::Other)), Code::IO),
    ] {
        let upload = near.send_file(source).await.expect("it is offered");
        let download = offered(&far).await.1.save(Save::in_folder(to.path())).await.expect("it is asked for");
        let error = file_error(upload.finished().await);
        assert_eq!(error.code(), code, "{what}: {error:?}");
        let told = download.finished().await;
        assert!(matches!(told, Err(Error::Aborted(told)) if told == code), "{what}: {told:?}");
        assert!(!to.names().contains(&"x".into()), "{what}");
    }
    // What is behind the size is not the file's.
    let source = Uploading::from_reader("y", reader(len)).size(len as u64 / 2);
    let upload = near.send_file(source).await.expect("it is offered");
    let download = offered(&far).await.1.save_in(to.path()).await.expect("it is asked for");
    download.finished().await.expect("it comes");
    upload.finished().await.expect("it is told");
    assert!(to.read("y") == content[..len / 2]);
    // What can't be opened is not even offered.
    for (path, kind) in [(from.at("missing"), Some(io::ErrorKind::NotFound)), (from.path().to_owned(), None)] {
        let error = file_error(near.send_file(path).await);
        match &*error {
            FileError::Io { source, .. } => assert_eq!(Some(source.kind()), kind),
            error => assert!(kind.is_none() && matches!(error, FileError::NotRegular), "{error:?}"),
        }
    }
    world.part(near, far).await;
}

async fn one_name_is_written_by_one_transfer(world: World) {
    let (near, far) = world.pair().await;
    let folder = Folder::new();
    let first = near.send_file(Uploading::from_bytes("x", "first")).await.expect("it is offered");
    first.pause().expect("it is not over");
    let coming = offered(&far).await.1.save_in(folder.path()).await.expect("nobody writes it");
    let second = near.send_file(Uploading::from_bytes("x", "second")).await.expect("it is offered");
    let error = file_error(offered(&far).await.1.save(Save::in_folder(folder.path()).replace().anew()).await);
    assert!(matches!(*error, FileError::Busy), "{error:?}");
    let told = second.finished().await;
    assert!(matches!(told, Err(Error::Aborted(Code::BUSY))), "{told:?}");
    first.resume().expect("it is not over");
    coming.finished().await.expect("it comes");
    first.finished().await.expect("it is told");
    assert_eq!((folder.read("x"), folder.names()), (b"first".to_vec(), vec!["x".into()]));
    world.part(near, far).await;
}

/// Takes nothing.
struct Failing(io::ErrorKind);

impl AsyncWrite for Failing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.0.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A file that is written to where it stands.
#[cfg(target_os = "linux")]
struct Blocking(fs::File);

#[cfg(target_os = "linux")]
impl AsyncWrite for Blocking {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Write::write(&mut self.0, octets))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(io::Write::flush(&mut self.0))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
