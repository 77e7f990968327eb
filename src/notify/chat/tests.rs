use std::collections::VecDeque;

use super::*;
use crate::notify::tests::dispatch;

const NOW: Timestamp = Timestamp::from_ms(1_795_305_600_000);

/// A chat that remembers what it was asked, and fails as scripted: one entry an operation, by its name.
#[derive(Debug, Default)]
struct Fake {
    done: Mutex<Vec<String>>,
    fail: Mutex<BTreeMap<&'static str, VecDeque<ApiError>>>,
}

impl Fake {
    fn does(&self, operation: &'static str, told: String) -> Result<usize, ApiError> {
        if let Some(error) = self.fail.lock().unwrap().get_mut(operation).and_then(VecDeque::pop_front) {
            return Err(error);
        }
        let mut done = self.done.lock().unwrap();
        done.push(format!("{operation} {told}"));
        Ok(done.len())
    }
}

#[async_trait]
impl Api for Fake {
    async fn post(&self, post: Post<'_>, _: Timestamp) -> Result<String, ApiError> {
        let operation = if post.under.is_some() { "reply" } else { "post" };
        let Post { to, text, under, key, loud } = post;
        let first = text.lines().next().unwrap();
        self.does(operation, format!("{to} {} {key} {loud}: {first}", under.unwrap_or("-")))
            .map(|nth| format!("p{nth}"))
    }

    async fn replace(&self, id: &str, text: &str, _: Timestamp) -> Result<(), ApiError> {
        self.does("replace", format!("{id}: {}", text.lines().next().unwrap())).map(drop)
    }

    async fn pin(&self, id: &str, _: Timestamp) -> Result<(), ApiError> {
        self.does("pin", id.into()).map(drop)
    }

    fn is_person(&self, target: &str) -> bool {
        target.starts_with('@')
    }

    fn defused(&self, text: &str) -> String {
        text.into()
    }
}

fn chat() -> Chat<Fake> {
    let voice = Voice { language: crate::words::Languages::En, ..Voice::default() };
    Chat::new(Fake::default(), "room", voice)
}

fn later() -> ApiError {
    ApiError::Refused(Refusal::later("busy"))
}

impl Chat<Fake> {
    fn fail(&self, operation: &'static str, errors: impl IntoIterator<Item = ApiError>) {
        self.api.fail.lock().unwrap().insert(operation, errors.into_iter().collect());
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.api.done.lock().unwrap())
    }

    async fn say(&self, dispatch: &Dispatch, thread: Option<&str>) -> Result<Option<String>, Refusal> {
        self.deliver(dispatch, thread, NOW).await.map(|receipt| receipt.reference)
    }
}

#[tokio::test]
async fn an_incident_is_one_thread_below_a_pinned_summary() {
    let chat = chat();
    assert_eq!(chat.say(&dispatch(1, "chat"), None).await, Ok(Some("p1".into())));
    let mut second = dispatch(2, "chat");
    second.message.kind = "correction".into();
    assert_eq!(chat.say(&second, Some("p1")).await, Ok(Some("p1".into())));
    second.message.summary = None;
    assert_eq!(chat.say(&second, Some("p1")).await, Ok(Some("p1".into())));
    assert_eq!(
        chat.done(),
        [
            "post room - k-1:root false: INC-1: 330 devices, declared",
            "pin p1",
            "reply room p1 k-1 false: a major incident",
            "replace p1: INC-1: 330 devices, declared",
            "reply room p1 k-2 true: a major incident",
            "reply room p1 k-2 true: a major incident",
        ]
    );
}

#[tokio::test]
async fn after_a_restart_the_thread_goes_on() {
    let chat = chat();
    assert_eq!(chat.say(&dispatch(2, "chat"), Some("old")).await, Ok(Some("old".into())));
    assert_eq!(chat.done()[..2], ["replace old: INC-1: 330 devices, declared", "pin old"]);
}

#[tokio::test]
async fn an_attempt_that_failed_half_way_makes_no_second_root() {
    let chat = chat();
    chat.fail("reply", [later()]);
    assert!(matches!(chat.say(&dispatch(1, "chat"), None).await, Err(Refusal::Later { .. })));
    assert_eq!(chat.say(&dispatch(1, "chat"), None).await, Ok(Some("p1".into())));
    assert_eq!(chat.done().iter().filter(|done| done.starts_with("post ")).count(), 1);
}

#[tokio::test]
async fn a_thread_that_was_deleted_is_begun_anew() {
    for operation in ["replace", "reply"] {
        let chat = chat();
        chat.fail(operation, [ApiError::Gone]);
        let reference = chat.say(&dispatch(2, "chat"), Some("old")).await.unwrap().unwrap();
        assert_ne!(reference, "old");
        let done = chat.done();
        assert!(done.last().unwrap().starts_with(&format!("reply room {reference} k-2")), "{operation}: {done:?}");
    }
}

#[tokio::test]
async fn the_message_is_said_though_it_cannot_be_pinned_and_the_pin_is_tried_again() {
    let chat = chat();
    chat.fail("pin", [later()]);
    assert!(chat.say(&dispatch(1, "chat"), None).await.is_ok());
    assert!(!chat.done().iter().any(|done| done.starts_with("pin")));
    assert!(chat.say(&dispatch(2, "chat"), Some("p1")).await.is_ok());
    assert!(chat.done().contains(&"pin p1".to_owned()));
}

#[tokio::test]
async fn a_person_is_written_to_plainly() {
    let chat = chat();
    let mut page = dispatch(1, "chat");
    page.target = "@sato".into();
    assert_eq!(chat.say(&page, None).await, Ok(None));
    assert_eq!(chat.done(), ["post @sato - k-1 false: a major incident"]);
}

#[test]
fn what_people_type_is_text() {
    let access = crate::notify::web::Access { ca_file: None, timeout: std::time::Duration::from_secs(1) };
    let slack = Slack::new("http://127.0.0.1:1", "t", &access).unwrap();
    let mattermost = Mattermost::new("http://127.0.0.1:1", "t", &access).unwrap();
    let typed = "<!channel> & @here <http://evil|x>";
    assert_eq!(slack.defused(typed), "&lt;!channel&gt; &amp; @\u{200b}here &lt;http://evil|x&gt;");
    assert_eq!(
        mattermost.defused("@channel [x](http://evil) `a`"),
        "@\u{200b}channel \\[x\\]\\(http://evil\\) \\`a\\`"
    );
}
