//! The counting allocator counts right. One test: anything beside it in this process would be counted too.

use std::hint::black_box;
use std::thread;

use ropeway_conformance::heap;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting::new();

const MIB: usize = 1 << 20;
/// The harness allocates beside the test; its share stays far below this.
const NOISE: usize = MIB / 8;

#[test]
fn counts_peak_and_what_is_held() {
    let _alone = heap::alone();
    check("nothing", 0, 0, || ());
    check("kept", 3, 3, || bytes(3));
    check("dropped", 3, 0, || drop(bytes(3)));
    check("one after the other", 2, 0, || {
        drop(bytes(2));
        drop(bytes(1));
    });
    check("two at once", 3, 2, || {
        let first = bytes(1);
        let second = bytes(2);
        drop(first);
        second
    });
    check("zeroed", 4, 4, || black_box(vec![0u8; 4 * MIB]));
    check("grown in place or moved", 5, 5, || {
        let mut grown = bytes(1);
        grown.reserve_exact(4 * MIB);
        grown
    });
    check("shrunk", 5, 1, || {
        let mut shrunk = bytes(5);
        shrunk.truncate(MIB);
        shrunk.shrink_to_fit();
        shrunk
    });
    check("on another thread", 3, 3, || thread::spawn(|| bytes(3)).join().expect("it does not panic"));

    let mark = heap::mark();
    let boxes: Vec<_> = (0..10_000).map(Box::new).collect();
    assert!((10_001..10_100).contains(&mark.allocations()), "{} allocations", mark.allocations());
    drop(black_box(boxes));

    let older = heap::mark();
    let _newer = heap::mark();
    thread::spawn(move || older.peak()).join().expect_err("an overtaken mark must not answer");
}

/// `peak` and `held` in MiB.
#[track_caller]
fn check<T>(name: &str, peak: usize, held: usize, work: impl FnOnce() -> T) {
    let mark = heap::mark();
    let kept = work();
    for (what, is, wanted) in [("peak", mark.peak(), peak), ("held", mark.held(), held)] {
        assert!(is.abs_diff(wanted * MIB) < NOISE, "{name}: {what} is {is}, not about {wanted} MiB");
    }
    drop(kept);
    assert!(mark.held() < NOISE, "{name}: {} bytes are still held", mark.held());
}

fn bytes(mebibytes: usize) -> Vec<u8> {
    black_box(vec![1; mebibytes * MIB])
}
