//! How servers decide: in time or not, and what comes of it.

use std::future::{pending, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use ropeway_driver::protocol::AuthRules;
use ropeway_driver::{Claim, CloseCode, Code, Error, Grant, Line, Reason, Seal, Server};

use super::{AT_ONCE, Claims, LIFETIME, MOMENT, by_token, client, concerned, key, pass_to, server, token};
use crate::lab::Lab;
use crate::scenarios::by_hand::{Take, collapse, queue, still_works, until};
use crate::scenarios::sealing::far_end;
use crate::scenarios::{Scenario, scenarios};
use crate::world::{Side, World};

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    a_decision_may_take_its_time_but_not_for_ever if concerned,
    a_decision_may_take_a_day if concerned,
    a_decision_on_an_open_line_takes_only_so_long_too if concerned,
    a_decision_that_is_ready_too_late_is_not_said if concerned,
    a_decision_that_panics_is_a_refusal if concerned,
    a_name_that_the_client_can_not_be_told_is_a_refusal if concerned,
];

/// A line that the server has taken, whose client proves who it is once more: the server has heard it.
async fn proving_anew(
    world: &World,
    server: &Server<Lab>,
    told: &Take<()>,
) -> (Line, Side<Result<Option<Duration>, Error>>) {
    let line = client(world, server).credential(token()).connect().await.expect("it is taken");
    told.next().await;
    let proving = line.clone();
    let proving = world.spawn(async move { proving.authenticate(token()).await });
    told.next().await;
    (line, proving)
}

async fn a_decision_may_take_its_time_but_not_for_ever(world: World) {
    let (tell, told) = queue();
    let server = server(&world).authenticate(move |_| {
        tell.put(());
        pending()
    });
    let server = server.serve().await.expect("the address is free");
    let connecting = world.spawn(client(&world, &server).credential(token()).connect());
    told.next().await;
    world.time().pass(AuthRules::DEFAULT.timeout - MOMENT).await;
    assert!(!connecting.is_done());
    world.time().pass(MOMENT).await;
    let refused = connecting.await;
    let Err(Error::Closed(ended)) = refused else { panic!("{refused:?}") };
    assert!(matches!(ended.reason, Reason::ByPeer(CloseCode::DENIED) | Reason::HelloTimeout), "{ended}");
    assert!(server.lines().is_empty());
}

/// If both ends are told so.
async fn a_decision_may_take_a_day(world: World) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let (tell, told) = queue();
    let (decide, decided) = queue::<()>();
    let decided = Arc::new(decided);
    let server = server(&world).authenticate(move |claim| {
        tell.put(());
        let decided = decided.clone();
        async move {
            decided.next().await;
            by_token(claim).await
        }
    });
    let server = server.auth_rules(AuthRules { timeout: Duration::ZERO, ..AT_ONCE }).serve().await;
    let server = server.expect("the address is free");
    let seal = Seal::trusting(key(1).public()).auth_timeout(2 * DAY);
    let connecting = world.client(server.address()).seal(seal).credential(token()).connect();
    let connecting = world.spawn(connecting);
    told.next().await;
    world.time().pass(DAY).await;
    assert!(!connecting.is_done());
    decide.put(());
    let line = connecting.await.expect("it is taken in the end");
    assert!(line.identity().is_some());
}

async fn a_decision_on_an_open_line_takes_only_so_long_too(world: World) {
    let (tell, told) = queue();
    let (claims, kept) = (Claims::default(), Arc::new(()));
    let held = kept.clone();
    let server = server(&world).authenticate(move |claim| {
        tell.put(());
        let held = (claims.fetch_add(1, Ordering::Relaxed) == 1).then(|| held.clone());
        async move {
            if let Some(_held) = held {
                pending::<()>().await;
            }
            by_token(claim).await
        }
    });
    let server = server.serve().await.expect("the address is free");
    let (line, proving) = proving_anew(&world, &server, &told).await;
    // That a claim waits is nothing to a server that makes one itself, which it may not.
    let far = far_end(&server).await;
    let misused = world.spawn(async move { far.authenticate(token()).await });
    until(|| misused.is_done()).await;
    assert!(matches!(misused.await, Err(Error::Misuse(_))));
    let most = AuthRules::DEFAULT.timeout;
    pass_to(&world, &line, world.time().now() + most - LIFETIME / 100).await;
    assert!(!proving.is_done());
    world.time().pass(LIFETIME / 100).await;
    let refused = proving.await;
    assert!(matches!(refused, Err(Error::Denied(Code::TIMEOUT))), "{refused:?}");
    until(|| Arc::strong_count(&kept) == 2).await;
    still_works(&line).await;
    assert_eq!(line.authenticate(token()).await.expect("it is taken"), None);
    // That one was decided in time.
    pass_to(&world, &line, world.time().now() + most * 2).await;
    still_works(&line).await;
}

/// It is made in the moment in which the client is told that nobody has decided.
async fn a_decision_that_is_ready_too_late_is_not_said(world: World) {
    let (tell, told) = queue();
    let (claims, time) = (Claims::default(), world.time().clone());
    let server = server(&world).authenticate(move |claim| {
        tell.put(());
        let most =
            if claims.fetch_add(1, Ordering::Relaxed) == 1 { AuthRules::DEFAULT.timeout } else { Duration::ZERO };
        let (time, ready) = (time.clone(), time.now() + most);
        async move {
            // Nothing wakes it, but what ends the wait for it.
            poll_fn(|_| if time.now() < ready { Poll::Pending } else { Poll::Ready(()) }).await;
            by_token(claim).await
        }
    });
    let server = server.serve().await.expect("the address is free");
    let (line, proving) = proving_anew(&world, &server, &told).await;
    pass_to(&world, &line, world.time().now() + AuthRules::DEFAULT.timeout).await;
    let refused = proving.await;
    assert!(matches!(refused, Err(Error::Denied(Code::TIMEOUT))), "{refused:?}");
    // Who decides goes on.
    assert_eq!(line.authenticate(token()).await.expect("it is taken"), None);
    still_works(&line).await;
}

async fn a_decision_that_panics_is_a_refusal(world: World) {
    async fn panics(_: Claim) -> Result<Grant, Code> {
        collapse()
    }
    fn panics_at_once(_: Claim) -> std::future::Ready<Result<Grant, Code>> {
        collapse()
    }
    let servers = [server(&world).authenticate(panics), server(&world).authenticate(panics_at_once)];
    for server in servers {
        let server = server.auth_rules(AT_ONCE).serve().await.expect("the address is free");
        let refused = client(&world, &server).credential(token()).connect().await;
        assert!(matches!(refused, Err(Error::Denied(Code::INTERNAL))), "{refused:?}");
    }
}

async fn a_name_that_the_client_can_not_be_told_is_a_refusal(world: World) {
    let server = server(&world).authenticate(|_| ready(Ok(Grant::to("x".repeat(300))))).auth_rules(AT_ONCE);
    let server = server.serve().await.expect("the address is free");
    let refused = client(&world, &server).credential(token()).connect().await;
    assert!(matches!(refused, Err(Error::Denied(Code::INTERNAL))), "{refused:?}");
}
