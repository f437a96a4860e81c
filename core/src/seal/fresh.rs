//! A fresh key agreement on a line that has keys: what it gives does not follow from any key that was there before.
//!
//! Each end says its share once. Who has both shares has both secrets, and turns its direction to the new one by a frame of its
//! own. So it does not matter who began, nor whether both did.

use zeroize::Zeroizing;

use super::keys::{PublicKey, SecretKey};
use super::schedule::{self, Label};
use crate::error::PeerError;
use crate::id::Side;
use crate::wire::kind;

#[cfg_attr(test, derive(Clone))]
pub(crate) struct Fresh {
    /// What the next secrets are mixed with. No key in use follows from it.
    root: Zeroizing<[u8; 32]>,
    is_client: bool,
    wanted: bool,
    ours: Option<SecretKey>,
    said: bool,
    theirs: Option<[u8; 32]>,
    next: [Option<Zeroizing<[u8; 32]>>; 2],
}

impl Fresh {
    pub(crate) fn new(root: Zeroizing<[u8; 32]>, is_client: bool) -> Fresh {
        Fresh { root, is_client, wanted: false, ours: None, said: false, theirs: None, next: [None, None] }
    }

    /// A share that was drawn and found no room yet is drawn anew, of what its secret is drawn of by now.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
        self.ours.take_if(|_| !self.said);
    }

    /// Whether this end's share is to be said. Not before an agreement that is under way is over.
    pub(crate) fn wants_share(&self) -> bool {
        let idle = self.next.iter().all(Option::is_none);
        !self.said && idle && (self.wanted || self.theirs.is_some())
    }

    /// Whether the peer's share is there, which asks for this end's.
    pub(crate) fn is_asked(&self) -> bool {
        self.theirs.is_some()
    }

    /// Whether this end's share was said, which asks for the peer's.
    pub(crate) fn has_asked(&self) -> bool {
        self.said
    }

    /// This end's share, of a secret that is used for nothing else. Asked again before it is said it is the same.
    pub(crate) fn share(&mut self, secret: impl FnOnce() -> Zeroizing<[u8; 32]>) -> [u8; 32] {
        self.ours.get_or_insert_with(|| SecretKey::new(*secret())).public().0
    }

    pub(crate) fn said_share(&mut self) {
        (self.said, self.wanted) = (true, false);
        self.mix();
    }

    /// The peer's share.
    pub(crate) fn heard_share(&mut self, share: [u8; 32]) -> Result<(), PeerError> {
        // One at a time, and the one before must be over in this direction.
        if self.theirs.is_some() || self.next.iter().any(Option::is_some) {
            return Err(PeerError::Unexpected(kind::SEALED));
        }
        if PublicKey(share).is_worthless() {
            return Err(PeerError::Handshake);
        }
        self.theirs = Some(share);
        self.mix();
        Ok(())
    }

    /// Whether this end's direction may turn to the new secret.
    pub(crate) fn is_ready(&self) -> bool {
        self.next.first().is_some_and(Option::is_some)
    }

    /// The new secret of a direction, once.
    pub(crate) fn take(&mut self, by: Side) -> Option<Zeroizing<[u8; 32]>> {
        let [ours, theirs] = &mut self.next;
        match by {
            Side::Us => ours.take(),
            Side::Them => theirs.take(),
        }
    }

    /// How far an agreement is.
    #[cfg(test)]
    pub(crate) fn standing(&self) -> [bool; 6] {
        let [ours, theirs] = &self.next;
        [self.wanted, self.ours.is_some(), self.said, self.theirs.is_some(), ours.is_some(), theirs.is_some()]
    }

    /// Both shares are there.
    fn mix(&mut self) {
        let (true, Some(ours), Some(theirs)) = (self.said, &self.ours, self.theirs) else { return };
        // It was looked at when it came.
        let Some(shared) = ours.agree(&PublicKey(theirs)) else { return };
        let ours = ours.public().0;
        let (client, server) = if self.is_client { (ours, theirs) } else { (theirs, ours) };
        let mixed = schedule::mix(&self.root, &shared, &client, &server);
        let to_client = schedule::derive(&mixed, Label::ToClient);
        let to_server = schedule::derive(&mixed, Label::ToServer);
        self.root = schedule::derive(&mixed, Label::Root);
        self.next =
            if self.is_client { [Some(to_server), Some(to_client)] } else { [Some(to_client), Some(to_server)] };
        (self.ours, self.theirs, self.said) = (None, None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::keys::tests::worthless;

    fn ends() -> [Fresh; 2] {
        [true, false].map(|is_client| Fresh::new(Zeroizing::new([7; 32]), is_client))
    }

    fn secret(octet: u8) -> impl FnOnce() -> Zeroizing<[u8; 32]> {
        move || Zeroizing::new([octet; 32])
    }

    /// D12: a share by which everybody agrees on the same is refused.
    #[test]
    fn a_share_of_low_order_is_refused() {
        for share in worthless() {
            let [mut end, _] = ends();
            assert_eq!(end.heard_share(share), Err(PeerError::Handshake));
            assert!(!end.is_ready());
        }
    }

    /// What was brought since it was drawn is to be in it.
    #[test]
    fn a_share_that_was_not_said_is_drawn_anew_when_it_is_wanted_again() {
        let [mut end, _] = ends();
        end.want();
        let first = end.share(secret(1));
        assert_eq!(end.share(secret(2)), first, "there was no room for it");
        end.want();
        let second = end.share(secret(2));
        assert_ne!(second, first);
        end.said_share();
        end.want();
        assert_eq!(end.share(secret(3)), second, "it was said");
    }

    #[test]
    fn both_ends_agree_on_other_secrets_each_time_whoever_began() {
        let [mut client, mut server] = ends();
        let mut known = std::vec::Vec::new();
        for (turn, at_once) in [true, false, true].into_iter().enumerate() {
            let seed = turn as u8 * 2;
            client.want();
            let from_client = client.share(secret(seed));
            client.said_share();
            if at_once {
                server.want();
                let from_server = server.share(secret(seed + 1));
                server.said_share();
                server.heard_share(from_client).unwrap();
                client.heard_share(from_server).unwrap();
            } else {
                server.heard_share(from_client).unwrap();
                assert!(server.wants_share() && server.is_asked());
                let from_server = server.share(secret(99));
                server.said_share();
                client.heard_share(from_server).unwrap();
            }
            assert!(client.is_ready() && server.is_ready());
            // Another only when both directions have turned.
            assert!(client.heard_share([9; 32]).is_err());
            let up = (client.take(Side::Us), server.take(Side::Them));
            let down = (server.take(Side::Us), client.take(Side::Them));
            for (from, to) in [up, down] {
                assert!(from.is_some() && from == to);
                assert!(!known.contains(&from));
                known.push(from);
            }
            assert_eq!(client.root, server.root);
        }
    }
}
