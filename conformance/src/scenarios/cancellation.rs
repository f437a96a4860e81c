//! B19. Every future of the library, dropped at every poll: nothing is lost, doubled or torn, and the line goes on.
use super::{Scenario, scenarios};
pub(super) const LIST: &[Scenario] = scenarios![];
