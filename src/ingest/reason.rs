//! Why a connection ended, in the closed words of the metrics.

use rumqttc::mqttbytes::Error as CodecError;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};

use super::DownReason;

/// The reason for which a connection failed or was lost.
pub(super) fn reason_of(error: &ConnectionError) -> DownReason {
    match error {
        ConnectionError::MqttState(error) => reason_of_state(error),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => DownReason::Timeout,
        ConnectionError::Tls(_) => DownReason::Tls,
        ConnectionError::Io(_) => DownReason::Unreachable,
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::BadUserNamePassword
            | ConnectReturnCode::NotAuthorized
            | ConnectReturnCode::BadClientId => DownReason::NotAuthorized,
            _ => DownReason::Unavailable,
        },
        _ => DownReason::Protocol,
    }
}

/// The reason that the protocol's state gives.
pub(super) fn reason_of_state(error: &StateError) -> DownReason {
    match error {
        StateError::Io(_) | StateError::ConnectionAborted => DownReason::Closed,
        StateError::Deserialization(CodecError::Io(_)) => DownReason::Closed,
        StateError::AwaitPingResp => DownReason::PingTimeout,
        StateError::Deserialization(CodecError::PayloadSizeLimitExceeded(_)) => DownReason::PacketTooLarge,
        _ => DownReason::Protocol,
    }
}
