//! What bodies hold: values that can't be read, and bodies that nobody has to read.

use ropeway_driver::{Body, BodyKind, Code, Error, Line, Router, ToBody, protocol};
use serde::{Deserialize, Serialize};

use super::by_hand::{echo, octets, still_works};
use super::{Scenario, scenarios};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    a_value_nested_too_deeply_is_of_a_wrong_type,
    a_wrong_type_is_an_error_that_names_the_action_and_both_types,
    a_type_of_many_shapes_takes_few_definitions,
    a_body_sent_on_is_what_it_was
];

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

/// What is called the same elsewhere and is another.
mod other {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct Question {
        pub(super) count: u32,
        pub(super) words: String,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct Offset {
        pub(super) by: u32,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Light {
        Green,
        Red,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Flags(pub(super) [Option<u8>; 11], pub(super) Vec<u8>);
}

#[derive(Debug, Serialize, Deserialize)]
struct Offset {
    by: i32,
}

#[derive(Debug, Serialize, Deserialize)]
enum Light {
    Red,
    Green,
}

/// Of 2^11 shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flags([Option<bool>; 11], Vec<u8>);

impl Flags {
    fn new(bits: usize, rest: Vec<u8>) -> Flags {
        Flags(std::array::from_fn(|at| (bits >> at & 1 != 0).then_some(true)), rest)
    }
}

async fn a_wrong_type_is_an_error_that_names_the_action_and_both_types(world: World) {
    async fn refused(line: &Line, action: &str, value: &impl ToBody, text: &str) {
        match line.request::<_, ()>(action, value).await {
            Err(Error::Answered(Code::WRONG_TYPE, Some(body))) => {
                assert_eq!(body.decode::<String>().as_deref(), Ok(format!("action {action}: {text}").as_str()));
            }
            other => panic!("{action}: {other:?}"),
        }
        still_works(line).await;
    }
    let (near, far) = world.pair().await;
    let router = Router::new()
        .on("echo", echo)
        .on("move", |_: other::Offset| async { Ok(()) })
        .on("switch", |_: other::Light| async { Ok(()) })
        .on("flags", |_: other::Flags| async { Ok(()) })
        .on("text", |_: String| async { Ok(()) })
        .on("octets", |_: Vec<u8>| async { Ok(()) })
        .on("count", |_: u8| async { Ok(()) })
        .on("light", |()| async { Ok(other::Light::Red) });
    world.serve(&far, router);
    let kinds = "that does not decode: it is made of other types";
    let names = "that does not decode: its fields or variants have other names";
    refused(&near, "move", &Offset { by: -1 }, &format!("expected Offset, found Offset {kinds}")).await;
    refused(&near, "switch", &Light::Red, &format!("expected Light, found Light {names}")).await;
    refused(&near, "switch", &Light::Green, &format!("expected Light, found Light {names}")).await;
    refused(&near, "text", &vec![65u8], "expected text, found bytes").await;
    refused(&near, "octets", &"A", "expected bytes, found text").await;
    refused(&near, "count", &7u16, "expected u8, found u16").await;
    near.request::<_, ()>("count", &Box::new(7u8)).await.expect("a box travels as what is in it");
    // However its shape travels.
    for bits in 1..20 {
        let flags = Flags::new(bits, vec![]);
        refused(&near, "flags", &flags, &format!("expected Flags, found Flags {kinds}")).await;
    }
    match near.request::<_, Light>("light", &()).await {
        Err(error @ Error::WrongType { .. }) => {
            assert_eq!(error.to_string(), format!("action light: expected Light, found Light {names}"));
        }
        other => panic!("{other:?}"),
    }
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_type_of_many_shapes_takes_few_definitions(world: World) {
    for (definitions, shapes) in [(2, 40), (protocol::Config::DEFAULT.max_definitions, 1500)] {
        let mut config = patient();
        config.protocol.max_definitions = definitions;
        let (near, far) = world.pair_with(config.clone(), config).await;
        world.serve(
            &far,
            Router::new().on("flags", |flags: Flags| async { Ok(flags) }).on("back", |body: Body| async { Ok(body) }),
        );
        for bits in 0..world.much(shapes) {
            let flags = Flags::new(bits, vec![7; bits % 3]);
            assert_eq!(near.request::<_, Flags>("flags", &flags).await.expect("there are definitions left"), flags);
            if bits % 100 == 0 {
                assert_eq!(near.request::<_, Flags>("back", &flags).await.expect("likewise"), flags);
            }
        }
        let large = Flags::new(2047, octets(world.much(200_000), 1));
        assert_eq!(near.request::<_, Flags>("flags", &large).await.expect("of several frames"), large);
        assert_eq!(near.request::<_, Flags>("back", &large).await.expect("of several frames"), large);
        world.part(near, far).await;
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
