//! Turns: who shares a line gets on, and nobody waits behind more than a piece of what is large.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures_io::AsyncRead;
use ropeway_driver::protocol::wire::Frame;
use ropeway_driver::{Code, Config, Failure, Message, Router, Uploading};

use super::by_hand::{
    Together, echo, in_the_clear, octets, polled, queue, read_stream, still_works, turn, until, write_stream,
};
use super::files_by_hand::{offered, read_file};
use super::memory::peer::{GREEDY, Peer};
use super::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{Side, World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    a_small_message_waits_for_no_more_than_a_piece if in_the_clear,
    streams_share_a_line_evenly,
    a_short_file_passes_a_long_one,
    a_short_body_passes_a_long_one,
    several_share_the_line_with_small_requests,
    a_file_lets_others_through if |transport| !transport.is_slow(),
    pings_pass_a_flood,
    a_flood_of_notices_starves_no_request,
    each_of_many_that_wait_for_room_gets_its_turn,
    who_waits_for_a_lane_comes_before_who_comes_later,
    who_waits_for_a_lane_is_served_in_order,
    who_waits_for_a_flow_is_served_in_order,
    a_slow_taker_keeps_none_from_another,
];

/// Of all that is under way only what is on the wire already, and a piece of a frame's size, goes before it.
async fn a_small_message_waits_for_no_more_than_a_piece(world: World) {
    const SMALL: u32 = 7;
    let (listener, address) = world.listen().await;
    let gate = world.gate_far();
    let (stream, _) = world.connect(&address).await;
    let (line, driver) = world.far_end(world.accept(&listener).await, patient());
    world.background(driver);
    let mut peer = Peer::greet(stream, GREEDY).await.expect("it is greeted");
    line.ready().await.expect("it is greeted");
    gate.shut(Way::Write);
    // Enough for all to be on their way when the small one comes, whoever has a turn first.
    let mut sides: Vec<Side<()>> = Vec::new();
    for number in 0..3 {
        let large = line.clone();
        sides.push(world.spawn(async move { drop(large.notify("large", &octets(300_000, number)).await) }));
        let large = line.clone();
        sides.push(world.spawn(async move {
            if let Ok(mut writer) = large.open("stream", &()).notify_stream().await {
                let _ = writer.send(&octets(300_000, number)).await;
                writer.cancel(Code::CANCELLED);
            }
        }));
    }
    gate.held(Way::Write).await;
    for _ in 0..200 {
        turn().await;
    }
    let mut small = Box::pin(line.notify(SMALL, "small"));
    assert!(polled(small.as_mut()).await.is_ready(), "there is room for it");
    gate.open(Way::Write);
    let mut before = 0;
    let heard = peer.hear(|frame| match frame {
        Frame::Notice(notice) => (notice.action == ropeway_driver::protocol::Action::Number(SMALL)).then_some(()),
        Frame::Open(open) => {
            before += open.body.bytes.len();
            None
        }
        Frame::Body(piece) => {
            before += piece.bytes.len();
            None
        }
        Frame::Data { bytes, .. } => {
            before += bytes.len();
            None
        }
        _ => None,
    });
    heard.await.expect("it speaks").expect("it is said");
    // A frame that the transport has been given, one behind it, and beginnings that are no larger than what is small.
    let most = 2 * GREEDY.frame as usize + 6 * 4096;
    assert!(before <= most, "{before} octets went before it");
    let (mut behind, enough) = (0, if world.transport().is_slow() { 3 } else { 20 });
    let more = peer.hear(|frame| {
        behind += usize::from(matches!(frame, Frame::Body(_) | Frame::Data { .. }));
        (behind == enough).then_some(())
    });
    more.await.expect("it speaks").expect("the others go on");
    line.cut();
    for side in sides {
        side.await;
    }
}

/// Octets without end, before it is wanted. What waits for others waits for ever if these leave no room for them.
#[derive(Clone, Default)]
struct Endless(Arc<AtomicBool>);

impl Endless {
    fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl AsyncRead for Endless {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        out.fill(7);
        Poll::Ready(Ok(if self.0.load(Ordering::Relaxed) { 0 } else { out.len() }))
    }
}

/// Small frames and little credit, so that turns are many: what goes over the line in all of each.
fn in_turns(world: &World) -> (Config, usize) {
    let len = if world.transport().is_slow() { 8_000 } else { 200_000 };
    let mut config = patient();
    config.protocol.max_frame = len as u32 / 100;
    config.protocol.flow_credit = len as u64 / 40;
    config.protocol.lane_credit = len as u64 / 40;
    (config, len)
}

async fn streams_share_a_line_evenly(world: World) {
    let (config, len) = in_turns(&world);
    let (near, far) = world.pair_with(config.clone(), config).await;
    let came: Arc<[AtomicUsize]> = (0..4).map(|_| AtomicUsize::new(0)).collect();
    let (mut sides, mut messages) = (Together::default(), far.messages());
    for number in 0..came.len() {
        let writer = near.open("any", &()).notify_stream().await.expect("the line is up");
        sides.add(async move { write_stream(writer, &octets(len, 1)).await.expect("it is read") });
        let mut message = messages.next().await.expect("it comes");
        let mut reader = message.stream().await.expect("it brings one");
        let came = came.clone();
        sides.add(async move {
            while let Some(chunk) = reader.chunk().await.expect("it is complete") {
                came[number].fetch_add(chunk.len(), Ordering::Relaxed);
                let all = came.iter().map(|came| came.load(Ordering::Relaxed));
                if all.clone().max() == Some(len) && all.clone().filter(|came| *came == len).count() == 1 {
                    // A task may be late, but none is left out.
                    assert!(all.clone().all(|came| came >= len / 2), "of {len} octets each: {came:?}");
                }
            }
        });
    }
    sides.done().await;
    drop(messages);
    world.part(near, far).await;
}

async fn a_short_file_passes_a_long_one(world: World) {
    let (config, len) = in_turns(&world);
    let (near, far) = world.pair_with(config.clone(), config).await;
    let send = async |file: Uploading| {
        let upload = near.send_file(file).await.expect("it is offered");
        let mut reader = offered(&far).await.1.read().await.expect("it is asked for");
        let taking = world.spawn(async move { read_file(&mut reader).await.expect("it comes").len() });
        (upload, taking)
    };
    let endless = Endless::default();
    let (long, taking_long) = send(Uploading::from_reader("long", endless.clone())).await;
    until(|| far.stats().received.flow_octets > 0).await;
    for number in 0..3 {
        let len = len / 20 + number;
        let (short, taking) = send(Uploading::from_bytes("short", octets(len, number))).await;
        assert_eq!(taking.await, len);
        short.finished().await.expect("it is told");
    }
    endless.end();
    assert!(taking_long.await > 0);
    long.finished().await.expect("it is told");
    world.part(near, far).await;
}

async fn a_short_body_passes_a_long_one(world: World) {
    let (config, len) = in_turns(&world);
    let (near, far) = world.pair_with(config.clone(), config).await;
    let (mut messages, mut sides) = (far.messages(), Together::default());
    let say = |len| {
        let line = near.clone();
        let mut saying = Box::pin(async move { line.notify("any", &octets(len, len)).await.expect("it is taken") });
        let polled = saying.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "it is larger than a frame");
        saying
    };
    let (give, take) = queue();
    let hear = move |mut message: Message| {
        let give = give.clone();
        async move { give.put(message.decode::<Vec<u8>>().await.expect("it is whole")) }
    };
    // Nobody has taken any of the long one before the short one is on its way.
    let saying = say(6 * len);
    let long = messages.next().await.expect("it comes");
    sides.add(saying);
    sides.add(say(len / 20));
    sides.add(hear(long));
    let hearing = async move { hear(messages.next().await.expect("it comes")).await };
    sides.add(hearing);
    sides.done().await;
    for len in [len / 20, 6 * len] {
        assert!(take.next().await == octets(len, len), "a hundred times as much was there first");
    }
    world.part(near, far).await;
}

async fn reverse(mut body: Vec<u8>) -> Result<bytes::Bytes, Failure> {
    body.reverse();
    Ok(body.into())
}

async fn several_share_the_line_with_small_requests(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", echo).on("reverse", reverse));
    let large = world.much(500_000);
    let sides: Vec<_> = (0..4)
        .map(|seed| {
            let line = near.clone();
            world.spawn(async move {
                let mut body = octets(large + seed * 1000, seed);
                let reversed: Vec<u8> = line.request("reverse", &body).await.expect("it is answered");
                body.reverse();
                assert!(reversed == body, "what came back is not what was sent");
            })
        })
        .collect();
    let line = near.clone();
    let small = world.spawn(async move {
        for _ in 0..100 {
            still_works(&line).await;
        }
    });
    for side in sides {
        side.await;
    }
    small.await;
    world.part(near, far).await;
}

/// A ping and a request come back while a file is under way, again and again.
async fn a_file_lets_others_through(world: World) {
    const OFTEN: usize = 20;
    let (near, far) = world.pair().await;
    let endless = Endless::default();
    let upload = near.send_file(Uploading::from_reader("f", endless.clone())).await.expect("it is offered");
    let (_, file) = offered(&far).await;
    let (back, asked) = (Arc::new(AtomicUsize::new(0)), far.clone());
    let answered = world.spawn(async move {
        let mut messages = asked.messages();
        while let Some(message) = messages.next().await {
            // The line may be cut by now.
            let _ = message.answer("here").await;
        }
    });
    for (number, line) in [near.clone(), far.clone()].into_iter().enumerate() {
        let (back, endless) = (back.clone(), endless.clone());
        world.background(async move {
            while line.ping().await.is_ok() {
                if number == 0 && line.request::<_, String>("there?", &()).await.is_ok() {
                    let often = back.fetch_add(1, Ordering::Relaxed);
                    if often == OFTEN {
                        endless.end();
                    }
                }
            }
        });
    }
    let mut reader = file.read().await.expect("it is asked for");
    while reader.chunk().await.expect("it comes").is_some() {}
    upload.finished().await.expect("it is told");
    assert!(back.load(Ordering::Relaxed) > OFTEN);
    near.cut();
    answered.await;
}

/// A handler that reads a stream to its end.
async fn drain(mut message: Message) -> Result<(), Failure> {
    let mut stream = message.stream().await?;
    while stream.chunk().await?.is_some() {}
    Ok(message.answer(&()).await?)
}

async fn pings_pass_a_flood(world: World) {
    let config = if world.transport().is_slow() { tight() } else { patient() };
    let (near, far) = world.pair_with(config.clone(), config).await;
    let (back, pinged) = queue();
    world.serve(&far, Router::new().on_message("drain", drain));
    let (writer, reader) = near.open("drain", &()).into_stream().await.expect("the line is up");
    let (mut writer, much) = (writer, world.much(1_000_000));
    let flood = world.spawn(async move {
        // It ends when the pings are back.
        while pinged.is_empty() {
            writer.send(&octets(much, 1)).await.expect("it is read");
        }
        writer.finish().await
    });
    until(|| near.stats().sent.flow_octets > 0).await;
    for _ in 0..3 {
        near.ping().await.expect("the line is up");
        far.ping().await.expect("the line is up");
    }
    assert!(!flood.is_done(), "there was no flood");
    back.put(());
    flood.await.expect("it was read");
    drop(reader);
    world.part(near, far).await;
}

/// Neither of who floods nor of who is flooded.
async fn a_flood_of_notices_starves_no_request(world: World) {
    let (near, far) = world.pair_with(tight(), tight()).await;
    for line in [&near, &far] {
        world.serve(line, Router::new().on("echo", echo).on("note", |_: bytes::Bytes| async { Ok(()) }));
    }
    let (line, enough) = (near.clone(), Arc::new(AtomicBool::new(false)));
    let over = enough.clone();
    let flood = world.spawn(async move {
        let mut said = 0;
        while !over.load(Ordering::Relaxed) || said < 20 {
            line.notify("note", &octets(500, 1)).await.expect("the line is up");
            said += 1;
        }
        said
    });
    until(|| far.stats().received.notices > 0).await;
    let rounds = if world.transport().is_slow() { 5 } else { 20 };
    for _ in 0..rounds {
        still_works(&near).await;
        still_works(&far).await;
    }
    enough.store(true, Ordering::Relaxed);
    assert!(flood.await >= 20);
    world.part(near, far).await;
}

async fn each_of_many_that_wait_for_room_gets_its_turn(world: World) {
    let mut config = patient();
    config.outbox = 4096;
    config.lanes = 4;
    config.flows = 2;
    let gate = world.gate_near();
    let (near, far) = world.pair_with(config, patient()).await;
    let router = Router::new().on("echo", echo).on("size", |body: Vec<u8>| async move { Ok(body.len() as u64) });
    world.serve(&far, router.on_message("drain", drain));
    gate.shut(Way::Write);
    let mut sides = Vec::new();
    for number in 0..10usize {
        let line = near.clone();
        sides
            .push(world.spawn(async move { line.notify("size", &octets(900, number)).await.expect("its turn comes") }));
        let line = near.clone();
        sides.push(world.spawn(async move { still_works(&line).await }));
        let line = near.clone();
        sides.push(world.spawn(async move {
            let size: u64 = line.request("size", &octets(20_000 + number, number)).await.expect("its turn comes");
            assert_eq!(size, 20_000 + number as u64);
        }));
        let line = near.clone();
        sides.push(world.spawn(async move {
            let (writer, reader) = line.open("drain", &()).into_stream().await.expect("its turn comes");
            write_stream(writer, &octets(10_000, number)).await.expect("it is read");
            drop(reader);
        }));
    }
    gate.held(Way::Write).await;
    gate.open(Way::Write);
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn who_waits_for_a_lane_comes_before_who_comes_later(world: World) {
    let mut config = patient();
    config.lanes = 1;
    let (near, far) = world.pair_with(config.clone(), config).await;
    world.serve(&far, Router::new().on("echo", |text: String| async { Ok(text) }));
    let stop = Arc::new(AtomicBool::new(false));
    let (line, stopped) = (near.clone(), stop.clone());
    let greedy = world.spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            let _: String = line.request("echo", "again").await.expect("the line is up");
        }
    });
    for _ in 0..20 {
        let _: String = near.request("echo", "please").await.expect("its turn comes");
    }
    stop.store(true, Ordering::Relaxed);
    greedy.await;
    world.part(near, far).await;
}

async fn who_waits_for_a_lane_is_served_in_order(world: World) {
    let mut config = patient();
    config.lanes = 1;
    let (near, far) = world.pair_with(patient(), config).await;
    let mut asking = Together::default();
    for number in 0..MANY {
        let line = near.clone();
        asking.add(async move { assert_eq!(line.ask("any", &number).await.expect("its turn comes"), Code::OK) });
    }
    let asking = world.spawn(asking.done());
    let mut messages = far.messages();
    for number in 0..MANY {
        let mut message = messages.next().await.expect("it comes");
        assert_eq!(message.decode::<usize>().await.expect("a number"), number);
        message.code(Code::OK);
    }
    asking.await;
    drop(messages);
    world.part(near, far).await;
}

async fn who_waits_for_a_flow_is_served_in_order(world: World) {
    let mut config = patient();
    config.flows = 1;
    let (near, far) = world.pair_with(patient(), config).await;
    let mut opening = Together::default();
    for number in 0..MANY {
        let line = near.clone();
        opening.add(async move {
            let writer = line.open("any", &number).notify_stream().await.expect("its turn comes");
            write_stream(writer, &octets(100, 1)).await.expect("it is read");
        });
    }
    let opening = world.spawn(opening.done());
    let (give, take) = queue();
    let (mut messages, mut readers) = (far.messages(), Together::default());
    for _ in 0..MANY {
        let (mut message, give) = (messages.next().await.expect("it comes"), give.clone());
        readers.add(async move {
            let number: usize = message.decode().await.expect("a number");
            let mut stream = message.stream().await.expect("it brings one");
            give.put(number);
            read_stream(&mut stream).await.expect("it is complete");
        });
    }
    let readers = world.spawn(readers.done());
    // Readers are woken in the order of the offers; who has come first is put first.
    for number in 0..MANY {
        assert_eq!(take.next().await, number);
    }
    readers.await;
    opening.await;
    drop(messages);
    world.part(near, far).await;
}

/// Tasks that wait for the same thing.
const MANY: usize = 30;

async fn a_slow_taker_keeps_none_from_another(world: World) {
    let (near, far) = world.pair().await;
    for number in 0..3u32 {
        near.notify("any", &number).await.expect("the line is up");
    }
    until(|| far.stats().received.notices == 3).await;
    let (mut slow, mut quick) = (far.messages(), far.messages());
    let mut first = slow.next().await.expect("it comes");
    assert_eq!(first.decode::<u32>().await.expect("a number"), 0);
    for number in 1..3 {
        let mut message = quick.next().await.expect("it comes");
        assert_eq!(message.decode::<u32>().await.expect("a number"), number);
    }
    drop((slow, quick));
    world.part(near, far).await;
}
