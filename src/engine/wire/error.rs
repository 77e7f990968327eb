//! Why a message was refused, or a field of it left out.

use thiserror::Error;

/// Why a message, or a field of it, cannot be used. Small and `Copy`: refusing a hostile message must not cost more than accepting a good one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// Not the topic of a report or status of a valid device id.
    #[error("not a report or status topic of a valid device id")]
    BadTopic,
    /// No bytes at all (what clears a retained message).
    #[error("the payload is empty")]
    Empty,
    /// Above the limit of the payload.
    #[error("the payload is larger than the limit")]
    TooLarge,
    /// The first byte is neither `{` nor 0x01.
    #[error("the first byte names no known encoding")]
    UnknownEncoding,
    /// `v` is another version than 1.
    #[error("`v` is not a version that is understood")]
    UnsupportedVersion,
    /// The payload ends in the middle of a value.
    #[error("the payload ends too early")]
    Truncated,
    /// Bytes that the encoding does not allow.
    #[error("the payload breaks the rules of its encoding")]
    Malformed,
    /// Bytes after the end of the message.
    #[error("there are bytes after the end of the message")]
    TrailingBytes,
    /// A value of another type than its field has.
    #[error("a field holds a value of the wrong type")]
    WrongType,
    /// A required field is not there.
    #[error("the field `{0}` is missing")]
    MissingField(&'static str),
    /// A field is there twice.
    #[error("the field `{0}` is there twice")]
    DuplicateField(&'static str),
    /// A traffic class is there twice.
    #[error("a traffic class is there twice")]
    DuplicateClass,
    /// A rule or a package is there twice.
    #[error("a rule or package is there twice")]
    DuplicateName,
    /// A traffic class that does not exist.
    #[error("there is no such traffic class")]
    UnknownClass,
    /// The payload names another device than the topic.
    #[error("the payload names another device than the topic")]
    DeviceMismatch,
    /// A number with a fraction or an exponent.
    #[error("a number is not an integer")]
    NotAnInteger,
    /// A number outside its field's range.
    #[error("the field `{0}` is out of range")]
    OutOfRange(&'static str),
    /// Counts that contradict each other.
    #[error("`{0}` exceeds what it is a part of")]
    Inconsistent(&'static str),
    /// More items than the limit.
    #[error("there are too many {0}")]
    TooMany(&'static str),
    /// A text that is empty where it may not be, too long, or no UTF-8.
    #[error("the text of `{0}` is empty, longer than 128 characters, or not UTF-8")]
    BadText(&'static str),
    /// More than one form of latency in one class.
    #[error("a class holds more than one form of latency")]
    LatencyForms,
    /// The histogram's text is not base64.
    #[error("the histogram is not base64")]
    HdrBase64,
    /// The histogram's header is wrong or of another format.
    #[error("the histogram's header is not that of HdrHistogram V2 in an accepted range")]
    HdrHeader,
    /// A length in the histogram disagrees with the bytes that are there, or exceeds the limit.
    #[error("a length in the histogram is wrong or above the limit")]
    HdrLength,
    /// The histogram's counts are damaged or do not fit its range.
    #[error("the histogram's counts are damaged or leave its range")]
    HdrCounts,
    /// The histogram does not inflate.
    #[error("the histogram does not inflate")]
    HdrInflate,
}

impl DecodeError {
    /// Every reason for which a whole message is refused: the closed set of values of the metric label.
    pub const REASONS: &'static [&'static str] = &[
        "bad_topic",
        "empty",
        "too_large",
        "unknown_encoding",
        "unsupported_version",
        "truncated",
        "malformed",
        "trailing_bytes",
        "wrong_type",
        "missing_field",
        "duplicate_field",
        "device_mismatch",
        "not_an_integer",
        "out_of_range",
    ];

    /// Every reason for which a field is left out of a message that is accepted.
    pub const LEFT_OUT_REASONS: &'static [&'static str] = &[
        "wrong_type",
        "missing_field",
        "duplicate_field",
        "duplicate_class",
        "duplicate_name",
        "unknown_class",
        "not_an_integer",
        "out_of_range",
        "inconsistent",
        "too_many",
        "bad_text",
        "latency_forms",
        "hdr_base64",
        "hdr_header",
        "hdr_length",
        "hdr_counts",
        "hdr_inflate",
    ];

    /// The field that is at fault, where one alone is.
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::UnsupportedVersion => Some("v"),
            Self::DeviceMismatch => Some("device"),
            Self::MissingField(field)
            | Self::DuplicateField(field)
            | Self::OutOfRange(field)
            | Self::Inconsistent(field)
            | Self::TooMany(field)
            | Self::BadText(field) => Some(field),
            _ => None,
        }
    }

    /// The reason as a metric label; one of [`Self::REASONS`] or, of a field, of [`Self::LEFT_OUT_REASONS`].
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BadTopic => "bad_topic",
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::UnknownEncoding => "unknown_encoding",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::TrailingBytes => "trailing_bytes",
            Self::WrongType => "wrong_type",
            Self::MissingField(_) => "missing_field",
            Self::DuplicateField(_) => "duplicate_field",
            Self::DuplicateClass => "duplicate_class",
            Self::DuplicateName => "duplicate_name",
            Self::UnknownClass => "unknown_class",
            Self::DeviceMismatch => "device_mismatch",
            Self::NotAnInteger => "not_an_integer",
            Self::OutOfRange(_) => "out_of_range",
            Self::Inconsistent(_) => "inconsistent",
            Self::TooMany(_) => "too_many",
            Self::BadText(_) => "bad_text",
            Self::LatencyForms => "latency_forms",
            Self::HdrBase64 => "hdr_base64",
            Self::HdrHeader => "hdr_header",
            Self::HdrLength => "hdr_length",
            Self::HdrCounts => "hdr_counts",
            Self::HdrInflate => "hdr_inflate",
        }
    }
}
