//! What bodies hold: values that can't be read, and bodies that nobody has to read.

use ropeway_driver::{Body, BodyKind, Code, Error, Line, Router, ToBody};
use serde::{Deserialize, Serialize};

use super::by_hand::{echo, octets, still_works};
use super::{Scenario, scenarios};
use crate::world::World;

pub(super) const LIST: &[Scenario] =
    scenarios![a_value_nested_too_deeply_is_of_a_wrong_type, a_body_sent_on_is_what_it_was];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Question {
    number: u32,
    text: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Nested(Option<Box<Nested>>);

fn nested(levels: u32) -> Nested {
    (1..levels).fold(Nested(None), |inner, _| Nested(Some(Box::new(inner))))
}

async fn a_value_nested_too_deeply_is_of_a_wrong_type(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new()
        .on("echo", echo)
        .on("take", |_: Nested| async { Ok(()) })
        .on("give", |levels: u32| async move { Ok(nested(levels)) });
    world.serve(&far, router);
    near.request::<_, ()>("take", &nested(100)).await.expect("it is not too deep");
    near.request::<_, Nested>("give", &100u32).await.expect("it is not too deep");
    for levels in [300, 1000] {
        match near.request::<_, ()>("take", &nested(levels)).await {
            Err(Error::Answered(Code::WRONG_TYPE, Some(body))) => {
                let text: String = body.decode().expect("it is text");
                assert!(text.contains("nested too deeply"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        match near.request::<_, Nested>("give", &levels).await {
            Err(Error::WrongType { cause, .. }) => assert_eq!(cause.detail.as_deref(), Some("nested too deeply")),
            other => panic!("{other:?}"),
        }
        still_works(&near).await;
    }
    world.part(near, far).await;
}

mod other {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    pub(super) struct Question {
        pub(super) count: u32,
        pub(super) words: String,
    }
}

/// Through a handler that answers what it is asked, and one that asks another line first.
async fn a_body_sent_on_is_what_it_was(world: World) {
    async fn check<B: ToBody + ?Sized>(line: &Line, body: &B, kind: BodyKind) -> Body {
        let mut there: Option<Body> = None;
        for action in ["back", "on", "open", "respond"] {
            let body: Body = line.request(action, body).await.expect("it is answered");
            assert_eq!(*body.kind(), kind, "{action}");
            assert!(there.is_none_or(|there| there == body), "{action}: {body:?}");
            there = Some(body);
        }
        there.expect("it was asked for")
    }
    let (near, middle) = world.pair().await;
    let (onward, far) = world.pair().await;
    let back = |body: Body| async move { Ok(body) };
    let line = onward.clone();
    let asked = move |body: Body| {
        let line = line.clone();
        async move { Ok(line.request::<_, Body>("back", &body).await?) }
    };
    let line = onward.clone();
    let opened = move |body: Body| {
        let line = line.clone();
        async move { Ok(line.open("back", &body).send().await?.answer::<Body>().await?) }
    };
    let router = Router::new().on("back", back).on("on", asked).on("open", opened);
    let router = router.on_message("respond", |mut message| async move {
        let body = message.take_body().await?;
        message.respond(&body).await?;
        Ok(())
    });
    world.serve(&middle, router);
    world.serve(&far, Router::new().on("back", back));

    check(&near, &(), BodyKind::None).await;
    check(&near, "text", BodyKind::Text).await;
    check(&near, "", BodyKind::Text).await;
    check(&near, &octets(world.much(300_000), 1), BodyKind::Bytes).await;
    check(&near, &7u64, BodyKind::Typed("u64".into())).await;
    for number in 0..3 {
        let question = Question { number, text: "why".into() };
        let body = check(&near, &question, BodyKind::Typed("Question".into())).await;
        assert_eq!(body.decode::<Question>(), Ok(question));
    }
    // What it was includes how its fields are called.
    let question = other::Question { count: 7, words: "why".into() };
    let body = check(&near, &question, BodyKind::Typed("Question".into())).await;
    assert!(body.decode::<Question>().is_err(), "it is of another shape");
    assert_eq!(body.decode::<other::Question>().expect("it is of this one").count, 7);
    world.part(onward, far).await;
    world.part(near, middle).await;
}
