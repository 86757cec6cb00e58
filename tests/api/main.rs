//! Black-box tests: the real binary, real sockets, a scripted provider behind it.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
