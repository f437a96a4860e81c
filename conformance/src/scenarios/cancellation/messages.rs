//! Of messages, requests and answers.

use bytes::Bytes;
use ropeway_driver::{Code, Error, Failure, Router};

use super::{ENDLESS, line_to, narrow, number_of, numbered};
use crate::scenarios::by_hand::{cut_short, echo, still_works, until};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    of_a_notice,
    of_a_request,
    of_a_request_for_a_code,
    of_open_and_its_kinds,
    of_an_exchange,
    of_messages,
    of_a_body,
    of_an_answer,
    of_updates_and_responses,
    of_waiting_for_an_abort,
];

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
        let done = cut_short(polls, near.open("content", &content).send()).await;
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
        Ok(message.answer("over").await?)
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

async fn of_messages(world: World) {
    const MANY: usize = 200;
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let line = near.clone();
    let speaker = world.spawn(async move {
        for number in 0..MANY {
            line.notify("any", &numbered(number, number % 90)).await.expect("the line is up");
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
        let speaker = world.spawn(async move { line.notify("any", &numbered(number, len)).await });
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
            let asker = world.spawn(async move { line.request::<_, Bytes>("any", &()).await });
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
            let asker = world.spawn(async move { line.request::<_, Bytes>("any", &()).await });
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
        let mut exchange = line.open("any", &()).send().await.expect("the line is up");
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

async fn of_waiting_for_an_abort(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    for polls in 0..ENDLESS {
        let exchange = near.open("any", &()).send().await.expect("the line is up");
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
