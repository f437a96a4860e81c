//! What a handler fails with, as its peer hears it.

use std::future::{poll_fn, ready};
use std::io;
use std::task::Poll;

use ropeway_driver::{Code, Error, Failure, Router, SafeName};

use super::by_hand::{echo, queue, still_works, turn};
use super::{Scenario, scenarios};
use crate::world::World;

pub(super) const LIST: &[Scenario] = scenarios![
    a_failure_is_the_answer_of_every_kind_of_handler,
    a_failure_is_the_answer_wherever_its_message_was_dropped,
    a_message_given_away_is_answered_by_who_has_it,
];

/// An error of the application's own.
#[derive(Debug)]
struct Closed;

impl From<Closed> for Failure {
    fn from(_: Closed) -> Failure {
        Failure::new(Code::BUSY, "come back tomorrow")
    }
}

/// What a handler fails with, by the name of its kind.
fn fail(how: &str) -> Result<(), Failure> {
    match how {
        "own" => Err(Closed)?,
        "code" => Err(Code::NOT_FOUND)?,
        "ropeway" => Err(Error::TimedOut)?,
        "name" => drop(SafeName::new("..")?),
        "system" => Err(io::Error::new(io::ErrorKind::PermissionDenied, "/etc/secret"))?,
        "any" => "x".parse::<u8>().map(drop).map_err(Failure::internal)?,
        other => unreachable!("{other}"),
    }
    Ok(())
}

async fn a_failure_is_the_answer_of_every_kind_of_handler(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new()
        .on("echo", echo)
        .on("value", |how: String| async move { fail(&how) })
        .on_message("message", |mut message| async move { fail(&message.decode::<String>().await?) })
        .on_message("later", |mut message| async move {
            let how: String = message.decode().await?;
            turn().await;
            fail(&how)
        })
        .on_message("begun", |mut message| async move {
            let how: String = message.decode().await?;
            message.respond("some").more().await?;
            fail(&how)
        })
        .fallback(|mut message| async move { fail(&message.decode::<String>().await?) });
    world.serve(&far, router);
    for (how, code, text) in [
        ("own", Code::BUSY, "come back tomorrow"),
        ("code", Code::NOT_FOUND, ""),
        ("ropeway", Code::TIMEOUT, ""),
        ("name", Code::BAD_NAME, ""),
        ("system", Code::IO, ""),
        ("any", Code::INTERNAL, ""),
    ] {
        for action in ["value", "message", "later", "begun", "nobody's"] {
            let mut exchange = near.open(action, how).send().await.expect("the line is up");
            if action == "begun" {
                let some = exchange.next().await.expect("it is answered").expect("and goes on");
                assert!(!some.is_last());
            }
            let last = exchange.next().await.expect("it is answered").expect("not given up");
            let told: String = if text.is_empty() { "".into() } else { last.body().decode().expect("a text") };
            assert_eq!((last.code(), &*told, last.is_last()), (code, text, true), "{action} {how}");
            assert_eq!(last.body().is_empty(), text.is_empty(), "{action} {how}");
        }
    }
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_failure_is_the_answer_wherever_its_message_was_dropped(world: World) {
    let (near, far) = world.pair().await;
    let busy = || Err::<(), Failure>(Code::BUSY.into());
    let router = Router::new()
        .on("echo", echo)
        .on_message("when called", move |_message| async move { busy() })
        .on_message("before any poll", move |_| ready(busy()))
        .on_message("in a poll", move |message| async move {
            drop(message);
            busy()
        })
        .on_message("behind the last poll", move |message| {
            poll_fn(move |_| {
                let _kept = &message;
                Poll::Ready(busy())
            })
        })
        .on_message("well", |_message| async { Ok(()) })
        .fallback(move |_| async move { busy() });
    world.serve(&far, router);
    for (action, code) in [
        ("when called", Code::BUSY),
        ("before any poll", Code::BUSY),
        ("in a poll", Code::BUSY),
        ("behind the last poll", Code::BUSY),
        ("nobody's", Code::BUSY),
        ("well", Code::NO_ANSWER),
    ] {
        assert_eq!(near.ask(action, &()).await.expect("it is answered"), code, "{action}");
    }
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_message_given_away_is_answered_by_who_has_it(world: World) {
    let (near, far) = world.pair().await;
    let (give, take) = queue();
    let router = Router::new().on_message("give", move |message| {
        give.put(message);
        async { Err(Code::BUSY.into()) }
    });
    world.serve(&far, router);
    for answers in [true, false] {
        let line = near.clone();
        let asker = world.spawn(async move { line.request::<_, String>("give", &()).await });
        let message = take.next().await;
        // Its handler is over when the next one runs.
        near.notify("give", &()).await.expect("the line is up");
        drop(take.next().await);
        if answers {
            message.answer("here").await.expect("it is waited for");
            assert_eq!(asker.await.expect("it is answered"), "here");
        } else {
            drop(message);
            let answer = asker.await;
            assert!(matches!(answer, Err(Error::Answered(Code::NO_ANSWER, None))), "{answer:?}");
        }
    }
    world.part(near, far).await;
}
