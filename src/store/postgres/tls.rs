//! TLS to the server by rustls, as `sslmode` asks for it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresConfig;
use crate::config::TlsMode;
use crate::store::error::OpenError;

/// What makes connections encrypted; nothing where the address says that they shall not be.
pub(super) fn connector(config: &PostgresConfig) -> Result<Option<MakeRustlsConnect>, OpenError> {
    let address = &config.address;
    let checks = match (address.tls, &address.root_certificates) {
        (TlsMode::Disable, _) => return Ok(None),
        (TlsMode::Prefer, _) | (TlsMode::Require, None) => Checks::Nothing,
        // What programs over libpq do with a file of authorities.
        (TlsMode::Require, Some(_)) | (TlsMode::VerifyCa, _) => Checks::Authority,
        (TlsMode::VerifyFull, _) => Checks::AuthorityAndName,
    };
    let wrong = |reason: String| OpenError::Address {
        name: config.name_of_address(),
        reason,
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = ServerVerifier {
        authority: match checks {
            Checks::Nothing => None,
            Checks::Authority | Checks::AuthorityAndName => {
                let roots = Arc::new(roots(address.root_certificates.as_deref(), wrong)?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                Some(verifier.map_err(|error| wrong(format!(
                    "its sslrootcert has no usable certificate ({error}): name a file with that of the server's authority"
                )))?)
            }
        },
        any_name: checks == Checks::Authority,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// The authorities in this file, or those that browsers trust; `wrong` makes the error.
fn roots(file: Option<&Path>, wrong: impl Fn(String) -> OpenError) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let unreadable = |reason: String| {
        wrong(format!(
            "its sslrootcert {} cannot be read ({reason}): name a file of certificates in PEM that the gateway may read",
            path.display()
        ))
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    Ok(roots)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    Nothing,
    Authority,
    AuthorityAndName,
}

/// Checks as much of the server's certificate as `sslmode` asks for, and always that the server has its key.
#[derive(Debug)]
struct ServerVerifier {
    authority: Option<Arc<WebPkiServerVerifier>>,
    any_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        match authority.verify_server_cert(certificate, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: the rest is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
