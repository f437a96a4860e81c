//! Streams and files: offers, ranges, pauses, and every way one ends.

use ropeway_core::wire::Frame;
use ropeway_core::{Accept, Code, Config, Event, FlowId, Offer, PeerError, Refused, Respond, Room, Send, Side, Until};
use ropeway_tests::hand::{Hand, PEER};
use ropeway_tests::say::{
    ACCEPTED, ACTION, CANCEL, CODE, FINISH, IN, OPENED, OUT, accept, begin, data, done, lane_credit, offer, pause,
    request,
};
use ropeway_tests::storage::boxes;

/// A client that has offered a file of 8 octets, or of unknown size, or a stream.
fn sender(what: &Offer<'_>) -> Hand {
    let mut hand = Hand::client();
    let lane = hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(ACTION, b"") }).unwrap().lane.unwrap();
    assert_eq!(hand.line.offer(lane, what), Ok(OUT));
    hand.hear();
    hand
}

const FILE: Offer<'static> = Offer { push: false, size: Some(8), media: "", name: "f" };
const UNSIZED: Offer<'static> = Offer { size: None, ..FILE };

/// A server that has been offered something.
fn receiver(push: bool, size: Option<u64>) -> Hand {
    let mut hand = Hand::server();
    hand.say(&request(0, None, 1)).unwrap();
    assert!(matches!(hand.say(&offer(ACCEPTED, push, size)), Ok(Some(Event::Offer { .. }))));
    hand
}

fn accepted(start: u64, end: Option<u64>, prefix: Option<[u8; 32]>) -> Event<Vec<u8>> {
    Event::Accepted { flow: OUT, start, end, prefix }
}

// ---- what is asked for

#[test]
fn a_file_is_sent_from_the_offset_that_was_asked_for() {
    for (start, begins, bytes) in [(0, 0, "12345678"), (5, 5, "678"), (5, 0, "12345678"), (8, 8, "")] {
        let mut hand = sender(&FILE);
        assert_eq!(hand.line.data(hand.now, OUT, b"1"), Err(Refused::WrongState), "not yet accepted");
        let prefix = (start > 0).then_some([9; 32]);
        assert_eq!(hand.say(&accept(start, None, prefix)), Ok(Some(accepted(start, None, prefix))));
        assert_eq!(hand.line.data(hand.now, OUT, b"1"), Err(Refused::WrongState), "not yet begun");
        for wrong in [1, 4, 6, 9, u64::MAX] {
            assert_eq!(hand.line.begin(hand.now, OUT, wrong), Err(Refused::BadArgument));
        }
        hand.line.begin(hand.now, OUT, begins).unwrap();
        if !bytes.is_empty() {
            assert_eq!(hand.line.finish(hand.now, OUT, None), Err(Refused::BadArgument), "not all is said");
            assert_eq!(hand.line.data(hand.now, OUT, b"123456789"), Err(Refused::BadArgument), "more than all");
            assert_eq!(hand.line.data(hand.now, OUT, bytes.as_bytes()), Ok(bytes.len()));
        }
        assert_eq!(hand.line.data(hand.now, OUT, b"x"), Err(Refused::BadArgument));
        hand.line.finish(hand.now, OUT, Some([1; 32])).unwrap();
        assert_eq!(hand.line.flows(), (1, 0), "until the peer is done");
        let event = hand.say(&done(Code::OK));
        assert_eq!(event, Ok(Some(Event::Done { flow: OUT, code: Code::OK })));
        assert_eq!(hand.line.flows(), (0, 0));
    }
}

#[test]
fn a_file_is_taken_from_the_offset_where_it_begins() {
    for (start, begins, right) in
        [(0, 0, true), (5, 5, true), (5, 0, true), (5, 4, false), (5, 6, false), (0, 1, false)]
    {
        let mut hand = receiver(false, Some(8));
        hand.line.accept(IN, &Accept { start, end: None, prefix: Some([3; 32]) }).unwrap();
        assert_eq!(hand.heard().len(), 1);
        let event = hand.say(&begin(begins));
        if !right {
            assert_eq!(event, Err(PeerError::Range));
            continue;
        }
        assert_eq!(event, Ok(Some(Event::Began { flow: IN, start: begins })));
        let bytes = &b"12345678"[begins as usize..];
        let event = hand.say(&data(bytes));
        assert_eq!(event, Ok(Some(Event::Data { flow: IN, offset: begins, bytes: bytes.to_vec() })));
        assert_eq!(hand.say(&FINISH), Ok(Some(Event::Finished { flow: IN, digest: None })));
        hand.line.done(IN, Code::OK).unwrap();
        assert_eq!(hand.heard(), ["Done { flow: 0, code: Code(ok (0)) }"]);
        assert_eq!(hand.line.flows(), (0, 0));
    }
}

#[test]
fn ranges_come_one_after_another() {
    for size in [Some(8), None] {
        let mut hand = receiver(false, size);
        for (start, end) in [(6, 8), (0, 2), (2, 6)] {
            hand.line.accept(IN, &Accept { start, end: Some(end), prefix: None }).unwrap();
            let twice = hand.line.accept(IN, &Accept::default());
            assert_eq!(twice, Err(Refused::WrongState));
            assert_eq!(hand.heard().len(), 1);
            hand.say(&begin(start)).unwrap();
            for offset in start..end {
                let event = hand.say(&data(b"x"));
                assert_eq!(event, Ok(Some(Event::Data { flow: IN, offset, bytes: b"x".to_vec() })));
                hand.line.take_flow(IN, 1);
            }
            assert!(hand.say(&FINISH).is_ok());
        }
        hand.line.done(IN, Code::OK).unwrap();
        hand.hear();
        assert_eq!(hand.line.flows(), (0, 0));

        let mut hand = sender(&Offer { size, ..FILE });
        for (start, end) in [(6, 8), (0, 2), (2, 6)] {
            assert_eq!(hand.say(&accept(start, Some(end), None)), Ok(Some(accepted(start, Some(end), None))));
            hand.line.begin(hand.now, OUT, start).unwrap();
            assert_eq!(hand.line.data(hand.now, OUT, b"123456789"), Err(Refused::BadArgument));
            for _ in start..end {
                hand.line.data(hand.now, OUT, b"x").unwrap();
            }
            assert_eq!(hand.line.data(hand.now, OUT, b"x"), Err(Refused::BadArgument));
            hand.line.finish(hand.now, OUT, None).unwrap();
        }
        assert!(hand.say(&done(Code::OK)).is_ok());
        assert_eq!(hand.line.flows(), (0, 0));
    }
}

/// F9.
#[test]
fn ranges_that_make_no_sense_are_refused_at_both_ends() {
    let mut hand = receiver(false, Some(8));
    for (start, end) in [(9, None), (0, Some(9)), (4, Some(4)), (5, Some(4)), (0, Some(0)), (u64::MAX, None)] {
        assert_eq!(
            hand.line.accept(IN, &Accept { start, end, prefix: None }),
            Err(Refused::BadArgument),
            "{start}..{end:?}"
        );
    }
    for (start, end) in [(9, None), (0, Some(9)), (u64::MAX, None)] {
        let mut hand = sender(&FILE);
        hand.tell(&accept(start, end, None));
        assert_eq!(hand.heard(), ["Cancel { flow: 0, code: Code(bad range (18)) }"]);
        assert!(matches!(hand.say(&done(Code::BAD_RANGE)), Ok(Some(Event::Done { .. }))));
        assert_eq!(hand.line.flows(), (0, 0));
    }
    for (start, end) in [(4, 4), (5, 4), (u64::MAX, 0)] {
        assert_eq!(sender(&FILE).say(&accept(start, Some(end), None)), Err(PeerError::Range));
    }
}

#[test]
fn no_more_comes_than_was_asked_for() {
    for (start, end, size, right) in [(0, None, Some(3), 3), (1, Some(3), Some(8), 2), (1, Some(3), None, 2)] {
        for (len, fits) in [(right, true), (right + 1, false)] {
            let mut hand = receiver(false, size);
            hand.line.accept(IN, &Accept { start, end, prefix: None }).unwrap();
            hand.say(&begin(start)).unwrap();
            let result = hand.say(&data(&vec![0; len]));
            assert_eq!(result.is_ok(), fits);
            if !fits {
                assert_eq!(result, Err(PeerError::Range));
            }
        }
        let mut hand = receiver(false, Some(8));
        hand.line.accept(IN, &Accept::default()).unwrap();
        hand.say(&begin(0)).unwrap();
        assert_eq!(hand.say(&FINISH), Err(PeerError::Range), "less than was promised");
    }
}

#[test]
fn what_has_no_size_ends_where_it_ends() {
    let mut hand = sender(&UNSIZED);
    hand.say(&accept(0, None, None)).unwrap();
    hand.line.begin(hand.now, OUT, 0).unwrap();
    hand.line.data(hand.now, OUT, b"as much as there is").unwrap();
    hand.line.finish(hand.now, OUT, None).unwrap();
    assert!(hand.say(&done(Code::OK)).is_ok());
    let mut hand = receiver(false, None);
    hand.line.accept(IN, &Accept::default()).unwrap();
    hand.say(&begin(0)).unwrap();
    hand.say(&data(b"as much as there is")).unwrap();
    assert_eq!(hand.say(&FINISH), Ok(Some(Event::Finished { flow: IN, digest: None })));
}

#[test]
fn a_stream_runs_from_its_offer_on_and_is_over_when_it_is_taken() {
    let mut hand = sender(&Offer::STREAM);
    hand.line.data(hand.now, OUT, b"now").unwrap();
    hand.line.finish(hand.now, OUT, None).unwrap();
    assert_eq!(hand.line.pause(OUT, true), Err(Refused::WrongState));
    let mut hand = receiver(true, None);
    assert_eq!(hand.line.accept(IN, &Accept::default()), Err(Refused::WrongState));
    hand.say(&data(b"123")).unwrap();
    hand.say(&FINISH).unwrap();
    assert!(hand.heard().is_empty());
    hand.line.take_flow(IN, 3);
    assert_eq!(hand.heard(), ["Done { flow: 0, code: Code(ok (0)) }"]);
    let mut hand = receiver(true, None);
    hand.say(&FINISH).unwrap();
    assert_eq!(hand.heard().len(), 1, "empty, so over at once");
    assert_eq!(hand.line.flows(), (0, 0));
}

// ---- credit

/// B6.
#[test]
fn data_beyond_the_credit_is_refused_and_data_within_stops_the_sender() {
    let credit = Config::SMALL.flow_credit;
    let mut hand = receiver(true, None);
    let len = (credit / 4 - 32) as usize;
    for _ in 0..4 {
        assert!(hand.say(&data(&vec![0; len])).is_ok());
    }
    assert_eq!(hand.say(&data(b"x")), Err(PeerError::Credit));

    let limits = ropeway_core::Limits { flow_credit: 5000, ..PEER };
    let mut hand = Hand::greeted(Config::SMALL, false, boxes(4, 4, 1 << 16), limits);
    let lane = hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(ACTION, b"") }).unwrap().lane.unwrap();
    hand.line.offer(lane, &Offer::STREAM).unwrap();
    let mut sent = 0;
    while let Ok(len) = hand.line.data(hand.now, OUT, &[0; 300]) {
        sent += len + 32;
        hand.hear();
    }
    assert!((4700..=5000).contains(&sent), "{sent}");
    let event = hand.say(&Frame::Credit { flow: 0, limit: 6000 });
    assert_eq!(event, Ok(Some(Event::Room(Room::Flow(OUT)))));
    assert_eq!(hand.line.data(hand.now, OUT, &[0; 300]), Ok(300));
}

/// B5.
#[test]
fn impossible_credit_is_an_error() {
    let most = 1 << 57;
    for (frame, error) in [
        (Frame::Credit { flow: 0, limit: most }, PeerError::CreditOverflow),
        (Frame::Credit { flow: 1, limit: 1 << 30 }, PeerError::Unexpected(26)),
        (Frame::Credit { flow: u16::MAX, limit: 1 << 30 }, PeerError::Unexpected(26)),
        (lane_credit(OPENED, most), PeerError::CreditOverflow),
        (Frame::LaneCredit { side: Side::Them, lane: 2, limit: 1 << 30 }, PeerError::Unexpected(25)),
        (Frame::LaneCredit { side: Side::Us, lane: 99, limit: 1 << 30 }, PeerError::Unexpected(25)),
        (Frame::Window { limit: u64::MAX }, PeerError::CreditOverflow),
    ] {
        assert_eq!(sender(&FILE).say(&frame), Err(error), "{frame:?}");
    }
    // Of a flow that is over, too.
    let mut hand = sender(&FILE);
    hand.line.cancel(OUT, Code::IO).unwrap();
    hand.hear();
    hand.say(&done(Code::IO)).unwrap();
    assert_eq!(hand.say(&Frame::Credit { flow: 0, limit: 1 << 30 }), Err(PeerError::Unexpected(26)));
}

#[test]
fn credit_is_told_when_bytes_are_taken_and_never_behind_the_last_word() {
    let mut hand = receiver(true, None);
    hand.say(&data(&[0; 200])).unwrap();
    hand.say(&data(&[0; 200])).unwrap();
    assert!(hand.heard().is_empty());
    hand.line.take_flow(IN, 200);
    hand.line.take_flow(IN, 200);
    assert_eq!(hand.heard(), ["Credit { flow: 0, limit: 1040 }"]);
    // Once, as soon as it finds room.
    for most in 5..20 {
        let mut hand = receiver(true, None);
        hand.say(&data(&[0; 200])).unwrap();
        hand.say(&data(&[0; 200])).unwrap();
        hand.line.take_flow(IN, 200);
        hand.line.take_flow(IN, 200);
        hand.tell(&Frame::Ping { id: 1 });
        let octets = ropeway_tests::hand::hear(&mut hand.line, hand.now, most);
        let heard = ropeway_tests::hand::frames(&octets);
        let told = heard.iter().filter(|f| matches!(f, Frame::Credit { flow: 0, limit: 1040 })).count();
        assert_eq!(told, 1, "{most}: {heard:?}");
    }
    // However small the stretches that are asked for.
    for most in 1..20 {
        let mut hand = receiver(true, None);
        hand.say(&data(&[0; 200])).unwrap();
        hand.say(&data(&[0; 200])).unwrap();
        hand.line.take_flow(IN, 200);
        hand.line.take_flow(IN, 200);
        hand.line.done(IN, Code::OK).unwrap();
        // Takes the room from the credit.
        hand.tell(&Frame::Ping { id: 1 });
        let octets = ropeway_tests::hand::hear(&mut hand.line, hand.now, most);
        let heard = ropeway_tests::hand::frames(&octets);
        let at = heard.iter().position(|f| matches!(f, Frame::Done { .. })).unwrap();
        assert!(!heard[at..].iter().any(|f| matches!(f, Frame::Credit { .. })), "{most}: {heard:?}");
    }
}

#[test]
fn what_is_taken_between_two_ranges_is_credit_for_the_second() {
    let mut hand = receiver(false, None);
    hand.line.accept(IN, &Accept { end: Some(400), ..Accept::default() }).unwrap();
    hand.say(&begin(0)).unwrap();
    hand.say(&data(&[0; 200])).unwrap();
    hand.say(&data(&[0; 200])).unwrap();
    hand.say(&FINISH).unwrap();
    hand.hear();
    hand.line.take_flow(IN, 200);
    hand.line.take_flow(IN, 200);
    assert_eq!(hand.heard(), ["Credit { flow: 0, limit: 1040 }"]);
    hand.line.done(IN, Code::OK).unwrap();
    assert_eq!(hand.heard().len(), 1);
}

#[test]
fn taking_more_than_came_gives_no_more_credit_than_there_is() {
    let mut hand = receiver(true, None);
    hand.say(&data(&[0; 200])).unwrap();
    hand.line.take_flow(IN, usize::MAX);
    hand.line.take_flow(IN, 300);
    hand.line.take_flow(OUT, 300);
    hand.say(&data(&[0; 200])).unwrap();
    hand.line.take_flow(IN, 1 << 30);
    assert_eq!(hand.heard(), ["Credit { flow: 0, limit: 1040 }"]);
}

// ---- pauses

#[test]
fn either_end_may_pause_a_flow() {
    let mut hand = sender(&Offer::STREAM);
    hand.line.pause(OUT, true).unwrap();
    assert_eq!(hand.heard(), ["Pause(Pause { flow: 0, on: true, by_receiver: false })"]);
    assert_eq!(hand.line.data(hand.now, OUT, b"x"), Err(Refused::Later(Until::Credit)));
    assert_eq!(hand.say(&pause(true, true)), Ok(Some(Event::Paused { flow: OUT, on: true })));
    hand.line.pause(OUT, false).unwrap();
    assert_eq!(hand.line.data(hand.now, OUT, b"x"), Err(Refused::Later(Until::Credit)), "the peer still pauses it");
    assert_eq!(hand.say(&pause(false, true)), Ok(Some(Event::Paused { flow: OUT, on: false })));
    assert_eq!(hand.line.data(hand.now, OUT, b"x"), Ok(1));

    let mut hand = receiver(true, None);
    hand.line.pause(IN, true).unwrap();
    assert_eq!(hand.heard(), ["Pause(Pause { flow: 0, on: true, by_receiver: true })"]);
    assert!(matches!(hand.say(&data(b"x")), Ok(Some(Event::Data { .. }))), "it was on its way");
    assert_eq!(hand.say(&pause(true, false)), Ok(Some(Event::Paused { flow: IN, on: true })));
}

#[test]
fn a_pause_before_the_answer_does_not_hinder_it() {
    let mut hand = receiver(false, Some(8));
    hand.line.pause(IN, true).unwrap();
    hand.line.accept(IN, &Accept::default()).unwrap();
    let heard = hand.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    let mut hand = sender(&FILE);
    hand.say(&pause(true, true)).unwrap();
    hand.say(&accept(0, None, None)).unwrap();
    hand.line.begin(hand.now, OUT, 0).unwrap();
    assert_eq!(hand.line.data(hand.now, OUT, b"1"), Err(Refused::Later(Until::Credit)));
}

#[test]
fn a_pause_ends_with_its_range() {
    // The sender pauses, and finishes before it has said so: the receiver may be done by then.
    let mut hand = sender(&Offer::STREAM);
    hand.line.pause(OUT, true).unwrap();
    hand.line.finish(hand.now, OUT, None).unwrap();
    assert_eq!(hand.heard(), ["Finish { flow: 0, digest: None }"]);
    // The receiver's pause and the end of the range cross; the next range is not paused.
    let mut hand = sender(&FILE);
    hand.say(&accept(0, Some(4), None)).unwrap();
    hand.line.begin(hand.now, OUT, 0).unwrap();
    hand.line.data(hand.now, OUT, b"1234").unwrap();
    hand.line.finish(hand.now, OUT, None).unwrap();
    hand.tell(&pause(true, true));
    hand.say(&accept(4, None, None)).unwrap();
    hand.line.begin(hand.now, OUT, 4).unwrap();
    assert_eq!(hand.line.data(hand.now, OUT, b"5678"), Ok(4));
    let mut hand = receiver(false, Some(8));
    hand.line.accept(IN, &Accept { end: Some(4), ..Accept::default() }).unwrap();
    hand.say(&begin(0)).unwrap();
    hand.say(&data(b"1234")).unwrap();
    hand.hear();
    hand.line.pause(IN, true).unwrap();
    hand.say(&FINISH).unwrap();
    assert!(hand.heard().is_empty());
    assert_eq!(hand.line.pause(IN, true), Err(Refused::WrongState));
}

// ---- ends

#[test]
fn an_offer_may_be_declined_and_the_number_is_free_when_both_know() {
    let mut hand = receiver(false, Some(8));
    hand.line.done(IN, Code::REJECTED).unwrap();
    assert_eq!(hand.line.done(IN, Code::REJECTED), Err(Refused::WrongState));
    assert_eq!(hand.heard(), ["Done { flow: 0, code: Code(rejected (1)) }"]);
    assert_eq!(hand.line.flows(), (0, 1));
    hand.tell(&CANCEL);
    assert_eq!(hand.line.flows(), (0, 0));

    let mut hand = sender(&FILE);
    let event = hand.say(&done(Code::REJECTED));
    assert_eq!(event, Ok(Some(Event::Done { flow: OUT, code: Code::REJECTED })));
    assert_eq!(hand.line.flows(), (1, 0));
    assert_eq!(hand.heard(), ["Cancel { flow: 0, code: Code(rejected (1)) }"]);
    assert_eq!(hand.line.flows(), (0, 0));
}

#[test]
fn ends_that_cross_free_the_flow_at_both_ends() {
    // What the receiver says and hears, in order; its own word last or first, said or not.
    for frame in [FINISH, CANCEL] {
        for said in [false, true] {
            let mut hand = receiver(true, None);
            hand.say(&data(b"12")).unwrap();
            hand.line.done(IN, Code::CANCELLED).unwrap();
            if said {
                assert_eq!(hand.heard().len(), 1);
            }
            hand.tell(&data(b"34"));
            hand.tell(&frame);
            assert_eq!(hand.heard().len(), usize::from(!said), "{frame:?}");
            assert_eq!(hand.line.flows(), (0, 0), "{frame:?}");
            assert_eq!(hand.line.stats().dropped.flow_octets, 2);
        }
    }
    // What the sender says: FINISH or CANCEL, with DONE crossing.
    for (finish, cancel, said) in
        [(true, false, true), (true, true, true), (true, true, false), (false, true, true), (false, true, false)]
    {
        let mut hand = sender(&Offer::STREAM);
        if finish {
            hand.line.finish(hand.now, OUT, None).unwrap();
            hand.hear();
        }
        if cancel {
            hand.line.cancel(OUT, Code::IO).unwrap();
        }
        if said {
            hand.hear();
        }
        let event = hand.say(&done(Code::REJECTED));
        assert_eq!(event, Ok(Some(Event::Done { flow: OUT, code: Code::REJECTED })));
        hand.hear();
        assert_eq!(hand.line.flows(), (0, 0), "{finish} {cancel} {said}");
    }
}

#[test]
fn a_cancel_behind_the_end_may_meet_a_flow_that_is_over() {
    let mut hand = receiver(false, Some(4));
    hand.line.accept(IN, &Accept::default()).unwrap();
    hand.say(&begin(0)).unwrap();
    hand.say(&data(b"1234")).unwrap();
    hand.say(&FINISH).unwrap();
    hand.line.done(IN, Code::OK).unwrap();
    hand.hear();
    assert_eq!(hand.line.flows(), (0, 0));
    hand.tell(&CANCEL);
    let far = Frame::Cancel { flow: 99, code: Code::IO };
    assert_eq!(hand.say(&far), Err(PeerError::FlowLimit(99)));
}

#[test]
fn a_cancelled_flow_is_over_when_its_bytes_are_taken_or_nobody_wants_them() {
    for give_up in [false, true] {
        let mut hand = receiver(true, None);
        hand.say(&data(b"1234")).unwrap();
        let event = hand.say(&CANCEL);
        assert_eq!(event, Ok(Some(Event::Cancelled { flow: IN, code: Code::IO })));
        assert!(hand.heard().is_empty());
        if give_up {
            hand.line.done(IN, Code::CANCELLED).unwrap();
        } else {
            hand.line.take_flow(IN, 4);
        }
        assert_eq!(hand.heard().len(), 1);
        assert_eq!(hand.line.flows(), (0, 0));
    }
}

#[test]
fn a_flow_outlives_its_exchange() {
    let mut hand = Hand::server();
    hand.say(&request(0, None, 1)).unwrap();
    let lane = ACCEPTED;
    hand.say(&offer(ACCEPTED, true, None)).unwrap();
    hand.line.respond(lane, &Respond { attached: 1, ..Respond::text("here") }).unwrap();
    let flow = hand.line.offer(lane, &Offer::STREAM).unwrap();
    hand.hear();
    assert_eq!(hand.line.lanes(), (0, 0));
    assert_eq!(hand.line.data(hand.now, flow, b"still"), Ok(5));
    assert!(matches!(hand.say(&data(b"still")), Ok(Some(Event::Data { .. }))));
}

#[test]
fn an_offer_on_an_exchange_given_up_is_declined() {
    let mut hand = Hand::server();
    hand.say(&request(0, None, 1)).unwrap();
    hand.line.abort(ACCEPTED, Code::BUSY).unwrap();
    hand.hear();
    hand.tell(&offer(ACCEPTED, true, None));
    assert_eq!(hand.heard().len(), 1);
    hand.tell(&data(b"dropped"));
    hand.tell(&CANCEL);
    assert_eq!(hand.line.flows(), (0, 0));
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn flows_announced_and_never_offered_hold_the_exchange_until_it_is_given_up() {
    let mut hand = Hand::client();
    let lane = hand.line.request(hand.now, &Send { attached: 2, ..Send::bytes(ACTION, b"") }).unwrap().lane.unwrap();
    hand.hear();
    hand.say(&CODE).unwrap();
    assert_eq!(hand.line.lanes(), (1, 0));
    assert_eq!(hand.pass(20_000), []);
    hand.line.offer(lane, &Offer::STREAM).unwrap();
    hand.line.abort(lane, Code::CANCELLED).unwrap();
    assert_eq!(hand.line.offer(lane, &Offer::STREAM), Err(Refused::NoLane));
    hand.hear();
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn flows_of_the_other_end_and_of_nothing_are_refused() {
    for mut hand in [sender(&Offer::STREAM), receiver(true, None)] {
        let ours = hand.line.flows() == (1, 0);
        let (there, not) = if ours { (OUT, IN) } else { (IN, OUT) };
        assert!(hand.line.pause(there, true).is_ok());
        for flow in [not, FlowId::new(1, Side::Us), FlowId::new(1, Side::Them), FlowId::new(u16::MAX, Side::Us)] {
            for result in [
                hand.line.data(hand.now, flow, b"x").map(|_| ()),
                hand.line.finish(hand.now, flow, None),
                hand.line.cancel(flow, Code::OK),
                hand.line.done(flow, Code::OK),
                hand.line.accept(flow, &Accept::default()),
                hand.line.begin(hand.now, flow, 0),
                hand.line.pause(flow, true),
            ] {
                assert_eq!(result, Err(Refused::NoFlow), "{flow:?}");
            }
        }
    }
}
