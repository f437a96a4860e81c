//! How long a request waits.

use std::fmt::Debug;
use std::time::Duration;

use ropeway_driver::{Code, Error, Router, Uploading};

use super::by_hand::{echo, octets, still_works, turn, until};
use super::files_by_hand::offered;
use super::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{Side, World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    a_request_without_a_sign_of_life_times_out,
    a_request_has_a_timeout_of_its_own,
    a_request_has_all_its_time_however_long_nothing_happened,
    an_update_prolongs_it,
    an_answer_prolongs_it_for_the_next,
    a_stream_that_is_written_prolongs_it,
    a_stream_that_comes_prolongs_it,
    a_file_that_is_taken_slowly_prolongs_it,
    a_stream_that_rests_does_not,
    none_waits_for_ever,
    it_passes_though_the_peer_does_not_read,
    a_late_answer_is_dropped,
    the_bindings_own_clock_keeps_it,
];

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

/// Who asks waits so long, and not a moment less.
async fn times_out_after<T: Debug>(world: &World, wait: Duration, asker: Side<Result<T, Error>>) {
    world.time().pass(wait - MOMENT).await;
    assert!(!asker.is_done());
    world.time().pass(MOMENT).await;
    let answer = asker.await;
    assert!(matches!(answer, Err(Error::TimedOut)), "{answer:?}");
}

async fn a_request_without_a_sign_of_life_times_out(world: World) {
    let mut config = patient();
    config.protocol.timeout = 5 * SECOND;
    let (near, far) = world.pair_with(config, patient()).await;
    let mut messages = far.messages();
    for _ in 0..3 {
        let line = near.clone();
        let asker = world.spawn(async move { line.request::<_, ()>("any", &()).await });
        let mut message = messages.next().await.expect("it comes");
        assert_eq!(message.timeout(), Some(5 * SECOND), "its deadline travels with it");
        times_out_after(&world, 5 * SECOND, asker).await;
        assert_eq!(message.aborted().await, Code::TIMEOUT, "whoever works on it is told");
    }
    assert_eq!(near.stats().expired, 3);
    drop(messages);
    world.serve(&far, Router::new().on("echo", echo));
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_request_has_a_timeout_of_its_own(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    let mut asked = near.open("any", &()).timeout(2 * SECOND).send().await.expect("the line is up");
    let message = messages.next().await.expect("it comes");
    assert_eq!(message.timeout(), Some(2 * SECOND));
    let asker = world.spawn(async move { asked.next().await.expect("it is waited for") });
    times_out_after(&world, 2 * SECOND, asker).await;
    drop(message);
    world.part(near, far).await;
}

/// Nobody has looked at a clock for long when it is sent.
async fn a_request_has_all_its_time_however_long_nothing_happened(world: World) {
    let (near, far) = world.pair().await;
    for _ in 0..3 {
        world.time().pass_unseen(60 * SECOND).await;
        let line = near.clone();
        let asker =
            world.spawn(async move { line.open("any", &()).timeout(5 * SECOND).send().await?.answer::<()>().await });
        let message = far.messages().next().await.expect("it comes");
        times_out_after(&world, 5 * SECOND, asker).await;
        drop(message);
    }
    world.part(near, far).await;
}

async fn an_update_prolongs_it(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    let mut asked = near.open("any", &()).timeout(5 * SECOND).send().await.expect("the line is up");
    let mut message = messages.next().await.expect("it comes");
    for step in 0..5u32 {
        world.time().pass(4 * SECOND).await;
        message.update(&step).await.expect("the line is up");
        let update = asked.next().await.expect("it comes").expect("it is not late");
        assert!(update.is_update());
    }
    let asker = world.spawn(async move { asked.next().await.expect("it is waited for") });
    times_out_after(&world, 5 * SECOND, asker).await;
    drop(message);
    world.part(near, far).await;
}

async fn an_answer_prolongs_it_for_the_next(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    let mut asked = near.open("any", &()).timeout(5 * SECOND).send().await.expect("the line is up");
    let mut message = messages.next().await.expect("it comes");
    for step in 0..5u32 {
        world.time().pass(4 * SECOND).await;
        message.respond(&step).more().await.expect("the line is up");
        let answer = asked.next().await.expect("it comes").expect("it is not late");
        assert!(!answer.is_last());
    }
    world.time().pass(5 * SECOND).await;
    let answer = asked.next().await;
    assert!(matches!(answer, Some(Err(Error::TimedOut))), "{answer:?}");
    drop((asked, message));
    world.part(near, far).await;
}

async fn a_stream_that_is_written_prolongs_it(world: World) {
    let (near, far) = world.pair().await;
    let (mut writer, mut reader) =
        near.open("any", &()).timeout(5 * SECOND).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let mut stream = message.stream().await.expect("it brings one");
    for step in 0..25u8 {
        world.time().pass(SECOND / 2).await;
        writer.send(&[step]).await.expect("there is credit");
        assert_eq!(stream.chunk().await.expect("it comes").as_deref(), Some(&[step][..]));
    }
    let back = message.respond(&()).stream().await.expect("it is waited for");
    let finishing = [writer.finish(), back.finish()].map(|finish| world.spawn(finish));
    assert!(stream.chunk().await.expect("it is complete").is_none());
    assert!(reader.chunk().await.expect("it is complete").is_none());
    for side in finishing {
        side.await.expect("it is read");
    }
    assert_eq!(near.stats().expired, 0);
    drop((reader, stream));
    world.part(near, far).await;
}

async fn a_stream_that_comes_prolongs_it(world: World) {
    let (near, far) = world.pair().await;
    let mut asked = near.open("any", &()).timeout(5 * SECOND).send().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let mut writer = message.respond(&1u32).more().stream().await.expect("it is waited for");
    let mut stream = asked.stream().await.expect("it comes");
    for step in 0..5u8 {
        world.time().pass(4 * SECOND).await;
        writer.send(&[step]).await.expect("there is credit");
        assert_eq!(stream.chunk().await.expect("it comes").as_deref(), Some(&[step][..]));
    }
    world.time().pass(4 * SECOND).await;
    message.answer(&7u32).await.expect("it is waited for");
    while let Some(reply) = asked.next().await {
        reply.expect("it is not late");
    }
    assert_eq!(near.stats().expired, 0);
    drop((asked, writer, stream));
    world.part(near, far).await;
}

async fn a_file_that_is_taken_slowly_prolongs_it(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let content = octets(150_000, 1);
    let file = Uploading::from_bytes("f", content.clone());
    let mut asked = near.open("any", &()).timeout(5 * SECOND).file(file).send().await.expect("the line is up");
    let (message, file) = offered(&far).await;
    let mut reader = file.read().await.expect("it is asked for");
    let (begun, mut read) = (world.time().now(), Vec::new());
    while let Some(chunk) = reader.chunk().await.expect("it comes") {
        read.extend_from_slice(&chunk);
        // The sender goes on before time does; behind its last octet there is less than its credit to be read.
        let sent = content.len().min(read.len() + 8000) as u64;
        until(|| near.stats().sent.flow_octets >= sent).await;
        world.time().pass(SECOND / 10_000 * chunk.len() as u32).await;
    }
    assert!(read == content);
    assert!(world.time().now() - begun > 10 * SECOND, "it took no longer than a deadline");
    message.answer(&7u32).await.expect("it is waited for");
    assert_eq!(asked.answer::<u32>().await.expect("it is answered"), 7);
    drop((reader, asked));
    world.part(near, far).await;
}

async fn a_stream_that_rests_does_not(world: World) {
    let (near, far) = world.pair().await;
    let (writer, mut reader) = near.open("any", &()).timeout(5 * SECOND).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let stream = message.stream().await.expect("it brings one");
    writer.pause().expect("it is open");
    stream.pause().expect("it is open");
    until(|| writer.is_paused() && stream.is_paused()).await;
    let asker = world.spawn(async move { reader.chunk().await });
    world.time().pass(5 * SECOND - MOMENT).await;
    near.ping().await.expect("the line is up");
    assert!(!asker.is_done());
    world.time().pass(MOMENT).await;
    let answer = asker.await;
    assert!(matches!(answer, Err(Error::TimedOut)), "{answer:?}");
    drop((writer, stream, message));
    world.part(near, far).await;
}

async fn none_waits_for_ever(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    let mut asked = near.open("any", &()).timeout(Duration::ZERO).send().await.expect("the line is up");
    let message = messages.next().await.expect("it comes");
    assert_eq!(message.timeout(), None);
    let asker = world.spawn(async move { asked.answer::<u32>().await });
    for _ in 0..50 {
        world.time().pass(3600 * SECOND).await;
        // Time passes with both ends alive.
        near.ping().await.expect("the line is up");
        far.ping().await.expect("the line is up");
    }
    message.answer(&7u32).await.expect("it is waited for");
    assert_eq!(asker.await.expect("it is answered"), 7);
    world.part(near, far).await;
}

async fn it_passes_though_the_peer_does_not_read(world: World) {
    let gate = world.gate_near();
    let (near, far) = world.pair().await;
    gate.shut(Way::Write);
    near.notify("any", &octets(1000, 1)).await.expect("there is room for it");
    gate.held(Way::Write).await;
    // It has armed its clock for what there was, and sleeps.
    world.time().pass(Duration::ZERO).await;
    for _ in 0..50 {
        turn().await;
    }
    // Sooner than anything else that is awaited.
    let wait = Duration::from_millis(500);
    let line = near.clone();
    let asker = world.spawn(async move {
        let mut asked = line.open("any", &()).timeout(wait).send().await.expect("there is room for it");
        asked.next().await
    });
    until(|| near.stats().sent.requests == 1).await;
    world.time().pass_unseen(wait).await;
    let answer = asker.await;
    assert!(matches!(answer, Some(Err(Error::TimedOut))), "{answer:?}");
    gate.open(Way::Write);
    world.part(near, far).await;
}

async fn a_late_answer_is_dropped(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    for late in 0..3u32 {
        let line = near.clone();
        let asker = world.spawn(async move {
            let mut asked = line.open("any", &late).timeout(SECOND).send().await.expect("the line is up");
            asked.answer::<u32>().await
        });
        let message = messages.next().await.expect("it comes");
        world.time().pass(SECOND).await;
        let answer = asker.await;
        assert!(matches!(answer, Err(Error::TimedOut)), "{answer:?}");
        // Whether the peer knows already or not: the answer is nobody else's.
        let _ = message.answer(&late).await;
        let line = near.clone();
        let asker = world.spawn(async move { line.request::<_, u32>("any", &77u32).await });
        let mut message = messages.next().await.expect("it comes");
        assert_eq!(message.decode::<u32>().await.expect("a number"), 77);
        message.answer(&78u32).await.expect("it is waited for");
        assert_eq!(asker.await.expect("it is answered"), 78);
    }
    drop(messages);
    world.part(near, far).await;
}

async fn the_bindings_own_clock_keeps_it(world: World) {
    let world = world.in_real_time();
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    let begun = std::time::Instant::now();
    let mut asked = near.open("any", &()).timeout(Duration::from_millis(40)).send().await.expect("the line is up");
    let mut message = messages.next().await.expect("it comes");
    let answer = asked.next().await;
    assert!(matches!(answer, Some(Err(Error::TimedOut))), "{answer:?}");
    // The clock of a coarse timer may be a little ahead.
    assert!(begun.elapsed() >= Duration::from_millis(35), "it was early");
    assert_eq!(message.aborted().await, Code::TIMEOUT);
    drop((asked, message, messages));
    world.part(near, far).await;
}
