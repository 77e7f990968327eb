//! The versions of the two encodings.

/// First byte of the binary encoding: its version.
pub const BINARY_VERSION: u8 = 1;

/// `v` of the JSON encoding.
pub const JSON_VERSION: u64 = 1;
