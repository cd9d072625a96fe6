//! Secrets. Those that open Gatehouse itself are made from the system's randomness and kept only as a hash; those that
//! were made for deployments are kept sealed, and handed over once.

mod hand_over;
mod reveal;
mod safe;
mod seal;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::trouble::Trouble;
use sha2::{Digest, Sha256};

pub(crate) use hand_over::of_deployment;
pub use hand_over::{HandedOver, Shown, take};
pub(crate) use reveal::reveal;
pub use safe::Safe;
pub use seal::SealingKey;

/// The shortest password that a person may choose, in characters.
pub const PASSWORD_MIN: usize = 12;
/// The longest, in bytes: hashing costs time that a stranger must not be able to order.
pub const PASSWORD_MAX: usize = 256;

/// A new secret of 256 bits, in letters that fit a link and a cookie.
pub fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What is stored of a secret: SHA-256 in hexadecimal. The secret has 256 bits, so nothing slower is needed.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// A second secret that only the holder of the first can know, for one purpose.
pub fn derive(purpose: &str, secret: &str) -> String {
    hash(&format!("{purpose}:{secret}"))
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn same(one: &str, other: &str) -> bool {
    use subtle::ConstantTimeEq;
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Hashes a password with argon2id at the costs that OWASP advises (19 MiB, two passes).
pub(crate) async fn hash_password(password: &str) -> Result<String, Trouble> {
    let password = password.to_owned();
    aside(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()))
        .await?
        .map_err(|cause| Trouble::bug(cause.to_string()))
}

/// Whether the password fits the hash. Without a hash it takes the same time and never fits, so that nobody learns
/// from the clock who has an account.
pub(crate) async fn password_fits(password: &str, stored: Option<String>) -> Result<bool, Trouble> {
    let password = password.to_owned();
    aside(move || {
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| NOBODYS_PASSWORD.to_owned());
        let fits = PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        fits && known
    })
    .await
}

/// A hash at today's costs whose password nobody knows.
const NOBODYS_PASSWORD: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$Hq8xTVmDYVUGPW1nlFw3RlTFPjKqWmDDgCQ1v4bBqZk";

/// Runs what keeps a processor busy where it holds up nobody's page.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(Trouble::bug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let hash = hash_password("correct horse battery").await.expect("hashing works");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(password_fits("correct horse battery", Some(hash.clone())).await.expect("checking works"));
        assert!(!password_fits("correct horse", Some(hash)).await.expect("checking works"));
        assert!(PasswordHash::new(NOBODYS_PASSWORD).is_ok(), "the stand-in must cost what a real hash costs");
        assert!(!password_fits("anything", None).await.expect("checking works"));
    }

    #[test]
    fn secrets_differ_and_only_their_hash_says_so() {
        assert_ne!(fresh(), fresh());
        assert_eq!(fresh().len(), 43);
        assert_ne!(derive("csrf", "a"), hash("a"));
        assert!(same("a", "a") && !same("a", "b") && !same("a", "aa"));
    }
}
