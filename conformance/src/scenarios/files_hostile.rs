//! Files from peers that mean no good, over folders that others have been in before.

use std::fs;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;
use ropeway_driver::core::wire::{self, Body, Frame, Kind, Open};
use ropeway_driver::core::{self, PeerError, Side};
use ropeway_driver::{Code, Error, FileError, Line, Reason, Save, Server, Source, Uploading, printable};

use super::by_hand::{octets, still_works, until};
use super::files_by_hand::{Folder, Giving, file_error, offered, read_file};
use super::memory::peer::{GREEDY, Peer};
use super::{Scenario, scenarios};
use crate::lab::{Duplex, Lab};
use crate::world::World;

pub(super) const LIST: &[Scenario] = scenarios![
    names_that_lead_elsewhere_make_no_file,
    nothing_is_written_through_a_link,
    what_exists_is_left_alone_unless_asked,
    a_file_put_in_the_way_is_not_replaced,
    no_more_is_taken_than_is_wanted,
    a_full_disk_is_told_at_both_ends,
    ranges_outside_the_content_are_refused_at_both_ends,
    sources_that_change_are_not_passed_off_as_whole,
    one_name_is_written_by_one_transfer,
    lies_are_not_published,
    senders_that_break_the_rules_are_gone,
    an_announced_size_takes_no_room,
    a_partial_file_of_a_lost_sender_is_continued,
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
        type Trap = fn(&std::path::Path, &std::path::Path) -> io::Result<()>;
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
    world.serve(&near, ropeway_driver::Router::new().on("echo", |text: String| async move { Ok(text) }));
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
async fn ranges_outside_the_content_are_refused_at_both_ends(world: World) {
    let (near, far) = world.pair().await;
    const LEN: u64 = 1000;
    let content = octets(LEN as usize, 1);
    let send = async || near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let wrong = [5..5, 0..0, 6..5, 0..LEN + 1, LEN..LEN + 1, LEN..LEN, u64::MAX - 1..u64::MAX, u64::MAX..0];
    for range in wrong.clone() {
        let upload = send().await;
        let error = file_error(offered(&far).await.1.read_range(range.clone()).await);
        assert!(matches!(*error, FileError::Range), "{range:?}: {error:?}");
        let told = upload.finished().await;
        assert!(matches!(told, Err(Error::Aborted(Code::BAD_RANGE))), "{range:?}: {told:?}");
    }
    let upload = send().await;
    let mut reader = offered(&far).await.1.read_range(0..10).await.expect("it is asked for");
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

    // A peer that asks all the same.
    for (start, end, breaks) in [
        (LEN + 1, None, false),
        (u64::MAX, None, false),
        (0, Some(LEN + 1), false),
        (LEN, Some(LEN + 1), false),
        (5, Some(5), true),
        (6, Some(5), true),
        (u64::MAX, Some(0), true),
    ] {
        let (server, mut peer, line) = stranger(&world).await;
        let upload = line.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
        let flow = peer.hear(|frame| if let Frame::Offer(offer) = frame { Some(offer.flow) } else { None }).await;
        let flow = flow.expect("it speaks").expect("it offers");
        let accept = Frame::Accept(wire::Accept { flow, start, end, prefix: None });
        peer.say(&accept).await.expect("it reads");
        let code = peer.hear(|frame| match frame {
            Frame::Cancel { code, .. } => Some((false, code.value())),
            Frame::Close(close) => Some((true, close.code.value())),
            _ => None,
        });
        let code = code.await.expect("it speaks").expect("it answers");
        if breaks {
            assert_eq!(code, (true, PeerError::Range.code().value()), "{start} {end:?}");
        } else {
            assert_eq!(code, (false, Code::BAD_RANGE.value()), "{start} {end:?}");
            peer.say(&Frame::Done { flow, code: Code::BAD_RANGE }).await.expect("it reads");
        }
        let told = upload.finished().await;
        assert!(told.is_err(), "{start} {end:?}");
        drop(server);
    }
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

/// F11.
async fn lies_are_not_published(world: World) {
    let content = octets(world.much(100_000), 1);
    let wrong = Some([7; 32]);
    for target in ["folder", "writer", "reader", "range"] {
        let folder = Folder::new();
        let (_server, mut peer, line) = stranger(&world).await;
        offer(&mut peer, Some(content.len() as u64)).await;
        let (_, file) = offered(&line).await;
        let receiving = {
            let (path, len) = (folder.path().to_owned(), content.len() as u64);
            world.spawn(async move {
                match target {
                    "folder" => file.save_in(path).await?.finished().await.map(|_| ()),
                    "writer" => file.write_to(Vec::new()).await?.finished().await.map(|_| ()),
                    "reader" => read_file(&mut file.read().await?).await.map(|_| ()),
                    _ => read_file(&mut file.read_range(0..len).await?).await.map(|_| ()),
                }
            })
        };
        accepted(&mut peer).await;
        peer.say(&Frame::Begin { flow: 0, start: 0 }).await.expect("it reads");
        data(&mut peer, &content).await;
        peer.say(&Frame::Finish { flow: 0, digest: wrong }).await.expect("it reads");
        let error = file_error(receiving.await);
        assert!(matches!(*error, FileError::Digest), "{target}: {error:?}");
        let code = peer.hear(|frame| if let Frame::Done { code, .. } = frame { Some(code) } else { None }).await;
        assert_eq!(code.expect("it speaks"), Some(Code::DIGEST), "{target}");
        assert!(folder.names().is_empty(), "{target}: {:?}", folder.names());
        assert!(!line.is_over(), "{target}: a wrong digest is no breach of the protocol");
    }
}

/// F7, B6.
async fn senders_that_break_the_rules_are_gone(world: World) {
    const SIZE: u64 = 1000;
    let begin = |start| Frame::Begin { flow: 0, start };
    let (some, all) = (&[7; 500][..], &[7; 1000][..]);
    let piece = |bytes| Frame::Data { flow: 0, bytes };
    let finish = Frame::Finish { flow: 0, digest: None };
    for (what, frames, error, kept) in [
        ("more than there is", &[begin(0), piece(all), piece(b"x")][..], PeerError::Range, 1000),
        ("less than there is", &[begin(0), piece(some), finish], PeerError::Range, 500),
        ("from elsewhere", &[begin(1)], PeerError::Range, 0),
        ("before the beginning", &[piece(some)], PeerError::Unexpected(13), 0),
        (
            "nothing, at length",
            &[begin(0), piece(some), Frame::Data { flow: 0, bytes: b"" }],
            PeerError::EmptyFragment,
            500,
        ),
        ("behind the end", &[begin(0), piece(all), finish, piece(b"x")], PeerError::Unexpected(13), 1000),
    ] {
        let folder = Folder::new();
        let (_server, mut peer, line) = stranger(&world).await;
        offer(&mut peer, Some(SIZE)).await;
        let (_, file) = offered(&line).await;
        let download = file.save_in(folder.path()).await.expect("it is asked for");
        accepted(&mut peer).await;
        for frame in frames {
            peer.say(frame).await.expect("it reads");
        }
        let ended = line.ended().await;
        assert_eq!(ended.reason, Reason::PeerError(error), "{what}");
        let told = download.finished().await;
        if what != "behind the end" {
            assert!(matches!(told, Err(Error::Closed(_))), "{what}: {told:?}");
            let there = fs::metadata(folder.partial("x")).map_or(0, |found| found.len());
            assert_eq!(there, kept, "{what}: what came rightly is kept");
            assert!(!folder.names().contains(&"x".into()), "{what}");
        }
    }
    // As much as it likes, of what nobody takes.
    let (_server, mut peer, line) = stranger(&world).await;
    offer(&mut peer, None).await;
    let (_message, file) = offered(&line).await;
    let _reader = file.read().await.expect("it is asked for");
    accepted(&mut peer).await;
    peer.say(&begin(0)).await.expect("it reads");
    for _ in 0..=crate::world::patient().protocol.flow_credit / 1000 {
        if peer.say(&piece(all)).await.is_err() {
            break;
        }
    }
    assert_eq!(line.ended().await.reason, Reason::PeerError(PeerError::Credit));
}

/// F6.
async fn an_announced_size_takes_no_room(world: World) {
    let folder = Folder::new();
    let (_server, mut peer, line) = stranger(&world).await;
    offer(&mut peer, Some(1 << 62)).await;
    let (_, file) = offered(&line).await;
    assert_eq!(file.size(), Some(1 << 62));
    let download = file.save_in(folder.path()).await.expect("nobody said how much is too much");
    accepted(&mut peer).await;
    peer.say(&Frame::Begin { flow: 0, start: 0 }).await.expect("it reads");
    data(&mut peer, b"a little").await;
    peer.say(&Frame::Cancel { flow: 0, code: Code::IO }).await.expect("it reads");
    let told = download.finished().await;
    assert!(matches!(told, Err(Error::Aborted(Code::IO))), "{told:?}");
    assert!(fs::metadata(folder.partial("x")).map_or(0, |found| found.len()) <= 8);
}

async fn a_partial_file_of_a_lost_sender_is_continued(world: World) {
    let folder = Folder::new();
    let content = octets(world.much(200_000), 1);
    let half = content.len() / 2;
    {
        let (_server, mut peer, line) = stranger(&world).await;
        offer(&mut peer, Some(content.len() as u64)).await;
        let download = offered(&line).await.1.save_in(folder.path()).await.expect("it is asked for");
        accepted(&mut peer).await;
        peer.say(&Frame::Begin { flow: 0, start: 0 }).await.expect("it reads");
        data(&mut peer, &content[..half]).await;
        drop(peer);
        assert!(matches!(download.finished().await, Err(Error::Closed(_))));
        assert!(fs::read(folder.partial("x")).expect("it is kept") == content[..half]);
    }
    // Asked for from there on, with the digest of what is there; and the whole is what counts in the end.
    let source = Source::from(bytes::Bytes::from(content.clone()));
    let [prefix, whole] = [half, content.len()].map(|end| source.digest_of(0..end as u64).expect("within"));
    for (rest, digest, fine) in [(content[half..].to_vec(), whole, true), (vec![7; content.len() - half], whole, false)]
    {
        folder.put(".ropeway-x.part", &content[..half]);
        let (_server, mut peer, line) = stranger(&world).await;
        offer(&mut peer, Some(content.len() as u64)).await;
        let download = offered(&line).await.1.save_in(folder.path()).await.expect("it is asked for");
        let accept = accepted(&mut peer).await;
        assert_eq!((accept.start, accept.prefix), (half as u64, Some(prefix)));
        peer.say(&Frame::Begin { flow: 0, start: half as u64 }).await.expect("it reads");
        data(&mut peer, &rest).await;
        peer.say(&Frame::Finish { flow: 0, digest: Some(digest) }).await.expect("it reads");
        match download.finished().await {
            Ok(path) => {
                assert!(fine && fs::read(&path).expect("it is there") == content);
                fs::remove_file(path).expect("it is there");
            }
            Err(Error::File(error)) => assert!(!fine && matches!(*error, FileError::Digest), "{error:?}"),
            Err(error) => panic!("{error:?}"),
        }
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }
}

// ---- a peer by hand

/// A server, a peer that it takes for a client, and the server's line to it.
async fn stranger(world: &World) -> (Server<Lab>, Peer<Duplex>, Line) {
    let server = world.server().serve().await.expect("it listens");
    let (stream, _) = world.connect(server.address()).await;
    let peer = Peer::greet(stream, GREEDY).await.expect("it is greeted");
    until(|| !server.lines().is_empty()).await;
    let line = server.lines().swap_remove(0);
    (server, peer, line)
}

/// Offers the file `x` as flow 0, with a notice.
async fn offer(peer: &mut Peer<Duplex>, size: Option<u64>) {
    let body = Body { kind: Kind::None, bytes: &[][..] };
    let action = core::Action::Number(1);
    let open = Open { lane: 0, action, body, wants_answer: false, timeout: None, size: None, attached: 1 };
    let offer = wire::Offer { flow: 0, side: Side::Us, lane: 0, push: false, size, media: "", name: "x" };
    for frame in [Frame::Open(open), Frame::Offer(offer)] {
        peer.say(&frame).await.expect("it reads");
    }
}

/// What is asked for.
async fn accepted(peer: &mut Peer<Duplex>) -> wire::Accept {
    let accept = peer.hear(|frame| if let Frame::Accept(accept) = frame { Some(accept) } else { None });
    accept.await.expect("it speaks").expect("it asks")
}

async fn data(peer: &mut Peer<Duplex>, octets: &[u8]) {
    for bytes in octets.chunks(10_000) {
        peer.say(&Frame::Data { flow: 0, bytes }).await.expect("it reads");
    }
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
