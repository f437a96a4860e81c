//! What dropping each kind of handle does.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use ropeway_driver::{CloseCode, Code, Error, Reason, Router};

use super::by_hand::{Give, cut_short, echo, first_of, octets, queue, still_works, until};
use super::{Scenario, scenarios};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    the_last_of_a_line_says_goodbye_behind_what_was_sent,
    any_handle_keeps_the_line,
    messages_put_back_what_was_fetched,
    an_exchange_gives_the_request_up,
    a_pending_request_gives_it_up,
    a_message_of_which_not_all_was_answered_gives_up,
    a_writer_that_did_not_finish_is_no_end,
    a_reader_stops_the_writer,
    a_message_declines_what_it_brought,
    an_open_that_was_not_sent_is_nothing,
    a_server_closes_its_lines_behind_what_was_sent,
    a_driver_ends_the_line,
    a_driver_may_move_between_tasks,
    a_handler_is_dropped_when_nobody_waits_for_it,
    who_waits_no_more_is_forgotten,
];

async fn the_last_of_a_line_says_goodbye_behind_what_was_sent(world: World) {
    let (near, far) = world.pair().await;
    let copy = near.clone();
    drop(near);
    for number in 0..50u32 {
        copy.notify("count", &number).await.expect("a copy keeps it open");
    }
    drop(copy);
    let mut messages = far.messages();
    for number in 0..50u32 {
        let mut message = messages.next().await.expect("it was sent before");
        assert_eq!(message.decode::<u32>().await.expect("a number"), number);
    }
    assert!(messages.next().await.is_none());
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
}

async fn any_handle_keeps_the_line(world: World) {
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", echo));
    let (mut writer, reader) = near.open("nobody", &()).into_stream().await.expect("the line is up");
    let mut exchange = near.open("echo", "text").send().await.expect("the line is up");
    drop((near, reader));
    assert_eq!(exchange.answer::<String>().await.expect("it is answered"), "text");
    drop(exchange);
    while writer.send(b"x").await.is_ok() {}
    assert!(!far.is_over(), "the writer is left");
    drop(writer);
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
}

async fn messages_put_back_what_was_fetched(world: World) {
    let (near, far) = world.pair().await;
    for number in 0..100u32 {
        near.notify("any", &number).await.expect("the line is up");
    }
    until(|| far.stats().received.notices == 100).await;
    for number in 0..100u32 {
        // They come in batches, of which only the first is used.
        let mut message = far.messages().next().await.expect("it comes");
        assert_eq!(message.decode::<u32>().await.expect("a number"), number);
    }
    world.part(near, far).await;
}

async fn an_exchange_gives_the_request_up(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    for _ in 0..5 {
        let exchange = near.open("any", &()).send().await.expect("the line is up");
        let mut message = messages.next().await.expect("it comes");
        drop(exchange);
        assert_eq!(message.aborted().await, Code::CANCELLED);
        let late = message.answer("late").await;
        assert!(matches!(late, Err(Error::Aborted(Code::CANCELLED))), "{late:?}");
    }
    drop(messages);
    world.serve(&far, Router::new().on("echo", echo));
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_pending_request_gives_it_up(world: World) {
    let (near, far) = world.pair().await;
    let mut messages = far.messages();
    for _ in 0..5 {
        assert!(cut_short(1, near.request::<_, ()>("any", &())).await.is_none());
        let mut message = messages.next().await.expect("it was sent");
        assert_eq!(message.aborted().await, Code::CANCELLED);
    }
    drop(messages);
    world.part(near, far).await;
}

async fn a_message_of_which_not_all_was_answered_gives_up(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on("echo", echo).on_message("more", |mut message| async move {
        message.respond("first").more().await?;
        Ok(())
    });
    world.serve(&far, router);
    let mut exchange = near.open("more", &()).send().await.expect("the line is up");
    let first = exchange.next().await.expect("it comes").expect("it is an answer");
    assert!(!first.is_last());
    let last = exchange.next().await.expect("it comes").expect("it is an answer");
    assert_eq!((last.code(), last.is_last()), (Code::NO_ANSWER, true));
    drop(exchange);
    still_works(&near).await;
    world.part(near, far).await;
}

async fn a_writer_that_did_not_finish_is_no_end(world: World) {
    let (near, far) = world.pair().await;
    for len in [0, 10, 5000] {
        let (mut writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
        let mut message = far.messages().next().await.expect("it comes");
        let mut stream = message.stream().await.expect("it brings one");
        writer.send(&octets(len, 1)).await.expect("there is credit");
        drop(writer);
        let error = loop {
            match stream.chunk().await {
                Ok(chunk) => assert!(chunk.is_some(), "it seems complete"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Aborted(Code::CANCELLED)), "{error:?}");
        message.code(Code::OK);
        drop(reader);
    }
    world.part(near, far).await;
}

async fn a_reader_stops_the_writer(world: World) {
    let (near, far) = world.pair().await;
    for read in [false, true] {
        let (mut writer, reader) = near.open("any", &()).into_stream().await.expect("the line is up");
        let mut message = far.messages().next().await.expect("it comes");
        let mut stream = message.stream().await.expect("it brings one");
        if read {
            writer.send(b"some").await.expect("there is credit");
            stream.chunk().await.expect("it goes on").expect("it is not over");
        }
        drop(stream);
        let error = loop {
            if let Err(error) = writer.send(&octets(1000, 1)).await {
                break error;
            }
        };
        assert!(matches!(error, Error::Aborted(Code::CANCELLED)), "{error:?}");
        message.code(Code::OK);
        drop((reader, writer));
    }
    world.part(near, far).await;
}

async fn a_message_declines_what_it_brought(world: World) {
    let (near, far) = world.pair().await;
    let router = Router::new().on("echo", echo).on_message("drop", |message| async move {
        message.code(Code::BUSY);
        Ok(())
    });
    world.serve(&far, router);
    for _ in 0..3 {
        let (mut writer, mut reader) = near.open("drop", &()).into_stream().await.expect("the line is up");
        let error = reader.chunk().await.expect_err("it is refused");
        assert!(matches!(error, Error::Answered(Code::BUSY, None)), "{error:?}");
        while writer.send(&octets(1000, 1)).await.is_ok() {}
        drop((writer, reader));
        still_works(&near).await;
    }
    world.part(near, far).await;
}

async fn an_open_that_was_not_sent_is_nothing(world: World) {
    let (near, far) = world.pair().await;
    drop(near.open("any", &octets(100_000, 1)));
    drop(near.open("any", &()).into_stream());
    drop(near.request::<_, ()>("any", &()));
    drop(near.notify("any", &()));
    assert_eq!(near.stats().sent.frames, 0);
    world.part(near, far).await;
}

async fn a_server_closes_its_lines_behind_what_was_sent(world: World) {
    let (give, take) = queue();
    let server = world.server().on_line(move |line| {
        give.put(line.clone());
        async { Ok(()) }
    });
    let server = server.serve().await.expect("the address is free");
    let client = world.client(server.address()).connect().await.expect("it listens");
    let line = take.next().await;
    for number in 0..50u32 {
        line.notify("any", &number).await.expect("the line is up");
    }
    drop((server, line));
    let mut messages = client.messages();
    for number in 0..50u32 {
        let mut message = messages.next().await.expect("it was sent before");
        assert_eq!(message.decode::<u32>().await.expect("a number"), number);
    }
    assert_eq!(client.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
}

async fn a_driver_ends_the_line(world: World) {
    let (listener, address) = world.listen().await;
    let (near, driver) = world.near_end(world.connect(&address).await, patient());
    let (drops, dropped) = queue();
    world.background(async move {
        let driven = async { drop(driver.await) };
        first_of(driven, dropped.next()).await;
    });
    let (far, driver) = world.far_end(world.accept(&listener).await, patient());
    world.background(driver);
    near.ready().await.expect("both are there");
    far.ready().await.expect("both are there");
    let line = near.clone();
    let asker = world.spawn(async move { line.request::<_, ()>("any", &()).await });
    let message = far.messages().next().await.expect("it comes");
    drops.put(());
    match asker.await {
        Err(Error::Closed(ended)) => assert_eq!(ended.reason, Reason::Eof),
        other => panic!("{other:?}"),
    }
    assert_eq!(far.ended().await.reason, Reason::Eof);
    drop(message);
}

async fn a_handler_is_dropped_when_nobody_waits_for_it(world: World) {
    struct Told(Give<&'static str>, &'static str);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.put(self.1);
        }
    }
    let (near, far) = world.pair().await;
    let (give, take) = queue();
    let router = Router::new()
        .on("echo", echo)
        .on("forever", {
            let give = give.clone();
            move |(): ()| {
                let told = Told(give.clone(), "answer");
                give.put("begun");
                async move {
                    std::future::pending::<()>().await;
                    drop(told);
                    Ok(())
                }
            }
        })
        .on_message("stream", {
            move |mut message| {
                let told = Told(give.clone(), "stream");
                give.put("begun");
                async move {
                    let mut stream = message.stream().await?;
                    while stream.chunk().await?.is_some() {}
                    drop(told);
                    std::future::pending().await
                }
            }
        });
    world.serve(&far, router);
    for _ in 0..3 {
        let exchange = near.open("forever", &()).send().await.expect("the line is up");
        assert_eq!(take.next().await, "begun");
        drop(exchange);
        assert_eq!(take.next().await, "answer");
        still_works(&near).await;
    }
    let (writer, reader) = near.open("stream", &()).into_stream().await.expect("the line is up");
    assert_eq!(take.next().await, "begun");
    drop(reader);
    assert_eq!(take.next().await, "stream");
    drop(writer);
    // When the line ends, too.
    let exchange = near.open("forever", &()).send().await.expect("the line is up");
    assert_eq!(take.next().await, "begun");
    near.cut();
    assert_eq!(take.next().await, "answer");
    drop(exchange);
}

/// A task that waits for this or that, again and again, leaves nothing behind.
async fn who_waits_no_more_is_forgotten(world: World) {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    fn check(what: &str, wait: impl Future) {
        let task = Arc::new(Task);
        {
            let waker = Waker::from(task.clone());
            let mut wait = pin!(wait);
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "{what}: it is so already");
            drop(waker);
            assert!(Arc::strong_count(&task) > 1, "{what}: nothing would wake it");
        }
        assert_eq!(Arc::strong_count(&task), 1, "{what}: it is kept");
    }
    let (near, far) = world.pair().await;
    let mut config = patient();
    config.lanes = 1;
    let (full, narrow) = world.pair_with(patient(), config).await;
    let open = near.open("any", &()).send().await.expect("the line is up");
    let other = full.open("any", &()).send().await.expect("the line is up");
    let message = far.messages().next().await.expect("it comes");
    check("for the end", near.ended());
    check("for nothing to be open", near.idle());
    check("for a message", async { far.messages().next().await });
    check("for a lane", full.ask("any", &()));
    drop((message, open, other));
    world.part(near, far).await;
    world.part(full, narrow).await;
}

/// Whoever polls it last is woken, by the transport and by the clock.
async fn a_driver_may_move_between_tasks(world: World) {
    let mut config = patient();
    config.protocol.hello_timeout = Duration::from_secs(3);
    let (listener, address) = world.listen().await;
    let (near, driver) = world.near_end(world.connect(&address).await, config);
    let mut driver = Box::pin(driver);
    assert!(cut_short(1, driver.as_mut()).await.is_none());
    let silent = world.accept(&listener).await;
    let driving = world.spawn(driver);
    // It has been polled where it is now.
    world.time().pass(Duration::from_millis(1)).await;
    world.time().pass_unseen(Duration::from_secs(3)).await;
    assert_eq!(driving.await.reason, Reason::HelloTimeout);
    assert_eq!(near.ended().await.reason, Reason::HelloTimeout);
    drop(silent);
}
