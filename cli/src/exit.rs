//! How the program ends: an exit code for scripts, and one line for people.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::process::ExitCode;

#[cfg(feature = "seal")]
use ropeway_tokio::SealError;
use ropeway_tokio::protocol::PeerError;
use ropeway_tokio::trace::TraceError;
use ropeway_tokio::{Address, Code, Ended, Error, FileError, Reason, printable};
use tokio::task::JoinError;

/// Exit codes. The help text lists them: [`LIST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A fault of this program.
    Internal = 1,
    /// What was asked for makes no sense. Clap's own code for it, too.
    Usage = 2,
    /// No line could be opened, or the address can't be listened on.
    Connect = 3,
    /// The peer refused, or it has to: for a bad name or range. Or it answered something else than was asked for.
    Refused = 4,
    /// A file, standard input or standard output failed.
    File = 5,
    /// What arrived is not what was sent, or a machine does not do what was recorded of another.
    Verify = 6,
    /// No sign of life in time.
    TimedOut = 7,
    /// The line ended meanwhile.
    Lost = 8,
    /// What a shell reports of a program that a Ctrl-C ended.
    Interrupted = 130,
    /// What a shell reports of a program that wrote to a pipe nobody reads any more.
    Pipe = 141,
}

/// Codes of peers that seal their lines otherwise: from [`PeerError::NotSealed`] to [`PeerError::Untrusted`].
const SEALING: RangeInclusive<u16> = 42..=48;

/// For the help text.
pub(crate) const LIST: &str = "\
Exit codes:
  0    done, and verified where there is something to verify
  1    an internal error
  2    bad usage
  3    no line: connecting or listening failed, or the peer does not speak Ropeway
  4    refused, by the peer or for a bad name or range; or the peer answered something else
  5    a file, standard input or standard output failed
  6    what arrived is not what was sent, or a trace does not replay as it was recorded
  7    timed out
  8    the line was lost
  130  interrupted
  141  nobody reads standard output any more";

/// Why the program ends early.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Failed {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Failed {
        Failed { exit, text: text.into() }
    }

    pub(crate) fn interrupted() -> Failed {
        Failed::new(Exit::Interrupted, "interrupted")
    }

    /// For `map_err`: what can't happen, and did.
    pub(crate) fn internal(error: impl fmt::Display) -> Failed {
        Failed::new(Exit::Internal, error.to_string())
    }

    /// What clap says, in one line.
    pub(crate) fn usage(error: &clap::Error) -> Failed {
        let text = error.render().to_string();
        let said = ["\n\nUsage:", "\n\nFor more"].iter().filter_map(|behind| text.find(behind)).min();
        let said = text.get(..said.unwrap_or(text.len())).unwrap_or_default();
        let parts = said.strip_prefix("error: ").unwrap_or(said).split("\n\n");
        let parts: Vec<_> = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        Failed::new(Exit::Usage, format!("{}; --help tells more", printable(&parts.join("; "))))
    }

    /// For `map_err`: standard output can't be written to.
    pub(crate) fn output(error: io::Error) -> Failed {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failed::new(Exit::Pipe, "nobody reads standard output any more"),
            _ => Failed::file("can't write to standard output")(error),
        }
    }

    /// For `map_err`: a file that is of no use for TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn unusable(error: ropeway_tokio::TlsError) -> Failed {
        Failed::new(Exit::File, error.to_string())
    }

    /// For `map_err`: a trace that is of no use, or that does not replay.
    pub(crate) fn trace(error: TraceError) -> Failed {
        let exit = if matches!(error, TraceError::Difference(_)) { Exit::Verify } else { Exit::File };
        Failed::new(exit, error.to_string())
    }

    /// For `map_err`: what was being done when the system refused.
    pub(crate) fn file(doing: &str) -> impl FnOnce(io::Error) -> Failed {
        move |error| Failed::new(Exit::File, format!("{doing}: {error}"))
    }

    /// Says what it is about in front of what went wrong.
    pub(crate) fn about(self, what: impl fmt::Display) -> Failed {
        Failed { text: format!("{what}: {}", self.text), ..self }
    }

    /// Says more of what went wrong, if there is more.
    #[cfg(feature = "seal")]
    pub(crate) fn adding(self, more: Option<String>) -> Failed {
        match more {
            Some(more) => Failed { text: format!("{}; {more}", self.text), ..self },
            None => self,
        }
    }

    /// It went wrong before there was a line.
    pub(crate) fn unconnected(error: Error) -> Failed {
        match error {
            Error::Address(_) => error.into(),
            #[cfg(feature = "tls")]
            Error::Tls(why) if matches!(*why, ropeway_tokio::TlsError::NothingToShow) => {
                Failed::new(Exit::Usage, "a server shows a certificate over TLS: give it by --tls-cert and --tls-key")
            }
            #[cfg(feature = "seal")]
            Error::Seal(SealError::NoCredential) => {
                Failed::new(Exit::Connect, "the server wants to know who this is: --token says it")
            }
            #[cfg(feature = "seal")]
            Error::Seal(_) => error.into(),
            _ => Failed::new(Exit::Connect, chain(&error)),
        }
    }

    /// It went wrong before there was a line to there. What the peer does is said of its address.
    pub(crate) fn unreached(error: Error, address: &Address) -> Failed {
        let no_line = |failed: Failed| failed.about(format_args!("no line to {address}"));
        let ended = match &error {
            Error::Closed(ended) => ended,
            // It says so itself.
            Error::Io(_) => return Failed::unconnected(error),
            _ => return no_line(Failed::unconnected(error)),
        };
        let why = why(ended);
        match why.strip_prefix("the peer ") {
            Some(does) => Failed::new(Exit::Connect, format!("{address} {does}")),
            None => no_line(Failed::new(Exit::Connect, why)),
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        let exit = match &error {
            Error::Address(_) | Error::Action(_) => Exit::Usage,
            #[cfg(feature = "seal")]
            Error::Seal(_) => Exit::Usage,
            // This end may be done with agreeing on keys before the peer has seen that it does not like them.
            Error::Closed(Ended { reason: Reason::ByPeer(code), .. }) if SEALING.contains(&code.value()) => {
                Exit::Connect
            }
            Error::Closed(_) => Exit::Lost,
            Error::TimedOut | Error::Aborted(Code::TIMEOUT) => Exit::TimedOut,
            Error::Aborted(Code::DIGEST) => Exit::Verify,
            Error::Io(_) => Exit::File,
            Error::File(error) => match **error {
                FileError::Digest => Exit::Verify,
                FileError::Range => Exit::Refused,
                _ => Exit::File,
            },
            Error::Encode(_) | Error::Misuse(_) => Exit::Internal,
            _ => Exit::Refused,
        };
        match error {
            Error::Answered(..) => Failed::new(exit, format!("the peer {}", chain(&error))),
            Error::Closed(ended) => Failed::new(exit, format!("the line is over: {}", why(&ended))),
            _ => Failed::new(exit, chain(&error)),
        }
    }
}

impl From<FileError> for Failed {
    fn from(error: FileError) -> Failed {
        Error::from(error).into()
    }
}

impl From<JoinError> for Failed {
    fn from(error: JoinError) -> Failed {
        Failed::internal(error)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a line ended, in one clause: a peer that speaks something else can't break the protocol, and one that seals otherwise
/// did not.
pub(crate) fn why(ended: &Ended) -> String {
    match &ended.reason {
        Reason::PeerError(
            error @ (PeerError::NotRopeway(_)
            | PeerError::Version { .. }
            | PeerError::NotSealed
            | PeerError::MustSeal
            | PeerError::SealPolicy
            | PeerError::SealPattern
            | PeerError::NoSuite
            | PeerError::Handshake
            | PeerError::Untrusted),
        ) => error.to_string(),
        _ => ended.to_string(),
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let says = error.to_string();
        // Some errors show their cause themselves.
        if !text.contains(&says) {
            text = format!("{text}: {says}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use ropeway_tokio::CloseCode;
    use ropeway_tokio::protocol::Foreign;

    use super::*;

    #[test]
    fn a_line_that_never_was_is_told_in_one_clause() {
        let address = "tcp://host:1".parse().expect("an address");
        for (reason, says, expected) in [
            (Reason::PeerError(PeerError::NotRopeway(Foreign::Http)), "", "tcp://host:1 speaks HTTP, not Ropeway"),
            (Reason::PeerError(PeerError::NotRopeway(Foreign::Unknown)), "", "tcp://host:1 does not speak Ropeway"),
            (
                Reason::PeerError(PeerError::Version { oldest: 2, newest: 3 }),
                "",
                "tcp://host:1 speaks versions 2 to 3 only",
            ),
            (
                Reason::PeerError(PeerError::BadVarint),
                "",
                "tcp://host:1 broke the protocol: a number is too large or not in its shortest form",
            ),
            (Reason::HelloTimeout, "", "tcp://host:1 never said hello"),
            (Reason::Dead, "", "tcp://host:1 stopped answering"),
            (Reason::Eof, "", "no line to tcp://host:1: the transport ended without a goodbye"),
            (
                Reason::ByPeer(CloseCode::BUSY),
                "try at night",
                "no line to tcp://host:1: closed by the peer: too many lines (4): try at night",
            ),
        ] {
            let error = Error::Closed(Ended { reason, text: says.into() });
            let Failed { exit, text } = Failed::unreached(error, &address);
            assert_eq!((exit, text.as_str()), (Exit::Connect, expected));
        }
    }
}
