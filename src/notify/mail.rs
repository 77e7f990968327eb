//! Mail over SMTP: encrypted unless the server is this machine, one thread an incident, and nothing that a text in a
//! message could do to the headers.
//!
//! A message's `Message-ID` follows from its key, so a second copy is the same mail to whoever drops doubles. The thread is held by
//! `References` to an id that follows from the incident, which no mail has: readers group by it all the same, also for people who
//! joined late. `Auto-Submitted` keeps vacation answers away, `List-Id` is for filters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error as SmtpError};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use ring::digest;

use super::channel::{Channel, Receipt, Refusal, SetupError};
use super::voice::{Spoken, Voice, clipped, flat};
use super::web;
use crate::engine::time::Timestamp;
use crate::record::directory::NOBODY;
use crate::record::outbox::Dispatch;

/// Longest subject, in characters.
const MAX_SUBJECT: usize = 200;

/// Longest body, in characters.
const MAX_BODY: usize = 100_000;

/// Messages of which it is remembered who has them already. After a restart they may get them twice, as the same mail.
const MAX_SERVED: usize = 1_000;

/// How the connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// TLS from the first byte (port 465).
    Implicit,
    /// STARTTLS, required (port 587).
    StartTls,
    /// None; only to this machine.
    Plain,
}

/// The server, and who writes to whom.
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// PEM file with authorities beside the machine's.
    pub ca_file: Option<PathBuf>,
    /// Longest wait for one answer of the server.
    pub timeout: Duration,
    /// Sender: `fleetwatch <noc@example.jp>` or the bare address.
    pub from: String,
    /// Receivers of what is for the channel itself.
    pub to: Vec<String>,
}

impl std::fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, security, from, .. } = self;
        write!(f, "MailSettings({host}:{port}, {security:?}, from {from})")
    }
}

/// An SMTP server.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Address>,
    voice: Voice,
    host: String,
    /// Receivers that have a message of which others have still to get their copy, by its key.
    served: Mutex<BTreeMap<String, BTreeSet<Address>>>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("host", &self.host).field("from", &self.from.email).finish_non_exhaustive()
    }
}

impl Mail {
    /// A way to send mail. To be called within a runtime: connections are kept open in a pool that needs one.
    ///
    /// # Errors
    /// When an address or the file of authorities cannot be used, or mail would leave the machine in clear.
    pub fn new(settings: MailSettings, voice: Voice) -> Result<Self, SetupError> {
        let from: Mailbox = settings.from.parse().map_err(|error| refused("the sender of mail", &error))?;
        let to = settings.to.iter().map(|text| address(text)).collect::<Result<_, _>>();
        let to: Vec<Address> = to.map_err(|detail| SetupError::Setting { what: "a receiver of mail", detail })?;
        let transport = transport(&settings)?;
        Ok(Self { transport, from, to, voice, host: settings.host, served: Mutex::default() })
    }

    /// Who is to get the message.
    fn receivers(&self, dispatch: &Dispatch) -> Result<Vec<Address>, Refusal> {
        if dispatch.target == NOBODY {
            return Ok(self.to.clone());
        }
        Ok(vec![address(&dispatch.target).map_err(Refusal::never)?])
    }

    /// The mail as one receiver gets it, and its id. A mail each: a server that refuses one of several receivers would have
    /// to be asked anew for the others.
    fn compose(
        &self,
        dispatch: &Dispatch,
        to: &Address,
        thread: Option<&str>,
        now: Timestamp,
    ) -> Result<(lettre::Message, String), Refusal> {
        let Spoken { subject, body, link, .. } = self.voice.speak(&dispatch.message, &dispatch.target);
        let id = self.id(&dispatch.key);
        let mut builder = MessageBuilder::new()
            .from(self.from.clone())
            .message_id(Some(id.clone()))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_ms()).unwrap_or(0)))
            .subject(clipped(&flat(&subject), MAX_SUBJECT))
            .header(ContentType::TEXT_PLAIN)
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .raw_header(raw("X-Auto-Response-Suppress", "All"))
            .raw_header(raw("List-Id", &format!("fleetwatch <fleetwatch.{}>", self.from.email.domain())))
            .raw_header(raw("X-Fleetwatch-Kind", &dispatch.message.kind));
        if let Some(incident) = &dispatch.message.incident {
            let root = self.id(&format!("incident {incident}"));
            let last = thread.filter(|last| is_id(last)).map(str::to_owned);
            let references = last.iter().fold(root.clone(), |all, last| format!("{all} {last}"));
            builder = builder.in_reply_to(last.unwrap_or(root)).references(references);
            builder = builder.raw_header(raw("X-Fleetwatch-Incident", incident));
        }
        builder = builder.to(Mailbox::new(None, to.clone()));
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.clone()]).map_err(Refusal::never)?;
        let text = format!("{}\n\n{link}\n", clipped(&body, MAX_BODY));
        let mail = builder.envelope(envelope).body(text).map_err(Refusal::never)?;
        Ok((mail, id))
    }

    /// An id of our domain that follows from `seed`.
    fn id(&self, seed: &str) -> String {
        let digest = digest::digest(&digest::SHA256, seed.as_bytes());
        let hex: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("<{hex}.fleetwatch@{}>", self.from.email.domain())
    }
}

impl Mail {
    /// Receivers that have the message of this key already.
    fn served(&self, key: &str) -> BTreeSet<Address> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.get(key).cloned().unwrap_or_default()
    }

    /// Remembers who has it, or forgets all of it once nobody is left.
    fn remember(&self, key: &str, have_it: Option<BTreeSet<Address>>) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(have_it) = have_it else { return drop(served.remove(key)) };
        if served.len() >= MAX_SERVED {
            served.pop_first();
        }
        served.insert(key.to_owned(), have_it);
    }
}

#[async_trait]
impl Channel for Mail {
    async fn deliver(&self, dispatch: &Dispatch, thread: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal> {
        let mut have_it = self.served(&dispatch.key);
        let (mut reference, mut refused) = (None, Vec::new());
        for to in self.receivers(dispatch)? {
            let (mail, id) = self.compose(dispatch, &to, thread, now)?;
            reference = Some(id);
            if have_it.contains(&to) {
                continue;
            }
            match self.transport.send(mail).await.map_err(|error| judged(&error)) {
                Ok(_) => {
                    have_it.insert(to);
                    // At once: the attempt may be cut off at any time.
                    self.remember(&dispatch.key, Some(have_it.clone()));
                }
                // The server itself: the others would fare alike.
                Err(refusal @ Refusal::Later { .. }) => return Err(refusal),
                Err(refusal) => refused.push((to, refusal)),
            }
        }
        match refused.as_slice() {
            [] => {
                self.remember(&dispatch.key, None);
                Ok(Receipt { reference })
            }
            [(_, refusal)] if have_it.is_empty() => Err(refusal.clone()),
            _ => {
                let told = refused.iter().map(|(to, refusal)| format!("{to}: {}", refusal.error())).collect::<Vec<_>>();
                let others = if have_it.is_empty() { "" } else { "; everybody else has it" };
                Err(Refusal::receiver(format!("{}{others}", told.join("; "))))
            }
        }
    }
}

fn transport(settings: &MailSettings) -> Result<AsyncSmtpTransport<Tokio1Executor>, SetupError> {
    let host = settings.host.as_str();
    let tls = match settings.security {
        Security::Plain if is_this_machine(host) => Tls::None,
        Security::Plain => {
            let detail = format!("{host} is another machine: mail and password would travel in clear");
            return Err(SetupError::Setting { what: "SMTP without TLS", detail });
        }
        Security::StartTls => Tls::Required(tls(settings)?),
        Security::Implicit => Tls::Wrapper(tls(settings)?),
    };
    // "Dangerous" is the name of the builder without TLS; which TLS there is was decided above.
    let mut builder: AsyncSmtpTransportBuilder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(settings.port)
        .timeout(Some(settings.timeout))
        .tls(tls);
    if let Some((user, password)) = settings.credentials.clone() {
        builder = builder.credentials(Credentials::new(user, password));
    }
    Ok(builder.build())
}

fn tls(settings: &MailSettings) -> Result<TlsParameters, SetupError> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let unusable = |detail: String| SetupError::File { what: "authorities", path: path.clone(), detail };
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        builder =
            builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unusable(web::causes(&error)))?);
    }
    builder.build().map_err(|error| refused("TLS", &error))
}

fn refused(what: &'static str, error: &dyn std::error::Error) -> SetupError {
    SetupError::Setting { what, detail: web::causes(error) }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A bare address.
///
/// # Errors
/// With what is wrong with it.
pub fn address(text: &str) -> Result<Address, String> {
    text.parse::<Address>().map_err(|error| format!("{:?} is no mail address: {error}", flat(text)))
}

/// One of our own ids, read back from the outbox: anything else would be a header of somebody's making.
fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
    text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).is_some_and(|inner| inner.chars().all(plain))
}

/// A header of plain text; what is not printable ASCII is left out.
fn raw(name: &'static str, text: &str) -> HeaderValue {
    let text: String = text.chars().filter(|c| (' '..='~').contains(c)).collect();
    HeaderValue::new(HeaderName::new_from_ascii_str(name), text)
}

/// Replies about the server, the way there or our login (RFC 5321 section 4.2.3, RFC 4954 section 6): every mail would fare alike.
const ABOUT_SERVER: &[u16] = &[421, 454, 500, 501, 502, 503, 504, 521, 530, 534, 535, 538];

/// Enhanced status codes (RFC 3463) that speak of the mail itself: its size, its content.
const ABOUT_MAIL: &[&str] = &["5.2.3", "5.3.4", "5.6.0", "5.6.1", "5.6.2", "5.6.3", "5.6.5", "5.6.6"];

/// What the server's answer means. Only what is wrong with the mail itself is for good: a mailbox that is full or not there yet, a
/// login, a relay that does not know us yet are mended, and the mail is then still wanted.
fn judged(error: &SmtpError) -> Refusal {
    let text = web::causes(error);
    let Some(code) = error.status().map(u16::from) else { return Refusal::later(text) };
    match code {
        _ if ABOUT_MAIL.iter().any(|status| text.contains(status)) => Refusal::never(text),
        code if ABOUT_SERVER.contains(&code) => Refusal::later(text),
        400..=599 => Refusal::receiver(text),
        _ => Refusal::later(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::dispatch;
    use crate::words::Both;

    fn settings(host: &str, security: Security) -> MailSettings {
        MailSettings {
            host: host.into(),
            port: 25,
            security,
            credentials: None,
            ca_file: None,
            timeout: Duration::from_secs(1),
            from: "fleetwatch <noc@example.jp>".into(),
            to: vec!["staff@example.jp".into(), "desk@example.jp".into()],
        }
    }

    fn mail() -> Mail {
        Mail::new(settings("127.0.0.1", Security::Plain), Voice::default()).unwrap()
    }

    fn text(dispatch: &Dispatch, thread: Option<&str>) -> String {
        let to = mail().receivers(dispatch).unwrap().remove(0);
        let (mail, _) = mail().compose(dispatch, &to, thread, Timestamp::from_ms(1_795_305_600_000)).unwrap();
        String::from_utf8(mail.formatted()).unwrap()
    }

    #[tokio::test]
    async fn nothing_in_a_message_makes_a_header() {
        let mut evil = dispatch(1, "mail");
        let inject = "x\r\nBcc: evil@example.com\r\n\r\nbody\u{2028}\0";
        evil.message.subject = Both { ja: inject.into(), en: inject.into() };
        evil.message.kind = inject.into();
        evil.message.incident = Some(inject.into());
        evil.message.path = inject.into();
        evil.key = inject.into();
        let text = text(&evil, Some("<a@b>\r\nBcc: evil@example.com"));
        let (headers, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(headers.lines().all(|line| !line.to_ascii_lowercase().starts_with("bcc")), "{headers}");
        assert!(!headers.contains('\0'));
        assert_eq!(headers.matches("\r\nSubject: ").count(), 1);
    }

    #[tokio::test]
    async fn a_target_that_is_no_single_address_is_refused_for_good() {
        for target in ["", "a@b@c", "a@example.jp, evil@example.com", "a@example.jp\r\nRCPT TO:<x@y>", "sato"] {
            let mut wrong = dispatch(1, "mail");
            wrong.target = target.into();
            let refusal = mail().receivers(&wrong).unwrap_err();
            assert!(matches!(refusal, Refusal::Never { .. }), "{target:?}");
        }
    }

    #[tokio::test]
    async fn mails_of_an_incident_are_one_thread_and_a_second_copy_is_the_same_mail() {
        let (first, second) = (dispatch(1, "mail"), dispatch(2, "mail"));
        let header = |text: &str, name: &str| {
            let unfolded = text.replace("\r\n ", " ");
            let line = unfolded.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
            line.unwrap_or_else(|| panic!("no {name} in {text}"))
        };
        let one = text(&first, None);
        assert_eq!(header(&one, "Message-ID"), header(&text(&first, None), "Message-ID"));
        let id = header(&one, "Message-ID");
        let two = text(&second, Some(&id));
        assert_ne!(header(&two, "Message-ID"), id);
        assert_eq!(header(&two, "In-Reply-To"), id);
        let root = header(&one, "References");
        assert_eq!(header(&two, "References"), format!("{root} {id}"));
        assert_eq!(header(&one, "Auto-Submitted"), "auto-generated");
        assert_eq!(header(&one, "List-Id"), "fleetwatch <fleetwatch.example.jp>");
        assert!(one.contains("staff@example.jp") && !one.contains("desk@example.jp"), "a mail each");
    }

    #[tokio::test]
    async fn mail_leaves_the_machine_only_encrypted() {
        let error = Mail::new(settings("smtp.example.jp", Security::Plain), Voice::default()).unwrap_err();
        assert!(error.to_string().contains("in clear"), "{error}");
        for security in [Security::StartTls, Security::Implicit] {
            Mail::new(settings("smtp.example.jp", security), Voice::default()).unwrap();
        }
    }
}
