//! B19. Every future of the library, dropped behind every poll: nothing is lost, doubled or torn, and the line goes on.
//!
//! Each scenario tries a future anew, polled once more each time, until it comes to its end. Outboxes, windows and credit
//! are so small that most of them take many polls. Those of files are with the files.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_io::AsyncWrite;
use ropeway_driver::{CloseCode, Code, Config, Error, Failure, Line, Message, Reason, Router};

use super::by_hand::{cut_short, octets, queue, read_stream, still_works, until, write_stream};
use super::{Scenario, scenarios};
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    of_a_notice,
    of_a_request,
    of_a_request_for_a_code,
    of_open_and_its_kinds,
    of_an_exchange,
    of_a_stream_that_is_asked_for,
    of_what_a_line_waits_for,
    of_a_goodbye,
    of_going_away,
    of_messages,
    of_a_body,
    of_an_answer,
    of_updates_and_responses,
    of_a_stream_in_an_answer,
    of_writing,
    of_finishing,
    of_reading,
    of_waiting_for_an_abort,
    of_connecting,
    of_listening,
    of_a_shutdown,
];

/// So many polls are more than anything here takes: a future that never comes to its end is a fault, too.
const ENDLESS: usize = 5000;

/// An outbox that holds a small frame or two.
fn narrow() -> Config {
    let mut config = tight();
    config.protocol.max_frame = 2048;
    config.protocol.lane_credit = 4096;
    config.protocol.flow_credit = 4096;
    config.outbox = 2048;
    config.lanes = 4;
    config.flows = 2;
    config
}

/// Content that tells its number.
fn numbered(number: usize, len: usize) -> Vec<u8> {
    let mut content = (number as u32).to_le_bytes().to_vec();
    content.extend(octets(len, number));
    content
}

/// The number of a content that is whole.
fn number_of(content: &[u8], len: usize) -> usize {
    let number = u32::from_le_bytes(content[..4].try_into().expect("four octets")) as usize;
    assert!(content == numbered(number, len), "content {number} is torn");
    number
}

/// What came, each once.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<usize>>>);

impl Seen {
    fn put(&self, number: usize) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!seen.contains(&number), "{number} came twice");
        seen.push(number);
    }

    fn has(&self, number: usize) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }
}

async fn echo(text: String) -> Result<String, Failure> {
    Ok(text)
}

/// A line whose far end answers echoes, answers content with itself, and notes what came whole.
async fn line_to(world: &World, len: usize) -> (Line, Line, Seen) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let seen = Seen::default();
    let noted = seen.clone();
    let router = Router::new().on("echo", echo).on("content", move |content: Bytes| {
        noted.put(number_of(&content, len));
        async move { Ok(content) }
    });
    world.serve(&far, router.on_message("mirror", mirror));
    (near, far, seen)
}

async fn mirror(mut message: Message) -> Result<(), Error> {
    let mut reader = message.stream().await?;
    let mut writer = message.respond(&()).stream().await?;
    while let Some(chunk) = reader.chunk().await? {
        writer.send(&chunk).await?;
    }
    writer.finish().await
}

async fn of_a_notice(world: World) {
    for len in [10, 20_000] {
        let (near, far, seen) = line_to(&world, len).await;
        for polls in 0..ENDLESS {
            let done = cut_short(polls, near.notify("content", &numbered(polls, len))).await;
            still_works(&near).await;
            if let Some(outcome) = done {
                outcome.expect("the line is up");
                until(|| seen.has(polls)).await;
                break;
            }
        }
        world.part(near, far).await;
    }
}

async fn of_a_request(world: World) {
    for len in [10, 10_000] {
        let (near, far, seen) = line_to(&world, len).await;
        for polls in 0..ENDLESS {
            let content = numbered(polls, len);
            let done = cut_short(polls, near.request::<_, Bytes>("content", &content)).await;
            still_works(&near).await;
            if let Some(outcome) = done {
                assert!(outcome.expect("it is answered") == content);
                assert!(seen.has(polls));
                break;
            }
        }
        world.part(near, far).await;
    }
}

async fn of_a_request_for_a_code(world: World) {
    for len in [10, 10_000] {
        let (near, far, seen) = line_to(&world, len).await;
        for polls in 0..ENDLESS {
            let done = cut_short(polls, near.ask("content", &numbered(polls, len))).await;
            still_works(&near).await;
            if let Some(outcome) = done {
                assert_eq!(outcome.expect("it is answered"), Code::OK);
                assert!(seen.has(polls));
                break;
            }
        }
        world.part(near, far).await;
    }
}

async fn of_open_and_its_kinds(world: World) {
    let len = 10_000;
    let (near, far, seen) = line_to(&world, len).await;
    let mut number = 0;
    for polls in 0..ENDLESS {
        number += 1;
        let done = cut_short(polls, near.open("content", &numbered(number, len)).notify()).await;
        still_works(&near).await;
        if let Some(outcome) = done {
            assert!(outcome.expect("the line is up").is_empty());
            until(|| seen.has(number)).await;
            break;
        }
    }
    for polls in 0..ENDLESS {
        number += 1;
        let content = numbered(number, len);
        let done = cut_short(polls, near.open("content", &content).send()).await;
        still_works(&near).await;
        if let Some(outcome) = done {
            let mut exchange = outcome.expect("the line is up");
            assert!(exchange.answer::<Bytes>().await.expect("it is answered") == content);
            break;
        }
    }
    for polls in 0..ENDLESS {
        number += 1;
        let content = numbered(number, len);
        let done = cut_short(polls, near.open("content", &content).replies()).await;
        still_works(&near).await;
        if let Some(outcome) = done {
            let reply = outcome.expect("the line is up").next().await.expect("it comes").expect("it is answered");
            assert!(reply.body().as_slice() == content);
            break;
        }
    }
    world.part(near, far).await;
}

async fn of_an_exchange(world: World) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let router = Router::new().on("echo", echo).on_message("many", |mut message| async move {
        for number in 0..10 {
            message.respond(&Bytes::from(numbered(number, number * 700))).more().await?;
            message.update(&number).await?;
        }
        message.answer("over").await
    });
    world.serve(&far, router);
    let mut exchange = near.open("many", &()).send().await.expect("the line is up");
    let mut polls = 0;
    let mut next = async || {
        for _ in 0..ENDLESS {
            polls = (polls + 1) % 4;
            if let Some(reply) = cut_short(polls, exchange.next()).await {
                return reply.expect("it comes").expect("it is an answer");
            }
        }
        panic!("it never comes");
    };
    for number in 0..10 {
        assert_eq!(number_of(next().await.body().as_slice(), number * 700), number);
        let update = next().await;
        assert!(update.is_update());
        assert_eq!(update.body().decode::<usize>().expect("a number"), number);
    }
    assert_eq!(next().await.body().decode::<String>().expect("a text"), "over");
    // The first answer, however often it is asked for.
    for _ in 0..3 {
        let mut exchange = near.open("many", &()).send().await.expect("the line is up");
        let mut polls = 0;
        let first = loop {
            polls += 1;
            if let Some(first) = cut_short(polls % 3, exchange.answer::<Bytes>()).await {
                break first.expect("it is an answer");
            }
            assert!(polls < ENDLESS, "it never comes");
        };
        assert_eq!(number_of(&first, 0), 0);
        drop(exchange);
        still_works(&near).await;
    }
    drop(exchange);
    world.part(near, far).await;
}

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

async fn of_what_a_line_waits_for(world: World) {
    // The handshake.
    for polls in 0..ENDLESS {
        let (near, far) = world.strangers(patient(), patient()).await;
        let done = cut_short(polls, near.ready()).await;
        near.ready().await.expect("the far end says hello");
        world.serve(&far, Router::new().on("echo", echo));
        still_works(&near).await;
        world.part(near, far).await;
        if let Some(outcome) = done {
            outcome.expect("the far end says hello");
            break;
        }
    }
    // A pong.
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", echo));
    for polls in 0..ENDLESS {
        let done = cut_short(polls, near.ping()).await;
        still_works(&near).await;
        if let Some(outcome) = done {
            outcome.expect("the line is up");
            break;
        }
    }
    // That nothing is open.
    for polls in 0..ENDLESS {
        let asked = near.open("echo", "text").send().await.expect("the line is up");
        drop(asked);
        let done = cut_short(polls, near.idle()).await;
        still_works(&near).await;
        if done.is_some() {
            break;
        }
    }
    // The end.
    let mut waits = 0;
    assert!(cut_short(0, near.ended()).await.is_none() && cut_short(1, near.ended()).await.is_none());
    let line = near.clone();
    let cutting = world.spawn(async move { line.close(CloseCode::DONE, "").await });
    while cut_short(waits % 3, near.ended()).await.is_none() {
        waits += 1;
    }
    assert_eq!(cutting.await.reason, Reason::ByUs(CloseCode::DONE));
}

async fn of_a_goodbye(world: World) {
    for polls in 1..ENDLESS {
        let (near, far) = world.pair().await;
        near.notify("", "before").await.expect("the line is up");
        let done = cut_short(polls, near.close(CloseCode::DONE, "")).await;
        // It closes all the same.
        let mut messages = far.messages();
        let mut message = messages.next().await.expect("it was said before");
        assert_eq!(message.decode::<String>().await.expect("a text"), "before");
        assert!(messages.next().await.is_none());
        assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
        assert_eq!(near.ended().await.reason, Reason::ByUs(CloseCode::DONE));
        if done.is_some() {
            break;
        }
    }
}

async fn of_going_away(world: World) {
    for polls in 0..ENDLESS {
        let (near, far) = world.pair().await;
        world.serve(&far, Router::new().on("echo", echo));
        let done = cut_short(polls, near.go_away()).await;
        still_works(&near).await;
        match done {
            Some(outcome) => {
                outcome.expect("the line is up");
                until(|| far.is_peer_away()).await;
                break;
            }
            None => assert!(!far.is_peer_away() || polls > 0),
        }
    }
}

async fn of_messages(world: World) {
    const MANY: usize = 200;
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let line = near.clone();
    let speaker = world.spawn(async move {
        for number in 0..MANY {
            line.notify("", &numbered(number, number % 90)).await.expect("the line is up");
        }
    });
    let line = far.clone();
    let hearer = world.spawn(async move {
        let (mut messages, mut expected) = (line.messages(), 0);
        for polls in 0..ENDLESS {
            if polls % 50 == 0 {
                // What was fetched and not taken is put back.
                messages = line.messages();
            }
            let Some(message) = cut_short(polls % 3, messages.next()).await else { continue };
            let content: Vec<u8> = message.expect("it comes").decode().await.expect("it is whole");
            assert_eq!(number_of(&content, expected % 90), expected);
            expected += 1;
            if expected == MANY {
                return;
            }
        }
        panic!("only {expected} came");
    });
    speaker.await;
    hearer.await;
    world.part(near, far).await;
}

async fn of_a_body(world: World) {
    let len = 20_000;
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    for number in 0..3 {
        let line = near.clone();
        let speaker = world.spawn(async move { line.notify("", &numbered(number, len)).await });
        let mut message = far.messages().next().await.expect("it comes");
        let mut tried = 0;
        loop {
            tried += 1;
            let whole = match number {
                0 => cut_short(tried % 3, message.body()).await.map(|body| body.map(|body| body.as_slice().to_vec())),
                1 => cut_short(tried % 3, message.decode::<Vec<u8>>()).await,
                _ => cut_short(tried % 3, message.take_body())
                    .await
                    .map(|body| body.map(|body| body.as_slice().to_vec())),
            };
            if let Some(whole) = whole {
                assert_eq!(number_of(&whole.expect("it is whole"), len), number);
                break;
            }
            assert!(tried < ENDLESS, "it never comes");
        }
        drop(message);
        speaker.await.expect("the line is up");
    }
    world.part(near, far).await;
}

async fn of_an_answer(world: World) {
    for len in [10, 10_000] {
        let (near, far) = world.pair_with(narrow(), narrow()).await;
        let mut messages = far.messages();
        for polls in 0..ENDLESS {
            let line = near.clone();
            let asker = world.spawn(async move { line.request::<_, Bytes>("", &()).await });
            let message = messages.next().await.expect("it comes");
            let content = numbered(polls, len);
            let done = cut_short(polls, message.answer(&content)).await;
            match asker.await {
                Ok(answer) => assert_eq!(number_of(&answer, len), polls),
                Err(Error::Answered(Code::NO_ANSWER, None) | Error::Aborted(Code::CANCELLED)) => {
                    assert!(done.is_none(), "it was answered");
                }
                Err(error) => panic!("{error}"),
            }
            if let Some(outcome) = done {
                outcome.expect("it is waited for");
                break;
            }
        }
        for polls in 0..ENDLESS {
            let line = near.clone();
            let asker = world.spawn(async move { line.request::<_, Bytes>("", &()).await });
            let message = messages.next().await.expect("it comes");
            let done = cut_short(polls, message.fail(Failure::new(Code::BUSY, "come back"))).await;
            match asker.await {
                Err(Error::Answered(Code::BUSY, Some(body))) => assert_eq!(body.as_slice(), b"come back"),
                Err(Error::Answered(Code::NO_ANSWER, None)) if done.is_none() => {}
                other => panic!("{other:?}"),
            }
            if let Some(outcome) = done {
                outcome.expect("it is waited for");
                break;
            }
        }
        drop(messages);
        world.part(near, far).await;
    }
}

async fn of_updates_and_responses(world: World) {
    let len = 1500;
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let line = near.clone();
    let asker = world.spawn(async move {
        let mut exchange = line.open("", &()).send().await.expect("the line is up");
        let mut numbers = Vec::new();
        while let Some(reply) = exchange.next().await {
            let reply = reply.expect("it is an answer");
            if reply.is_last() {
                break;
            }
            numbers.push(number_of(reply.body().as_slice(), len));
        }
        numbers
    });
    let mut message = far.messages().next().await.expect("it comes");
    let (mut said, mut tried) = (Vec::new(), 0);
    while said.len() < 40 {
        tried += 1;
        let content = numbered(tried, len);
        let done = if tried % 2 == 0 {
            cut_short(tried % 3, message.update(&content)).await
        } else {
            // What is smaller than a frame is sent whole, or not at all.
            cut_short(tried % 3, message.respond(&content).more().send()).await.map(|sent| sent.map(drop))
        };
        if let Some(outcome) = done {
            outcome.expect("it is waited for");
            said.push(tried);
        }
        assert!(tried < ENDLESS, "it never goes");
    }
    message.code(Code::OK);
    assert_eq!(asker.await, said);
    world.part(near, far).await;
}

async fn of_a_stream_in_an_answer(world: World) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let mut messages = far.messages();
    for polls in 0..ENDLESS {
        let mut exchange = near.open("", &()).send().await.expect("the line is up");
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
    let (mut writer, reader) = near.open("", &()).into_stream().await.expect("the line is up");
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
        let (mut writer, reader) = near.open("", &()).into_stream().await.expect("the line is up");
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
    let (writer, reader) = near.open("", &()).into_stream().await.expect("the line is up");
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

async fn of_waiting_for_an_abort(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    for polls in 0..ENDLESS {
        let exchange = near.open("", &()).send().await.expect("the line is up");
        let mut message = messages.next().await.expect("it comes");
        assert!(cut_short(polls.min(1), message.aborted()).await.is_none());
        drop(exchange);
        let done = cut_short(polls, message.aborted()).await;
        assert_eq!(message.aborted().await, Code::CANCELLED);
        if let Some(code) = done {
            assert_eq!(code, Code::CANCELLED);
            break;
        }
    }
    drop(messages);
    world.part(near, far).await;
}

async fn of_connecting(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    for polls in 0..ENDLESS {
        let done = cut_short(polls, world.client(server.address()).connect()).await;
        if let Some(line) = done {
            still_works(&line.expect("it listens")).await;
            break;
        }
    }
    // No line is left of those that were dropped.
    let line = world.client(server.address()).connect().await.expect("it listens");
    until(|| server.lines().len() == 1).await;
    let far = server.lines().remove(0);
    world.part(line, far).await;
}

async fn of_listening(world: World) {
    for polls in 0..ENDLESS {
        if let Some(server) = cut_short(polls, world.server().on("echo", echo).serve()).await {
            let server = server.expect("the address is free");
            let line = world.client(server.address()).connect().await.expect("it listens");
            still_works(&line).await;
            break;
        }
    }
}

async fn of_a_shutdown(world: World) {
    let (give, take) = queue();
    for polls in 0..ENDLESS {
        let give = give.clone();
        let server = world.server().on_message("work", move |message| {
            give.put(message);
            async { Ok(()) }
        });
        let server = server.serve().await.expect("the address is free");
        let line = world.client(server.address()).connect().await.expect("it listens");
        let asking = line.clone();
        let asker = world.spawn(async move { asking.request::<_, String>("work", &()).await });
        let message = take.next().await;
        let answering = world.spawn(async move { message.answer("done").await });
        let done = cut_short(polls, server.shutdown(std::time::Duration::from_secs(3600))).await;
        // The lines are closed, whether anybody waited for it or not.
        assert_eq!(line.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
        let _ = (asker.await, answering.await);
        if let Some(went) = done {
            assert_eq!((went.closed, went.cut), (1, 0));
            break;
        }
    }
}
