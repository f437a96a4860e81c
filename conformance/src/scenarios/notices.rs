//! Messages that want no answer.

use bytes::Bytes;
use ropeway_driver::{ActionError, BodyKind, Error, Line, To};
use serde::{Deserialize, Serialize};

use super::by_hand::octets;
use super::{Scenario, scenarios};
use crate::world::World;

pub(super) const LIST: &[Scenario] = scenarios![
    arrive_in_order_both_ways,
    each_content_arrives_as_what_it_was,
    a_wrong_type_names_the_action_and_both_types,
    large_ones_arrive_whole_among_small_ones,
    each_goes_to_one_of_several_takers,
    an_action_that_cannot_be_is_refused_at_once,
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    level: u8,
    words: Vec<String>,
    size: Option<(u64, i32)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Other {
    level: u8,
}

async fn arrive_in_order_both_ways(world: World) {
    const MANY: u32 = 500;
    async fn speak(line: Line) {
        for number in 0..MANY {
            let body = (number, octets(number as usize % 300, 1));
            line.notify("count", &body).await.expect("the line is up");
        }
    }
    async fn hear(line: Line) {
        let mut messages = line.messages();
        for number in 0..MANY {
            let mut message = messages.next().await.expect("it comes");
            let body: (u32, Vec<u8>) = message.decode().await.expect("it is a number and octets");
            assert_eq!(body, (number, octets(number as usize % 300, 1)));
            assert!(!message.wants_answer());
        }
    }
    let (near, far) = world.pair().await;
    let sides = [
        world.spawn(speak(near.clone())),
        world.spawn(hear(near.clone())),
        world.spawn(speak(far.clone())),
        world.spawn(hear(far.clone())),
    ];
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn each_content_arrives_as_what_it_was(world: World) {
    let (near, far) = world.pair().await;
    let entry = Entry { level: 3, words: vec!["low".into(), String::new()], size: Some((u64::MAX, -1)) };
    let (line, sent) = (near.clone(), entry.clone());
    let speaker = world.spawn(async move {
        line.notify("text", "Atreyuuuu!").await?;
        line.notify("text", &String::from("ä\0€")).await?;
        line.notify("bytes", &Bytes::from_static(b"\xff\0")).await?;
        line.notify("bytes", &vec![1u8, 2, 3]).await?;
        line.notify("bytes", &[7u8; 32]).await?;
        line.notify("nothing", &()).await?;
        line.notify("typed", &sent).await?;
        line.notify(7, &5u64).await?;
        line.notify("empty", "").await
    });
    let line = far.clone();
    let hearer = world.spawn(async move {
        let mut messages = line.messages();
        let mut next = async |action: &str, kind: BodyKind| {
            let mut message = messages.next().await.expect("it comes");
            assert_eq!(message.action().to_string(), action);
            assert_eq!(*message.body().await.expect("it is whole").kind(), kind);
            message
        };
        let text: String = next("text", BodyKind::Text).await.decode().await?;
        assert_eq!(text, "Atreyuuuu!");
        let text: String = next("text", BodyKind::Text).await.decode().await?;
        assert_eq!(text, "ä\0€");
        let bytes: Vec<u8> = next("bytes", BodyKind::Bytes).await.decode().await?;
        assert_eq!(bytes, b"\xff\0");
        let bytes: Bytes = next("bytes", BodyKind::Bytes).await.decode().await?;
        assert_eq!(bytes, &[1, 2, 3][..]);
        let bytes: Bytes = next("bytes", BodyKind::Bytes).await.decode().await?;
        assert_eq!(bytes, &[7; 32][..]);
        let () = next("nothing", BodyKind::None).await.decode().await?;
        let typed: Entry = next("typed", BodyKind::Typed("Entry".into())).await.decode().await?;
        assert_eq!(typed, entry);
        let mut numbered = next("7", BodyKind::Typed("u64".into())).await;
        assert!(*numbered.action() == 7 && numbered.decode::<u64>().await? == 5);
        let text: String = next("empty", BodyKind::Text).await.decode().await?;
        assert_eq!(text, "");
        Ok::<_, Error>(())
    });
    speaker.await.expect("all can be sent");
    hearer.await.expect("all decode as what they are");
    world.part(near, far).await;
}

async fn a_wrong_type_names_the_action_and_both_types(world: World) {
    let (near, far) = world.pair().await;
    let line = near.clone();
    let speaker = world.spawn(async move {
        line.notify("log", &Other { level: 1 }).await?;
        line.notify("log", "text").await?;
        line.notify("log", &()).await
    });
    let line = far.clone();
    let hearer = world.spawn(async move {
        let mut messages = line.messages();
        for (expected, found) in [("Entry", "Other"), ("Entry", "text"), ("Entry", "nothing")] {
            let mut message = messages.next().await.expect("it comes");
            let error = message.decode::<Entry>().await.expect_err("it is no entry");
            let Error::WrongType { action, cause } = &error else { panic!("{error}") };
            assert_eq!(action.to_string(), "log");
            assert_eq!((&*cause.expected, &*cause.found), (expected, found));
            assert_eq!(error.to_string(), format!("action log: expected {expected}, found {found}"));
            // It is still there to be taken as what it is.
            message.body().await.expect("it is whole");
        }
    });
    speaker.await.expect("the line is up");
    hearer.await;
    world.part(near, far).await;
}

async fn large_ones_arrive_whole_among_small_ones(world: World) {
    let (near, far) = world.pair().await;
    let large = world.much(600_000);
    let mut speakers = Vec::new();
    for seed in 0..3 {
        let line = near.clone();
        speakers.push(world.spawn(async move { line.notify("large", &octets(large + seed, seed)).await }));
    }
    let line = near.clone();
    speakers.push(world.spawn(async move {
        for number in 0..200u32 {
            line.notify("small", &number).await?;
        }
        Ok(())
    }));
    let line = far.clone();
    let hearer = world.spawn(async move {
        let (mut small, mut seen) = (0, [0; 3]);
        let mut messages = line.messages();
        while small < 200 || seen != [1; 3] {
            let mut message = messages.next().await.expect("it comes");
            if *message.action() == "small" {
                assert_eq!(message.decode::<u32>().await.expect("a number"), small);
                small += 1;
                continue;
            }
            let size = message.size();
            let body: Bytes = message.decode().await.expect("it is whole");
            let seed = body.len() - large;
            assert_eq!(size, body.len() as u64);
            assert!(body == octets(large + seed, seed), "the large one numbered {seed} is torn");
            seen[seed] += 1;
        }
    });
    for speaker in speakers {
        speaker.await.expect("the line is up");
    }
    hearer.await;
    world.part(near, far).await;
}

async fn each_goes_to_one_of_several_takers(world: World) {
    const MANY: u32 = 300;
    let (near, far) = world.pair().await;
    let takers: Vec<_> = (0..3)
        .map(|_| {
            let line = far.clone();
            world.spawn(async move {
                let (mut messages, mut taken) = (line.messages(), Vec::new());
                while let Some(mut message) = messages.next().await {
                    match message.decode::<u32>().await {
                        Ok(number) => taken.push(number),
                        Err(_) => break,
                    }
                }
                taken
            })
        })
        .collect();
    for number in 0..MANY {
        near.notify("number", &number).await.expect("the line is up");
    }
    // One for each taker, and what a taker has fetched behind it is put back for the others.
    for _ in 0..3 {
        near.notify("over", &()).await.expect("the line is up");
    }
    let mut all = Vec::new();
    for taker in takers {
        let taken = taker.await;
        assert!(taken.is_sorted(), "a taker sees its messages in order");
        all.extend(taken);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..MANY), "each message once");
    world.part(near, far).await;
}

async fn an_action_that_cannot_be_is_refused_at_once(world: World) {
    let (near, far) = world.pair().await;
    let before = near.stats();
    for (to, expected) in [
        (To::Name(""), ActionError::Empty),
        (To::Number(1 << 31), ActionError::TooLarge(1 << 31)),
        (To::Number(u32::MAX), ActionError::TooLarge(u32::MAX)),
    ] {
        let file = ("x", "content");
        for refused in [
            near.notify(to, "text").await.err(),
            near.request::<_, ()>(to, "text").await.err(),
            near.ask(to, "text").await.err(),
            near.open(to, "text").file(file).send().await.err(),
            near.open(to, "text").file(file).notify().await.err(),
            near.open(to, "text").into_stream().await.err(),
        ] {
            assert!(matches!(&refused, Some(Error::Action(error)) if *error == expected), "{refused:?}");
        }
    }
    assert_eq!(near.stats().sent, before.sent, "nothing was sent");
    world.part(near, far).await;
}
