//! Messages that want an answer, and every kind of answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ropeway_driver::{Code, Error, Exchange, Failure, Line, Message, Messages, Router};
use serde::{Deserialize, Serialize};

use super::by_hand::{echo, octets, polled, still_works, turn};
use super::{Scenario, scenarios};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    both_ends_ask_and_are_answered,
    a_bare_code_is_an_answer,
    a_failure_carries_its_text,
    a_dropped_request_is_answered_for,
    what_nobody_handles_is_not_implemented,
    a_wrong_type_is_told_to_whoever_sent_it,
    an_answer_of_another_type_is_an_error,
    many_answers_come_in_order,
    a_response_has_a_code_and_a_body,
    updates_come_between_and_answer_passes_them_over,
    six_hundred_in_flight_share_few_lanes,
    who_finds_no_lane_free_waits_for_one,
    what_is_too_large_waits_for_no_lane,
    a_large_notice_waits_for_its_turn,
    who_is_woken_for_a_lane_and_never_comes_keeps_nobody,
    answers_come_in_any_order,
    a_request_that_wants_nothing_but_the_code,
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Question {
    number: u32,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Verdict(u32, bool);

async fn judge(question: Question) -> Result<Verdict, Failure> {
    Ok(Verdict(question.number, question.text.len() == 3))
}

async fn both_ends_ask_and_are_answered(world: World) {
    async fn ask(line: Line) {
        for number in 0..100 {
            let question = Question { number, text: "why".into() };
            let verdict: Verdict = line.request("judge", &question).await.expect("it is answered");
            assert_eq!(verdict, Verdict(number, true));
        }
    }
    let (near, far) = world.pair().await;
    for line in [&near, &far] {
        world.serve(line, Router::new().on("judge", judge));
    }
    let sides = [world.spawn(ask(near.clone())), world.spawn(ask(far.clone()))];
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn a_bare_code_is_an_answer(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on_message("code", |mut message| async move {
        let code: u16 = message.decode().await?;
        message.code(Code::new(code).expect("below 4096"));
        Ok(())
    });
    world.serve(&far, router);
    let () = near.request("code", &0u16).await.expect("ok is an answer without a body");
    for value in [1, 63, 64, 4095] {
        match near.request::<_, ()>("code", &value).await {
            Err(Error::Answered(code, None)) => assert_eq!(code.value(), value),
            other => panic!("{other:?}"),
        }
    }
    world.part(near, far).await;
}

async fn a_failure_carries_its_text(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new()
        .on("words", |(): ()| async { Err::<(), _>(Failure::new(Code::BUSY, "come back later")) })
        .on("none", |(): ()| async { Err::<(), _>(Code::REJECTED.into()) });
    world.serve(&far, router);
    match near.request::<_, ()>("words", &()).await {
        Err(error @ Error::Answered(Code::BUSY, Some(_))) => {
            assert!(error.to_string().ends_with("come back later"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let refused = near.request::<_, ()>("none", &()).await;
    assert!(matches!(refused, Err(Error::Answered(Code::REJECTED, None))), "{refused:?}");
    world.part(near, far).await;
}

async fn a_dropped_request_is_answered_for(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on("echo", echo).on_message("drop", |message| async move {
        drop(message);
        Ok(())
    });
    world.serve(&far, router);
    for _ in 0..3 {
        let answer = near.request::<_, ()>("drop", "").await;
        assert!(matches!(answer, Err(Error::Answered(Code::NO_ANSWER, None))), "{answer:?}");
        // Nobody waits for a notice.
        near.notify("drop", "").await.expect("the line is up");
        still_works(&near).await;
    }
    world.part(near, far).await;
}

async fn what_nobody_handles_is_not_implemented(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", echo));
    for action in ["ech", "echo."] {
        let answer = near.request::<_, ()>(action, "").await;
        assert!(matches!(answer, Err(Error::Answered(Code::NOT_IMPLEMENTED, None))), "{answer:?}");
    }
    let answer = near.request::<_, ()>(5, "").await;
    assert!(matches!(answer, Err(Error::Answered(Code::NOT_IMPLEMENTED, None))), "{answer:?}");
    near.notify("nobody", "").await.expect("nobody minds");
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_wrong_type_is_told_to_whoever_sent_it(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("judge", judge));
    match near.request::<_, Verdict>("judge", "a text").await {
        Err(error @ Error::Answered(Code::WRONG_TYPE, Some(_))) => {
            assert!(error.to_string().ends_with("action judge: expected Question, found text"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    world.part(near, far).await;
}

async fn an_answer_of_another_type_is_an_error(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", echo).on("judge", judge));
    let question = Question { number: 1, text: String::new() };
    for (expected, outcome) in [
        ("u64", near.request::<_, u64>("judge", &question).await.map(drop)),
        ("text", near.request::<_, String>("judge", &question).await.map(drop)),
        ("Question", near.request::<_, Question>("judge", &question).await.map(drop)),
    ] {
        let Err(Error::WrongType { action, cause }) = &outcome else { panic!("{outcome:?}") };
        assert_eq!((action.to_string(), &*cause.expected, &*cause.found), ("judge".into(), expected, "Verdict"));
    }
    still_works(&near).await;
    world.part(near, far).await;
}

async fn many_answers_come_in_order(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on_message("count", |mut message| async move {
        let many: u32 = message.decode().await?;
        for number in 0..many {
            message.respond(&(number, octets(number as usize * 3, 2))).more().await?;
        }
        Ok(message.answer("over").await?)
    });
    world.serve(&far, router);
    let asked = near.clone();
    let asker = world.spawn(async move {
        let mut replies = asked.open("count", &200u32).send().await?;
        for number in 0..200u32 {
            let reply = replies.next().await.expect("it comes")?;
            assert!(!reply.is_last() && !reply.is_update() && reply.id().is_some());
            let body: (u32, Vec<u8>) = reply.decode()?;
            assert_eq!(body, (number, octets(number as usize * 3, 2)));
        }
        let last = replies.next().await.expect("it comes")?;
        assert!(last.is_last());
        assert_eq!(last.decode::<String>()?, "over");
        assert!(replies.next().await.is_none(), "nothing comes behind the last");
        assert!(replies.next().await.is_none(), "and so it stays");
        Ok::<_, Error>(())
    });
    asker.await.expect("all are answers");
    world.part(near, far).await;
}

async fn a_response_has_a_code_and_a_body(world: World) {
    let (near, far) = world.pair().await;
    let own = Code::new(Code::FIRST_OWN).expect("below 4096");
    let router = Router::new().on_message("own", move |mut message| async move {
        message.respond("why").code(own).await?;
        Ok(())
    });
    world.serve(&far, router);
    let mut replies = near.open("own", &()).await.expect("the line is up");
    let reply = replies.next().await.expect("it comes").expect("it is an answer");
    assert_eq!((reply.code(), reply.is_last(), reply.attached()), (own, true, 0));
    assert_eq!(reply.body().decode::<String>().expect("a text"), "why");
    match reply.decode::<String>() {
        Err(Error::Answered(code, Some(body))) => assert_eq!((code, body.as_slice()), (own, &b"why"[..])),
        other => panic!("{other:?}"),
    }
    drop(replies);
    world.part(near, far).await;
}

async fn updates_come_between_and_answer_passes_them_over(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on_message("work", |mut message| async move {
        for step in 0..50u32 {
            message.update(&step).await?;
        }
        Ok(message.answer("done").await?)
    });
    world.serve(&far, router);
    let mut replies = near.open("work", &()).await.expect("the line is up");
    for step in 0..50u32 {
        let reply = replies.next().await.expect("it comes").expect("it is no failure");
        assert!(reply.is_update() && !reply.is_last() && reply.code().is_ok());
        assert_eq!(reply.decode::<u32>().expect("a number"), step);
    }
    assert_eq!(replies.answer::<String>().await.expect("the answer"), "done");
    drop(replies);
    assert_eq!(near.request::<_, String>("work", &()).await.expect("the answer"), "done");
    world.part(near, far).await;
}

async fn six_hundred_in_flight_share_few_lanes(world: World) {
    let mut config = patient();
    config.lanes = 8;
    let (near, far) = world.pair_with(patient(), config).await;
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let router = Router::new().on_message("double", move |mut message| {
        let (open, most) = (open.clone(), most.clone());
        async move {
            most.fetch_max(open.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            let number: u32 = message.decode().await?;
            turn().await;
            open.fetch_sub(1, Ordering::Relaxed);
            Ok(message.answer(&(number * 2)).await?)
        }
    });
    world.serve(&far, router);
    let askers: Vec<_> = (0..600u32)
        .map(|number| {
            let line = near.clone();
            world.spawn(async move { line.request::<_, u32>("double", &number).await })
        })
        .collect();
    for (number, asker) in askers.into_iter().enumerate() {
        assert_eq!(asker.await.expect("it is answered") as usize, number * 2);
    }
    assert!((1..=8).contains(&seen.load(Ordering::Relaxed)), "{seen:?} at once on 8 lanes");
    world.part(near, far).await;
}

/// A line whose far end takes one exchange, which is open, and no message above 100 kB.
struct Narrow {
    near: Line,
    far: Line,
    messages: Messages,
    first: Exchange,
    /// The first request.
    message: Message,
}

async fn narrow(world: &World) -> Narrow {
    let mut config = patient();
    config.lanes = 1;
    config.protocol.max_message = 100_000;
    let (near, far) = world.pair_with(patient(), config).await;
    let mut messages = far.messages();
    let first = near.open("first", &()).send().await.expect("the line is up");
    let message = messages.next().await.expect("it comes");
    Narrow { near, far, messages, first, message }
}

async fn what_is_too_large_waits_for_no_lane(world: World) {
    let Narrow { near, far, mut messages, mut first, message } = narrow(&world).await;
    let mut second = Box::pin(near.ask("second", &()));
    assert!(polled(second.as_mut()).await.is_pending(), "there is one lane");
    let refused = near.ask("any", &octets(100_001, 1)).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    message.code(Code::OK);
    first.next().await.expect("it comes").expect("it is an answer");
    let taker = world.spawn(async move { messages.next().await.expect("it comes").code(Code::OK) });
    assert_eq!(second.as_mut().await.expect("it is answered"), Code::OK);
    taker.await;
    drop((first, second));
    world.part(near, far).await;
}

async fn a_large_notice_waits_for_its_turn(world: World) {
    let Narrow { near, far, mut messages, mut first, message } = narrow(&world).await;
    let mut second = Box::pin(near.ask("second", &()));
    assert!(polled(second.as_mut()).await.is_pending(), "there is one lane");
    message.code(Code::OK);
    first.next().await.expect("it comes").expect("it is an answer");
    // The second was woken for the lane, and has not come yet.
    let body = octets(90_000, 1);
    let mut large = Box::pin(near.notify("large", &body));
    assert!(polled(large.as_mut()).await.is_pending(), "another has waited longer");
    let taker = world.spawn(async move {
        for action in ["second", "large"] {
            let mut message = messages.next().await.expect("it comes");
            assert_eq!(message.action().to_string(), action);
            message.body().await.expect("it comes whole");
            message.code(Code::OK);
        }
    });
    assert_eq!(second.as_mut().await.expect("it is answered"), Code::OK);
    large.as_mut().await.expect("its turn comes");
    taker.await;
    drop((first, second, large));
    world.part(near, far).await;
}

async fn who_is_woken_for_a_lane_and_never_comes_keeps_nobody(world: World) {
    let Narrow { near, far, mut messages, mut first, message } = narrow(&world).await;
    let mut idle = Box::pin(near.ask("idle", &()));
    assert!(polled(idle.as_mut()).await.is_pending(), "there is one lane");
    message.code(Code::OK);
    first.next().await.expect("it comes").expect("it is an answer");
    let taker = world.spawn(async move {
        for action in ["third", "idle"] {
            let message = messages.next().await.expect("it comes");
            assert_eq!(message.action().to_string(), action);
            message.code(Code::OK);
        }
    });
    assert_eq!(near.ask("third", &()).await.expect("its turn comes"), Code::OK);
    assert_eq!(idle.as_mut().await.expect("its turn comes, too"), Code::OK);
    taker.await;
    drop((first, idle));
    world.part(near, far).await;
}

async fn who_finds_no_lane_free_waits_for_one(world: World) {
    let mut config = patient();
    config.lanes = 2;
    let (near, far) = world.pair_with(patient(), config).await;
    let ask = |number: u32| {
        let line = near.clone();
        world.spawn(async move { line.request::<_, u32>("any", &number).await.expect("it is answered") })
    };
    let mut messages = far.messages();
    let (first, second) = (ask(1), ask(2));
    let (one, two) = (messages.next().await.expect("it comes"), messages.next().await.expect("it comes"));
    let more: Vec<_> = (3..20).map(ask).collect();
    // Notices need no lane, so they pass those who wait for one.
    for _ in 0..20 {
        near.notify("pass", &()).await.expect("the line is up");
        let message = messages.next().await.expect("it comes");
        assert!(!message.wants_answer(), "there are two lanes only");
    }
    for mut message in [one, two] {
        let number: u32 = message.decode().await.expect("a number");
        message.answer(&number).await.expect("it waits for it");
    }
    let taker = world.spawn(async move {
        for _ in 3..20 {
            let mut message = messages.next().await.expect("it comes");
            let number: u32 = message.decode().await.expect("a number");
            message.answer(&number).await.expect("it waits for it");
        }
    });
    assert_eq!(first.await + second.await, 3);
    for (number, asker) in (3..20).zip(more) {
        assert_eq!(asker.await, number);
    }
    taker.await;
    world.part(near, far).await;
}

async fn answers_come_in_any_order(world: World) {
    let (near, far) = world.pair().await;
    let askers: Vec<_> = (0..50u32)
        .map(|number| {
            let line = near.clone();
            world.spawn(async move { line.request::<_, u32>("any", &number).await.expect("it is answered") })
        })
        .collect();
    let line = far.clone();
    let answerer = world.spawn(async move {
        let (mut messages, mut held) = (line.messages(), Vec::new());
        while held.len() < 50 {
            held.push(messages.next().await.expect("it comes"));
        }
        while let Some(mut message) = held.pop() {
            let number: u32 = message.decode().await.expect("a number");
            message.answer(&(number + 1000)).await.expect("it waits for it");
        }
    });
    for (number, asker) in (1000..).zip(askers) {
        assert_eq!(asker.await, number);
    }
    answerer.await;
    world.part(near, far).await;
}

async fn a_request_that_wants_nothing_but_the_code(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new()
        .on("echo", echo)
        .on("busy", |(): ()| async { Err::<(), _>(Code::BUSY.into()) })
        .on("words", |(): ()| async { Err::<(), _>(Failure::new(Code::EXISTS, "there it is")) });
    world.serve(&far, router);
    assert_eq!(near.ask("echo", "text").await.expect("it is answered"), Code::OK);
    assert_eq!(near.ask("busy", &()).await.expect("it is answered"), Code::BUSY);
    assert_eq!(near.ask("words", &()).await.expect("it is answered"), Code::EXISTS);
    world.part(near, far).await;
}
