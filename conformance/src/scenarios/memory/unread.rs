//! A peer that does not read.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ropeway_driver::protocol::Action;
use ropeway_driver::protocol::wire::{self, Frame, Notice};
use ropeway_driver::{Address, Config, Error, Line, Runtime, Server, SocketOptions, Uploading};

use super::peer::{GREEDY, Peer};
use super::{Endless, Job, PIPE, SMALL, UNWRITTEN, is_pending, job, large, pour, warm};
use crate::heap;
use crate::scenarios::by_hand::turn;
use crate::scenarios::files_by_hand::Folder;
use crate::weather::pipe;

/// A task that sends, with its handles.
const TASK: usize = 2 * 1024;

/// Whoever sends waits, whatever is sent.
pub fn a_peer_that_does_not_read_stops_its_sender() {
    type Send = fn(Line, &'static str) -> Job;
    let notify: Send = |line, body| {
        job(async move {
            loop {
                line.notify(1, body).await?
            }
        })
    };
    let request: Send = |line, body| {
        job(async move {
            loop {
                line.request::<_, ()>(1, body).await?
            }
        })
    };
    let stream: Send = |line, body| job(pour(line, body));
    // What; how; how large each is, how many tasks send it, how often each task has it in memory.
    for (what, send, size, tasks, copies) in [
        ("small notices", notify, 64, 64, 0),
        ("notices of a frame", notify, 30_000, 64, 1),
        ("large notices", notify, 1 << 20, 8, 1),
        ("small requests", request, 64, 2000, 0),
        ("large requests", request, 1 << 20, 8, 1),
        ("streams", stream, 1 << 20, 64, 0),
    ] {
        let hand = warm();
        let (near, far) = pipe(PIPE);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        let body: &'static str = "x".repeat(size).leak();
        hand.run();
        let mark = heap::mark();
        let sending: Vec<_> = (0..tasks).map(|_| hand.start(send(line.clone(), body))).collect();
        hand.run();
        assert!(sending.iter().all(|sending| sending.done().is_none()), "{what}: they wait");
        let most = mark.peak();
        let bound = Config::DEFAULT.outbox + UNWRITTEN + tasks * (copies * size + TASK) + SMALL;
        assert!(most <= bound, "{what}: {most} octets, and {bound} are the most");
        drop(peer);
        hand.run();
        assert!(sending.iter().all(|sending| sending.done().is_some()), "{what}: they are told");
    }
}

/// Files wait as well, at what was read ahead of them.
pub fn files_to_a_peer_that_does_not_read_wait() {
    const FILES: u16 = 8;
    /// What is read at once of a file, and what is read ahead meanwhile.
    const AHEAD: usize = 2 * 256 * 1024;
    let folder = Folder::new();
    let path = folder.put("hole", b"");
    let made = fs::File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 30));
    made.expect("a hole takes no room");
    let path: fn(&Path) -> Uploading = |path| Uploading::from_path(path);
    let reader: fn(&Path) -> Uploading = |_| Uploading::from_reader("endless", Endless);
    for (what, source) in [("paths", path), ("readers", reader)] {
        let hand = warm();
        let (near, far) = pipe(PIPE);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let mut peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        let mark = heap::mark();
        let mut uploads = Vec::new();
        for flow in 0..FILES {
            uploads.push(hand.finish(line.send_file(source(&folder.at("hole")))).expect("it is offered"));
            let offer = peer.hear(|frame| matches!(frame, Frame::Offer(_)).then_some(()));
            hand.finish(offer).expect("it speaks").expect("it offers");
            let all = wire::Accept { flow, start: 0, end: None, prefix: None };
            peer.put(&Frame::Accept(all));
        }
        hand.finish(peer.say_octets(&[])).expect("it reads");
        hand.run();
        let bound = Config::DEFAULT.outbox + UNWRITTEN + usize::from(FILES) * (AHEAD + TASK) + SMALL;
        assert!(mark.peak() <= bound, "{what}: {} octets, and {bound} are the most", mark.peak());
        drop(peer);
        for upload in uploads {
            let told = hand.finish(upload.finished());
            assert!(matches!(told, Err(Error::Closed(_))), "{what}: {told:?}");
        }
    }
}

/// B13. A queue for each peer, and none that fills for another's sake: what does not fit is the application's to drop.
pub fn a_slow_reader_costs_its_own_queue_and_nobody_else() {
    const COUNT: usize = 20_000;
    let hand = warm();
    let (slow_near, slow_far) = pipe(PIPE);
    let (slow, _) = hand.server(slow_far, Config::DEFAULT);
    let _peer = hand.finish(Peer::greet(slow_near, GREEDY)).expect("it is greeted");
    let quick: Vec<_> = (0..3).map(|_| hand.lines(Config::DEFAULT, Config::DEFAULT)).collect();
    let taken = Arc::new(AtomicUsize::new(0));
    let taking: Vec<_> = quick.iter().map(|(client, _)| hand.start(count(client.clone(), taken.clone()))).collect();
    let body: &'static str = "x".repeat(200).leak();
    hand.run();
    let mark = heap::mark();
    let mut dropped = 0;
    for _ in 0..COUNT {
        for (_, server) in &quick {
            hand.finish(server.notify(1, body)).expect("it is sent");
        }
        hand.run();
        // Sent at once or not at all.
        if is_pending(slow.notify(1, body)) {
            dropped += 1;
        }
    }
    hand.run();
    assert_eq!(taken.load(Ordering::Relaxed), 3 * COUNT, "all of it, to everyone else");
    let queued = COUNT - dropped;
    let most = Config::DEFAULT.outbox + UNWRITTEN + PIPE;
    assert!(queued * body.len() <= most && queued * body.len() >= most / 2, "{queued} are queued");
    assert!(mark.peak() <= most + SMALL, "{} octets", mark.peak());
    drop(taking);
}

/// A peer on a socket does not read: its sender waits; and once the peer reads, all comes, in order.
pub async fn a_socket_that_is_not_read_stops_its_sender<R: Runtime + Default>(address: Address) {
    // More than a system keeps for a socket.
    const COUNT: usize = 60_000;
    let body = &large()[..256];
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = sent.clone();
    let server = Server::<R>::bind(address).on_line(move |line| {
        let sent = sending.clone();
        async move {
            for number in 0..COUNT {
                line.notify(number as u32, body).await?;
                sent.store(number + 1, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    let server = server.serve().await.expect("it listens");
    let connected = R::default().connect(server.address(), &SocketOptions::default()).await;
    let (stream, _) = connected.expect("it accepts");
    let mut peer = Peer::greet(stream, GREEDY).await.expect("it is greeted");
    let mark = heap::mark();
    let mut before = usize::MAX;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        for _ in 0..1000 {
            turn().await;
        }
    }
    assert!(before < COUNT, "it does not wait");
    for number in 0..COUNT {
        let notice = peer.hear(|frame| match frame {
            Frame::Notice(Notice { action, body }) => Some((action, body.bytes.len())),
            _ => None,
        });
        let notice = notice.await.expect("it speaks");
        assert_eq!(notice, Some((Action::Number(number as u32), body.len())));
    }
    let bound = Config::DEFAULT.outbox + UNWRITTEN + body.len() + SMALL;
    assert!(mark.peak() <= bound, "{} octets, and {bound} are the most", mark.peak());
}

/// Takes messages, and counts them.
async fn count(line: Line, taken: Arc<AtomicUsize>) {
    let mut messages = line.messages();
    while messages.next().await.is_some() {
        taken.fetch_add(1, Ordering::Relaxed);
    }
}
