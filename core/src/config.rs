//! What one end takes and how patient it is.

use core::time::Duration;

use crate::wire::hello::{CHARGE, Limits};

/// The settings of a connection; the numbers of lanes and flows follow from the memory it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The largest frame taken, in octets: the caller's input buffer must hold one. 64 to 65 024.
    pub max_frame: u32,
    /// The largest message body taken, in octets.
    pub max_message: u64,
    /// Octets of messages taken before the application has taken them; at least a frame and 32.
    pub window: u64,
    /// Octets taken on one lane behind its first message; at least a frame and 32.
    pub lane_credit: u64,
    /// Octets taken on one flow; at least a frame and 32.
    pub flow_credit: u64,
    /// The longest name taken, in octets; at most 1024.
    pub max_name: u16,
    /// Names of actions, and names of types, that the peer may define.
    pub max_definitions: u16,
    /// Flows that one message may bring.
    pub max_attached: u16,
    /// How long a request waits for a sign of life, as [`Event::Expired`](crate::Event::Expired) has it, unless it says
    /// otherwise; zero for ever.
    pub timeout: Duration,
    /// How long the peer has for its hello; zero for ever.
    pub hello_timeout: Duration,
    /// How often a ping is sent; zero for never.
    pub heartbeat: Duration,
    /// After how many heartbeats without any sign of life the peer is dead; zero for never.
    pub misses: u32,
    /// How many exchanges the peer may abort beyond those it lets end, before the line is closed.
    pub max_aborts: u32,
}

impl Config {
    /// For a program on a computer.
    ///
    /// - Frame 63.5 KiB, the largest: fewer wake-ups an octet, and a small message still waits for no more than one.
    /// - Message 16 MiB: the high watermark that users of earlier libraries know.
    /// - Window 1 MiB, lane 256 KiB, flow 1 MiB: a round trip of 1 ms at 1 GB/s needs 1 MB.
    /// - Timeouts: 5 s a request, 3 s for the hello, a heartbeat every 15 s and dead after 2: what users of earlier
    ///   libraries are used to.
    /// - 1024 aborts: what HTTP/2 libraries settled on for reset streams.
    pub const DEFAULT: Config = Config {
        max_frame: Limits::MAX_FRAME,
        max_message: 16 * 1024 * 1024,
        window: 1024 * 1024,
        lane_credit: 256 * 1024,
        flow_credit: 1024 * 1024,
        max_name: 255,
        max_definitions: 1024,
        max_attached: 256,
        timeout: Duration::from_secs(5),
        hello_timeout: Duration::from_secs(3),
        heartbeat: Duration::from_secs(15),
        misses: 2,
        max_aborts: 1024,
    };

    /// For a device with a few KiB of memory: frames of 256 octets, messages of 1 KiB, windows of two frames.
    pub const SMALL: Config = Config {
        max_frame: 256,
        max_message: 1024,
        window: 576,
        lane_credit: 288,
        flow_credit: 576,
        max_name: 32,
        max_definitions: 16,
        max_attached: 2,
        max_aborts: 16,
        ..Config::DEFAULT
    };

    /// What the hello announces, the numbers of lanes and flows included.
    pub(crate) fn limits(&self, lanes: usize, flows: usize) -> Limits {
        let frame = self.max_frame.clamp(Limits::MIN_FRAME, Limits::MAX_FRAME);
        let least = u64::from(frame).saturating_add(CHARGE);
        let octets = |value: u64| value.clamp(least, Limits::MAX_OCTETS);
        Limits {
            frame,
            message: self.max_message.min(Limits::MAX_OCTETS),
            lanes: u16::try_from(lanes).unwrap_or(u16::MAX).min(Limits::MAX_LANES),
            flows: u16::try_from(flows).unwrap_or(u16::MAX).min(Limits::MAX_FLOWS),
            window: octets(self.window),
            lane_credit: octets(self.lane_credit),
            flow_credit: octets(self.flow_credit),
            name: self.max_name.min(Limits::MAX_NAME),
            definitions: self.max_definitions,
            attached: self.max_attached.min(Limits::MAX_FLOWS),
            timeout: millis(self.timeout),
        }
    }
}

/// Whole milliseconds, rounded up: only zero is zero.
pub(crate) fn millis(wait: Duration) -> u32 {
    let whole = u32::try_from(wait.as_secs()).ok().and_then(|secs| secs.checked_mul(1000));
    whole.and_then(|whole| whole.checked_add(wait.subsec_nanos().div_ceil(1_000_000))).unwrap_or(u32::MAX)
}

/// Whole milliseconds. To divide 64 bits would be a kilobyte on a device.
pub(crate) const fn from_millis(millis: u32) -> Duration {
    Duration::new((millis / 1000) as u64, (millis % 1000).saturating_mul(1_000_000))
}

impl Default for Config {
    fn default() -> Config {
        Config::DEFAULT
    }
}
