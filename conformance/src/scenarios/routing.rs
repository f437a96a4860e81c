//! Which handler a message goes to, and how many of them there may be.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use ropeway_driver::{Action, ActionError, CloseCode, Code, Error, Failure, Message, Reason, Router};

use super::by_hand::{collapse, cut_short, echo, octets, queue, still_works, turn, until};
use super::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    the_closest_match_is_taken,
    handlers_that_cannot_be_are_refused,
    a_dropped_router_leaves_what_it_has_not_begun,
    a_client_handles_what_the_server_asks,
    handlers_beyond_the_limit_wait,
    a_request_given_up_in_the_queue_is_not_begun,
    a_request_given_up_before_anyone_serves_is_not_begun,
    a_slow_handler_holds_nobody_up,
    an_answer_does_not_wait_for_slow_handlers_behind_it,
    what_others_say_does_not_wait_for_a_handler,
    a_handler_that_panics_harms_its_own_request_only,
    a_handler_given_up_harms_nobody,
    lines_beyond_the_limit_wait_to_be_accepted,
    the_hook_runs_before_the_first_message,
    the_hook_can_refuse_a_line,
    a_hook_that_hangs_or_panics_harms_its_own_line_only,
    many_lines_are_served_at_once,
];

async fn the_closest_match_is_taken(world: World) {
    let is = |name: &'static str| move |(): ()| async move { Ok(name) };
    let server = world
        .server()
        .on("files.read", is("exact"))
        .on("files.*", is("files"))
        .on("files.deep.*", is("deep"))
        .on(7, is("seven"))
        .on("*", is("any"))
        .serve()
        .await
        .expect("the address is free");
    let client = world.client(server.address()).connect().await.expect("it listens");
    for (action, handler) in [
        ("files.read", "exact"),
        ("files.reads", "files"),
        ("files.", "files"),
        ("files.deep.er", "deep"),
        ("files.deep", "files"),
        ("file", "any"),
    ] {
        assert_eq!(client.request::<_, String>(action, &()).await.expect("it is handled"), handler, "{action}");
    }
    assert_eq!(client.request::<_, String>(7, &()).await.expect("it is handled"), "seven");
    let other = client.request::<_, String>(8, &()).await;
    assert!(matches!(other, Err(Error::Answered(Code::NOT_IMPLEMENTED, None))), "a pattern is of names: {other:?}");
    // A fallback takes what is left.
    let router =
        Router::new().on("exact", is("exact")).fallback(|message| async move { Ok(message.answer("fallback").await?) });
    let server = world.server().router(router).serve().await.expect("the address is free");
    let client = world.client(server.address()).connect().await.expect("it listens");
    assert_eq!(client.request::<_, String>("exact", &()).await.expect("it is handled"), "exact");
    assert_eq!(client.request::<_, String>("other", &()).await.expect("it is handled"), "fallback");
    assert_eq!(client.request::<_, String>(8, &()).await.expect("it is handled"), "fallback");
}

async fn handlers_that_cannot_be_are_refused(world: World) {
    let (near, far) = world.pair().await;
    let server = world.server().serve().await.expect("the address is free");
    let is = |(): ()| async { Ok(()) };
    let twice = |name: &str| ActionError::Twice(Action::Name(name.into()));
    for (router, expected) in [
        (Router::new().on("", is), ActionError::Empty),
        (Router::new().on_message("", |_| async { Ok(()) }), ActionError::Empty),
        (Router::new().on(1 << 31, is), ActionError::TooLarge(1 << 31)),
        (Router::new().on("a", is).on("b", is).on("a", is), twice("a")),
        (Router::new().on("a.*", is).on("a.", is).on("a.*", is), twice("a.*")),
        (Router::new().on("*", is).on("*", is), twice("*")),
        (Router::new().on(7, is).on("7", is).on(7, is), ActionError::Twice(Action::Number(7))),
        (Router::new().on("a", is).on("a", is).on("", is), twice("a")),
    ] {
        let is_expected = |error: Option<Error>| assert!(matches!(error, Some(Error::Action(e)) if e == expected));
        is_expected(world.server().router(router.clone()).serve().await.err());
        is_expected(world.client(server.address()).router(router.clone()).connect().await.err());
        assert_eq!(Arc::new(router).serve(far.clone(), 1).await, Err(expected));
    }
    assert!(server.lines().is_empty(), "nobody connected");
    world.part(near, far).await;
}

/// Handlers that run go on; what none has got goes to whoever asks next.
async fn a_dropped_router_leaves_what_it_has_not_begun(world: World) {
    let (near, far) = world.pair().await;
    let (go, goes) = queue();
    let (begin, begun) = queue();
    let goes = Arc::new(goes);
    let router = Router::new().on("work", move |number: u32| {
        begin.put(number);
        let goes = goes.clone();
        async move {
            let () = goes.next().await;
            Ok(number)
        }
    });
    let mut run = Box::pin(Arc::new(router).serve(far.clone(), 1));
    let asked: Vec<_> = (0..3u32)
        .map(|number| {
            let line = near.clone();
            world.spawn(async move { line.request::<_, u32>("work", &number).await })
        })
        .collect();
    until(|| far.stats().received.requests == 3).await;
    // One runs, the others have come and wait for its place.
    while cut_short(1, &mut run).await.is_none() && begun.is_empty() {
        turn().await;
    }
    assert!(cut_short(1, &mut run).await.is_none());
    let first = begun.next().await;
    drop(run);
    assert!(begun.is_empty());

    go.put(());
    let mut messages = far.messages();
    for _ in 0..2 {
        let mut message = messages.next().await.expect("it has come");
        let number: u32 = message.decode().await.expect("a number");
        message.answer(&(number + 100)).await.expect("it is waited for");
    }
    let mut answers = Vec::new();
    for asker in asked {
        answers.push(asker.await.expect("it is answered"));
    }
    let expected = |number| if number == first { number } else { number + 100 };
    assert_eq!(answers, [0, 1, 2].map(expected));
    drop(messages);
    world.part(near, far).await;
}

async fn a_client_handles_what_the_server_asks(world: World) {
    let (give, take) = queue();
    let server = world.server().on_line(move |line| {
        let give = give.clone();
        async move {
            let answer: String = line.request("echo", "from the server").await?;
            give.put(answer);
            Ok(())
        }
    });
    let server = server.serve().await.expect("the address is free");
    let client = world.client(server.address()).on("echo", echo).connect().await.expect("it listens");
    assert_eq!(take.next().await, "from the server");
    let far = server.lines().remove(0);
    world.part(client, far).await;
}

async fn handlers_beyond_the_limit_wait(world: World) {
    let mut config = patient();
    config.handlers = 2;
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let server = world.server().config(config).on("work", move |number: u32| {
        let (open, most) = (open.clone(), most.clone());
        async move {
            turn().await;
            most.fetch_max(open.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            turn().await;
            open.fetch_sub(1, Ordering::Relaxed);
            Ok(number)
        }
    });
    let server = server.serve().await.expect("the address is free");
    let client = world.client(server.address()).connect().await.expect("it listens");
    let askers: Vec<_> = (0..50u32)
        .map(|number| {
            let line = client.clone();
            world.spawn(async move { line.request::<_, u32>("work", &number).await.expect("its turn comes") })
        })
        .collect();
    for (number, asker) in (0..).zip(askers) {
        assert_eq!(asker.await, number);
    }
    assert!((1..=2).contains(&seen.load(Ordering::Relaxed)), "{seen:?} at once");
    let far = server.lines().remove(0);
    world.part(client, far).await;
}

async fn a_slow_handler_holds_nobody_up(world: World) {
    let (near, far) = world.pair().await;
    let (give, take) = queue();
    let router = Router::new().on("echo", echo).on_message("slow", move |message| {
        give.put(message);
        async { Ok(()) }
    });
    world.serve(&far, router);
    let line = near.clone();
    let asker = world.spawn(async move { line.request::<_, String>("slow", &()).await });
    let message = take.next().await;
    for _ in 0..20 {
        still_works(&near).await;
    }
    assert!(!asker.is_done());
    message.answer("at last").await.expect("it is waited for");
    assert_eq!(asker.await.expect("it is answered"), "at last");
    world.part(near, far).await;
}

async fn a_request_given_up_in_the_queue_is_not_begun(world: World) {
    let (near, far) = world.pair().await;
    let (go, goes) = queue();
    let (begin, begun) = queue();
    let goes = Arc::new(goes);
    let router = Router::new().on("echo", echo).on("work", move |number: u32| {
        begin.put(number);
        let goes = goes.clone();
        async move {
            let () = goes.next().await;
            Ok(())
        }
    });
    let serving = Arc::new(router).serve(far.clone(), 1);
    world.background(async move { serving.await.expect("no action has two handlers") });
    let line = near.clone();
    let first = world.spawn(async move { line.request::<_, ()>("work", &1u32).await });
    assert_eq!(begun.next().await, 1);
    let (second, third) = (near.open("work", &2u32).send().await, near.open("work", &3u32).send().await);
    until(|| far.stats().received.requests == 3).await;
    drop(second);
    until(|| far.stats().received.aborts == 1).await;
    go.put(());
    first.await.expect("it is answered");
    assert_eq!(begun.next().await, 3, "nobody waits for the second");
    go.put(());
    third.expect("the line is up").answer::<()>().await.expect("it is answered");
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_request_given_up_before_anyone_serves_is_not_begun(world: World) {
    let (near, far) = world.pair().await;
    let mut asked = Vec::new();
    for number in 1..=4u32 {
        asked.push(near.open("work", &number).send().await.expect("the line is up"));
    }
    until(|| far.stats().received.requests == 4).await;
    for (index, aborts) in [(1, 1), (0, 2)] {
        drop(asked.remove(index));
        until(|| far.stats().received.aborts == aborts).await;
    }
    let (begin, begun) = queue();
    let work = move |number: u32| {
        begin.put(number);
        async { Ok(()) }
    };
    world.serve(&far, Router::new().on("echo", echo).on("work", work));
    for mut exchange in asked {
        exchange.answer::<()>().await.expect("it is answered");
    }
    assert_eq!([begun.next().await, begun.next().await], [3, 4], "nobody waits for the others");
    still_works(&near).await;
    world.part(near, far).await;
}

/// Though all of them came at once.
async fn an_answer_does_not_wait_for_slow_handlers_behind_it(world: World) {
    let (near, far) = world.pair().await;
    let (begin, begun) = queue();
    let time = world.time().clone();
    let router = Router::new().on("work", move |number: u32| {
        let (begin, time) = (begin.clone(), time.clone());
        async move {
            // It takes a second, and gives nobody else a turn.
            cut_short(1, time.pass_unseen(Duration::from_secs(1))).await;
            begin.put(number);
            Ok(number)
        }
    });
    let mut run = Box::pin(Arc::new(router).serve(far.clone(), 1));
    let mut askers: Vec<_> = (0..10u32)
        .map(|number| {
            let line = near.clone();
            Some(world.spawn(async move { line.request::<_, u32>("work", &number).await }))
        })
        .collect();
    until(|| far.stats().received.requests == 10).await;
    for _ in 0..10 {
        assert!(cut_short(1, &mut run).await.is_none());
        let number = begun.next().await;
        assert!(begun.is_empty(), "the next has begun before anybody else had a turn");
        let asker = askers[number as usize].take().expect("it is begun once");
        assert_eq!(asker.await.expect("it is answered"), number);
    }
    drop(run);
    world.part(near, far).await;
}

/// Whoever says it on another thread, while the answers of a batch are held back.
async fn what_others_say_does_not_wait_for_a_handler(world: World) {
    let (listener, address) = world.listen().await;
    let (near, driver) = world.near_end(world.connect(&address).await, patient());
    world.background(driver);
    let (far, mut driver) = world.far_end(world.accept(&listener).await, patient());
    let woken = Arc::new(Flag(AtomicBool::new(true)));
    let asked = [(); 2].map(|()| {
        let line = near.clone();
        world.spawn(async move { line.request::<_, bool>("speak", &()).await })
    });
    // Until it has all there is, and sleeps.
    while woken.0.swap(false, Ordering::SeqCst) || far.stats().received.requests < 2 {
        assert!(Pin::new(&mut driver).poll(&mut Context::from_waker(&woken.clone().into())).is_pending());
        turn().await;
    }
    let kicked = woken.clone();
    let router = Router::new().on_message("speak", move |message: Message| {
        let line = message.line().clone();
        let said = std::thread::spawn(move || crate::block_on(line.notify("aside", &()))).join();
        let kicked = kicked.0.load(Ordering::SeqCst);
        async move {
            said.expect("it does not panic")?;
            Ok(message.answer(&kicked).await?)
        }
    });
    let mut run = Box::pin(Arc::new(router).serve(far.clone(), 1));
    assert!(cut_short(1, &mut run).await.is_none());
    world.background(driver);
    for asked in asked {
        assert!(asked.await.expect("it is answered"), "the driver slept on");
    }
    let mut messages = near.messages();
    for _ in 0..2 {
        assert_eq!(*messages.next().await.expect("it was said").action(), "aside");
    }
    drop((run, messages));
    world.part(near, far).await;
}

/// Says that somebody was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Flag>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Panics when it is dropped, unless that is for a panic.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            collapse::<()>();
        }
    }
}

/// B18. When called, before its first wait and behind it, and when it is dropped; whoever holds its message then.
async fn a_handler_that_panics_harms_its_own_request_only(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new()
        .on("echo", echo)
        .on("call", |(): ()| -> std::future::Ready<Result<(), Failure>> { collapse() })
        .on("poll", |(): ()| async { collapse::<Result<(), Failure>>() })
        .on("later", |(): ()| async {
            turn().await;
            collapse::<Result<(), Failure>>()
        })
        .on_message("kept", |message| {
            poll_fn(move |_| {
                let _kept = &message;
                collapse()
            })
        })
        .on_message("kept, later", |message| {
            let mut waited = false;
            poll_fn(move |cx| {
                let _kept = &message;
                if std::mem::replace(&mut waited, true) {
                    collapse()
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        })
        .on_message("not used", |_message| async { collapse() })
        .on_message("at the end", |_message| {
            let fragile = Fragile;
            poll_fn(move |_| {
                let _kept = &fragile;
                Poll::Ready(Ok(()))
            })
        });
    world.serve(&far, router);
    for action in ["call", "poll", "later", "kept", "kept, later", "not used", "at the end"] {
        let answer = near.request::<_, ()>(action, &()).await;
        assert!(matches!(answer, Err(Error::Answered(Code::INTERNAL, None))), "{action}: {answer:?}");
        still_works(&near).await;
    }
    world.part(near, far).await;
}

/// Nor one that panics when it is dropped because nobody waits for it any more.
async fn a_handler_given_up_harms_nobody(world: World) {
    let mut config = patient();
    config.handlers = 1;
    let (give, take) = queue();
    let server = world.server().config(config).on("echo", echo).on_message("never", move |message| {
        let (give, fragile) = (give.clone(), Fragile);
        async move {
            give.put(());
            std::future::pending::<()>().await;
            drop((message, fragile));
            Ok(())
        }
    });
    let server = server.serve().await.expect("the address is free");
    let client = world.client(server.address()).connect().await.expect("it listens");
    for _ in 0..3 {
        let asked = client.open("never", &()).send().await.expect("the line is up");
        let () = take.next().await;
        drop(asked);
        still_works(&client).await;
    }
    let far = server.lines().remove(0);
    world.part(client, far).await;
}

async fn lines_beyond_the_limit_wait_to_be_accepted(world: World) {
    let server = world.server().on("echo", echo).max_lines(2).serve().await.expect("the address is free");
    let first = world.client(server.address()).connect().await.expect("it listens");
    let second = world.client(server.address()).connect().await.expect("it listens");
    let (gate, builder) = (world.gate_near(), world.client(server.address()));
    gate.shut(Way::Write);
    let third = world.spawn(async move { builder.connect().await.expect("its turn comes") });
    gate.held(Way::Write).await;
    gate.open(Way::Write);
    // Time enough for a server that would take it.
    for _ in 0..300 {
        still_works(&first).await;
    }
    still_works(&second).await;
    assert!(!third.is_done() && server.lines().len() == 2);
    first.close(CloseCode::DONE, "").await;
    let third = third.await;
    still_works(&third).await;
    assert_eq!(server.lines().len(), 2);
}

async fn the_hook_runs_before_the_first_message(world: World) {
    let (give, take) = queue();
    let (hook, told) = (give.clone(), Arc::new(AtomicUsize::new(0)));
    let seen = told.clone();
    let server = world
        .server()
        .on_line(move |line| {
            let (hook, told) = (hook.clone(), told.clone());
            async move {
                line.notify("welcome", "hello").await?;
                for _ in 0..20 {
                    turn().await;
                }
                told.store(1, Ordering::SeqCst);
                hook.put("hook".to_owned());
                Ok(())
            }
        })
        .on("any", move |text: String| {
            give.put(text);
            let before = seen.load(Ordering::SeqCst);
            async move { Ok(before as u64) }
        });
    let server = server.serve().await.expect("the address is free");
    let client = world.client(server.address()).connect().await.expect("it listens");
    assert_eq!(client.request::<_, u64>("any", "message").await.expect("it is answered"), 1);
    assert_eq!(take.next().await, "hook");
    assert_eq!(take.next().await, "message");
    let mut welcome = client.messages().next().await.expect("it was sent before all");
    assert_eq!(welcome.decode::<String>().await.expect("a text"), "hello");
}

async fn the_hook_can_refuse_a_line(world: World) {
    let own = Code::new(99).expect("below 4096");
    let server = world.server().on("echo", echo).on_line(move |_| async move { Err(Failure::new(own, "not you")) });
    let server = server.serve().await.expect("the address is free");
    for _ in 0..2 {
        let ended = match world.client(server.address()).connect().await {
            Ok(client) => {
                let answer = client.request::<_, String>("echo", "text").await;
                assert!(matches!(answer, Err(Error::Closed(_))), "{answer:?}");
                client.ended().await
            }
            Err(Error::Closed(ended)) => ended,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(ended.reason, Reason::ByPeer(CloseCode::new(99).expect("below 4096")));
        assert_eq!(&*ended.text, "not you");
    }
    until(|| server.lines().is_empty()).await;
}

/// B18.
async fn a_hook_that_hangs_or_panics_harms_its_own_line_only(world: World) {
    let lines = Arc::new(AtomicUsize::new(0));
    let hooked = lines.clone();
    let server = world.server().on("echo", echo).on_line(move |_| {
        let number = hooked.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                0 => std::future::pending().await,
                1 => collapse(),
                _ => Ok(()),
            }
        }
    });
    let server = server.serve().await.expect("the address is free");
    let hung = world.client(server.address()).connect().await.expect("it listens");
    // The server knows of the line before its hook is called.
    until(|| lines.load(Ordering::Relaxed) == 1).await;
    // Nobody will ever serve it.
    let ended = match world.client(server.address()).connect().await {
        Ok(broken) => broken.ended().await,
        Err(Error::Closed(ended)) => ended,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(ended.reason, Reason::ByPeer(CloseCode::INTERNAL));
    let served = world.client(server.address()).connect().await.expect("it listens");
    still_works(&served).await;
    assert!(!hung.is_over());
}

async fn many_lines_are_served_at_once(world: World) {
    let reverse = |mut body: Vec<u8>| async move {
        body.reverse();
        Ok(bytes::Bytes::from(body))
    };
    let server = world.server().on("reverse", reverse).serve().await.expect("the address is free");
    let clients: Vec<_> = (0..20usize)
        .map(|seed| {
            let builder = world.client(server.address());
            world.spawn(async move {
                let line = builder.connect().await.expect("it listens");
                for round in 0..10 {
                    let mut body = octets(100 * round + seed, seed);
                    let reversed: Vec<u8> = line.request("reverse", &body).await.expect("it is answered");
                    body.reverse();
                    assert!(reversed == body, "of another line");
                }
                line
            })
        })
        .collect();
    for client in clients {
        let line = client.await;
        assert_eq!(line.close(CloseCode::DONE, "").await.reason, Reason::ByUs(CloseCode::DONE));
    }
    until(|| server.lines().is_empty()).await;
}
