//! Whether the peer lives.

use std::time::Duration;

use ropeway_driver::{Config, Error, Reason};

use super::by_hand::{hello, in_the_clear, read_to_end, until, write_all};
use super::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    an_idle_line_stays_up,
    a_black_holed_peer_is_noticed_at_both_ends,
    a_peer_that_is_stopped_is_noticed_and_let_go if in_the_clear,
    a_ping_comes_back,
];

const SECOND: Duration = Duration::from_secs(1);

/// A heartbeat every 15 s, and dead after 2 misses.
fn beating() -> Config {
    let mut config = patient();
    config.protocol.heartbeat = 15 * SECOND;
    config.protocol.misses = 2;
    config
}

async fn an_idle_line_stays_up(world: World) {
    // An end that hears of a time a little late is not dead for that.
    let mut config = beating();
    config.protocol.misses = 4;
    let (near, far) = world.pair_with(config.clone(), config).await;
    assert_eq!((near.rtt(), far.rtt()), (None, None), "no ping was sent");
    let octets = || [&near, &far].map(|line| line.stats()).map(|stats| (stats.sent.octets, stats.received.octets));
    for _ in 0..20 {
        let [(_, near_before), (_, far_before)] = octets();
        world.time().pass(15 * SECOND).await;
        // Each has heard of the other, and all that was said.
        until(|| {
            let [near, far] = octets();
            near.1 > near_before && far.1 > far_before && (near.0, near.1) == (far.1, far.0)
        })
        .await;
    }
    until(|| near.rtt().is_some() && far.rtt().is_some()).await;
    assert!(!near.is_over() && !far.is_over());
    world.part(near, far).await;
}

/// C3. No end of the transport tells of it: nothing passes any more, either way.
async fn a_black_holed_peer_is_noticed_at_both_ends(world: World) {
    let gates = [world.gate_near(), world.gate_far()];
    let (near, far) = world.pair_with(beating(), beating()).await;
    let line = near.clone();
    let asker = world.spawn(async move { line.request::<_, ()>("any", &()).await });
    let held = far.messages().next().await.expect("it comes");
    for gate in &gates {
        gate.shut(Way::Read);
        gate.shut(Way::Write);
    }
    let line = far.clone();
    let taker = world.spawn(async move { line.messages().next().await.is_none() });
    world.time().pass(15 * SECOND).await;
    assert!(!near.is_over() && !far.is_over(), "one miss is no death");
    world.time().pass(15 * SECOND).await;
    assert_eq!(near.ended().await.reason, Reason::Dead);
    assert_eq!(far.ended().await.reason, Reason::Dead);
    match asker.await {
        Err(Error::Closed(ended)) => assert_eq!(ended.reason, Reason::Dead),
        other => panic!("{other:?}"),
    }
    assert!(taker.await, "nothing more will come");
    drop(held);
}

/// The socket of a dead peer is closed: it holds nothing any more.
async fn a_peer_that_is_stopped_is_noticed_and_let_go(world: World) {
    let server = world.server().config(beating()).serve().await.expect("the address is free");
    let (mut stream, _) = world.connect(server.address()).await;
    write_all(&mut stream, &hello()).await.expect("it listens");
    until(|| server.lines().len() == 1).await;
    for _ in 0..2 {
        // It may have been seen before it waits for a time.
        until(|| world.time().is_awaited_within(15 * SECOND)).await;
        world.time().pass(15 * SECOND).await;
    }
    read_to_end(&mut stream).await;
    until(|| server.lines().is_empty()).await;
}

async fn a_ping_comes_back(world: World) {
    let gate = world.gate_near();
    let (near, far) = world.pair().await;
    for line in [&near, &far] {
        for _ in 0..3 {
            assert_eq!(line.ping().await.expect("the line is up"), Duration::ZERO);
        }
    }
    assert_eq!((near.rtt(), far.rtt()), (Some(Duration::ZERO), Some(Duration::ZERO)));
    // It tells how long that took.
    for wait in [SECOND, 3 * SECOND] {
        gate.shut(Way::Read);
        let said = near.stats().sent.octets;
        let line = near.clone();
        let ping = world.spawn(async move { line.ping().await });
        until(|| near.stats().sent.octets > said).await;
        world.time().pass(wait).await;
        gate.open(Way::Read);
        assert_eq!(ping.await.expect("the line is up"), wait);
        assert_eq!(near.ping().await.expect("the line is up"), Duration::ZERO);
    }
    // Several may wait for one.
    let pings: Vec<_> = (0..5)
        .map(|_| {
            let line = near.clone();
            world.spawn(async move { line.ping().await })
        })
        .collect();
    for ping in pings {
        ping.await.expect("the line is up");
    }
    world.part(near, far).await;
}
