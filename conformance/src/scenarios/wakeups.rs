//! Nobody waits for ever: each wait here has one thing that can end it.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ropeway_driver::protocol::PeerError;
use ropeway_driver::{CloseCode, Error, Line, Reason, Router};

use super::by_hand::{echo, hello, octets, queue, still_works, until, write_all};
use super::{Scenario, scenarios};
use crate::lab::Duplex;
use crate::weather::{Op, Outdoors, Verdict, Way, Weather};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    who_waits_for_room_is_woken_when_there_is_some,
    who_is_woken_for_room_and_never_comes_keeps_nobody,
    a_trickle_through_a_gate_goes_on,
    a_flood_of_requests_given_up_ends_in_a_typed_close,
    requests_given_up_now_and_then_do_no_harm,
    accepting_survives_resets_and_want,
    a_driver_that_sleeps_is_woken_by_any_verb,
    what_is_said_just_before_the_driver_sleeps_goes,
];

async fn who_waits_for_room_is_woken_when_there_is_some(world: World) {
    let mut config = patient();
    config.outbox = 2048;
    let gate = world.gate_near();
    let (near, far) = world.pair_with(config, patient()).await;
    let many = if world.transport().is_slow() { 50 } else { 300 };
    gate.shut(Way::Write);
    let line = near.clone();
    let (tell, told) = queue();
    let speaker = world.spawn(async move {
        for number in 0..many {
            let body = octets(1000, number);
            let mut notice = pin!(line.notify("any", &body));
            let said = poll_fn(|cx| {
                let polled = notice.as_mut().poll(cx);
                if polled.is_pending() {
                    tell.put(());
                }
                polled
            });
            said.await.expect("the line is up");
        }
    });
    gate.held(Way::Write).await;
    // From here on only being woken helps it.
    told.next().await;
    assert!(!speaker.is_done(), "{many} kB are in 2 kB");
    let line = far.clone();
    let hearer = world.spawn(async move {
        let mut messages = line.messages();
        for number in 0..many {
            let mut message = messages.next().await.expect("it comes");
            assert!(message.decode::<Vec<u8>>().await.expect("it is whole") == octets(1000, number));
        }
    });
    gate.open(Way::Write);
    speaker.await;
    hearer.await;
    world.part(near, far).await;
}

/// A future that is kept and not polled has its turn, and so have those behind it.
async fn who_is_woken_for_room_and_never_comes_keeps_nobody(world: World) {
    let mut config = patient();
    config.outbox = 2048;
    let gate = world.gate_near();
    let (near, far) = world.pair_with(config, patient()).await;
    world.serve(&far, Router::new().on("any", |_: bytes::Bytes| async { Ok(()) }));
    gate.shut(Way::Write);
    let body = octets(1500, 1);
    near.notify("any", &body).await.expect("there is room");
    gate.held(Way::Write).await;
    // One at a time finds room, and the first that does not is left alone.
    let mut idle = loop {
        let mut notice = Box::pin(near.notify("any", &body));
        match poll_fn(|cx| Poll::Ready(notice.as_mut().poll(cx))).await {
            Poll::Ready(sent) => sent.expect("there is room"),
            Poll::Pending => break notice,
        }
    };
    let speak = |_| {
        let (line, body) = (near.clone(), body.clone());
        world.spawn(async move { line.notify("any", &body).await.expect("its turn comes") })
    };
    let speakers: Vec<_> = (0..5).map(speak).collect();
    gate.open(Way::Write);
    for speaker in speakers {
        speaker.await;
    }
    idle.as_mut().await.expect("its turn has come");
    drop(idle);
    world.part(near, far).await;
}

/// Room comes in crumbs, and each crumb is all that wakes the driver.
async fn a_trickle_through_a_gate_goes_on(world: World) {
    let mut config = patient();
    config.outbox = 1024;
    let gate = world.gate_near();
    let (near, far) = world.pair_with(config, patient()).await;
    world.serve(&far, Router::new().on("echo", echo));
    gate.shut(Way::Write);
    let line = near.clone();
    let asker = world.spawn(async move {
        for _ in 0..20 {
            still_works(&line).await;
        }
    });
    while !asker.is_done() {
        super::by_hand::first_of(gate.held(Way::Write), until(|| asker.is_done())).await;
        gate.allow(Way::Write, 7);
    }
    asker.await;
    gate.open(Way::Write);
    world.part(near, far).await;
}

/// B1.
async fn a_flood_of_requests_given_up_ends_in_a_typed_close(world: World) {
    let mut config = patient();
    config.protocol.max_aborts = 20;
    let server = world.server().config(config).on("echo", echo).on_message("never", |message| async move {
        std::future::pending::<()>().await;
        drop(message);
        Ok(())
    });
    let server = server.serve().await.expect("the address is free");
    let honest = world.client(server.address()).connect().await.expect("it listens");
    let client = world.client(server.address()).connect().await.expect("it listens");
    let line = client.clone();
    let flood = world.spawn(async move {
        for given_up in 0.. {
            match line.open("never", &()).send().await {
                Ok(exchange) => drop(exchange),
                Err(Error::Closed(ended)) => return (given_up, ended.reason),
                Err(error) => panic!("{error:?}"),
            }
        }
        unreachable!("it ends")
    });
    let (given_up, reason) = flood.await;
    let code = PeerError::AbortFlood.code();
    assert_eq!(reason, Reason::ByPeer(code));
    assert!(given_up > 20, "{given_up} are no flood");
    still_works(&honest).await;
    let far = server.lines().remove(0);
    world.part(honest, far).await;
}

async fn requests_given_up_now_and_then_do_no_harm(world: World) {
    let mut config = patient();
    config.protocol.max_aborts = 20;
    config.lanes = 2;
    let (near, far) = world.pair_with(patient(), config).await;
    let router = Router::new().on("echo", echo).on_message("never", |message| async move {
        std::future::pending::<()>().await;
        drop(message);
        Ok(())
    });
    world.serve(&far, router);
    for _ in 0..60 {
        drop(near.open("never", &()).send().await.expect("the line is up"));
        // One that ends makes good for one that was given up.
        still_works(&near).await;
    }
    world.part(near, far).await;
}

async fn accepting_survives_resets_and_want(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    let first = world.client(server.address()).connect().await.expect("it listens");
    // The next accept is under way and meets no mishap; those behind it do.
    world.fail_accepting(&[ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::QuotaExceeded]);
    for _ in 0..3 {
        // Hung up on before the hello, and in the middle of it.
        drop(world.connect(server.address()).await);
        let (mut stream, _) = world.connect(server.address()).await;
        // Where hands are shaken first, this waits for the server.
        world.background(async move {
            let said = hello();
            let _ = write_all(&mut stream, &said[..said.len() / 2]).await;
        });
    }
    let connecting = world.client(server.address());
    let connecting = world.spawn(async move { connecting.connect().await.expect("it listens again") });
    // After an error that is not a peer's own, accepting rests.
    super::by_hand::pass_until(&world, &connecting).await;
    let second = connecting.await;
    still_works(&first).await;
    still_works(&second).await;
    assert_eq!(server.shutdown(Duration::from_secs(3600)).await.cut, 0);
}

async fn a_driver_that_sleeps_is_woken_by_any_verb(world: World) {
    async fn quiet(line: &Line) {
        // Long enough for the driver to find nothing to do.
        for _ in 0..50 {
            super::by_hand::turn().await;
        }
        line.idle().await;
    }
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    quiet(&near).await;
    near.notify("any", &()).await.expect("the line is up");
    assert!(!messages.next().await.expect("it comes").wants_answer());
    quiet(&near).await;
    near.ping().await.expect("the line is up");
    quiet(&near).await;
    let asked = near.open("any", &()).send().await.expect("the line is up");
    let mut message = messages.next().await.expect("it comes");
    drop(asked);
    message.aborted().await;
    drop(message);
    quiet(&near).await;
    let (mut writer, mut reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut message = messages.next().await.expect("it comes");
    let mut stream = message.stream().await.expect("it brings one");
    for _ in 0..3 {
        for _ in 0..50 {
            super::by_hand::turn().await;
        }
        writer.send(b"x").await.expect("there is credit");
        assert_eq!(&stream.chunk().await.expect("it goes on").expect("it is not over")[..], b"x");
    }
    stream.pause().expect("it is not over");
    until(|| writer.is_paused()).await;
    drop(writer);
    stream.chunk().await.expect_err("it is not complete");
    message.update(&1u32).await.expect("it is waited for");
    drop(message);
    reader.chunk().await.expect_err("there is no stream");
    drop((stream, reader));
    quiet(&near).await;
    near.go_away().await.expect("the line is up");
    until(|| far.is_peer_away()).await;
    quiet(&near).await;
    drop(messages);
    near.close(CloseCode::DONE, "").await;
    far.ended().await;
}

/// Each notice is said from inside the flush of the one before, when the driver has looked for more to send already.
async fn what_is_said_just_before_the_driver_sleeps_goes(world: World) {
    const MANY: usize = 50;
    #[derive(Clone)]
    struct Speaks(Arc<Mutex<(Option<Line>, usize)>>);
    impl Weather for Speaks {
        fn admit(&mut self, _: &mut Context<'_>, _: Op, len: usize) -> Poll<Verdict> {
            Poll::Ready(Verdict::Pass(len))
        }

        fn seen(&mut self, _: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
            let mut said = self.0.lock().expect("nobody panics with it");
            let (Some(line), Op::Flush, true) = (said.0.clone(), op, outcome.is_ready()) else { return };
            if said.1 < MANY {
                said.1 += 1;
                let mut saying = pin!(line.notify(7, &()));
                let saying = saying.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(saying, Poll::Ready(Ok(()))), "there is room for it");
            }
        }
    }
    let (listener, address) = world.listen().await;
    let (stream, ends) = world.connect(&address).await;
    let speaks = Speaks(Arc::default());
    let stream: Duplex = Box::new(stream.under(speaks.clone()));
    let (near, driver) = world.near_end((stream, ends), patient());
    world.background(driver);
    let (far, driver) = world.far_end(world.accept(&listener).await, patient());
    world.background(driver);
    near.ready().await.expect("both are there");
    speaks.0.lock().expect("nobody panics with it").0 = Some(near.clone());
    near.notify(7, &()).await.expect("the line is up");
    let mut messages = far.messages();
    for _ in 0..=MANY {
        messages.next().await.expect("it comes");
    }
    speaks.0.lock().expect("nobody panics with it").0 = None;
    drop(messages);
    world.part(near, far).await;
}
