//! Maps whose keys the gateway makes or its operator writes.

use std::collections::{HashMap, HashSet};

/// How an [`IdMap`] hashes its keys: fast, with a seed of the process.
pub use foldhash::fast::RandomState as IdHasher;

/// A map by ids or names. Each request looks up twenty of them, which costs a quarter of what it costs in a map that
/// withstands keys chosen to collide: nobody outside chooses these.
pub type IdMap<K, V> = HashMap<K, V, IdHasher>;

/// A set of ids or names; see [`IdMap`].
pub type IdSet<K> = HashSet<K, IdHasher>;
