//! What the command line says of messages: actions, bodies and times; and how the bodies of others are shown.

use std::fmt;
use std::io::{self, IsTerminal};
use std::time::Duration;

use bytes::Bytes;
use ropeway_tokio::{Action, Body, BodyKind, printable};
use serde::{Serialize, Serializer};

use crate::client::Peer;
use crate::exit::Failed;
use crate::input::StandardInput;
use crate::listing::Listing;
use crate::output::{Output, hex};

/// The largest number of an action.
const LAST_ACTION: u32 = i32::MAX as u32;

/// A message to send, and to whom.
#[derive(clap::Args, Debug)]
pub(crate) struct Told {
    #[command(flatten)]
    pub(crate) peer: Peer,
    /// What it is for: a name, or a number up to 2147483647
    #[arg(value_parser = action)]
    pub(crate) action: Action,
    /// Text to send, or - for standard input
    pub(crate) body: Option<String>,
}

/// For clap: a name, or a number.
fn action(text: &str) -> Result<Action, String> {
    if text.is_empty() {
        return Err("an action has a name or a number".into());
    }
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Ok(Action::Name(text.into()));
    }
    match text.parse() {
        Ok(number) if number <= LAST_ACTION => Ok(Action::Number(number)),
        _ => Err(format!("the largest number of an action is {LAST_ACTION}")),
    }
}

/// For clap: seconds, with or without a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    if seconds < 0.0 {
        return Err("a time can't be negative".into());
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// What is sent: text, octets, or nothing.
#[derive(Debug)]
pub(crate) enum Content {
    None,
    Text(String),
    Bytes(Bytes),
}

impl Content {
    /// What the command line says: nothing, a text, or `-` for standard input, which is text if it is UTF-8.
    pub(crate) async fn of(argument: Option<String>) -> Result<Content, Failed> {
        match argument.as_deref() {
            None => Ok(Content::None),
            Some("-") => {
                let octets = StandardInput::open().all().await.map_err(Failed::file("can't read standard input"))?;
                Ok(match String::from_utf8(octets) {
                    Ok(text) => Content::Text(text),
                    Err(error) => Content::Bytes(error.into_bytes().into()),
                })
            }
            Some(text) => Ok(Content::Text(text.into())),
        }
    }

    /// How many octets it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Content::None => 0,
            Content::Text(text) => text.len(),
            Content::Bytes(octets) => octets.len(),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::None => to.serialize_unit(),
            Content::Text(text) => to.serialize_str(text),
            Content::Bytes(octets) => to.serialize_bytes(octets),
        }
    }
}

/// A body that came, for JSON: its kind, and its text, its value or its octets as hexadecimal digits.
#[derive(Debug, Serialize)]
pub(crate) struct Received {
    kind: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    /// Of a type that is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Listing>,
}

impl Received {
    pub(crate) fn new(body: &Body) -> Received {
        let text = std::str::from_utf8(body.as_slice()).ok().map(str::to_owned);
        let hex = Some(hex(body.as_slice()));
        let empty = Received { kind: "none", name: None, text: None, hex: None, value: None };
        match body.kind() {
            BodyKind::None => empty,
            BodyKind::Text if text.is_some() => Received { kind: "text", text, ..empty },
            BodyKind::Typed(name) => {
                let (name, value) = (Some(name.to_string()), body.decode().ok());
                Received { kind: "typed", name, hex: hex.filter(|_| value.is_none()), value, ..empty }
            }
            _ => Received { kind: "bytes", hex, ..empty },
        }
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_none(&self) -> bool {
        self.kind == "none"
    }

    /// Shows it alone: text and octets as they are where a program reads them, harmlessly where a person does; a value
    /// of a type unknown here as its digits behind its type's name.
    pub(crate) fn show(&self, body: &Body, out: &Output) -> Result<(), Failed> {
        let person = io::stdout().is_terminal();
        match self.kind {
            "none" => Ok(()),
            _ if self.value.as_ref().is_some_and(Listing::is_empty) => Ok(()),
            "text" if !person => out.raw(body.as_slice(), body.as_slice().last().is_some_and(|last| *last != b'\n')),
            "bytes" if !person => out.raw(body.as_slice(), false),
            _ => out.raw(self.to_string().as_bytes(), true),
        }
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(value) = &self.value {
            return value.fmt(f);
        }
        if let Some(name) = &self.name {
            write!(f, "{} ", printable(name))?;
        }
        if let Some(hex) = &self.hex {
            f.write_str(hex)?;
        }
        for (at, line) in self.text.iter().flat_map(|text| text.lines()).enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}", printable(line))?;
        }
        Ok(())
    }
}
