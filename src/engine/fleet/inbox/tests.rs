use proptest::prelude::*;

use super::*;
use crate::engine::device::{Label, Package, Workaround};

fn birth(boot: u64, update: &str) -> Status {
    Status {
        online: true,
        boot,
        at: 5,
        model: Some("B200".into()),
        branch: Some("b1".into()),
        update: Some(update.into()),
        update_installed_at: Some(4),
        packages: vec![Package { name: "url-list".into(), version: "9".into(), installed_at: Some(3) }],
        workaround: Some(Workaround { id: Some("WA-1".into()), active: true }),
        ..Status::default()
    }
}

fn will(boot: u64) -> Status {
    Status { online: false, boot, ..Status::default() }
}

fn note(status: Status) -> StatusNote {
    StatusNote { status, retained: false, arrival: Timestamp::from_ms(10) }
}

#[test]
fn a_will_takes_nothing_back_but_the_presence() {
    let mut inbox = Inbox::default();
    inbox.note(note(birth(7, "2026.11.21")));
    inbox.note(note(will(7)));
    let [held] = &inbox.statuses[..] else { panic!("{:?}", inbox.statuses) };
    assert_eq!(held.status, Status { online: false, at: 5, ..birth(7, "2026.11.21") });
}

proptest! {
    /// What is known in the end does not depend on where the ticks fall between the messages.
    #[test]
    fn births_and_wills_say_the_same_within_a_tick_and_across_ticks(
        said in prop::collection::vec((0u64..7, prop::option::of(0u8..3)), 1..20),
    ) {
        let mut inbox = Inbox::default();
        let mut wanted = (Status::default(), false);
        for (boot, update) in said {
            let status = update.map_or_else(|| will(boot), |version| birth(boot, &format!("u{version}")));
            let online = status.online;
            let mut newer = status.clone();
            newer.complete(&wanted.0);
            wanted = (newer, online);
            inbox.note(note(status));
        }
        let mut known = (Status::default(), false);
        for held in inbox.statuses {
            let online = held.status.online;
            let mut newer = held.status;
            newer.complete(&known.0);
            known = (newer, online);
        }
        let told = |(status, online): &(Status, bool)| (status.model.clone(), status.branch.clone(), *online);
        prop_assert_eq!(told(&known), told(&wanted));
        prop_assert_eq!(known.0.update.is_some(), wanted.0.update.is_some());
        let label: Option<Label> = known.0.update;
        prop_assert!(label.is_none_or(|label| label.starts_with('u')));
    }
}
