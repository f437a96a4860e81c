//! How the command line says that lines are sealed: by keys and secrets, most of them in files, and whom to trust.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use ropeway_tokio::protocol::PeerError;
use ropeway_tokio::seal::{KeyFileError, Psk, PublicKey, SecretKey, read_key, read_psk, read_public_key};
use ropeway_tokio::{
    Claim, ClientBuilder, CloseCode, Code, Credential, Ended, Grant, Reason, Seal, ServerBuilder, Tokio, printable,
};
use serde::Serialize;

use crate::disk::blocking;
use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::serve::peer;

const HEADING: &str = "Sealing, by any of these";

/// What is told of a line that nobody has to prove anything on.
const ANONYMOUS: &str = "sealed, but not against everybody: who listens hears nothing, but who sits in between can pose as the \
                         peer; --peer-key and --psk keep that out";

/// What an end has, and whom it trusts.
#[derive(Args, Clone, Debug, Default)]
struct Keys {
    /// Prove who this end is by the key in this file, which ropeway key makes
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    key: Option<PathBuf>,
    /// Talk to who has this key, and to nobody else: its public half, 64 hex digits, or a file of them; give it again for more
    #[arg(long, value_name = "HEX|FILE", help_heading = HEADING)]
    peer_key: Vec<Given>,
    /// Talk to who has this secret, and to nobody else: a file of 64 hex digits, for its owner alone, or the digits
    /// themselves, which others on this machine then see by ps
    #[arg(long, value_name = "HEX|FILE", help_heading = HEADING)]
    psk: Option<Given>,
    /// With none of the others: who listens hears nothing, but who sits in between can pose as the peer
    #[arg(long, help_heading = HEADING)]
    seal: bool,
}

/// How a client seals its line.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OfClient {
    #[command(flatten)]
    keys: Keys,
    /// Say who this is: a name that the server knows, and a file with its secret, 64 hex digits, for its owner alone
    #[arg(long, value_name = "NAME:FILE", help_heading = HEADING)]
    token: Option<Token>,
}

/// How a server seals its lines. Who does not seal is refused.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OfServer {
    #[command(flatten)]
    keys: Keys,
    /// Take who says this name and has the secret in this file, 64 hex digits, for its owner alone, and nobody else; give it
    /// again for more
    #[arg(long, value_name = "NAME:FILE", help_heading = HEADING)]
    token: Vec<Token>,
}

/// What a server wants of its clients.
pub(crate) struct Wants {
    options: String,
    /// It asks who they are.
    asks: bool,
}

impl Wants {
    /// What they should have had, if it is that in which the ends differ, or if they have left when they were asked for it.
    pub(crate) fn of(&self, ended: &Ended) -> Option<String> {
        let left = self.asks && ended.reason == Reason::ByPeer(CloseCode::DONE);
        (differs(ended) || left).then(|| format!("clients need {}", self.options))
    }
}

/// Whether the ends want other things proved.
fn differs(ended: &Ended) -> bool {
    ended.reason == Reason::PeerError(PeerError::SealPattern)
}

/// A key, or the file it is in. It may be a secret, so it is not shown.
#[derive(Clone)]
struct Given(OsString);

/// What a client is called, and the file of its secret.
#[derive(Clone, Debug)]
struct Token {
    name: String,
    file: PathBuf,
}

/// The same, read.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) secret: Psk,
}

/// What an end has, read.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) key: Option<SecretKey>,
    pub(crate) trusted: Vec<PublicKey>,
    pub(crate) psk: Option<Psk>,
    pub(crate) tokens: Vec<Named>,
}

/// A client of which the server does not know the key.
#[derive(Serialize)]
struct Untrusted {
    key: String,
}

/// A client that says it is somebody, and is not taken for that.
#[derive(Serialize)]
struct Denied {
    from: String,
    name: String,
}

impl OfClient {
    /// Whether the line is to be sealed.
    pub(crate) fn is_wanted(&self) -> bool {
        self.keys.is_wanted() || self.token.is_some()
    }

    /// Whether it says whom to trust.
    pub(crate) fn trusts(&self) -> bool {
        !self.keys.peer_key.is_empty()
    }

    /// What may be done about it, if the ends did not agree.
    pub(crate) fn hint(&self, ended: &Ended) -> Option<String> {
        if differs(ended) {
            return Some(self.other());
        }
        let hint = match ended.reason {
            Reason::PeerError(PeerError::MustSeal) => "--peer-key, --psk or --seal give it some",
            Reason::PeerError(PeerError::NotSealed) => "the server has no keys",
            Reason::PeerError(PeerError::Untrusted) => "it is none of --peer-key",
            Reason::ByPeer(code) if code == PeerError::Untrusted.code() => "the server does not know that of --key",
            Reason::ByPeer(code) if code == PeerError::Handshake.code() && self.keys.psk.is_some() => {
                "the server may have another --psk"
            }
            _ => return None,
        };
        Some(hint.into())
    }

    /// What the server may want instead. Which of it is so, it does not say.
    fn other(&self) -> String {
        let Keys { key, peer_key, psk, .. } = &self.keys;
        let proves = key.is_some() || !peer_key.is_empty();
        let wants = [
            (peer_key.is_empty(), "want --peer-key"),
            (key.is_none(), "want --key, with --peer-key"),
            (psk.is_none(), "want --psk"),
            (psk.is_some(), "know no --psk"),
            (proves, "have no key of its own"),
        ];
        let wants: Vec<_> = wants.into_iter().filter(|(may, _)| *may).map(|(_, what)| what).collect();
        format!("the server may {}", wants.join(", or "))
    }

    /// All there is in files.
    pub(crate) async fn held(&self) -> Result<Held, Failed> {
        let OfClient { keys, token } = self.clone();
        blocking(move || keys.held(token.as_slice())).await
    }

    /// Tells a client how its line is sealed, if it is.
    pub(crate) async fn of(&self, client: ClientBuilder<Tokio>, out: &Output) -> Result<ClientBuilder<Tokio>, Failed> {
        if !self.is_wanted() {
            return Ok(client);
        }
        if self.keys.key.is_some() && self.keys.peer_key.is_empty() {
            let why =
                "--key needs --peer-key: a client tells whose it is to a server that it knows, and to nobody else";
            return Err(Failed::new(Exit::Usage, why));
        }
        let held = self.held().await?;
        held.warn(out);
        let client = client.seal(held.seal());
        Ok(match held.tokens.first() {
            Some(token) => client.credential(token.credential()),
            None => client,
        })
    }
}

impl OfServer {
    /// What clients need.
    pub(crate) fn wants(&self) -> Wants {
        let Keys { key, peer_key, psk, .. } = &self.keys;
        let needs = [
            (key.is_some(), "--peer-key"),
            (key.is_some() && !peer_key.is_empty(), "--key"),
            (!self.token.is_empty(), "--token"),
        ];
        let needs: Vec<_> = needs.into_iter().filter(|(needed, _)| *needed).map(|(_, option)| option).collect();
        let options = match (&needs[..], psk) {
            ([], None) => "--seal alone".into(),
            ([], Some(_)) => "--psk alone".into(),
            (needs, None) => format!("{}, without --psk", needs.join(" and ")),
            (needs, Some(_)) => format!("{}, with --psk", needs.join(" and ")),
        };
        Wants { options, asks: !self.token.is_empty() }
    }

    /// Tells a server how its lines are sealed, if they are.
    pub(crate) async fn of(self, server: ServerBuilder<Tokio>, out: &Output) -> Result<ServerBuilder<Tokio>, Failed> {
        let OfServer { keys, token } = self;
        if !keys.is_wanted() && token.is_empty() {
            return Ok(server);
        }
        if keys.key.is_none() && !keys.peer_key.is_empty() {
            let why = "--peer-key needs --key: a server that knows its clients by their keys has one of its own";
            return Err(Failed::new(Exit::Usage, why));
        }
        let held = blocking(move || keys.held(&token)).await?;
        held.warn(out);
        // A server goes on when nobody reads what it shows any more.
        let untrusted = out.clone();
        let server = server.seal(held.seal_noting(move |key| {
            let _ = untrusted.note("untrusted", &Untrusted { key: key.to_string() });
        }));
        if held.tokens.is_empty() {
            return Ok(server);
        }
        let out = out.clone();
        Ok(authenticating(server, held.tokens, move |claim| {
            let _ = out.note("denied", &Denied { from: peer(claim.endpoints()), name: claim.name().into() });
        }))
    }
}

/// Takes who has one of these, and tells who has not.
pub(crate) fn authenticating(
    server: ServerBuilder<Tokio>,
    tokens: Vec<Named>,
    denied: impl Fn(&Claim) + Send + Sync + 'static,
) -> ServerBuilder<Tokio> {
    server.authenticate(move |claim: Claim| {
        let known = tokens.iter().find(|token| token.name == claim.name() && claim.has(token.secret.octets()));
        if known.is_none() {
            denied(&claim);
        }
        let decided = known.map(|token| Grant::to(&token.name)).ok_or(Code::UNAUTHORISED);
        async { decided }
    })
}

impl Keys {
    fn is_wanted(&self) -> bool {
        self.seal || self.key.is_some() || self.psk.is_some() || !self.peer_key.is_empty()
    }

    /// Reads what is in files. Blocking.
    fn held(&self, tokens: &[Token]) -> Result<Held, Failed> {
        let key = self.key.as_ref().map(read_key).transpose()?;
        let trusted = self.peer_key.iter().map(Given::public).collect::<Result<_, _>>()?;
        let psk = self.psk.as_ref().map(Given::secret).transpose()?;
        let tokens = tokens.iter().map(Token::read).collect::<Result<_, _>>()?;
        Ok(Held { key, trusted, psk, tokens })
    }
}

impl Held {
    /// How lines are sealed by it.
    pub(crate) fn seal(&self) -> Seal {
        self.trusted.iter().fold(self.proving(), |seal, key| seal.trust(*key))
    }

    /// The same, and each key that is not trusted is told.
    fn seal_noting(&self, note: impl Fn(&PublicKey) + Send + Sync + 'static) -> Seal {
        let trusted = self.trusted.clone();
        if trusted.is_empty() {
            return self.proving();
        }
        self.proving().trust_by(move |key| {
            let is_trusted = trusted.contains(key);
            if !is_trusted {
                note(key);
            }
            is_trusted
        })
    }

    /// What this end has itself.
    fn proving(&self) -> Seal {
        let seal = self.key.clone().map_or_else(Seal::anonymous, Seal::with_key);
        self.psk.clone().into_iter().fold(seal, Seal::psk)
    }

    /// Says so if who sits in between is not found out.
    fn warn(&self, out: &Output) {
        if self.key.is_none() && self.trusted.is_empty() && self.psk.is_none() {
            out.hint(ANONYMOUS);
        }
    }
}

impl Named {
    pub(crate) fn credential(&self) -> Credential {
        Credential::token(&*self.name, self.secret.octets().to_vec())
    }
}

impl Given {
    fn public(&self) -> Result<PublicKey, Failed> {
        self.read("--peer-key", |file| read_public_key(file))
    }

    fn secret(&self) -> Result<Psk, Failed> {
        self.read("--psk", |file| read_psk(file))
    }

    /// What it says, or what the file says that it names. One that names none may be a secret with a slip in it.
    fn read<K: FromStr>(&self, option: &str, read: fn(&Path) -> Result<K, KeyFileError>) -> Result<K, Failed> {
        if let Some(key) = self.0.to_str().and_then(|text| text.parse().ok()) {
            return Ok(key);
        }
        let file = Path::new(&self.0);
        match file.try_exists() {
            Ok(true) => Ok(read(file)?),
            _ => Err(Failed::new(Exit::File, format!("{option}: neither 64 hex digits nor a file that is there"))),
        }
    }
}

impl Token {
    fn read(&self) -> Result<Named, Failed> {
        Ok(Named { name: self.name.clone(), secret: read_psk(&self.file)? })
    }
}

impl From<KeyFileError> for Failed {
    fn from(error: KeyFileError) -> Failed {
        Failed::new(Exit::File, error.to_string())
    }
}

impl From<OsString> for Given {
    fn from(text: OsString) -> Given {
        Given(text)
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(..)")
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a client has the key {}, which is none of --peer-key", self.key)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: denied, for it has not the token of {}", self.from, printable(&self.name))
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Token, String> {
        match text.split_once(':') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => {
                Ok(Token { name: name.into(), file: file.into() })
            }
            _ => Err("a token is NAME:FILE, such as kiosk:kiosk.token".into()),
        }
    }
}
