//! Of lines, clients and servers.

use std::time::Duration;

use ropeway_driver::{CloseCode, Reason, Router};

use super::ENDLESS;
use crate::scenarios::by_hand::{cut_short, echo, queue, still_works, until};
use crate::scenarios::{Scenario, scenarios};
use crate::world::{World, patient};

pub(in crate::scenarios) const LIST: &[Scenario] =
    scenarios![of_what_a_line_waits_for, of_a_goodbye, of_going_away, of_connecting, of_listening, of_a_shutdown,];

async fn of_what_a_line_waits_for(world: World) {
    // The handshake.
    for polls in 0..ENDLESS {
        let (near, far) = world.strangers(patient(), patient()).await;
        let done = cut_short(polls, near.ready()).await;
        near.ready().await.expect("the far end says hello");
        world.serve(&far, Router::new().on("echo", echo));
        still_works(&near).await;
        world.part(near, far).await;
        if let Some(outcome) = done {
            outcome.expect("the far end says hello");
            break;
        }
    }
    // A pong.
    let (near, far) = world.pair().await;
    world.serve(&far, Router::new().on("echo", echo));
    for polls in 0..ENDLESS {
        let done = cut_short(polls, near.ping()).await;
        still_works(&near).await;
        if let Some(outcome) = done {
            outcome.expect("the line is up");
            break;
        }
    }
    // That nothing is open.
    for polls in 0..ENDLESS {
        let asked = near.open("echo", "text").send().await.expect("the line is up");
        drop(asked);
        let done = cut_short(polls, near.idle()).await;
        still_works(&near).await;
        if done.is_some() {
            break;
        }
    }
    // The end.
    let mut waits = 0;
    assert!(cut_short(0, near.ended()).await.is_none() && cut_short(1, near.ended()).await.is_none());
    let line = near.clone();
    let cutting = world.spawn(async move { line.close(CloseCode::DONE, "").await });
    while cut_short(waits % 3, near.ended()).await.is_none() {
        waits += 1;
    }
    assert_eq!(cutting.await.reason, Reason::ByUs(CloseCode::DONE));
}

async fn of_a_goodbye(world: World) {
    for polls in 1..ENDLESS {
        let (near, far) = world.pair().await;
        near.notify("any", "before").await.expect("the line is up");
        let done = cut_short(polls, near.close(CloseCode::DONE, "")).await;
        // It closes all the same.
        let mut messages = far.messages();
        let mut message = messages.next().await.expect("it was said before");
        assert_eq!(message.decode::<String>().await.expect("a text"), "before");
        assert!(messages.next().await.is_none());
        assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
        assert_eq!(near.ended().await.reason, Reason::ByUs(CloseCode::DONE));
        if done.is_some() {
            break;
        }
    }
}

async fn of_going_away(world: World) {
    for polls in 0..ENDLESS {
        let (near, far) = world.pair().await;
        world.serve(&far, Router::new().on("echo", echo));
        let done = cut_short(polls, near.go_away()).await;
        still_works(&near).await;
        match done {
            Some(outcome) => {
                outcome.expect("the line is up");
                until(|| far.is_peer_away()).await;
                break;
            }
            None => assert!(!far.is_peer_away() || polls > 0),
        }
    }
}

async fn of_connecting(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    for polls in 0..ENDLESS {
        let done = cut_short(polls, world.client(server.address()).connect()).await;
        if let Some(line) = done {
            still_works(&line.expect("it listens")).await;
            break;
        }
    }
    // No line is left of those that were dropped.
    let line = world.client(server.address()).connect().await.expect("it listens");
    still_works(&line).await;
    until(|| server.lines().len() == 1).await;
    let far = server.lines().remove(0);
    world.part(line, far).await;
}

async fn of_listening(world: World) {
    for polls in 0..ENDLESS {
        if let Some(server) = cut_short(polls, world.server().on("echo", echo).serve()).await {
            let server = server.expect("the address is free");
            let line = world.client(server.address()).connect().await.expect("it listens");
            still_works(&line).await;
            break;
        }
    }
}

async fn of_a_shutdown(world: World) {
    let (give, take) = queue();
    for polls in 0..ENDLESS {
        let give = give.clone();
        let server = world.server().on_message("work", move |message| {
            give.put(message);
            async { Ok(()) }
        });
        let server = server.serve().await.expect("the address is free");
        let line = world.client(server.address()).connect().await.expect("it listens");
        let asking = line.clone();
        let asker = world.spawn(async move { asking.request::<_, String>("work", &()).await });
        let message = take.next().await;
        let answering = world.spawn(async move { message.answer("done").await });
        let done = cut_short(polls, server.shutdown(Duration::from_secs(3600))).await;
        // The lines are closed, whether anybody waited for it or not.
        assert_eq!(line.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
        let _ = (asker.await, answering.await);
        if let Some(went) = done {
            assert_eq!((went.closed, went.cut), (1, 0));
            break;
        }
    }
}
