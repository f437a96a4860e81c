//! `ropeway trace show`: a trace as a timeline.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ropeway_tokio::Role;
use ropeway_tokio::protocol::{Instant, Side};
use ropeway_tokio::trace::{Call, Described, Frames, Header, Names, Outcome, Record, Trace, Value};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::clock;
use crate::disk::shown;
use crate::exit::Failed;
use crate::output::{Output, hex};

/// Shows all of it. Blocking.
pub(super) fn run(file: &Path, out: &Output) -> Result<(), Failed> {
    let about = |error| Failed::trace(error).about(shown(file));
    let mut trace = Trace::open(file).map_err(about)?;
    let header = *trace.header();
    out.result("trace", &Head::of(&header))?;
    let (mut sent, mut received, mut names) = (Frames::default(), Frames::default(), Names::default());
    while let Some(record) = trace.next_record().map_err(about)? {
        let mut entry = Entry::of(&record, header.start, &names);
        match (record.call, record.outcome) {
            (Call::Input { octets }, _) => {
                received.push(octets, |frame, _| entry.frame('<', names.put(Side::Them, frame)));
            }
            (Call::Transmit { .. }, Outcome::Output(octets)) => {
                sent.push(octets, |frame, _| entry.frame('>', names.put(Side::Us, frame)));
                entry.rest = sent.begun().min(octets.len());
            }
            _ => {}
        }
        out.result("record", &entry)?;
        names.learn(&record);
    }
    out.result("end", &End { missing: trace.missing().unwrap_or(0) })
}

/// How the machine was made.
#[derive(Serialize)]
struct Head {
    role: &'static str,
    recorded: Option<String>,
    redacted: bool,
    lanes: u16,
    flows: u16,
    outbox: u64,
}

impl Head {
    fn of(header: &Header) -> Head {
        let Header { role, recorded, redacted, lanes, flows, outbox, .. } = *header;
        let role = match role {
            Role::Client => "client",
            Role::Server => "server",
        };
        let recorded = (recorded > 0).then(|| clock::text(Duration::from_micros(recorded).as_secs()));
        Head { role, recorded, redacted, lanes, flows, outbox }
    }
}

/// One record.
#[derive(Serialize)]
struct Entry<'a> {
    number: u64,
    offset: u64,
    /// Since the machine was made.
    micros: u64,
    call: Json<'a>,
    outcome: Json<'a>,
    frames: Vec<serde_json::Value>,
    /// Octets at the end of a frame that goes on.
    #[serde(rename = "begun")]
    rest: usize,
    #[serde(skip)]
    lines: Vec<String>,
}

impl<'a> Entry<'a> {
    fn of(record: &Record<'a>, start: Instant, names: &'a Names) -> Entry<'a> {
        let call = names.put(Side::Us, Described::from(&record.call));
        let outcome = names.put(Side::Them, Described::from(&record.outcome));
        let mut lines = Vec::new();
        match record.call {
            // Said by their frames.
            Call::Input { .. } | Call::Transmit { .. } => {}
            Call::Timeout | Call::Eof | Call::Partial { .. } | Call::Ignored { .. } => lines.push(format!("  {call}")),
            _ => lines.push(format!(". {call}: {outcome}")),
        }
        Entry {
            number: record.number,
            offset: record.offset,
            micros: u64::try_from(record.at.since(start).as_micros()).unwrap_or(u64::MAX),
            call: Json(call),
            outcome: Json(outcome),
            frames: Vec::new(),
            rest: 0,
            lines,
        }
    }

    fn frame(&mut self, way: char, frame: Described<'_>) {
        self.lines.push(format!("{way} {frame}"));
        // It borrows from what is gone by the time this is shown.
        self.frames.extend(serde_json::to_value(Json(frame)));
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = format!("{}.{:03}", self.micros / 1000, self.micros % 1000);
        let mut lines = self.lines.clone();
        if self.rest > 0 {
            lines.push(format!("> {} octets of a frame that goes on", self.rest));
        }
        // An event, or what the peer did wrong.
        if self.outcome.0.name.starts_with(char::is_uppercase) || self.outcome.0.name == "erred" {
            lines.push(format!("* {}", self.outcome.0));
        }
        if lines.is_empty() {
            lines.push(format!("  {}: {}", self.call.0, self.outcome.0));
        }
        for (at, line) in lines.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{time:>12} ms {line}")?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct End {
    missing: u64,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.missing {
            0 => f.write_str("the end"),
            missing => write!(f, "the end of the recording: {missing} more records are missing"),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { role, recorded, redacted, lanes, flows, outbox } = self;
        write!(f, "a {role} with {lanes} lanes, {flows} flows and {outbox} octets of outbox")?;
        recorded.iter().try_for_each(|time| write!(f, ", recorded {time}"))?;
        if *redacted { f.write_str(", without bodies") } else { Ok(()) }
    }
}

/// What is described, as an object: `what` it is, and its fields. Octets that are no text are an object with `hex`, the numbers
/// that names were given one with `index` and `name`.
struct Json<'a>(Described<'a>);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_map(Some(self.0.fields.len() + 1))?;
        object.serialize_entry("what", self.0.name)?;
        for (name, value) in &self.0.fields {
            match value {
                Value::Number(number) => object.serialize_entry(name, number)?,
                Value::Flag(on) => object.serialize_entry(name, on)?,
                Value::Code(code, _) => object.serialize_entry(name, code)?,
                Value::Name(_, index, called) => {
                    object.serialize_entry(name, &Name { index: *index, name: *called })?
                }
                Value::Word(word) => object.serialize_entry(name, word)?,
                Value::Text(text) => object.serialize_entry(name, text)?,
                Value::Octets(octets) => object.serialize_entry(name, &Hex { hex: hex(octets) })?,
                Value::Digest(digest) => object.serialize_entry(name, &Hex { hex: hex(digest) })?,
                other => object.serialize_entry(name, &other.to_string())?,
            }
        }
        object.end()
    }
}

#[derive(Serialize)]
struct Name<'a> {
    index: u16,
    /// Nothing if it was never defined.
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Hex {
    hex: String,
}
