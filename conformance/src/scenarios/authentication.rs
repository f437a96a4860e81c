//! Clients that say who they are, and servers that decide.

pub(super) mod decisions;

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ropeway_driver::protocol::AuthRules;
use ropeway_driver::seal::SecretKey;
use ropeway_driver::{
    Claim, ClientBuilder, CloseCode, Code, Credential, Error, Grant, Line, LineOptions, Reason, Role, Seal, SealError,
    Server, ServerBuilder,
};

use super::by_hand::{collapse, echo, pass_until, polled, queue, still_works, turn, until};
use super::sealing::{anywhere, end_with, far_end};
use super::{Scenario, scenarios};
use crate::lab::Lab;
use crate::transport::{Sky, Transport};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    a_line_opens_once_the_server_has_decided if anywhere,
    who_has_another_secret_is_not_taken if concerned,
    a_refusal_takes_its_time if concerned,
    who_has_nothing_to_say_is_not_taken if concerned,
    a_server_that_does_not_seal_can_not_authenticate if concerned,
    a_key_is_a_credential if concerned,
    a_credential_that_never_comes_holds_nobody_up if concerned,
    who_is_taken_for_a_while_proves_it_anew_in_time if concerned,
    who_does_not_is_put_out if concerned,
    a_proof_that_is_refused_is_tried_again if concerned,
    a_client_proves_it_anew_when_it_likes if concerned,
    what_is_granted_later_is_proved_anew_too if concerned,
    proofs_of_several_tasks_are_heard_one_after_another if concerned,
    a_proof_that_nobody_waits_for_is_nobody_elses if concerned,
    who_is_not_asked_proves_nothing if concerned,
    ends_made_by_hand_prove_and_decide if concerned,
    credentials_are_asked_for_at_every_line if concerned,
    who_is_taken_may_have_fewer_handlers if concerned,
];

/// It seals its lines itself.
fn concerned(transport: Transport) -> bool {
    matches!(transport, Transport::Pipe(Sky::Fair | Sky::OneByte) | Transport::Tcp)
}

const LIFETIME: Duration = Duration::from_secs(100);
const MOMENT: Duration = Duration::from_millis(1);
const SECRET: &[u8] = b"thirty-two octets nobody guesses";

fn key(octet: u8) -> SecretKey {
    SecretKey::new([octet; 32])
}

fn server(world: &World) -> ServerBuilder<Lab> {
    world.server().seal(Seal::with_key(key(1))).on("echo", echo)
}

fn client(world: &World, server: &Server<Lab>) -> ClientBuilder<Lab> {
    world.client(server.address()).seal(Seal::trusting(key(1).public()))
}

fn token() -> Credential {
    Credential::token("kiosk-7", SECRET)
}

/// A refusal is told without delay.
const AT_ONCE: AuthRules = AuthRules { delay: Duration::ZERO, ..AuthRules::DEFAULT };

/// Takes who has the secret.
async fn by_token(claim: Claim) -> Result<Grant, Code> {
    match claim.name() {
        "kiosk-7" if claim.has(SECRET) => Ok(Grant::to("kiosk 7, hall B").group("kiosks")),
        _ => Err(Code::UNAUTHORISED),
    }
}

async fn a_line_opens_once_the_server_has_decided(world: World) {
    let (give, take) = queue();
    let (decide, decided) = queue::<()>();
    let (decided, asked) = (Arc::new(decided), queue());
    let (tell, told) = (asked.0, asked.1);
    let server = server(&world)
        .authenticate(move |claim| {
            tell.put(());
            let decided = decided.clone();
            async move {
                decided.next().await;
                by_token(claim).await
            }
        })
        .on_line(move |line| {
            give.put(line);
            async { Ok(()) }
        });
    let server = server.serve().await.expect("the address is free");
    let connecting = world.spawn(client(&world, &server).credential(token()).connect());
    told.next().await;
    for _ in 0..20 {
        turn().await;
    }
    assert!(!connecting.is_done() && server.lines().is_empty(), "nobody has decided");
    decide.put(());
    let line = connecting.await.expect("it is taken");
    let far = take.next().await;
    assert_eq!(line.identity().expect("it is told").name, "kiosk 7, hall B");
    let identity = far.identity().expect("it was decided");
    assert_eq!((&identity.name[..], &identity.groups[..]), ("kiosk 7, hall B", &["kiosks".to_owned()][..]));
    still_works(&line).await;
}

async fn who_has_another_secret_is_not_taken(world: World) {
    let server = server(&world).authenticate(by_token).auth_rules(AT_ONCE).serve().await.expect("the address is free");
    for wrong in [
        Credential::token("kiosk-7", b"another".as_slice()),
        Credential::token("kiosk-8", SECRET),
        Credential::token("", SECRET),
    ] {
        let refused = client(&world, &server).credential(wrong).connect().await;
        assert!(matches!(refused, Err(Error::Denied(Code::UNAUTHORISED))), "{refused:?}");
    }
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    still_works(&line).await;
}

/// D15.
async fn a_refusal_takes_its_time(world: World) {
    let for_ever = AuthRules { timeout: Duration::ZERO, ..AuthRules::DEFAULT };
    let (tell, told) = queue();
    let server = server(&world).auth_rules(for_ever).authenticate(move |claim| {
        tell.put(());
        by_token(claim)
    });
    let server = server.serve().await.expect("the address is free");
    let other = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    told.next().await;
    let wrong = client(&world, &server).credential(Credential::token("kiosk-7", b"another".as_slice()));
    let connecting = world.spawn(wrong.connect());
    told.next().await;
    // Long enough for an answer to come that was said at once.
    for _ in 0..20 {
        still_works(&other).await;
    }
    assert!(!connecting.is_done(), "no time has passed");
    // In steps: what the refusal counts from may be a few of them away.
    while !connecting.is_done() {
        world.time().pass(MOMENT).await;
        turn().await;
    }
    assert!(world.time().now() >= AuthRules::DEFAULT.delay);
    let refused = connecting.await;
    assert!(matches!(refused, Err(Error::Denied(Code::UNAUTHORISED))), "{refused:?}");
}

async fn who_has_nothing_to_say_is_not_taken(world: World) {
    let server = server(&world).authenticate(by_token).serve().await.expect("the address is free");
    let refused = client(&world, &server).connect().await;
    assert!(matches!(refused, Err(Error::Seal(SealError::NoCredential))), "{refused:?}");
    // A key that the server never saw is none.
    let refused = client(&world, &server).credential(Credential::key()).connect().await;
    assert!(matches!(refused, Err(Error::Closed(_))), "{refused:?}");
}

async fn a_server_that_does_not_seal_can_not_authenticate(world: World) {
    let refused = world.server().authenticate(by_token).serve().await;
    assert!(matches!(refused, Err(Error::Seal(SealError::Unsealed))), "{refused:?}");
}

async fn a_key_is_a_credential(world: World) {
    let known = key(2).public();
    let server = world.server().seal(Seal::with_key(key(1)).trust_by(|_| true)).on("echo", echo);
    let server = server.authenticate(move |claim: Claim| {
        let taken = claim.is_by_key() && claim.key() == Some(known);
        ready(if taken { Ok(Grant::to("by its key")) } else { Err(Code::UNAUTHORISED) })
    });
    let server = server.auth_rules(AT_ONCE).serve().await.expect("the address is free");
    let with = |key: SecretKey| {
        let seal = Seal::with_key(key).trust(self::key(1).public());
        world.client(server.address()).seal(seal).credential(Credential::key()).connect()
    };
    let line = with(key(2)).await.expect("it is taken");
    assert_eq!(line.identity().expect("it is told").name, "by its key");
    still_works(&line).await;
    let refused = with(key(3)).await;
    assert!(matches!(refused, Err(Error::Denied(Code::UNAUTHORISED))), "{refused:?}");
}

async fn a_credential_that_never_comes_holds_nobody_up(world: World) {
    let server = server(&world).authenticate(by_token).serve().await.expect("the address is free");
    let (tell, told) = queue();
    let connecting = client(&world, &server).credentials(move || {
        tell.put(());
        pending::<Credential>()
    });
    let connecting = world.spawn(connecting.connect());
    told.next().await;
    pass_until(&world, &connecting).await;
    let refused = connecting.await;
    assert!(matches!(refused, Err(Error::Closed(_))), "{refused:?}");
}

async fn who_is_taken_for_a_while_proves_it_anew_in_time(world: World) {
    let times = Arc::new(AtomicUsize::new(0));
    let count = times.clone();
    let server = server(&world).authenticate(move |claim| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { Ok(by_token(claim).await?.lifetime(LIFETIME)) }
    });
    let server = server.serve().await.expect("the address is free");
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    for asked in 1..5 {
        while times.load(Ordering::Relaxed) < asked {
            pass_some(&world, &line, LIFETIME / 50).await;
        }
    }
    still_works(&line).await;
}

async fn who_does_not_is_put_out(world: World) {
    let taken = Arc::new(AtomicUsize::new(0));
    let server = server(&world).authenticate(move |claim| {
        let first = taken.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let grant = by_token(claim).await?;
            if first { Ok(grant.lifetime(LIFETIME)) } else { Err(Code::UNAUTHORISED) }
        }
    });
    let server = server.serve().await.expect("the address is free");
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    world.time().pass(LIFETIME).await;
    assert_eq!(line.ended().await.reason, Reason::ByPeer(CloseCode::EXPIRED));
}

/// A server that takes a client for so long, unless `refuses` its claim of that number, from 1.
fn for_a_while(world: &World, refuses: impl Fn(usize) -> bool + Send + Sync + 'static) -> (ServerBuilder<Lab>, Claims) {
    let claims = Claims::default();
    let count = claims.clone();
    let server = server(world).authenticate(move |claim| {
        let refused = refuses(count.fetch_add(1, Ordering::Relaxed) + 1);
        async move { if refused { Err(Code::UNAUTHORISED) } else { Ok(by_token(claim).await?.lifetime(LIFETIME)) } }
    });
    (server, claims)
}

/// How many there were.
type Claims = Arc<AtomicUsize>;

/// Time passes, and no faster than the ends do what is due.
async fn pass_some(world: &World, line: &Line, by: Duration) {
    world.time().pass(by).await;
    until(|| !world.time().has_fired()).await;
    still_works(line).await;
}

async fn pass_to(world: &World, line: &Line, at: Duration) {
    while world.time().now() < at {
        pass_some(world, line, LIFETIME / 1000).await;
    }
}

async fn a_proof_that_is_refused_is_tried_again(world: World) {
    let (server, claims) = for_a_while(&world, |number| number == 2 || number == 3);
    let server = server.auth_rules(AT_ONCE).serve().await.expect("the address is free");
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    pass_to(&world, &line, LIFETIME / 5 * 4 + Duration::from_secs(6)).await;
    assert_eq!(claims.load(Ordering::Relaxed), 2, "it is not tried again at once");
    pass_to(&world, &line, LIFETIME * 2).await;
    assert!((4..8).contains(&claims.load(Ordering::Relaxed)), "{claims:?}");
}

async fn a_client_proves_it_anew_when_it_likes(world: World) {
    let (server, claims) = for_a_while(&world, |number| number == 2);
    let server = server.auth_rules(AT_ONCE).serve().await.expect("the address is free");
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    let far = far_end(&server).await;
    assert!(line.expires_in().is_some_and(|left| left <= LIFETIME) && far.expires_in().is_some());
    pass_to(&world, &line, LIFETIME / 2).await;
    assert!(line.expires_in().is_some_and(|left| left <= LIFETIME / 2 + MOMENT), "{:?}", line.expires_in());
    let refused = line.authenticate(token()).await;
    assert!(matches!(refused, Err(Error::Denied(Code::UNAUTHORISED))), "{refused:?}");
    assert!(line.expires_in().is_some_and(|left| left <= LIFETIME / 2 + MOMENT), "it holds as before");
    assert_eq!(line.authenticate(token()).await.expect("it is taken"), Some(LIFETIME));
    for end in [&line, &far] {
        assert!(end.expires_in().is_some_and(|left| left > LIFETIME / 5 * 4), "{:?}", end.expires_in());
    }
    // What is renewed by itself counts from then on.
    pass_to(&world, &line, LIFETIME / 5 * 6).await;
    assert_eq!(claims.load(Ordering::Relaxed), 3);
    pass_to(&world, &line, LIFETIME / 5 * 7).await;
    assert_eq!(claims.load(Ordering::Relaxed), 4);
}

/// What holds for ever at first may have an end later; and neither a panic of who gives the credentials is the last word, nor that
/// there are none now.
async fn what_is_granted_later_is_proved_anew_too(world: World) {
    let claims = Claims::default();
    let count = claims.clone();
    let server = server(&world).authenticate(move |claim| {
        let first = count.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let grant = by_token(claim).await?;
            Ok(if first { grant } else { grant.lifetime(LIFETIME) })
        }
    });
    let server = server.serve().await.expect("the address is free");
    let asked = Claims::default();
    let count = asked.clone();
    let client = client(&world, &server).credentials(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                1 => collapse(),
                2 => None,
                _ => Some(token()),
            }
        }
    });
    let line = client.connect().await.expect("it is taken");
    assert_eq!(line.expires_in(), None);
    assert_eq!(line.authenticate(token()).await.expect("it is taken"), Some(LIFETIME));
    world.time().pass(LIFETIME / 5 * 4 + MOMENT).await;
    until(|| asked.load(Ordering::Relaxed) == 2).await;
    assert_eq!(claims.load(Ordering::Relaxed), 2);
    // Some of what is left passes before the next attempt.
    while claims.load(Ordering::Relaxed) < 3 {
        pass_some(&world, &line, LIFETIME / 1000).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    still_works(&line).await;
}

async fn proofs_of_several_tasks_are_heard_one_after_another(world: World) {
    let (server, claims) = for_a_while(&world, |number| number % 4 == 0);
    let server = server.auth_rules(AT_ONCE).serve().await.expect("the address is free");
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    let sides: Vec<_> = (0..20)
        .map(|_| {
            let line = line.clone();
            world.spawn(async move { line.authenticate(token()).await })
        })
        .collect();
    let mut refused = 0;
    for side in sides {
        match side.await {
            Ok(lifetime) => assert_eq!(lifetime, Some(LIFETIME)),
            Err(Error::Denied(Code::UNAUTHORISED)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((claims.load(Ordering::Relaxed), refused), (21, 5));
    still_works(&line).await;
}

async fn a_proof_that_nobody_waits_for_is_nobody_elses(world: World) {
    let (tell, told) = queue();
    let (decide, decided) = queue::<Duration>();
    let decided = Arc::new(decided);
    let server = server(&world).authenticate(move |claim| {
        tell.put(());
        let decided = decided.clone();
        async move {
            let lifetime = decided.next().await;
            Ok(by_token(claim).await?.lifetime(lifetime))
        }
    });
    let server = server.serve().await.expect("the address is free");
    decide.put(LIFETIME);
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    told.next().await;
    let mut dropped = Box::pin(line.authenticate(token()));
    assert!(polled(dropped.as_mut()).await.is_pending());
    told.next().await;
    let other = line.clone();
    let other = world.spawn(async move { other.authenticate(token()).await });
    for _ in 0..20 {
        turn().await;
    }
    drop(dropped);
    for _ in 0..20 {
        turn().await;
    }
    assert!(told.is_empty(), "one claim at a time");
    decide.put(LIFETIME * 2);
    told.next().await;
    decide.put(LIFETIME * 3);
    assert_eq!(other.await.expect("it is taken"), Some(LIFETIME * 3));
    still_works(&line).await;
}

async fn who_is_not_asked_proves_nothing(world: World) {
    let asks_nobody = server(&world).serve().await.expect("the address is free");
    let line = client(&world, &asks_nobody).credential(token()).connect().await.expect("nobody asks");
    let refused = line.authenticate(token()).await;
    assert!(matches!(refused, Err(Error::Seal(SealError::NotAsked))), "{refused:?}");
    let server = server(&world).authenticate(by_token).serve().await.expect("the address is free");
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    let refused = far_end(&server).await.authenticate(token()).await;
    assert!(matches!(refused, Err(Error::Misuse(_))), "{refused:?}");
    assert_eq!(line.expires_in(), None, "it holds for ever");
}

async fn ends_made_by_hand_prove_and_decide(world: World) {
    let (listener, address) = world.listen().await;
    let mut options = LineOptions::from(patient());
    options.seal = Some(Seal::trusting(key(1).public()));
    let near = end_with(&world, Role::Client, world.connect(&address).await, options);
    let mut options = LineOptions::from(patient()).authenticate(AT_ONCE, by_token);
    options.seal = Some(Seal::with_key(key(1)));
    let far = end_with(&world, Role::Server, world.accept(&listener).await, options);
    let refused = near.authenticate(Credential::token("kiosk-7", b"another".as_slice())).await;
    assert!(matches!(refused, Err(Error::Denied(Code::UNAUTHORISED))), "{refused:?}");
    assert_eq!(near.authenticate(token()).await.expect("it is taken"), None);
    for end in [&near, &far] {
        end.ready().await.expect("it is open");
        assert_eq!(end.identity().expect("it is known").name, "kiosk 7, hall B");
    }
}

async fn credentials_are_asked_for_at_every_line(world: World) {
    let server = server(&world).authenticate(by_token).serve().await.expect("the address is free");
    let asked = Arc::new(AtomicUsize::new(0));
    for times in 1..4 {
        let count = asked.clone();
        let line = client(&world, &server).credentials(move || {
            count.fetch_add(1, Ordering::Relaxed);
            async { token() }
        });
        let line = line.connect().await.expect("it is taken");
        assert_eq!(asked.load(Ordering::Relaxed), times);
        still_works(&line).await;
    }
    let refused = client(&world, &server).credentials(|| ready(None)).connect().await;
    assert!(matches!(refused, Err(Error::Seal(SealError::NoCredential))), "{refused:?}");
}

async fn who_is_taken_may_have_fewer_handlers(world: World) {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (running.clone(), most.clone());
    let server = world.server().seal(Seal::with_key(key(1))).on("slow", move |(): ()| {
        let (now, peak) = (now.clone(), peak.clone());
        async move {
            peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            turn().await;
            now.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        }
    });
    let server = server.authenticate(|claim| async move { Ok(by_token(claim).await?.handlers(2)) });
    let server = server.auth_rules(AuthRules::DEFAULT).serve().await.expect("the address is free");
    let line = client(&world, &server).credential(token()).connect().await.expect("it is taken");
    let sides: Vec<_> = (0..20)
        .map(|_| {
            let line = line.clone();
            world.spawn(async move { line.request::<_, ()>("slow", &()).await })
        })
        .collect();
    for side in sides {
        side.await.expect("it is answered");
    }
    assert!((1..=2).contains(&most.load(Ordering::Relaxed)), "{most:?} at once");
}
