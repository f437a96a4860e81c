//! Of streams.

use std::future::poll_fn;
use std::pin::Pin;

use futures_io::AsyncWrite;
use ropeway_driver::{Code, Error};

use super::{ENDLESS, line_to, narrow};
use crate::scenarios::by_hand::{cut_short, octets, read_stream, still_works, write_stream};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] =
    scenarios![of_a_stream_that_is_asked_for, of_a_stream_in_an_answer, of_writing, of_finishing, of_reading,];

async fn of_a_stream_that_is_asked_for(world: World) {
    let (near, far, _) = line_to(&world, 0).await;
    for polls in 0..ENDLESS {
        let done = cut_short(polls, near.open("mirror", &octets(5000, 1)).into_stream()).await;
        still_works(&near).await;
        if let Some(outcome) = done {
            let (writer, mut reader) = outcome.expect("the line is up");
            let writing = world.spawn(async move { write_stream(writer, &octets(5000, polls)).await });
            assert!(read_stream(&mut reader).await.expect("it is complete") == octets(5000, polls));
            writing.await.expect("it was read");
            break;
        }
    }
    world.part(near, far).await;
}

async fn of_a_stream_in_an_answer(world: World) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let mut messages = far.messages();
    for polls in 0..ENDLESS {
        let mut exchange = near.open("any", &()).send().await.expect("the line is up");
        let mut message = messages.next().await.expect("it comes");
        let done = cut_short(polls, message.respond(&octets(3000, polls)).stream()).await;
        drop(message);
        match done {
            None => {
                // Cut short, it is no stream that seems to be complete.
                if let Ok(mut stream) = exchange.stream().await {
                    read_stream(&mut stream).await.expect_err("it was given up");
                }
            }
            Some(writer) => {
                let writer = writer.expect("it is waited for");
                let writing = world.spawn(async move { write_stream(writer, &octets(5000, polls)).await });
                let mut tried = 0;
                let mut stream = loop {
                    tried += 1;
                    if let Some(stream) = cut_short(tried % 3, exchange.stream()).await {
                        break stream.expect("it brings one");
                    }
                };
                assert!(read_stream(&mut stream).await.expect("it is complete") == octets(5000, polls));
                writing.await.expect("it was read");
                break;
            }
        }
    }
    drop(messages);
    world.part(near, far).await;
}

async fn of_writing(world: World) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let (mut writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let mut stream = message.stream().await.expect("it brings one");
    let reading = world.spawn(async move { read_stream(&mut stream).await });
    let mut sent = Vec::new();
    for tried in 0..60 {
        let content = octets(3000, tried);
        let before = near.stats().sent.flow_octets;
        match cut_short(tried % 5, writer.send(&content)).await {
            Some(outcome) => {
                outcome.expect("it is read");
                sent.extend_from_slice(&content);
            }
            // Some of it may have gone, from its beginning.
            None => sent.extend_from_slice(&content[..(near.stats().sent.flow_octets - before) as usize]),
        }
        // A single poll says how much it took.
        let write = poll_fn(|cx| AsyncWrite::poll_write(Pin::new(&mut writer), cx, &content));
        if let Some(len) = cut_short(1, write).await {
            sent.extend_from_slice(&content[..len.expect("it is read")]);
        }
    }
    writer.finish().await.expect("it is read");
    assert!(reading.await.expect("it is complete") == sent, "it is torn");
    message.code(Code::OK);
    drop(reader);
    world.part(near, far).await;
}

async fn of_finishing(world: World) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    for polls in 0..ENDLESS {
        let (mut writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
        let mut message = far.messages().next().await.expect("it comes");
        let mut stream = message.stream().await.expect("it brings one");
        let reading = world.spawn(async move { read_stream(&mut stream).await });
        writer.send(&octets(5000, polls)).await.expect("it is read");
        let done = cut_short(polls, writer.finish()).await;
        match reading.await {
            Ok(all) => assert!(polls > 0 && all == octets(5000, polls), "it is torn"),
            Err(Error::Aborted(Code::CANCELLED)) => assert!(done.is_none(), "it was complete"),
            Err(error) => panic!("{error}"),
        }
        message.code(Code::OK);
        drop(reader);
        if let Some(outcome) = done {
            outcome.expect("it was read");
            break;
        }
    }
    world.part(near, far).await;
}

async fn of_reading(world: World) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let (writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let mut tried = 0;
    let mut stream = loop {
        tried += 1;
        if let Some(stream) = cut_short(tried % 3, message.stream()).await {
            break stream.expect("it brings one");
        }
    };
    let writing = world.spawn(async move { write_stream(writer, &octets(30_000, 1)).await });
    let mut all = Vec::new();
    for tried in 0..ENDLESS {
        match cut_short(tried % 3, stream.chunk()).await {
            None => {}
            Some(Ok(Some(chunk))) => all.extend_from_slice(&chunk),
            Some(Ok(None)) => break,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    assert!(all == octets(30_000, 1), "it is torn");
    writing.await.expect("it was read");
    message.code(Code::OK);
    drop(reader);
    world.part(near, far).await;
}
