//! What a handler fails with, as its peer hears it.

use std::future::{poll_fn, ready};
use std::io;
use std::task::Poll;

use ropeway_driver::{Code, Error, Failure, Router, SafeName};
use serde::{Serialize, Serializer};

use super::by_hand::{echo, octets, queue, still_works, turn, until};
use super::{Scenario, scenarios};
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    a_failure_is_the_answer_of_every_kind_of_handler,
    a_failure_is_the_answer_wherever_its_message_was_dropped,
    an_answer_that_cannot_be_said_is_told,
    an_answer_that_is_given_up_halfway_says_so,
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

/// Whoever says it.
async fn an_answer_that_cannot_be_said_is_told(world: World) {
    /// No value of it serialises.
    struct Sealed;
    impl Serialize for Sealed {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not for anybody"))
        }
    }
    let mut config = patient();
    config.protocol.max_message = 1000;
    let (near, far) = world.pair_with(config, patient()).await;
    let (give, take) = queue();
    let long = || "x".repeat(1001);
    let fail = move || Err(Failure::new(Code::BUSY, long()));
    let router = Router::new()
        .on("echo", echo)
        .on("large", move |(): ()| async move { Ok(long()) })
        .on("sealed", |(): ()| async { Ok(Sealed) })
        .on("long", move |(): ()| async move { fail() as Result<(), _> })
        .on_message("large message", move |message| async move { Ok(message.answer(&long()).await?) })
        .on_message("sealed message", |message| async move { Ok(message.answer(&Sealed).await?) })
        .on_message("long message", move |_| async move { fail() })
        .on_message("given", move |message| {
            give.put(message);
            async { Ok(()) }
        });
    world.serve(&far, router);
    let giver = world.spawn(async move {
        let error = take.next().await.answer(&long()).await.expect_err("it is too large");
        assert!(matches!(error, Error::TooLarge(_)), "{error:?}");
        take.next().await.fail(Failure::new(Code::BUSY, long())).await.expect("its text is no matter");
    });
    for (action, code) in [
        ("large", Code::TOO_LARGE),
        ("sealed", Code::INTERNAL),
        ("long", Code::BUSY),
        ("large message", Code::TOO_LARGE),
        ("sealed message", Code::INTERNAL),
        ("long message", Code::BUSY),
        ("given", Code::TOO_LARGE),
        ("given", Code::BUSY),
    ] {
        let answer = near.request::<_, ()>(action, &()).await;
        assert!(matches!(answer, Err(Error::Answered(told, None)) if told == code), "{action}: {answer:?}");
    }
    giver.await;
    still_works(&near).await;
    world.part(near, far).await;
}

async fn an_answer_that_is_given_up_halfway_says_so(world: World) {
    let (near, far) = world.pair_with(tight(), patient()).await;
    let mut messages = far.messages();
    for begun in 1..=5 {
        let asked = near.open("any", &()).send().await.expect("the line is up");
        let message = messages.next().await.expect("it comes");
        // Nobody takes the body, so that it stops at the lane's credit.
        let answering = world.spawn(async move { message.answer(&octets(100_000, 1)).await });
        until(|| far.stats().sent.responses == begun).await;
        drop(asked);
        let given_up = answering.await;
        assert!(matches!(given_up, Err(Error::Aborted(Code::CANCELLED))), "{given_up:?}");
    }
    drop(messages);
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
