//! What could not be told for long is told over every other channel. Pure: what is to be written follows from what is in the outbox.
//!
//! * A message that nobody has got goes whole to every other channel: the same text below a line that says who was to get it.
//! * A message that was taken at another place is not repeated there. Who has not got it is said once for channel, incident and
//!   quarter of a day: a chat room that gets everything anyway needs to know that mail does not arrive, not each mail again.
//!
//! The keys follow from the messages, so that whoever looks again, also after a restart, writes nothing twice. A message about
//! messages is never told elsewhere itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::time::Timestamp;
use crate::record::outbox::{Bilingual, DispatchState, Message, NewDispatch, UNTOLD, Untold};

/// Time for which one word about a channel that fails is enough, in ms.
const SAID_FOR_MS: i64 = 6 * 3_600_000;

/// Receivers that are named in a message.
const MAX_NAMED: usize = 20;

/// Where a message can be left: a channel, and who at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub channel: String,
    pub target: String,
}

/// What is said elsewhere of one message, or of several.
struct Group<'a> {
    /// The same for every look at the same messages.
    key: String,
    all: Vec<&'a Untold>,
}

/// What is to be written to the outbox, but for what was `written` already, by its key. `untold` is what has not got through,
/// the oldest first.
pub fn relays(untold: &[Untold], places: &[Place], written: &BTreeSet<String>, now: Timestamp) -> Vec<NewDispatch> {
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
        let keyed = others.map(|place| (format!("{}/{}/{}", group.key, place.channel, place.target), place));
        let wanted: Vec<(String, &Place)> = keyed.filter(|(key, _)| !written.contains(key)).collect();
        if wanted.is_empty() {
            continue;
        }
        let message = message(&group, now);
        relays.extend(wanted.into_iter().map(|(key, Place { channel, target })| NewDispatch {
            key,
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
    let original = &first.dispatch.message;
    let channel = &first.dispatch.channel;
    let is_known = first.told_elsewhere;
    let minutes = now.since_ms(first.dispatch.created_at) / 60_000;
    let (subject, begin, end);
    if is_known {
        let incident = original.incident.as_deref().map(|incident| format!("[{incident}] ")).unwrap_or_default();
        subject = Bilingual {
            ja: format!("{incident}未達: {channel} の通知が届いていません"),
            en: format!("{incident}Not delivered: messages over {channel}"),
        };
        begin = Bilingual {
            ja: format!("{channel} の通知が {minutes} 分以上届いていません。内容はほかの経路で届いています。"),
            en: format!(
                "Messages over {channel} have not been delivered for {minutes} minutes. Other channels carried them."
            ),
        };
        end = Bilingual::default();
    } else {
        subject = Bilingual {
            ja: format!("未達: {}", original.subject.ja),
            en: format!("Not delivered: {}", original.subject.en),
        };
        begin = Bilingual {
            ja: format!("次の通知が {channel} で {minutes} 分以上届いていません。"),
            en: format!("This message has not been delivered over {channel} for {minutes} minutes."),
        };
        end = Bilingual {
            ja: format!("\n\n{}\n\n{}", original.subject.ja, original.body.ja),
            en: format!("\n\n{}\n\n{}", original.subject.en, original.body.en),
        };
    }
    let receivers = receivers(group);
    let body = Bilingual {
        ja: format!("{}\nほかの手段で連絡してください。\n{receivers}{}", begin.ja, end.ja),
        en: format!("{}\nReach these receivers another way:\n{receivers}{}", begin.en, end.en),
    };
    Message {
        kind: UNTOLD.to_owned(),
        subject,
        body,
        // It leaves the incident's own summary as it is, and is over once it was told.
        summary: None,
        started_at: None,
        ended_at: None,
        ..original.clone()
    }
}

/// A line for each receiver, with what was said last.
fn receivers(group: &Group<'_>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for one in &group.all {
        let dispatch = &one.dispatch;
        let error = one.error.as_deref().unwrap_or("no attempt / 送信なし");
        let state = if dispatch.state == DispatchState::Failed { " (given up / 断念)" } else { "" };
        let line = format!("- {} → {}: {error}{state}", dispatch.channel, dispatch.target);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let more = lines.len().saturating_sub(MAX_NAMED);
    lines.truncate(MAX_NAMED);
    if more > 0 {
        lines.push(format!("- … +{more}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::dispatch;

    const NOW: Timestamp = Timestamp::from_ms(1_795_305_600_000 + 61 * 60_000);

    fn untold(id: i64, notice: &str, target: &str, told_elsewhere: bool) -> Untold {
        let mut dispatch = dispatch(id, "mail");
        dispatch.key = format!("{notice}/{id}");
        dispatch.target = target.into();
        Untold { dispatch, error: Some("answered 535".into()), told_elsewhere }
    }

    fn places() -> Vec<Place> {
        [("mail", "noc@"), ("chat", "-"), ("ticket", "-")]
            .map(|(channel, target)| Place { channel: channel.into(), target: target.into() })
            .into()
    }

    fn told(untold: &[Untold], now: Timestamp) -> Vec<NewDispatch> {
        relays(untold, &places(), &BTreeSet::new(), now)
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
        assert!(message.body.ja.contains("61 分") && message.subject.ja.starts_with("未達"));
        assert_eq!((message.kind.as_str(), message.incident.as_deref()), (UNTOLD, Some("INC-1")));
        // One of the two gets it later: the rest is the same message with the same key.
        let later = told(&all[1..], NOW.plus_ms(600_000));
        assert_eq!(later[0].key, relays[0].key);
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
        assert!(super::relays(&mixed, &places(), &keys, NOW).is_empty(), "what was written is not written again");
    }
}
