//! Streams that belong to messages and answers.

use std::future::poll_fn;
use std::pin::Pin;

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::{Code, Error, Message, Router, StreamWriter, Uploading};

use super::by_hand::{cut_short, echo, mirror, octets, queue, read_stream, still_works, until, write_stream};
use super::{Scenario, scenarios};
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    each_way_at_once,
    an_empty_one_ends_at_once,
    finishing_waits_until_all_was_taken,
    halves_on_tasks_of_their_own_answer_each_other,
    a_paused_one_waits_and_goes_on,
    who_finds_no_flow_free_waits_for_one,
    who_waits_for_a_flow_gets_none_of_another_exchange,
    the_reader_can_stop_it_with_a_code,
    the_writer_can_give_it_up_with_a_code,
    a_refusal_reaches_the_reader_of_the_answer,
    an_answer_before_the_stream_was_offered_is_not_lost,
    one_up_is_answered_by_a_value,
    a_notice_brings_one,
    what_else_the_answer_brings_cuts_none_short,
    a_refusal_behind_progress_is_told,
    they_read_and_write_as_any_other_io,
];

async fn each_way_at_once(world: World) {
    let (near, far) = world.pair().await;
    for line in [&near, &far] {
        world.serve(line, Router::new().on_message("mirror", mirror));
    }
    let large = world.much(3_000_000);
    let mut sides = Vec::new();
    for (seed, line) in [near.clone(), far.clone()].into_iter().enumerate() {
        let (writer, mut reader) = line.open("mirror", &()).into_stream().await.expect("the line is up");
        sides.push(world.spawn(async move { write_stream(writer, &octets(large, seed)).await.expect("it is read") }));
        sides.push(world.spawn(async move {
            let all = read_stream(&mut reader).await.expect("it is complete");
            assert!(all == octets(large, seed), "what came back is not what was sent");
        }));
    }
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn an_empty_one_ends_at_once(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on_message("mirror", mirror));
    for _ in 0..5 {
        let (writer, mut reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
        writer.finish().await.expect("there is nothing to read");
        assert!(reader.chunk().await.expect("it is complete").is_none());
        assert!(reader.chunk().await.expect("and so it stays").is_none());
    }
    world.part(near, far).await;
}

async fn finishing_waits_until_all_was_taken(world: World) {
    let (near, far) = world.pair().await;
    let (mut writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let mut stream = message.stream().await.expect("it brings one");
    writer.send(&octets(1000, 1)).await.expect("there is credit");
    let finishing = world.spawn(writer.finish());
    // All has come, and nothing was taken.
    until(|| far.stats().received.flow_octets == 1000).await;
    near.ping().await.expect("the line is up");
    assert!(!finishing.is_done(), "nobody has taken anything");
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(1000, 1));
    finishing.await.expect("it was taken");
    message.code(Code::OK);
    drop(reader);
    world.part(near, far).await;
}

/// B10. Each half waits for the others only: a wake-up that is lost is missed at once.
async fn halves_on_tasks_of_their_own_answer_each_other(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on_message("mirror", mirror));
    let mut sides = Vec::new();
    for seed in 0..4 {
        let (mut writer, mut reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
        let (give, take) = queue();
        sides.push(world.spawn(async move {
            for round in 0..100usize {
                writer.send(&octets(1 + round % 7, seed + round)).await.expect("it is read");
                // The next is not sent before this one is back.
                take.next().await;
            }
            writer.finish().await.expect("it is read");
        }));
        sides.push(world.spawn(async move {
            for round in 0..100usize {
                let expected = octets(1 + round % 7, seed + round);
                let mut back = Vec::new();
                while back.len() < expected.len() {
                    back.extend_from_slice(&reader.chunk().await.expect("it goes on").expect("it is not over"));
                }
                assert_eq!(back, expected);
                give.put(());
            }
            assert!(reader.chunk().await.expect("it is complete").is_none());
        }));
    }
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn a_paused_one_waits_and_goes_on(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&near, Router::new().on("echo", echo));
    let (mut writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let mut stream = message.stream().await.expect("it brings one");
    // By the reader: the writer is told.
    stream.pause().expect("it is not over");
    until(|| writer.is_paused()).await;
    let sending = world.spawn(async move {
        writer.send(&octets(100, 1)).await.expect("it goes on");
        writer
    });
    still_works(&far).await;
    assert!(!sending.is_done() && near.stats().sent.flow_octets == 0);
    stream.resume().expect("it is not over");
    let mut writer = sending.await;
    // By the writer: the reader is told, and what was sent before still comes.
    writer.pause().expect("it is not over");
    until(|| stream.is_paused()).await;
    assert!(cut_short(1, writer.send(&octets(100, 2))).await.is_none(), "it is paused");
    assert!(stream.chunk().await.expect("it goes on").expect("it is not over") == octets(100, 1));
    still_works(&far).await;
    assert_eq!(near.stats().sent.flow_octets, 100);
    writer.resume().expect("it is not over");
    let writing = world.spawn(async move { write_stream(writer, &octets(1000, 3)).await });
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(1000, 3));
    assert!(!stream.is_paused());
    writing.await.expect("it was read");
    message.code(Code::OK);
    drop(reader);
    world.part(near, far).await;
}

async fn who_finds_no_flow_free_waits_for_one(world: World) {
    let mut config = patient();
    config.flows = 2;
    let (near, far) = world.pair_with(patient(), config).await;
    world.serve(&far, Router::new().on_message("mirror", mirror));
    let sides: Vec<_> = (0..20)
        .map(|seed| {
            let line = near.clone();
            world.spawn(async move {
                let (writer, mut reader) = line.open("mirror", &()).into_stream().await?;
                // Small enough to be in flight as a whole: who waits for a flow must not hold one up.
                write_stream(writer, &octets(300 + seed, seed)).await?;
                assert!(read_stream(&mut reader).await? == octets(300 + seed, seed));
                Ok::<_, Error>(())
            })
        })
        .collect();
    for side in sides {
        side.await.expect("its turn comes");
    }
    world.part(near, far).await;
}

async fn who_waits_for_a_flow_gets_none_of_another_exchange(world: World) {
    let mut config = patient();
    (config.flows, config.lanes) = (1, 2);
    let (near, far) = world.pair_with(tight(), config).await;
    let mut messages = far.messages();
    let ask = |action: &'static str| {
        let line = near.clone();
        world.spawn(async move { line.open(action, &()).into_stream().await })
    };
    let (writer, reader) = ask("first").await.expect("the line is up");
    let mut first = messages.next().await.expect("it comes");
    let second = ask("second");
    let mut message = messages.next().await.expect("it comes");
    // Given up in the middle of an answer: its lane is free for others, while it still waits for a flow.
    assert!(cut_short(1, message.respond(&octets(100_000, 1)).send()).await.is_none());
    drop(message);
    until(|| far.stats().received.aborts == 1).await;
    let third = ask("third");
    let mut message = messages.next().await.expect("it comes");
    assert_eq!(*message.action(), "third");
    drop(reader);
    let mut stream = first.stream().await.expect("it brings one");
    let writing = world.spawn(write_stream_of(writer, 1));
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(1000, 1));
    writing.await.expect("it was read");
    second.await.map(drop).expect_err("it was given up");
    let (writer, _reader) = third.await.expect("its turn comes");
    let writing = world.spawn(write_stream_of(writer, 3));
    let mut stream = message.stream().await.expect("it brings one");
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(1000, 3));
    writing.await.expect("it was read");
    message.code(Code::OK);
    first.code(Code::OK);
    drop(_reader);
    drop(messages);
    world.part(near, far).await;
}

async fn write_stream_of(writer: StreamWriter, seed: usize) -> Result<(), Error> {
    write_stream(writer, &octets(1000, seed)).await
}

async fn the_reader_can_stop_it_with_a_code(world: World) {
    let (near, far) = world.pair_with(tight(), tight()).await;
    let own = Code::new(100).expect("below 4096");
    let router = Router::new().on("echo", echo).on_message("stop", move |mut message| async move {
        let mut stream = message.stream().await?;
        stream.chunk().await?;
        stream.stop(own);
        message.code(Code::OK);
        Ok(())
    });
    world.serve(&far, router);
    for _ in 0..3 {
        let (mut writer, reader) = near.open("stop", &()).into_stream().await.expect("the line is up");
        let error = loop {
            if let Err(error) = writer.send(&octets(1000, 1)).await {
                break error;
            }
        };
        assert!(matches!(error, Error::Aborted(code) if code == own), "{error:?}");
        let error = writer.finish().await.expect_err("it was stopped");
        assert!(matches!(error, Error::Aborted(code) if code == own), "{error:?}");
        drop(reader);
        still_works(&near).await;
    }
    world.part(near, far).await;
}

async fn the_writer_can_give_it_up_with_a_code(world: World) {
    let (near, far) = world.pair().await;
    let own = Code::new(100).expect("below 4096");
    let (mut writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let mut stream = message.stream().await.expect("it brings one");
    writer.send(&octets(10, 1)).await.expect("there is credit");
    assert!(stream.chunk().await.expect("it goes on").expect("it is not over") == octets(10, 1));
    writer.cancel(own);
    let error = stream.chunk().await.expect_err("it is not complete");
    assert!(matches!(error, Error::Aborted(code) if code == own), "{error:?}");
    message.code(Code::OK);
    drop(reader);
    world.part(near, far).await;
}

async fn a_refusal_reaches_the_reader_of_the_answer(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", echo).on("busy", |(): ()| async { Err::<(), _>(Code::BUSY.into()) }));
    for (action, wanted) in [("busy", Code::BUSY), ("nobody", Code::NOT_IMPLEMENTED)] {
        let (_writer, mut reader) = near.open(action, &()).into_stream().await.expect("the line is up");
        let error = reader.chunk().await.expect_err("it is refused");
        assert!(matches!(error, Error::Answered(code, _) if code == wanted), "{error:?}");
    }
    let (_writer, mut reader) = near.open("echo", "no stream").into_stream().await.expect("the line is up");
    let error = reader.chunk().await.expect_err("it is answered without a stream");
    assert!(matches!(error, Error::Missing("stream")), "{error:?}");
    drop((_writer, reader));
    world.part(near, far).await;
}

async fn one_up_is_answered_by_a_value(world: World) {
    let (near, far) = world.pair().await;
    let count = |mut message: Message| async move {
        let all = read_stream(&mut message.stream().await?).await?;
        Ok(message.answer(&(all.len() as u64)).await?)
    };
    world.serve(&far, Router::new().on_message("count", count));
    let file = Uploading::from_bytes("aside", octets(10, 1));
    let (writer, mut exchange) = near.open("count", &()).file(file).stream().await.expect("the line is up");
    write_stream(writer, &octets(100_000, 1)).await.expect("it is read");
    assert_eq!(exchange.answer::<u64>().await.expect("it is a number"), 100_000);
    assert_eq!(exchange.uploads().count(), 1);
    drop(exchange);
    world.part(near, far).await;
}

async fn a_notice_brings_one(world: World) {
    let (near, far) = world.pair().await;
    let writer = near.open("log", "today").notify_stream().await.expect("the line is up");
    let writing = world.spawn(async move { write_stream(writer, &octets(100_000, 1)).await });
    let mut message = far.messages().next().await.expect("it comes");
    assert!(!message.wants_answer());
    assert_eq!(message.decode::<String>().await.expect("it is text"), "today");
    let mut stream = message.stream().await.expect("it brings one");
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(100_000, 1));
    drop((message, stream));
    writing.await.expect("it was read");
    world.part(near, far).await;
}

async fn what_else_the_answer_brings_cuts_none_short(world: World) {
    let (near, far) = world.pair_with(tight(), tight()).await;
    let tail = |more: bool| {
        move |mut message: Message| async move {
            // More than the lane's credit, and nobody reads it.
            let body = octets(200_000, 1);
            let responding = message.respond(&body);
            let mut writer = if more { responding.more() } else { responding }.stream().await?;
            writer.send(&octets(1000, 2)).await?;
            writer.finish().await?;
            if more {
                message.respond(&body).await?;
            }
            Ok(())
        }
    };
    world.serve(&far, Router::new().on("echo", echo).on_message("one", tail(false)).on_message("two", tail(true)));
    for action in ["one", "two"] {
        let (writer, mut reader) = near.open(action, &()).into_stream().await.expect("the line is up");
        assert!(read_stream(&mut reader).await.expect("it is complete") == octets(1000, 2));
        drop((writer, reader));
        still_works(&near).await;
    }
    world.part(near, far).await;
}

async fn a_refusal_behind_progress_is_told(world: World) {
    let (near, far) = world.pair().await;
    let refuse = |mut message: Message| async move {
        message.update("looking").await?;
        message.respond("still").more().await?;
        message.code(Code::NOT_FOUND);
        Ok(())
    };
    world.serve(&far, Router::new().on_message("refuse", refuse));
    let (_writer, mut reader) = near.open("refuse", &()).into_stream().await.expect("the line is up");
    let error = reader.chunk().await.expect_err("it is refused");
    assert!(matches!(error, Error::Answered(Code::NOT_FOUND, None)), "{error:?}");
    drop((_writer, reader));
    world.part(near, far).await;
}

async fn an_answer_before_the_stream_was_offered_is_not_lost(world: World) {
    let mut config = patient();
    config.flows = 1;
    let (near, far) = world.pair_with(patient(), config).await;
    let mut messages = far.messages();
    let (writer, _reader) = near.open("first", &()).into_stream().await.expect("the line is up");
    let mut first = messages.next().await.expect("it comes");
    // They wait for a flow, and are answered meanwhile; nobody waits for the third any more.
    let line = near.clone();
    let second = world.spawn(async move { line.open("second", &()).into_stream().await });
    messages.next().await.expect("it comes").code(Code::BUSY);
    let mut third = Box::pin(near.open("third", &()).into_stream());
    assert!(cut_short(1, third.as_mut()).await.is_none());
    messages.next().await.expect("it comes").code(Code::BUSY);
    until(|| near.stats().received.codes == 2).await;
    drop(third);
    assert!(!second.is_done());
    let mut stream = first.stream().await.expect("it brings one");
    let writing = world.spawn(write_stream_of(writer, 1));
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(1000, 1));
    writing.await.expect("it was read");
    let (mut writer, mut reader) = second.await.expect("it can still offer its stream");
    let error = reader.chunk().await.expect_err("it is refused");
    assert!(matches!(error, Error::Answered(Code::BUSY, None)), "{error:?}");
    while writer.send(&octets(1000, 1)).await.is_ok() {}
    first.code(Code::OK);
    drop((writer, reader, _reader, messages));
    world.part(near, far).await;
}

async fn they_read_and_write_as_any_other_io(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on_message("mirror", mirror));
    let (mut writer, mut reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
    let large = world.much(200_000);
    let writing = world.spawn(async move {
        let all = octets(large, 1);
        let mut left = &all[..];
        while !left.is_empty() {
            let len = poll_fn(|cx| AsyncWrite::poll_write(Pin::new(&mut writer), cx, left)).await?;
            assert!(len > 0);
            left = &left[len..];
        }
        poll_fn(|cx| AsyncWrite::poll_flush(Pin::new(&mut writer), cx)).await?;
        poll_fn(|cx| AsyncWrite::poll_close(Pin::new(&mut writer), cx)).await?;
        let late = poll_fn(|cx| AsyncWrite::poll_write(Pin::new(&mut writer), cx, b"x")).await;
        assert!(late.is_err(), "it is complete");
        Ok::<_, std::io::Error>(())
    });
    let reading = world.spawn(async move {
        let (mut all, mut block) = (Vec::new(), [0; 777]);
        loop {
            match poll_fn(|cx| AsyncRead::poll_read(Pin::new(&mut reader), cx, &mut block)).await? {
                0 => return Ok::<_, std::io::Error>(all),
                len => all.extend_from_slice(&block[..len]),
            }
        }
    });
    assert!(reading.await.expect("it is complete") == octets(large, 1));
    writing.await.expect("it is read");
    world.part(near, far).await;
}
