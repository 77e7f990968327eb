//! The bounds of a message: what is checked before memory is spent on it.

/// Largest payload that any limit can allow, in bytes; the binary decoder's own limit is derived from it.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// Largest count accepted per millisecond of the period. A minute then adds up to 600 million at most, a seventh of
/// what a 32-bit counter holds; a box that passes ten million flows a second does not exist.
pub const MAX_PER_MS: u64 = 10_000;

/// Longest period of a report in milliseconds.
pub const MAX_PERIOD_MS: u32 = 61_000;

/// Farthest accepted instant from the epoch, before or after it, in milliseconds (year 9999).
pub const MAX_WALL_MS: i64 = 253_402_300_799_999;

/// Bounds of a message. The default is for production; a test may tighten it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest payload in bytes; more than [`MAX_PAYLOAD_BYTES`] counts as that.
    pub max_payload: usize,
    /// Most latency values (samples, pairs, or merged HDR buckets) in one report, all classes together.
    pub max_buckets: usize,
    /// Most rules in one traffic class.
    pub max_rules: usize,
    /// Most packages in one status.
    pub max_packages: usize,
    /// Longest counts section of an HdrHistogram in bytes, after inflation.
    pub max_inflated: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload: MAX_PAYLOAD_BYTES,
            max_buckets: 4_096,
            max_rules: 64,
            max_packages: 32,
            max_inflated: 64 * 1024,
        }
    }
}

impl Limits {
    /// The effective limit of the payload in bytes.
    pub fn payload_bytes(&self) -> usize {
        self.max_payload.min(MAX_PAYLOAD_BYTES)
    }
}
