//! Deadlines: they travel, they are prolonged, and they expire.

use std::time::Duration;

use ropeway_core::wire::{Frame, Response};
use ropeway_core::{Accept, Code, Config, Event, LaneId, Message, Offer, Refused, Respond, Send, Side, Storage, Until};
use ropeway_tests::hand::{Hand, PEER, exchange};
use ropeway_tests::say::{
    ACCEPTED, ACTION, CANCEL, CODE, FINISH, IN, OPENED, OUT, abort, accept, begin, data, done, lane_credit, offer,
    pause, piece, request, response, update,
};
use ropeway_tests::storage::{Arrays, Growing, arrays, growing};

#[test]
fn a_request_without_a_sign_of_life_expires() {
    let mut hand = Hand::client();
    hand.requests(4);
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }]);
    assert_eq!(hand.heard(), ["Abort { side: Us, lane: 0, code: Code(timed out (7)) }"]);
    assert_eq!(hand.line.stats().expired, 1);
    assert_eq!(hand.line.lanes(), (1, 0), "until the peer confirms");
    hand.tell(&abort(OPENED, Code::TIMEOUT));
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn every_sign_of_life_prolongs_a_deadline() {
    let mut hand = Hand::client();
    hand.requests(4);
    for frame in [update(b"1%"), response(b"first", None, true), response(b"se", Some(6), false), piece(OPENED, b"co")]
    {
        assert_eq!(hand.pass(4000), []);
        hand.say(&frame).unwrap();
    }
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }]);
    // What this end says of its own body is one, too.
    let mut hand = Hand::client();
    hand.requests(1000);
    assert_eq!(hand.pass(4000), []);
    hand.line.body(hand.now, OPENED, b"more").unwrap();
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }]);
}

/// What happens, and its name.
struct Step<S: Storage>(&'static str, fn(&mut Hand<S>));

/// Every step is a sign of life, and nothing else is: the request lives as long as they last, and its timeout longer.
fn prolongs(hand: &mut Hand, steps: &[Step<Arrays>]) {
    for Step(step, take) in steps {
        assert_eq!(hand.pass(4000), [], "before {step}");
        take(hand);
        hand.hear();
    }
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }]);
}

/// None of the steps is a sign of life.
fn prolongs_not<S: Storage>(hand: &mut Hand<S>, steps: &[Step<S>]) {
    assert_eq!(hand.pass(4000), []);
    for Step(_, take) in steps {
        take(hand);
        hand.hear();
    }
    assert_eq!(hand.pass(999), []);
    let names: Vec<_> = steps.iter().map(|Step(step, _)| step).collect();
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }], "one of {names:?} prolonged it");
}

const FILE: Offer<'static> = Offer { push: false, size: None, media: "", name: "f" };

/// A client that asked on lane 0 and offered something with it.
fn asks_with<S: Storage>(mut hand: Hand<S>, what: &Offer<'_>) -> Hand<S> {
    let send = Send { attached: 1, ..Send::bytes(ACTION, b"") };
    assert_eq!(hand.line.request(hand.now, &send).unwrap().lane, Some(OPENED));
    assert_eq!(hand.line.offer(OPENED, what), Ok(OUT));
    hand.hear();
    hand
}

/// A client whose request on lane 0 is answered with something, if not for the last time.
fn answered_with<S: Storage>(mut hand: Hand<S>, push: bool, more: bool) -> Hand<S> {
    assert_eq!(hand.line.request(hand.now, &Send::bytes(ACTION, b"")).unwrap().lane, Some(OPENED));
    hand.hear();
    let Frame::Response(answer) = response(b"", None, more) else { unreachable!() };
    hand.say(&Frame::Response(Response { attached: 1, ..answer })).unwrap();
    hand.say(&offer(OPENED, push, None)).unwrap();
    hand
}

fn say<S: Storage>(hand: &mut Hand<S>, frame: &Frame<'_>) {
    hand.say(frame).expect("no fault");
}

fn write<S: Storage>(hand: &mut Hand<S>) {
    hand.line.data(hand.now, OUT, b"more").unwrap();
}

#[test]
fn what_moves_on_a_flow_that_is_sent_prolongs_its_request() {
    let mut hand = asks_with(Hand::client(), &FILE);
    prolongs(
        &mut hand,
        &[
            Step("ACCEPT", |hand| say(hand, &accept(0, None, None))),
            Step("our BEGIN", |hand| hand.line.begin(hand.now, OUT, 0).unwrap()),
            Step("our DATA", write),
            Step("PAUSE", |hand| say(hand, &pause(true, true))),
            Step("the end of a PAUSE", |hand| say(hand, &pause(false, true))),
            Step("CREDIT", |hand| say(hand, &Frame::Credit { flow: 0, limit: 1 << 21 })),
            Step("CREDIT that tells nothing new", |hand| say(hand, &Frame::Credit { flow: 0, limit: 1 << 21 })),
            Step("our FINISH", |hand| hand.line.finish(hand.now, OUT, None).unwrap()),
            Step("another ACCEPT", |hand| say(hand, &accept(1, None, None))),
            Step("DONE", |hand| say(hand, &done(Code::OK))),
        ],
    );
}

#[test]
fn what_moves_on_a_flow_that_is_received_prolongs_its_request() {
    let mut hand = answered_with(Hand::client(), false, true);
    hand.line.accept(IN, &Accept::default()).unwrap();
    hand.hear();
    prolongs(
        &mut hand,
        &[
            Step("BEGIN", |hand| say(hand, &begin(0))),
            Step("DATA", |hand| say(hand, &data(b"1"))),
            Step("PAUSE", |hand| say(hand, &pause(true, false))),
            Step("the end of a PAUSE", |hand| say(hand, &pause(false, false))),
            Step("DATA", |hand| say(hand, &data(b"2"))),
            Step("FINISH", |hand| say(hand, &FINISH)),
            Step("CANCEL", |hand| say(hand, &CANCEL)),
        ],
    );
    // What nobody wants any more is still a sign of life.
    let mut hand = answered_with(Hand::client(), true, true);
    hand.line.done(IN, Code::CANCELLED).unwrap();
    hand.hear();
    prolongs(&mut hand, &[Step("DATA", |hand| say(hand, &data(b"1"))), Step("CANCEL", |hand| say(hand, &CANCEL))]);
}

#[test]
fn an_offer_and_credit_of_the_lane_prolong_a_request() {
    let mut hand = Hand::client();
    hand.requests(1000);
    let Frame::Response(answer) = response(b"", None, true) else { unreachable!() };
    hand.say(&Frame::Response(Response { attached: 1, ..answer })).unwrap();
    prolongs(
        &mut hand,
        &[
            Step("OFFER", |hand| say(hand, &offer(OPENED, true, None))),
            Step("LANE_CREDIT", |hand| say(hand, &lane_credit(OPENED, 1 << 21))),
        ],
    );
}

#[test]
fn a_stream_keeps_its_request_alive_until_it_is_answered() {
    let mut hand = asks_with(Hand::client(), &Offer::STREAM);
    for _ in 0..40 {
        assert_eq!(hand.pass(500), []);
        write(&mut hand);
        hand.hear();
    }
    hand.line.finish(hand.now, OUT, None).unwrap();
    hand.hear();
    assert_eq!(hand.pass(4000), []);
    assert!(matches!(hand.say(&CODE), Ok(Some(Event::Code { .. }))));
    assert_eq!((hand.pass(20_000), hand.line.stats().expired), (vec![], 0));
}

#[test]
fn a_file_keeps_its_request_alive_while_it_is_under_way() {
    let (mut client, mut server) = (Hand::new(Config::SMALL, false), Hand::new(Config::SMALL, true));
    exchange(&mut client, &mut server, &mut vec![]);
    let size = 6400;
    let send = Send { attached: 1, ..Send::bytes(ACTION, b"") };
    let lane = client.line.request(client.now, &send).unwrap().lane.unwrap();
    client.line.offer(lane, &Offer::file("f", size)).unwrap();
    exchange(&mut client, &mut server, &mut vec![]);
    server.line.accept(IN, &Accept::default()).unwrap();
    exchange(&mut client, &mut server, &mut vec![]);
    client.line.begin(client.now, OUT, 0).unwrap();
    // A hundred octets in a tenth of a second.
    for _ in 0..size / 100 {
        assert_eq!((client.pass(100), server.pass(100)), (vec![], vec![]));
        assert_eq!(client.line.data(client.now, OUT, &[1; 100]), Ok(100));
        exchange(&mut client, &mut server, &mut vec![]);
        server.line.take_flow(IN, 100);
        exchange(&mut client, &mut server, &mut vec![]);
    }
    client.line.finish(client.now, OUT, None).unwrap();
    exchange(&mut client, &mut server, &mut vec![]);
    server.line.done(IN, Code::OK).unwrap();
    server.line.respond_code(ACCEPTED, Code::OK).unwrap();
    let mut heard = vec![];
    exchange(&mut client, &mut server, &mut heard);
    assert_eq!(heard, [Event::Code { lane: OPENED, code: Code::OK }, Event::Done { flow: OUT, code: Code::OK }]);
}

#[test]
fn what_this_end_says_to_steer_a_flow_prolongs_nothing() {
    let mut hand = answered_with(Hand::client(), false, true);
    prolongs_not(
        &mut hand,
        &[
            Step("our ACCEPT", |hand| hand.line.accept(IN, &Accept::default()).unwrap()),
            Step("our PAUSE", |hand| hand.line.pause(IN, true).unwrap()),
            Step("our DONE", |hand| hand.line.done(IN, Code::CANCELLED).unwrap()),
        ],
    );
    let mut hand = asks_with(Hand::client(), &Offer::STREAM);
    prolongs_not(
        &mut hand,
        &[
            Step("our PAUSE", |hand| hand.line.pause(OUT, true).unwrap()),
            Step("our CANCEL", |hand| hand.line.cancel(OUT, Code::CANCELLED).unwrap()),
        ],
    );
}

#[test]
fn a_flow_that_rests_is_no_sign_of_life() {
    for by_peer in [true, false] {
        let mut hand = asks_with(Hand::client(), &Offer::STREAM);
        write(&mut hand);
        hand.line.pause(OUT, !by_peer).unwrap();
        say(&mut hand, &pause(by_peer, true));
        prolongs_not(
            &mut hand,
            &[
                Step("nothing to say", |hand| {
                    assert_eq!(hand.line.data(hand.now, OUT, b"x"), Err(Refused::Later(Until::Credit)));
                }),
                Step("that both live", |hand| {
                    hand.line.ping().unwrap();
                    say(hand, &Frame::Ping { id: 1 });
                }),
            ],
        );
    }
}

#[test]
fn a_flow_prolongs_no_other_request_that_uses_its_lane_later() {
    for rests in [false, true] {
        let hand = || Hand::greeted(Config::SMALL, false, growing(4, 4, 1024), PEER);
        let again = |hand: &mut Hand<Growing>| {
            assert_eq!(hand.line.lanes(), (0, 0));
            if rests {
                // Lanes give their memory back; flows that go on keep theirs.
                hand.pass(15_000);
                hand.hear();
                say(hand, &Frame::Ping { id: 1 });
            }
            assert_eq!(hand.line.request(hand.now, &Send::bytes(ACTION, b"")).unwrap().lane, Some(OPENED));
            hand.hear();
        };
        let mut sends = asks_with(hand(), &Offer::STREAM);
        say(&mut sends, &CODE);
        again(&mut sends);
        prolongs_not(
            &mut sends,
            &[
                Step("our DATA", write),
                Step("CREDIT", |hand| say(hand, &Frame::Credit { flow: 0, limit: 1 << 21 })),
                Step("our FINISH", |hand| hand.line.finish(hand.now, OUT, None).unwrap()),
                Step("DONE", |hand| say(hand, &done(Code::OK))),
            ],
        );
        let mut receives = answered_with(hand(), true, false);
        again(&mut receives);
        prolongs_not(
            &mut receives,
            &[Step("DATA", |hand| say(hand, &data(b"1"))), Step("FINISH", |hand| say(hand, &FINISH))],
        );
    }
}

#[test]
fn a_flow_of_the_peers_exchange_prolongs_no_request_of_this_end() {
    let mut hand = Hand::client();
    say(&mut hand, &request(0, None, 1));
    say(&mut hand, &offer(ACCEPTED, true, None));
    hand.requests(4);
    hand.line.respond(ACCEPTED, &Respond { attached: 1, ..Respond::bytes(b"") }).unwrap();
    assert_eq!(hand.line.offer(ACCEPTED, &Offer::STREAM), Ok(OUT));
    hand.hear();
    prolongs_not(&mut hand, &[Step("DATA", |hand| say(hand, &data(b"1"))), Step("our DATA", write)]);
}

#[test]
fn a_flow_does_not_revive_a_request_that_was_given_up() {
    let config = Config { heartbeat: Duration::ZERO, ..Config::SMALL };
    let mut hand = asks_with(Hand::greeted(config, false, arrays(), PEER), &Offer::STREAM);
    assert_eq!(hand.pass(5000), [Event::Expired { lane: OPENED }]);
    assert_eq!(hand.pass(0), []);
    hand.tell(&Frame::Ack { count: 2 });
    assert_eq!(hand.line.poll_timeout(), None);
    write(&mut hand);
    assert_eq!(hand.line.poll_timeout(), None, "its deadline is awaited again");
}

#[test]
fn many_requests_expire_each_at_its_time() {
    let mut hand = Hand::client();
    let millis = [300, 100, 400, 200];
    for wait in millis {
        let send = Send { timeout: Some(Duration::from_millis(wait)), ..Send::bytes(ACTION, b"") };
        hand.line.request(hand.now, &send).unwrap();
    }
    hand.hear();
    let start = hand.now;
    for (wait, lane) in [(100, 1), (200, 3), (300, 0), (400, 2)] {
        while hand.line.poll_timeout().unwrap() < start.after(Duration::from_millis(wait)) {
            let next = hand.line.poll_timeout().unwrap();
            let events = hand.pass(next.since(hand.now).as_millis() as u64);
            assert_eq!(events, [], "a timer is a lower bound");
        }
        assert_eq!(hand.line.poll_timeout(), Some(start.after(Duration::from_millis(wait))));
        let left = start.after(Duration::from_millis(wait)).since(hand.now).as_millis() as u64;
        assert_eq!(hand.pass(left), [Event::Expired { lane: LaneId::new(lane, Side::Us) }]);
    }
}

#[test]
fn an_answered_request_does_not_expire() {
    let mut hand = Hand::client();
    hand.requests(4);
    hand.say(&response(b"done", None, false)).unwrap();
    assert_eq!(hand.pass(20_000), []);
    // Nor does one that still has a flow to offer.
    let mut hand = Hand::client();
    hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(ACTION, b"") }).unwrap();
    hand.hear();
    hand.say(&CODE).unwrap();
    assert_eq!(hand.pass(20_000), []);
}

#[test]
fn a_deadline_travels_with_its_request() {
    for (timeout, travels) in [
        (None, Some(Duration::from_secs(5))),
        (Some(Duration::ZERO), None),
        (Some(Duration::from_millis(20)), Some(Duration::from_millis(20))),
        (Some(Duration::from_micros(1)), Some(Duration::from_millis(1))),
        (Some(Duration::from_micros(2001)), Some(Duration::from_millis(3))),
    ] {
        let (mut client, mut server) = (Hand::new(Config::SMALL, false), Hand::new(Config::SMALL, true));
        exchange(&mut client, &mut server, &mut vec![]);
        client.line.request(client.now, &Send { timeout, ..Send::bytes(ACTION, b"") }).unwrap();
        let mut heard = vec![];
        exchange(&mut client, &mut server, &mut heard);
        let [Event::Message(Message { timeout: arrived, .. })] = heard[..] else { panic!("{heard:?}") };
        assert_eq!(arrived, travels, "{timeout:?}");
    }
}
