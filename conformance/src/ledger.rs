//! What was sent is what was received and what was dropped, by kind.

use ropeway_driver::protocol::{Action, Dropped};
use ropeway_driver::{CloseCode, Error, Line, Reason, Stats};

/// What nobody handles, and both ends wait for.
const LAST_WORD: u32 = Action::MAX_NUMBER;

/// Waits until all that is open on a line is over, and checks that everything said by either end arrived at the other.
///
/// Both ends must be served, by whatever router: so that what nobody took is taken.
pub async fn reconcile(near: &Line, far: &Line) {
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

/// Ends a line from its near end, and checks that all octets that went this way have come.
pub async fn part(near: Line, far: Line) {
    let ended = near.close(CloseCode::DONE, "").await;
    assert_eq!(ended.reason, Reason::ByUs(CloseCode::DONE));
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
    assert_eq!(near.stats().sent.octets, far.stats().received.octets, "octets, to the last");
}

/// Checks, of a line that broke, that nothing came that was not sent.
pub fn invents_nothing(near: &Line, far: &Line) {
    for (way, sender, receiver) in
        [("near to far", near.stats(), far.stats()), ("far to near", far.stats(), near.stats())]
    {
        let octets = ("octets", sender.sent.octets, receiver.received.octets);
        for (kind, sent, received) in counters(sender, receiver).into_iter().chain([octets]) {
            assert!(received <= sent, "{kind}, {way}: {sent} were sent, and {received} received");
        }
    }
}

fn compare(way: &str, sender: Stats, receiver: Stats) {
    for (kind, sent, received) in counters(sender, receiver) {
        assert_eq!(sent, received, "{kind}, {way}: sent, and received");
    }
}

/// What either end of a way has counted, by kind: sent, and received or dropped.
fn counters(sender: Stats, receiver: Stats) -> [(&'static str, u64, u64); 9] {
    let (sent, received) = (sender.sent, receiver.received);
    let Dropped { flow_octets: dropped, .. } = receiver.dropped;
    [
        ("notices", sent.notices, received.notices),
        ("requests", sent.requests, received.requests),
        ("responses", sent.responses, received.responses),
        ("codes", sent.codes, received.codes),
        ("updates", sent.updates, received.updates),
        ("aborts", sent.aborts, received.aborts),
        ("flows", sent.flows, received.flows),
        ("octets of flows", sent.flow_octets, received.flow_octets + dropped),
        ("frames", sent.frames, received.frames),
    ]
}
