//! Credit: who takes nothing stops who sends, at what was allowed, and stops nothing else.

use ropeway_driver::{Code, Error, Line, Router, Uploading};

use super::by_hand::{cut_short, echo, mirror, octets, read_stream, still_works, turn, until, write_stream};
use super::files_by_hand::{offered, read_file};
use super::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    what_nobody_takes_stops_the_sender,
    both_ends_flood_and_neither_takes_until_both_do,
    a_flood_from_both_ends_drains,
    a_full_window_stops_messages_and_nothing_else,
    what_comes_is_heard_though_nothing_can_be_said,
    a_slow_reader_stops_its_writer_and_no_other_lane,
    a_file_that_nobody_takes_stops_its_sender_and_no_other,
    answers_that_nobody_takes_stop_who_gives_them,
    what_was_given_up_gives_its_credit_back,
];

async fn what_nobody_takes_stops_the_sender(world: World) {
    const SIZE: u64 = 1000;
    const MANY: u64 = 300;
    let (near, far) = world.pair_with(patient(), tight()).await;
    let line = near.clone();
    let speaker = world.spawn(async move {
        for number in 0..MANY as usize {
            line.notify("any", &octets(SIZE as usize, number)).await.expect("the line is up");
        }
    });
    let line = far.clone();
    let hearer = world.spawn(async move {
        let mut messages = line.messages();
        for taken in 0..MANY {
            let mut message = messages.next().await.expect("it comes");
            let untaken = line.stats().received.notices - taken;
            assert!(untaken <= 40_000 / SIZE, "{untaken} messages came that nobody took");
            let body: Vec<u8> = message.decode().await.expect("it is whole");
            assert!(body == octets(SIZE as usize, taken as usize));
        }
    });
    speaker.await;
    hearer.await;
    world.part(near, far).await;
}

/// Each end waits for the other to take, and has sent no more than it may.
async fn both_ends_flood_and_neither_takes_until_both_do(world: World) {
    const SIZE: usize = 1000;
    const MANY: usize = 100;
    async fn flood(line: Line) {
        for number in 0..MANY {
            line.notify("note", &octets(SIZE, number)).await.expect("the line is up");
        }
    }
    let (near, far) = world.pair_with(tight(), tight()).await;
    let ends = [&near, &far];
    let mut streams = Vec::new();
    for line in ends {
        let (writer, reader) = line.open("stream", &()).into_stream().await.expect("the line is up");
        streams.push((writer, reader));
    }
    let mut opened = Vec::new();
    for line in ends {
        let mut message = line.messages().next().await.expect("it comes");
        let stream = message.stream().await.expect("it brings one");
        opened.push((message, stream));
    }
    let (mut floods, mut readers) = (Vec::new(), Vec::new());
    for ((writer, reader), line) in streams.into_iter().zip(ends) {
        floods.push(world.spawn(flood(line.clone())));
        floods.push(world.spawn(async move { write_stream(writer, &octets(200_000, 1)).await.expect("it is read") }));
        readers.push(reader);
    }
    until(|| ends.iter().all(|line| line.stats().received.notices > 0)).await;
    settled(&near, &far).await;
    assert!(floods.iter().all(|flood| !flood.is_done()), "nobody takes anything, and it went");
    for line in ends {
        let came = line.stats().received;
        assert!(came.notices as usize <= 40_000 / SIZE, "{} notices came that nobody took", came.notices);
        assert!(came.flow_octets <= 33_000, "{} octets of a stream came that nobody took", came.flow_octets);
        near.ping().await.expect("a ping is never held up");
    }
    let mut takers = Vec::new();
    for ((message, mut stream), line) in opened.into_iter().zip([near.clone(), far.clone()]) {
        takers.push(world.spawn(async move {
            assert!(read_stream(&mut stream).await.expect("it is complete") == octets(200_000, 1));
            message.code(Code::OK);
        }));
        takers.push(world.spawn(async move {
            let mut messages = line.messages();
            for number in 0..MANY {
                let mut message = messages.next().await.expect("it comes");
                assert!(message.decode::<Vec<u8>>().await.expect("it is whole") == octets(SIZE, number));
            }
        }));
    }
    for side in floods.into_iter().chain(takers) {
        side.await;
    }
    drop(readers);
    world.part(near, far).await;
}

/// Reading never waits for writing: if it did, both ends would wait for the other to read.
async fn a_flood_from_both_ends_drains(world: World) {
    let mut config = tight();
    config.outbox = 8192;
    let (near, far) = world.pair_with(config.clone(), config).await;
    let mut sides = Vec::new();
    let much = world.much(2_000_000);
    for line in [&near, &far] {
        let router = Router::new().on("echo", echo).on("note", |_: bytes::Bytes| async { Ok(()) });
        world.serve(
            line,
            router.on_message("drain", |mut message| async move {
                let all = read_stream(&mut message.stream().await?).await?;
                Ok(message.answer(&all).await?)
            }),
        );
        let flood = line.clone();
        sides.push(world.spawn(async move {
            for number in 0..much / 1000 {
                flood.notify("note", &octets(1000, number)).await.expect("the line is up");
            }
        }));
        let flood = line.clone();
        sides.push(world.spawn(async move {
            for _ in 0..100 {
                still_works(&flood).await;
            }
        }));
        let flood = line.clone();
        sides.push(world.spawn(async move {
            let (writer, reader) = flood.open("drain", &()).into_stream().await.expect("the line is up");
            write_stream(writer, &octets(much, 1)).await.expect("it is read");
            drop(reader);
        }));
    }
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn a_full_window_stops_messages_and_nothing_else(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    world.serve(&near, Router::new().on("echo", echo));
    let (writer, mut reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
    let mut exchange = near.open("ask", &()).send().await.expect("the line is up");
    let mut messages = far.messages();
    let streaming = world.spawn(mirror(messages.next().await.expect("it comes")));
    let mut asked = messages.next().await.expect("it comes");
    let line = near.clone();
    let flood = world.spawn(async move {
        for number in 0..100 {
            line.notify("note", &octets(1000, number)).await.expect("the line is up");
        }
    });
    until(|| far.stats().received.notices > 0).await;
    settled(&near, &far).await;
    assert!(!flood.is_done(), "nobody takes anything, and it went");
    // What was opened before goes on, answers come, and the other way is free.
    for round in 0..5 {
        near.ping().await.expect("a ping is never held up");
        still_works(&far).await;
        asked.update(&round).await.expect("it is waited for");
        let update = exchange.next().await.expect("it comes").expect("it is no failure");
        assert_eq!(update.decode::<i32>().expect("a number"), round);
    }
    let writing = world.spawn(async move { write_stream(writer, &octets(100_000, 1)).await });
    assert!(read_stream(&mut reader).await.expect("it is complete") == octets(100_000, 1));
    writing.await.expect("it is read");
    streaming.await.expect("it is read");
    asked.answer(&octets(50_000, 2)).await.expect("it is waited for");
    assert!(exchange.answer::<Vec<u8>>().await.expect("it comes") == octets(50_000, 2));
    assert!(!flood.is_done(), "nobody takes anything, and it went");
    for _ in 0..100 {
        messages.next().await.expect("it comes");
    }
    flood.await;
    drop((exchange, messages));
    world.part(near, far).await;
}

/// Reading never waits for writing, of which nothing goes.
async fn what_comes_is_heard_though_nothing_can_be_said(world: World) {
    let gate = world.gate_near();
    let (near, far) = world.pair().await;
    gate.shut(Way::Write);
    near.notify("any", &octets(1000, 1)).await.expect("there is room for it");
    gate.held(Way::Write).await;
    let mut messages = near.messages();
    for number in 0..10u32 {
        far.notify("any", &number).await.expect("the line is up");
        let mut message = messages.next().await.expect("it comes");
        assert_eq!(message.decode::<u32>().await.expect("a number"), number);
    }
    gate.open(Way::Write);
    far.messages().next().await.expect("it comes");
    drop(messages);
    world.part(near, far).await;
}

/// B11. Nothing but the stream itself waits for its reader.
async fn a_slow_reader_stops_its_writer_and_no_other_lane(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let line = far.clone();
    let hearer = world.spawn(async move {
        let mut message = line.messages().next().await.expect("it comes");
        message.stream().await.expect("it brings one")
    });
    let (writer, _reader) = near.open("slow", &()).into_stream().await.expect("the line is up");
    let mut slow = hearer.await;
    world.serve(&far, Router::new().on("echo", echo).on_message("mirror", mirror));
    let writing = world.spawn(async move { write_stream(writer, &octets(200_000, 1)).await });
    until(|| near.stats().sent.flow_octets > 16_000).await;
    for round in 0..5 {
        still_works(&near).await;
        let (writer, mut reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
        let other = world.spawn(async move { write_stream(writer, &octets(40_000, round)).await });
        let all = read_stream(&mut reader).await.expect("it is complete");
        assert!(all == octets(40_000, round));
        other.await.expect("it was read");
        near.ping().await.expect("a ping is never held up");
    }
    assert!(near.stats().sent.flow_octets <= 33_000 + 5 * 40_000, "nobody reads, and it was sent");
    assert!(!writing.is_done());
    let reading = world.spawn(async move { read_stream(&mut slow).await });
    assert!(reading.await.expect("it is complete") == octets(200_000, 1));
    writing.await.expect("it was read");
    world.part(near, far).await;
}

async fn a_file_that_nobody_takes_stops_its_sender_and_no_other(world: World) {
    let (near, far) = world.pair_with(patient(), tight()).await;
    let contents = [octets(200_000, 1), octets(world.much(400_000), 2)];
    let mut sending = Vec::new();
    let mut readers = Vec::new();
    for content in &contents {
        let upload = near.send_file(Uploading::from_bytes("f", content.clone())).await.expect("it is offered");
        sending.push(world.spawn(async move { upload.finished().await }));
        readers.push(offered(&far).await.1.read().await.expect("it is asked for"));
    }
    let (quick, mut slow) = (readers.pop(), readers.remove(0));
    world.serve(&far, Router::new().on("echo", echo).on_message("mirror", mirror));
    assert!(read_file(&mut quick.expect("there are two")).await.expect("it comes") == contents[1]);
    sending.pop().expect("there are two").await.expect("it is told");
    for round in 0..3 {
        still_works(&near).await;
        let (writer, mut reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
        let writing = world.spawn(async move { write_stream(writer, &octets(10_000, round)).await });
        assert!(read_stream(&mut reader).await.expect("it is complete") == octets(10_000, round));
        writing.await.expect("it is read");
        // It may be told so before it has offered all.
        let refused = match near.send_file(Uploading::from_bytes("small", octets(1000, round))).await {
            Ok(upload) => upload.finished().await,
            Err(error) => Err(error),
        };
        assert!(matches!(refused, Err(Error::Aborted(Code::NOT_IMPLEMENTED))), "{refused:?}");
    }
    let of_the_slow = far.stats().received.flow_octets - contents[1].len() as u64 - 3 * 10_000;
    assert!(of_the_slow <= 33_000, "nobody takes it, and {of_the_slow} octets came");
    assert!(!sending[0].is_done());
    assert!(read_file(&mut slow).await.expect("it comes") == contents[0]);
    sending.remove(0).await.expect("it is told");
    drop(slow);
    world.part(near, far).await;
}

async fn answers_that_nobody_takes_stop_who_gives_them(world: World) {
    const MANY: usize = 30;
    let (near, far) = world.pair_with(tight(), patient()).await;
    let router = Router::new().on("echo", echo).on_message("many", |mut message| async move {
        for number in 0..MANY {
            message.respond(&octets(5000, number)).more().await?;
        }
        Ok(message.answer(&()).await?)
    });
    world.serve(&far, router);
    let mut exchange = near.open("many", &()).send().await.expect("the line is up");
    until(|| far.stats().sent.responses > 0).await;
    settled(&near, &far).await;
    let given = far.stats().sent.responses;
    assert!(given <= 7, "nobody takes them, and {given} were given");
    for _ in 0..5 {
        still_works(&near).await;
    }
    for number in 0..MANY {
        let answer = exchange.next().await.expect("it comes").expect("it is an answer");
        assert!(answer.decode::<Vec<u8>>().expect("it is whole") == octets(5000, number));
    }
    exchange.answer::<()>().await.expect("that was all");
    drop(exchange);
    world.part(near, far).await;
}

/// Each round spends a good part of every credit. Were it lost, those behind would wait for ever.
async fn what_was_given_up_gives_its_credit_back(world: World) {
    let mut config = tight();
    (config.lanes, config.flows) = (4, 2);
    let (near, far) = world.pair_with(config.clone(), config).await;
    let router = Router::new()
        .on("echo", echo)
        .on_message("mirror", mirror)
        .on_message("drop", |message| async move {
            drop(message);
            Ok(())
        })
        .on_message("stop", |mut message| async move {
            let mut stream = message.stream().await?;
            stream.chunk().await?;
            stream.stop(Code::CANCELLED);
            message.code(Code::OK);
            Ok(())
        })
        .on_message("much", |message| async move { Ok(message.answer(&octets(60_000, 1)).await?) });
    world.serve(&far, router);
    let body = octets(60_000, 1);
    for round in 0..world.much(640).max(10) / 64 + 4 {
        // A body that is not wanted, one that is given up, and an answer that is.
        near.notify("drop", &body).await.expect("the line is up");
        assert!(
            cut_short(1 + round % 3, near.request::<_, String>("echo", &body)).await.is_none_or(|told| told.is_err())
        );
        let asked = near.open("much", &()).send().await.expect("the line is up");
        if round % 2 == 0 {
            until(|| far.stats().sent.responses > round as u64 / 2).await;
        }
        drop(asked);
        // A stream that its reader stops, and one that its writer gives up.
        let (mut writer, reader) = near.open("stop", &()).into_stream().await.expect("the line is up");
        while writer.send(&body).await.is_ok() {}
        drop((writer, reader));
        let (mut writer, reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
        assert!(cut_short(1 + round % 3, writer.send(&body)).await.is_none_or(|sent| sent.is_ok()));
        writer.cancel(Code::CANCELLED);
        drop(reader);
        // A file that is declined.
        let file = Uploading::from_bytes("f", body.clone());
        if let Ok(upload) = near.send_file(file).await {
            upload.finished().await.expect_err("nobody takes it");
        }
        still_works(&near).await;
    }
    world.part(near, far).await;
}

/// Waits until neither end sends any more by itself.
async fn settled(near: &Line, far: &Line) {
    let sent = || [near, far].map(|line| (line.stats().sent.frames, line.stats().sent.flow_octets));
    let mut before = sent();
    loop {
        for _ in 0..3 {
            near.ping().await.expect("a ping is never held up");
            far.ping().await.expect("a ping is never held up");
            for _ in 0..20 {
                turn().await;
            }
        }
        match sent() {
            now if now == before => return,
            now => before = now,
        }
    }
}
