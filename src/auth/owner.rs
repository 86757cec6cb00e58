//! Whom a request is recorded for.

use std::sync::Arc;

use gateway_actors::protocol::{Caller, ErrorKind, GatewayError};

/// The user and the project that a request belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: Option<Arc<str>>,
    /// The project.
    pub project: Option<Arc<str>>,
}

/// Whom a caller's request is recorded for: the key's own user and project. Only callers without a virtual key name
/// them themselves, in `userId` and `projectId`; a key's holder may repeat what is his.
///
/// # Errors
/// `forbidden`, with the field that names somebody else.
pub fn owner(caller: &Caller, named: Owner) -> Result<Owner, GatewayError> {
    let Some(key) = caller.key() else { return Ok(named) };
    let own = Owner {
        user: key.user.clone(),
        project: key.project.clone(),
    };
    let fields = [
        ("userId", "user", &named.user, &own.user),
        ("projectId", "project", &named.project, &own.project),
    ];
    for (field, what, named, own) in fields {
        if named.is_some() && named != own {
            let message = match own {
                Some(_) => format!("this key belongs to another {what}; leave `{field}` out"),
                None => format!("this key belongs to no {what}; leave `{field}` out"),
            };
            return Err(GatewayError::new(ErrorKind::Forbidden, message).with_param(field));
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{AccessRole, KeyId, KeyIdentity, RateLimits};

    use super::*;

    fn named(user: Option<&str>, project: Option<&str>) -> Owner {
        Owner {
            user: user.map(Arc::from),
            project: project.map(Arc::from),
        }
    }

    #[test]
    fn a_keys_owner_is_recorded_and_no_other_may_be_named() {
        let key = Caller::Key(Arc::new(KeyIdentity {
            id: KeyId::generate(),
            project: Some("p".into()),
            user: None,
            role: AccessRole::User,
            max_layer: None,
            models: None,
            expires_at: None,
            limits: RateLimits::default(),
        }));
        let own = named(None, Some("p"));
        assert_eq!(owner(&key, Owner::default()).unwrap(), own);
        assert_eq!(owner(&key, own.clone()).unwrap(), own);
        for (wrong, field) in [
            (named(None, Some("q")), "projectId"),
            (named(Some("ann"), Some("p")), "userId"),
        ] {
            let error = owner(&key, wrong).unwrap_err();
            assert_eq!(
                (error.kind, error.param.as_deref()),
                (ErrorKind::Forbidden, Some(field))
            );
        }
    }

    #[test]
    fn without_a_key_labels_are_taken_as_they_are() {
        let labels = named(Some("ann"), Some("p"));
        for caller in [Caller::Local, Caller::Admin] {
            assert_eq!(owner(&caller, labels.clone()).unwrap(), labels);
        }
    }
}
