//! placeholder being replaced
#![allow(missing_docs, dead_code, clippy::all)]
use crate::error::Error;
use crate::line::Line;
use ropeway_core::LaneId;
pub struct Upload;
pub struct Uploading;
impl Uploading {
    pub(crate) async fn prepare(&mut self, _: &Line) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) async fn offer(self, _: &Line, _: LaneId) -> Result<Upload, Error> {
        Ok(Upload)
    }
}
pub trait IntoSource {
    fn into_source(self) -> Uploading;
}
