//! What a runtime supplies to be put through the suite, and the suite as a program.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use ropeway_driver::Runtime;

use crate::scenarios::{FAMILIES, Scenario};
use crate::transport::Transport;
use crate::watchdog::{PATIENCE, watchdog};
use crate::world::World;

/// How long a scenario may take, unless told. Each takes well below a second on an idle machine.
const LIMIT: Duration = Duration::from_secs(20);

/// A runtime under test.
pub trait Binding: 'static {
    /// The runtime as the driver knows it.
    type Runtime: Runtime + Default;

    /// Runs a future to its end inside the runtime, which has several workers.
    fn block_on(scenario: impl Future<Output = ()> + Send + 'static);
}

/// The whole suite as the `main` of a test target: every scenario over every transport that it concerns.
///
/// The target has `harness = false`; `cargo test NAME` selects by family, scenario or transport. A machine on which 20 s are
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
            for transport in Transport::ALL.iter().copied().filter(|transport| scenario.concerns(*transport)) {
                trials.push(trial::<B>(family, scenario, transport));
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial<B: Binding>(family: &str, scenario: &'static Scenario, transport: Transport) -> Trial {
    let name = format!("{family}::{}::{transport}", scenario.name);
    Trial::test(name.clone(), move || {
        B::block_on(async move {
            // Made here, for it may need to be inside the runtime.
            let world = World::new(B::Runtime::default(), transport);
            let run = scenario.run(world.clone());
            watchdog(&name, limit(), world.unharmed(run)).await;
        });
        Ok(())
    })
}

/// How long a scenario may take here.
pub(crate) fn limit() -> Duration {
    let told = std::env::var(PATIENCE).ok().and_then(|seconds| seconds.parse().ok());
    told.map_or(LIMIT, Duration::from_secs)
}
