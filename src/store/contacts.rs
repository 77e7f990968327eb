//! Whom to call about a device. The one part of the database in which people's data stand, and from which they are deleted.

use std::collections::BTreeMap;

use ring::digest;

use super::answers::to_hex;
use super::statement::{Row, Tx, foreign, json, values};
use crate::engine::device::DeviceId;
use crate::engine::label;
use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::incident::{Contact, ContactEntry};
use crate::record::phone;

/// Longest text that is searched for, in characters; none of what is searched in is longer.
const MAX_SEARCHED: usize = 256;

const COLUMNS: &str = "SELECT device, customer, branch, name, phone, mail FROM contact WHERE device = $1";

const OF_BRANCH: &str = "SELECT device FROM contact WHERE branch = $1";

const PUT: &str = "INSERT INTO contact (device, customer, branch, name, phone, mail, found_device, found_name, found_phone, \
     updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (device) DO UPDATE SET customer = $2, \
     branch = $3, name = $4, phone = $5, mail = $6, found_device = $7, found_name = $8, found_phone = $9, \
     updated_at_ms = $10";

const FIND: &str = "SELECT device, customer, branch, name, phone, mail FROM contact \
     WHERE found_device LIKE $1 ESCAPE '!' OR found_name LIKE $1 ESCAPE '!' OR found_phone LIKE $2 ESCAPE '!' \
     OR found_phone LIKE $3 ESCAPE '!' OR found_phone LIKE $4 ESCAPE '!' ORDER BY device LIMIT $5";

/// Changes with the forms in which texts are found, so that a list that was taken over before is taken over anew.
const FORMS: &str = "2";

/// Who has something to be forgotten, was in an incident that was closed after it was given, and is in none that is open or was closed at
/// `$1` or later.
const FORGET: &str = "UPDATE contact SET name = NULL, phone = NULL, mail = NULL, found_name = NULL, found_phone = NULL \
     WHERE (name IS NOT NULL OR phone IS NOT NULL OR mail IS NOT NULL) \
     AND EXISTS (SELECT 1 FROM incident_device d JOIN incident c ON c.event_id = d.event_id \
     WHERE d.device = contact.device AND c.closed_at_ms >= contact.updated_at_ms) \
     AND NOT EXISTS (SELECT 1 FROM incident_device d JOIN incident c ON c.event_id = d.event_id \
     WHERE d.device = contact.device AND (c.state <> 'closed' OR c.closed_at_ms IS NULL OR c.closed_at_ms >= $1))";

const LAST_IMPORT: &str = "SELECT digest FROM contact_import WHERE id = 1";

const IMPORTED: &str = "INSERT INTO contact_import (id, digest, at_ms) VALUES (1, $1, $2) \
     ON CONFLICT (id) DO UPDATE SET digest = $1, at_ms = $2";

const FORGOTTEN: &str = "INSERT INTO forgotten_device (device, by_whom, reason, at_ms) VALUES ($1, $2, $3, $4)";

const NOT_FORGOTTEN: &str = "DELETE FROM forgotten_device WHERE device = $1 AND at_ms = $2";

const DROP: &str = "DELETE FROM contact WHERE device = $1";

/// Takes over a list, unless it is the last one. Answers whether it did.
pub(super) async fn import(tx: &mut Tx, contacts: &[ContactEntry], now: Timestamp) -> Result<bool, StoreError> {
    let digest = to_hex(digest::digest(&digest::SHA256, format!("{FORMS}{}", json(&contacts)?).as_bytes()).as_ref());
    if let Some(last) = tx.row(LAST_IMPORT, &[]).await?
        && last.text("digest")? == digest
    {
        return Ok(false);
    }
    for contact in contacts {
        put(tx, contact, now).await?;
    }
    tx.run(IMPORTED, values![&digest, now]).await?;
    Ok(true)
}

pub(super) async fn put(tx: &mut Tx, entry: &ContactEntry, now: Timestamp) -> Result<(), StoreError> {
    let ContactEntry { device, customer, branch, contact: Contact { name, phone: number, mail } } = entry;
    let found_device = folded(&format!("{device}\n{}", customer.as_deref().unwrap_or_default()));
    let found_name = name.as_deref().map(folded);
    let found_phone = number.as_deref().map(phone::found_by);
    let row =
        values![device.as_str(), customer, branch, name, number, mail, &found_device, &found_name, &found_phone, now,];
    tx.run(PUT, row).await?;
    Ok(())
}

pub(super) async fn of(tx: &mut Tx, device: &DeviceId) -> Result<Option<ContactEntry>, StoreError> {
    let row = tx.row(COLUMNS, values![device.as_str()]).await?;
    row.as_ref().map(contact_of).transpose()
}

pub(super) async fn find(tx: &mut Tx, text: &str, limit: u32) -> Result<Vec<ContactEntry>, StoreError> {
    let words = folded(text);
    if words.chars().count() > MAX_SEARCHED {
        return Ok(Vec::new());
    }
    let mut numbers = phone::patterns(text).into_iter();
    let (first, second, third) = (numbers.next(), numbers.next(), numbers.next());
    let rows = tx.rows(FIND, values![&pattern(&words), &first, &second, &third, limit]).await?;
    rows.iter().map(contact_of).collect()
}

/// The devices of one branch are added to `found`.
pub(super) async fn of_branch(
    tx: &mut Tx,
    branch: &str,
    found: &mut BTreeMap<DeviceId, String>,
) -> Result<(), StoreError> {
    for row in tx.rows(OF_BRANCH, values![branch]).await? {
        let device = DeviceId::parse(&row.text("device")?).map_err(|error| foreign("device", error))?;
        found.insert(device, branch.to_owned());
    }
    Ok(())
}

pub(super) async fn forget(tx: &mut Tx, closed_before: Timestamp) -> Result<u64, StoreError> {
    tx.run(FORGET, values![closed_before]).await
}

/// Notes who took a device out of the fleet.
pub(super) async fn note_forgotten(
    tx: &mut Tx,
    device: &DeviceId,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.run(FORGOTTEN, values![device.as_str(), by, reason, now]).await.map(|_| ())
}

/// Takes that back.
pub(super) async fn not_forgotten(tx: &mut Tx, device: &DeviceId, at: Timestamp) -> Result<(), StoreError> {
    tx.run(NOT_FORGOTTEN, values![device.as_str(), at]).await.map(|_| ())
}

/// Forgets whom to call about a device.
pub(super) async fn drop(tx: &mut Tx, device: &DeviceId) -> Result<(), StoreError> {
    tx.run(DROP, values![device.as_str()]).await.map(|_| ())
}

/// The text as it is searched for and in: in its one form, in small letters and without blanks, which nobody says.
fn folded(text: &str) -> String {
    let lines = text.split('\n').map(|line| label::form(line).to_lowercase().replace(' ', ""));
    lines.collect::<Vec<_>>().join("\n")
}

/// What `LIKE` takes for "contains this"; `!` escapes.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn contact_of(row: &Row) -> Result<ContactEntry, StoreError> {
    Ok(ContactEntry {
        device: DeviceId::parse(&row.text("device")?).map_err(|error| foreign("device", error))?,
        customer: row.maybe_text("customer")?,
        branch: row.maybe_text("branch")?,
        contact: Contact {
            name: row.maybe_text("name")?,
            phone: row.maybe_text("phone")?,
            mail: row.maybe_text("mail")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_folded_as_people_type_it() {
        assert_eq!(folded("Ｂ－００４２　Satō"), "b-0042satō");
        assert_eq!(folded("B-1\nｶﾌﾞｼｷ ｶﾞｲｼｬ\u{200b}"), "b-1\nカブシキガイシャ");
        assert_eq!(pattern("50%_!"), "%50!%!_!!%");
    }
}
