//! Bad weather: the transport breaks, at either end, either way, anywhere in the middle of all there is to say.
//!
//! Where it breaks is drawn from a seed, which is told if a scenario fails; `ROPEWAY_SEED=...` runs that one alone.

use std::env;
use std::fs;
use std::future::Future;
use std::thread;

use ropeway_driver::{CloseCode, Code, Error, Line, Reason};

use super::by_hand::{echo, octets, still_works, until};
use super::files_by_hand::{Folder, offered};
use super::talk::{Book, Kind, reconcile};
use super::{Scenario, scenarios};
use crate::binding::limit;
use crate::ledger;
use crate::watchdog::watchdog;
use crate::weather::{Cut, Dice, Ending, Way};
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    whatever_is_under_way_settles_when_the_transport_breaks,
    a_transport_that_breaks_tears_nothing,
    connecting_fails_if_the_transport_breaks_before_the_hello,
    a_server_outlives_transports_that_break,
    a_file_gets_there_though_every_line_breaks,
];

const ENDINGS: [Ending; 3] = [Ending::Eof, Ending::Fault, Ending::Reset];

/// Every future ends, with its value or because the line is over; nothing is heard twice or torn; what was acknowledged
/// was heard; handlers are dropped; a file is whole, or its beginning waits for the rest.
async fn whatever_is_under_way_settles_when_the_transport_breaks(world: World) {
    let rounds = if world.transport().is_slow() { 12 } else { 36 };
    rounds_of(&world, rounds, |world, seed| async move {
        let mut dice = Dice::new(seed);
        cut_somewhere(&world, seed, &mut dice);
        let (near, far) = world.strangers(tight(), tight()).await;
        let folder = Folder::new();
        let books = [0u32, 1].map(|end| {
            let folder = folder.at(&end.to_string());
            fs::create_dir(&folder).expect("its name is new");
            Book::new(end, world.much(90_000), Some(folder))
        });
        let mut sides = Vec::new();
        for (line, book) in [&near, &far].into_iter().zip(&books) {
            world.serve(line, book.router());
            for _ in 0..4 {
                let kinds: Vec<_> = (0..5).map(|_| any_kind(&mut dice)).collect();
                sides.push(world.spawn(say(line.clone(), book.clone(), kinds)));
            }
        }
        for side in sides {
            if let Err(error) = side.await {
                assert!(matches!(&error, Error::Closed(ended) if ended.reason == Reason::Eof), "{error:?}");
            }
        }
        // What the far end said before this arrives before it; what the near end said arrives before its goodbye.
        let all_came = far.ask("nobody", &()).await.is_ok();
        let ended = [near.close(CloseCode::DONE, "").await.reason, far.ended().await.reason];
        let lasted = ended == [Reason::ByUs(CloseCode::DONE), Reason::ByPeer(CloseCode::DONE)];
        assert!(lasted || ended.contains(&Reason::Eof), "{ended:?}");
        ledger::invents_nothing(&near, &far);
        // The handlers of what the line has left behind end, too.
        until(|| books.iter().all(|book| book.handlers() == 0)).await;
        let (ours, theirs) = books.split_at(1);
        reconcile(ours, theirs, lasted);
        reconcile(theirs, ours, lasted && all_came);
        for (book, line) in books.iter().zip([&near, &far]) {
            let received = line.stats().received.notices;
            let small = book.heard(Kind::Notice) as u64;
            assert!(small <= received, "{small} notices were heard of {received}");
        }
    })
    .await;
}

/// Wherever it breaks: what came is whole and in order, and what did not come has failed.
async fn a_transport_that_breaks_tears_nothing(world: World) {
    for (at, ending) in (0..1500).step_by(37).flat_map(|at| [(at, Ending::Eof), (at, Ending::Reset)]) {
        world.cut_near(Cut::new(Way::Write, at, ending));
        let (near, far) = world.strangers(patient(), patient()).await;
        let line = near.clone();
        let speaker = world.spawn(async move {
            for number in 0.. {
                let sent = line.notify("any", &octets(number * 5, number)).await;
                if let Err(error) = sent.and(line.request::<_, ()>("any", &()).await) {
                    return error;
                }
            }
            unreachable!("it breaks")
        });
        let line = far.clone();
        let hearer = world.spawn(async move {
            let (mut messages, mut heard) = (line.messages(), 0);
            while let Some(mut message) = messages.next().await {
                if message.wants_answer() {
                    message.code(Code::OK);
                    continue;
                }
                let body: Vec<u8> = message.decode().await.expect("it is whole");
                assert!(body == octets(heard * 5, heard), "{heard} is torn");
                heard += 1;
            }
        });
        let error = speaker.await;
        assert!(matches!(&error, Error::Closed(ended) if ended.reason == Reason::Eof), "{error:?}");
        hearer.await;
        assert_eq!(far.ended().await.reason, Reason::Eof);
    }
}

/// Every octet of the handshake, theirs and ours, may be the last.
async fn connecting_fails_if_the_transport_breaks_before_the_hello(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    let before = if world.transport().has_handshake() { 2000 } else { 90 };
    let rounds = if world.transport().has_handshake() || world.transport().is_slow() { 24 } else { 2 * before };
    let mut up = 0;
    for round in 0..rounds {
        let at = (round / 2 * 2 * before / rounds) as u64;
        let way = [Way::Read, Way::Write][round % 2];
        world.cut_near(Cut::new(way, at, ENDINGS[round % ENDINGS.len()]));
        match world.client(server.address()).connect().await {
            Ok(line) => {
                up += 1;
                drop(line);
            }
            Err(Error::Closed(ended)) => assert_eq!(ended.reason, Reason::Eof, "{way:?} {at}"),
            Err(Error::Io(_) | Error::Tls(_) | Error::WebSocket(_)) => {}
            Err(error) => panic!("{way:?} {at}: {error:?}"),
        }
    }
    assert!(up < rounds, "none of them broke");
    let line = world.client(server.address()).connect().await.expect("it still listens");
    still_works(&line).await;
    until(|| server.lines().len() == 1).await;
    let far = server.lines().remove(0);
    world.part(line, far).await;
}

/// Others have a line to it meanwhile, and do not notice.
async fn a_server_outlives_transports_that_break(world: World) {
    let far_book = Book::new(0, world.much(30_000), None);
    let server = world.server().router(far_book.router()).serve().await.expect("the address is free");
    let honest = world.client(server.address()).connect().await.expect("it listens");
    let book = Book::new(1, world.much(30_000), None);
    let (line, saying) = (honest.clone(), book.clone());
    let kinds = Kind::ALL.iter().copied().filter(|kind| ![Kind::TimedOut, Kind::AskedBack].contains(kind)).collect();
    let undisturbed = world.spawn(async move { say(line, saying, kinds).await });
    rounds_of(&world, 6, |world, seed| {
        let address = server.address().clone();
        async move {
            let mut dice = Dice::new(seed);
            cut_somewhere(&world, seed, &mut dice);
            let book = Book::new(2 + seed as u32, world.much(30_000), None);
            let Ok(line) = world.client(address).on("echo", echo).connect().await else { return };
            let asking = say(line.clone(), book, vec![Kind::Refused, Kind::Request]);
            let _ = asking.await;
            line.cut();
        }
    })
    .await;
    undisturbed.await.expect("its line is up");
    until(|| server.lines().len() == 1).await;
    let far = server.lines().remove(0);
    world.part(honest, far).await;
}

/// Each line brings it on a bit, and none sends again what another brought.
async fn a_file_gets_there_though_every_line_breaks(world: World) {
    let (from, to) = (Folder::new(), Folder::new());
    let content = octets(if world.transport().is_slow() { 25_000 } else { 400_000 }, 1);
    let path = from.put("big.bin", &content);
    let mut config = patient();
    config.protocol.max_frame = 1024;
    let (mut lines, mut there) = (0, 0);
    while there < content.len() as u64 {
        assert!(lines < 50, "it gets nowhere");
        let at = 4_000 + content.len() as u64 / 4;
        world.cut_near(Cut::new(Way::Write, at, ENDINGS[lines % ENDINGS.len()]));
        lines += 1;
        let (near, far) = world.strangers(config.clone(), config.clone()).await;
        let into = to.path().to_owned();
        let saving = world.spawn(async move {
            let (_, file) = offered(&far).await;
            file.save_in(into).await?.finished().await
        });
        let upload = near.send_file(&path).await.expect("it goes so far");
        let told = upload.finished().await;
        let saved = saving.await;
        assert!(near.stats().sent.flow_octets <= content.len() as u64 - there, "what is there was sent again");
        let part = fs::metadata(to.partial("big.bin")).map(|part| part.len());
        there = match (&saved, part) {
            (Ok(_), _) => content.len() as u64,
            (Err(Error::Closed(_)), Ok(part)) => part,
            other => panic!("{other:?}"),
        };
        assert!(told.is_err() || saved.is_ok(), "{told:?}");
        near.close(CloseCode::DONE, "").await;
    }
    assert!(lines > 2, "{lines} lines");
    assert!(to.read("big.bin") == content);
    assert_eq!(to.names(), ["big.bin"]);
}

/// Says all of this, one after the other, until the line is over.
async fn say(line: Line, book: Book, kinds: Vec<Kind>) -> Result<(), Error> {
    for kind in kinds {
        book.say(&line, kind).await?;
    }
    Ok(())
}

/// Anything but what needs time to pass.
fn any_kind(dice: &mut Dice) -> Kind {
    let timeless = Kind::ALL.len() - 1;
    let kind = Kind::ALL[dice.roll(timeless)];
    assert_ne!(kind, Kind::TimedOut, "it is the last");
    kind
}

/// The next line is cut: at either end, either way, somehow, where the dice say.
fn cut_somewhere(world: &World, seed: u64, dice: &mut Dice) {
    let combination = seed as usize;
    let way = [Way::Read, Way::Write][combination % 2];
    let ending = ENDINGS[combination / 2 % ENDINGS.len()];
    // In the handshake, soon, or anywhere.
    let most = [300, 8000, 6000 + world.much(400_000)][dice.roll(3)];
    let cut = Cut::new(way, dice.roll(most) as u64, ending);
    match combination / 6 % 2 {
        0 => world.cut_near(cut),
        _ => world.cut_far(cut),
    }
}

/// Runs so many rounds, each with a seed of its own, or the one that is asked for.
async fn rounds_of<F: Future<Output = ()>>(world: &World, rounds: u64, round: impl Fn(World, u64) -> F) {
    let asked = env::var("ROPEWAY_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seeds = asked.map_or(0..rounds, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let _told = Told(seed);
        // Less than a scenario may take, so that it is the round that is named.
        let limit = limit() * 3 / 4;
        watchdog(&format!("the round of ROPEWAY_SEED={seed}"), limit, round(world.clone(), seed)).await;
    }
}

/// Tells the seed of a round that fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("it was the round of ROPEWAY_SEED={}", self.0);
        }
    }
}
