//! What can go wrong for the application, each in a form it can match on.

use std::fmt;
use std::io;
use std::sync::Arc;

use ropeway_core::{Code, Limit, Reason, Refused};

use crate::action::{Action, ActionError};
use crate::address::AddressError;
use crate::body::Body;
use crate::file::{FileError, NameError};
#[cfg(feature = "seal")]
use crate::seal::{KeyFileError, SealError};
#[cfg(feature = "mount")]
use crate::transport::MountError;
#[cfg(feature = "tls")]
use crate::transport::TlsError;
#[cfg(feature = "websocket")]
use crate::transport::WebSocketError;

/// Why an operation failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The line is over, and how it ended. What was not answered by then never will be.
    Closed(Ended),
    /// The peer is going away and takes no new exchange.
    Away,
    /// The peer answered with this code, and perhaps a body that says more.
    Answered(Code, Option<Box<Body>>),
    /// The peer gave the exchange or flow up.
    Aborted(Code),
    /// This end gave the transfer of a file up.
    Cancelled(Code),
    /// No sign of life came in time.
    TimedOut,
    /// More than the peer takes; known before anything was sent.
    TooLarge(Limit),
    /// A body is not of the type wanted.
    WrongType {
        /// What the message was for.
        action: Action,
        /// Both types.
        cause: Box<BodyError>,
    },
    /// A value that serde can't serialise, and why.
    Encode(String),
    /// There is no such thing in the message or answer.
    Missing(&'static str),
    /// Not possible for this message, exchange or flow in its state.
    Misuse(&'static str),
    /// What a message is to be for can't be, or can't be handled so.
    Action(ActionError),
    /// The address can't be used.
    Address(AddressError),
    /// Connecting or listening failed. The text names the address.
    Io(Arc<io::Error>),
    /// TLS can't be set up, or the peer's is not to be trusted.
    #[cfg(feature = "tls")]
    Tls(Arc<TlsError>),
    /// The peer does not speak WebSocket as is wanted, or has refused to.
    #[cfg(feature = "websocket")]
    WebSocket(Arc<WebSocketError>),
    /// The server does not take who this end is.
    #[cfg(feature = "seal")]
    Denied(Code),
    /// Lines can't be sealed as was wanted.
    #[cfg(feature = "seal")]
    Seal(SealError),
    /// A key can't be read from a file, or written to one.
    #[cfg(feature = "seal")]
    Key(Arc<KeyFileError>),
    /// A server can't be on a path of an HTTP server.
    #[cfg(feature = "mount")]
    Mount(MountError),
    /// A file can't be read or written, or its content is not what was promised.
    File(Arc<FileError>),
    /// The name of a file can't be used here.
    Name(NameError),
}

/// How a line ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub reason: Reason,
    /// What the peer said about it, for a person; or the suites of both ends, if they have none in common. Untrusted; may be empty.
    pub text: Arc<str>,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", crate::file::printable(&self.text)) }
    }
}

/// A body is not what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    /// The type wanted.
    pub expected: String,
    /// The type that came.
    pub found: String,
    /// What is wrong with it, if the types have the same name.
    pub detail: Option<String>,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        match &self.detail {
            Some(detail) => write!(f, " that does not decode: {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BodyError {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Closed(ended) => write!(f, "the line is over: {ended}"),
            Error::Away => f.write_str("the peer is going away"),
            Error::Answered(code, None) => write!(f, "answered: {code}"),
            Error::Answered(code, Some(body)) => match body.decode::<String>() {
                Ok(text) => write!(f, "answered: {code}: {}", crate::file::printable(&text)),
                Err(_) => write!(f, "answered: {code}, with {}", body.kind()),
            },
            Error::Aborted(code) => write!(f, "given up by the peer: {code}"),
            Error::Cancelled(code) => write!(f, "given up here: {code}"),
            Error::TimedOut => f.write_str("no sign of life in time"),
            Error::TooLarge(limit) => Refused::TooLarge(*limit).fmt(f),
            Error::WrongType { action, cause } => write!(f, "action {action}: {cause}"),
            Error::Encode(why) => write!(f, "the value can't be serialised: {why}"),
            Error::Missing(what) => write!(f, "there is no {what}"),
            Error::Misuse(what) => f.write_str(what),
            Error::Action(error) => error.fmt(f),
            Error::Address(error) => error.fmt(f),
            Error::Io(error) => error.fmt(f),
            #[cfg(feature = "tls")]
            Error::Tls(error) => error.fmt(f),
            #[cfg(feature = "websocket")]
            Error::WebSocket(error) => error.fmt(f),
            #[cfg(feature = "seal")]
            Error::Denied(code) => write!(f, "the server did not take who this end is: {code}"),
            #[cfg(feature = "seal")]
            Error::Seal(error) => error.fmt(f),
            #[cfg(feature = "seal")]
            Error::Key(error) => error.fmt(f),
            #[cfg(feature = "mount")]
            Error::Mount(error) => error.fmt(f),
            Error::File(error) => error.fmt(f),
            Error::Name(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The text shows these themselves, so what is behind them comes next.
            Error::Io(error) => error.source(),
            Error::File(error) => error.source(),
            #[cfg(feature = "seal")]
            Error::Key(error) => error.source().and_then(std::error::Error::source),
            _ => None,
        }
    }
}

impl Error {
    /// Says what the system kept from being done.
    pub(crate) fn about(self, what: impl fmt::Display) -> Error {
        match self {
            Error::Io(error) => io::Error::new(error.kind(), format!("{what}: {error}")).into(),
            other => other,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(Arc::new(error))
    }
}

#[cfg(feature = "tls")]
impl From<TlsError> for Error {
    fn from(error: TlsError) -> Error {
        Error::Tls(Arc::new(error))
    }
}

#[cfg(feature = "websocket")]
impl From<WebSocketError> for Error {
    fn from(error: WebSocketError) -> Error {
        Error::WebSocket(Arc::new(error))
    }
}

#[cfg(feature = "seal")]
impl From<SealError> for Error {
    fn from(error: SealError) -> Error {
        Error::Seal(error)
    }
}

#[cfg(feature = "seal")]
impl From<KeyFileError> for Error {
    fn from(error: KeyFileError) -> Error {
        Error::Key(Arc::new(error))
    }
}

#[cfg(feature = "mount")]
impl From<MountError> for Error {
    fn from(error: MountError) -> Error {
        Error::Mount(error)
    }
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Error {
        Error::File(Arc::new(error))
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Error {
        Error::Name(error)
    }
}

impl From<ActionError> for Error {
    fn from(error: ActionError) -> Error {
        Error::Action(error)
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Error {
        Error::Address(error)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match &error {
            Error::Closed(_) => io::ErrorKind::ConnectionAborted,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::Aborted(_) => io::ErrorKind::BrokenPipe,
            Error::Io(inner) => inner.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// How a handler says that it failed: a code, and a text for the peer if there is one.
///
/// What goes wrong here is nobody's business there: of most errors that become a failure by `?` only the code tells. The
/// error itself is its [`source`](std::error::Error::source), and is logged. An error of your own takes part by
/// `impl From<MyError> for Failure`, any other by [`internal`](Failure::internal).
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the peer is answered.
    pub code: Code,
    /// More about it, for a person; sent along unless empty.
    pub text: String,
    cause: Option<Cause>,
}

type Cause = Arc<dyn std::error::Error + Send + Sync>;

impl Failure {
    /// A failure with a text.
    pub fn new(code: Code, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into(), cause: None }
    }

    /// [`Code::INTERNAL`] for the peer, and the error for the log. For `map_err`.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure::from(Code::INTERNAL).because(error.into().into())
    }

    fn because(mut self, cause: Cause) -> Failure {
        self.cause = Some(cause);
        self
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        Failure::new(code, "")
    }
}

impl From<Error> for Failure {
    /// Only what concerns the peer's own message is told to it.
    fn from(error: Error) -> Failure {
        let failure = match &error {
            Error::WrongType { .. } => Failure::new(Code::WRONG_TYPE, error.to_string()),
            Error::Missing(_) => Failure::new(Code::BAD_REQUEST, error.to_string()),
            Error::TooLarge(_) => Code::TOO_LARGE.into(),
            Error::TimedOut => Code::TIMEOUT.into(),
            Error::File(error) => error.code().into(),
            Error::Name(_) => Code::BAD_NAME.into(),
            Error::Io(error) => code_of(error).into(),
            _ => Code::INTERNAL.into(),
        };
        failure.because(Arc::new(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Error::from(error).into()
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Failure {
        Error::from(error).into()
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Failure {
        Error::from(error).into()
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Failure {
        Failure::new(Code::WRONG_TYPE, error.to_string()).because(Arc::new(error))
    }
}

/// What the system did not let this end do says nothing about what the peer may.
fn code_of(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::NotFound => Code::NOT_FOUND,
        io::ErrorKind::AlreadyExists => Code::EXISTS,
        _ => Code::IO,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[derive(Debug)]
    struct Own;

    impl From<Own> for Failure {
        fn from(_: Own) -> Failure {
            Failure::new(Code::BUSY, "come back later")
        }
    }

    #[test]
    fn what_goes_wrong_here_is_not_told_there() {
        let io = |kind| io::Error::new(kind, "/etc/secret");
        let body = || BodyError { expected: "u8".into(), found: "text".into(), detail: None };
        let cases: [(Failure, Code, &str, bool); 10] = [
            (io(io::ErrorKind::PermissionDenied).into(), Code::IO, "", true),
            (io(io::ErrorKind::NotFound).into(), Code::NOT_FOUND, "", true),
            (Error::from(io(io::ErrorKind::PermissionDenied)).into(), Code::IO, "", true),
            (FileError::Exists.into(), Code::EXISTS, "", true),
            (Failure::internal("/etc/secret"), Code::INTERNAL, "", true),
            (Error::Misuse("of something here").into(), Code::INTERNAL, "", true),
            (Error::Missing("stream").into(), Code::BAD_REQUEST, "there is no stream", true),
            (body().into(), Code::WRONG_TYPE, "expected u8, found text", true),
            (Own.into(), Code::BUSY, "come back later", false),
            (Code::BUSY.into(), Code::BUSY, "", false),
        ];
        for (failure, code, text, has_cause) in cases {
            assert_eq!(
                (failure.code, &*failure.text, failure.source().is_some()),
                (code, text, has_cause),
                "{failure:?}"
            );
        }
    }
}
