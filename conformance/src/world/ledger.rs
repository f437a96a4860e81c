//! What was sent is what was received and what was dropped, by kind.

use ropeway_driver::protocol::Dropped;
use ropeway_driver::{CloseCode, Error, Line, Reason, Router, Stats};

use super::World;

/// What nobody handles, and both ends wait for.
const LAST_WORD: u32 = ropeway_driver::protocol::Action::MAX_NUMBER;

/// Checks that everything said arrived.
pub(super) async fn reconcile(world: &World, near: &Line, far: &Line) {
    for line in [near, far] {
        // What nobody took is taken now.
        world.serve(line, Router::new());
    }
    // What is said before a request arrives before it. What was owed when the first one went is said before the second.
    for _ in 0..2 {
        for line in [near, far] {
            match line.request::<_, ()>(LAST_WORD, &()).await {
                Ok(()) | Err(Error::Answered(..)) => {}
                Err(error) => panic!("the line does not work any more: {error}"),
            }
            near.idle().await;
            far.idle().await;
        }
    }
    compare("near to far", near.stats(), far.stats());
    compare("far to near", far.stats(), near.stats());
}

/// Ends the line from the near end.
pub(super) async fn part(near: Line, far: Line) {
    let ended = near.close(CloseCode::DONE, "").await;
    assert_eq!(ended.reason, Reason::ByUs(CloseCode::DONE));
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
    assert_eq!(near.stats().sent.octets, far.stats().received.octets, "octets, to the last");
}

fn compare(way: &str, sender: Stats, receiver: Stats) {
    let (sent, received) = (sender.sent, receiver.received);
    let Dropped { flow_octets: dropped, .. } = receiver.dropped;
    for (kind, sent, received) in [
        ("notices", sent.notices, received.notices),
        ("requests", sent.requests, received.requests),
        ("responses", sent.responses, received.responses),
        ("codes", sent.codes, received.codes),
        ("updates", sent.updates, received.updates),
        ("aborts", sent.aborts, received.aborts),
        ("flows", sent.flows, received.flows),
        ("octets of flows", sent.flow_octets, received.flow_octets + dropped),
        ("frames", sent.frames, received.frames),
    ] {
        assert_eq!(sent, received, "{kind}, {way}: sent, and received");
    }
}
