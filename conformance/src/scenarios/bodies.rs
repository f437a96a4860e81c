//! Bodies larger than a frame.

use ropeway_driver::{Code, Error, Failure, Router};

use super::by_hand::{echo, octets, read_stream, still_works, until};
use super::{Scenario, scenarios};
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    a_large_body_goes_each_way_whole,
    large_answers_in_a_row_are_kept_apart,
    an_early_answer_stops_the_rest_of_the_body,
    an_early_answer_keeps_what_it_brings,
    what_is_said_meanwhile_stops_no_body,
    a_body_that_nobody_reads_harms_nobody,
    the_size_is_known_before_the_whole_has_come,
    sizes_around_a_frame_and_a_credit_arrive_whole,
];

async fn reverse(mut body: Vec<u8>) -> Result<bytes::Bytes, Failure> {
    body.reverse();
    Ok(body.into())
}

async fn a_large_body_goes_each_way_whole(world: World) {
    let (near, far) = world.pair().await;
    for line in [&near, &far] {
        world.serve(line, Router::new().on("reverse", reverse));
    }
    let large = world.much(1_000_000);
    let sides: Vec<_> = [near.clone(), far.clone()]
        .into_iter()
        .enumerate()
        .map(|(seed, line)| {
            world.spawn(async move {
                let mut body = octets(large, seed);
                let reversed: Vec<u8> = line.request("reverse", &body).await.expect("it is answered");
                body.reverse();
                assert!(reversed == body, "what came back is not what was sent");
            })
        })
        .collect();
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn large_answers_in_a_row_are_kept_apart(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on_message("many", |mut message| async move {
        for seed in 0..4 {
            message.respond(&octets(70_000 + seed, seed)).more().await?;
            message.update("between").await?;
        }
        Ok(message.answer(&octets(70_004, 4)).await?)
    });
    world.serve(&far, router);
    let mut exchange = near.open("many", &()).send().await.expect("the line is up");
    // Several have come before the first is asked for.
    until(|| far.stats().sent.responses >= 3).await;
    let mut seed = 0;
    while let Some(reply) = exchange.next().await {
        let reply = reply.expect("it is an answer");
        if !reply.is_update() {
            assert!(reply.body().as_slice() == octets(70_000 + seed, seed), "answer {seed} is torn");
            seed += 1;
        }
    }
    assert_eq!(seed, 5);
    drop(exchange);
    world.part(near, far).await;
}

async fn an_early_answer_stops_the_rest_of_the_body(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let router = Router::new().on("echo", echo).on_message("enough", |message| async move {
        message.code(Code::BUSY);
        Ok(())
    });
    world.serve(&far, router);
    // Far more than fits the credit: it can't have gone before the answer.
    let body = octets(1_000_000, 1);
    for _ in 0..3 {
        let answer = near.request::<_, ()>("enough", &body).await;
        assert!(matches!(answer, Err(Error::Answered(Code::BUSY, None))), "{answer:?}");
        still_works(&near).await;
    }
    assert!(far.stats().received.octets < 500_000, "it was sent all the same");
    world.part(near, far).await;
}

/// The peer gives up the rest of its body, and nothing else.
async fn an_early_answer_keeps_what_it_brings(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let router = Router::new().on_message("enough", |mut message| async move {
        let mut writer = message.respond("enough").stream().await?;
        assert_eq!(message.aborted().await, Code::CANCELLED);
        writer.send(&octets(100_000, 2)).await?;
        Ok(writer.finish().await?)
    });
    world.serve(&far, router);
    let body = octets(200_000, 1);
    let mut exchange = near.open("enough", &body).send().await.expect("the line is up");
    let mut stream = exchange.stream().await.expect("it brings one");
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(100_000, 2));
    drop(exchange);
    world.part(near, far).await;
}

async fn what_is_said_meanwhile_stops_no_body(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let large = world.much(1_000_000);
    let mut messages = far.messages();
    for more in [false, true] {
        let (line, body) = (near.clone(), octets(large, 1));
        let asker = world.spawn(async move {
            let mut exchange = line.open("any", &body).send().await.expect("it is wanted");
            let first = exchange.next().await.expect("it comes").expect("it is an answer");
            assert_eq!((first.is_update(), first.is_last()), (!more, false));
            exchange.next().await.expect("it comes").expect("it is an answer").decode::<u64>()
        });
        let mut message = messages.next().await.expect("it comes");
        match more {
            true => drop(message.respond("reading").more().await.expect("it is waited for")),
            false => message.update("reading").await.expect("it is waited for"),
        }
        until(|| near.stats().received.updates + near.stats().received.responses == 1 + 2 * u64::from(more)).await;
        let len = message.body().await.expect("it comes whole").len() as u64;
        message.answer(&len).await.expect("it is waited for");
        assert_eq!(asker.await.expect("it is a number"), large as u64);
    }
    drop(messages);
    world.part(near, far).await;
}

async fn a_body_that_nobody_reads_harms_nobody(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let router = Router::new().on("echo", echo).on_message("drop", |message| async move {
        drop(message);
        Ok(())
    });
    world.serve(&far, router);
    let body = octets(300_000, 1);
    for _ in 0..3 {
        // It is given up by the one who does not want it.
        near.notify("drop", &body).await.expect("the line is up");
        let answer = near.request::<_, ()>("drop", &body).await;
        assert!(matches!(answer, Err(Error::Answered(Code::NO_ANSWER, None))), "{answer:?}");
        still_works(&near).await;
    }
    world.part(near, far).await;
}

async fn the_size_is_known_before_the_whole_has_come(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let line = near.clone();
    let speaker = world.spawn(async move { line.notify("any", &octets(200_000, 1)).await });
    let line = far.clone();
    let hearer = world.spawn(async move {
        let mut message = line.messages().next().await.expect("it comes");
        assert_eq!(message.size(), 200_000);
        assert!(line.stats().received.octets < 200_000, "nobody has read it, and it came");
        let body: Vec<u8> = message.decode().await.expect("it is whole");
        assert!(body == octets(200_000, 1));
    });
    speaker.await.expect("the line is up");
    hearer.await;
    world.part(near, far).await;
}

async fn sizes_around_a_frame_and_a_credit_arrive_whole(world: World) {
    let mut config = patient();
    config.protocol.max_frame = 256;
    config.protocol.window = 288;
    config.protocol.lane_credit = 288;
    config.outbox = 512;
    let (near, far) = world.pair_with(config.clone(), config).await;
    world.serve(&far, Router::new().on("reverse", reverse));
    let edges = [0, 1, 30, 64, 65, 200, 256, 288, 512];
    for len in edges.into_iter().flat_map(|edge: usize| (edge.saturating_sub(3)..=edge + 3).step_by(2)) {
        let mut body = octets(len, len);
        let reversed: Vec<u8> = near.request("reverse", &body).await.expect("it is answered");
        body.reverse();
        assert!(reversed == body, "of {len} octets");
    }
    world.part(near, far).await;
}
