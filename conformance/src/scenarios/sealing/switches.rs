//! What is sealed changes while the line goes on, as far as both policies let it.

use ropeway_driver::protocol::PeerError;
use ropeway_driver::seal::{Policy, Rule, Sealing};
use ropeway_driver::{Error, Line, Reason, Seal, SealError};

use super::overheard::Ear;
use super::{answering, anywhere, concerned, optional, pair, strangers, talk};
use crate::scenarios::by_hand::still_works;
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    either_end_switches_either_direction_while_all_goes_on if anywhere,
    what_is_said_is_sealed_from_the_switch_on_and_no_longer if concerned,
    policies_of_both_ends_hold if concerned,
];

fn sealed(line: &Line) -> (bool, bool) {
    let Sealing { ours, theirs, .. } = line.sealing().expect("there are keys");
    (ours, theirs)
}

/// Waits until what comes on a line is sealed, or is not.
async fn hears(line: &Line, on: bool) {
    let mut now = line.sealing().expect("there are keys");
    while now.theirs != on {
        now = line.sealing_changed(&now).await.expect("the line is up");
    }
}

async fn either_end_switches_either_direction_while_all_goes_on(world: World) {
    let (near, far) = pair(&world, optional(), optional()).await;
    world.serve(&near, answering());
    world.serve(&far, answering());
    let sides = [talk(&world, &near, 3), talk(&world, &far, 3)];
    // Each switches its own, asks for the other's, and both may want something else at once.
    let switching = [(near.clone(), 0), (far.clone(), 1)].map(|(line, first)| {
        world.spawn(async move {
            for round in first..first + 20 {
                line.seal(round % 2 == 0).await.expect("it may");
                line.ask_to_seal(round % 3 == 0).await.expect("it may ask");
                line.ping().await.expect("the line is up");
            }
        })
    });
    for side in sides.into_iter().chain(switching) {
        side.await;
    }
    // A pong may overtake a wish; an answer comes behind all of them.
    still_works(&near).await;
    still_works(&far).await;
    for (one, other) in [(&near, &far), (&far, &near)] {
        for on in [false, true, false] {
            one.seal(on).await.expect("it may");
            assert_eq!(sealed(one).0, on);
            hears(other, on).await;
            one.ask_to_seal(!on).await.expect("it may ask");
            hears(one, !on).await;
            assert_eq!(sealed(other).0, !on);
        }
    }
    // Who waits is told, of what either end changes, and so is who knows less than there is to know.
    for by in [&near, &far] {
        let known = far.sealing().expect("there are keys");
        let waiting = {
            let (line, known) = (far.clone(), known.clone());
            world.spawn(async move { line.sealing_changed(&known).await })
        };
        by.seal(!sealed(by).0).await.expect("it may");
        let changed = waiting.await.expect("the line is up");
        assert_ne!(changed, known);
        assert_eq!(far.sealing_changed(&known).await.expect("the line is up"), changed);
    }
    world.part(near, far).await;
}

async fn what_is_said_is_sealed_from_the_switch_on_and_no_longer(world: World) {
    let ear = Ear::default();
    let server = world.server().seal(optional()).on("note", |_: String| async { Ok(()) });
    let server = server.serve().await.expect("the address is free");
    let (stream, _) = world.connect(server.address()).await;
    let near = world.client_over(ear.at(stream)).seal(optional()).connect().await.expect("they agree");
    for round in 0..3 {
        for (on, said) in
            [(true, format!("nobody may hear this, {round}")), (false, format!("who likes may hear, {round}"))]
        {
            near.seal(on).await.expect("it may");
            near.request::<_, ()>("note", &said).await.expect("it answers");
            assert_eq!(ear.heard(said.as_bytes()), !on, "{said}");
        }
    }
    let far = super::far_end(&server).await;
    assert_eq!(sealed(&far), (true, false), "the other direction is as it was");
    world.part(near, far).await;
}

async fn policies_of_both_ends_hold(world: World) {
    use Rule::{Optional, Plain, Required};
    let policies = || {
        let rules = [Plain, Optional, Required];
        rules.into_iter().flat_map(move |sending| rules.map(|receiving| Policy { sending, receiving }))
    };
    // What holds for a direction: nothing, if one end must what the other must not.
    let both = |one, other| match (one, other) {
        (Plain, Required) | (Required, Plain) => None,
        (Optional, rule) | (rule, _) => Some(rule),
    };
    for of_near in policies() {
        for of_far in policies() {
            let [near, far] = [of_near, of_far].map(|policy| Some(Seal::anonymous().policy(policy)));
            let (near, far) = strangers(&world, near, far).await;
            let there = both(of_near.sending, of_far.receiving);
            let back = both(of_near.receiving, of_far.sending);
            let (Some(there), Some(back)) = (there, back) else {
                for line in [near, far] {
                    let reason = Reason::PeerError(PeerError::SealPolicy);
                    assert_eq!(line.ended().await.reason, reason, "{of_near:?}, {of_far:?}");
                }
                continue;
            };
            near.ready().await.expect("they agree");
            far.ready().await.expect("they agree");
            if there == Plain && back == Plain {
                assert_eq!((near.sealing(), far.sealing()), (None, None));
            } else {
                let (there_on, back_on) = (there != Plain, back != Plain);
                assert_eq!(sealed(&near), (there_on, back_on), "{of_near:?}, {of_far:?}");
                assert_eq!(sealed(&far), (back_on, there_on), "{of_near:?}, {of_far:?}");
                for (line, ours, theirs) in [(&near, there, back), (&far, back, there)] {
                    for (outcome, rule, ours) in
                        [(line.seal(true).await, ours, true), (line.ask_to_seal(true).await, theirs, false)]
                    {
                        match outcome {
                            Ok(()) => assert_eq!(rule, Optional),
                            Err(Error::Seal(error)) => {
                                assert_ne!(rule, Optional);
                                assert_eq!(error, SealError::Fixed { ours });
                            }
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                }
            }
            world.serve(&far, answering());
            crate::scenarios::by_hand::still_works(&near).await;
            world.part(near, far).await;
        }
    }
}
