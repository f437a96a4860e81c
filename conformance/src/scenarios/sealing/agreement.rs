//! Ends that agree.

use std::sync::{Arc, Mutex, PoisonError};

use ropeway_driver::protocol::PeerError;
use ropeway_driver::seal::{PublicKey, Suites};
use ropeway_driver::{Error, Message, Reason, Seal};

use super::overheard::Ear;
use super::{agree, answering, anywhere, concerned, keys, psk, talk};
use crate::scenarios::by_hand::{still_works, until};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    every_pattern_gives_keys_and_shows_who_it_is if anywhere,
    who_is_trusted_on_first_use_is_so_again_and_no_other if concerned,
    nothing_of_a_sealed_line_is_heard_on_the_way if concerned,
];

async fn every_pattern_gives_keys_and_shows_who_it_is(world: World) {
    let [client, server, other] = keys();
    let (of_client, of_server, of_other) = (client.public(), server.public(), other.public());
    let proving = |key| Seal::with_key(key);
    let cases: Vec<(Seal, Seal, Option<PublicKey>, Option<PublicKey>)> = vec![
        (Seal::anonymous(), Seal::anonymous(), None, None),
        (Seal::trusting(of_server), proving(server.clone()), Some(of_server), None),
        (Seal::trusting(of_other).trust(of_server), proving(server.clone()), Some(of_server), None),
        (proving(client.clone()).trust(of_server), proving(server.clone()), Some(of_server), Some(of_client)),
        (
            proving(client.clone()).trust(of_server).trust(of_other),
            proving(server.clone()).trust(of_other).trust(of_client),
            Some(of_server),
            Some(of_client),
        ),
    ];
    let mut bindings = Vec::new();
    for with_psk in [false, true] {
        for (near, far, seen_near, seen_far) in cases.clone() {
            let (near, far) = if with_psk { (near.psk(psk(7)), far.psk(psk(7))) } else { (near, far) };
            let server = world.server().seal(far).on_message("echo", |mut message: Message| async move {
                let text: String = message.decode().await?;
                assert!(message.is_sealed());
                Ok(message.answer(&text).await?)
            });
            let server = server.serve().await.expect("the address is free");
            let near = world.client(server.address()).seal(near).connect().await.expect("they agree");
            still_works(&near).await;
            let far = super::far_end(&server).await;
            agree(&near, &far, "AES-256-GCM");
            let [of_near, of_far] = [&near, &far].map(|line| line.sealing().expect("there are keys"));
            assert_eq!((of_near.peer_key, of_far.peer_key), (seen_near, seen_far));
            assert!(of_near.ours && of_near.theirs);
            assert!(!bindings.contains(&of_near.binding), "no two lines have the same");
            bindings.push(of_near.binding);
            world.part(near, far).await;
        }
    }
}

async fn who_is_trusted_on_first_use_is_so_again_and_no_other(world: World) {
    let [_, server, other] = keys();
    let known = Arc::new(Mutex::new(None));
    let trust = {
        let known = known.clone();
        move |key: &PublicKey| *known.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(*key) == *key
    };
    let client = Seal::anonymous().trust_by(trust);
    for (key, is_good) in [(server.clone(), true), (server.clone(), true), (other, false), (server.clone(), true)] {
        let serving = world.server().seal(Seal::with_key(key)).on("echo", crate::scenarios::by_hand::echo);
        let serving = serving.serve().await.expect("the address is free");
        match world.client(serving.address()).seal(client.clone()).connect().await {
            Ok(line) => {
                assert!(is_good);
                still_works(&line).await;
            }
            Err(Error::Closed(ended)) => {
                assert_eq!((is_good, ended.reason), (false, Reason::PeerError(PeerError::Untrusted)));
                until(|| serving.lines().is_empty()).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(*known.lock().unwrap_or_else(PoisonError::into_inner), Some(server.public()));
}

async fn nothing_of_a_sealed_line_is_heard_on_the_way(world: World) {
    for suite in Suites::default().names() {
        let suites = Suites::default().named([suite]).expect("it is one of them");
        let ear = Ear::default();
        let server = world.server().seal(Seal::anonymous().suites(suites.clone())).router(answering());
        let server = server.serve().await.expect("the address is free");
        let (stream, _) = world.connect(server.address()).await;
        let near = world.client_over(ear.at(stream)).seal(Seal::anonymous().suites(suites));
        let near = near.connect().await.expect("they agree");
        talk(&world, &near, 1).await;
        for said in [&b"still there?"[..], b"echo", b"mirror", b"file"] {
            assert!(!ear.heard(said), "{suite}: {}", said.escape_ascii());
        }
        assert!(ear.heard(suite.as_bytes()), "what is said of suites is said in the clear");
        let far = super::far_end(&server).await;
        agree(&near, &far, suite);
        world.part(near, far).await;
    }
}
