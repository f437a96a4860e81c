//! Keys change while the line goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ropeway_driver::Seal;
use ropeway_driver::seal::{KEYS, Policy, RekeyAfter, Rule, Suite, Suites, rust_crypto};

use super::overheard::Ear;
use super::{agree, answering, concerned, pair, talk};
use crate::scenarios::by_hand::{still_works, until};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    the_key_of_a_direction_is_changed_by_its_end if concerned,
    keys_change_under_load_from_both_ends if concerned,
    keys_change_by_themselves if concerned,
    keys_that_are_changed_far_too_often_end_no_line if concerned,
    keys_of_a_line_that_is_plain_change if concerned,
];

/// A suite that counts the keys which both ends are given: each has one for either direction.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn anonymous(&self) -> Seal {
        Seal::anonymous().suites(Suites::none().and(self.clone()))
    }

    /// How often a direction had another key, at both ends.
    fn changes(&self) -> usize {
        (self.0.load(Ordering::Relaxed) - 4) / 2
    }
}

impl Suite for Counted {
    type Cipher = <rust_crypto::ChaCha20Poly1305 as Suite>::Cipher;

    fn name(&self) -> &str {
        "x-counted"
    }

    fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> Self::Cipher {
        self.0.fetch_add(1, Ordering::Relaxed);
        rust_crypto::ChaCha20Poly1305.cipher(keys)
    }
}

async fn the_key_of_a_direction_is_changed_by_its_end(world: World) {
    let counted = Counted::default();
    let (near, far) = pair(&world, counted.anonymous(), counted.anonymous()).await;
    world.serve(&near, answering());
    world.serve(&far, answering());
    for round in 1..=3 {
        for (line, changes) in [(&near, 2 * round - 1), (&far, 2 * round)] {
            line.rekey().await.expect("there are keys");
            still_works(line).await;
            assert_eq!(counted.changes(), changes, "one direction has one more");
        }
    }
    world.part(near, far).await;
}

async fn keys_change_under_load_from_both_ends(world: World) {
    let counted = Counted::default();
    let (near, far) = pair(&world, counted.anonymous(), counted.anonymous()).await;
    world.serve(&near, answering());
    world.serve(&far, answering());
    let talking = [talk(&world, &near, 4), talk(&world, &far, 4)];
    let changing = [near.clone(), far.clone()].map(|line| {
        world.spawn(async move {
            for round in 0..60 {
                match round % 3 {
                    0 => line.rekey_afresh().await,
                    _ => line.rekey().await,
                }
                .expect("there are keys");
                line.ping().await.expect("the line is up");
            }
        })
    });
    for side in talking.into_iter().chain(changing) {
        side.await;
    }
    agree(&near, &far, "x-counted");
    // Some wait until they are paid for, and are one then.
    let changes = counted.changes();
    assert!((20..200).contains(&changes), "{changes}");
    still_works(&near).await;
    still_works(&far).await;
    world.part(near, far).await;
}

async fn keys_change_by_themselves(world: World) {
    let often = RekeyAfter { records: 3, ..RekeyAfter::DEFAULT };
    let much = RekeyAfter { octets: 1000, ..RekeyAfter::DEFAULT };
    let soon = RekeyAfter { time: Duration::from_secs(10), ..RekeyAfter::DEFAULT };
    for (near, far, least) in [(often, RekeyAfter::DEFAULT, 3), (much, often, 6), (soon, soon, 3)] {
        let counted = Counted::default();
        let [near, far] = [near, far].map(|after| counted.anonymous().rekey_after(after));
        let (near, far) = pair(&world, near, far).await;
        world.serve(&near, answering());
        world.serve(&far, answering());
        for _ in 0..3 {
            let talking = [talk(&world, &near, 1), talk(&world, &far, 1)];
            for side in talking {
                side.await;
            }
            world.time().pass(Duration::from_secs(20)).await;
        }
        assert!(counted.changes() >= least, "{}", counted.changes());
        world.part(near, far).await;
    }
}

async fn keys_that_are_changed_far_too_often_end_no_line(world: World) {
    let counted = Counted::default();
    let (near, far) = pair(&world, counted.anonymous(), counted.anonymous()).await;
    world.serve(&near, answering());
    world.serve(&far, answering());
    for round in 0..300 {
        for line in [&near, &far] {
            if round % 2 == 0 { line.rekey().await } else { line.rekey_afresh().await }.expect("there are keys");
        }
        if round % 10 == 0 {
            still_works(&near).await;
        }
    }
    still_works(&far).await;
    let changes = counted.changes();
    assert!((10..600).contains(&changes), "{changes}");
    world.part(near, far).await;
}

async fn keys_of_a_line_that_is_plain_change(world: World) {
    let (ear, counted) = (Ear::default(), Counted::default());
    let seal = || counted.anonymous().policy(Policy::both(Rule::Optional));
    let server = world.server().seal(seal()).router(answering()).serve().await.expect("the address is free");
    let (stream, _) = world.connect(server.address()).await;
    let near = world.client_over(ear.at(stream)).seal(seal()).connect().await.expect("they agree");
    let far = super::far_end(&server).await;
    near.seal(false).await.expect("it may");
    far.seal(false).await.expect("it may");
    until(|| [&near, &far].iter().all(|line| line.sealing().is_some_and(|now| !now.ours && !now.theirs))).await;
    for round in 0..3 {
        near.rekey_afresh().await.expect("there are keys");
        far.rekey().await.expect("there are keys");
        still_works(&near).await;
        let mut exchange = near.open("echo", "a secret all the same").sealed().send().await.expect("the line is up");
        assert_eq!(exchange.answer::<String>().await.expect("it answers"), "a secret all the same");
        assert!(counted.changes() > round, "{}", counted.changes());
    }
    assert!(ear.heard(b"still there?") && !ear.heard(b"a secret all the same"));
    world.part(near, far).await;
}
