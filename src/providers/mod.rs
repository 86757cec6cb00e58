//! Calls of providers.
