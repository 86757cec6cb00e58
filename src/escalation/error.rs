//! Why an offer cannot be redeemed.

use gateway_actors::protocol::{ErrorKind, GatewayError, StoreError};

/// Why an offer cannot be redeemed. Whose it is and what it was for is told to nobody who does not know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The token is none, is another caller's, or is for another request.
    #[error(
        "the token is no offer of this caller for this request; send the token, the body and the key that belong together, or ask again without a token"
    )]
    Invalid,
    /// The offer has ended.
    #[error("the offer has ended; ask again without its token to get a new one")]
    Expired,
    /// The offer was decided before.
    #[error("the offer was approved or rejected before, and an offer is good once; ask again without its token")]
    Used,
    /// The database cannot say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for GatewayError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Invalid => ErrorKind::EscalationInvalid,
            Refusal::Expired => ErrorKind::EscalationExpired,
            Refusal::Used => ErrorKind::EscalationUsed,
            Refusal::Store(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "an offer could not be looked at");
                return error.into();
            }
        };
        Self::new(kind, refusal.to_string())
    }
}
