//! Sealing: ChaCha20-Poly1305 (RFC 8439) under a key of the secret's own, derived (HKDF-SHA256, RFC 5869) from the one
//! that is kept in a file. A seal opens for its own secret alone: moved to another row it opens nothing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::ids::SecretId;
use domain::secret::{KeyId, Sealed, SecretText};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How long the key is, in bytes.
const KEY_LENGTH: usize = 32;
/// Sets keys that are derived here apart from any that might be derived from the same file elsewhere.
const PURPOSE: &[u8] = b"gatehouse secrets";

/// The key with which secrets are sealed.
#[derive(Clone)]
pub struct SealingKey {
    root: Prk,
    id: KeyId,
}

/// Why something does not serve as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has to be 32 bytes in Base64 on one line, such as `openssl rand -base64 32` prints")]
pub struct NoKey;

/// A seal that this key does not open: another key made it, or it was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret was sealed with the key {sealed_with}, and the key that is set is {set}, or it was tampered with")]
pub struct Unopened {
    sealed_with: KeyId,
    set: KeyId,
}

impl SealingKey {
    /// Reads a key as its file has it.
    pub fn read(line: &str) -> Result<Self, NoKey> {
        let bytes = Zeroizing::new(STANDARD.decode(line.trim()).map_err(|_| NoKey)?);
        if bytes.len() != KEY_LENGTH {
            return Err(NoKey);
        }
        let root = Salt::new(HKDF_SHA256, PURPOSE).extract(&bytes);
        Ok(Self { root, id: id_of(&bytes) })
    }

    /// What a file with a new key says.
    pub fn fresh() -> String {
        STANDARD.encode(rand::random::<[u8; KEY_LENGTH]>())
    }

    /// What tells it from other keys.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Seals a secret for its row.
    pub(super) fn seal(&self, id: SecretId, text: &SecretText) -> Result<Sealed, Unspecified> {
        let nonce = rand::random::<[u8; NONCE_LEN]>();
        let mut bytes = text.expose().as_bytes().to_vec();
        let aad = Aad::from(id.0.as_bytes());
        self.key_of(id)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)?;
        Ok(Sealed { key: self.id, bytes: [&nonce[..], &bytes].concat() })
    }

    /// Opens what was sealed for this row.
    pub(super) fn open(&self, id: SecretId, sealed: &Sealed) -> Result<SecretText, Unopened> {
        self.opened(id, sealed).ok_or(Unopened { sealed_with: sealed.key, set: self.id })
    }

    fn opened(&self, id: SecretId, sealed: &Sealed) -> Option<SecretText> {
        let (nonce, bytes) = sealed.bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = Zeroizing::new(bytes.to_vec());
        let text = self.key_of(id).ok()?.open_in_place(nonce, Aad::from(id.0.as_bytes()), &mut bytes).ok()?;
        std::str::from_utf8(text).ok().map(|text| SecretText::from(text.to_owned()))
    }

    /// The key of one secret's own, so that no two are ever sealed with the same.
    fn key_of(&self, id: SecretId) -> Result<LessSafeKey, Unspecified> {
        let own = [id.0.as_bytes().as_slice()];
        Ok(LessSafeKey::new(UnboundKey::from(self.root.expand(&own, &CHACHA20_POLY1305)?)))
    }
}

/// It says which key it is, and nothing else.
impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// The beginning of a hash of the key: it is random, so that nothing follows from its hash.
fn id_of(key: &[u8]) -> KeyId {
    let mut id = [0; 8];
    id.copy_from_slice(&Sha256::new().chain_update(PURPOSE).chain_update(key).finalize()[..8]);
    KeyId(i64::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealingKey {
        SealingKey::read(&SealingKey::fresh()).expect("a fresh key is one")
    }

    #[test]
    fn a_seal_opens_with_its_key_in_its_row_and_nowhere_else() {
        let (key, other, row) = (key(), key(), store::fresh_id());
        let text = SecretText::from("the owner's password".to_owned());
        let sealed = key.seal(row, &text).expect("it is sealed");
        assert_eq!(key.open(row, &sealed).expect("it opens"), text);
        assert!(!String::from_utf8_lossy(&sealed.bytes).contains("password"));
        assert_ne!(sealed, key.seal(row, &text).expect("it is sealed"), "no two seals are alike");
        assert!(other.open(row, &sealed).is_err(), "another key");
        assert!(key.open(store::fresh_id(), &sealed).is_err(), "another row");
        for at in 0..sealed.bytes.len() {
            let mut broken = sealed.clone();
            broken.bytes[at] ^= 1;
            assert!(key.open(row, &broken).is_err(), "byte {at} was changed");
        }
        assert!(key.open(row, &Sealed { bytes: vec![1; 3], ..sealed }).is_err(), "cut off");
    }

    #[test]
    fn a_key_is_32_bytes_and_says_nothing_of_itself() {
        let line = SealingKey::fresh();
        let key = SealingKey::read(&format!("{line}\n")).expect("a line end is no matter");
        assert_eq!(key.id(), SealingKey::read(&line).expect("the same key").id());
        assert!(!format!("{key:?}").contains(&line));
        for wrong in ["", "secret", "AAAA", &format!("{line}AAAA")] {
            assert_eq!(SealingKey::read(wrong).err(), Some(NoKey), "{wrong}");
        }
    }
}
