//! What lines cost, with an allocator that counts. Each test is alone while it measures.

use std::future::Future;
use std::time::Duration;

use ropeway_conformance::scenarios::memory;
use ropeway_conformance::{heap, watchdog};
use ropeway_tokio::{Address, Tokio};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting::new();

#[test]
fn a_peer_without_hello_costs_little_and_is_gone_in_time() {
    by_hand(memory::a_peer_without_hello_costs_little_and_is_gone_in_time);
}

#[test]
fn a_peer_that_stops_before_there_are_keys_costs_little_and_is_gone_in_time() {
    by_hand(memory::a_peer_that_stops_before_there_are_keys_costs_little_and_is_gone_in_time);
}

#[test]
fn a_peer_that_does_not_say_who_it_is_costs_little_and_is_gone_in_time() {
    by_hand(memory::a_peer_that_does_not_say_who_it_is_costs_little_and_is_gone_in_time);
}

#[test]
fn an_idle_sealed_line_costs_little_more_than_a_plain_one() {
    by_hand(memory::an_idle_sealed_line_costs_little_more_than_a_plain_one);
}

#[test]
fn declared_lengths_allocate_nothing() {
    by_hand(memory::declared_lengths_allocate_nothing);
}

#[test]
fn tiny_fragments_cost_what_was_allowed() {
    by_hand(memory::tiny_fragments_cost_what_was_allowed);
}

#[test]
fn a_million_tiny_fragments_pass_through() {
    by_hand(memory::a_million_tiny_fragments_pass_through);
}

#[test]
fn floods_of_control_cost_nothing() {
    by_hand(memory::floods_of_control_cost_nothing);
}

#[test]
fn a_peer_that_does_not_read_stops_its_sender() {
    by_hand(memory::a_peer_that_does_not_read_stops_its_sender);
}

#[test]
fn files_to_a_peer_that_does_not_read_wait() {
    by_hand(memory::files_to_a_peer_that_does_not_read_wait);
}

#[test]
fn a_slow_reader_costs_its_own_queue_and_nobody_else() {
    by_hand(memory::a_slow_reader_costs_its_own_queue_and_nobody_else);
}

#[test]
fn what_is_not_taken_is_what_was_allowed() {
    by_hand(memory::what_is_not_taken_is_what_was_allowed);
}

#[test]
fn an_idle_line_gives_back_what_a_burst_took() {
    by_hand(memory::an_idle_line_gives_back_what_a_burst_took);
}

#[test]
fn idle_streams_give_back_what_a_burst_took() {
    by_hand(memory::idle_streams_give_back_what_a_burst_took);
}

#[test]
fn requests_given_up_leave_nothing() {
    by_hand(memory::requests_given_up_leave_nothing);
}

#[test]
fn connections_without_hello_cost_little_and_are_gone_in_time() {
    on_sockets(memory::connections_without_hello_cost_little_and_are_gone_in_time::<Tokio>);
}

#[test]
fn a_socket_that_is_not_read_stops_its_sender() {
    on_sockets(memory::a_socket_that_is_not_read_stops_its_sender::<Tokio>);
}

#[test]
fn handshakes_that_stop_cost_little_and_are_gone_in_time() {
    let _alone = heap::alone();
    alone_on_a_thread("handshakes", memory::handshakes_that_stop_cost_little_and_are_gone_in_time::<Tokio>());
}

fn by_hand(scenario: fn()) {
    let _alone = heap::alone();
    scenario();
}

/// On one thread, for what each thread of a runtime keeps for all lines is no line's cost.
fn on_sockets<F: Future<Output = ()>>(scenario: fn(Address) -> F) {
    let _alone = heap::alone();
    let unix = std::env::temp_dir().join(format!("ropeway-memory-{}.sock", std::process::id()));
    for address in [Address::Tcp { host: "127.0.0.1".into(), port: 0 }, Address::Unix(unix)] {
        alone_on_a_thread(&address.to_string(), scenario(address));
    }
}

fn alone_on_a_thread(name: &str, scenario: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system has a thread to spare");
    runtime.block_on(watchdog::watchdog(name, Duration::from_secs(60), scenario));
}
