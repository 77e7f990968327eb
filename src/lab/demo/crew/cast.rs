//! Names, rota, contacts and scripts. Everybody and every number is made up.

use crate::engine::time::MINUTE_MS;
use crate::incident::{Incident, Milestone, Role, Rota, RotaStep, Script, Seat};
use crate::lab::simulation::Simulation;
use crate::record::incident::{Contact, ContactEntry};

/// Works out what to do.
pub(super) const ANALYST: &str = "Kato";
/// Speaks for development.
pub(in crate::lab::demo) const DEVELOPER: &str = "Suzuki";
/// Leads the support desks, and signs off what cannot be done.
pub(super) const SUPPORT_LEAD: &str = "Tanaka";
/// Does not hear the phone tonight.
pub(super) const ASLEEP: &str = "Yamada";

/// Minutes after which the next one is called.
const TIMEOUT_MIN: u32 = 5;

const CUSTOMERS: [&str; 8] = ["Abe", "Endo", "Fujita", "Hara", "Kimura", "Mori", "Ota", "Saito"];

/// Whom the demo calls, and whom when nobody answers.
pub fn rota() -> Rota {
    let step = |person: &str| RotaStep { people: vec![person.to_owned()], timeout_min: TIMEOUT_MIN };
    let seat = |role, people: [&str; 2]| (Seat::of(role), people.map(step).to_vec());
    Rota(
        [
            seat(Role::Commander, ["Sato", "Takahashi"]),
            seat(Role::DevelopmentLead, [DEVELOPER, "Watanabe"]),
            seat(Role::SupportLead, [SUPPORT_LEAD, "Kobayashi"]),
            seat(Role::CommunicationsLead, [ASLEEP, "Ito"]),
        ]
        .into(),
    )
}

/// Whom to call about each simulated device.
pub fn contacts(simulation: &Simulation) -> Vec<ContactEntry> {
    let entry = |(number, profile): (usize, &crate::lab::simulation::DeviceProfile)| ContactEntry {
        device: profile.id.clone(),
        customer: Some(profile.customer.to_string()),
        branch: Some(profile.branch.to_string()),
        contact: Contact {
            name: Some(CUSTOMERS[number % CUSTOMERS.len()].to_owned()),
            // No such area code is in use in Japan.
            phone: Some(format!("000-{:03}-{:04}", number / 10_000, number % 10_000)),
            mail: Some(format!("{}@example.jp", profile.customer.to_lowercase())),
        },
    };
    simulation.profiles().iter().enumerate().map(entry).collect()
}

/// What the desks say at first.
pub(super) fn first_script() -> Script {
    Script {
        ja: "お客様のB装置で、正常な通信が誤って検知され、遅くなっております。申し訳ございません。管理画面の「検査」を開き、\
             「HTTPS検査」を「標準」に変更してください。"
            .to_owned(),
        en: "Your B takes ordinary traffic for dangerous and delays it; we are sorry. Please open Inspection in the \
             settings and change HTTPS inspection to Standard."
            .to_owned(),
    }
}

/// What they say once it is known what customers forget.
pub(super) fn better_script() -> Script {
    let Script { ja, en } = first_script();
    Script {
        ja: format!("{ja}最後に「保存」を押し、画面の上に「WA-1 有効」と出ることをご確認ください。"),
        en: format!("{en} Then press Save, and see that WA-1 active stands at the top."),
    }
}

/// The review as they file it.
pub(super) fn review(incident: &Incident) -> String {
    let after = |milestone| {
        let at = incident.milestones.get(milestone)?;
        Some(at.since_ms(incident.opening.declared_at) / MINUTE_MS)
    };
    let told = |name: &str, milestone| {
        after(milestone).map(|min| format!("{name} {min} min after the declaration")).unwrap_or_default()
    };
    format!(
        "What happened: {} devices were affected. {}; {}; {}.\n\nWhat was late: the first person on call for communications did \
         not answer. One device kept its workaround after the fix and was found as a debt.\n\nWhat we change: the updater \
         tells a revert that failed.",
        incident.ladder.len(),
        told("Mustered", Milestone::Mustered),
        told("Workaround", Milestone::WorkaroundAvailable),
        told("Resolved", Milestone::Resolved),
    )
}
