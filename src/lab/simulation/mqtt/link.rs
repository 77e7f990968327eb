//! One MQTT 3.1.1 connection that only publishes.
//!
//! rumqttc serves the ingest side. A *publisher* needs other things of it than it gives: it writes and flushes one
//! packet at a time (a system call of 4-5 us each, against a load of more than 50,000 reports a second), forgets what
//! was not acknowledged when the broker starts a new session, and has an open livelock for QoS 1 publishers
//! (bytebeamio/rumqtt#1056). What is left of the protocol without subscriptions is six packets, so they are written here,
//! and what was not acknowledged stays with the caller, who sends it again.
//!
//! Section numbers are those of the OASIS standard, MQTT 3.1.1 (2014).

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The broker that is spoken to.
#[derive(Clone, Debug)]
pub struct Target {
    pub host: String,
    pub port: u16,
    /// First level of every topic.
    pub root: String,
    /// User name and password, if the broker wants them.
    pub credentials: Option<(String, String)>,
}

/// A connection could not be made or has failed.
#[derive(Debug, Error)]
pub enum LinkError {
    #[error("cannot reach the broker")]
    Connect(#[source] io::Error),
    #[error("the broker did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the broker refused the connection: {}", refusal(*.0))]
    Refused(u8),
    #[error("the connection to the broker has failed")]
    Broken(#[source] io::Error),
    #[error("the broker sent something that a publisher cannot expect")]
    Protocol,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// First bytes of packets: type and flags (2.2).
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH_QOS_1: u8 = 0x32;
const PUBACK: u8 = 0x40;
const PINGREQ: u8 = 0xC0;
const PINGRESP: u8 = 0xD0;
const DISCONNECT: u8 = 0xE0;
const DUP: u8 = 0x08;
const RETAIN: u8 = 0x01;
/// Connect flags (3.1.2.3): clean session; a retained will of QoS 1; user name and password.
const CLEAN: u8 = 0x02;
const WILL: u8 = 0x04 | 0x08 | 0x20;
const LOGIN: u8 = 0x80 | 0x40;

/// A message that the broker publishes when the connection is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Will<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
}

/// How a message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) retain: bool,
    /// It was sent before, on another connection.
    pub(crate) again: bool,
}

/// An accepted connection. Dropping it without [`Link::close`] looks like a lost device: the broker publishes the will.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    output: Vec<u8>,
    input: Vec<u8>,
}

impl Link {
    /// Connects and waits for the broker's consent.
    pub(crate) async fn open(
        target: &Target,
        client_id: &str,
        will: Option<Will<'_>>,
        keep_alive_s: u16,
    ) -> Result<Self, LinkError> {
        let opening = async {
            let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(LinkError::Connect)?;
            stream.set_nodelay(true).map_err(LinkError::Connect)?;
            let mut link = Self { stream, output: Vec::new(), input: Vec::new() };
            write_connect(&mut link.output, target, client_id, will, keep_alive_s);
            link.flush().await?;
            link.await_consent().await?;
            Ok(link)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| LinkError::Timeout(CONNECT_TIMEOUT))?
    }

    async fn await_consent(&mut self) -> Result<(), LinkError> {
        while self.input.len() < 4 {
            self.read().await?;
        }
        match self.input[..4] {
            [CONNACK, 2, _, 0] => {
                self.input.drain(..4);
                Ok(())
            }
            [CONNACK, 2, _, code] => Err(LinkError::Refused(code)),
            _ => Err(LinkError::Protocol),
        }
    }

    /// Puts a QoS 1 message in the output; [`Self::flush`] sends it.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8], packet: u16, flags: Flags) {
        write_publish(&mut self.output, topic, payload, packet, flags);
    }

    /// The output, for packets that were laid out before.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Puts a ping in the output.
    pub(crate) fn ping(&mut self) {
        self.output.extend_from_slice(&[PINGREQ, 0]);
    }

    /// Sends the output. Not cancel-safe: a packet cut in two ends the connection.
    pub(crate) async fn flush(&mut self) -> Result<(), LinkError> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await.map_err(LinkError::Broken)?;
            self.output.clear();
        }
        Ok(())
    }

    /// Waits for input and tells the numbers of the messages that it acknowledges. Cancel-safe.
    pub(crate) async fn acks(&mut self, mut see: impl FnMut(u16)) -> Result<(), LinkError> {
        self.read().await?;
        let mut used = 0;
        while let Some(&[kind, length]) = self.input.get(used..used + 2) {
            match (kind, length) {
                (PUBACK, 2) => {
                    let Some(&[high, low]) = self.input.get(used + 2..used + 4) else { break };
                    see(u16::from_be_bytes([high, low]));
                    used += 4;
                }
                (PINGRESP, 0) => used += 2,
                _ => return Err(LinkError::Protocol),
            }
        }
        self.input.drain(..used);
        Ok(())
    }

    async fn read(&mut self) -> Result<(), LinkError> {
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) => Err(LinkError::Broken(io::ErrorKind::ConnectionReset.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(LinkError::Broken(error)),
        }
    }

    /// Takes leave, so that no will is published.
    pub(crate) async fn close(mut self) {
        self.output.extend_from_slice(&[DISCONNECT, 0]);
        // Whoever leaves does not mind that the other side is gone already.
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }
}

fn write_connect(output: &mut Vec<u8>, target: &Target, client_id: &str, will: Option<Will<'_>>, keep_alive_s: u16) {
    let mut body = Vec::new();
    write_text(&mut body, b"MQTT");
    let will_flags = if will.is_some() { WILL } else { 0 };
    let login_flags = if target.credentials.is_some() { LOGIN } else { 0 };
    body.extend_from_slice(&[4, CLEAN | will_flags | login_flags]);
    body.extend_from_slice(&keep_alive_s.to_be_bytes());
    write_text(&mut body, client_id.as_bytes());
    if let Some(will) = will {
        write_text(&mut body, will.topic.as_bytes());
        write_text(&mut body, will.payload);
    }
    if let Some((user, password)) = &target.credentials {
        write_text(&mut body, user.as_bytes());
        write_text(&mut body, password.as_bytes());
    }
    output.push(CONNECT);
    write_length(output, body.len());
    output.extend_from_slice(&body);
}

/// Lays a QoS 1 PUBLISH out at the end of `output` (3.3).
pub(crate) fn write_publish(output: &mut Vec<u8>, topic: &str, payload: &[u8], packet: u16, flags: Flags) {
    output.push(PUBLISH_QOS_1 | if flags.retain { RETAIN } else { 0 } | if flags.again { DUP } else { 0 });
    write_length(output, 2 + topic.len() + 2 + payload.len());
    write_text(output, topic.as_bytes());
    output.extend_from_slice(&packet.to_be_bytes());
    output.extend_from_slice(payload);
}

/// Length of everything before the packet number in a PUBLISH that [`write_publish`] has laid out.
pub(crate) fn packet_number_at(topic: &str, payload_len: usize) -> usize {
    let mut length = Vec::new();
    write_length(&mut length, 2 + topic.len() + 2 + payload_len);
    1 + length.len() + 2 + topic.len()
}

/// A remaining length: seven bits a byte, lowest first (2.2.3).
fn write_length(output: &mut Vec<u8>, mut length: usize) {
    loop {
        let more = length > 0x7F;
        output.push((length & 0x7F) as u8 | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            return;
        }
    }
}

/// Bytes behind their length in two bytes (1.5.3). Device ids, topics and statuses are far below the 64 KiB of that.
fn write_text(output: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).expect("texts of a connection are below 64 KiB");
    output.extend_from_slice(&length.to_be_bytes());
    output.extend_from_slice(text);
}

/// What a CONNACK code means (3.2.2.3).
fn refusal(code: u8) -> &'static str {
    match code {
        1 => "it does not speak MQTT 3.1.1",
        2 => "it does not accept this client id",
        3 => "it is not available",
        4 => "wrong user name or password",
        5 => "not authorised",
        _ => "unknown reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with rumqttc's codec, which shares no code with this one.
    fn parsed(bytes: &[u8]) -> rumqttc::Packet {
        let mut bytes = bytes::BytesMut::from(bytes);
        let packet = rumqttc::Packet::read(&mut bytes, 1 << 20).unwrap();
        assert!(bytes.is_empty(), "one whole packet");
        packet
    }

    #[test]
    fn publishes_of_every_length_are_read_by_another_codec() {
        for size in [0, 1, 100, 127, 128, 16_000, 16_384, 60_000] {
            let payload = vec![7; size];
            let mut bytes = Vec::new();
            write_publish(&mut bytes, "utm/v1/B-1/report", &payload, 513, Flags { retain: true, again: true });
            let at = packet_number_at("utm/v1/B-1/report", size);
            assert_eq!(bytes[at..at + 2], 513u16.to_be_bytes());
            let rumqttc::Packet::Publish(publish) = parsed(&bytes) else { panic!("a publish") };
            assert_eq!((publish.topic.as_str(), publish.pkid), ("utm/v1/B-1/report", 513));
            assert!(publish.retain && publish.dup && publish.qos == rumqttc::QoS::AtLeastOnce);
            assert_eq!(publish.payload, payload);
        }
    }

    #[test]
    fn a_connect_says_client_will_and_login() {
        let target = Target {
            host: "localhost".into(),
            port: 1,
            root: "utm".into(),
            credentials: Some(("user".into(), "secret".into())),
        };
        let mut bytes = Vec::new();
        write_connect(&mut bytes, &target, "B-1", Some(Will { topic: "t/s", payload: b"gone" }), 30);
        let rumqttc::Packet::Connect(connect) = parsed(&bytes) else { panic!("a connect") };
        assert_eq!((connect.client_id.as_str(), connect.keep_alive, connect.clean_session), ("B-1", 30, true));
        let will = connect.last_will.unwrap();
        assert_eq!((will.topic.as_str(), &will.message[..], will.retain), ("t/s", &b"gone"[..], true));
        assert_eq!(will.qos, rumqttc::QoS::AtLeastOnce);
        assert_eq!(connect.login.unwrap(), rumqttc::Login::new("user", "secret"));
    }
}
