//! What a binding supplies besides sockets: clocks, and threads for what blocks.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

use ropeway_driver::Clock;

use super::by_hand::queue;
use super::{Scenario, scenarios};
use crate::lab::LabClock;
use crate::transport::{Sky, Transport};
use crate::world::World;

pub(super) const LIST: &[Scenario] = scenarios![
    a_clock_wakes_when_the_time_has_come if once,
    only_the_last_deadline_counts if once,
    a_clock_wakes_who_looked_last if once,
    all_clocks_show_the_same_time if once,
    blocking_work_holds_up_no_task if once,
];

const MOMENT: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3600);

/// Nothing is sent.
fn once(transport: Transport) -> bool {
    transport == Transport::Pipe(Sky::Fair)
}

async fn a_clock_wakes_when_the_time_has_come(world: World) {
    let mut clock = world.in_real_time().clock();
    for wait in [Duration::ZERO, MOMENT, Duration::ZERO, 2 * MOMENT] {
        let at = clock.now() + wait;
        until(&mut clock, at).await;
        assert!(clock.now() >= at, "{wait:?}: too early");
        assert!(is_ready(&mut clock, at), "{wait:?}: it has come for good");
        assert!(!is_ready(&mut clock, at + HOUR), "{wait:?}: and no later one");
    }
}

async fn only_the_last_deadline_counts(world: World) {
    let world = world.in_real_time();
    let (mut clock, mut other) = (world.clock(), world.clock());
    let now = clock.now();
    for later in [now + HOUR, Duration::MAX] {
        assert!(!is_ready(&mut clock, later));
        let at = wait_for(&mut clock, 2 * MOMENT);
        assert!(!is_ready(&mut clock, later));
        until(&mut other, at + MOMENT).await;
        assert!(!is_ready(&mut clock, later), "the earlier one is forgotten");
        let at = clock.now() + MOMENT;
        until(&mut clock, at).await;
    }
}

async fn a_clock_wakes_who_looked_last(world: World) {
    let mut clock = world.in_real_time().clock();
    // Nobody listens to this waker.
    let at = wait_for(&mut clock, 4 * MOMENT);
    world.spawn(async move { until(&mut clock, at).await }).await;
}

async fn all_clocks_show_the_same_time(world: World) {
    let world = world.in_real_time();
    let (one, other) = (world.clock(), world.clock());
    let shown = [one.now(), world.spawner().now(), other.now(), world.spawner().now(), one.now()];
    assert!(shown.is_sorted(), "{shown:?}");
}

async fn blocking_work_holds_up_no_task(world: World) {
    // More than there are workers.
    const WORKS: usize = 8;
    let (give, take) = queue();
    let releases: Vec<_> = (0..WORKS)
        .map(|_| {
            let (release, released) = mpsc::channel::<()>();
            let give = give.clone();
            let work = move || {
                released.recv().expect("it is released");
                give.put(());
            };
            world.spawner().spawn_blocking(Box::new(work));
            release
        })
        .collect();
    let releasing = world.spawn(async move {
        for release in releases {
            release.send(()).expect("it waits");
        }
    });
    releasing.await;
    for _ in 0..WORKS {
        take.next().await;
    }
}

async fn until(clock: &mut LabClock, at: Duration) {
    poll_fn(|cx| clock.poll_until(cx, at)).await;
}

/// Begins to wait for so long. On a busy machine that may be over by then, and is tried again.
fn wait_for(clock: &mut LabClock, wait: Duration) -> Duration {
    loop {
        let at = clock.now() + wait;
        if !is_ready(clock, at) {
            return at;
        }
    }
}

fn is_ready(clock: &mut LabClock, at: Duration) -> bool {
    clock.poll_until(&mut Context::from_waker(Waker::noop()), at).is_ready()
}
