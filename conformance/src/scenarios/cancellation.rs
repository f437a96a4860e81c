//! B19. Every future of the library, dropped behind every poll: nothing is lost, doubled or torn, and the line goes on.
//!
//! Each scenario tries a future anew, polled once more each time, until it comes to its end. Outboxes, windows and credit
//! are so small that most of them take many polls. Those of files are with the files.

pub(super) mod lines;
pub(super) mod messages;
pub(super) mod streams;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ropeway_driver::{Config, Line, Router};

use super::by_hand::{echo, mirror, octets};
use crate::world::{World, tight};

/// So many polls are more than anything here takes: a future that never comes to its end is a fault, too.
const ENDLESS: usize = 5000;

/// An outbox that holds a small frame or two.
fn narrow() -> Config {
    let mut config = tight();
    config.protocol.max_frame = 2048;
    config.protocol.lane_credit = 4096;
    config.protocol.flow_credit = 4096;
    config.outbox = 2048;
    config.lanes = 4;
    config.flows = 2;
    config
}

/// Content that tells its number.
fn numbered(number: usize, len: usize) -> Vec<u8> {
    let mut content = (number as u32).to_le_bytes().to_vec();
    content.extend(octets(len, number));
    content
}

/// The number of a content that is whole.
fn number_of(content: &[u8], len: usize) -> usize {
    let number = u32::from_le_bytes(content[..4].try_into().expect("four octets")) as usize;
    assert!(content == numbered(number, len), "content {number} is torn");
    number
}

/// What came, each once.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<usize>>>);

impl Seen {
    fn put(&self, number: usize) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!seen.contains(&number), "{number} came twice");
        seen.push(number);
    }

    fn has(&self, number: usize) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }
}

/// A line whose far end answers echoes, answers content with itself, and notes what came whole.
async fn line_to(world: &World, len: usize) -> (Line, Line, Seen) {
    let (near, far) = world.pair_with(narrow(), narrow()).await;
    let seen = Seen::default();
    let noted = seen.clone();
    let router = Router::new().on("echo", echo).on("content", move |content: Bytes| {
        noted.put(number_of(&content, len));
        async move { Ok(content) }
    });
    world.serve(&far, router.on_message("mirror", mirror));
    (near, far, seen)
}
