//! placeholder being replaced
#![allow(missing_docs, dead_code)]
use crate::flow::Incoming;
pub struct Offered(Incoming);
impl Offered {
    pub(crate) fn new(i: Incoming) -> Offered {
        Offered(i)
    }
}
