//! How a recorded machine was made.

use std::time::{Duration, SystemTime};

use ropeway_core::{self as core, CHARGE, Connection, Instant, Limits};

use super::field::{Bad, Field, Fields, fields, numbered, put_varint};
use crate::line::Role;
use crate::memory::{Grown, LineSealer, growing};
use core::Config as CoreConfig;

/// The first octets of a trace; the version of the format follows.
pub(super) const MAGIC: [u8; 4] = [0xf2, b'R', b'W', b'T'];
/// The version of the format that is written, and read.
pub(super) const VERSION: u8 = 1;

/// How a recorded machine was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Which end it was.
    pub role: Role,
    /// What was public from the beginning of what its entropy gave: a server's id of the session. Nothing for a client.
    pub session: [u8; 16],
    /// Its time when it was made, in microseconds since its epoch.
    pub start: Instant,
    /// The time of day then, in microseconds since 1970 (UTC); 0 if unknown.
    pub recorded: u64,
    /// Whether bodies, names of files, digests and texts for people were replaced by zeros.
    pub redacted: bool,
    /// Exchanges it had memory for, each way.
    pub lanes: u16,
    /// Flows it had memory for, each way.
    pub flows: u16,
    /// Octets of its outbox.
    pub outbox: u64,
    /// Its settings.
    pub config: core::Config,
}

numbered!(Role, Role { 1 Client; 2 Server; });

fields! {
    core::Config, CoreConfig {
        max_frame, max_message, window, lane_credit, flow_credit, max_name, max_definitions, max_attached, timeout,
        hello_timeout, heartbeat, misses, max_aborts
    }
}

impl Header {
    pub(crate) fn new(role: Role, start: Instant, config: &crate::config::Config, entropy: &[u8; 32]) -> Header {
        let mut session = [0; 16];
        if role == Role::Server {
            session.copy_from_slice(&entropy[..16]);
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Header {
            role,
            session,
            start,
            recorded: u64::try_from(since.as_micros()).unwrap_or(0),
            redacted: false,
            lanes: config.lanes,
            flows: config.flows,
            outbox: config.outbox as u64,
            config: within(config.protocol),
        }
    }

    /// A machine that was made in the same way.
    pub(super) fn machine(&self) -> Connection<Grown> {
        let mut entropy = [0; 32];
        entropy[..16].copy_from_slice(&self.session);
        let memory =
            growing(self.lanes, self.flows, usize::try_from(self.outbox).unwrap_or(usize::MAX), LineSealer::default());
        match self.role {
            Role::Client => Connection::client(self.start, self.config, entropy, memory),
            Role::Server => Connection::server(self.start, self.config, entropy, memory),
        }
    }

    /// Magic, version, and all of it behind its length.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        let mut fields = Vec::new();
        self.role.put(&mut fields);
        self.session.put(&mut fields);
        self.start.as_micros().put(&mut fields);
        self.recorded.put(&mut fields);
        self.redacted.put(&mut fields);
        self.lanes.put(&mut fields);
        self.flows.put(&mut fields);
        self.outbox.put(&mut fields);
        self.config.put(&mut fields);
        put_varint(fields.len() as u64, out);
        out.extend_from_slice(&fields);
    }

    /// What is behind the length.
    pub(super) fn decode(octets: &[u8]) -> Result<Header, Bad> {
        let mut from = Fields::new(octets);
        let config_at;
        let header = Header {
            role: from.field("role")?,
            session: from.field("session")?,
            start: Instant::from_micros(from.field("start")?),
            recorded: from.field("recorded")?,
            redacted: from.field("redacted")?,
            lanes: from.field("lanes")?,
            flows: from.field("flows")?,
            outbox: from.field("outbox")?,
            config: {
                config_at = from.at();
                from.field("config")?
            },
        };
        if within(header.config) != header.config {
            return Err(Bad { field: "config", at: config_at });
        }
        extensions(&mut from)?;
        Ok(header)
    }
}

/// Extensions come by rising tag, as in a hello: `tag · len · value`. One with an odd tag must be understood, and none is.
fn extensions(from: &mut Fields<'_>) -> Result<(), Bad> {
    let mut last = None;
    while !from.is_at_end() {
        let tag: u64 = from.field("extension")?;
        if tag & 1 == 1 || last.is_some_and(|last| tag <= last) {
            return Err(from.bad());
        }
        let _: &[u8] = from.field("extension")?;
        last = Some(tag);
    }
    Ok(())
}

/// The settings with each number within its range, as a machine takes it.
fn within(config: core::Config) -> core::Config {
    let max_frame = config.max_frame.clamp(Limits::MIN_FRAME, Limits::MAX_FRAME);
    let credit = |octets: u64| octets.clamp(u64::from(max_frame) + CHARGE, Limits::MAX_OCTETS);
    core::Config {
        max_frame,
        max_message: config.max_message.min(Limits::MAX_OCTETS),
        window: credit(config.window),
        lane_credit: credit(config.lane_credit),
        flow_credit: credit(config.flow_credit),
        max_name: config.max_name.min(Limits::MAX_NAME),
        max_attached: config.max_attached.min(Limits::MAX_FLOWS),
        ..config
    }
}

/// How much of what begins with a header is that.
pub(super) fn len(octets: &[u8]) -> usize {
    let before = MAGIC.len() + 1;
    let mut from = Fields::new(octets.get(before..).unwrap_or_default());
    let _: Result<&[u8], _> = from.field("header");
    before.saturating_add(from.at()).min(octets.len())
}
