//! Ends that do not agree: each is told why, nothing was said before, and nothing hangs.

use ropeway_driver::protocol::PeerError;
use ropeway_driver::seal::{Policy, Rule, Suites};
use ropeway_driver::{Error, Reason, Seal, SealError};

use super::{concerned, keys, psk, strangers};
use crate::scenarios::by_hand::{queue, until};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    ends_that_do_not_agree_are_both_told_why if concerned,
    no_suite_in_common_is_told_with_both_lists if concerned,
    who_refuses_a_peer_serves_the_next if concerned,
    what_can_not_be_sealed_is_refused_at_once if concerned,
];

async fn ends_that_do_not_agree_are_both_told_why(world: World) {
    use PeerError::{Handshake, MustSeal, NotSealed, SealPattern, SealPolicy, Untrusted};
    let [client, server, other] = keys();
    let told = |error: PeerError| Reason::ByPeer(error.code());
    let found = Reason::PeerError;
    let anonymous = || Some(Seal::anonymous());
    let with_psk = |octet| Some(Seal::anonymous().psk(psk(octet)));
    let serving = || Some(Seal::with_key(server.clone()));
    let pinned = || Some(Seal::trusting(server.public()));
    let proving = || Some(Seal::with_key(client.clone()).trust(server.public()));
    let wanting = || Some(Seal::with_key(server.clone()).trust(client.public()));
    let secret = |seal: Option<Seal>, octet| seal.map(|seal| seal.psk(psk(octet)));
    let plain = |rule| Some(Seal::anonymous().policy(Policy::both(rule)));
    let cases = [
        ("other secrets, of strangers", with_psk(1), with_psk(2), told(Handshake), found(Handshake)),
        (
            "other secrets, of a known server",
            secret(pinned(), 1),
            secret(serving(), 2),
            told(Handshake),
            found(Handshake),
        ),
        ("other secrets, of friends", secret(proving(), 1), secret(wanting(), 2), told(Handshake), found(Handshake)),
        ("another server", Some(Seal::trusting(other.public())), serving(), found(Untrusted), told(Untrusted)),
        (
            "another server, of a client with a key",
            Some(Seal::with_key(client.clone()).trust(other.public())),
            wanting(),
            found(Untrusted),
            told(Untrusted),
        ),
        (
            "another client",
            proving(),
            Some(Seal::with_key(server.clone()).trust(other.public())),
            told(Untrusted),
            found(Untrusted),
        ),
        ("one must, one must not", plain(Rule::Required), plain(Rule::Plain), found(SealPolicy), found(SealPolicy)),
        ("one must not, one must", plain(Rule::Plain), plain(Rule::Required), found(SealPolicy), found(SealPolicy)),
        ("a client that shows no key", pinned(), wanting(), found(SealPattern), found(SealPattern)),
        ("a server that has no key", pinned(), anonymous(), found(SealPattern), found(SealPattern)),
        ("a secret of one alone", with_psk(1), anonymous(), found(SealPattern), found(SealPattern)),
        ("a secret of the other alone", anonymous(), with_psk(1), found(SealPattern), found(SealPattern)),
        ("a client that does not seal", None, anonymous(), found(MustSeal), found(NotSealed)),
        ("a server that does not seal", anonymous(), None, found(NotSealed), found(MustSeal)),
    ];
    for (what, near, far, of_near, of_far) in cases {
        let (near, far) = strangers(&world, near, far).await;
        let asking = [&near, &far].map(|line| {
            let line = line.clone();
            world.spawn(async move { line.request::<_, ()>("any", "nobody hears it").await })
        });
        assert_eq!((near.ended().await.reason, far.ended().await.reason), (of_near, of_far), "{what}");
        for (asked, reason) in asking.into_iter().zip([of_near, of_far]) {
            match asked.await {
                Err(Error::Closed(ended)) => assert_eq!(ended.reason, reason, "{what}"),
                other => panic!("{what}: {other:?}"),
            }
        }
        let heard = (near.stats().received.requests, far.stats().received.requests);
        assert_eq!(heard, (0, 0), "{what}");
    }
}

async fn no_suite_in_common_is_told_with_both_lists(world: World) {
    let list = |names: &[&str]| Suites::default().named(names.iter().copied()).expect("they are all there");
    let near = Seal::anonymous().suites(list(&["AES-256-GCM"]));
    let far = Seal::anonymous().suites(list(&["ChaCha20-Poly1305", "A256CBC-HS512"]));
    let (near, far) = strangers(&world, Some(near), Some(far)).await;
    let (one, other) = ("AES-256-GCM", "ChaCha20-Poly1305, A256CBC-HS512");
    for (line, ours, theirs) in [(near, one, other), (far, other, one)] {
        let ended = line.ended().await;
        assert_eq!(ended.reason, Reason::PeerError(PeerError::NoSuite));
        assert_eq!(&*ended.text, &format!("this end has {ours}; the peer has {theirs}"));
    }
}

async fn who_refuses_a_peer_serves_the_next(world: World) {
    let [client, key, other] = keys();
    let seal = Seal::with_key(key.clone()).trust(client.public());
    let (give, unopened) = queue();
    let server = world.server().seal(seal).on("echo", crate::scenarios::by_hand::echo);
    let server = server.on_unopened(move |_, ended| give.put(ended.reason));
    let server = server.serve().await.expect("the address is free");
    for (own, is_good) in [(&client, true), (&other, false), (&client, true)] {
        let seal = Seal::with_key(own.clone()).trust(key.public());
        let line = world.client(server.address()).seal(seal).connect().await;
        // A client is done before the server has seen its key.
        let answered = match line {
            Ok(line) => line.request::<_, String>("echo", "there?").await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(_) => assert!(is_good),
            Err(Error::Closed(ended)) => {
                assert_eq!((is_good, ended.reason), (false, Reason::ByPeer(PeerError::Untrusted.code())));
                assert_eq!(unopened.next().await, Reason::PeerError(PeerError::Untrusted));
            }
            Err(other) => panic!("{other:?}"),
        }
        until(|| server.lines().is_empty()).await;
    }
}

async fn what_can_not_be_sealed_is_refused_at_once(world: World) {
    let [own, other, _] = keys();
    let clients = [
        (Seal::with_key(own.clone()), SealError::NoTrust),
        (Seal::anonymous().suites(Suites::none()), SealError::NoSuites),
    ];
    let server = world.server().seal(Seal::anonymous()).serve().await.expect("the address is free");
    for (seal, expected) in clients {
        let refused = world.client(server.address()).seal(seal).connect().await;
        assert!(matches!(refused, Err(Error::Seal(error)) if error == expected), "{refused:?}");
    }
    let servers = [
        (Seal::trusting(other.public()), SealError::NoKey),
        (Seal::anonymous().suites(Suites::none()), SealError::NoSuites),
    ];
    for (seal, expected) in servers {
        let refused = world.server().seal(seal).serve().await.map(drop);
        assert!(matches!(refused, Err(Error::Seal(error)) if error == expected), "{refused:?}");
    }
    let (one, other) = super::pair(&world, Seal::anonymous(), Seal::anonymous()).await;
    let known = one.sealing().expect("there are keys");
    world.part(one, other).await;
    let (near, far) = world.pair().await;
    for line in [&near, &far] {
        assert_eq!(line.sealing(), None);
        let refused = line.sealing_changed(&known).await;
        assert!(matches!(refused, Err(Error::Seal(SealError::NoKeys))), "{refused:?}");
        for refused in
            [line.seal(true).await, line.ask_to_seal(true).await, line.rekey().await, line.rekey_afresh().await]
        {
            assert!(matches!(refused, Err(Error::Seal(SealError::NoKeys))), "{refused:?}");
        }
        let refused = line.open("any", &()).sealed().notify().await.map(drop);
        assert!(matches!(refused, Err(Error::Seal(SealError::NoKeys))), "{refused:?}");
    }
    world.part(near, far).await;
}
