//! What was typed, read into what the desk understands.

use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;
use crate::incident::countermeasure::{Fix, Script, WorkaroundPlan};
use crate::incident::{Command, Incident, Seat};
use crate::record::incidents::Reshape;
use crate::web::ui::fields::{Fault, Fields};
use crate::words::Lang;
use crate::words::Zone;
use crate::words::pages::ActText;

/// What a form asks of the desk.
#[derive(Debug)]
pub(in crate::web) enum Request {
    Command(Command),
    Reshape { reshape: Reshape, reason: String },
}

/// Reads forms in one language and time zone.
pub(in crate::web) struct Reader<'a> {
    pub(in crate::web) lang: Lang,
    pub(in crate::web) zone: &'a Zone,
    pub(in crate::web) now: Timestamp,
}

impl Reader<'_> {
    pub(super) fn text(&self) -> &'static ActText {
        self.lang.act()
    }

    pub(super) fn choice<T>(&self, field: &'static str, chosen: Option<T>) -> Result<T, Vec<Fault>> {
        chosen.ok_or_else(|| vec![Fault::new(field, self.text().wrong_choice)])
    }

    pub(super) fn seat(&self, fields: &Fields) -> Result<Seat, Vec<Fault>> {
        Seat::try_from(fields.get("seat").to_owned()).map_err(|_| vec![Fault::new("seat", self.text().wrong_seat)])
    }

    pub(super) fn version(&self, fields: &Fields) -> Result<u32, Vec<Fault>> {
        fields.get("version").parse().map_err(|_| vec![Fault::new("version", self.text().wrong_version)])
    }

    pub(super) fn instant(&self, fields: &Fields) -> Result<Timestamp, Vec<Fault>> {
        let moment = self.zone.moment(fields.get("instant"), self.now);
        moment.map_err(|_| vec![Fault::new("instant", self.text().wrong_instant)])
    }

    pub(super) fn device(&self, fields: &Fields) -> Result<DeviceId, Vec<Fault>> {
        let typed = fields.get("device");
        DeviceId::parse(typed).map_err(|_| vec![Fault::new("device", (self.text().wrong_device)(typed))])
    }

    /// The devices that were typed, and all of the branch that was chosen.
    pub(super) fn devices(&self, fields: &Fields, incident: Option<&Incident>) -> Result<Vec<DeviceId>, Vec<Fault>> {
        let typed = fields.get("devices");
        let words = typed.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '、')).filter(|w| !w.is_empty());
        let mut devices = Vec::new();
        for word in words {
            let parsed = DeviceId::parse(word);
            devices.push(parsed.map_err(|_| vec![Fault::new("devices", (self.text().wrong_device)(word))])?);
        }
        let branch = fields.get("branch");
        if let Some(incident) = incident.filter(|_| !branch.is_empty()) {
            let own = incident.ladder.iter().filter(|(_, rung)| rung.branch.as_deref() == Some(branch));
            devices.extend(own.map(|(device, _)| device.clone()));
        }
        devices.sort_unstable();
        devices.dedup();
        Ok(devices)
    }

    pub(super) fn countermeasure(&self, fields: &Fields) -> Result<Command, Vec<Fault>> {
        let text = |name: &str| fields.get(name).to_owned();
        let mut faults = Vec::new();
        let plan =
            WorkaroundPlan { id: text("workaround"), script: Script { ja: text("script_ja"), en: text("script_en") } };
        let any = [&plan.id, &plan.script.ja, &plan.script.en].into_iter().any(|text| !text.is_empty());
        let value = fields.get("fix_value");
        let fix = match fields.get("fix_kind") {
            "" | "none" => None,
            "update" => Some(Fix::Update(value.to_owned())),
            "elsewhere" => Some(Fix::Elsewhere(value.to_owned())),
            "package" => match value.split_once(' ') {
                Some((name, version)) if !version.trim().is_empty() => {
                    Some(Fix::Package { name: name.to_owned(), version: version.trim().to_owned() })
                }
                _ => {
                    faults.push(Fault::new("fix_value", self.text().wrong_package));
                    None
                }
            },
            _ => {
                faults.push(Fault::new("fix_kind", self.text().wrong_choice));
                None
            }
        };
        let due = fields.get("fix_due");
        let fix_due_at = (!due.is_empty()).then(|| self.due(due)).transpose();
        match (fix_due_at, faults.is_empty()) {
            (Ok(fix_due_at), true) => {
                Ok(Command::RegisterCountermeasure { workaround: any.then_some(plan), fix, fix_due_at })
            }
            (fix_due_at, _) => {
                faults.extend(fix_due_at.err());
                Err(faults)
            }
        }
    }

    /// A date ahead. A time of day alone would be looked for in the past, so it needs its date.
    fn due(&self, text: &str) -> Result<Timestamp, Fault> {
        let dated = text.contains('-');
        let moment = self.zone.moment(text, self.now).ok().filter(|_| dated);
        moment.ok_or_else(|| Fault::new("fix_due", self.text().wrong_due))
    }
}

/// The value of this name.
pub(in crate::web) fn named<T: Copy, const N: usize>(
    all: [T; N],
    name: &str,
    name_of: fn(T) -> &'static str,
) -> Option<T> {
    all.into_iter().find(|value| name_of(*value) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Act;
    use crate::incident::ladder::Claim;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::from(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    }

    fn read(act: Act, pairs: &[(&str, &str)]) -> Result<Request, Vec<Fault>> {
        // 22 Nov 2026 09:00 in Tokyo.
        let now = Timestamp::from_ms(1_795_305_600_000);
        let zone = Zone::default();
        Reader { lang: Lang::En, zone: &zone, now }.read(act, "INC-2026-0007", &fields(pairs), None)
    }

    fn fault(act: Act, pairs: &[(&str, &str)]) -> &'static str {
        read(act, pairs).unwrap_err()[0].field
    }

    #[test]
    fn a_countermeasure_is_read_whole() {
        let full = [
            ("workaround", "WA-1"),
            ("script_en", "Switch it off"),
            ("fix_kind", "package"),
            ("fix_value", "signatures 9.9.2"),
            ("fix_due", "2026-11-25 09:00"),
        ];
        let Ok(Request::Command(Command::RegisterCountermeasure { workaround, fix, fix_due_at })) =
            read(Act::Countermeasure, &full)
        else {
            panic!("no countermeasure");
        };
        assert_eq!(workaround.unwrap().script, Script { ja: String::new(), en: "Switch it off".into() });
        assert_eq!(fix, Some(Fix::Package { name: "signatures".into(), version: "9.9.2".into() }));
        assert_eq!(fix_due_at, Some(Timestamp::from_ms(1_795_305_600_000 + 3 * 86_400_000)));
        let fix_alone = read(Act::Countermeasure, &[("fix_kind", "update"), ("fix_value", "2026.11.23")]);
        assert!(matches!(
            fix_alone,
            Ok(Request::Command(Command::RegisterCountermeasure { workaround: None, fix: Some(Fix::Update(_)), .. }))
        ));
    }

    #[test]
    fn what_cannot_be_read_names_its_field() {
        assert_eq!(fault(Act::Acknowledge, &[("seat", "king")]), "seat");
        assert_eq!(fault(Act::CorrectTime, &[("milestone", "lunch"), ("instant", "18:00")]), "milestone");
        assert_eq!(fault(Act::CorrectTime, &[("milestone", "mustered"), ("instant", "soon")]), "instant");
        assert_eq!(fault(Act::Agree, &[("version", "two")]), "version");
        assert_eq!(fault(Act::Claim, &[("devices", "B-1 B/2"), ("claim", "fix")]), "devices");
        assert_eq!(fault(Act::Claim, &[("devices", "B-1"), ("claim", "luck")]), "claim");
        assert_eq!(fault(Act::SignOff, &[("device", "B-1"), ("kind", "lost")]), "kind");
        assert_eq!(fault(Act::Merge, &[("reason", "same")]), "into");
        assert_eq!(fault(Act::Countermeasure, &[("fix_kind", "package"), ("fix_value", "signatures")]), "fix_value");
        // A time of day would be taken for one that is past.
        assert_eq!(fault(Act::Countermeasure, &[("workaround", "WA-1"), ("fix_due", "18:00")]), "fix_due");
    }

    #[test]
    fn devices_are_separated_by_whatever_people_type() {
        let request = read(Act::Claim, &[("devices", "B-2, B-1;\n B-2、B-3"), ("claim", "workaround")]);
        let Ok(Request::Command(Command::Claim { devices, claim: Claim::Workaround })) = request else {
            panic!("no claim")
        };
        assert_eq!(devices.iter().map(DeviceId::as_str).collect::<Vec<_>>(), ["B-1", "B-2", "B-3"]);
    }
}
