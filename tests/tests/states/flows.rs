//! States of a flow at the end that sends it and at the other, and how to get there.

use ropeway_core::{Accept, Code, Offer};
use ropeway_tests::hand::Hand;
use ropeway_tests::say::{ACCEPTED, CANCEL, FINISH, IN, OPENED, OUT, accept, begin, data, done, offer, pause, request};

use crate::lanes::{accepted, opened};
use crate::lines::Make;

fn sent(push: bool) -> Hand {
    let mut hand = opened(4, 1, true);
    hand.line.offer(OPENED, &Offer { push, size: Some(8), media: "", name: "n" }).unwrap();
    hand.hear();
    hand
}

/// At the end that sends it.
pub(crate) fn sent_flows() -> Vec<(&'static str, Make)> {
    fn running() -> Hand {
        let mut hand = sent(false);
        hand.say(&accept(0, Some(4), None)).unwrap();
        hand.line.begin(hand.now, OUT, 0).unwrap();
        hand.hear();
        hand
    }
    fn finished() -> Hand {
        let mut hand = running();
        hand.line.data(hand.now, OUT, b"1234").unwrap();
        hand.line.finish(hand.now, OUT, None).unwrap();
        hand.hear();
        hand
    }
    vec![
        ("sent flow: offered", || sent(false)),
        ("sent flow: asked for", || {
            let mut hand = sent(false);
            hand.say(&accept(0, Some(4), None)).unwrap();
            hand
        }),
        ("sent flow: running", running),
        ("sent flow: a stream, running", || sent(true)),
        ("sent flow: running, paused by both", || {
            let mut hand = running();
            hand.line.pause(OUT, true).unwrap();
            hand.hear();
            hand.say(&pause(true, true)).unwrap();
            hand
        }),
        ("sent flow: a range finished", finished),
        ("sent flow: cancelled, not yet said so", || {
            let mut hand = running();
            hand.line.cancel(OUT, Code::IO).unwrap();
            hand
        }),
        ("sent flow: cancelled", || {
            let mut hand = running();
            hand.line.cancel(OUT, Code::IO).unwrap();
            hand.hear();
            hand
        }),
        ("sent flow: cancelled after a range was finished", || {
            let mut hand = finished();
            hand.line.cancel(OUT, Code::IO).unwrap();
            hand.hear();
            hand
        }),
        ("sent flow: stopped by the peer, not yet confirmed", || {
            let mut hand = running();
            hand.say(&done(Code::REJECTED)).unwrap();
            hand
        }),
        ("sent flow: free again", || {
            let mut hand = finished();
            hand.say(&done(Code::OK)).unwrap();
            hand
        }),
    ]
}

fn received(push: bool) -> Hand {
    let mut hand = accepted(request(0, None, 1));
    hand.say(&offer(ACCEPTED, push, Some(8))).unwrap();
    hand
}

/// At the other end.
pub(crate) fn received_flows() -> Vec<(&'static str, Make)> {
    fn asked() -> Hand {
        let mut hand = received(false);
        hand.line.accept(IN, &Accept::default()).unwrap();
        hand.hear();
        hand
    }
    fn running() -> Hand {
        let mut hand = asked();
        hand.say(&begin(0)).unwrap();
        hand
    }
    fn finished(mut hand: Hand) -> Hand {
        hand.say(&data(b"1234")).unwrap();
        hand.say(&data(b"1234")).unwrap();
        hand.say(&FINISH).unwrap();
        hand.hear();
        hand
    }
    vec![
        ("received flow: offered", || received(false)),
        ("received flow: asked for", asked),
        ("received flow: running", running),
        ("received flow: a stream, running", || received(true)),
        ("received flow: all has come", || {
            let mut hand = running();
            hand.say(&data(b"1234")).unwrap();
            hand.say(&data(b"1234")).unwrap();
            hand
        }),
        ("received flow: finished", || finished(running())),
        ("received flow: a stream, finished and not all taken", || finished(received(true))),
        ("received flow: finished and done, not yet said so", || {
            let mut hand = finished(running());
            hand.line.done(IN, Code::OK).unwrap();
            hand
        }),
        ("received flow: cancelled and not all taken", || {
            let mut hand = running();
            hand.say(&data(b"1234")).unwrap();
            hand.say(&CANCEL).unwrap();
            hand
        }),
        ("received flow: stopped, not yet said so", || {
            let mut hand = running();
            hand.line.done(IN, Code::REJECTED).unwrap();
            hand
        }),
        ("received flow: stopped", || {
            let mut hand = running();
            hand.line.done(IN, Code::REJECTED).unwrap();
            hand.hear();
            hand
        }),
        ("received flow: free again", || {
            let mut hand = finished(running());
            hand.line.done(IN, Code::OK).unwrap();
            hand.hear();
            hand
        }),
    ]
}
