//! Keys change while the line goes on.

use std::time::Duration;

use ropeway_driver::Seal;
use ropeway_driver::seal::RekeyAfter;

use super::overheard::Ear;
use super::{agree, answering, concerned, optional, pair, talk};
use crate::scenarios::by_hand::{still_works, until};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    keys_change_under_load_from_both_ends if concerned,
    keys_change_by_themselves if concerned,
    keys_that_are_changed_far_too_often_end_no_line if concerned,
    keys_of_a_line_that_is_plain_change if concerned,
];

async fn keys_change_under_load_from_both_ends(world: World) {
    let (near, far) = pair(&world, Seal::anonymous(), Seal::anonymous()).await;
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
    agree(&near, &far, "AES-256-GCM");
    still_works(&near).await;
    still_works(&far).await;
    world.part(near, far).await;
}

async fn keys_change_by_themselves(world: World) {
    let often = RekeyAfter { records: 3, ..RekeyAfter::DEFAULT };
    let much = RekeyAfter { octets: 1000, ..RekeyAfter::DEFAULT };
    let soon = RekeyAfter { time: Duration::from_secs(10), ..RekeyAfter::DEFAULT };
    for (near, far) in [(often, RekeyAfter::DEFAULT), (much, often), (soon, soon)] {
        let [near, far] = [near, far].map(|after| Seal::anonymous().rekey_after(after));
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
        world.part(near, far).await;
    }
}

async fn keys_that_are_changed_far_too_often_end_no_line(world: World) {
    let (near, far) = pair(&world, Seal::anonymous(), Seal::anonymous()).await;
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
    world.part(near, far).await;
}

async fn keys_of_a_line_that_is_plain_change(world: World) {
    let ear = Ear::default();
    let server = world.server().seal(optional()).router(answering()).serve().await.expect("the address is free");
    let (stream, _) = world.connect(server.address()).await;
    let near = world.client_over(ear.at(stream)).seal(optional()).connect().await.expect("they agree");
    let far = super::far_end(&server).await;
    near.seal(false).await.expect("it may");
    far.seal(false).await.expect("it may");
    until(|| [&near, &far].iter().all(|line| line.sealing().is_some_and(|now| !now.ours && !now.theirs))).await;
    for _ in 0..3 {
        near.rekey_afresh().await.expect("there are keys");
        far.rekey().await.expect("there are keys");
        still_works(&near).await;
        let mut exchange = near.open("echo", "a secret all the same").sealed().send().await.expect("the line is up");
        assert_eq!(exchange.answer::<String>().await.expect("it answers"), "a secret all the same");
    }
    assert!(ear.heard(b"still there?") && !ear.heard(b"a secret all the same"));
    world.part(near, far).await;
}
