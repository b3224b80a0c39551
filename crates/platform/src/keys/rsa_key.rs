//! The key that signs our assertions at the sign-in provider.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use serde::Serialize;

use super::{KeyError, SANDBOX_MARK, read_text, write_private};
use crate::crypto::{self, b64url};

/// An RSA key of 2,048 bits that signs with RS512 (RFC 7518 section 3.3).
pub struct RsaKey {
    pem: String,
    kid: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    encoding: jsonwebtoken::EncodingKey,
}

impl std::fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RsaKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl RsaKey {
    /// Makes a key.
    ///
    /// # Errors
    /// Only when the cryptographic library refuses.
    pub fn generate() -> Result<Self, KeyError> {
        let refused = |_| KeyError::Library("making an RSA key");
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(refused)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(refused)?;
        Self::from_pem(&pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref())))
    }

    /// Reads a PKCS #8 key in PEM form. Text around the PEM block is ignored.
    ///
    /// # Errors
    /// When it is not an RSA private key of at least 2,048 bits.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = pem::parse(text).map_err(|_| KeyError::Library("not a PEM private key"))?;
        let pair = KeyPair::from_pkcs8(block.contents())
            .map_err(|_| KeyError::Library("not a PKCS #8 RSA key of 2048 bits or more"))?;
        let public = pair.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = public.exponent().big_endian_without_leading_zero().to_vec();
        let pem = pem::encode(&block);
        let encoding = jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes())
            .map_err(|_| KeyError::Library("the signer does not take this key"))?;
        let kid = thumbprint(&modulus, &exponent);
        Ok(Self { pem, kid, modulus, exponent, encoding })
    }

    /// Reads the key from a file, or makes one and writes it there with `note` before it.
    ///
    /// # Errors
    /// When the file cannot be read or written or holds no usable key.
    pub fn load_or_create(path: &Path, note: &str) -> Result<Self, KeyError> {
        if path.exists() {
            return Self::load(path).map(|(key, _)| key);
        }
        let key = Self::generate()?;
        match write_private(path, &format!("{note}\n{}", key.pem), true) {
            Err(error) if error.is_already_there() => Self::load(path).map(|(key, _)| key),
            written => written.map(|()| key),
        }
    }

    /// Reads the key from a file; tells also whether the sandbox made it.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable key.
    pub fn load(path: &Path) -> Result<(Self, bool), KeyError> {
        let text = read_text(path)?;
        let key = Self::from_pem(&text)
            .map_err(|error| KeyError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        Ok((key, text.contains(SANDBOX_MARK)))
    }

    /// The key's id: its thumbprint (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JSON Web Key (RFC 7517), for signatures with RS512.
    #[must_use]
    pub fn public_jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "RSA", "use": "sig", "alg": "RS512", "kid": self.kid,
            "n": b64url(&self.modulus), "e": b64url(&self.exponent),
        })
    }

    /// The private half as PKCS #8 PEM.
    #[must_use]
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// Signs `claims` as a compact JWT with RS512 and this key's `kid`.
    ///
    /// # Errors
    /// Only when the claims do not serialise or the library refuses.
    pub fn sign(&self, typ: Option<&str>, claims: &impl Serialize) -> Result<String, KeyError> {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS512);
        header.typ = typ.map(str::to_owned);
        header.kid = Some(self.kid.clone());
        self.sign_with(&header, claims)
    }

    /// Signs with a header of the caller's making: the simulator's faults need one without a `kid`.
    ///
    /// # Errors
    /// As [`RsaKey::sign`].
    pub fn sign_with(
        &self,
        header: &jsonwebtoken::Header,
        claims: &impl Serialize,
    ) -> Result<String, KeyError> {
        jsonwebtoken::encode(header, claims, &self.encoding).map_err(|_| KeyError::Library("signing"))
    }
}

/// RFC 7638: SHA-256 over the required members in lexicographic order, without blanks.
fn thumbprint(modulus: &[u8], exponent: &[u8]) -> String {
    let members = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64url(exponent), b64url(modulus));
    b64url(&crypto::sha256(members.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rsa_key_reads_back_and_signs_what_its_public_half_verifies() {
        let key = RsaKey::generate().unwrap();
        let again = RsaKey::from_pem(key.to_pem()).unwrap();
        assert_eq!(key.kid(), again.kid());
        let token = again.sign(None, &serde_json::json!({"sub": "me", "exp": 4_000_000_000_u64})).unwrap();
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.public_jwk()).unwrap();
        let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS512);
        checks.validate_aud = false;
        let read = jsonwebtoken::decode::<serde_json::Value>(
            &token,
            &jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap(),
            &checks,
        )
        .unwrap();
        assert_eq!(read.claims["sub"], "me");
    }
}
