//! The production sample of `deploy/mosquitto`: Mosquitto accepts it, and it lets in whom it should.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::mosquitto::{Mosquitto, replace};
use common::raw::{Hello, PUBACK, Raw};
use common::running::Ingest;
use common::sink::TestSink;
use common::until;
use fleetwatch::delivery::Retained;
use fleetwatch::ingest::{DownReason, IngestConfig, IngestError, SessionState, TlsConfig, TlsIdentity};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const SOON: Duration = Duration::from_secs(20);

/// A throw-away certificate authority in a directory.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "openssl is not installed");
            println!("skipped: openssl is not installed");
            return None;
        }
        let authority = Self(tempfile::tempdir().unwrap());
        authority.root("ca");
        Some(authority)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, line: &str) {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn root(&self, name: &str) {
        self.openssl(&format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.crt"));
    }

    /// A certificate of this name, signed by `ca`.
    fn issue(&self, ca: &str, file: &str, name: &str, days: i32, extra: &str) {
        fs::write(self.path("ext"), format!("basicConstraints=CA:FALSE\n{extra}\n")).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {file}.key -out {file}.csr"
        ));
        self.openssl(&format!("x509 -req -in {file}.csr -CA {ca}.crt -CAkey {ca}.key -CAcreateserial -days {days} -extfile ext -out {file}.crt"));
    }

    fn identity(&self, file: &str) -> TlsIdentity {
        TlsIdentity { certificate: self.path(&format!("{file}.crt")), key: self.path(&format!("{file}.key")) }
    }

    /// A TLS connection with this identity; a refusal may come at the handshake or, with TLS 1.3, at the first read.
    async fn connect(&self, address: SocketAddr, identity: Option<&str>, hello: &Hello) -> std::io::Result<(Raw, u8)> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.crt")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let certificate = CertificateDer::from_pem_file(self.path(&format!("{file}.crt"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{file}.key"))).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from("broker.example").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        Raw::greet(Box::new(stream), hello).await.map(|(raw, code, _)| (raw, code))
    }
}

/// The sample with the paths of this test in place of `/etc/mosquitto`.
async fn start(authority: &Authority) -> Option<Mosquitto> {
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mosquitto");
    let place = |name: &str| authority.path(name).display().to_string();
    fs::copy(Path::new(deploy).join("acl"), authority.path("acl")).unwrap();
    let mut text = fs::read_to_string(Path::new(deploy).join("production.conf")).unwrap();
    text = replace(&text, "listener ", "listener 8883 127.0.0.1");
    for (start, name) in
        [("cafile ", "ca.crt"), ("certfile ", "broker.crt"), ("keyfile ", "broker.key"), ("acl_file ", "acl")]
    {
        text = replace(&text, start, &format!("{start}{}", place(name)));
    }
    text = replace(&text, "log_dest ", "log_dest none");
    Mosquitto::start_with(&text, |text| text).await
}

fn config(address: SocketAddr, tls: TlsConfig) -> IngestConfig {
    IngestConfig { host: address.ip().to_string(), port: address.port(), tls: Some(tls), ..IngestConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_production_sample_binds_every_device_to_its_certificate() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("ca", "broker", "broker.example", 2, "subjectAltName=DNS:broker.example");
    for name in ["fleetwatch", "B-1", "B-2"] {
        authority.issue("ca", name, name, 2, "");
    }
    authority.issue("ca", "expired", "B-1", -1, "");
    authority.root("other");
    authority.issue("other", "stranger", "B-1", 2, "");
    let Some(mosquitto) = start(&authority).await else { return };
    let address = mosquitto.address();

    let sink = TestSink::prompt();
    // The certificate names the broker, not the address that is connected to.
    let tls = TlsConfig {
        ca: authority.path("ca.crt"),
        identity: Some(authority.identity("fleetwatch")),
        server_name: Some("broker.example".to_owned()),
    };
    let gate = ("utm/v1/updates/2026.11.21/gate".to_owned(), b"{\"gate\":\"hold\"}".to_vec());
    let ring = ("utm/v1/updates/control-ring".to_owned(), b"{\"devices\":[]}".to_vec());
    let (_wanted, retained) = watch::channel::<Retained>(Arc::new([gate, ring].into()));
    let mut ingest = Ingest::start(IngestConfig { retained: Some(retained), ..config(address, tls.clone()) }, &sink);
    ingest.up().await;
    until("gate and ring to be taken", SOON, || ingest.counters.published.load(Ordering::Relaxed) == 2).await;

    // The gates and the ring are for every device to read, over the one connection that the certificate's name allows us.
    for filter in ["utm/v1/updates/+/gate", "utm/v1/updates/control-ring"] {
        let (mut reader, _) = authority.connect(address, Some("B-2"), &Hello::new("B-2")).await.unwrap();
        assert_eq!(reader.subscribe(filter, 1).await.unwrap(), 1);
        assert!(reader.read().await.message().1, "{filter} is kept");
    }
    let (mut device, code) = authority.connect(address, Some("B-1"), &Hello::new("B-1")).await.unwrap();
    assert_eq!(code, 0);
    device.deliver("utm/v1/B-1/report", b"mine", 1).await;
    // In another's name: acknowledged, as MQTT 3.1.1 knows no refusal, dropped, and the liar cut off.
    for topic in ["utm/v1/B-2/report", "utm/v1/updates/1/gate", "utm/v1/updates/control-ring", "utm/v1/B-1/other"] {
        let (mut liar, _) = authority.connect(address, Some("B-1"), &Hello::new("B-1")).await.unwrap();
        liar.publish(topic, b"lie", 2, true).await.unwrap();
        assert_eq!(liar.read().await.kind(), PUBACK);
        liar.closed().await;
    }
    let (mut device, _) = authority.connect(address, Some("B-1"), &Hello::new("B-1")).await.unwrap();
    // Whatever id it gives, it is the one of its certificate, so it cannot push another device off.
    let (mut second, _) = authority.connect(address, Some("B-2"), &Hello::new("B-1")).await.unwrap();
    second.deliver("utm/v1/B-2/report", b"hers", 1).await;
    device.deliver("utm/v1/B-1/report", b"still here", 4).await;
    until("three reports", SOON, || sink.distinct() == 3).await;
    assert_eq!(sink.payloads("utm/v1/B-2/report"), [b"hers".to_vec()]);

    for refused in [None, Some("expired"), Some("stranger")] {
        let outcome = authority.connect(address, refused, &Hello::new("B-1")).await;
        assert!(outcome.is_err(), "{refused:?} was let in");
    }
    assert!(Raw::try_connect(address, &Hello::new("B-1")).await.is_err(), "in clear");
    assert_eq!(sink.taken(), 3);
    ingest.stop().await;

    // Without the right name, or with another authority, the broker is not believed.
    for wrong in [TlsConfig { server_name: None, ..tls.clone() }, TlsConfig { ca: authority.path("other.crt"), ..tls }]
    {
        let mut ingest = Ingest::start(config(address, wrong), &sink);
        let not_believed = |state: &SessionState| matches!(state, SessionState::Down { reason: DownReason::Tls, .. });
        ingest.state_is("down for TLS", not_believed).await;
        assert_eq!(ingest.counters.connects.load(Ordering::Relaxed), 0);
        ingest.stop().await;
    }
}

#[tokio::test]
async fn files_that_are_no_good_are_named() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("ca", "one", "one", 2, "");
    authority.issue("ca", "two", "two", 2, "");
    fs::write(authority.path("empty"), "").unwrap();
    let good = TlsConfig { ca: authority.path("ca.crt"), identity: Some(authority.identity("one")), server_name: None };
    let with = |identity| TlsConfig { identity: Some(identity), ..good.clone() };
    let cases = [
        (TlsConfig { ca: authority.path("absent"), ..good.clone() }, "absent"),
        (TlsConfig { ca: authority.path("empty"), ..good.clone() }, "no certificate authority in"),
        (TlsConfig { server_name: Some("not a name".to_owned()), ..good.clone() }, "\"not a name\""),
        (
            with(TlsIdentity { certificate: authority.path("one.key"), ..authority.identity("one") }),
            "no client certificate in",
        ),
        (with(TlsIdentity { key: authority.path("one.crt"), ..authority.identity("one") }), "private key"),
        (with(TlsIdentity { key: authority.path("two.key"), ..authority.identity("one") }), "these files"),
    ];
    for (tls, needle) in cases {
        let config = IngestConfig { tls: Some(tls), ..IngestConfig::default() };
        let error = Ingest::start(config, &TestSink::prompt()).ended().await.unwrap_err();
        assert!(matches!(error, IngestError::Tls(_)) && error.to_string().contains(needle), "{needle}: {error}");
    }
}
