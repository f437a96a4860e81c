//! What must hold for any bytes, any frames and any verbs at all. Fuzzers and ordinary tests call these with choices
//! they make up; each panics if a promise is broken.

use std::time::Duration;

use ropeway_core::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Policy, RekeyAfter, Rule, Sealer};
use ropeway_core::wire::{self, Close, Define, Frame, Notice, Open, Pause, Piece, Response, Update};
use ropeway_core::{
    Accept, Action, Body, CloseCode, Code, Config, Connection, Event, FlowId, Instant, Kind, LaneId, Limits, Offer,
    PeerError, Reason, Refused, Respond, Send, Side, Storage, Table,
};

use crate::dice::Dice;
use crate::hand::{PEER, SESSION, hello};
use crate::life::Life;
use crate::storage::{FLOWS, LANES, OUTBOX, arrays};

/// A peer that says anything, to an application that does anything: no panic, nothing unbounded, every error said.
pub fn survives(choices: &[u8]) {
    let mut dice = Dice::bytes(choices);
    let is_server = dice.once_in(2);
    let mut end = End::new(is_server, arrays());
    if !dice.once_in(8) {
        end.hear(&hello(is_server, PEER));
    }
    while dice.has_more() {
        match dice.below(8) {
            0 => {
                let len = 1 + dice.below(40);
                let noise: Vec<u8> = (0..len).map(|_| dice.below(256) as u8).collect();
                end.hear(&noise);
            }
            1..=3 => {
                let mut octets = Vec::new();
                say_anything(&mut dice, &mut octets);
                if dice.once_in(16) {
                    let at = dice.below(octets.len() as u64) as usize;
                    octets[at] ^= 1 << dice.below(8);
                }
                end.hear(&octets);
            }
            4 => _ = end.transmit(&mut dice),
            5 => end.pass(&mut dice),
            _ => end.act(&mut dice),
        }
        end.is_sound();
    }
}

/// Two machines whose applications do anything at any time: neither ever says what the other refuses, and when all is
/// given up nothing is left behind.
pub fn get_along(choices: &[u8]) {
    along(choices, End::new(false, arrays()), End::new(true, arrays()));
}

/// The same of two that may seal what they say.
pub fn get_along_sealed(choices: &[u8]) {
    let memory = |is_server| {
        let identity = Identity { pattern: Pattern::Nn, key: None, psk: None, trust: Anyone };
        let sealer = if is_server { Sealer::server } else { Sealer::client };
        let rekey_after = RekeyAfter { records: 5, ..RekeyAfter::DEFAULT };
        let sealer = sealer(ChaCha20Poly1305, identity).expect("it wants no key");
        arrays().sealed_by(sealer.policy(Policy::both(Rule::Optional)).rekey_after(rekey_after))
    };
    let end = |is_server| End { is_plain: false, ..End::new(is_server, memory(is_server)) };
    along(choices, end(false), end(true));
}

fn along<A: Storage, B: Storage>(choices: &[u8], mut client: End<A>, mut server: End<B>) {
    let mut dice = Dice::bytes(choices);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    if !dice.once_in(8) {
        for _ in 0..2 {
            server.hear(&client.transmit_all());
            client.hear(&server.transmit_all());
        }
    }
    while dice.has_more() {
        match dice.below(17) {
            0 | 1 => up.extend(client.transmit(&mut dice)),
            2 | 3 => down.extend(server.transmit(&mut dice)),
            4 | 5 => move_some(&mut dice, &mut up, &mut server),
            6 | 7 => move_some(&mut dice, &mut down, &mut client),
            8..=11 => client.act(&mut dice),
            12..=15 => server.act(&mut dice),
            _ => {
                client.pass(&mut dice);
                server.pass(&mut dice);
            }
        }
        no_quarrel(&client, &server);
    }
    let closed = client.line.closed().is_some() || server.line.closed().is_some();
    // Until all is quiet: give up what is open, take what has come, and deliver.
    for round in 0..100 {
        if round % 3 == 0 {
            client.let_go();
            server.let_go();
        }
        up.extend(client.transmit_all());
        down.extend(server.transmit_all());
        server.hear(&std::mem::take(&mut up));
        client.hear(&std::mem::take(&mut down));
        no_quarrel(&client, &server);
    }
    if closed || client.line.closed().is_some() || server.line.closed().is_some() {
        return;
    }
    is_reconciled(&client, &server);
    is_reconciled(&server, &client);
    full_again(&mut client, &mut server);
    full_again(&mut server, &mut client);
}

/// Nothing is left behind, and all that was sent is received.
fn is_reconciled<A: Storage, B: Storage>(from: &End<A>, to: &End<B>) {
    assert_eq!((from.line.lanes(), from.line.flows()), ((0, 0), (0, 0)), "left behind: {:?}", from.line);
    assert_eq!(from.line.is_sealed(Side::Us), to.line.is_sealed(Side::Them), "the ends differ");
    let mut sent = from.line.stats().sent;
    sent.flow_octets -= to.line.stats().dropped.flow_octets;
    assert_eq!(sent, to.line.stats().received);
}

/// The largest message in one frame goes at once, on every lane, and as its answer.
fn full_again<A: Storage, B: Storage>(from: &mut End<A>, to: &mut End<B>) {
    if from.away {
        return;
    }
    let whole = vec![5; (Config::SMALL.max_frame - 34) as usize];
    for _ in 0..2 * LANES {
        let now = from.now;
        let sent = from.line.request(now, &Send::bytes(Action::Number(9), &whole)).expect("a free window");
        to.hear(&from.transmit_all());
        let lane = LaneId::new(sent.lane.expect("a lane").number(), Side::Them);
        to.line.take_message(whole.len());
        to.line.respond(lane, &Respond::bytes(&whole)).expect("free credit");
        from.hear(&to.transmit_all());
        from.line.take_lane(sent.lane.expect("a lane"), whole.len());
    }
}

fn no_quarrel<A: Storage, B: Storage>(client: &End<A>, server: &End<B>) {
    assert_eq!((client.error, server.error), (None, None), "{:?}\n{:?}", client.line, server.line);
    client.is_sound();
    server.is_sound();
}

fn move_some<S: Storage>(dice: &mut Dice<'_>, wire: &mut Vec<u8>, to: &mut End<S>) {
    let len = dice.pick(&[usize::MAX, 400, 100, 40, 11, 3, 1]).min(wire.len());
    let some: Vec<u8> = wire.drain(..len).collect();
    to.hear(&some);
}

/// How long requests wait that do not say.
const TIMEOUT: Duration = Duration::from_secs(4);

/// A machine, and an application without manners.
#[derive(Debug)]
struct End<S: Storage> {
    line: Connection<S>,
    now: Instant,
    input: Vec<u8>,
    takes: Vec<Take>,
    error: Option<PeerError>,
    closed: bool,
    away: bool,
    life: Life,
    /// The model of deadlines reads frames that are not in records.
    is_plain: bool,
}

#[derive(Debug)]
enum Take {
    Message(usize),
    Lane(LaneId, usize),
    Flow(FlowId, usize),
}

impl<S: Storage> End<S> {
    fn new(is_server: bool, memory: S) -> End<S> {
        let now = Instant::from_millis(5);
        let config = Config { max_aborts: 1 << 20, heartbeat: Duration::ZERO, timeout: TIMEOUT, ..Config::SMALL };
        let line = if is_server {
            Connection::server(now, config, SESSION.repeat(2).try_into().expect("32 octets"), memory)
        } else {
            Connection::client(now, config, [3; 32], memory)
        };
        let life = Life::default();
        End {
            line,
            now,
            input: Vec::new(),
            takes: Vec::new(),
            error: None,
            closed: false,
            away: false,
            life,
            is_plain: true,
        }
    }

    fn hear(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        loop {
            let (was_over, was_ready) = (self.line.closed().is_some(), self.line.is_ready());
            let len = self.input.len();
            match self.line.handle_input(self.now, &mut self.input) {
                Ok(step) => {
                    let consumed = step.consumed;
                    assert!(consumed <= len && (consumed > 0 || step.event.is_none()));
                    let event = step.event.map(|event| event.map(<[u8]>::to_vec));
                    assert!(!was_over || event.is_none());
                    if was_ready
                        && self.is_plain
                        && let Ok(Some((frame, _))) = Frame::decode(&self.input[..consumed], Limits::MAX_FRAME)
                    {
                        self.life.hears(self.now, &frame);
                    }
                    self.input.drain(..consumed);
                    if let Some(event) = event {
                        self.on_event(&event);
                    }
                    if consumed == 0 {
                        assert!(len < Limits::MAX_FRAME as usize, "a frame is never awaited beyond its limit");
                        return;
                    }
                }
                Err(error) => {
                    assert!(self.error.is_none(), "{error} behind {:?}", self.error);
                    self.error = Some(error);
                    self.input.clear();
                    return;
                }
            }
        }
    }

    fn on_event(&mut self, event: &Event<Vec<u8>>) {
        assert!(!self.closed, "{event:?} behind the last event");
        match event {
            Event::Message(message) => self.takes.push(Take::Message(message.body.bytes.len())),
            Event::Response(answer) => self.takes.push(Take::Lane(answer.lane, answer.body.bytes.len())),
            Event::Update { lane, body } => self.takes.push(Take::Lane(*lane, body.bytes.len())),
            Event::Piece { lane, bytes, .. } => self.takes.push(Take::Lane(*lane, bytes.len())),
            Event::Data { flow, bytes, .. } => self.takes.push(Take::Flow(*flow, bytes.len())),
            Event::Expired { lane } if self.line.is_ready() && self.is_plain => self.life.expires(self.now, *lane),
            Event::Away => self.away = true,
            Event::Closed { .. } => self.closed = true,
            _ => {}
        }
    }

    fn transmit(&mut self, dice: &mut Dice<'_>) -> Vec<u8> {
        let mut out = vec![0; dice.pick(&[4096, 128, 300, 60, 20, 8, 3])];
        let len = self.line.poll_transmit(self.now, &mut out);
        out.truncate(len);
        out
    }

    fn transmit_all(&mut self) -> Vec<u8> {
        // A record has at least as much room as the largest frame.
        let most = if self.is_plain { 128 } else { 512 };
        crate::hand::hear(&mut self.line, self.now, most)
    }

    fn pass(&mut self, dice: &mut Dice<'_>) {
        self.now = self.now.after(Duration::from_millis(dice.below(3000)));
        for turn in 0.. {
            let Some(event) = self.line.handle_timeout(self.now) else { break };
            self.on_event(&event.map(<[u8]>::to_vec));
            assert!(turn < 100, "time never comes to rest");
        }
        if self.line.is_ready() && self.is_plain {
            self.life.is_in_time(self.now);
        }
    }

    fn take(&mut self, at: usize) {
        match self.takes.remove(at) {
            Take::Message(len) => self.line.take_message(len),
            Take::Lane(lane, len) => self.line.take_lane(lane, len),
            Take::Flow(flow, len) => self.line.take_flow(flow, len),
        }
    }

    /// Gives up all that is open, and takes all that has come.
    fn let_go(&mut self) {
        while !self.takes.is_empty() {
            self.take(0);
        }
        for number in 0..LANES.max(FLOWS) as u16 {
            for side in [Side::Us, Side::Them] {
                let lane = LaneId::new(number, side);
                if self.line.abort(lane, Code::CANCELLED).is_ok() {
                    self.life.ends(lane);
                }
                let _ = self.line.cancel(FlowId::new(number, side), Code::CANCELLED);
                let _ = self.line.done(FlowId::new(number, side), Code::CANCELLED);
            }
        }
    }

    /// Does anything. What is refused has changed nothing.
    fn act(&mut self, dice: &mut Dice<'_>) {
        if !self.takes.is_empty() && !dice.once_in(3) {
            let at = dice.below(self.takes.len() as u64) as usize;
            return self.take(at);
        }
        // Most make no sense at the moment: several, so that one does.
        for _ in 0..6 {
            let before = format!("{:?}", self.line);
            if let Err(refused) = self.verb(dice) {
                assert_eq!(before, format!("{:?}", self.line), "{refused}, and yet something changed");
            }
        }
    }

    fn verb(&mut self, dice: &mut Dice<'_>) -> Result<(), Refused> {
        let (line, life, now) = (&mut self.line, &mut self.life, self.now);
        let what = dice.below(40);
        // Mostly of the end that may, and not too many, so that something comes of it.
        let side = match what {
            _ if dice.once_in(16) => dice.pick(&[Side::Us, Side::Them]),
            3..=5 | 16..=23 => Side::Them,
            6..=8 | 34..=35 => dice.pick(&[Side::Us, Side::Them]),
            _ => Side::Us,
        };
        let lane = LaneId::new(dice.pick(&[0, 0, 1, 1, 2, 3]), side);
        let flow = FlowId::new(dice.pick(&[0, 0, 1, 1, 2, 3]), side);
        let bytes = vec![9; dice.pick(&[5, 0, 1, 20, 60, 100, 222, 300, 1000])];
        let kind = dice.pick(&[Kind::Bytes, Kind::Text, Kind::None, Kind::Typed(0)]);
        let bytes = if kind == Kind::None { &[][..] } else { &bytes };
        let body = Body { kind, bytes };
        let size = if dice.once_in(8) { Some(dice.below(1200)) } else { None };
        let attached = dice.pick(&[0, 0, 0, 1, 2]);
        let code = Code::new(dice.below(4096) as u16).unwrap_or(Code::OK);
        let action = dice.pick(&[Action::Number(1), Action::Number(Action::MAX_NUMBER), Action::Name(0)]);
        let timeout = dice.pick(&[None, Some(Duration::ZERO), Some(TIMEOUT / 2)]);
        let send = Send { action, body, size, attached, timeout, sealed: dice.once_in(9) };
        match what {
            0 => {
                if let Some(lane) = line.notify(now, &send)?.lane {
                    life.opens(now, lane, Duration::ZERO);
                }
                Ok(())
            }
            1 | 2 => {
                let lane = line.request(now, &send)?.lane.expect("a lane");
                life.opens(now, lane, timeout.unwrap_or(TIMEOUT));
                Ok(())
            }
            3 => line.respond(lane, &Respond { code, body, size, attached, more: dice.once_in(2) }).map(drop),
            4 => line.respond_code(lane, code),
            5 => line.update(lane, body),
            6 => line.body(now, lane, bytes).map(|_| life.lane(now, lane)),
            7 if dice.once_in(2) => line.abort(lane, code).map(|()| life.ends(lane)),
            7..=13 => {
                let size = if dice.once_in(2) { Some(dice.below(700)) } else { None };
                let lane = if what < 9 { lane } else { LaneId::new(lane.number(), dice.pick(&[Side::Us, Side::Them])) };
                let offer = Offer { push: dice.once_in(2), size, media: "", name: "n" };
                line.offer(lane, &offer).map(|flow| life.offers(flow, lane))
            }
            16..=20 => {
                let start = dice.pick(&[0, 0, 5, 300]);
                let end = dice.pick(&[None, None, Some(6), Some(400)]);
                let prefix = dice.pick(&[None, Some([7; 32])]);
                line.accept(flow, &Accept { start, end, prefix })
            }
            21..=23 if dice.once_in(2) => line.done(flow, code),
            24..=26 => line.begin(now, flow, dice.pick(&[0, 0, 5, 300])).map(|()| life.flow(now, flow)),
            27..=30 => {
                let most = 1 + dice.below(300) as usize;
                line.data(now, flow, &bytes[..bytes.len().min(most)]).map(|_| life.flow(now, flow))
            }
            31..=32 => line.finish(now, flow, None).map(|()| life.flow(now, flow)),
            33 if dice.once_in(2) => line.cancel(flow, code),
            34..=35 => line.pause(flow, dice.once_in(2)),
            14 => line.seal(dice.once_in(2)),
            15 => match dice.below(3) {
                0 => line.ask_to_seal(dice.once_in(2)),
                1 => line.rekey(),
                _ => line.rekey_afresh([9; 32]),
            },
            36 if dice.once_in(64) => line.go_away(),
            37 if dice.once_in(128) => {
                line.close(CloseCode::DONE, "enough");
                Ok(())
            }
            38 => line.define(dice.pick(&[Table::Actions, Table::Types]), "name", None).map(drop),
            39 => line.ping(),
            _ => {
                // More than there is.
                line.take_message(dice.below(2) as usize);
                line.take_flow(flow, 0);
                line.take_lane(lane, 0);
                Ok(())
            }
        }
    }

    fn is_sound(&self) {
        let line = &self.line;
        let ((a, b), (c, d)) = (line.lanes(), line.flows());
        assert!(usize::from(a.max(b)) <= LANES && usize::from(c.max(d)) <= FLOWS);
        assert!(line.unsent() <= OUTBOX);
        if let Some(reason) = line.closed() {
            assert!(!line.wants_transmit());
            assert_eq!(line.poll_timeout(), None);
            if let Some(error) = self.error {
                assert_eq!(reason, Reason::PeerError(error));
            }
        }
    }
}

/// A frame with any content.
fn say_anything(dice: &mut Dice<'_>, octets: &mut Vec<u8>) {
    let bytes = vec![4; dice.pick(&[0, 1, 10, 100, 230, 400])];
    let bytes = &bytes[..];
    let side = dice.pick(&[Side::Us, Side::Them]);
    let number = dice.pick(&[0, 1, 2, 3, 4, u16::MAX]);
    let code = Code::new(dice.below(4096) as u16).unwrap_or(Code::OK);
    let kind = dice.pick(&[Kind::Bytes, Kind::Text, Kind::Typed(0), Kind::None]);
    let body = Body { kind, bytes: if kind == Kind::None { &[] } else { bytes } };
    let size = dice.pick(&[None, Some(1), Some(500), Some(1 << 40), Some(u64::MAX)]);
    let attached = dice.pick(&[0, 1, 2, 100]);
    let value = dice.pick(&[0, 5, 300, 1 << 20, 1 << 50, u64::MAX]);
    let action = dice.pick(&[Action::Number(3), Action::Name(0), Action::Name(9)]);
    let more = dice.once_in(2);
    let frame = match dice.below(26) {
        0 => Frame::Define(Define { table: Table::Actions, index: number, fingerprint: None, name: "n" }),
        1 => Frame::Notice(Notice { action, body }),
        2 | 3 => Frame::Open(Open { lane: number, action, body, wants_answer: more, timeout: None, size, attached }),
        4 => Frame::Response(Response { lane: number, code, body, more, size, attached }),
        5 => Frame::Code { lane: number, code },
        6 => Frame::Update(Update { lane: number, body }),
        7 => Frame::Body(Piece { side, lane: number, bytes }),
        8 => Frame::Abort { side, lane: number, code },
        9 => Frame::End { lane: number },
        10 => Frame::Offer(wire::Offer { flow: number, side, lane: number, push: more, size, media: "m", name: "n" }),
        11 => Frame::Accept(wire::Accept { flow: number, start: value, end: size, prefix: None }),
        12 => Frame::Begin { flow: number, start: value },
        13 => Frame::Data { flow: number, bytes },
        14 => Frame::Finish { flow: number, digest: None },
        15 => Frame::Cancel { flow: number, code },
        16 => Frame::Done { flow: number, code },
        17 => Frame::Pause(Pause { flow: number, on: more, by_receiver: side == Side::Us }),
        18 => Frame::Away,
        19 if more && dice.once_in(4) => Frame::Close(Close { code: CloseCode::DONE, reason: "enough" }),
        20 => Frame::Ack { count: value },
        21 => Frame::Ping { id: u32::from(number) },
        22 => Frame::Pong { id: u32::from(number) },
        23 => Frame::Window { limit: value },
        24 => Frame::LaneCredit { side, lane: number, limit: value },
        25 => Frame::Credit { flow: number, limit: value },
        _ => Frame::Skipped { kind: 29, bytes },
    };
    octets.extend(crate::hand::bytes(&frame));
}

/// The same octets bring the same events and the same answers, however they are cut: all at once, and as `choices` say.
pub fn is_the_same_in_any_chunks(octets: &[u8], choices: &[u8]) {
    let whole = answers(arrays(), octets, &mut |left| left);
    let mut dice = Dice::bytes(choices);
    let cut = answers(arrays(), octets, &mut |_| if dice.has_more() { 1 + dice.below(50) as usize } else { 1 });
    assert_eq!(whole, cut);
}

/// What a server makes of octets: its events, its own octets, and the peer's fault.
fn answers<S: Storage>(
    memory: S,
    mut octets: &[u8],
    cut: &mut dyn FnMut(usize) -> usize,
) -> (Vec<Event<Vec<u8>>>, Vec<u8>, Option<PeerError>) {
    let now = Instant::ZERO;
    let mut line = Connection::server(now, Config::SMALL, [6; 32], memory);
    let (mut events, mut said, mut input, mut error) = (vec![], vec![], vec![], None);
    while !octets.is_empty() && error.is_none() {
        let (chunk, rest) = octets.split_at(cut(octets.len()).clamp(1, octets.len()));
        octets = rest;
        input.extend_from_slice(chunk);
        loop {
            match line.handle_input(now, &mut input) {
                Ok(step) => {
                    let consumed = step.consumed;
                    events.extend(step.event.map(|event| event.map(<[u8]>::to_vec)));
                    if consumed == 0 {
                        break;
                    }
                    input.drain(..consumed);
                }
                Err(fault) => {
                    error = Some(fault);
                    break;
                }
            }
            said.extend(crate::hand::hear(&mut line, now, 4096));
        }
    }
    said.extend(crate::hand::hear(&mut line, now, 4096));
    (events, said, error)
}
