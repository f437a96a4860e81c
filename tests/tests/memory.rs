//! What a machine costs, and what it gives back.

use std::mem::size_of;

use ropeway_core::wire::Frame;
use ropeway_core::{Action, Code, Config, Connection, Event, Flow, Lane, Memory, Offer, Send, Side};
use ropeway_tests::hand::{Hand, PEER};
use ropeway_tests::storage::metered;

#[test]
fn a_machine_with_four_lanes_is_small() {
    type Device = Memory<[Lane; 2], [Flow; 2], [u8; 1024]>;
    let all = size_of::<Connection<Device>>();
    println!("lane {}, flow {}", size_of::<Lane>(), size_of::<Flow>());
    println!("machine with 2 + 2 lanes and 2 + 2 flows: {} and an outbox of 1024", all - 1024);
    let wider = size_of::<Connection<Memory<[Lane; 4], [Flow; 1], [u8; 1024]>>>();
    println!("machine with 4 + 4 lanes and 1 + 1 flows: {} and an outbox of 1024", wider - 1024);
    println!("machine besides its memory: {}", size_of::<Connection<Memory<[Lane; 0], [Flow; 0], [u8; 0]>>>());
    assert!(all - 1024 <= 1536, "{} octets", all - 1024);
}

#[test]
fn an_idle_line_gives_its_memory_back() {
    let (memory, meter) = metered(4, 4, 4096);
    let mut hand = Hand::greeted(Config::SMALL, true, memory, PEER);
    for _ in 0..3 {
        let sent = hand.line.request(hand.now, &Send { attached: 1, ..Send::text(Action::Number(1), "x") }).unwrap();
        let lane = sent.lane.unwrap();
        assert_eq!((lane.number(), lane.opened_by()), (0, Side::Us));
        let flow = hand.line.offer(lane, &Offer::STREAM).unwrap();
        hand.hear();
        assert_eq!(meter.get(), 512 + 2, "a small outbox, a lane and a flow");
        // Open, it may wait for long.
        assert_eq!(hand.pass(15_000), [Event::Expired { lane }]);
        assert!(meter.get() > 0);
        hand.say(&Frame::Abort { side: Side::Them, lane: 0, code: Code::TIMEOUT }).unwrap();
        hand.line.cancel(flow, Code::CANCELLED).unwrap();
        hand.hear();
        hand.say(&Frame::Done { flow: 0, code: Code::CANCELLED }).unwrap();
        for _ in 0..2 {
            hand.pass(15_000);
            hand.hear();
            hand.say(&Frame::Ack { count: 0 }).unwrap();
        }
        assert_eq!(meter.get(), 0);
    }
}
