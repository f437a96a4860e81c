//! What may be sealed, must be, and must not.

use core::fmt;

/// Whether a direction is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Never.
    Plain,
    /// At first, and then as either end wishes: [`seal`](crate::Connection::seal), [`ask_to_seal`](crate::Connection::ask_to_seal).
    Optional,
    /// Always. The default: what an end that has keys says and hears is sealed.
    #[default]
    Required,
}

/// The rules of one end. Both ends' hold: if one must seal what the other must not, there is no line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// For what it says.
    pub sending: Rule,
    /// For what it hears.
    pub receiving: Rule,
}

impl Policy {
    /// The same rule for both directions.
    pub const fn both(rule: Rule) -> Policy {
        Policy { sending: rule, receiving: rule }
    }

    /// Whether a peer that does not seal will do.
    pub(crate) fn allows_plain(self) -> bool {
        self.sending != Rule::Required && self.receiving != Rule::Required
    }

    /// As one octet of a hello.
    pub(crate) fn octet(self) -> u8 {
        self.sending.bits() | self.receiving.bits() << 2
    }

    pub(crate) fn of_octet(octet: u8) -> Option<Policy> {
        let rule = |bits| match bits {
            0 => Some(Rule::Plain),
            1 => Some(Rule::Optional),
            2 => Some(Rule::Required),
            _ => None,
        };
        Some(Policy { sending: rule(octet & 3)?, receiving: rule(octet >> 2)? })
    }

    /// What holds with a peer of these rules, seen from this end; `None` if nothing does.
    pub(crate) fn with(self, peer: Policy) -> Option<Policy> {
        Some(Policy { sending: self.sending.with(peer.receiving)?, receiving: self.receiving.with(peer.sending)? })
    }
}

impl Rule {
    const fn bits(self) -> u8 {
        match self {
            Rule::Plain => 0,
            Rule::Optional => 1,
            Rule::Required => 2,
        }
    }

    fn with(self, other: Rule) -> Option<Rule> {
        match (self, other) {
            (Rule::Plain, Rule::Required) | (Rule::Required, Rule::Plain) => None,
            (Rule::Optional, rule) | (rule, Rule::Optional) => Some(rule),
            (rule, _) => Some(rule),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Plain => "never sealed",
            Rule::Optional => "sealed or not",
            Rule::Required => "always sealed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_both_ends_hold_or_there_is_no_line() {
        use Rule::{Optional, Plain, Required};
        for (ours, theirs, both) in [
            (Plain, Plain, Some(Plain)),
            (Plain, Optional, Some(Plain)),
            (Optional, Optional, Some(Optional)),
            (Optional, Required, Some(Required)),
            (Required, Required, Some(Required)),
            (Plain, Required, None),
        ] {
            assert_eq!((ours.with(theirs), theirs.with(ours)), (both, both), "{ours}, {theirs}");
        }
        let near = Policy { sending: Required, receiving: Optional };
        let far = Policy { sending: Plain, receiving: Optional };
        assert_eq!(near.with(far), Some(Policy { sending: Required, receiving: Plain }));
        assert_eq!(far.with(near), Some(Policy { sending: Plain, receiving: Required }));
        assert_eq!(Policy::both(Plain).with(near), None);
    }

    #[test]
    fn an_octet_has_both_rules_and_nothing_else() {
        let policies = (0..=255).filter_map(Policy::of_octet);
        assert_eq!(policies.clone().count(), 9);
        for policy in policies {
            assert_eq!(Policy::of_octet(policy.octet()), Some(policy));
        }
    }
}
