//! Lines that are sealed: who agrees on keys with whom, what passes then, and what an end may change.

pub(super) mod agreement;
pub(super) mod alone;
pub(in crate::scenarios) mod deadlines;
pub(super) mod keys;
mod overheard;
pub(super) mod refusals;
pub(super) mod suites;
pub(super) mod switches;

use ropeway_driver::seal::{Policy, Psk, Rule, SecretKey};
use ropeway_driver::{Config, Failure, Line, LineOptions, Message, Role, Router, Seal, Server, Uploading};

use super::by_hand::{both, echo, mirror, octets, read_stream, still_works, until, write_stream};
use crate::lab::Lab;
use crate::transport::{Sky, Transport};
use crate::world::{Side, World, patient};

/// Scenarios seal their lines themselves.
pub(super) fn concerned(transport: Transport) -> bool {
    matches!(transport, Transport::Pipe(Sky::Fair | Sky::OneByte | Sky::Stall) | Transport::Tcp)
}

/// All that carry lines.
pub(super) fn anywhere(transport: Transport) -> bool {
    !transport.is_sealed()
}

/// Of a client, a server, and somebody else.
pub(super) fn keys() -> [SecretKey; 3] {
    [1, 2, 3].map(|octet| SecretKey::new([octet; 32]))
}

pub(super) fn psk(octet: u8) -> Psk {
    Psk::new([octet; 32])
}

/// Sealed at first, and then as either end wishes.
pub(super) fn optional() -> Seal {
    Seal::anonymous().policy(Policy::both(Rule::Optional))
}

/// Two ends of a line that have not said hello yet, each sealed so, if it is.
pub(super) async fn strangers(world: &World, near: Option<Seal>, far: Option<Seal>) -> (Line, Line) {
    let (listener, address) = world.listen().await;
    let near = end(world, Role::Client, world.connect(&address).await, near, patient());
    let far = end(world, Role::Server, world.accept(&listener).await, far, patient());
    (near, far)
}

/// Two ends of a sealed line.
pub(super) async fn pair(world: &World, near: Seal, far: Seal) -> (Line, Line) {
    let (near, far) = strangers(world, Some(near), Some(far)).await;
    near.ready().await.expect("they agree");
    far.ready().await.expect("they agree");
    (near, far)
}

/// An end that is made by hand.
pub(super) fn end(
    world: &World,
    role: Role,
    over: (crate::lab::Duplex, ropeway_driver::Endpoints),
    seal: Option<Seal>,
    config: Config,
) -> Line {
    let mut options = LineOptions::from(config);
    options.seal = seal;
    end_with(world, role, over, options)
}

/// The same, made as these say.
pub(super) fn end_with(
    world: &World,
    role: Role,
    (stream, endpoints): (crate::lab::Duplex, ropeway_driver::Endpoints),
    options: LineOptions,
) -> Line {
    use std::sync::atomic::{AtomicU8, Ordering};
    static ENTROPY: AtomicU8 = AtomicU8::new(1);
    let entropy = [ENTROPY.fetch_add(1, Ordering::Relaxed); 32];
    let line = Line::new(role, stream, world.clock(), world.spawner(), endpoints, entropy, options);
    let (line, driver) = line.expect("it can be sealed like that");
    world.background(driver);
    line
}

/// The only line of a server, which may need more than its client to be so far.
pub(super) async fn far_end(server: &Server<Lab>) -> Line {
    until(|| !server.lines().is_empty()).await;
    server.lines().remove(0)
}

/// What answers all that [`talk`] says.
pub(super) fn answering() -> Router {
    Router::new().on("echo", echo).on_message("mirror", mirror).on_message("file", take_file)
}

async fn take_file(mut message: Message) -> Result<(), Failure> {
    let file = message.file().await?.ok_or(ropeway_driver::Code::BAD_REQUEST)?;
    let content = file.write_to(Vec::new()).await?.finished().await?;
    Ok(message.answer(&content.len()).await?)
}

/// Requests, streams and files, as long as it lasts.
pub(super) fn talk(world: &World, line: &Line, rounds: usize) -> Side<()> {
    let (line, much) = (line.clone(), world.much(100_000));
    world.spawn(async move {
        for round in 0..rounds {
            still_works(&line).await;
            let (writer, mut reader) = line.open("mirror", &()).into_stream().await.expect("the line is up");
            let content = octets(much, round);
            let (written, read) = both(write_stream(writer, &content), read_stream(&mut reader)).await;
            written.expect("it is read");
            assert!(read.expect("it is complete") == content);
            let file = Uploading::from_bytes("file", octets(much, round));
            let mut exchange = line.open("file", &()).file(file).send().await.expect("the line is up");
            assert_eq!(exchange.answer::<usize>().await.expect("it is taken"), much);
        }
    })
}

/// What the suite is, and the two ends' views of each other agree.
pub(super) fn agree(near: &Line, far: &Line, suite: &str) {
    let [near, far] = [near, far].map(|line| line.sealing().expect("there are keys"));
    assert_eq!((&*near.suite, &*far.suite), (suite, suite));
    assert_eq!(near.binding, far.binding);
    assert_eq!((near.ours, near.theirs), (far.theirs, far.ours));
}
