//! Senders and receivers of files that are written by hand, frame by frame, and keep to no rule.

use std::fs;

use bytes::Bytes;
use ropeway_driver::protocol::wire::{self, Body, Frame, Kind, Open};
use ropeway_driver::protocol::{self, PeerError, Side};
use ropeway_driver::{Code, Config, Error, FileError, Line, Reason, Server, Source, Uploading};

use super::by_hand::{in_the_clear, octets, until};
use super::files_by_hand::{Folder, file_error, offered, read_file};
use super::memory::peer::{GREEDY, Peer};
use super::{Scenario, scenarios};
use crate::lab::{Duplex, Lab};
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    lies_are_not_published if in_the_clear,
    senders_that_break_the_rules_are_gone if in_the_clear,
    an_announced_size_takes_no_room if in_the_clear,
    a_partial_file_of_a_lost_sender_is_continued if in_the_clear,
    ranges_that_are_not_there_are_refused if in_the_clear,
    a_range_is_published_if_it_is_what_its_digest_says if in_the_clear,
];

/// F11.
async fn lies_are_not_published(world: World) {
    let content = octets(world.much(100_000), 1);
    let targets = ["folder", "writer", "reader", "range"];
    // Without a digest nothing can be verified, so that is no better than a wrong one; unless the receiver says otherwise.
    let lies = [(Some([7; 32]), false), (Some([7; 32]), true), (None, false), (None, true)];
    for (target, (digest, unverified)) in targets.into_iter().flat_map(|target| lies.map(|lie| (target, lie))) {
        let folder = Folder::new();
        let (_server, mut peer, line) = stranger(&world).await;
        offer(&mut peer, Some(content.len() as u64)).await;
        let (_, mut file) = offered(&line).await;
        if unverified {
            file = file.unverified();
        }
        let receiving = {
            let (path, len) = (folder.path().to_owned(), content.len() as u64);
            world.spawn(async move {
                match target {
                    "folder" => file.save_in(path).await?.finished().await.map(|_| ()),
                    "writer" => file.write_to(Vec::new()).await?.finished().await.map(|_| ()),
                    "reader" => read_file(&mut file.read().await?).await.map(|_| ()),
                    _ => read_file(&mut file.range(0..len).read().await?).await.map(|_| ()),
                }
            })
        };
        accepted(&mut peer).await;
        peer.say(&Frame::Begin { flow: 0, start: 0 }).await.expect("it reads");
        data(&mut peer, &content).await;
        peer.say(&Frame::Finish { flow: 0, digest }).await.expect("it reads");
        let (received, taken) = (receiving.await, unverified && digest.is_none());
        if taken {
            received.expect("it is taken as it is");
        } else {
            let error = file_error(received);
            assert!(matches!(*error, FileError::Digest), "{target}: {error:?}");
        }
        let code = peer.hear(|frame| if let Frame::Done { code, .. } = frame { Some(code) } else { None }).await;
        assert_eq!(code.expect("it speaks"), Some(if taken { Code::OK } else { Code::DIGEST }), "{target}");
        let published: Vec<String> = if taken && target == "folder" { vec!["x".into()] } else { vec![] };
        assert_eq!(folder.names(), published, "{target}");
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
    let (_server, mut peer, line) = stranger_to(&world, tight()).await;
    offer(&mut peer, None).await;
    let (_message, file) = offered(&line).await;
    let _reader = file.read().await.expect("it is asked for");
    accepted(&mut peer).await;
    peer.say(&begin(0)).await.expect("it reads");
    for _ in 0..=tight().protocol.flow_credit / 1000 {
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
    let source = Source::from(Bytes::from(content.clone()));
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

/// F9.
async fn ranges_that_are_not_there_are_refused(world: World) {
    const LEN: u64 = 1000;
    let content = octets(LEN as usize, 1);
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

async fn a_range_is_published_if_it_is_what_its_digest_says(world: World) {
    let (folder, content) = (Folder::new(), octets(1000, 1));
    let source = Source::from(Bytes::from(content.clone()));
    let digest = |start, end| Some(source.digest_of(start..end).expect("within"));
    // Where the sender begins: one that can't go to the start gives all before it, too.
    for (start, digest, fine) in [
        (10, digest(10, 20), true),
        (0, digest(0, 20), true),
        (10, digest(11, 20), false),
        (10, None, false),
        (0, digest(10, 20), false),
    ] {
        let (_server, mut peer, line) = stranger(&world).await;
        offer(&mut peer, Some(1000)).await;
        let download = offered(&line).await.1.range(10..20).save_in(folder.path()).await.expect("it is asked for");
        let accept = accepted(&mut peer).await;
        assert_eq!((accept.start, accept.end, accept.prefix), (10, Some(20), None));
        peer.say(&Frame::Begin { flow: 0, start }).await.expect("it reads");
        data(&mut peer, &content[start as usize..20]).await;
        peer.say(&Frame::Finish { flow: 0, digest }).await.expect("it reads");
        match download.finished().await {
            Ok(path) => {
                assert!(fine && fs::read(&path).expect("it is there") == content[10..20], "{start} {digest:?}");
                fs::remove_file(path).expect("it is there");
            }
            Err(Error::File(error)) => assert!(!fine && matches!(*error, FileError::Digest), "{error:?}"),
            Err(error) => panic!("{error:?}"),
        }
        assert!(!folder.names().contains(&"x".into()), "{:?}", folder.names());
    }
}

// ---- a peer by hand

/// A server, a peer that it takes for a client, and the server's line to it.
async fn stranger(world: &World) -> (Server<Lab>, Peer<Duplex>, Line) {
    stranger_to(world, patient()).await
}

/// The same with a server of these settings.
async fn stranger_to(world: &World, config: Config) -> (Server<Lab>, Peer<Duplex>, Line) {
    let server = world.server().config(config).serve().await.expect("it listens");
    let (stream, _) = world.connect(server.address()).await;
    let peer = Peer::greet(stream, GREEDY).await.expect("it is greeted");
    until(|| !server.lines().is_empty()).await;
    let line = server.lines().swap_remove(0);
    (server, peer, line)
}

/// Offers the file `x` as flow 0, with a notice.
async fn offer(peer: &mut Peer<Duplex>, size: Option<u64>) {
    let body = Body { kind: Kind::None, bytes: &[][..] };
    let action = protocol::Action::Number(1);
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
