//! What could not be told for long is told over every other channel. Pure: what is to be written follows from what is in the outbox.
//!
//! * A message that nobody has got goes whole to every other channel: the same text below a line that says who was to get it.
//! * A message that was taken at another place is not repeated there. Who has not got it is said once for channel, incident and
//!   quarter of a day: a chat room that gets everything anyway needs to know that mail does not arrive, not each mail again.
//!
//! The keys follow from the messages, so that whoever looks again, also after a restart, writes nothing twice. A message about
//! messages is never told elsewhere itself.

use std::collections::BTreeMap;

use crate::engine::time::Timestamp;
use crate::record::directory::Address;
use crate::record::outbox::{Dispatch, DispatchState, Message, NewDispatch, UNTOLD, Untold};
use crate::words::{Both, Lang, phrase};

/// Time for which one word about a channel that fails is enough, in ms.
const SAID_FOR_MS: i64 = 6 * 3_600_000;

/// Receivers that are named in a message.
const MAX_NAMED: usize = 20;

/// What is said elsewhere of one message, or of several.
struct Group<'a> {
    /// The same for every look at the same messages.
    key: String,
    all: Vec<&'a Untold>,
}

/// What is to be in the outbox for what has not got through, `untold`, the oldest first.
pub fn relays(untold: &[Untold], places: &[Address], now: Timestamp) -> Vec<NewDispatch> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for one in untold.iter().filter(|one| one.dispatch.message.kind != UNTOLD) {
        let key = key(one);
        let nth = *known.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(nth) {
            Some(group) => group.all.push(one),
            None => groups.push(Group { key, all: vec![one] }),
        }
    }
    let mut relays = Vec::new();
    for group in groups {
        let failing = &group.all[0].dispatch.channel;
        let others = places.iter().filter(|place| place.channel != *failing);
        let message = message(&group, now);
        relays.extend(others.map(|Address { channel, target }| NewDispatch {
            key: format!("{}/{channel}/{target}", group.key),
            channel: channel.clone(),
            target: target.clone(),
            message: message.clone(),
            due_at: now,
        }));
    }
    relays
}

/// One for the same text over the same channel; where the text is known elsewhere, one for the channel and the incident.
fn key(untold: &Untold) -> String {
    let dispatch = &untold.dispatch;
    let channel = &dispatch.channel;
    if untold.told_elsewhere {
        let incident = dispatch.message.incident.as_deref().unwrap_or("-");
        return format!("untold/{channel}/{incident}/{}", dispatch.created_at.as_ms() / SAID_FOR_MS);
    }
    // The last part of a key counts the receivers of one message.
    let notice = dispatch.key.rsplit_once('/').map_or(dispatch.key.as_str(), |(notice, _)| notice);
    format!("untold/{channel}/{notice}")
}

fn message(group: &Group<'_>, now: Timestamp) -> Message {
    let first = group.all[0];
    let (subject, body) = if first.told_elsewhere { of_channel(group, now) } else { of_message(group, now) };
    Message {
        kind: UNTOLD.to_owned(),
        subject,
        body,
        // It leaves the incident's own summary as it is, and is over once it was told.
        summary: None,
        started_at: None,
        ended_at: None,
        ..first.dispatch.message.clone()
    }
}

/// Subject and body of the word that a channel fails whose messages others have carried.
fn of_channel(group: &Group<'_>, now: Timestamp) -> (Both, Both) {
    let Dispatch { channel, message, .. } = &group.all[0].dispatch;
    let incident = message.incident.as_deref();
    let body = |lang| channel_fails(lang, channel, minutes(group, now), &receivers(lang, group));
    (Both::of(|lang| channel_fails_subject(lang, channel, incident)), Both::of(body))
}

phrase! {
    fn channel_fails_subject(lang: Lang, channel: &str, incident: Option<&str>) -> String match incident {
        Some(incident) =>
            "[{incident}] Not delivered: messages over {channel}",
            "[{incident}] 未達: {channel} の通知が届いていません";
        None => "Not delivered: messages over {channel}", "未達: {channel} の通知が届いていません";
    }
}

phrase! {
    fn channel_fails(lang: Lang, channel: &str, minutes: i64, receivers: &str) -> String =
        "Messages over {channel} have not been delivered for {minutes} minutes. Other channels carried them.\n\
         Reach these receivers another way:\n{receivers}",
        "{channel} の通知が {minutes}分以上届いていません。内容はほかの経路で届いています。\nほかの手段で連絡してください。\n{receivers}";
}

/// Subject and body of a message that nobody has got, whole below who was to get it.
fn of_message(group: &Group<'_>, now: Timestamp) -> (Both, Both) {
    let Dispatch { channel, message: Message { subject, body, .. }, .. } = &group.all[0].dispatch;
    let whole = |lang| {
        let missed = missed(lang, channel, minutes(group, now), &receivers(lang, group));
        format!("{missed}\n\n{}\n\n{}", subject.in_lang(lang), body.in_lang(lang))
    };
    (Both::of(|lang| missed_subject(lang, subject.in_lang(lang))), Both::of(whole))
}

phrase! {
    fn missed_subject(lang: Lang, subject: &str) -> String =
        "Not delivered: {subject}", "未達: {subject}";
}

phrase! {
    fn missed(lang: Lang, channel: &str, minutes: i64, receivers: &str) -> String =
        "This message has not been delivered over {channel} for {minutes} minutes.\n\
         Reach these receivers another way:\n{receivers}",
        "次の通知が {channel} で {minutes}分以上届いていません。\nほかの手段で連絡してください。\n{receivers}";
}

fn minutes(group: &Group<'_>, now: Timestamp) -> i64 {
    now.since_ms(group.all[0].dispatch.created_at) / 60_000
}

/// A line for each receiver, with what was said last.
fn receivers(lang: Lang, group: &Group<'_>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for untold in group.all.iter().copied() {
        let line = receiver(lang, untold);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let unnamed = lines.len().saturating_sub(MAX_NAMED);
    lines.truncate(MAX_NAMED);
    lines.extend((unnamed > 0).then(|| more(lang, unnamed)));
    lines.join("\n")
}

phrase! {
    fn receiver(lang: Lang, untold: &Untold) -> String match untold {
        Untold { dispatch, error: None, .. } if dispatch.state != DispatchState::Failed =>
            "- {channel} → {target}: not tried yet",
            "- {channel} → {target}: まだ送信していません",
            channel = dispatch.channel,
            target = dispatch.target;
        Untold { dispatch, error, .. } if dispatch.state == DispatchState::Failed =>
            "- {channel} → {target}: {error} (given up)",
            "- {channel} → {target}: {error}（送信を断念）",
            channel = dispatch.channel,
            target = dispatch.target,
            error = error.as_deref().unwrap_or("-");
        Untold { dispatch, error, .. } =>
            "- {channel} → {target}: {error}",
            "- {channel} → {target}: {error}",
            channel = dispatch.channel,
            target = dispatch.target,
            error = error.as_deref().unwrap_or("-");
    }
}

phrase! {
    fn more(lang: Lang, n: usize) -> String =
        "- and {n} more", "- ほか{n}件";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::notify::tests::dispatch;

    const NOW: Timestamp = Timestamp::from_ms(1_795_305_600_000 + 61 * 60_000);

    fn untold(id: i64, notice: &str, target: &str, told_elsewhere: bool) -> Untold {
        let mut dispatch = dispatch(id, "mail");
        dispatch.key = format!("{notice}/{id}");
        dispatch.target = target.into();
        Untold { dispatch, error: Some("answered 535".into()), told_elsewhere }
    }

    fn places() -> Vec<Address> {
        [("mail", "noc@"), ("chat", "-"), ("ticket", "-")]
            .map(|(channel, target)| Address { channel: channel.into(), target: target.into() })
            .into()
    }

    fn told(untold: &[Untold], now: Timestamp) -> Vec<NewDispatch> {
        relays(untold, &places(), now)
    }

    #[test]
    fn what_nobody_has_got_goes_whole_to_every_other_channel_once() {
        let all = [untold(1, "INC-1/5", "noc@", false), untold(2, "INC-1/5", "duty@", false)];
        let relays = told(&all, NOW);
        let to: Vec<_> = relays.iter().map(|relay| relay.channel.as_str()).collect();
        assert_eq!(to, ["chat", "ticket"]);
        let message = &relays[0].message;
        for part in ["noc@", "duty@", "answered 535", "330 devices", "61 minutes"] {
            assert!(message.body.en.contains(part), "{part}: {}", message.body.en);
        }
        assert!(message.body.ja.contains("61分") && message.subject.ja.starts_with("未達"));
        assert_eq!((message.kind.as_str(), message.incident.as_deref()), (UNTOLD, Some("INC-1")));
        // One of the two gets it later: the rest is the same message with the same key.
        let later = told(&all[1..], NOW.plus_ms(600_000));
        assert_eq!(later[0].key, relays[0].key);
    }

    #[test]
    fn each_language_says_of_its_own_what_became_of_it() {
        let mut all: Vec<Untold> = (0..25).map(|id| untold(id, "INC-1/5", &format!("noc-{id}@"), false)).collect();
        (all[0].error, all[1].dispatch.state) = (None, DispatchState::Failed);
        let Both { ja, en } = told(&all, NOW)[0].message.body.clone();
        for part in ["not tried yet", "answered 535 (given up)", "- and 5 more"] {
            assert!(en.contains(part) && !ja.contains(part), "{part}: {en} {ja}");
        }
        for part in ["まだ送信していません", "answered 535（送信を断念）", "- ほか5件"] {
            assert!(ja.contains(part) && !en.contains(part), "{part}: {en} {ja}");
        }
    }

    #[test]
    fn what_another_channel_has_taken_is_not_repeated_there() {
        let all: Vec<Untold> = (0..50).map(|id| untold(id, &format!("INC-1/{id}"), "noc@", true)).collect();
        let relays = told(&all, NOW);
        assert_eq!(relays.len(), 2, "one for each other channel");
        assert!(!relays[0].message.body.en.contains("330 devices"));
        let mut tomorrow = untold(99, "INC-1/99", "noc@", true);
        tomorrow.dispatch.created_at = NOW.plus_ms(86_400_000);
        let again = told(&[tomorrow], NOW.plus_ms(90_000_000));
        assert_ne!(again[0].key, relays[0].key);
    }

    #[test]
    fn a_message_about_messages_is_not_told_elsewhere_and_no_key_comes_twice() {
        let mut about = untold(1, "untold/mail/x", "-", false);
        about.dispatch.message.kind = UNTOLD.into();
        assert!(told(&[about], NOW).is_empty());
        let mixed: Vec<Untold> = (0..40).map(|id| untold(id, &format!("INC-1/{}", id / 4), "x", id % 3 == 0)).collect();
        let relays = told(&mixed, NOW);
        let keys: BTreeSet<String> = relays.iter().map(|relay| relay.key.clone()).collect();
        assert_eq!(keys.len(), relays.len());
    }
}
