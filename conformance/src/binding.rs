//! What a runtime supplies to be put through the suite, and the suite as a program.

use std::future::Future;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use ropeway_driver::Runtime;

use crate::scenarios::{FAMILIES, Scenario};
use crate::tapes::replay;
use crate::transport::Transport;
use crate::watchdog::{PATIENCE, watchdog};
use crate::world::World;

/// How long a scenario may take, unless told. Each takes a second or two on an idle machine, most far less; a busy one may be
/// slower by ten times and more.
const LIMIT: Duration = Duration::from_secs(60);

/// Families that seal their lines themselves, which are not recorded.
const SEALING: &[&str] = &["authentication", "sealing"];

/// A runtime under test.
pub trait Binding: 'static {
    /// The runtime as the driver knows it.
    type Runtime: Runtime + Default;

    /// Runs a future to its end inside the runtime, which has several workers.
    fn block_on(scenario: impl Future<Output = ()> + Send + 'static);
}

/// The whole suite as the `main` of a test target: every scenario over every transport that it concerns, and once more over the
/// first of them with both ends of its lines recorded, and all recordings replayed.
///
/// The target has `harness = false`; `cargo test NAME` selects by family, scenario or transport. A machine on which 60 s are
/// not enough for a scenario says so by [`watchdog::PATIENCE`](crate::watchdog::PATIENCE).
#[macro_export]
macro_rules! suite {
    ($binding:ty) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run::<$binding>()
        }
    };
}

/// Runs the suite as the arguments of the process say.
pub fn run<B: Binding>() -> ExitCode {
    let mut trials = Vec::new();
    for (family, scenarios) in FAMILIES {
        for scenario in *scenarios {
            trials.extend(scenario.transports().map(|transport| trial::<B>(family, scenario, transport, false)));
            // Lines that are sealed are not recorded.
            let recorded =
                scenario.transports().filter(|transport| !transport.is_sealed() && !SEALING.contains(family));
            trials.extend(recorded.take(1).map(|transport| trial::<B>(family, scenario, transport, true)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial<B: Binding>(family: &str, scenario: &'static Scenario, transport: Transport, recorded: bool) -> Trial {
    let how = if recorded { "::recorded" } else { "" };
    let name = format!("{family}::{}::{transport}{how}", scenario.name);
    Trial::test(name.clone(), move || {
        B::block_on(async move {
            // Made here, for it may need to be inside the runtime.
            let make = if recorded { World::recorded } else { World::new };
            let world = make(B::Runtime::default(), transport);
            let run = scenario.run(world.clone());
            watchdog(&name, limit(), async {
                world.unharmed(run).await;
                replay(&world.traces().await);
            })
            .await;
        });
        Ok(())
    })
}

/// The traces of a scenario's lines, in the order of their making: the end that connects goes first.
pub fn record<B: Binding>(scenario: &'static Scenario) -> Vec<Vec<u8>> {
    let (to, traces) = mpsc::channel();
    B::block_on(async move {
        let transport = scenario.transports().next().expect("it concerns a transport");
        let world = World::recorded(B::Runtime::default(), transport);
        watchdog(scenario.name, limit(), world.unharmed(scenario.run(world.clone()))).await;
        let _ = to.send(world.traces().await);
    });
    traces.recv().expect("the scenario came to its end")
}

/// How long a scenario may take here.
pub(crate) fn limit() -> Duration {
    let told = std::env::var(PATIENCE).ok().and_then(|seconds| seconds.parse().ok());
    told.map_or(LIMIT, Duration::from_secs)
}
