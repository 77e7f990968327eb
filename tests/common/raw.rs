//! A bare MQTT 3.1.1 client that shares no code with the project: it says exactly what it is told to, and no more.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const SUBACK: u8 = 9;
pub const PINGRESP: u8 = 13;

const PATIENCE: Duration = Duration::from_secs(10);

/// What a client says at CONNECT.
#[derive(Clone, Default)]
pub struct Hello {
    pub id: String,
    pub persistent: bool,
    pub will: Option<(String, Vec<u8>, bool)>,
    pub login: Option<(String, String)>,
}

impl Hello {
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    pub fn will(mut self, topic: &str, payload: &[u8], retain: bool) -> Self {
        self.will = Some((topic.to_owned(), payload.to_vec(), retain));
        self
    }

    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    fn encode(&self) -> Vec<u8> {
        let mut flags = if self.persistent { 0 } else { 0x02 };
        let mut body = Vec::new();
        text(&mut body, b"MQTT");
        body.push(4);
        if let Some((_, _, retain)) = &self.will {
            flags |= 0x04 | 0x08 | if *retain { 0x20 } else { 0 };
        }
        if self.login.is_some() {
            flags |= 0xC0;
        }
        body.extend([flags, 0, 60]);
        text(&mut body, self.id.as_bytes());
        if let Some((topic, payload, _)) = &self.will {
            text(&mut body, topic.as_bytes());
            text(&mut body, payload);
        }
        if let Some((user, password)) = &self.login {
            text(&mut body, user.as_bytes());
            text(&mut body, password.as_bytes());
        }
        packet(0x10, &body)
    }
}

/// A packet as it came: the first byte and what follows the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

impl Packet {
    pub fn kind(&self) -> u8 {
        self.first >> 4
    }

    /// Packet id of a PUBACK or SUBACK.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// `(topic, retain, payload)` of a PUBLISH.
    pub fn message(&self) -> (String, bool, Vec<u8>) {
        assert_eq!(self.kind(), PUBLISH, "{self:?}");
        let length = usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        let topic = String::from_utf8(self.body[2..2 + length].to_vec()).unwrap();
        let start = 2 + length + if self.first & 0x06 != 0 { 2 } else { 0 };
        (topic, self.first & 1 == 1, self.body[start..].to_vec())
    }
}

/// What a client speaks over: TCP, or TLS on it.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connected client.
pub struct Raw {
    stream: Box<dyn Wire>,
    /// A byte that was read to see whether there is one.
    ahead: Option<u8>,
}

impl Raw {
    /// Connects and returns the client with the return code and the session-present flag.
    pub async fn try_connect(address: SocketAddr, hello: &Hello) -> io::Result<(Self, u8, bool)> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::greet(Box::new(stream), hello).await
    }

    /// The same over a wire that is there already.
    pub async fn greet(stream: Box<dyn Wire>, hello: &Hello) -> io::Result<(Self, u8, bool)> {
        let mut raw = Self { stream, ahead: None };
        raw.send(&hello.encode()).await?;
        let connack = raw.try_read().await?;
        assert_eq!(connack.kind(), CONNACK, "{connack:?}");
        Ok((raw, connack.body[1], connack.body[0] & 1 == 1))
    }

    /// Connects. A broker that is still clearing up after the same client may say "unavailable" first; devices try
    /// again then, and so does this.
    pub async fn connect(address: SocketAddr, hello: &Hello) -> Self {
        for _ in 0..200 {
            let (raw, code, _) = Self::try_connect(address, hello).await.expect("the broker is up");
            if code == 0 {
                return raw;
            }
            assert_eq!(code, 3, "connection of {} refused", hello.id);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("connection of {} refused for two seconds", hello.id);
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    pub async fn publish(&mut self, topic: &str, payload: &[u8], id: u16, retain: bool) -> io::Result<()> {
        self.send(&publish(topic, payload, id, retain)).await
    }

    /// Publishes and waits for the acknowledgement.
    pub async fn deliver(&mut self, topic: &str, payload: &[u8], id: u16) {
        self.publish(topic, payload, id, false).await.unwrap();
        let ack = self.read().await;
        assert_eq!((ack.kind(), ack.id()), (PUBACK, id));
    }

    /// Subscribes at QoS 1 and returns the granted code.
    pub async fn subscribe(&mut self, filter: &str, id: u16) -> io::Result<u8> {
        let mut body = id.to_be_bytes().to_vec();
        text(&mut body, filter.as_bytes());
        body.push(1);
        self.send(&packet(0x82, &body)).await?;
        let suback = self.try_read().await?;
        assert_eq!((suback.kind(), suback.id()), (SUBACK, id), "{suback:?}");
        Ok(suback.body[2])
    }

    pub async fn ping(&mut self) {
        self.send(&[0xC0, 0]).await.unwrap();
    }

    pub async fn puback(&mut self, id: u16) {
        let [high, low] = id.to_be_bytes();
        self.send(&[0x40, 2, high, low]).await.unwrap();
    }

    /// The next packet, whatever it is.
    pub async fn read(&mut self) -> Packet {
        self.try_read().await.expect("a packet")
    }

    /// The next packet, or why there is none.
    pub async fn try_read(&mut self) -> io::Result<Packet> {
        match tokio::time::timeout(PATIENCE, self.read_one()).await {
            Ok(read) => read,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn read_one(&mut self) -> io::Result<Packet> {
        let first = match self.ahead.take() {
            Some(byte) => byte,
            None => self.stream.read_u8().await?,
        };
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Packet { first, body })
    }

    /// Waits until the other side closes; whatever still comes is skipped.
    pub async fn closed(&mut self) {
        loop {
            match self.try_read().await {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => panic!("the connection stays open"),
                Err(_) => return,
            }
        }
    }

    /// Whether nothing arrives within `span`.
    pub async fn is_silent(&mut self, span: Duration) -> bool {
        if self.ahead.is_none() {
            match tokio::time::timeout(span, self.stream.read_u8()).await {
                Err(_) => return true,
                Ok(Ok(byte)) => self.ahead = Some(byte),
                Ok(Err(_)) => {}
            }
        }
        false
    }
}

pub fn publish(topic: &str, payload: &[u8], id: u16, retain: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
    text(&mut body, topic.as_bytes());
    body.extend(id.to_be_bytes());
    body.extend(payload);
    packet(0x32 | u8::from(retain), &body)
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let digit = (length % 128) as u8;
        length /= 128;
        bytes.push(digit | if length > 0 { 0x80 } else { 0 });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

fn text(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
    into.extend(bytes);
}
