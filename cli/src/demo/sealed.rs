//! A sealed line: to a server that the client knows by its key, made on the spot if none is given; switched off and on in one
//! direction, and with keys that change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ropeway_tokio::protocol::PeerError;
use ropeway_tokio::protocol::seal::{Aes256Gcm, Aes256GcmCipher, Suite};
use ropeway_tokio::seal::{KEYS, Policy, Rule, Suites, new_key};
use ropeway_tokio::{
    Address, Client, ClientBuilder, Code, Error, Failure, Line, Message, Reason, Seal, ServerBuilder, Tokio,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use super::table::{Measure, Row, Table};
use crate::exit::Failed;
use crate::seal::{Held, OfClient, authenticating};

const REQUESTS: u64 = 1_000;
/// Longer than new keys take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the lines of the demo are sealed.
pub(super) struct Sealed {
    server: Held,
    client: Held,
    /// Whether all lines are, and not only the one that shows it.
    all: bool,
    seen: Seen,
}

/// A suite that counts how often it was given which keys, known by their digests.
#[derive(Clone)]
struct Seen(Arc<watch::Sender<HashMap<blake3::Hash, usize>>>);

/// How the server sees a message, and its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct View {
    message: bool,
    binding: [u8; 32],
    ours: bool,
    theirs: bool,
}

impl Sealed {
    /// With what was given; a key for the server follows if there was none. The client trusts it.
    pub(super) async fn new(given: &OfClient) -> Result<Sealed, Failed> {
        let Held { key, psk, tokens, .. } = given.held().await?;
        let key = match key {
            Some(key) => key,
            None => new_key().map_err(|error| Failed::internal(error).about("no randomness for a key"))?,
        };
        let client = Held { key: None, trusted: vec![key.public()], psk: psk.clone(), tokens: tokens.clone() };
        let server = Held { key: Some(key), trusted: Vec::new(), psk, tokens };
        Ok(Sealed { server, client, all: given.is_wanted(), seen: Seen(Arc::new(watch::Sender::default())) })
    }

    /// A server that seals what its clients want sealed, and says how it sees them.
    pub(super) fn serve(&self, server: ServerBuilder<Tokio>) -> ServerBuilder<Tokio> {
        let seal =
            self.server.seal().policy(Policy::both(Rule::Optional)).suites(Suites::none().and(self.seen.clone()));
        let server = server.seal(seal).on_message("how sealed", how_sealed);
        match self.server.tokens.is_empty() {
            true => server,
            false => authenticating(server, self.server.tokens.clone(), |_| {}),
        }
    }

    /// The line that all else of the demo runs over.
    pub(super) fn main(&self, client: ClientBuilder<Tokio>) -> ClientBuilder<Tokio> {
        if self.all { self.dress(client, self.client.seal()) } else { client }
    }

    fn dress(&self, client: ClientBuilder<Tokio>, seal: Seal) -> ClientBuilder<Tokio> {
        let client = client.seal(seal.suites(Suites::none().and(self.seen.clone())));
        match self.client.tokens.first() {
            Some(token) => client.credential(token.credential()),
            None => client,
        }
    }

    /// Shows it, on lines of its own.
    pub(super) async fn show(&self, address: &Address, table: &mut Table<'_>) -> Result<(), Failed> {
        let before = self.seen.keys();
        let measure = Measure::start("a sealed line to the server's key");
        let client = self.dress(Client::to(address), self.client.seal().policy(Policy::both(Rule::Optional)));
        let line = client.connect().await.map_err(|error| Failed::unreached(error, address))?;
        let opened = self.is_open(&line).await?;
        table.push(done(&line, measure, 1, opened))?;

        let measure = Measure::start("sealed requests");
        let requested = requests(&line, REQUESTS).await?;
        table.push(done(&line, measure, REQUESTS, requested))?;

        let measure = Measure::start("one direction unsealed, and sealed again");
        let toggled = toggle(&line).await?;
        table.push(done(&line, measure, 2, toggled))?;

        let measure = Measure::start("new keys, derived and agreed on afresh");
        // Of the line each direction has one, then one direction has the next, and then both have another.
        let mut renewed = self.seen.grow_to(before + 2).await;
        line.rekey().await?;
        renewed &= self.seen.grow_to(before + 3).await && requests(&line, 1).await?;
        line.rekey_afresh().await?;
        renewed &= self.seen.grow_to(before + 5).await && requests(&line, 1).await?;
        table.push(done(&line, measure, 3, renewed))?;

        let measure = Measure::start("a server with another key, refused");
        table.push(measure.messages(1, 0, self.refuses(address).await?))
    }

    /// Whether both ends see the same line, sealed both ways, and the client sees whom it trusts.
    async fn is_open(&self, line: &Line) -> Result<bool, Failed> {
        let view: View = line.request("how sealed", &()).await?;
        let Some(sealing) = line.sealing() else { return Ok(false) };
        let key = self.server.key.as_ref().map(|key| key.public());
        let same = View { message: true, binding: sealing.binding, ours: true, theirs: true } == view;
        Ok(same && sealing.ours && sealing.theirs && sealing.peer_key == key && sealing.suite == self.seen.name())
    }

    /// Whether a client that knows another key does not take the server for it.
    async fn refuses(&self, address: &Address) -> Result<bool, Failed> {
        let other = new_key().map_err(Failed::internal)?;
        let client = Held { trusted: vec![other.public()], ..self.client.clone() };
        let refused = self.dress(Client::to(address), client.seal()).connect().await;
        Ok(matches!(refused, Err(Error::Closed(ended)) if ended.reason == Reason::PeerError(PeerError::Untrusted)))
    }
}

fn done(line: &Line, measure: Measure, count: u64, verified: bool) -> Row {
    let stats = line.stats();
    measure.messages(count, stats.sent.octets + stats.received.octets, verified)
}

/// Whether the server got all of so many requests sealed.
async fn requests(line: &Line, count: u64) -> Result<bool, Failed> {
    let mut all = true;
    for _ in 0..count {
        let view: View = line.request("how sealed", &()).await?;
        all &= view.message && view.theirs;
    }
    Ok(all)
}

/// Whether what the client says is plain once it wants it so, and sealed when it wants that again; the server's stays sealed.
async fn toggle(line: &Line) -> Result<bool, Failed> {
    line.seal(false).await?;
    let plain: View = line.request("how sealed", &()).await?;
    let off = line.sealing().is_some_and(|sealing| !sealing.ours && sealing.theirs);
    line.seal(true).await?;
    let on = requests(line, 1).await?;
    Ok(off && on && plain.ours && !plain.message && !plain.theirs)
}

async fn how_sealed(message: Message) -> Result<(), Failure> {
    let sealing = message.line().sealing().ok_or_else(|| Failure::from(Code::REJECTED))?;
    let view =
        View { message: message.is_sealed(), binding: sealing.binding, ours: sealing.ours, theirs: sealing.theirs };
    Ok(message.answer(&view).await?)
}

impl Seen {
    /// How many there were.
    fn keys(&self) -> usize {
        self.0.borrow().len()
    }

    /// Waits until there were so many, and both ends have each: not for ever.
    async fn grow_to(&self, count: usize) -> bool {
        let mut seen = self.0.subscribe();
        let all = seen.wait_for(|seen| seen.len() == count && seen.values().all(|ends| *ends == 2));
        timeout(PATIENCE, all).await.is_ok_and(|seen| seen.is_ok())
    }
}

impl Suite for Seen {
    type Cipher = Aes256GcmCipher;

    fn name(&self) -> &str {
        Suite::name(&Aes256Gcm)
    }

    fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> Aes256GcmCipher {
        let digest = blake3::hash(keys.as_flattened());
        self.0.send_modify(|seen| *seen.entry(digest).or_default() += 1);
        Aes256Gcm.cipher(keys)
    }
}
