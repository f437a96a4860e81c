//! What is left over: numbers that come again, handles that outlive what they were for, turns that come late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ropeway_driver::{Code, Error, Message, Router};
use serde::{Deserialize, Serialize};

use super::by_hand::{octets, read_stream, still_works, turn, write_stream};
use super::{Scenario, scenarios};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    a_handle_that_is_over_touches_nobody_elses_exchange,
    a_message_that_is_answered_touches_nobody_elses_exchange,
    notices_before_a_goodbye_are_handled_to_their_end,
    an_error_ends_the_answers,
    a_handler_that_has_answered_ends_with_the_line,
    a_wrong_type_in_any_handler_is_told,
    files_that_nobody_handles_are_declined_as_such,
    a_value_may_serialise_under_a_lock_of_its_own,
];

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    level: u8,
}

async fn a_handle_that_is_over_touches_nobody_elses_exchange(world: World) {
    let mut config = patient();
    config.lanes = 1;
    let (near, far) = world.pair_with(config.clone(), config).await;
    let router = Router::new()
        .on_message("put", |message: Message| async {
            message.code(Code::TOO_LARGE);
            Ok(())
        })
        .on("slow", |(): ()| async {
            turn().await;
            Ok(7u8)
        });
    world.serve(&far, router);
    // More than goes at once, refused before all of it is there.
    let body = octets(world.much(4_000_000), 1);
    let mut first = near.open("put", &body[..]).send().await.expect("the line is up");
    let answer = first.next().await.expect("it is answered").expect("it is answered");
    assert_eq!(answer.code(), Code::TOO_LARGE);
    assert!(first.next().await.is_none());
    let line = near.clone();
    let second = world.spawn(async move { line.request::<_, u8>("slow", &()).await });
    drop(first);
    assert_eq!(second.await.expect("nobody gave it up"), 7);
    world.part(near, far).await;
}

async fn a_message_that_is_answered_touches_nobody_elses_exchange(world: World) {
    let mut config = patient();
    config.lanes = 1;
    let (near, far) = world.pair_with(config.clone(), config).await;
    let mut messages = far.messages();
    let mut asked = near.open("first", &()).send().await.expect("the line is up");
    let mut first = messages.next().await.expect("it comes");
    // With the stream all is said, and the lane is free.
    let writer = first.respond(&()).stream().await.expect("it is waited for");
    let mut reader = asked.stream().await.expect("it brings one");
    let line = near.clone();
    let second = world.spawn(async move { line.request::<_, u8>("second", &()).await });
    let message = messages.next().await.expect("it comes");
    drop(first);
    message.answer(&7u8).await.expect("it is waited for");
    assert_eq!(second.await.expect("nobody else answers it"), 7);
    let writing = world.spawn(async move { write_stream(writer, b"on it goes").await });
    assert_eq!(read_stream(&mut reader).await.expect("it is complete"), b"on it goes");
    writing.await.expect("it was read");
    drop((asked, reader, messages));
    world.part(near, far).await;
}

async fn notices_before_a_goodbye_are_handled_to_their_end(world: World) {
    const NOTICES: usize = 10;
    let (near, far) = world.pair().await;
    let handled = Arc::new(AtomicUsize::new(0));
    let counter = handled.clone();
    let router = Router::new().on("log", move |(): ()| {
        let counter = counter.clone();
        async move {
            for _ in 0..20 {
                turn().await;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    });
    world.serve(&far, router);
    for _ in 0..NOTICES {
        near.notify("log", &()).await.expect("the line is up");
    }
    drop(near);
    far.ended().await;
    while handled.load(Ordering::Relaxed) < NOTICES {
        turn().await;
    }
}

async fn an_error_ends_the_answers(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    let mut asked = near.open("never", &()).send().await.expect("the line is up");
    let message = messages.next().await.expect("it comes");
    far.cut();
    assert!(matches!(asked.next().await, Some(Err(Error::Closed(_)))));
    assert!(asked.next().await.is_none(), "an error is told once");
    drop(message);
}

async fn a_handler_that_has_answered_ends_with_the_line(world: World) {
    struct Tell(Arc<AtomicBool>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (near, far) = world.pair().await;
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = dropped.clone();
    let router = Router::new().on_message("linger", move |message: Message| {
        let tell = Tell(flag.clone());
        async move {
            turn().await;
            message.answer("ok").await?;
            std::future::pending::<()>().await;
            drop(tell);
            Ok(())
        }
    });
    world.serve(&far, router);
    let answer: String = near.request("linger", &()).await.expect("it is answered");
    assert_eq!(answer, "ok");
    far.cut();
    near.ended().await;
    while !dropped.load(Ordering::Relaxed) {
        turn().await;
    }
}

async fn a_wrong_type_in_any_handler_is_told(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on("echo", |text: String| async { Ok(text) }).on_message(
        "log",
        |mut message: Message| async move {
            let entry: Entry = message.decode().await?;
            Ok(message.answer(&entry).await?)
        },
    );
    world.serve(&far, router);
    match near.request::<_, Entry>("log", "text").await {
        Err(Error::Answered(Code::WRONG_TYPE, Some(body))) => {
            let text: String = body.decode().expect("it is text");
            assert!(["log", "Entry", "text"].iter().all(|word| text.contains(word)), "{text}");
        }
        other => panic!("{other:?}"),
    }
    still_works(&near).await;
    world.part(near, far).await;
}

async fn files_that_nobody_handles_are_declined_as_such(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", |text: String| async { Ok(text) }));
    let file = ropeway_driver::Uploading::from_bytes("x", vec![1; 1000]);
    // The refusal may come before the offer has gone, or behind it.
    let error = match near.send_file(file).await {
        Ok(upload) => upload.finished().await.expect_err("nobody takes it"),
        Err(error) => error,
    };
    assert!(matches!(error, Error::Aborted(Code::NOT_IMPLEMENTED)), "{error:?}");
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_value_may_serialise_under_a_lock_of_its_own(world: World) {
    /// Looks at its line while it is serialised, as a value behind a lock that somebody holds may make it wait to.
    struct Curious(ropeway_driver::Line);
    impl Serialize for Curious {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&self.0.is_over().to_string())
        }
    }
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", |text: String| async { Ok(text) }));
    let text: String = near.request("echo", &Curious(near.clone())).await.expect("it is answered");
    assert_eq!(text, "false");
    world.part(near, far).await;
}
