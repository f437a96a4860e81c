//! Finds the frames in octets of one direction, as they come in pieces.

use ropeway_core::Limits;
use ropeway_core::wire::Frame;
use ropeway_core::wire::hello::Hello;

use super::described::Described;

/// The frames of one direction of a line.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    greeted: bool,
    /// The beginning of a frame that goes on.
    begun: Vec<u8>,
    /// What came was no frame; nothing can be told of what follows.
    lost: bool,
}

impl Frames {
    /// Octets that follow those before: each frame that ends in them is shown, with the offset of its end there.
    ///
    /// What is no frame is shown as that, once.
    pub fn push(&mut self, octets: &[u8], mut show: impl FnMut(Described<'_>, usize)) {
        if self.lost {
            return;
        }
        let before = self.begun.len();
        self.begun.extend_from_slice(octets);
        let mut at = 0;
        while at < self.begun.len() {
            let rest = &self.begun[at..];
            let found = match self.greeted {
                true => {
                    Frame::decode(rest, Limits::MAX_FRAME).map(|found| found.map(|(frame, len)| ((&frame).into(), len)))
                }
                false => Hello::decode(rest).map(|found| found.map(|(hello, len)| (Described::from(&hello), len))),
            };
            match found {
                Ok(None) => break,
                Ok(Some((described, len))) => {
                    at += len;
                    show(described, at.saturating_sub(before));
                    self.greeted = true;
                }
                Err(error) => {
                    self.lost = true;
                    show(Described::erred(&error), octets.len());
                    at = self.begun.len();
                }
            }
        }
        self.begun.drain(..at);
    }

    /// Octets of a frame that goes on.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    /// The frame in which the octet at `at` of `octets` lies, if they follow those before; what frames are before it is not
    /// remembered.
    pub(super) fn around(&self, octets: &[u8], at: usize) -> Option<String> {
        let mut around = None;
        self.clone().push(octets, |described, end| {
            if end > at && around.is_none() {
                around = Some(described.to_string());
            }
        });
        around
    }
}
