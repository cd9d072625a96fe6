//! The one-time word by which a machine that we ordered is told from one that somebody else brought.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the word is for, so that the site's secret may derive others.
const PURPOSE: &[u8] = b"gatehouse puppet enrolment 1";

/// HMAC-SHA-256 (RFC 2104) of the site's secret over a certificate name and how many nodes had it before: the same for
/// every try of one order, another one once the node is purged.
pub(super) struct Challenge(Hmac<Sha256>);

impl Challenge {
    pub(super) fn of(secret: &[u8], certname: &str, predecessors: u32) -> Self {
        let mut mac = Hmac::new_from_slice(secret).expect("HMAC takes a key of any length");
        for part in [PURPOSE, certname.as_bytes(), &predecessors.to_be_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Self(mac)
    }

    /// The word, in letters that a certificate request may hold.
    pub(super) fn word(&self) -> String {
        hex::encode(self.0.clone().finalize().into_bytes())
    }

    /// Whether this is the word; it takes as long whichever letter is wrong.
    pub(super) fn is(&self, presented: &str) -> bool {
        hex::decode(presented).is_ok_and(|presented| self.0.clone().verify_slice(&presented).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_good_for_one_node_of_one_name_alone() {
        let challenge = Challenge::of(b"of the site", "web-1.lab.test", 0);
        assert!(challenge.is(&challenge.word()));
        assert_eq!(challenge.word(), Challenge::of(b"of the site", "web-1.lab.test", 0).word());
        for other in [
            Challenge::of(b"of the site", "web-2.lab.test", 0),
            Challenge::of(b"of the site", "web-1.lab.test", 1),
            Challenge::of(b"of another", "web-1.lab.test", 0),
        ] {
            assert!(!challenge.is(&other.word()));
        }
        for nonsense in ["", "00", "no hexadecimal", &challenge.word()[..62]] {
            assert!(!challenge.is(nonsense), "{nonsense}");
        }
    }
}
