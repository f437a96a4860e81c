//! What connections cost, with an allocator that counts.

use std::time::Duration;

use async_std::task;
use ropeway_async_std::{Address, AsyncStd};
use ropeway_conformance::scenarios::memory;
use ropeway_conformance::{heap, watchdog};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting::new();

#[test]
fn connections_without_hello_cost_little_and_are_gone_in_time() {
    let _alone = heap::alone();
    let unix = std::env::temp_dir().join(format!("ropeway-memory-{}.sock", std::process::id()));
    for address in [Address::Tcp { host: "127.0.0.1".into(), port: 0 }, Address::Unix(unix)] {
        let name = address.to_string();
        let scenario = memory::connections_without_hello_cost_little_and_are_gone_in_time::<AsyncStd>(address);
        let measured = watchdog::watchdog(&name, Duration::from_secs(60), scenario);
        task::block_on(task::spawn(measured));
    }
}
