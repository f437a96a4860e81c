//! The scenarios, a family a file. Here is the list that every binding runs.

mod aftermath;
mod authentication;
mod backpressure;
mod bodies;
mod by_hand;
mod cancellation;
mod closing;
mod deadlines;
mod failures;
mod fairness;
mod files;
mod files_by_hand;
mod files_handles;
mod files_hostile;
mod files_liars;
pub mod golden;
mod handles;
mod handshake;
mod heartbeat;
pub mod memory;
mod notices;
mod requests;
mod routing;
mod runtime;
mod sealing;
mod sockets;
mod streams;
pub mod talk;
mod transports;
mod values;
mod wakeups;
mod weather;

use std::future::Future;
use std::pin::Pin;

pub use self::sockets::small_segments_go_at_once_unless_told;
use crate::transport::Transport;
use crate::world::World;

/// Every family, by its name.
pub const FAMILIES: &[(&str, &[Scenario])] = &[
    ("handshake", handshake::LIST),
    ("notices", notices::LIST),
    ("requests", requests::LIST),
    ("failures", failures::LIST),
    ("values", values::LIST),
    ("bodies", bodies::LIST),
    ("streams", streams::LIST),
    ("files", files::LIST),
    ("files_handles", files_handles::LIST),
    ("files_hostile", files_hostile::LIST),
    ("files_liars", files_liars::LIST),
    ("backpressure", backpressure::LIST),
    ("fairness", fairness::LIST),
    ("cancellation", cancellation::messages::LIST),
    ("cancellation", cancellation::streams::LIST),
    ("cancellation", cancellation::lines::LIST),
    ("deadlines", deadlines::LIST),
    ("heartbeat", heartbeat::LIST),
    ("closing", closing::LIST),
    ("handles", handles::LIST),
    ("wakeups", wakeups::LIST),
    ("routing", routing::LIST),
    ("sockets", sockets::LIST),
    ("transports", transports::LIST),
    ("transports", transports::tls::LIST),
    ("transports", transports::websocket::LIST),
    ("authentication", authentication::LIST),
    ("authentication", authentication::decisions::LIST),
    ("sealing", sealing::agreement::LIST),
    ("sealing", sealing::refusals::LIST),
    ("sealing", sealing::suites::LIST),
    ("sealing", sealing::switches::LIST),
    ("sealing", sealing::alone::LIST),
    ("sealing", sealing::keys::LIST),
    ("sealing", sealing::deadlines::LIST),
    ("runtime", runtime::LIST),
    ("aftermath", aftermath::LIST),
    ("weather", weather::LIST),
];

/// One promise, and what shows that it is kept.
pub struct Scenario {
    /// The promise.
    pub name: &'static str,
    run: fn(World) -> Run,
    concerns: fn(Transport) -> bool,
}

type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Scenario {
    /// A scenario that runs over every transport.
    pub const fn new(name: &'static str, run: fn(World) -> Run) -> Scenario {
        Scenario { name, run, concerns: |_| true }
    }

    /// The same over some transports only.
    pub const fn over(self, concerns: fn(Transport) -> bool) -> Scenario {
        Scenario { concerns, ..self }
    }

    pub(crate) fn transports(&self) -> impl Iterator<Item = Transport> {
        Transport::ALL.iter().copied().filter(|transport| (self.concerns)(*transport))
    }

    pub(crate) fn run(&self, world: World) -> Run {
        (self.run)(world)
    }
}

/// A list of the scenarios named, each an `async fn(World)`; `name if concerns` runs over some transports only.
macro_rules! scenarios {
    ($($name:ident $(if $concerns:expr)?),* $(,)?) => {
        &[$($crate::scenarios::Scenario::new(stringify!($name), |world| Box::pin($name(world)))$(.over($concerns))?),*]
    };
}
use scenarios;
